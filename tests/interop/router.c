/*
 * router.c - a bad network between two good ones: takes the packets that the router's firewall
 * queues (NFQUEUE) and loses, delays, reorders, duplicates, corrupts or marks them, by a seed.
 *
 *   router --queue N [--seed N] [--loss P] [--corrupt P] [--duplicate P] [--reorder P]
 *          [--reorder-ms T] [--delay-ms T] [--jitter-ms T] [--rate-mbit R] [--limit PACKETS]
 *          [--lose-text WORD] [--stall-after-ms T --stall-ms T] [--mark P] [--mark-above PACKETS]
 *
 * P are percentages, per packet and direction; T may have a fraction. What becomes of the nth
 * packet of a direction follows from the seed and n alone. --lose-text loses each packet with that
 * text once, and lets it pass when it comes again; a stall holds all packets, that long after the
 * first. ECN-capable packets are marked at random, or when so many wait for the rate. Says "ready"
 * when it listens, and at SIGTERM one line of JSON with what it did.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netlink.h>

#include <libnetfilter_queue/libnetfilter_queue.h>

enum { PACKET_MAX = 65536, HELD_MAX = 1 << 17, DIRECTIONS = 2, IP_HEADER = 20 };

struct settings {
    uint16_t queue;
    uint64_t seed;
    double loss, corrupt, duplicate, reorder, mark; /* probabilities */
    uint64_t reorder_ns, delay_ns, jitter_ns;
    double bytes_per_ns; /* 0: no limit */
    uint32_t limit;      /* packets waiting for the rate */
    uint32_t mark_above; /* packets waiting for the rate; 0: never */
    const char *text;    /* NULL: none */
    uint64_t stall_after_ns, stall_ns;
};

struct counts {
    uint64_t seen, lost, corrupted, duplicated, reordered, overflowed, stalled, marked;
};

/* One way through the router: packets of one kept in order, and one line rate, each. */
struct direction {
    uint32_t device;
    uint64_t last_release_ns; /* in order: nothing leaves earlier than this */
    uint64_t line_free_ns;    /* when the rate-limited line has sent all before */
    uint64_t random;
};

/* What is drawn for each packet, whether it is used or not. */
struct fate {
    bool lost, corrupted, duplicated, reordered, marked;
    uint64_t jitter_ns, bit;
};

/* A packet that waits in the kernel's queue for its verdict. */
struct held {
    uint64_t release_ns;
    uint64_t order; /* breaks ties: first come first served */
    uint32_t id;
    uint32_t length;
    uint8_t *changed; /* the packet, when it is not as the kernel has it; else NULL */
};

/* Segments by ports and sequence number, the latest ones. */
enum { NAMES_MAX = 64, NAME_BYTES = 8 };
struct names {
    unsigned next;
    uint8_t bytes[NAMES_MAX][NAME_BYTES];
};

