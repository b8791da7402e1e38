#include "tests/conformance/states.h"

#include "tests/conformance/names.h"
#include "tests/conformance/stage.h"
#include "tests/conformance/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define TEXT_BYTES      10
#define FIRST_PORT      10000 /* of listeners; the cells' follow */

/* Some bytes that are acknowledged, so that an acknowledgment can be old and yet of this
 * connection. */
#define ESTABLISH "establish passive mss=1460\nsend 50\nhost ACK PSH len=50\npeer ACK\n"

/* Linux sometimes delays it; see fin-is-acknowledged-later in docs/linux-differences.md. */
#define FIN_TAKEN "host ACK after=0ms..45ms\n"

/* How a state is reached, and how much of what was sent is not acknowledged then. The listener
 * stays. Options other than MSS have scripts of their own. */
static const struct {
    const char *name, *way;
    uint32_t unacknowledged;
    bool connected; /* both numbers of the connection are known */
} states[] = {
    {"CLOSED", "", 0, false},
    {"LISTEN", "listen\n", 0, false},
    {"SYN-SENT", "connect\nhost SYN\n", 1, false},
    {"SYN-RECEIVED", "connect\nhost SYN\npeer SYN seq=0 mss=1460\nhost SYN ACK seq=0 ack=1\n", 1,
     true},
    {"ESTABLISHED", ESTABLISH "send 100\nhost ACK PSH len=100\n", 100, true},
    {"FIN-WAIT-1", ESTABLISH "shutdown write\nhost FIN ACK\n", 1, true},
    {"FIN-WAIT-2", ESTABLISH "shutdown write\nhost FIN ACK\npeer ACK\n", 0, true},
    {"CLOSE-WAIT", ESTABLISH "peer FIN ACK\n" FIN_TAKEN "send 100\nhost ACK PSH len=100\n", 100,
     true},
    {"CLOSING", ESTABLISH "shutdown write\nhost FIN ACK\npeer FIN ACK ack=51\nhost ACK\n", 1, true},
    {"LAST-ACK", ESTABLISH "peer FIN ACK\n" FIN_TAKEN "shutdown write\nhost FIN ACK\n", 1, true},
    {"TIME-WAIT", ESTABLISH "shutdown write\nhost FIN ACK\npeer FIN ACK\nhost ACK\n", 0, true},
};

struct trial {
    make_subject *make;
    struct stage *stage;
    struct flow *flow;
    struct table table;
    struct table otherwise; /* where the kernel differs from it; empty for Daytona */
    uint32_t expected;      /* the number that the host expects of the peer */
    bool show, on_linux;
    unsigned cells, wrong;
    unsigned attempts; /* at cells, those of which nothing could be learnt too */
};

/* What came of a cell, in the words of the tables. */
struct outcome {
    char columns[5][48];
};

/* ------------------------------------------------------------------ the way to a state */

static bool reach(struct trial *trial, size_t state)
{
    static struct script script;
    static char way[512];
    const char *why;
    strcpy(way, states[state].way);
    if (!script_parse(states[state].name, way, &script))
        return false;
    struct subject *subject = trial->make(&script.settings, &why);
    if (subject == NULL) {
        printf("%s\n", why);
        return false;
    }
    stage_prepare(trial->stage, subject);
    trial->flow = &trial->stage->flows[1];
    /* In one network all the time, as the kernel's is, other ports for each. */
    trial->attempts++;
    trial->flow->peer_port = (uint16_t)(trial->flow->peer_port + trial->attempts);
    trial->flow->host_port = (uint16_t)(FIRST_PORT + trial->attempts);
    trial->stage->flows[0].host_port = trial->flow->host_port;
    if (stage_play(trial->stage, &script))
        return true;
    fputs(trial->stage->log, stdout);
    return false;
}

/* What is left of a cell. A subject that is made anew has forgotten it anyhow. */
static void leave(struct trial *trial)
{
    static uint8_t packet[WIRE_PACKET_MAX];
    struct subject *subject = trial->stage->subject;
    uint64_t at_us;
    for (size_t i = 0; i < 2; i++) {
        struct call call = {.type = CALL_ABORT, .socket = trial->stage->flows[i].socket};
        if (call.socket >= 0)
            subject->call(subject->context, &call);
    }
    while (subject->take(subject->context, subject->now_us(subject->context), packet, &at_us) > 0) {
    }
}

