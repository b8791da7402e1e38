# Daytona. `make help` lists the targets.
#
# Sources are found by folder, so a new file needs no change here:
#
#   stack/ capture/ rawtx/ iptables_rules/ preload/   the library
#   scripts/{run,stat,trace,...}.c, see TOOL_MAINS    one program each, $(B)/daytona-run ...
#   tests/unit/NAME_test.c                            one cmocka program each, $(B)/tests/unit/NAME_test
#   tests/sim/*.c                                     one program, $(B)/daytona-sim
#   tests/fuzz/NAME_target.c                          one libFuzzer program each, $(B)/tests/fuzz/NAME_target
#   tests/conformance/*.c                             one program, $(B)/daytona-conformance
#   tests/differential/*.c                            one program, $(B)/daytona-differential
#   tests/bench/*.c                                   one program, $(B)/daytona-bench-stack
#   tests/examples/NAME.c, tests/interop/NAME.c       one program each
#
# What has no sources is skipped. `B=elsewhere` builds somewhere else; `ONLY='stack/base stack/wire'`
# leaves all other library folders out, when only a part is of interest.

B          ?= build
PREFIX     ?= /usr/local
SEED       ?= 1
SEEDS      ?= 1000
TIME       ?= 60
SCENARIO   ?= tests/sim/scenarios/slow-start.txt

SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# ---------------------------------------------------------------------- compilers and flags

ifeq ($(origin CC),default)
CC := gcc
endif
LD      ?= ld
OBJCOPY ?= objcopy

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wswitch-enum -Wvla
INCLUDES := -Iinclude -I.
OPTIMISE ?= -O2 -g
COMPILE  := -std=c17 -D_GNU_SOURCE $(WARNINGS) $(INCLUDES) $(OPTIMISE) -fPIC -pthread \
            -fno-omit-frame-pointer -fvisibility=hidden
LINK     := -pthread

# WERROR=1: a warning is an error. SANITIZE=address,undefined and COVERAGE=1 want a B of their own.
ifdef WERROR
COMPILE += -Werror
endif
ifdef SANITIZE
COMPILE += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LINK    += -fsanitize=$(SANITIZE)
endif
ifdef COVERAGE
COMPILE += --coverage
LINK    += --coverage
endif

# ---------------------------------------------------------------------- sources

FOLDERS  := stack capture rawtx iptables_rules preload
sources   = $(sort $(wildcard $(addsuffix /*.c,$(1)) $(addsuffix /*/*.c,$(1))))
ONLY     ?= $(FOLDERS)
LIBRARY  := $(call sources,$(ONLY))
STACK    := $(filter stack/%,$(LIBRARY))
PRELOAD  := $(filter preload/%,$(LIBRARY))

TOOL_MAINS    := $(wildcard $(patsubst %,scripts/%.c,run rules check stat top set export trace pcap explain \
                                            report plot profile))
