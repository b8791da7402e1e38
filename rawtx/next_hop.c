#include "rawtx/next_hop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What tells of a change, and nothing else, is heard of on the socket between two questions. */
#define GROUPS                                                                                     \
    (RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE)

#define SEQUENCE_BASE 0x64617900u /* tells our questions from what others have changed */

#define ANSWER_BYTES 8192 /* a link's description, the longest, is about 1,500 */

/* A question and the attributes that follow its fixed part. */
struct question {
    struct nlmsghdr header;
    union {
        struct rtmsg route;
        struct ifinfomsg link;
        struct ndmsg neighbour;
        uint8_t bytes[96];
    };
};

struct answer {
    _Alignas(struct nlmsghdr) uint8_t bytes[ANSWER_BYTES];
};

int next_hop_open(void)
{
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (netlink < 0)
        return -errno;
    struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = GROUPS};
    if (bind(netlink, (struct sockaddr *)&name, sizeof name) < 0) {
        int error = -errno;
        close(netlink);
        return error;
    }
    return netlink;
}

bool next_hop_changed(int netlink)
{
    uint8_t bytes[64];
    bool changed = false;
    /* A queue that ran over (ENOBUFS) has lost news of a change. */
    while (recv(netlink, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno == ENOBUFS)
        changed = true;
    return changed;
}

static void begin(struct question *question, uint16_t type, size_t fixed_bytes)
{
    *question = (struct question){.header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(fixed_bytes),
                                             .nlmsg_type = type,
                                             .nlmsg_flags = NLM_F_REQUEST,
                                             .nlmsg_seq = SEQUENCE_BASE + type}};
}

static void add_ipv4(struct question *question, uint16_t type, uint32_t address)
{
    struct rtattr attribute = {.rta_len = (unsigned short)RTA_LENGTH(sizeof address),
                               .rta_type = type};
    uint32_t value = htonl(address);
    uint8_t *at = (uint8_t *)question + NLMSG_ALIGN(question->header.nlmsg_len);
    memcpy(at, &attribute, sizeof attribute);
    memcpy(at + RTA_LENGTH(0), &value, sizeof value);
    question->header.nlmsg_len =
        NLMSG_ALIGN(question->header.nlmsg_len) + (uint32_t)RTA_LENGTH(sizeof value);
}

/* The kernel answers such questions before send() returns. News that stand before the answer end
 * the question: the answer stays, and next_hop_changed() takes it for news, too. */
static const struct nlmsghdr *ask(int netlink, const struct question *question,
                                  struct answer *answer)
{
    if (send(netlink, question, question->header.nlmsg_len, MSG_DONTWAIT) < 0)
        return NULL;
    ssize_t got = recv(netlink, answer->bytes, sizeof answer->bytes, MSG_DONTWAIT);
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)answer->bytes;
    if (got < (ssize_t)sizeof *header || header->nlmsg_len > (size_t)got)
        return NULL;
    return header->nlmsg_seq == question->header.nlmsg_seq ? header : NULL;
}

/* The attribute `wanted` after a fixed part of `fixed` bytes; NULL: none. */
static const struct rtattr *attribute(const struct nlmsghdr *header, size_t fixed, uint16_t wanted)
{
    const uint8_t *at = (const uint8_t *)header + NLMSG_SPACE(fixed);
    size_t left =
        header->nlmsg_len < NLMSG_SPACE(fixed) ? 0 : header->nlmsg_len - NLMSG_SPACE(fixed);
    while (left >= sizeof(struct rtattr)) {
        const struct rtattr *found = (const struct rtattr *)(const void *)at;
        if (found->rta_len < sizeof *found || found->rta_len > left)
            return NULL;
        if ((found->rta_type & NLA_TYPE_MASK) == wanted)
            return found;
        size_t step = RTA_ALIGN(found->rta_len);
        if (step > left)
            return NULL;
        at += step;
        left -= step;
    }
    return NULL;
}

static bool read_attribute(const struct nlmsghdr *header, size_t fixed, uint16_t wanted, void *out,
                           size_t length)
{
    const struct rtattr *found = attribute(header, fixed, wanted);
    if (found == NULL || found->rta_len != RTA_LENGTH(length))
        return false;
    memcpy(out, RTA_DATA(found), length);
    return true;
}

