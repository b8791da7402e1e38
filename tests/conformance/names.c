#include "tests/conformance/names.h"

#include "tests/conformance/subject.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])
#define ERRNO_MAX       134

static const struct {
    const char *word;
    int level, name;
} options[] = {
#define NAMED(level, name)                                                                         \
    {                                                                                              \
#name, level, name                                                                         \
    }
    NAMED(SOL_SOCKET, SO_KEEPALIVE),
    NAMED(SOL_SOCKET, SO_LINGER),
    NAMED(SOL_SOCKET, SO_OOBINLINE),
    NAMED(SOL_SOCKET, SO_RCVBUF),
    NAMED(SOL_SOCKET, SO_SNDBUF),
    NAMED(SOL_SOCKET, SO_RCVLOWAT),
    NAMED(SOL_SOCKET, SO_REUSEADDR),
    NAMED(SOL_SOCKET, SO_REUSEPORT),
    NAMED(IPPROTO_TCP, TCP_NODELAY),
    NAMED(IPPROTO_TCP, TCP_MAXSEG),
    NAMED(IPPROTO_TCP, TCP_CORK),
    NAMED(IPPROTO_TCP, TCP_KEEPIDLE),
    NAMED(IPPROTO_TCP, TCP_KEEPINTVL),
    NAMED(IPPROTO_TCP, TCP_KEEPCNT),
    NAMED(IPPROTO_TCP, TCP_SYNCNT),
    NAMED(IPPROTO_TCP, TCP_LINGER2),
    NAMED(IPPROTO_TCP, TCP_DEFER_ACCEPT),
    NAMED(IPPROTO_TCP, TCP_WINDOW_CLAMP),
    NAMED(IPPROTO_TCP, TCP_QUICKACK),
    NAMED(IPPROTO_TCP, TCP_USER_TIMEOUT),
    NAMED(IPPROTO_TCP, TCP_FASTOPEN),
    NAMED(IPPROTO_TCP, TCP_FASTOPEN_CONNECT),
    NAMED(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE),
    NAMED(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
    NAMED(IPPROTO_IP, IP_TOS),
    NAMED(IPPROTO_IP, IP_TTL),
    NAMED(IPPROTO_IP, IP_MTU),
    NAMED(IPPROTO_IP, IP_MTU_DISCOVER),
    NAMED(IPPROTO_IP, IP_RECVERR),
#undef NAMED
};

struct word_number {
    const char *word;
    int number;
};

static const struct word_number ioctls[] = {
    {"SIOCINQ", SIOCINQ},
    {"SIOCOUTQ", SIOCOUTQ},
    {"SIOCOUTQNSD", SIOCOUTQNSD},
    {"SIOCATMARK", SIOCATMARK},
};

static const struct word_number readies[] = {
    {"in", SUBJECT_READY_IN},   {"out", SUBJECT_READY_OUT},     {"rdhup", SUBJECT_READY_RDHUP},
    {"hup", SUBJECT_READY_HUP}, {"error", SUBJECT_READY_ERROR}, {"urgent", SUBJECT_READY_URGENT},
};

static const struct word_number states[] = {
    {"ESTABLISHED", 1}, {"SYN-SENT", 2},  {"SYN-RECEIVED", 3}, {"FIN-WAIT-1", 4},
    {"FIN-WAIT-2", 5},  {"TIME-WAIT", 6}, {"CLOSED", 7},       {"CLOSE-WAIT", 8},
    {"LAST-ACK", 9},    {"LISTEN", 10},   {"CLOSING", 11},
};

static bool find(const struct word_number *table, size_t count, const char *word, int *number)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].word, word) == 0) {
            *number = table[i].number;
            return true;
        }
    }
    return false;
}

bool name_option(const char *word, int *level, int *name)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strcmp(options[i].word, word) == 0) {
            *level = options[i].level;
            *name = options[i].name;
            return true;
        }
    }
    return false;
}

bool name_ioctl(const char *word, int *request)
{
    return find(ioctls, COUNT_OF(ioctls), word, request);
}

bool name_errno(const char *word, int *number)
{
    for (int i = 1; i < ERRNO_MAX; i++) {
        const char *name = strerrorname_np(i);
        if (name != NULL && strcmp(name, word) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

bool name_ready(const char *word, int *bit)
{
    return find(readies, COUNT_OF(readies), word, bit);
}

bool name_state(const char *word, int *number)
{
    return find(states, COUNT_OF(states), word, number);
}

const char *state_name(int number)
{
    for (size_t i = 0; i < COUNT_OF(states); i++)
        if (states[i].number == number)
            return states[i].word;
    return "";
}
