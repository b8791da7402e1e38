/*
 * settings.h - the environment variables of settings.def, read once when the library is loaded.
 */
#ifndef DAYTONA_PRELOAD_SETTINGS_H
#define DAYTONA_PRELOAD_SETTINGS_H

#include "preload/log.h"
#include "preload/ports.h"
#include "preload/tuning.h"
#include <daytona/rawtx.h>
#include <daytona/stack.h>

/** Unsaid: `daytona run` installs firewall rules; a program that finds it so has none. */
enum settings_rules { SETTINGS_RULES_UNSAID, SETTINGS_RULES_OFF, SETTINGS_RULES_ON };

enum settings_mode { SETTINGS_MODE_DIRECT, SETTINGS_MODE_BRIDGED };

enum settings_engine { SETTINGS_ENGINE_THREAD, SETTINGS_ENGINE_PROCESS };

enum settings_fallback { SETTINGS_FALLBACK_KERNEL, SETTINGS_FALLBACK_FAIL };

#define SETTINGS_NAMES_MAX 16
#define SETTINGS_NAME_MAX  16 /* with the terminating zero: as IFNAMSIZ */
#define SETTINGS_FILE_MAX  1024

/** Names separated by commas. */
struct settings_names {
    size_t count;
    char names[SETTINGS_NAMES_MAX][SETTINGS_NAME_MAX];
};

/** What settings.def describes, member by member. Everything is a copy: the program may overwrite
 *  its environment. */
struct settings {
    struct port_rules listen, connect;
    struct daytona_port_span port_range;
    struct settings_names interfaces; /**< count 0: all */
    char congestion[SETTINGS_NAME_MAX];
    struct tuning tune;
    uint8_t loss_detection; /**< value of DAYTONA_OPTION_LOSS_DETECTION */
    char ecn[SETTINGS_NAME_MAX];
    uint64_t receive_buffer_bytes, send_buffer_bytes; /**< payload, as the stack counts */
    uint64_t receive_buffer_max, send_buffer_max;
    uint64_t memory_bytes;
    enum daytona_mtu_probing mtu_probing;
    enum daytona_syn_cookies syn_cookies;
    bool profile;
    enum daytona_rawtx_ways transmit;
    enum settings_rules rules;
    enum settings_mode mode;
    enum settings_engine engine;
    char server_socket[SETTINGS_FILE_MAX];
    enum settings_fallback fallback;
    char summary_file[SETTINGS_FILE_MAX];     /**< "": none */
    char record_directory[SETTINGS_FILE_MAX]; /**< "off": none */
    enum log_level log;
    char ledger_directory[SETTINGS_FILE_MAX]; /**< "": none */
    char host_secret_file[SETTINGS_FILE_MAX]; /**< "": none */
    char rings_directory[SETTINGS_FILE_MAX];  /**< "": where the record is */
    uint64_t said; /**< hash of the messages that a program before this one has said; 0: none */

    bool present; /**< the environment has a variable DAYTONA_something */
    bool fault;   /**< a value could not be read: no socket may become Daytona's, not even one of
                       a program that calls daytona_connect() */
};

/** The settings of this process; never changes after the library was loaded. */
extern struct settings settings;

/** Whether a listener on `port` is Daytona's. */
bool settings_listens(uint16_t port);

/** Whether a connection to `remote` is Daytona's. */
bool settings_connects(const struct daytona_endpoint *remote);

/* ------------------------------------------------------------------ reading */

#define SETTINGS_MESSAGES_MAX 8

/** What is to be said about the environment, in its order; more than fit are left out. */
struct settings_messages {
    size_t count;
    struct settings_message {
        enum log_level level;
        char line[512];
    } messages[SETTINGS_MESSAGES_MAX];
};

/** Reads the variables among `environment` ("NAME=value", NULL at the end) into *out. A value
 *  that cannot be read leaves its member undefined, sets out->fault and leaves an error; an unknown
 *  DAYTONA_ name leaves a warning. An unreadable DAYTONA_FALLBACK counts as "fail": who sets it
 *  does not want surprises. */
void settings_read(char *const *environment, struct settings *out,
                   struct settings_messages *messages);

/** A number that is another for other messages. */
uint64_t settings_messages_hash(const struct settings_messages *messages);

/* ------------------------------------------------------------------ describing */

/** One row of settings.def. */
struct settings_row {
    const char *name;     /**< "DAYTONA_LISTEN" */
    const char *standard; /**< default value, "" for none */
    const char *example;
    const char *text;
};

/** The index-th SETTING of settings.def; NULL past the end. */
const struct settings_row *settings_row(size_t index);

#endif
