/*
 * How many challenge ACKs go out: RFC 5961 section 7. One connection sends two a second at most
 * (Linux tcp_invalid_ratelimit), all of them together about a thousand. Exactly a thousand would
 * tell an attacker by what his own connection gets whether another one was challenged
 * (CVE-2016-5696), so each second has a number of its own that nobody outside knows.
 */
#include "stack/tcp/tcp_parts.h"

#define LIMIT     1000u /* Linux net.ipv4.tcp_challenge_ack_limit, when it was one */
#define PERIOD_US 1000000u

/* Between half of the limit and one and a half, as in Linux. */
static void begin_second(struct tcp *tcp)
{
    tcp->challenges.since = tcp->now;
    tcp->challenges.left = LIMIT / 2 + random_below(&tcp->random, LIMIT);
}

static bool take_one(struct tcp *tcp)
{
    struct challenges *challenges = &tcp->challenges;
    if (challenges->since.ns == 0 ||
        daytona_instant_since_us(tcp->now, challenges->since) >= PERIOD_US)
        begin_second(tcp);
    if (challenges->left == 0)
        return false;
    challenges->left--;
    return true;
}

bool tcp_challenge_allowed(struct tcp *tcp, const struct socket *socket,
                           struct daytona_instant *answered)
{
    bool allowed = tcp_answer_due(tcp, *answered) && take_one(tcp);
    if (allowed) {
        *answered = tcp->now;
        tcp->counters.challenge_acks++;
    } else {
        tcp->counters.challenge_acks_withheld++;
    }
    observe(tcp, socket, DAYTONA_EVENT_CHALLENGE_ACK, allowed ? 1 : 2, 0,
            allowed ? "sent" : "withheld");
    return allowed;
}