# `daytona top` alone needs ncurses; without its header it is left out.
NCURSES       := $(shell printf '\043include <ncurses.h>\n' | $(CC) -E - >/dev/null 2>&1 && echo yes)
TOP           := scripts/top.c scripts/top_screen.c
TOOL_MAINS    := $(filter-out $(if $(NCURSES),,scripts/top.c),$(TOOL_MAINS))
TOOL_SHARED   := $(filter-out $(TOOL_MAINS) $(TOP),$(wildcard scripts/*.c))
UNIT_MAINS    := $(sort $(wildcard tests/unit/*_test.c))
UNIT_SHARED   := $(filter-out $(UNIT_MAINS),$(wildcard tests/unit/*.c))
SIM           := $(sort $(wildcard tests/sim/*.c))
FUZZ_MAINS    := $(sort $(wildcard tests/fuzz/*_target.c))
FUZZ_SHARED   := $(filter-out $(FUZZ_MAINS),$(wildcard tests/fuzz/*.c))
CONFORMANCE   := $(sort $(wildcard tests/conformance/*.c))
DIFFERENTIAL  := $(sort $(wildcard tests/differential/*.c))
BENCH         := $(sort $(wildcard tests/bench/*.c))
EXAMPLE_MAINS := $(sort $(wildcard tests/examples/*.c))
INTEROP_MAINS := $(sort $(wildcard tests/interop/*.c))
ALL_SOURCES   := $(LIBRARY) $(TOOL_MAINS) $(TOOL_SHARED) $(if $(NCURSES),$(TOP)) $(UNIT_MAINS) $(UNIT_SHARED) $(SIM) \
                 $(FUZZ_MAINS) $(FUZZ_SHARED) $(CONFORMANCE) $(DIFFERENTIAL) $(BENCH) $(EXAMPLE_MAINS) $(INTEROP_MAINS)

objects   = $(patsubst %.c,$(B)/%.o,$(1))

TOOLS    := $(patsubst scripts/%.c,$(B)/daytona-%,$(TOOL_MAINS))
UNITS    := $(patsubst %.c,$(B)/%,$(UNIT_MAINS))
EXAMPLES := $(patsubst %.c,$(B)/%,$(EXAMPLE_MAINS))
INTEROPS := $(patsubst %.c,$(B)/%,$(INTEROP_MAINS))
SHARED   := $(if $(PRELOAD),$(B)/libdaytona.so)
STATIC   := $(if $(STACK),$(B)/libdaytona.a)
SIMULATOR := $(if $(SIM),$(B)/daytona-sim)
CONFORMER := $(if $(CONFORMANCE),$(B)/daytona-conformance)
DIFFERER  := $(if $(DIFFERENTIAL),$(B)/daytona-differential)
BENCHER   := $(if $(BENCH),$(B)/daytona-bench-stack)
FUZZERS   := $(patsubst %.c,$(B)/%,$(FUZZ_MAINS))

# ---------------------------------------------------------------------- everyday targets

all: library tools test-programs ## libraries, tools and test programs (the default)

library: $(SHARED) $(STATIC) ## libdaytona.so and libdaytona.a

tools: $(TOOLS) ## what the command `daytona` consists of: daytona-run, daytona-stat, daytona-trace ...
	@$(if $(NCURSES),:,echo 'daytona-top is left out: there is no ncurses.h (Debian: libncurses-dev)')

test-programs: $(UNITS) $(SIMULATOR) $(CONFORMER) $(DIFFERER) $(BENCHER) $(EXAMPLES) \
               $(call objects,$(FUZZ_MAINS) $(FUZZ_SHARED))

fuzz-programs: $(FUZZERS)

interop-programs: $(INTEROPS)

help: ## this list
	@echo 'Targets (B=$(B)):'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

# ---------------------------------------------------------------------- tests

RUN    := B=$(B) tests/run -l $(B)/log
STATIC_CHECKS := tidy build-gcc build-clang cppcheck floors symbols exports calls shellcheck format \
                 sources generated completion selftest
INTEROP_CASES := $(sort $(wildcard tests/interop/*.sh))
INTEROP_CASES := $(filter-out tests/interop/lib.sh,$(INTEROP_CASES))
CASE          ?= $(patsubst tests/interop/%.sh,%,$(INTEROP_CASES))
cases          = $(patsubst %,tests/interop/%.sh,$(CASE))
# Minutes of waiting for a slow network: with LONG=1 only, in check-long and in interop.
SLOW_CASES    := black_hole matrix recovery
APPS          := $(filter-out tests/apps/lib.sh,$(sort $(wildcard tests/apps/*.sh)))
APP           ?= $(patsubst tests/apps/%.sh,%,$(APPS))
apps           = $(patsubst %,tests/apps/%.sh,$(APP))
# Of these lanes in make check, too, each takes about as long.
APPS_FIRST    := apache brokers ftp git java memcached nginx shells ssh
apps_first     = $(patsubst %,tests/apps/%.sh,$(APPS_FIRST))
apps_second    = $(filter-out $(apps_first),$(APPS))
quick_cases    = $(filter-out $(if $(LONG),,$(SLOW_CASES)),$(CASE))
# Those that wait more than they work have a lane of their own.
WAITING_CASES := $(SLOW_CASES) dual_stack ecn explain fastopen impaired inherit kill killed signatures sockets state urgent
waiting        = $(patsubst %,tests/interop/%.sh,$(filter $(WAITING_CASES),$(quick_cases)))
working        = $(patsubst %,tests/interop/%.sh,$(filter-out $(WAITING_CASES),$(quick_cases)))

test: library test-programs ## unit tests and some simulation seeds: no root, seconds
	SEEDS=100 $(RUN) -j 2 tests/checks/unit.sh tests/checks/sim.sh

check: packages-check apps-packages ## everything CI runs: root, about a quarter of an hour on two cores
	-$(MAKE) --no-print-directory -k all interop-programs
	SEEDS=$(SEEDS) $(RUN) -j 2 tests/checks/sanitize.sh $(STATIC_CHECKS:%=tests/checks/%.sh) \
	    tests/checks/unit.sh tests/checks/sim.sh \
	    -- tests/checks/startup.sh tests/checks/conformance.sh tests/checks/differential.sh $(working) -- $(waiting) \
	    --yielding $(apps_first) --yielding $(apps_second)

check-long: packages-check ## check with full sizes: longer transfers, 100,000 seeds, ten minutes of fuzzing, all of interop-matrix; two hours
	LONG=1 SEEDS=100000 SANITIZE_TIME=600 $(MAKE) --no-print-directory check

interop: packages-check ## real programs in network namespaces: root; CASE='curl redis' picks some
	-$(MAKE) --no-print-directory -k all interop-programs
	$(RUN) -- $(cases)

interop-apps: apps-packages library tools ## distributions' programs under load, every byte compared: root; APP='nginx ssh' picks some
	$(RUN) -- $(filter $(apps_first),$(apps)) -- $(filter-out $(apps_first),$(apps))

interop-matrix: packages-check ## goodput beside the kernel's, 54 cells of loss, delay, controller, direction: root, half an hour
	-$(MAKE) --no-print-directory -k all interop-programs
	B=$(B) tests/interop/matrix.sh full

sim: $(SIMULATOR) ## simulations: SEED=n one, with its packets recorded; SEEDS=n the first n, on all processors
	$(if $(filter-out default file,$(origin SEEDS)),$(B)/daytona-sim --jobs 0 --seeds 1-$(SEEDS),$(B)/daytona-sim --seed $(SEED))

sim-report: $(SIMULATOR) ## goodput of every controller beside theory, and fairness: tests/sim/report.txt
	$(B)/daytona-sim --jobs 0 --report

scenario: $(SIMULATOR) ## the scenario files of docs/simulator.md: SCENARIO=tests/sim/scenarios/slow-start.txt
	$(B)/daytona-sim --scenario $(SCENARIO)

fuzz: ## libFuzzer's targets under the sanitizers, two at a time: TIME=seconds in all
	TIME=$(TIME) B=$(B) tests/checks/fuzz.sh

conformance: $(CONFORMER) ## packet scripts on the stack and on the kernel's TCP: root
	$(RUN) tests/checks/conformance.sh

differential: library $(DIFFERER) ## small programs and random walks on the kernel's TCP and on Daytona in each mode: root, a minute
	$(RUN) tests/checks/differential.sh

bench-stack: $(BENCHER) ## two stacks back to back in memory: Gbit/s, ns, profile by activity; TIME=seconds each
	$(BENCHER) $(if $(filter command line,$(origin TIME)),$(TIME))

profile-study: packages-check library tools ## the cycles of nginx on Daytona by activity, for files of 1 KB to 1 MB: table and picture; root
	B=$(B) tests/bench/profile_study.sh

bench: packages-check ## Daytona beside the kernel's TCP, in turn: ratios; OPTIONS='--topology veth --rounds 5': root
	$(MAKE) --no-print-directory all interop-programs
	B=$(B) tests/bench/compare.py $(OPTIONS)

cov: ## line coverage of the unit tests and 200 seeds, by file
	$(MAKE) --no-print-directory B=$(B)/coverage COVERAGE=1 OPTIMISE='-O0 -g' test-programs
	B=$(B)/coverage tests/checks/coverage.sh

demo: ## nginx, curl and iperf3 on Daytona between two namespaces: root
	scripts/install-packages.sh demo
	$(MAKE) --no-print-directory library tools
	B=$(B) scripts/demo.sh

packages-check:
	scripts/install-packages.sh check

apps-packages:
	scripts/install-packages.sh apps

# ---------------------------------------------------------------------- upkeep

docs: ## writes the README's table, and into build/docs the list of calls and the map of RFCs
	scripts/generate-docs.sh . $(B)/docs

format: ## lays out all C sources
	find include stack capture rawtx iptables_rules preload scripts tests -name '*.[ch]' | \
	    xargs clang-format -i

install: library tools ## into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/daytona \
	    $(DESTDIR)$(PREFIX)/include/daytona
	install -m 755 $(B)/libdaytona.so $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libdaytona.so
	install -m 644 $(B)/libdaytona.a $(DESTDIR)$(PREFIX)/lib
	install -m 644 include/daytona/* $(DESTDIR)$(PREFIX)/include/daytona
	install -m 755 $(TOOLS) $(DESTDIR)$(PREFIX)/libexec/daytona
	install -m 755 scripts/daytona $(DESTDIR)$(PREFIX)/bin
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 644 scripts/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/daytona
	install -m 644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1

clean: ## removes the build directory
	rm -rf $(B)

# ---------------------------------------------------------------------- rules

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(COMPILE) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# The shared library shows the names of the table of intercepted calls, and no other.
$(B)/exports.map: preload/exports.sh preload/calls.def include/daytona/look.h
	@mkdir -p $(@D)
	sh preload/exports.sh > $@

SONAME := libdaytona.so.0
$(B)/libdaytona.so: $(call objects,$(LIBRARY)) $(B)/exports.map
	$(CC) -shared $(LINK) $(LDFLAGS) -Wl,-soname,$(SONAME) $(if $(SANITIZE),,-Wl,-z,defs) -Wl,-z,now \
	    -Wl,--version-script=$(B)/exports.map -o $@ $(filter %.o,$^) -ldl
	ln -sf libdaytona.so $(B)/$(SONAME)

# One relocatable object in which only daytona_* is global, so that linking it can replace no
# function of the program's own and none of libc's. The aliases with libc's names stay out.
PREFIXED := $(filter-out preload/names.c,$(LIBRARY))
$(B)/libdaytona.a: $(call objects,$(PREFIXED))
	$(LD) -r -o $(B)/daytona.o $^
	$(OBJCOPY) --wildcard --keep-global-symbol='daytona_*' $(B)/daytona.o
	rm -f $@
	$(AR) rcs $@ $(B)/daytona.o

# Tests see everything inside: an archive of the objects as they are.
$(B)/tests/everything.a: $(call objects,$(PREFIXED) $(TOOL_SHARED) $(UNIT_SHARED) $(SIM))
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^
LINK_EVERYTHING = $(B)/tests/everything.a -ldl

$(UNITS): $(B)/%: $(B)/%.o $(B)/tests/everything.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ $< -lcmocka $(LINK_EVERYTHING)

$(B)/daytona-top: $(call objects,scripts/top_screen.c)
$(B)/daytona-top: LIBRARIES = -lncursesw -ltinfo
$(TOOLS): $(B)/daytona-%: $(B)/scripts/%.o $(call objects,$(TOOL_SHARED)) $(B)/tests/everything.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LINK_EVERYTHING) $(LIBRARIES)

# The page of `daytona report` has the chart library in it, which the npm registry keeps; without a network there
# is a message, an empty page, and another try the next time. CHART_LIBRARY=uplot.tgz is a copy.
REPORT_PARTS := $(sort $(wildcard scripts/report/*))
CHART        := $(B)/chart/uPlot.iife.min.js
$(B)/report_page.html: $(REPORT_PARTS) $(if $(wildcard $(CHART)),,try-again)
	@mkdir -p $(@D)
	@[ -s $(CHART) ] || CHART_LIBRARY='$(CHART_LIBRARY)' scripts/report/chart-library.sh $(B)/chart || true
	@if [ -s $(CHART) ]; then scripts/report/assemble.sh $(abspath $(B)/chart) >$@; else : >$@; fi
.PHONY: try-again

$(B)/report_page.o: $(B)/report_page.html
	cd $(B) && $(LD) -r -z noexecstack -b binary -o report_page.o report_page.html

$(B)/daytona-report: $(B)/report_page.o

$(B)/daytona-sim: $(call objects,$(SIM)) $(B)/tests/everything.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LINK_EVERYTHING)

$(B)/daytona-bench-stack: $(call objects,$(BENCH) $(STACK) preload/ring.c)
	$(CC) $(LINK) $(LDFLAGS) -o $@ $^ -ldl

# These need clang, and the stack's objects instrumented: tests/checks/fuzz.sh says how.
$(FUZZERS): $(B)/%: $(B)/%.o $(call objects,$(FUZZ_SHARED) $(STACK) $(filter-out tests/sim/main.c,$(SIM)))
	$(CC) $(LINK) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^

$(B)/daytona-differential: $(call objects,$(DIFFERENTIAL)) $(B)/tests/everything.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LINK_EVERYTHING)

$(B)/daytona-conformance: $(call objects,$(CONFORMANCE)) $(B)/tests/everything.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LINK_EVERYTHING)

# An example either calls daytona_*() (and is linked with the archive), or, when its name begins
# with "linked_", is an ordinary program that is linked with the shared library before libc.
$(B)/tests/examples/linked_%: $(B)/tests/examples/linked_%.o $(B)/libdaytona.so
	$(CC) $(LINK) $(LDFLAGS) -o $@ $< -L$(B) -ldaytona -Wl,-rpath,'$$ORIGIN/../..'

$(B)/tests/examples/%: $(B)/tests/examples/%.o $(B)/libdaytona.a
	$(CC) $(LINK) $(LDFLAGS) -o $@ $< $(B)/libdaytona.a -ldl

$(B)/tests/interop/long_trace: $(B)/tests/everything.a
$(B)/tests/interop/long_trace: LIBRARIES = $(LINK_EVERYTHING)
$(B)/tests/interop/router: LIBRARIES = -lnetfilter_queue -lnfnetlink
$(INTEROPS): $(B)/%: $(B)/%.o
	$(CC) $(LINK) $(LDFLAGS) -o $@ $< $(LIBRARIES)

-include $(patsubst %.c,$(B)/%.d,$(ALL_SOURCES))

.PHONY: all library tools test-programs fuzz-programs interop-programs help clean test check check-long \
        interop interop-apps interop-matrix bench sim sim-report scenario fuzz conformance bench-stack profile-study cov demo packages-check apps-packages docs format install
.SECONDARY:
