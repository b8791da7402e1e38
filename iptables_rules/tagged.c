#include "iptables_rules/tagged.h"

#include <stdlib.h>
#include <string.h>

#define TAG   "daytona:"
#define CHAIN "PREROUTING"

/** What follows `option` and a blank in the line, or NULL. */
static const char *value_of(const char *line, size_t length, const char *option)
{
    const char *found = memmem(line, length, option, strlen(option));
    return found == NULL ? NULL : found + strlen(option);
}

/** "80" or "8000:8099"; a rule for all ports is saved without --dport. */
static bool parse_ports(const char *line, size_t length, struct daytona_port_span *out)
{
    const char *value = value_of(line, length, " --dport ");
    if (value == NULL) {
        *out = (struct daytona_port_span){0, UINT16_MAX};
        return true;
    }
    char *end = NULL;
    unsigned long low = strtoul(value, &end, 10);
    unsigned long high = *end == ':' ? strtoul(end + 1, &end, 10) : low;
    *out = (struct daytona_port_span){(uint16_t)low, (uint16_t)high};
    return end != value && low <= high && high <= UINT16_MAX;
}

static bool parse_line(const char *line, size_t length, struct tagged_rule *out)
{
    static const char append[] = "-A " CHAIN " ";
    if (length < sizeof append || strncmp(line, append, sizeof append - 1) != 0)
        return false;
    const char *comment = value_of(line, length, " --comment ");
    if (comment == NULL)
        return false;
    comment += *comment == '"'; /* some versions quote only where they must */
    if (strncmp(comment, TAG, strlen(TAG)) != 0)
        return false;
    if (owner_parse(comment + strlen(TAG), &out->owner) < 0)
        return false;
    out->line = line;
    out->line_length = length;
    return parse_ports(line, length, &out->ports);
}

size_t tagged_find(const char *saved, struct tagged_rule *out, size_t max)
{
    size_t found = 0;
    for (const char *line = saved; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        struct tagged_rule rule;
        if (parse_line(line, length, &rule)) {
            if (found < max)
                out[found] = rule;
            found++;
        }
        line += length + (line[length] == '\n');
    }
    return found;
}

void tagged_write_add(FILE *script, const struct owner *owner, struct daytona_port_span ports)
{
    char text[OWNER_TEXT_MAX];
    owner_format(owner, text);
    fprintf(script, "-I " CHAIN " 1 -p tcp -m tcp --dport %u:%u -m addrtype --dst-type LOCAL",
            ports.low, ports.high);
    fprintf(script, " -m comment --comment \"" TAG "%s\" -j DROP\n", text);
}

void tagged_write_delete(FILE *script, const struct tagged_rule *rule)
{
    fprintf(script, "-D%.*s\n", (int)(rule->line_length - 2), rule->line + 2);
}