/* The socket whose state is looked at: the listener's, or the connection's. */
static int socket_in(const struct trial *trial, size_t state)
{
    return trial->stage->flows[strcmp(states[state].name, "LISTEN") == 0 ? 0 : 1].socket;
}

static const char *state_after(const struct trial *trial, size_t state)
{
    struct call call = {.type = CALL_INFO, .socket = socket_in(trial, state)};
    struct subject *subject = trial->stage->subject;
    if (call.socket < 0 || subject->call(subject->context, &call) < 0)
        return "CLOSED";
    return state_name(call.info.state);
}

static const char *error_after(const struct trial *trial, size_t state)
{
    struct call call = {.type = CALL_ERROR, .socket = socket_in(trial, state)};
    struct subject *subject = trial->stage->subject;
    int error = call.socket < 0 ? 0 : subject->call(subject->context, &call);
    return error <= 0 ? "-" : strerrorname_np(error);
}

/* ------------------------------------------------------------------ segments */

static const struct {
    const char *name;
    uint16_t flags;
} kinds[] = {{"RST", WIRE_RST}, {"SYN", WIRE_SYN}, {"FIN", WIRE_FIN}, {"plain", 0}};

static const char *const places[] = {"old",    "before", "overlap", "left",
                                     "inside", "last",   "right",   "beyond"};
static const char *const texts[] = {"no", "yes"};
static const char *const acks[] = {"none", "ancient", "old", "una", "nxt", "future"};

struct event {
    size_t kind, place, text, ack;
};

static uint32_t length_of(const struct event *event)
{
    uint32_t flags = kinds[event->kind].flags;
    return (event->text != 0 ? TEXT_BYTES : 0u) + ((flags & (WIRE_SYN | WIRE_FIN)) != 0);
}

/* Where the segment begins, relative to the peer's initial number. */
static uint32_t place_of(const struct flow *flow, const struct event *event)
{
    uint32_t left = flow->peer_next, right = flow->host_edge, length = length_of(event);
    const char *place = places[event->place];
    if (strcmp(place, "old") == 0)
        return left - 1000;
    if (strcmp(place, "before") == 0)
        return left - (length == 0 ? 1 : length);
    if (strcmp(place, "overlap") == 0)
        return left - TEXT_BYTES / 2;
    if (strcmp(place, "left") == 0)
        return left;
    if (strcmp(place, "inside") == 0)
        return left + 100;
    if (strcmp(place, "last") == 0)
        return right - 1;
    return strcmp(place, "right") == 0 ? right : right + 1000;
}

static uint32_t ack_of(const struct flow *flow, size_t state, const struct event *event)
{
    uint32_t nxt = flow->host_next, una = nxt - states[state].unacknowledged;
    const char *ack = acks[event->ack];
    if (strcmp(ack, "ancient") == 0)
        return una - 100000;
    if (strcmp(ack, "old") == 0)
        return una - 20;
    if (strcmp(ack, "una") == 0)
        return una;
    return strcmp(ack, "nxt") == 0 ? nxt : nxt + 1;
}

/* Cells that are the same as others, or that cannot be. */
static bool possible(size_t state, const struct event *event)
{
    if (strcmp(places[event->place], "overlap") == 0 && event->text == 0)
        return false;
    return strcmp(acks[event->ack], "una") != 0 || states[state].unacknowledged > 0;
}

static void add(char *text, size_t size, const char *format, const char *word, unsigned number)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, format, used > 0 ? " " : "", word, number);
}

/* One answer: "ACK", "RST" with the number that was acknowledged, "RST-ACK", "SYN-ACK". What an ACK
 * acknowledges beyond what had been is what was taken. */
static void name_answer(struct trial *trial, const struct wire_segment *said,
                        const struct wire_segment *heard, struct outcome *out)
{
    struct flow *flow = trial->flow;
    uint32_t end =
        said->seq + (uint32_t)said->length + ((said->flags & (WIRE_SYN | WIRE_FIN)) != 0);
    const char *word = "another segment";
    if (heard->flags == WIRE_RST && heard->seq == said->ack)
        word = "RST";
    else if (heard->flags == (WIRE_RST | WIRE_ACK) && heard->seq == 0 && heard->ack == end)
        word = "RST-ACK";
    else if (heard->flags == (WIRE_SYN | WIRE_ACK))
        word = "SYN-ACK";
    else if (heard->flags == WIRE_ACK && heard->length == 0 &&
             heard->seq - flow->host_isn == flow->host_next)
        word = "ACK";
    add(out->columns[1], sizeof out->columns[1], "%s%s%.0u", word, 0);
    if (strcmp(word, "ACK") == 0)
        snprintf(out->columns[2], sizeof out->columns[2], "%d",
                 (int)(heard->ack - trial->expected));
}

/* In real time what the kernel sends in answer leaves while inject() runs, or hardly later. What
 * leaves at another time its timers send, the shortest of which takes 4 ms: when inject() was held
 * up for long, nothing can be learnt from what was sent, and the cell is tried again. */
#define REAL_ANSWER_US 2000
#define REAL_INJECT_US 1000
#define ATTEMPTS_MAX   100

static void hear_answers(struct trial *trial, const struct wire_segment *said, uint64_t began_us,
                         uint64_t ended_us, struct outcome *out)
{
    static uint8_t packet[WIRE_PACKET_MAX];
    struct subject *subject = trial->stage->subject;
    struct wire_segment heard;
    uint64_t at_us;
    size_t length;
    while ((length = subject->take(subject->context, subject->now_us(subject->context), packet,
                                   &at_us)) > 0) {
        if (at_us < began_us || at_us > ended_us)
            continue;
        const char *wrong = wire_read(packet, length, &heard);
        if (wrong == NULL && heard.destination_port != trial->flow->peer_port)
            continue; /* of an earlier cell */
        if (wrong != NULL)
            add(out->columns[1], sizeof out->columns[1], "%s%s%.0u", wrong, 0);
        else
            name_answer(trial, said, &heard, out);
    }
    if (out->columns[1][0] == '\0')
        strcpy(out->columns[1], "-");
}

static bool try_segment(struct trial *trial, size_t state, const struct event *event,
                        struct outcome *out)
{
    static uint8_t packet[WIRE_PACKET_MAX];
    static uint8_t text[TEXT_BYTES];
    struct flow *flow = trial->flow;
    struct subject *subject = trial->stage->subject;
    bool acknowledges = strcmp(acks[event->ack], "none") != 0;
    if (!states[state].connected)
        flow->host_edge = flow->peer_next + 65535;
    uint32_t seq = place_of(flow, event);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = script_byte(seq + (uint32_t)i);
    struct wire_segment said = {
        .source = PEER_ADDRESS,
        .destination = HOST_ADDRESS,
        .source_port = flow->peer_port,
        .destination_port = flow->host_port,
        .seq = flow->peer_isn + seq,
        .ack = acknowledges ? flow->host_isn + ack_of(flow, state, event) : 0,
        .flags = (uint16_t)(kinds[event->kind].flags | (acknowledges ? WIRE_ACK : 0)),
        .window = 65535,
        .payload = text,
        .length = event->text != 0 ? TEXT_BYTES : 0,
    };
    trial->expected = states[state].connected ? flow->peer_isn + flow->peer_next : said.seq + 1;
    *out = (struct outcome){0};
    strcpy(out->columns[2], "0");
    uint64_t began_us = subject->now_us(subject->context);
    subject->inject(subject->context, packet, wire_write(&said, packet));
    uint64_t ended_us = subject->now_us(subject->context);
    hear_answers(trial, &said, began_us, ended_us + (subject->real_time ? REAL_ANSWER_US : 0), out);
    snprintf(out->columns[0], sizeof out->columns[0], "%s", state_after(trial, state));
    snprintf(out->columns[3], sizeof out->columns[3], "%s", error_after(trial, state));
    snprintf(out->columns[4], sizeof out->columns[4], "%s", subject->verdict(subject->context));
    return !subject->real_time || ended_us - began_us <= REAL_INJECT_US;
}

/* ------------------------------------------------------------------ calls */

static const char *const calls[] = {"connect",       "listen",         "accept", "send",  "receive",
                                    "shutdown-read", "shutdown-write", "close",  "abort", "status"};

