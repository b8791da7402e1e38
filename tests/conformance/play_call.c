/* Socket calls of a script and what they must say. */
#include "tests/conformance/names.h"
#include "tests/conformance/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CLIENT_PORT  5000 /* of flow 0; the others follow */
#define TRANSFER_MAX (8u << 20)

static int call(struct stage *stage, struct call *what)
{
    return stage->subject->call(stage->subject->context, what);
}

static int simple(struct stage *stage, enum call_type type, int socket, int value)
{
    struct call what = {.type = type, .socket = socket, .value = value};
    return call(stage, &what);
}

/* The socket of a flow is made when it is first needed. */
static int socket_of(struct stage *stage, struct flow *flow)
{
    if (flow->socket < 0)
        flow->socket = simple(stage, CALL_OPEN, -1, 0);
    return flow->socket;
}

static const char *result_text(int result, char *out, size_t size)
{
    const char *name = result < 0 ? strerrorname_np(-result) : NULL;
    snprintf(out, size, "%d", result);
    return name != NULL ? name : out;
}

/* Compares with what stands behind `=`, or with the usual result. */
static bool judge(struct stage *stage, int result, int usual)
{
    const char *wanted = stage->step->result;
    char text[32];
    int number = usual;
    if (wanted[0] != '\0') {
        char word[32];
        snprintf(word, sizeof word, "%.*s", (int)strcspn(wanted, " "), wanted);
        if (name_errno(word, &number))
            number = -number;
        else
            number = atoi(word);
    }
    stage_log(stage, "%24s%s = %s\n", "", stage->step->text,
              result_text(result, text, sizeof text));
    if (result == number)
        return true;
    return stage_fail(stage, "the result is %s", result_text(result, text, sizeof text));
}

static bool has_word(const struct step *step, const char *word)
{
    for (size_t i = 0; i < step->word_count; i++)
        if (strcmp(step->words[i], word) == 0)
            return true;
    return false;
}

static int64_t number_word(const struct step *step, const char *name, int64_t otherwise)
{
    int64_t value = otherwise;
    for (size_t i = 0; i < step->word_count; i++)
        if (word_number(step->words[i], name, &value))
            return value;
    return otherwise;
}

static bool play_listen(struct stage *stage, const struct step *step, struct flow *flow)
{
    int fd = socket_of(stage, flow);
    int result = simple(stage, CALL_BIND, fd, flow->host_port);
    if (result == 0 || result == -EINVAL) /* bound by an earlier listen */
        result = simple(stage, CALL_LISTEN, fd, (int)number_word(step, "backlog", 16));
    return judge(stage, result, 0);
}

static bool play_accept(struct stage *stage, struct flow *flow)
{
    int result = simple(stage, CALL_ACCEPT, stage->flows[0].socket, 0);
    if (result < 0)
        return judge(stage, result, 0);
    flow->socket = result;
    flow->sent = flow->read = 1;
    return judge(stage, 0, 0);
}

static bool play_connect(struct stage *stage, struct flow *flow)
{
    int fd = socket_of(stage, flow);
    uint16_t port = (uint16_t)(CLIENT_PORT + (flow - stage->flows));
    if (flow->host_port != port) {
        flow->host_port = port;
        int result = simple(stage, CALL_BIND, fd, port);
        if (result < 0)
            return judge(stage, result, 0);
    }
    return judge(stage, simple(stage, CALL_CONNECT, fd, flow->peer_port), -EINPROGRESS);
}

static int flags_of(const struct step *step)
{
    return (has_word(step, "more") ? MSG_MORE : 0) | (has_word(step, "oob") ? MSG_OOB : 0) |
           (has_word(step, "peek") ? MSG_PEEK : 0) | (has_word(step, "discard") ? MSG_TRUNC : 0);
}

static uint8_t *transfer_room(const struct step *step, size_t *length)
{
    *length = step->word_count > 0 ? strtoul(step->words[0], NULL, 10) : 0;
    return *length <= TRANSFER_MAX ? malloc(*length + 1) : NULL;
}

