/*
 * file_record.h - the record behind a Daytona descriptor, and the table that finds it. For the
 * core of preload/ only; wrappers see file.h.
 *
 * Records live in memory that is never given back, so a look-up may read one that is just being
 * reused and find out afterwards. Everything without another remark belongs to who holds the
 * engine's lock.
 */
#ifndef DAYTONA_PRELOAD_FILE_RECORD_H
#define DAYTONA_PRELOAD_FILE_RECORD_H

#include "preload/bridge.h"
#include "preload/file.h"
#include "preload/mirror.h"
#include "preload/remote.h"
#include "preload/sets.h"

struct wait_follower;

/** Records there can be at most. */
#define FILES_MAX ((uint32_t)1 << 18)

enum file_kind { FILE_KIND_FREE, FILE_KIND_CONNECTION, FILE_KIND_LISTENER };

/** What the engine's thread shall do for a file; a set of bits. */
enum file_work {
    FILE_WORK_MIRROR = 1 << 0, /**< bring the twin up to date */
    FILE_WORK_ACCEPT = 1 << 1, /**< join accepted connections to the listener's twin */
    FILE_WORK_GONE = 1 << 2,   /**< close what the engine's table holds for it */
    FILE_WORK_COUNT = 1 << 3,  /**< count what waits in its twin */
};

struct file {
    atomic_uint references; /**< lock-free: 1 for the application's descriptors, 1 for the engine,
                                 and one for each look-up in progress */
    _Atomic uint64_t timeout_us[2]; /**< lock-free, by enum file_direction */
    uint32_t generation;            /**< of this record: differs when it is used again */
    uint32_t failed; /**< generation of a connection that ended with `failure`, errno, untold */
    int failure;
    struct daytona_endpoint failed_end; /**< its local end */
    uint32_t epoch;                     /**< engine.epoch of its engine */
    enum file_kind kind;
    int domain;
    struct daytona_socket_id id;
    struct file *next_free;

    int descriptors;  /**< of this process that name it */
    int descriptor;   /**< one of them, -1 none */
    bool shared;      /**< a forked child may hold it too: only the kernel knows the last close */
    bool closed;      /**< daytona_stack_close() was called */
    bool gone;        /**< the stack has finished with it */
    unsigned callers; /**< threads that sleep in a call on it */
    bool ends_late;   /**< the last descriptor is gone: it ends with the calls in progress */
    bool connecting;  /**< connect() was called and its outcome not told yet */
    bool spent;       /**< shut down while connecting: connect() says EINVAL from then on */
    bool bound;       /**< by the application, before it became Daytona's */
    bool shut;        /**< a listener that shutdown() has ended */
    bool keyed;       /**< was given keys before it became Daytona's */
    bool connected;   /**< connect() was told that it is, or it was accepted */
    struct remote_asker asker; /**< who waits for the outcome of its attempt to connect */
    bool told;                 /**< a served one: connect() has said that it is connected */
    pid_t maker;               /**< a listener's: the process that made its twin */
    bool served;               /**< of another process, which asked for it (server.h) */
    bool has_share;            /**< it counts in users' shares, see shares.h */
    uint16_t share;            /**< ... under this number */
    uid_t owner;               /**< a served one's user: who asked for it, or for its listener */
    bool starved;              /**< it waits for its user's share to have room */
    bool port_is_chosen;       /**< a served one's: its local port is not the program's wish */
    bool attached;             /**< the engine's thread has its ends, or needs none */
    bool accepted;             /**< a listener's: accept() has handed it out */
    bool unclaimed;            /**< a listener's: nobody has shown that accept() handed it out */
    bool kernel_waits; /**< a listener's: the kernel has an IPv6 connection for it, without room */
    uint16_t claimed_port; /**< see file_claim_port(); 0: none */
    unsigned edges; /**< DAYTONA_READY_* that happened again since the mirror was last looked at */

    _Atomic uint64_t changed[SOCKET_OPTIONS_MAX / 64]; /**< lock-free: see file_note_option() */
    atomic_bool nonblocking;                           /**< lock-free */
    atomic_bool bridged;                               /**< lock-free to read; see bridge.h */
    bool offered;                                      /**< to who serves the set that it is in */
    struct bridge bridge;

    struct wait_follower *followers; /**< threads that wait for this file */
    struct mirror mirror;
    struct set_member member;  /**< of the one epoll set that it is in */
    struct file *next_offered; /**< see sets.c */

    unsigned work;          /**< enum file_work */
    struct file *next_work; /**< in engine.work */
    struct file *held;      /**< a listener's: joined to its twin as soon as there is room */