static int make_call(struct trial *trial, int socket, const char *name)
{
    static uint8_t bytes[TEXT_BYTES];
    struct subject *subject = trial->stage->subject;
    struct call call = {.socket = socket, .bytes = bytes, .length = sizeof bytes};
    if (strcmp(name, "connect") == 0) {
        call.type = CALL_CONNECT;
        call.value = trial->flow->peer_port;
    } else if (strcmp(name, "listen") == 0) {
        call.type = CALL_LISTEN;
    } else if (strcmp(name, "accept") == 0) {
        call.type = CALL_ACCEPT;
    } else if (strcmp(name, "send") == 0) {
        call.type = CALL_SEND;
    } else if (strcmp(name, "receive") == 0) {
        call.type = CALL_RECEIVE;
    } else if (strcmp(name, "shutdown-read") == 0) {
        call.type = CALL_SHUTDOWN;
        call.value = SHUT_RD;
    } else if (strcmp(name, "shutdown-write") == 0) {
        call.type = CALL_SHUTDOWN;
        call.value = SHUT_WR;
    } else if (strcmp(name, "close") == 0) {
        call.type = CALL_CLOSE;
    } else if (strcmp(name, "abort") == 0) {
        call.type = CALL_ABORT;
    } else {
        call.type = CALL_INFO;
    }
    return subject->call(subject->context, &call);
}

/* A socket that has done nothing yet but have a port, for CLOSED. */
static int fresh_socket(struct trial *trial)
{
    struct subject *subject = trial->stage->subject;
    struct call open = {.type = CALL_OPEN};
    struct call bind = {.type = CALL_BIND, .value = 6000};
    bind.socket = subject->call(subject->context, &open);
    subject->call(subject->context, &bind);
    return bind.socket;
}

static void hear_sent(struct trial *trial, struct outcome *out)
{
    static uint8_t packet[WIRE_PACKET_MAX];
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK"};
    struct subject *subject = trial->stage->subject;
    struct wire_segment heard;
    uint64_t at_us;
    size_t length;
    while ((length = subject->take(subject->context, subject->now_us(subject->context), packet,
                                   &at_us)) > 0) {
        if (wire_read(packet, length, &heard) != NULL ||
            heard.destination_port != trial->flow->peer_port)
            continue;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if ((heard.flags >> i & 1) != 0)
                add(out->columns[2], sizeof out->columns[2], "%s%s%.0u", names[i], 0);
        if (heard.length > 0)
            add(out->columns[2], sizeof out->columns[2], "%s%s=%u", "len", (unsigned)heard.length);
    }
    if (out->columns[2][0] == '\0')
        strcpy(out->columns[2], "-");
}

static void try_call(struct trial *trial, size_t state, const char *name, struct outcome *out)
{
    int socket = socket_in(trial, state);
    if (socket < 0)
        socket = trial->flow->socket = fresh_socket(trial);
    *out = (struct outcome){0};
    int result = make_call(trial, socket, name);
    if (strcmp(name, "accept") == 0 && result >= 0)
        result = 0;
    if (result < 0)
        snprintf(out->columns[0], sizeof out->columns[0], "%s", strerrorname_np(-result));
    else
        snprintf(out->columns[0], sizeof out->columns[0], "%d", result);
    bool over = strcmp(name, "close") == 0 || strcmp(name, "abort") == 0;
    snprintf(out->columns[1], sizeof out->columns[1], "%s", over ? "-" : state_after(trial, state));
    hear_sent(trial, out);
}

/* ------------------------------------------------------------------ all of it */

static bool as_expected(const struct trial *trial, const char *wanted, const char *const *keys,
                        const char *is)
{
    if (is[0] == '\0') /* the kernel has no verdict */
        return true;
    if (strcmp(wanted, "=") == 0) /* the state of the cell */
        wanted = keys[trial->table.keys == 2 ? 1 : 0];
    /* Linux's socket has nothing to do with TIME-WAIT. */
    if (trial->on_linux && strcmp(wanted, "TIME-WAIT") == 0)
        wanted = "CLOSED";
    return strcmp(wanted, is) == 0;
}