static bool play_send(struct stage *stage, const struct step *step, struct flow *flow)
{
    struct call what = {.type = CALL_SEND, .socket = flow->socket, .flags = flags_of(step)};
    what.bytes = transfer_room(step, &what.length);
    if (what.bytes == NULL)
        return stage_fail(stage, "so much cannot be sent");
    for (size_t i = 0; i < what.length; i++)
        what.bytes[i] = script_byte(flow->sent + (uint32_t)i);
    int result = call(stage, &what);
    if (result > 0)
        flow->sent += (uint32_t)result;
    free(what.bytes);
    return judge(stage, result, (int)what.length);
}

static bool as_written(const uint8_t *bytes, int length, uint32_t from)
{
    for (int i = 0; i < length; i++)
        if (bytes[i] != script_byte(from + (uint32_t)i))
            return false;
    return true;
}

/* "from=N": the first byte is that of this sequence number, as urgent bytes are left out. */
static bool play_receive(struct stage *stage, const struct step *step, struct flow *flow)
{
    struct call what = {.type = CALL_RECEIVE, .socket = flow->socket, .flags = flags_of(step)};
    what.bytes = transfer_room(step, &what.length);
    if (what.bytes == NULL)
        return stage_fail(stage, "so much cannot be received");
    uint32_t from = (uint32_t)number_word(step, "from", flow->read);
    int result = call(stage, &what);
    bool right = (what.flags & (MSG_TRUNC | MSG_OOB)) != 0 || as_written(what.bytes, result, from);
    if (result > 0 && (what.flags & (MSG_PEEK | MSG_OOB)) == 0)
        flow->read = from + (uint32_t)result;
    free(what.bytes);
    return judge(stage, result, (int)what.length) &&
           (right || stage_fail(stage, "the bytes are not those of the stream"));
}

static bool play_shutdown(struct stage *stage, const struct step *step, struct flow *flow)
{
    int how = has_word(step, "read") ? SHUT_RD : has_word(step, "write") ? SHUT_WR : SHUT_RDWR;
    return judge(stage, simple(stage, CALL_SHUTDOWN, flow->socket, how), 0);
}

static bool play_option(struct stage *stage, const struct step *step, struct flow *flow)
{
    struct call what = {.type = CALL_SET, .socket = socket_of(stage, flow)};
    if (step->word_count != 2 || !name_option(step->words[0], &what.level, &what.name))
        return stage_fail(stage, "option wants a name that is known and a value");
    what.value = atoi(step->words[1]);
    return judge(stage, call(stage, &what), 0);
}

static bool play_get(struct stage *stage, const struct step *step, struct flow *flow)
{
    struct call what = {.type = CALL_GET, .socket = socket_of(stage, flow)};
    if (step->word_count != 1 || !name_option(step->words[0], &what.level, &what.name))
        return stage_fail(stage, "get wants a name that is known");
    int result = call(stage, &what);
    return judge(stage, result < 0 ? result : what.value, 0);
}

static bool play_queued(struct stage *stage, const struct step *step, struct flow *flow)
{
    struct call what = {.type = CALL_QUEUED, .socket = flow->socket};
    if (step->word_count != 1 || !name_ioctl(step->words[0], &what.name))
        return stage_fail(stage, "queued wants a name that is known");
    int result = call(stage, &what);
    return judge(stage, result < 0 ? result : what.value, 0);
}

static bool play_control(struct stage *stage, const struct step *step, struct flow *flow)
{
    struct call what = {.type = CALL_CONTROL, .socket = socket_of(stage, flow)};
    what.text = step->words[0];
    return judge(stage, call(stage, &what), 0);
}