    /* The engine's thread's alone, numbers of its table, -1 none. */
    int engine_end;     /**< of the twin */
    int reservation;    /**< the kernel socket that holds the port */
    unsigned guarded;   /**< how many sockets the reservation is for, its own included */
    struct file *guard; /**< the listener whose reservation guards an accepted connection */
    struct daytona_endpoint guarded_ends[2]; /**< which is from here to there */
};

/** Makes the table, or makes a forked child's own as large as it can be. Whenever an engine
 *  starts. -ENOMEM. */
int file_table_init(void);

/** The children that are forked from now on get all of the table, as an engine's must that goes on
 *  there (linger.h). Engine locked. */
void file_table_pass_on(void);

/** The next record that is made has that number, which is free, and that generation. */
void file_make_next(uint32_t index, uint32_t generation);

/** A new record with no descriptor, referenced for the engine. NULL: too many. Engine locked. */
struct file *file_make(enum file_kind kind, int domain, struct daytona_socket_id id);

/** If the file is of another process's engine: makes it bridged by its descriptor `fd`; true. */
bool file_make_native(struct file *file, int fd);

/** One more reference for a file that the caller knows to be alive. */
void file_hold(struct file *file);

/** The record's number, and the record of that number and generation or NULL. Engine locked. */
uint32_t file_index(const struct file *file);
struct file *file_by_index(uint32_t index, uint32_t generation);
/** The record of that number, which is in use. */
struct file *file_by_number(uint32_t index);

/** Lets `fd` name the file; takes a reference with the first descriptor. Engine locked. False when
 *  the number is beyond the table. */
bool file_attach(struct file *file, int fd);

/** Forgets that `fd` names the file; true when it was the last one. The reference is the
 *  caller's to put. Engine locked. */
bool file_detach(struct file *file, int fd);

/** The same for all its descriptors, which are closed; puts their reference. */
void file_detach_all(struct file *file);

/** Its descriptors, `fd` first: how many. Engine locked. */
size_t file_numbers(const struct file *file, int fd, int *out);

/** In a forked child, whose parent has the engine: `fd` is closed, and names nothing any more. */
void file_abandon(int fd);

/** No descriptor above this one was ever Daytona's. */
int file_highest_descriptor(void);

/** Whether a process holds a connection's twin that the engine's thread carries data for. */
bool file_any_held(void);

/** Calls `each` for every record of this process's engine that is not closed, with descriptors in
 * this process or without.
 */
void file_each_left(void (*each)(struct file *file));

/** The next record of this process's engine behind the number *cursor, and round from the first,
 *  that fits; NULL: there is none. Engine locked. */
struct file *file_search(uint32_t *cursor, bool (*fits)(const struct file *file, unsigned what),
                         unsigned what);

/** Calls `each` for every record that the reservation of `listener` guards. Engine's thread. */
void file_each_guarded(const struct file *listener, void (*each)(struct file *file));

/** Calls `each` for every record of this process's engine with a descriptor. Engine locked. */
void file_each(void (*each)(struct file *file));

/** Locks the engine for an operation on `file`: 0, or -errno as engine_enter(). */
int file_enter(struct file *file);

/** There may be room in the listener's twin again: connections for which there was none join it.
 *  Engine locked. */
void file_let_in(struct file *listener);

/** A change of readiness reported by the stack. Engine locked. */
void file_changed(struct file *file, unsigned now, unsigned edges);

/** The outcome of a connection attempt that is over: 0 or -errno, told once. Engine locked. */
int file_outcome(struct file *file);

/** connect(2) on a served connection: -EALREADY, the outcome once, or -EISCONN. Engine not locked.
 */
int file_connect_again(struct file *file);

/** Why that connection of another process, which may be gone, has failed: an errno, told once;
 *  0: unknown. Engine locked. */
int file_take_failure(const struct twin_name *name);
/** The same, and it stays untold. */
int file_look_at_failure(const struct twin_name *name);
/** Where that connection ended here; NULL: unknown. Engine locked. */
const struct file *file_failed(const struct twin_name *name);

/** Before shutdown(2) on its twin, in another process: 0, or -ENOTCONN. Engine not locked. */
int file_before_shutdown(struct file *file, int how);

/** Waits for the outcome of a connection attempt as connect(2) does. Engine locked; the caller
 *  holds a reference, which a cancelled thread puts. */
int file_wait_connected(struct file *file);

/** Has packets to `port` captured until the file is gone. Engine locked. */
int file_claim_port(struct file *file, uint16_t port);

/** The connection ends with RST at once. Engine's thread. */
void file_abort(struct file *file);

/** The application's last descriptor is gone: ends the connection. Engine locked. */
void file_end(struct file *file);

/** The same, but not before the calls on it in which threads sleep have come to their ends: as in
 *  Linux, a call keeps what it was called on. Engine locked. */
void file_end_after_calls(struct file *file);

/** A call on `file` in which the thread may have slept has come to its end. Engine locked. */
void file_call_over(struct file *file);

#endif
