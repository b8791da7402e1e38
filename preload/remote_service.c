#include "preload/address.h"
#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/real.h"
#include "preload/remote.h"
#include "preload/socket_options.h"

#include <errno.h>
#include <string.h>
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
static struct file *asked_about(int service, const struct question *question)
{
    struct twin_name shown;
    struct sockaddr_un its_engine, this_engine;
    socklen_t length;
    twin_engine_name(&this_engine);
    if (question->twin < 0 || question->uid == (uid_t)-1 ||
        !twin_identify(question->twin, &shown, &its_engine, &length) ||
        memcmp(&its_engine, &this_engine, length) != 0 || !twin_is_near(question->twin, service) ||
        shown.index != question->request.connection.index ||
        shown.generation != question->request.connection.generation)
        return NULL;
    return file_by_index(shown.index, shown.generation);
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

/* As an application's call: the engine is not locked. */
static void answer_call(struct file *file, const struct remote_request *request,
                        struct remote_answer *answer)
{
    answer->length = request->length;
    switch (request->what) {
    case REMOTE_BRIDGE:
        break;
    case REMOTE_GET_OPTION:
        answer->result = socket_options_get(file, -1, request->level, request->option,
                                            answer->value, &answer->length);
        break;
    case REMOTE_SET_OPTION:
        answer->result = socket_options_set(file, -1, request->level, request->option,
                                            request->value, request->length);
        break;
    case REMOTE_LOCAL:
        answer->result = tell_end(file, false, answer);
        break;
    case REMOTE_REMOTE:
        answer->result = tell_end(file, true, answer);
        break;
    }
}

static void answer(int service, struct question *question)
{
    struct remote_answer reply = {.result = -EBADF};
    struct file *file = asked_about(service, question);
    if (file != NULL && question->request.what == REMOTE_BRIDGE) {
        reply.result = bridge_begin(file, question->twin, question->pid);
    } else if (file != NULL) {
        file_hold(file);
        engine_thread_unlock();
        answer_call(file, &question->request, &reply);
        engine_thread_lock();
        file_put(file);
    }
    if (question->twin >= 0)
        real.close(question->twin);
    real.sendto(service, &reply, sizeof reply, MSG_DONTWAIT | MSG_NOSIGNAL,
                (struct sockaddr *)&question->asker, question->asker_length);
}

void remote_serve(int service)
{
    static struct question question;
    for (int i = 0; i < REQUESTS_AT_ONCE && take_question(service, &question); i++)
        answer(service, &question);
}
