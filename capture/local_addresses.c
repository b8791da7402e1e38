#include "capture/local_addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_VALID_NS 1000000000u

int local_addresses_init(struct local_addresses *addresses)
{
    addresses->descriptor =
        socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    return addresses->descriptor >= 0 ? 0 : -errno;
}

void local_addresses_release(struct local_addresses *addresses)
{
    if (addresses->descriptor >= 0)
        close(addresses->descriptor);
    addresses->descriptor = -1;
}

/* "Which route has a packet to `address`?" */
static bool question_send(struct local_addresses *addresses, uint32_t address)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
        struct rtattr attribute;
        uint32_t destination;
    } question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = ++addresses->sequence},
        .route = {.rtm_family = AF_INET, .rtm_dst_len = 32},
        .attribute = {.rta_len = RTA_LENGTH(sizeof question.destination), .rta_type = RTA_DST},
        .destination = htonl(address),
    };
    return send(addresses->descriptor, &question, sizeof question, MSG_DONTWAIT) ==
           (ssize_t)sizeof question;
}

enum answer { ANSWER_NONE, ANSWER_LOCAL, ANSWER_ELSEWHERE };

/* The answer lies in the socket as soon as the question has been sent. */
static enum answer answer_receive(struct local_addresses *addresses)
{
    for (;;) {
        _Alignas(struct nlmsghdr) uint8_t bytes[1024];
        struct nlmsghdr header;
        struct rtmsg route;
        ssize_t length = recv(addresses->descriptor, bytes, sizeof bytes, MSG_DONTWAIT);
        if (length < (ssize_t)sizeof header)
            return ANSWER_NONE;
        memcpy(&header, bytes, sizeof header);
        if (header.nlmsg_seq != addresses->sequence)
            continue; /* to a question whose answer was given up */
        if (header.nlmsg_type != RTM_NEWROUTE || length < (ssize_t)NLMSG_LENGTH(sizeof route))
            return ANSWER_ELSEWHERE; /* an error: there is no route at all */
        memcpy(&route, NLMSG_DATA(bytes), sizeof route);
        return route.rtm_type == RTN_LOCAL ? ANSWER_LOCAL : ANSWER_ELSEWHERE;
    }
}

static struct local_answer *kept_answer(struct local_addresses *addresses, uint32_t address)
{
    uint32_t scattered = address * 0x9e3779b1u; /* neighbours go to different places */
    return &addresses->kept[scattered >> 16 & (LOCAL_ADDRESSES_KEPT - 1)];
}

bool local_addresses_have(struct local_addresses *addresses, uint32_t address, uint64_t now_ns)
{
    struct local_answer *kept = kept_answer(addresses, address);
    /* Unsigned: a clock that was set back makes the answer very old. */
    if (kept->address == address && now_ns - kept->asked_at_ns < ANSWER_VALID_NS)
        return kept->local;

    enum answer answer =
        question_send(addresses, address) ? answer_receive(addresses) : ANSWER_NONE;
    if (answer == ANSWER_NONE)
        return true;
    *kept = (struct local_answer){
        .address = address, .local = answer == ANSWER_LOCAL, .asked_at_ns = now_ns};
    return kept->local;
}
