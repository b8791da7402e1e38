#include "preload/address.h"
#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/real.h"
#include "preload/remote.h"
#include "preload/server.h"
#include "preload/server_listeners.h"
#include "preload/server_returns.h"
#include "preload/signatures.h"
#include "preload/socket_options.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUESTS_AT_ONCE 16

/* Who asks, with what. */
struct question {
    struct remote_request request;
    struct sockaddr_un asker;
    socklen_t asker_length;
    pid_t pid;
    uid_t uid;
    int twin; /* the descriptor that came along, -1 none */
};

/* Of a server: the address that programs know. */
static int front = -1;

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

int remote_open(void)
{
    struct sockaddr_un name;
    int on = 1;
    socklen_t length = twin_engine_name(&name);
    int fd = real.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (real.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
        real.bind(fd, (struct sockaddr *)&name, length) == 0)
        return fd;
    int error = errno;
    real.close(fd);
    return -error;
}

/* The room for one may hold two, for reasons of alignment. */
static void take_descriptors(const struct cmsghdr *header, struct question *question)
{
    const unsigned char *at = CMSG_DATA(header);
    const unsigned char *end = (const unsigned char *)header + header->cmsg_len;
    for (; at + sizeof(int) <= end; at += sizeof(int)) {
        int fd;
        memcpy(&fd, at, sizeof fd);
        if (question->twin < 0)
            question->twin = fd;
        else
            real.close(fd);
    }
}

static void take_control(struct msghdr *message, struct question *question)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    for (; header != NULL; header = CMSG_NXTHDR(message, header)) {
        struct ucred who;
        if (header->cmsg_level != SOL_SOCKET)
            continue;
        if (header->cmsg_type == SCM_RIGHTS)
            take_descriptors(header, question);
        if (header->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&who, CMSG_DATA(header), sizeof who);
            question->pid = who.pid;
            question->uid = who.uid;
        }
    }
}

