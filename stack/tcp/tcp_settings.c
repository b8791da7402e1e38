/*
 * A socket's settings, shared until they differ: a thousand connections of one listener have one
 * copy among them, and a socket on which nobody set anything has the stack's.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"

#include <errno.h>
#include <string.h>

/* As in Linux: net.ipv4.tcp_keepalive_*, tcp_syn_retries, ip_default_ttl, tcp_fin_timeout,
 * ip_no_pmtu_disc. */
static const int64_t option_defaults[DAYTONA_OPTION_COUNT] = {
    [DAYTONA_OPTION_KEEP_IDLE_US] = INT64_C(7200) * 1000000,
    [DAYTONA_OPTION_KEEP_INTERVAL_US] = INT64_C(75) * 1000000,
    [DAYTONA_OPTION_KEEP_COUNT] = 9,
    [DAYTONA_OPTION_LINGER_US] = -1,
    [DAYTONA_OPTION_RECEIVE_LOW_WATER] = 1,
    [DAYTONA_OPTION_TIME_TO_LIVE] = 64,
    [DAYTONA_OPTION_SYN_RETRIES] = 6,
    [DAYTONA_OPTION_QUICK_ACK] = 1,
    [DAYTONA_OPTION_FIN_WAIT_2_US] = 60000000,
    [DAYTONA_OPTION_PATH_DISCOVERY] = 1,
    [DAYTONA_OPTION_RTO_MAXIMUM_US] = RTO_MAX_US,
    [DAYTONA_OPTION_DELAYED_ACK_US] = DELAYED_ACK_US,
    [DAYTONA_OPTION_WINDOW_VALIDATION] = 1,
    [DAYTONA_OPTION_COLLAPSE] = 1,
};

void settings_init(struct tcp *tcp)
{
    struct settings *settings = &tcp->settings;
    settings->holders = 1;
    memcpy(settings->values, option_defaults, sizeof settings->values);
    settings->values[DAYTONA_OPTION_RECEIVE_BUFFER] = tcp->config.receive_buffer_bytes;
    settings->values[DAYTONA_OPTION_LOSS_DETECTION] = tcp->config.loss_detection;
    settings->values[DAYTONA_OPTION_TAIL_PROBES] = !tcp->config.no_tail_probes;
    settings->values[DAYTONA_OPTION_RTO_MINIMUM_US] = tcp->config.rto_min_us;
    settings->values[DAYTONA_OPTION_SEND_BUFFER] = tcp->config.send_buffer_bytes;
    settings->values[DAYTONA_OPTION_ECN] = tcp_ecn_policy(tcp->config.ecn);
}

void settings_share(struct socket *socket, struct settings *settings)
{
    settings->holders++;
    settings_release(socket);
    socket->settings = settings;
    socket->options = settings->values;
}

void settings_release(struct socket *socket)
{
    struct settings *settings = socket->settings;
    socket->settings = NULL;
    socket->options = NULL;
    if (settings != NULL && --settings->holders == 0)
        memory_return(socket->tcp->memory, settings);
}

int settings_set(struct socket *socket, enum daytona_option option, int64_t value)
{
    struct settings *settings = socket->settings;
    if (settings->values[option] == value)
        return 0;
    if (settings->holders > 1) {
        struct settings *own = memory_take(socket->tcp->memory, sizeof *own);
        if (own == NULL) {
            socket->tcp->counters.allocation_failures++;
            return -ENOMEM;
        }
        *own = *settings;
        own->holders = 0;
        settings_share(socket, own);
    }
    socket->settings->values[option] = value;
    return 0;
}