/* The device and the address of the next machine. */
static bool ask_route(int netlink, uint32_t destination, uint32_t source, int *interface_index,
                      uint32_t *gateway)
{
    struct question question;
    struct answer answer;
    begin(&question, RTM_GETROUTE, sizeof question.route);
    question.route.rtm_family = AF_INET;
    question.route.rtm_dst_len = question.route.rtm_src_len = 32;
    add_ipv4(&question, RTA_DST, destination);
    add_ipv4(&question, RTA_SRC, source);
    const struct nlmsghdr *got = ask(netlink, &question, &answer);
    if (got == NULL || got->nlmsg_type != RTM_NEWROUTE)
        return false;
    const struct rtmsg *route = NLMSG_DATA(got);
    if (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_LOCAL)
        return false;
    if (attribute(got, sizeof *route, RTA_ENCAP) != NULL ||
        attribute(got, sizeof *route, RTA_VIA) != NULL)
        return false;
    uint32_t via = htonl(destination);
    read_attribute(got, sizeof *route, RTA_GATEWAY, &via, sizeof via);
    *gateway = ntohl(via);
    uint32_t index;
    if (!read_attribute(got, sizeof *route, RTA_OIF, &index, sizeof index))
        return false;
    *interface_index = (int)index;
    return true;
}

/* A device that adds nothing to a frame: hardware, of which there is no kind, or a veth. */
static bool is_plain(const struct nlmsghdr *link)
{
    const struct rtattr *information = attribute(link, sizeof(struct ifinfomsg), IFLA_LINKINFO);
    if (information == NULL)
        return true;
    const struct rtattr *kind = RTA_DATA(information);
    return RTA_PAYLOAD(information) >= RTA_LENGTH(sizeof "veth") &&
           kind->rta_type == IFLA_INFO_KIND && kind->rta_len == RTA_LENGTH(sizeof "veth") &&
           memcmp(RTA_DATA(kind), "veth", sizeof "veth") == 0;
}

static bool ask_link(int netlink, struct next_hop *hop, bool *loopback)
{
    struct question question;
    struct answer answer;
    begin(&question, RTM_GETLINK, sizeof question.link);
    question.link.ifi_index = hop->interface_index;
    const struct nlmsghdr *got = ask(netlink, &question, &answer);
    if (got == NULL || got->nlmsg_type != RTM_NEWLINK)
        return false;
    const struct ifinfomsg *link = NLMSG_DATA(got);
    *loopback = link->ifi_type == ARPHRD_LOOPBACK;
    return (*loopback || link->ifi_type == ARPHRD_ETHER) && (link->ifi_flags & IFF_UP) != 0 &&
           is_plain(got) &&
           read_attribute(got, sizeof *link, IFLA_MTU, &hop->mtu, sizeof hop->mtu) &&
           read_attribute(got, sizeof *link, IFLA_ADDRESS, hop->header + ETHERNET_ADDRESS_BYTES,
                          ETHERNET_ADDRESS_BYTES);
}

static bool ask_neighbour(int netlink, uint32_t gateway, struct next_hop *hop)
{
    struct question question;
    struct answer answer;
    begin(&question, RTM_GETNEIGH, sizeof question.neighbour);
    question.neighbour.ndm_family = AF_INET;
    question.neighbour.ndm_ifindex = hop->interface_index;
    add_ipv4(&question, NDA_DST, gateway);
    const struct nlmsghdr *got = ask(netlink, &question, &answer);
    if (got == NULL || got->nlmsg_type != RTM_NEWNEIGH)
        return false;
    const struct ndmsg *neighbour = NLMSG_DATA(got);
    unsigned good = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
    return (neighbour->ndm_state & good) != 0 &&
           read_attribute(got, sizeof *neighbour, NDA_LLADDR, hop->header, ETHERNET_ADDRESS_BYTES);
}

bool next_hop_ask(int netlink, uint32_t destination, uint32_t source, struct next_hop *out)
{
    static const uint8_t ipv4[] = {0x08, 0x00};
    uint32_t gateway;
    bool loopback;
    *out = (struct next_hop){0};
    if (!ask_route(netlink, destination, source, &out->interface_index, &gateway) ||
        !ask_link(netlink, out, &loopback))
        return false;
    memcpy(out->header + 2 * ETHERNET_ADDRESS_BYTES, ipv4, sizeof ipv4);
    return loopback || ask_neighbour(netlink, gateway, out);
}