static void judge(struct trial *trial, const char *const *keys, const struct outcome *outcome)
{
    const struct table *table = &trial->table;
    size_t columns = table->columns - table->keys;
    trial->cells++;
    if (trial->show) {
        for (size_t i = 0; i < table->keys; i++)
            printf("%s | ", keys[i]);
        for (size_t i = 0; i < columns; i++)
            printf("%s%s", outcome->columns[i], i + 1 < columns ? " | " : "\n");
        return;
    }
    const struct table_row *row = table_find_maybe(&trial->otherwise, keys);
    if (row == NULL)
        row = table_find(&trial->table, keys);
    bool right = row != NULL;
    for (size_t i = 0; right && i < columns; i++)
        right = as_expected(trial, row->cells[table->keys + i], keys, outcome->columns[i]);
    if (right)
        return;
    trial->wrong++;
    if (row == NULL)
        return;
    printf("%s:%u:", table->path, row->line);
    for (size_t i = 0; i < table->keys; i++)
        printf(" %s", keys[i]);
    printf(" brings");
    for (size_t i = 0; i < columns; i++)
        printf(" | %s", outcome->columns[i]);
    printf("\n");
}

static bool try_segment_cell(struct trial *trial, size_t state, const struct event *event)
{
    struct outcome outcome;
    bool learnt = false;
    for (int i = 0; i < ATTEMPTS_MAX && !learnt; i++) {
        if (!reach(trial, state))
            return false;
        learnt = try_segment(trial, state, event, &outcome);
        if (learnt) {
            const char *keys[] = {states[state].name, kinds[event->kind].name, places[event->place],
                                  texts[event->text], acks[event->ack]};
            judge(trial, keys, &outcome);
        }
        leave(trial);
    }
    if (!learnt)
        printf("this machine is too busy to learn anything from\n");
    return learnt;
}

static bool try_state_segments(struct trial *trial, size_t state)
{
    struct event event;
    for (event.kind = 0; event.kind < COUNT_OF(kinds); event.kind++)
        for (event.place = 0; event.place < COUNT_OF(places); event.place++)
            for (event.text = 0; event.text < COUNT_OF(texts); event.text++)
                for (event.ack = 0; event.ack < COUNT_OF(acks); event.ack++) {
                    if (possible(state, &event) && !try_segment_cell(trial, state, &event))
                        return false;
                }
    return true;
}

static bool try_state_calls(struct trial *trial, size_t state)
{
    struct outcome outcome;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        if (!reach(trial, state))
            return false;
        try_call(trial, state, calls[i], &outcome);
        const char *keys[] = {calls[i], states[state].name};
        judge(trial, keys, &outcome);
        leave(trial);
    }
    return true;
}

static bool try_table(struct trial *trial, const char *directory, const char *name, size_t keys,
                      size_t columns, bool (*try_state)(struct trial *, size_t))
{
    static char path[512];
    static char path_otherwise[512];
    snprintf(path, sizeof path, "%s/%s.table", directory, name);
    snprintf(path_otherwise, sizeof path_otherwise, "%s/%s-linux.table", directory, name);
    trial->otherwise = (struct table){0};
    if (!table_read(&trial->table, path, keys, columns) ||
        (trial->on_linux &&
         !table_read(&trial->otherwise, path_otherwise, keys, keys == 2 ? columns + 1 : columns)))
        return false;
    trial->cells = trial->wrong = 0;
    for (size_t state = 0; state < COUNT_OF(states); state++)
        if (!try_state(trial, state))
            return false;
    bool right = trial->show || (trial->wrong == 0 && table_used(&trial->otherwise) &&
                                 (trial->on_linux || table_used(&trial->table)));
    if (!trial->show)
        printf("%s - %s: %u cells of %s, %u wrong\n", right ? "ok" : "not ok",
               trial->on_linux ? "linux" : "daytona", trial->cells, path, trial->wrong);
    return right;
}

bool states_try(make_subject *make, const char *directory, bool show, bool on_linux)
{
    static struct stage stage = {.crowded = true};
    static struct trial trial;
    trial = (struct trial){.make = make, .stage = &stage, .show = show, .on_linux = on_linux};
    bool segments = try_table(&trial, directory, "segments", 5, 10, try_state_segments);
    bool calls_right = try_table(&trial, directory, "calls", 2, 5, try_state_calls);
    return segments && calls_right;
}