struct router {
    struct settings settings;
    struct counts counts;
    struct direction directions[DIRECTIONS];
    struct nfq_q_handle *queue;
    int raw_socket;    /* sends second copies */
    uint64_t first_ns; /* when the first packet came */
    struct names lost; /* of the segments that were lost for their text */
    uint64_t order;
    struct held *heap;
    size_t held;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* splitmix64 */
static uint64_t random_next(struct direction *direction)
{
    uint64_t z = direction->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool happens(struct direction *direction, double probability)
{
    return (double)(random_next(direction) >> 11) * 0x1p-53 < probability;
}

static struct fate draw(const struct settings *settings, struct direction *direction)
{
    struct fate fate = {.lost = happens(direction, settings->loss)};
    fate.corrupted = happens(direction, settings->corrupt);
    fate.duplicated = happens(direction, settings->duplicate);
    fate.reordered = happens(direction, settings->reorder);
    fate.jitter_ns = random_next(direction);
    fate.jitter_ns = settings->jitter_ns > 0 ? fate.jitter_ns % settings->jitter_ns : 0;
    fate.bit = random_next(direction);
    fate.marked = happens(direction, settings->mark);
    return fate;
}

static bool held_before(const struct held *a, const struct held *b)
{
    return a->release_ns != b->release_ns ? a->release_ns < b->release_ns : a->order < b->order;
}

static void hold(struct router *router, struct held new)
{
    new.order = router->order++;
    size_t at = router->held++;
    while (at > 0 && held_before(&new, &router->heap[(at - 1) / 2])) {
        router->heap[at] = router->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    router->heap[at] = new;
}

static struct held unhold(struct router *router)
{
    struct held first = router->heap[0];
    struct held last = router->heap[--router->held];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= router->held)
            break;
        if (child + 1 < router->held && held_before(&router->heap[child + 1], &router->heap[child]))
            child++;
        if (!held_before(&router->heap[child], &last))
            break;
        router->heap[at] = router->heap[child];
        at = child;
    }
    router->heap[at] = last;
    return first;
}

static struct direction *direction_of(struct router *router, uint32_t device)
{
    for (int i = 0; i < DIRECTIONS; i++) {
        if (router->directions[i].device == 0)
            router->directions[i].device = device;
        if (router->directions[i].device == device)
            return &router->directions[i];
    }
    return &router->directions[0];
}

/* When a packet of `bytes` that came now may leave; 0: the queue before the line is full. */
static uint64_t release_of(struct router *router, struct direction *direction, size_t bytes,
                           struct fate *fate)
{
    const struct settings *settings = &router->settings;
    uint64_t now = now_ns(), release = now;
    if (settings->bytes_per_ns > 0) {
        uint64_t sending_ns = (uint64_t)((double)bytes / settings->bytes_per_ns);
        uint64_t start = direction->line_free_ns > now ? direction->line_free_ns : now;
        if (start - now > sending_ns * settings->limit)
            return 0;
        if (settings->mark_above != 0 && start - now > sending_ns * settings->mark_above)
            fate->marked = true;
        release = direction->line_free_ns = start + sending_ns;
    }
    release += settings->delay_ns + fate->jitter_ns;
    uint64_t stall_ns = router->first_ns + settings->stall_after_ns;
    if (now >= stall_ns && release < stall_ns + settings->stall_ns) {
        router->counts.stalled++;
        release = stall_ns + settings->stall_ns;
    }
    if (fate->reordered) {
        router->counts.reordered++;
        return release + settings->reorder_ns;
    }
    if (release < direction->last_release_ns)
        release = direction->last_release_ns;
    direction->last_release_ns = release;
    return release;
}

/* The copy takes the way of a packet of the router's own, so it is not queued again. */
static void send_copy(struct router *router, const uint8_t *packet, size_t length)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (length < IP_HEADER)
        return;
    memcpy(&to.sin_addr, packet + 16, 4);
    if (sendto(router->raw_socket, packet, length, 0, (struct sockaddr *)&to, sizeof to) >= 0)
        router->counts.duplicated++;
}

static void verdict(struct router *router, uint32_t id, uint32_t what)
{
    nfq_set_verdict(router->queue, id, what, 0, NULL);
}

/* RFC 3168 section 5: CE, if the sender allows it. The IP header has no options that matter here.
 */
