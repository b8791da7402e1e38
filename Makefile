# Daytona. `make help` lists the targets.
B := build
CC ?= gcc
WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wswitch-enum -Wvla
CPPFLAGS += -Iinclude -I. -D_GNU_SOURCE
CFLAGS ?= -O2 -g
CFLAGS += -std=c17 $(WARN) -fPIC -fno-omit-frame-pointer -fvisibility=hidden -pthread

STACK_SRC := $(sort $(wildcard stack/*.c stack/*/*.c))
STACK_OBJ := $(STACK_SRC:%.c=$(B)/%.o)

all: $(STACK_OBJ)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

-include $(STACK_OBJ:.o=.d)
.PHONY: all