static bool take_question(int service, struct question *out)
{
    union control room = {0};
    struct iovec part = {.iov_base = &out->request, .iov_len = sizeof out->request};
    struct msghdr message = {.msg_name = &out->asker,
                             .msg_namelen = sizeof out->asker,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    *out = (struct question){.twin = -1, .uid = (uid_t)-1};
    ssize_t got = real.recvmsg(service, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0)
        return false;
    take_control(&message, out);
    out->asker_length = message.msg_namelen;
    if (got != (ssize_t)sizeof out->request || out->request.length > REMOTE_VALUE_MAX)
        out->uid = (uid_t)-1; /* nobody who knows how to ask */
    return true;
}

/* Who holds a socket, and shows it, may ask about it. In another network namespace anybody can make
 * one whose other end has the same name. */
static bool shows_it(int service, const struct question *question)
{
    struct twin_name shown;
    struct sockaddr_un its_engine, this_engine;
    socklen_t length;
    twin_engine_name(&this_engine);
    return question->twin >= 0 && question->uid != (uid_t)-1 &&
           twin_identify(question->twin, &shown, &its_engine, &length) &&
           memcmp(&its_engine, &this_engine, length) == 0 &&
           twin_is_near(question->twin, service) &&
           shown.index == question->request.connection.index &&
           shown.generation == question->request.connection.generation;
}

/* The rest of "\0xxxxx", which the kernel gives who asks for any name. */
static struct remote_asker asker_of(const struct question *question)
{
    struct remote_asker asker = {
        .length = question->asker_length - (socklen_t)offsetof(struct sockaddr_un, sun_path),
        .pid = question->pid,
        .uid = question->uid,
    };
    if (question->asker_length <= offsetof(struct sockaddr_un, sun_path) ||
        asker.length > sizeof asker.name)
        return (struct remote_asker){.pid = question->pid, .uid = question->uid};
    memcpy(asker.name, question->asker.sun_path, asker.length);
    return asker;
}

static void send_answer(int through, const struct remote_answer *answer,
                        const struct sockaddr_un *asker, socklen_t length, int fd)
{
    union {
        const void *from;
        void *base;
    } place = {.from = answer}, name = {.from = asker};
    union control room = {0};
    struct iovec part = {.iov_base = place.base, .iov_len = sizeof *answer};
    struct msghdr message = {
        .msg_name = name.base, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = room.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof fd);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    real.sendmsg(through, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void remote_tell(const struct remote_asker *asker, int result, int fd)
{
    struct remote_answer answer = {.version = SERVER_VERSION, .result = result};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, asker->name, asker->length);
    send_answer(front, &answer, &name,
                (socklen_t)offsetof(struct sockaddr_un, sun_path) + asker->length, fd);
}

static int tell_end(struct file *file, bool peer, struct remote_answer *answer)
{
    struct daytona_endpoint end;
    int status = file_endpoints(file, peer ? NULL : &end, peer ? &end : NULL);
    answer->length = sizeof answer->value;
    if (status >= 0)
        address_write(&end, file_domain(file), (struct sockaddr *)answer->value, &answer->length);
    return status;
}

/* listen() makes this process the one that AF_UNIX tells of. */
static int listen_again(struct file *file, int twin, int backlog)
{
    int status = file_is_listener(file) ? file_enter(file) : -EINVAL;
    if (status < 0)
        return status;
    status = daytona_stack_listen(engine.stack, file->id, backlog < 0 ? 0 : backlog);
    if (status == 0 && real.listen(twin, backlog) < 0)
        status = -errno;
    if (status == 0)
        file->maker = getpid();
    if (status == 0 && file->served)
        server_listeners_renew(engine.server->listeners, file, backlog);
    engine_leave();
    return status;
}

/* It says how much may wait in the twin. */
static void fit_buffer(struct file *file, int twin)
{
    if (!bridge_is_up(file) || file_enter(file) < 0)
        return;
    bridge_fit_buffer(file, twin);
    if (file->engine_end >= 0)
        bridge_take_spent(file); /* a byte that is kept may hold down a smaller twin */
    engine_add_work(file, FILE_WORK_MIRROR);
    engine_leave();
}

static int tell_amount(struct file *file, int twin, unsigned request)
{
    if (request == SIOCATMARK)
        return file_at_mark(file);
    if (request == SIOCOUTQNSD)
        return file_bytes_unsent(file);
    if (request == SIOCOUTQ)
        return file_bytes_unacknowledged(file);
    return file_bytes_readable(file, twin);
}

/* As an application's call: the engine is not locked. */
static void answer_call(struct file *file, int twin, const struct remote_request *request,
                        struct remote_answer *answer)
{
    answer->length = request->length;
    switch (request->what) {
    case REMOTE_BRIDGE:
    case REMOTE_LISTEN:
    case REMOTE_CONNECT:
    case REMOTE_CONNECT_FAST:
    case REMOTE_KEY:
    case REMOTE_CLOSED:
        break;
    case REMOTE_GET_OPTION:
        answer->result = socket_options_get(file, twin, request->level, request->option,
                                            answer->value, &answer->length);
        break;
    case REMOTE_SET_OPTION:
        answer->result = socket_options_set(file, twin, request->level, request->option,
                                            request->value, request->length);
        if (request->level == IPPROTO_TCP && request->option == TCP_NOTSENT_LOWAT)
            fit_buffer(file, twin);
        break;
    case REMOTE_LOCAL:
        answer->result = tell_end(file, false, answer);
        break;
    case REMOTE_ACCEPTED:
    case REMOTE_REMOTE:
        answer->result = tell_end(file, true, answer);
        break;
    case REMOTE_LISTEN_AGAIN:
        answer->result = listen_again(file, twin, request->option);
        break;
    case REMOTE_CONNECT_AGAIN:
        answer->result = file_connect_again(file);
        break;
    case REMOTE_SHUTDOWN:
        answer->result = file_before_shutdown(file, request->option);
        break;
    case REMOTE_FAILURE:
        answer->result = atomic_load(&file->bridge.failure);
        break;
    case REMOTE_AMOUNT:
        answer->result = tell_amount(file, twin, (unsigned)request->option);
        break;
    }
}

/* Of a connection that has ended: why, once, to SO_ERROR or connect(), which gets the kernel socket
 * back, too. Returns that or -1. */
static int tell_failure(const struct remote_request *request, struct remote_answer *reply)
{
    bool again = request->what == REMOTE_CONNECT_AGAIN;
    const struct file *failed = file_failed(&request->connection);
    if (request->what == REMOTE_FAILURE)
        reply->result = failed != NULL ? failed->failure : -EBADF;
    if (request->what == REMOTE_LOCAL && failed != NULL && failed->failed_end.port != 0) {
        reply->length = sizeof reply->value;
        reply->result = 0;
        address_write(&failed->failed_end, failed->domain, (struct sockaddr *)reply->value,
                      &reply->length);
    }
    if (!again && (request->what != REMOTE_GET_OPTION || request->level != SOL_SOCKET ||
                   request->option != SO_ERROR))
        return -1;
    if (again && failed != NULL && failed->connected && failed->told) {
        reply->result = -EISCONN;
        return -1;
    }
    int error = file_take_failure(&request->connection);
    reply->result = !again ? 0 : error != 0 ? -error : -ECONNABORTED;
    reply->length = sizeof error;
    memcpy(reply->value, &error, sizeof error);
    return again && engine.server != NULL ? server_returns_take(request->connection) : -1;
}

/* Its place in the listener's twin is the next one's. Nothing else tells that there is room again,
 * when it is another process that accepts. */
static void let_next_in(int accepted)
{
    struct twin_name name;
    bool known = twin_listener_of(accepted, &name);
    struct file *listener = known ? file_by_index(name.index, name.generation) : NULL;
    if (listener != NULL)
        file_let_in(listener);
}

/* About a socket that the asker holds. Returns a descriptor to send along, -1 none. */
static int answer_holder(int service, struct question *question, struct remote_answer *reply)
{
    const struct remote_request *request = &question->request;
    bool shown = shows_it(service, question);
    struct file *file =
        shown ? file_by_index(request->connection.index, request->connection.generation) : NULL;
    bool accepted = request->what == REMOTE_ACCEPTED;
    if (shown && accepted)
        let_next_in(question->twin);
    if (file != NULL && (request->what == REMOTE_BRIDGE || accepted)) {
        file->unclaimed = false;
        reply->result = bridge_begin(file, question->twin, question->pid);
        if (!accepted || reply->result < 0)
            return -1;
    }
    if (file == NULL || file->gone || (file->closed && file->engine_end < 0)) {
        return shown ? tell_failure(request, reply) : -1;
    }
    file_hold(file);
    engine_thread_unlock();
    answer_call(file, question->twin, request, reply);
    engine_thread_lock();
    file_put(file);
    return -1;
}

static bool is_version(const struct remote_request *request)
{
    return strncmp(request->version, SERVER_VERSION, sizeof request->version) == 0;
}

/* Who wants a socket of the stack in place of its kernel socket. */
static int answer_opener(int service, struct question *question, struct remote_answer *reply)
{
    struct remote_asker asker = asker_of(question);
    int twin = -1;
    bool taken = false;
    reply->result = -EPROTONOSUPPORT;
    if (!is_version(&question->request))
        return -1;
    reply->result = REMOTE_NOT_SERVED;
    if (question->twin < 0 || !twin_is_near(question->twin, service))
        return -1;
    /* Without one of them it would speak unsigned. */
    reply->result = -ENOBUFS;
    if (signatures_count(question->twin) != (size_t)question->request.level)
        return -1;
    front = service;
    engine_thread_unlock();
    reply->result = server_open(&question->request, &asker, question->twin, &twin, &taken);
    engine_thread_lock();
    signatures_forget(question->twin);
    if (taken)
        question->twin = -1;
    return twin;
}

/* What the kernel does not tell of a socket. */
static int take_key(int service, const struct question *question)
{
    const struct remote_request *request = &question->request;
    struct signature_said said = {.option = request->option, .length = request->length};
    static_assert(sizeof said.value <= sizeof request->value, "what is said fits");
    if (!is_version(request))
        return -EPROTONOSUPPORT;
    if (question->twin < 0 || !twin_is_near(question->twin, service))
        return -EBADF;
    memcpy(said.value, request->value, sizeof said.value);
    return signatures_take(question->twin, &said);
}

static void answer(int service, struct question *question)
{
    struct remote_answer reply = {.version = SERVER_VERSION, .result = -EBADF};
    enum remote_what what = question->request.what;
    int twin = -1;
    bool opens = what == REMOTE_LISTEN || what == REMOTE_CONNECT || what == REMOTE_CONNECT_FAST;
    if (engine.server != NULL && question->uid == (uid_t)-1)
        reply.result = -EPROTONOSUPPORT;
    else if (opens && engine.server != NULL)
        twin = answer_opener(service, question, &reply);
    else if (what == REMOTE_KEY && engine.server != NULL)
        reply.result = take_key(service, question);
    else if (what == REMOTE_CLOSED && engine.server != NULL)
        reply.result = server_check_listener(&question->request.connection);
    else if (!opens)
        twin = answer_holder(service, question, &reply);
    if (question->twin >= 0)
        real.close(question->twin);
    send_answer(service, &reply, &question->asker, question->asker_length, twin);
    if (twin >= 0)
        real.close(twin);
}

void remote_serve(int service)
{
    static struct question question;
    for (int i = 0; i < REQUESTS_AT_ONCE && take_question(service, &question); i++)
        answer(service, &question);
}
