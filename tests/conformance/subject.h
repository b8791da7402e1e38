/*
 * subject.h - what a packet script tries: a host at HOST_ADDRESS with sockets, a wire towards the
 * peer and a clock. There are two: Daytona's stack in virtual time and the kernel's TCP behind a
 * tun device in real time.
 */
#ifndef TESTS_CONFORMANCE_SUBJECT_H
#define TESTS_CONFORMANCE_SUBJECT_H

#include "tests/conformance/wire.h"

/** What a script may say in its `config` lines; text as written there, NULL or "" when not said. */
enum setting {
#define SETTING(name, word, initial, text) SETTING_##name,
#include "tests/conformance/settings.def"
#undef SETTING
    SETTING_COUNT
};
struct settings {
    char values[SETTING_COUNT][64];
};

enum call_type {
    CALL_OPEN,     /**< result: a socket */
    CALL_BIND,     /**< value: port */
    CALL_LISTEN,   /**< value: backlog */
    CALL_ACCEPT,   /**< result: a socket */
    CALL_CONNECT,  /**< value: the peer's port */
    CALL_SEND,     /**< bytes, length, flags; result: how many */
    CALL_RECEIVE,  /**< room, length, flags; result: how many */
    CALL_SHUTDOWN, /**< value: SHUT_RD, SHUT_WR, SHUT_RDWR */
    CALL_CLOSE,
    CALL_ABORT,   /**< a reset at once */
    CALL_SET,     /**< level, name, value */
    CALL_GET,     /**< level, name; result in value */
    CALL_QUEUED,  /**< name: SIOCINQ, SIOCOUTQ, SIOCATMARK ...; result in value */
    CALL_READY,   /**< result: SUBJECT_READY_* */
    CALL_ERROR,   /**< SO_ERROR; result: a positive errno or 0 */
    CALL_INFO,    /**< info */
    CALL_CONTROL, /**< text: TCP_CONGESTION */
};

enum subject_ready {
    SUBJECT_READY_IN = 1,
    SUBJECT_READY_OUT = 2,
    SUBJECT_READY_RDHUP = 4,
    SUBJECT_READY_HUP = 8,
    SUBJECT_READY_ERROR = 16,
    SUBJECT_READY_URGENT = 32,
};

/** What both subjects can tell of a connection. */
struct subject_info {
    int state;                /**< Linux's number */
    uint32_t cwnd, ssthresh;  /**< segments; ssthresh UINT32_MAX: infinite */
    uint32_t mss;             /**< of what is sent */
    uint32_t backoff, probes; /**< doublings of the RTO; unanswered probes */
    uint32_t rto_ms;
};

struct call {
    enum call_type type;
    int socket; /**< as CALL_OPEN or CALL_ACCEPT said */
    int value, level, name;
    uint8_t *bytes; /**< borrowed, to read or to fill */
    size_t length;
    int flags; /**< MSG_* */
    const char *text;
    struct subject_info info;
};

struct subject {
    const char *name; /**< "daytona" or "linux" */
    bool real_time;
    void *context;

    uint64_t (*now_us)(void *context);
    /** A packet arrives at the host. */
    void (*inject)(void *context, const uint8_t *packet, size_t length);
    /** The next packet that the host sends no later than `until_us`: its length, or 0. Time moves
     *  on to when it was sent (*at_us), or to `until_us`. */
    size_t (*take)(void *context, uint64_t until_us, uint8_t out[WIRE_PACKET_MAX], uint64_t *at_us);
    /** What became of the last packet that arrived, a name of verdicts.def; "" when the subject
     *  does not tell. */
    const char *(*verdict)(void *context);
    /** 0 or more, or -errno. */
    int (*call)(void *context, struct call *call);
};

/** Makes the subject, or makes it anew. NULL with *why when the machine cannot do it. */
struct subject *subject_daytona(const struct settings *settings, const char **why);
struct subject *subject_linux(const struct settings *settings, const char **why);

#endif
