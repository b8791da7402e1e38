/*
 * urgent.c - random sequences of sends with and without MSG_OOB, reads, peeks, SIOCATMARK,
 * SO_OOBINLINE and poll, and what each of them answered. urgent.sh runs this program on the
 * kernel's TCP and on Daytona's: the two transcripts have to be the same, so nothing in them may
 * depend on ports or times.
 *
 *   urgent SEQUENCES
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT        7200 /* of the listener */
#define STEPS       24   /* of a sequence */
#define LONGEST     9    /* bytes sent or read at once */
#define ACKED_MS    2000
#define EXPECT(yes) expect(yes, #yes)

static uint64_t random_state;

static unsigned draw(unsigned below)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

static void expect(int yes, const char *what)
{
    if (yes)
        return;
    fprintf(stderr, "urgent: %s: %s\n", what, strerror(errno));
    exit(1);
}

struct ends {
    int sender, reader;
    char next; /* byte to be sent */
};

static struct ends ends_make(int listener, const struct sockaddr_in *address)
{
    struct ends ends = {.sender = socket(AF_INET, SOCK_STREAM, 0), .next = 'a'};
    EXPECT(connect(ends.sender, (const struct sockaddr *)address, sizeof *address) == 0);
    EXPECT((ends.reader = accept(listener, NULL, NULL)) >= 0);
    EXPECT(setsockopt(ends.sender, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0);
    return ends;
}

/* What has been acknowledged has been looked at. */
static void wait_until_acknowledged(const struct ends *ends)
{
    int queued = 1;
    for (int ms = 0; ms < ACKED_MS; ms++) {
        EXPECT(ioctl(ends->sender, SIOCOUTQ, &queued) == 0);
        if (queued == 0)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    printf("not acknowledged\n");
}

static void step_send(struct ends *ends, int flags)
{
    char bytes[LONGEST];
    size_t length = 1 + draw(LONGEST);
    for (size_t i = 0; i < length; i++) {
        bytes[i] = ends->next;
        ends->next = ends->next == 'z' ? 'a' : (char)(ends->next + 1);
    }
    setsockopt(ends->reader, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
    printf("send %.*s%s: %zd\n", (int)length, bytes, flags != 0 ? " urgent" : "",
           send(ends->sender, bytes, length, flags));
    wait_until_acknowledged(ends);
}

static void step_receive(struct ends *ends, const char *name, size_t length, int flags)
{
    char bytes[64] = {0};
    ssize_t got = recv(ends->reader, bytes, length, flags | MSG_DONTWAIT);
    printf("%s %zu: %zd %s\n", name, length, got, got < 0 ? strerrorname_np(errno) : bytes);
}

static void step_look(struct ends *ends)
{
    int mark = -1, queued = -1;
    struct pollfd poll_of = {.fd = ends->reader, .events = POLLIN | POLLPRI | POLLRDHUP};
    int ready = poll(&poll_of, 1, 0);
    ioctl(ends->reader, SIOCATMARK, &mark);
    ioctl(ends->reader, SIOCINQ, &queued);
    printf("look: %d %x, at mark %d, queued %d\n", ready, (unsigned)poll_of.revents, mark, queued);
}

static void step_inline(struct ends *ends)
{
    int on = (int)draw(2);
    printf("inline %d: %d\n", on,
           setsockopt(ends->reader, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
}

static void step(struct ends *ends)
{
    switch (draw(10)) {
    case 0:
    case 1:
        step_send(ends, 0);
        break;
    case 2:
    case 3:
        step_send(ends, MSG_OOB);
        break;
    case 4:
    case 5:
        step_receive(ends, "receive", 1 + draw(LONGEST), 0);
        break;
    case 6:
        step_receive(ends, "urgent", draw(3), MSG_OOB);
        break;
    case 7:
        step_receive(ends, "peek", 1 + draw(LONGEST), MSG_PEEK);
        break;
    case 8:
        step_receive(ends, "peek urgent", 1, MSG_OOB | MSG_PEEK);
        break;
    default:
        if (draw(3) == 0)
            step_inline(ends);
    }
    step_look(ends);
}

/* The sender ends, and what is left is read. */
static void finish(struct ends *ends)
{
    shutdown(ends->sender, SHUT_WR);
    wait_until_acknowledged(ends);
    struct pollfd poll_of = {.fd = ends->reader, .events = POLLRDHUP};
    EXPECT(poll(&poll_of, 1, ACKED_MS) == 1);
    for (int i = 0; i < 4; i++) {
        step_look(ends);
        step_receive(ends, "receive", 60, 0);
    }
    step_receive(ends, "urgent", 1, MSG_OOB);
    close(ends->sender);
    close(ends->reader);
}

int main(int count, char **words)
{
    int sequences = count > 1 ? atoi(words[1]) : 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    EXPECT(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    EXPECT(listen(listener, 8) == 0);
    for (int sequence = 0; sequence < sequences; sequence++) {
        random_state = (uint64_t)sequence * 1000003;
        printf("sequence %d\n", sequence);
        struct ends ends = ends_make(listener, &address);
        for (int i = 0; i < STEPS; i++)
            step(&ends);
        finish(&ends);
        fflush(stdout);
    }
    close(listener);
    printf("end\n");
    return 0;
}
