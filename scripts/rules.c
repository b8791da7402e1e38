/*
 * daytona-rules: shows the firewall rules and reserved ports that programs on Daytona have, and
 * removes what killed ones left.
 */
#include "scripts/option.h"
#include "scripts/orphans.h"
#include "scripts/say.h"

#include <daytona/rules.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: daytona rules list|sweep [--json] [--iptables NAME] [--state DIRECTORY]\n\n"
    "list    who has firewall rules and reserved local ports in this network namespace\n"
    "sweep   removes those whose owner is dead\n";

struct request {
    const char *verb;
    bool json;
    struct daytona_rules_config config;
};

struct listing {
    bool json;
    size_t count;
};

/* ------------------------------------------------------------------ printing */

/** Program names may hold anything. */
static void print_json_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char character = (unsigned char)*text;
        if (character == '"' || character == '\\')
            printf("\\%c", character);
        else if (character < ' ')
            printf("\\u%04x", character);
        else
            putchar(character);
    }
    putchar('"');
}

static void print_json(const struct daytona_rule_claim *claim, size_t index)
{
    printf("%s\n {\"owner\": %d, \"alive\": %s, \"ports\": [", index > 0 ? "," : "", claim->owner,
           claim->alive ? "true" : "false");
    for (size_t i = 0; i < claim->port_count; i++)
        printf("%s[%u, %u]", i > 0 ? ", " : "", claim->ports[i].low, claim->ports[i].high);
    printf("], \"reserved\": ");
    if (claim->reserved.low > 0)
        printf("[%u, %u]", claim->reserved.low, claim->reserved.high);
    else
        printf("null");
    printf(", \"program\": ");
    print_json_string(claim->command);
    printf("}");
}

static void format_span(const struct daytona_port_span *span, char *text, size_t size)
{
    if (span->low == span->high)
        snprintf(text, size, "%u", span->low);
    else
        snprintf(text, size, "%u-%u", span->low, span->high);
}

static void print_line(const struct daytona_rule_claim *claim, size_t index)
{
    char ports[1024] = "";
    char reserved[32] = "-";
    size_t length = 0;
    for (size_t i = 0; i < claim->port_count && length < sizeof ports - 16; i++) {
        if (i > 0)
            ports[length++] = ',';
        format_span(&claim->ports[i], ports + length, sizeof ports - length);
        length += strlen(ports + length);
    }
    if (claim->reserved.low > 0)
        format_span(&claim->reserved, reserved, sizeof reserved);
    if (index == 0)
        printf("%-8s %-6s %-24s %-12s %s\n", "OWNER", "STATE", "PORTS", "RESERVED", "PROGRAM");
    printf("%-8d %-6s %-24s %-12s %s\n", claim->owner, claim->alive ? "alive" : "dead",
           length > 0 ? ports : "-", reserved, claim->command[0] != '\0' ? claim->command : "?");
}

static void print_claim(void *context, const struct daytona_rule_claim *claim)
{
    struct listing *listing = context;
    if (listing->json)
        print_json(claim, listing->count);
    else
        print_line(claim, listing->count);
    listing->count++;
}

/* ------------------------------------------------------------------ verbs */

static int list(const struct request *request)
{
    char words[1024];
    struct listing listing = {.json = request->json};
    if (request->json)
        printf("[");
    int count = daytona_rules_list(&request->config, print_claim, &listing, words, sizeof words);
    if (request->json)
        printf("\n]\n");
    if (count == 0 && !request->json)
        printf("no rules\n");
    if (count >= 0)
        return 0;
    fflush(stdout);
    say("rules: %s", words);
    return 1;
}

static int sweep(const struct request *request)
{
    char words[1024];
    int count = daytona_rules_sweep(&request->config, words, sizeof words);
    orphans_sweep(request->config.state_directory);
    if (count < 0) {
        say("rules: %s", words);
        return 1;
    }
    if (request->json)
        printf("{\"swept\": %d}\n", count);
    else
        printf("%d dead %s swept\n", count, count == 1 ? "owner" : "owners");
    return 0;
}

/** 0, or -1 when the words make no sense. */
static int read_request(struct request *request, int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        const char *value = NULL;
        if (strcmp(arguments[i], "--json") == 0)
            request->json = true;
        else if ((value = option_value("--state", arguments, &i)) != NULL)
            request->config.state_directory = value;
        else if ((value = option_value("--iptables", arguments, &i)) != NULL)
            request->config.command = value;
        else if (request->verb == NULL && arguments[i][0] != '-')
            request->verb = arguments[i];
        else
            return -1;
    }
    return 0;
}

int main(int count, char **arguments)
{
    struct request request = {.verb = NULL};
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        printf("%s", usage);
        return 0;
    }
    if (read_request(&request, count, arguments) == 0 && request.verb != NULL) {
        if (strcmp(request.verb, "list") == 0)
            return list(&request);
        if (strcmp(request.verb, "sweep") == 0)
            return sweep(&request);
    }
    fprintf(stderr, "%s", usage);
    return 2;
}