static bool mark(struct router *router, uint8_t *packet)
{
    uint32_t sum = 0;
    if ((packet[1] & 3) == 0)
        return false;
    router->counts.marked += (packet[1] & 3) != 3;
    packet[1] |= 3;
    packet[10] = packet[11] = 0;
    for (int i = 0; i < (packet[0] & 15) * 4; i += 2)
        sum += (uint32_t)packet[i] << 8 | packet[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    packet[10] = (uint8_t)(sum >> 8);
    packet[11] = (uint8_t)sum;
    return true;
}

/* Lets a packet go, as it came or as it is now. */
static void release(struct router *router, struct held *held)
{
    nfq_set_verdict(router->queue, held->id, NF_ACCEPT, held->changed != NULL ? held->length : 0,
                    held->changed);
    free(held->changed);
}

/* One bit flips, behind the IP header, so that TCP's checksum has to find it. The verdict carries
 * the changed packet, and cannot wait. */
static void corrupt(struct router *router, uint32_t id, uint8_t *packet, size_t length,
                    const struct fate *fate)
{
    size_t bit = IP_HEADER * 8 + fate->bit % ((length - IP_HEADER) * 8);
    packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
    router->counts.corrupted++;
    nfq_set_verdict(router->queue, id, NF_ACCEPT, (uint32_t)length, packet);
}

/* A packet with the text, for the first time: the same segment, sent again, passes. */
static bool loses_text(struct router *router, const uint8_t *packet, size_t length)
{
    const char *text = router->settings.text;
    struct names *lost = &router->lost;
    if (text == NULL || length < IP_HEADER + 20 ||
        memmem(packet, length, text, strlen(text)) == NULL)
        return false;
    const uint8_t *name = packet + (packet[0] & 15) * 4; /* TCP's header begins with it */
    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (memcmp(name, lost->bytes[i], NAME_BYTES) == 0)
            return false;
    memcpy(lost->bytes[lost->next++ % NAMES_MAX], name, NAME_BYTES);
    return true;
}

static int on_packet(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data,
                     void *context)
{
    struct router *router = context;
    const struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);
    uint32_t id = ntohl(header->packet_id);
    uint8_t *packet;
    int length = nfq_get_payload(data, &packet);
    struct direction *direction = direction_of(router, nfq_get_indev(data));
    struct fate fate = draw(&router->settings, direction);
    (void)queue;
    (void)message;

    if (router->counts.seen++ == 0)
        router->first_ns = now_ns();
    if (length <= IP_HEADER || fate.lost || loses_text(router, packet, (size_t)length)) {
        router->counts.lost++;
        verdict(router, id, NF_DROP);
        return 0;
    }
    if (fate.corrupted) {
        corrupt(router, id, packet, (size_t)length, &fate);
        return 0;
    }
    if (fate.duplicated)
        send_copy(router, packet, (size_t)length);

    uint64_t release_ns = release_of(router, direction, (size_t)length, &fate);
    if (release_ns == 0 || router->held == HELD_MAX) {
        router->counts.overflowed++;
        verdict(router, id, NF_DROP);
        return 0;
    }
    struct held held = {.release_ns = release_ns, .id = id, .length = (uint32_t)length};
    if (fate.marked && mark(router, packet) && (held.changed = malloc((size_t)length)) != NULL)
        memcpy(held.changed, packet, (size_t)length);
    if (release_ns <= now_ns() && router->held == 0)
        release(router, &held);
    else
        hold(router, held);
    return 0;
}

/* Lets go what is due; returns how long to wait for the next, NULL: for ever. */
static const struct timespec *release_due(struct router *router, struct timespec *wait)
{
    while (router->held > 0) {
        uint64_t now = now_ns(), due = router->heap[0].release_ns;
        if (due > now) {
            wait->tv_sec = (time_t)((due - now) / 1000000000u);
            wait->tv_nsec = (long)((due - now) % 1000000000u);
            return wait;
        }
        struct held held = unhold(router);
        release(router, &held);
    }
    return NULL;
}

static int run(struct router *router, struct nfq_handle *handle)
{
    static char buffer[PACKET_MAX + 4096] __attribute__((aligned(16)));
    struct pollfd poll_of = {.fd = nfq_fd(handle), .events = POLLIN};
    sigset_t during_poll;

    sigprocmask(SIG_SETMASK, NULL, &during_poll);
    sigdelset(&during_poll, SIGTERM);
    sigdelset(&during_poll, SIGINT);
    while (!ended) {
        struct timespec wait;
        const struct timespec *until = release_due(router, &wait);
        if (ppoll(&poll_of, 1, until, &during_poll) < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < 64; i++) {
            ssize_t length = recv(poll_of.fd, buffer, sizeof buffer, MSG_DONTWAIT);
            if (length <= 0)
                break;
            nfq_handle_packet(handle, buffer, (int)length);
        }
    }
    return 0;
}

