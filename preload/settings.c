#include "preload/settings.h"

#include "preload/text.h"

#include <assert.h>
#include <daytona/stack.h>
#include <errno.h>
#include <string.h>

#define PREFIX "DAYTONA_"

struct settings settings;

static const struct settings_row rows[] = {
#define SETTING(NAME, member, form, standard, example, text)                                       \
    {PREFIX #NAME, standard, example, text},
#define INTERNAL(NAME, member, form) {PREFIX #NAME, "", "", ""},
#include "preload/settings.def"
#undef SETTING
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

/* Rows that people may know of; the internal ones come after them. */
enum {
    SHOWN_COUNT = 0
#define SETTING(NAME, member, form, standard, example, text) +1
#include "preload/settings.def"
#undef SETTING
};

const struct settings_row *settings_row(size_t index)
{
    return index < SHOWN_COUNT ? &rows[index] : NULL;
}

bool settings_listens(uint16_t port)
{
    return !settings.fault && ports_match_port(&settings.listen, port);
}

bool settings_connects(const struct daytona_endpoint *remote)
{
    return !settings.fault && ports_match(&settings.connect, remote);
}

/* ------------------------------------------------------------------ forms */

/* Each reads a value that is not empty: 0, or -EINVAL and *fault. */

static int fail(struct value_fault *fault, size_t at, const char *expected)
{
    *fault = (struct value_fault){at, expected};
    return -EINVAL;
}

static int read_LISTEN_PORTS(const char *value, struct port_rules *out, struct value_fault *fault)
{
    return ports_read_listen(value, out, fault);
}

static int read_CONNECT_PORTS(const char *value, struct port_rules *out, struct value_fault *fault)
{
    return ports_read_connect(value, out, fault);
}

static int read_PORT_SPAN(const char *value, struct daytona_port_span *out,
                          struct value_fault *fault)
{
    return ports_read_span(value, out, fault);
}

static int read_NAMES(const char *value, struct settings_names *out, struct value_fault *fault)
{
    size_t at = 0;
    out->count = 0;
    for (;;) {
        size_t length = strcspn(value + at, ",");
        if (out->count == SETTINGS_NAMES_MAX)
            return fail(fault, at, "at most 16 names");
        if (length == 0 || length >= SETTINGS_NAME_MAX)
            return fail(fault, at, "a name of 1 to 15 characters, as in eth0,lo");
        char *name = out->names[out->count++];
        memcpy(name, value + at, length);
        name[length] = '\0';
        at += length;
        if (value[at] == '\0')
            return 0;
        at++;
    }
}

/* The index of `value` among `words` (ended by NULL), or -EINVAL. */
static int read_word(const char *value, const char *const *words, const char *expected,
                     struct value_fault *fault)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    return fail(fault, 0, expected);
}

static int read_LOG_LEVEL(const char *value, enum log_level *out, struct value_fault *fault)
{
    static const char *const words[] = {"off", "error", "warning", "info", "debug", NULL};
    int index = read_word(value, words, "off, error, warning, info or debug", fault);
    if (index < 0)
        return index;
    *out = (enum log_level)index;
    return 0;
}

static int read_RULES(const char *value, enum settings_rules *out, struct value_fault *fault)
{
    static const char *const words[] = {"off", "on", NULL};
    int index = read_word(value, words, "on or off", fault);
    if (index < 0)
        return index;
    *out = index == 0 ? SETTINGS_RULES_OFF : SETTINGS_RULES_ON;
    return 0;
}

static int read_MODE(const char *value, enum settings_mode *out, struct value_fault *fault)
{
    static const char *const words[] = {"direct", "bridged", NULL};
    int index = read_word(value, words, "direct or bridged", fault);
    *out = index == 1 ? SETTINGS_MODE_BRIDGED : SETTINGS_MODE_DIRECT;
    return index < 0 ? index : 0;
}

static int read_ENGINE(const char *value, enum settings_engine *out, struct value_fault *fault)
{
    static const char *const words[] = {"thread", "process", NULL};
    int index = read_word(value, words, "thread or process", fault);
    *out = index == 1 ? SETTINGS_ENGINE_PROCESS : SETTINGS_ENGINE_THREAD;
    return index < 0 ? index : 0;
}

static int read_FALLBACK(const char *value, enum settings_fallback *out, struct value_fault *fault)
{
    static const char *const words[] = {"kernel", "fail", NULL};
    int index = read_word(value, words, "kernel or fail", fault);
    *out = index == 0 ? SETTINGS_FALLBACK_KERNEL : SETTINGS_FALLBACK_FAIL;
    return index < 0 ? index : 0;
}

static int read_PROBING(const char *value, enum daytona_mtu_probing *out, struct value_fault *fault)
{
    static const char *const words[] = {"off", "blackhole", "always", NULL};
    int index = read_word(value, words, "off, blackhole or always", fault);
    if (index < 0)
        return index;
    *out = (enum daytona_mtu_probing)(DAYTONA_MTU_PROBING_OFF + index);
    return 0;
}

static int read_COOKIES(const char *value, enum daytona_syn_cookies *out, struct value_fault *fault)
{
    static const char *const words[] = {"auto", "off", "always", NULL};
    int index = read_word(value, words, "auto, off or always", fault);
    if (index < 0)
        return index;
    *out = (enum daytona_syn_cookies)index;
    return 0;
}

static int read_SWITCH(const char *value, bool *out, struct value_fault *fault)
{
    static const char *const words[] = {"0", "1", NULL};
    int index = read_word(value, words, "0 or 1", fault);
    *out = index == 1;
    return index < 0 ? index : 0;
}

static int read_TRANSMIT(const char *value, enum daytona_rawtx_ways *out, struct value_fault *fault)
{
    static const char *const words[] = {"packet", "raw", NULL};
    int index = read_word(value, words, "packet or raw", fault);
    if (index < 0)
        return index;
    *out = (enum daytona_rawtx_ways)(DAYTONA_RAWTX_PACKET + index);
    return 0;
}

/* "one of cubic, reno, ..." */
static const char *controllers_expected(void)
{
    static char list[128];
    struct text text = text_begin(list, sizeof list);
    text_add(&text, "one of");
    const char *name;
    for (size_t i = 0; (name = daytona_stack_congestion_name(i)) != NULL; i++)
        text_add_format(&text, "%s %s", i == 0 ? "" : ",", name);
    return list;
}

static int read_CONTROLLER(const char *value, char (*out)[SETTINGS_NAME_MAX],
                           struct value_fault *fault)
{
    const char *name;
    for (size_t i = 0; (name = daytona_stack_congestion_name(i)) != NULL; i++) {
        if (strcmp(value, name) == 0) {
            strncpy(*out, name, sizeof *out - 1);
            return 0;
        }
    }
    return fail(fault, 0, controllers_expected());
}

static int read_TUNING(const char *value, struct tuning *out, struct value_fault *fault)
{
    return tuning_read(value, out, fault);
}

/* In the order of the option LOSS_DETECTION. */
static int read_RECOVERY(const char *value, uint8_t *out, struct value_fault *fault)
{
    static const char *const words[] = {"rack", "sack", "newreno", NULL};
    int index = read_word(value, words, "rack, sack or newreno", fault);
    if (index < 0)
        return index;
    *out = (uint8_t)index;
    return 0;
}

static int read_ECN_POLICY(const char *value, char (*out)[SETTINGS_NAME_MAX],
                           struct value_fault *fault)
{
    const char *name;
    for (size_t i = 0; (name = daytona_stack_ecn_name(i)) != NULL; i++) {
        if (strcmp(value, name) == 0) {
            strncpy(*out, name, sizeof *out - 1);
            return 0;
        }
    }
    return fail(fault, 0, "off, passive, on, accurate, mixed or accurate-in");
}

static int read_FILE_NAME(const char *value, char (*out)[SETTINGS_FILE_MAX],
                          struct value_fault *fault)
{
    size_t length = strlen(value);
    if (length >= sizeof *out)
        return fail(fault, sizeof *out - 1, "a file name of at most 1023 characters");
    memcpy(*out, value, length + 1);
    return 0;
}

/* Hexadecimal digits; anything else is no hash of ours, and does no harm. */
static int read_HASH(const char *value, uint64_t *out, struct value_fault *fault)
{
    static const char digits[] = "0123456789abcdef";
    (void)fault;
    *out = 0;
    for (; *value != '\0' && strchr(digits, *value) != NULL; value++)
        *out = *out << 4 | (uint64_t)(strchr(digits, *value) - digits);
    return 0;
}

static int read_size(const char *value, uint64_t minimum, uint64_t maximum, const char *range,
                     uint64_t *out, struct value_fault *fault)
{
    uint64_t size = 0;
    size_t at = 0;
    for (; value[at] >= '0' && value[at] <= '9'; at++) {
        if (size > maximum)
            return fail(fault, 0, range);
        size = size * 10 + (uint64_t)(value[at] - '0');
    }
    if (at == 0)
        return fail(fault, 0, "a digit, as in 256K or 64M");
    const char *units = "KMG";
    const char *unit = value[at] != '\0' ? strchr(units, value[at]) : NULL;
    if (unit != NULL) {
        size = size > maximum ? size : size << (10 * (unit - units + 1));
        at++;
    }
    if (value[at] != '\0')
        return fail(fault, at, "a digit, or K, M or G at the end");
    if (size < minimum || size > maximum)
        return fail(fault, 0, range);
    *out = size;
    return 0;
}

static int read_BUFFER(const char *value, uint64_t *out, struct value_fault *fault)
{
    return read_size(value, (uint64_t)4 << 10, (uint64_t)512 << 20, "a size from 4K to 512M", out,
                     fault);
}

static int read_MEMORY(const char *value, uint64_t *out, struct value_fault *fault)
{
    return read_size(value, (uint64_t)4 << 20, (uint64_t)1 << 40, "a size from 4M to 1024G", out,
                     fault);
}

/* Reads `value` into the member of row `index`. An empty one is as good as none. */
static int read_row(size_t index, const char *value, struct settings *out,
                    struct value_fault *fault)
{
    enum {
#define SETTING(NAME, member, form, standard, example, text) ROW_##NAME,
#define INTERNAL(NAME, member, form)                         ROW_##NAME,
#include "preload/settings.def"
#undef SETTING
    };
    if (*value == '\0')
        return 0;
    switch (index) {
#define SETTING(NAME, member, form, standard, example, text)                                       \
    case ROW_##NAME:                                                                               \
        return read_##form(value, &out->member, fault);
#define INTERNAL(NAME, member, form) SETTING(NAME, member, form, , , )
#include "preload/settings.def"
#undef SETTING
    }
    return 0;
}

/* ------------------------------------------------------------------ names */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

#define WORD_MAX 24

/* How many letters must be changed, added or taken away to turn `a` into `b` (Levenshtein);
 * only the first WORD_MAX letters count. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t length = smaller(strlen(b), WORD_MAX);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; i < WORD_MAX && a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = smaller(changed, smaller(row[j], row[j + 1]) + 1);
        }
    }
    return row[length];
}

static const char *nearest_name(const char *name)
{
    size_t best = 0;
    for (size_t i = 1; i < SHOWN_COUNT; i++)
        if (distance(name, rows[i].name) < distance(name, rows[best].name))
            best = i;
    return rows[best].name;
}

/* ------------------------------------------------------------------ the environment */

static struct text new_message(struct settings_messages *messages, enum log_level level)
{
    /* The last place is used again when there are more: one of them is enough. */
    size_t index = smaller(messages->count, SETTINGS_MESSAGES_MAX - 1);
    messages->count = index + 1;
    messages->messages[index].level = level;
    return text_begin(messages->messages[index].line, sizeof messages->messages[index].line);
}

/* Adds at most 80 characters of a value, those around `at` in any case. */
static void add_value(struct text *text, const char *value, size_t at)
{
    size_t start = at > 60 ? at - 60 : 0;
    size_t length = strlen(value);
    if (start > 0)
        text_add(text, "...");
    for (size_t i = start; i < length && i < start + 80; i++)
        text_add_character(text, value[i]);
    if (length > start + 80)
        text_add(text, "...");
}

static void report_fault(struct settings_messages *messages, const struct settings_row *row,
                         const char *value, const struct value_fault *fault)
{
    struct text text = new_message(messages, LOG_LEVEL_ERROR);
    text_add_format(&text, "%s=", row->name);
    add_value(&text, value, fault->at);
    if (value[fault->at] == '\0')
        text_add(&text, ": at the end: ");
    else
        text_add_format(&text, ": character %zu, '%c': ", fault->at + 1, value[fault->at]);
    text_add_format(&text, "expected %s", fault->expected);
}

static void report_unknown(struct settings_messages *messages, const char *name)
{
    struct text text = new_message(messages, LOG_LEVEL_WARNING);
    add_value(&text, name, 0);
    text_add_format(&text, " is not a setting; the nearest name is %s", nearest_name(name));
}

static void report_ipv6_rules(struct settings_messages *messages, const struct settings *read)
{
    for (size_t i = 0; i < read->connect.count; i++) {
        const struct port_rule *rule = &read->connect.rules[i];
        if (rule->prefix_bits >= 96 ? daytona_address_is_ipv4(&rule->network)
                                    : rule->prefix_bits == 0)
            continue;
        struct text text = new_message(messages, LOG_LEVEL_WARNING);
        text_add_format(&text,
                        PREFIX "CONNECT: item %zu is an IPv6 network, and IPv6 stays on the "
                               "kernel",
                        i + 1);
    }
}

/* One "NAME=value" that begins with the prefix. `taken[row]`: it was there already (the first
 * counts, as in getenv). */
static void read_variable(const char *variable, struct settings *out, bool *taken,
                          struct settings_messages *messages)
{
    char name[64];
    struct text text = text_begin(name, sizeof name);
    size_t length = strcspn(variable, "=");
    for (size_t i = 0; i < length; i++)
        text_add_character(&text, variable[i]);
    if (variable[length] == '\0')
        return;
    out->present = true;
    size_t row = 0;
    while (row < ROW_COUNT && strcmp(name, rows[row].name) != 0)
        row++;
    if (row == ROW_COUNT) {
        report_unknown(messages, name);
        return;
    }
    if (taken[row])
        return;
    taken[row] = true;
    struct value_fault fault;
    if (read_row(row, variable + length + 1, out, &fault) == 0)
        return;
    out->fault = true;
    report_fault(messages, &rows[row], variable + length + 1, &fault);
}

void settings_read(char *const *environment, struct settings *out,
                   struct settings_messages *messages)
{
    bool taken[ROW_COUNT] = {false};
    struct value_fault fault;
    memset(out, 0, sizeof *out);
    messages->count = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        int result = read_row(i, rows[i].standard, out, &fault);
        assert(result == 0); /* or a default in settings.def is wrong */
    }
    for (; environment != NULL && *environment != NULL; environment++)
        if (strncmp(*environment, PREFIX, strlen(PREFIX)) == 0)
            read_variable(*environment, out, taken, messages);
    report_ipv6_rules(messages, out);
}

/* FNV-1a */
uint64_t settings_messages_hash(const struct settings_messages *messages)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < messages->count; i++)
        for (const char *at = messages->messages[i].line; *at != '\0'; at++)
            hash = (hash ^ (uint8_t)*at) * 0x100000001b3;
    return hash;
}
