/*
 * perform_options.c - options with lengths and values that are good and bad, many in one step.
 */
#include "tests/differential/perform.h"

#include "tests/differential/options.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define VALUE_BYTES_MAX 64

static const int lengths[] = {-1, 0, 1, 2, 3, 4, 5, 8, 15, 16, 64};
#define LENGTH_COUNT (sizeof lengths / sizeof lengths[0])

static const int values[] = {INT_MIN, -1,   0,     1,     2,     3,     5,      87,     88,
                             100,     127,  128,   255,   256,   1000,  1152,   1460,   2304,
                             4608,    9000, 30000, 32767, 32768, 70000, 250000, INT_MAX};
#define VALUE_COUNT (sizeof values / sizeof values[0])

static int word(const struct request *request, int which)
{
    return request->operation.words[which];
}

/* What it tells is not the same twice. */
static bool is_volatile(int option)
{
    int number = option_number(option);
    return option_level(option) == SOL_SOCKET
               ? number == SO_PEERCRED || number == SO_PEERNAME || number == SO_INCOMING_CPU
               : option_level(option) == IPPROTO_TCP && number == TCP_INFO;
}

static void say_value(struct answer *answer, int option, const unsigned char *value,
                      socklen_t length)
{
    int whole;
    answer_say(answer, ">");
    if (is_volatile(option)) {
        answer_say(answer, "(%u)", length);
    } else if (length == sizeof whole) {
        memcpy(&whole, value, sizeof whole);
        answer_say(answer, "%d", whole);
    } else {
        answer_say(answer, "(%u)", length);
        for (socklen_t i = 0; i < length && i < 16; i++)
            answer_say(answer, "%02x", value[i]);
    }
}

static void say_gotten(struct answer *answer, int fd, int option, int length)
{
    unsigned char value[VALUE_BYTES_MAX] = {0};
    socklen_t told = (socklen_t)length;
    if (getsockopt(fd, option_level(option), option_number(option), value, &told) < 0)
        answer_say(answer, ">%s", strerrorname_np(errno));
    else
        say_value(answer, option, value, told);
}

static void say_set(struct answer *answer, int fd, int option, int value, int length)
{
    int room[VALUE_BYTES_MAX / sizeof(int)] = {value, value};
    long seconds = value;
    if (length == sizeof(struct timeval))
        memcpy(memset(room, 0, sizeof room), &seconds, sizeof seconds);
    if (setsockopt(fd, option_level(option), option_number(option), room, (socklen_t)length) < 0)
        answer_say(answer, "=%s", strerrorname_np(errno));
}

long perform_lengths(const struct request *request, struct answer *answer)
{
    for (size_t i = 0; i < LENGTH_COUNT; i++) {
        answer_say(answer, " %d", lengths[i]);
        say_gotten(answer, word(request, 0), word(request, 1), lengths[i]);
        say_set(answer, word(request, 0), word(request, 1), word(request, 2), lengths[i]);
    }
    answer_say(answer, " then");
    say_gotten(answer, word(request, 0), word(request, 1), VALUE_BYTES_MAX);
    errno = EXDEV;
    return 0;
}

long perform_values(const struct request *request, struct answer *answer)
{
    for (size_t i = 0; i < VALUE_COUNT; i++) {
        answer_say(answer, " %d", values[i]);
        say_set(answer, word(request, 0), word(request, 1), values[i], word(request, 2));
        say_gotten(answer, word(request, 0), word(request, 1), word(request, 2));
    }
    errno = EXDEV;
    return 0;
}