static int open_queue(struct router *router, struct nfq_handle **out)
{
    int yes = 1, bytes = 64 << 20;
    struct nfq_handle *handle = nfq_open();
    if (handle == NULL)
        return -errno;
    router->queue = nfq_create_queue(handle, router->settings.queue, on_packet, router);
    if (router->queue == NULL || nfq_set_mode(router->queue, NFQNL_COPY_PACKET, PACKET_MAX) < 0)
        return -errno;
    nfq_set_queue_maxlen(router->queue, HELD_MAX);
    setsockopt(nfq_fd(handle), SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, sizeof yes);
    setsockopt(nfq_fd(handle), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    router->raw_socket = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (router->raw_socket < 0)
        return -errno;
    *out = handle;
    return 0;
}

static uint64_t nanoseconds(const char *milliseconds)
{
    return (uint64_t)(strtod(milliseconds, NULL) * 1e6);
}

static bool read_settings(int count, char **words, struct settings *settings)
{
    static const struct option options[] = {{"queue", required_argument, NULL, 'q'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"loss", required_argument, NULL, 'l'},
                                            {"corrupt", required_argument, NULL, 'c'},
                                            {"duplicate", required_argument, NULL, 'd'},
                                            {"reorder", required_argument, NULL, 'r'},
                                            {"reorder-ms", required_argument, NULL, 'R'},
                                            {"delay-ms", required_argument, NULL, 'D'},
                                            {"jitter-ms", required_argument, NULL, 'J'},
                                            {"rate-mbit", required_argument, NULL, 'M'},
                                            {"limit", required_argument, NULL, 'L'},
                                            {"lose-text", required_argument, NULL, 't'},
                                            {"stall-after-ms", required_argument, NULL, 'A'},
                                            {"stall-ms", required_argument, NULL, 'S'},
                                            {"mark", required_argument, NULL, 'm'},
                                            {"mark-above", required_argument, NULL, 'a'},
                                            {0}};
    int option;
    while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
        const char *value = optarg == NULL ? "" : optarg;
        double percent = strtod(value, NULL) / 100;
        switch (option) {
        case 'q':
            settings->queue = (uint16_t)strtoul(value, NULL, 10);
            break;
        case 's':
            settings->seed = strtoull(value, NULL, 10);
            break;
        case 'l':
            settings->loss = percent;
            break;
        case 'c':
            settings->corrupt = percent;
            break;
        case 'd':
            settings->duplicate = percent;
            break;
        case 'r':
            settings->reorder = percent;
            break;
        case 'R':
            settings->reorder_ns = nanoseconds(value);
            break;
        case 'D':
            settings->delay_ns = nanoseconds(value);
            break;
        case 'J':
            settings->jitter_ns = nanoseconds(value);
            break;
        case 'M':
            settings->bytes_per_ns = strtod(value, NULL) / 8e3;
            break;
        case 'L':
            settings->limit = (uint32_t)strtoul(value, NULL, 10);
            break;
        case 't':
            settings->text = value;
            break;
        case 'A':
            settings->stall_after_ns = nanoseconds(value);
            break;
        case 'm':
            settings->mark = percent;
            break;
        case 'a':
            settings->mark_above = (uint32_t)strtoul(value, NULL, 10);
            break;
        case 'S':
            settings->stall_ns = nanoseconds(value);
            break;
        default:
            return false;
        }
    }
    return optind == count;
}

int main(int count, char **words)
{
    struct router router = {
        .settings = {.seed = 1, .reorder_ns = 2000000, .limit = 1000},
    };
    struct nfq_handle *handle = NULL;
    sigset_t ending;

    if (!read_settings(count, words, &router.settings)) {
        fprintf(stderr, "router: bad option; see the head of its source\n");
        return 2;
    }
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);

    for (uint64_t i = 0; i < DIRECTIONS; i++)
        router.directions[i].random = router.settings.seed * DIRECTIONS + i;
    static struct held heap[HELD_MAX];
    router.heap = heap;
    int error = open_queue(&router, &handle);
    if (error == 0) {
        printf("ready\n");
        fflush(stdout);
        error = run(&router, handle);
    }
    if (error < 0) {
        fprintf(stderr, "router: %s\n", strerror(-error));
        return 1;
    }
    printf(
        "{\"seen\": %llu, \"lost\": %llu, \"corrupted\": %llu, \"duplicated\": %llu, "
        "\"reordered\": %llu, \"overflowed\": %llu, \"stalled\": %llu, \"marked\": %llu}\n",
        (unsigned long long)router.counts.seen, (unsigned long long)router.counts.lost,
        (unsigned long long)router.counts.corrupted, (unsigned long long)router.counts.duplicated,
        (unsigned long long)router.counts.reordered, (unsigned long long)router.counts.overflowed,
        (unsigned long long)router.counts.stalled, (unsigned long long)router.counts.marked);
    return 0;
}