static void ready_text(int bits, char *out, size_t size)
{
    static const char *const words[] = {"in", "out", "rdhup", "hup", "error", "urgent"};
    out[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if ((bits >> i & 1) != 0)
            snprintf(out + strlen(out), size - strlen(out), " %s", words[i]);
}

static bool play_ready(struct stage *stage, const struct step *step, struct flow *flow)
{
    int wanted = 0, bit = 0;
    char text[64];
    for (size_t i = 0; i < step->word_count; i++) {
        if (!name_ready(step->words[i], &bit))
            return stage_fail(stage, "poll knows no %s", step->words[i]);
        wanted |= bit;
    }
    int result = simple(stage, CALL_READY, flow->socket, 0);
    ready_text(result, text, sizeof text);
    stage_log(stage, "%24sready%s\n", "", text);
    return result == wanted || stage_fail(stage, "it is ready for:%s", text);
}

static bool play_error(struct stage *stage, struct flow *flow)
{
    int result = simple(stage, CALL_ERROR, flow->socket, 0);
    return judge(stage, result > 0 ? -result : result, 0);
}

/* "NAME=NUMBER", "NAME=LOW..HIGH", "ssthresh=infinite" */
static bool in_range(const char *range, uint32_t value)
{
    if (strcmp(range, "infinite") == 0)
        return value == UINT32_MAX;
    const char *dots = strstr(range, "..");
    unsigned long low = strtoul(range, NULL, 10);
    unsigned long high = dots != NULL ? strtoul(dots + 2, NULL, 10) : low;
    return value >= low && value <= high;
}

static bool judge_info(struct stage *stage, const struct subject_info *info, const char *word)
{
    const struct {
        const char *name;
        uint32_t value;
    } rows[] = {
        {"cwnd", info->cwnd},       {"ssthresh", info->ssthresh}, {"mss", info->mss},
        {"backoff", info->backoff}, {"probes", info->probes},     {"rto", info->rto_ms},
    };
    const char *equals = strchr(word, '=');
    if (equals == NULL)
        return stage_fail(stage, "info wants NAME=VALUE");
    size_t length = (size_t)(equals - word);
    if (strncmp(word, "state=", 6) == 0)
        return strcmp(equals + 1, state_name(info->state)) == 0 ||
               stage_fail(stage, "the state is %s", state_name(info->state));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strlen(rows[i].name) == length && strncmp(rows[i].name, word, length) == 0)
            return in_range(equals + 1, rows[i].value) ||
                   stage_fail(stage, "%s is %u", rows[i].name, rows[i].value);
    return stage_fail(stage, "info knows no %s", word);
}

static bool play_info(struct stage *stage, const struct step *step, struct flow *flow)
{
    struct call what = {.type = CALL_INFO, .socket = flow->socket};
    int result = call(stage, &what);
    if (!judge(stage, result, 0))
        return false;
    for (size_t i = 0; i < step->word_count; i++)
        if (!judge_info(stage, &what.info, step->words[i]))
            return false;
    return true;
}

bool play_call(struct stage *stage, const struct step *step, struct flow *flow)
{
    switch (step->verb) {
    case VERB_LISTEN:
        return play_listen(stage, step, flow);
    case VERB_ACCEPT:
        return play_accept(stage, flow);
    case VERB_SOCKET:
        return judge(stage, socket_of(stage, flow) < 0 ? flow->socket : 0, 0);
    case VERB_CONNECT:
        return play_connect(stage, flow);
    case VERB_SEND:
        return play_send(stage, step, flow);
    case VERB_RECEIVE:
        return play_receive(stage, step, flow);
    case VERB_SHUTDOWN:
        return play_shutdown(stage, step, flow);
    case VERB_CLOSE:
        return judge(stage, simple(stage, CALL_CLOSE, flow->socket, 0), 0);
    case VERB_ABORT:
        return judge(stage, simple(stage, CALL_ABORT, flow->socket, 0), 0);
    case VERB_OPTION:
        return play_option(stage, step, flow);
    case VERB_GET:
        return play_get(stage, step, flow);
    case VERB_QUEUED:
        return play_queued(stage, step, flow);
    case VERB_CONTROL:
        return play_control(stage, step, flow);
    case VERB_READY:
        return play_ready(stage, step, flow);
    case VERB_ERROR:
        return play_error(stage, flow);
    case VERB_INFO:
        return play_info(stage, step, flow);
    case VERB_PEER:
    case VERB_HOST:
    case VERB_ICMP:
    case VERB_SKIP:
    case VERB_WAIT:
    case VERB_COUNT:
        break;
    }
    return stage_fail(stage, "this is no call");
}
