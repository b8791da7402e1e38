/*
 * What only the kernel knows of a destination, asked with connected UDP sockets: connect(2) on
 * one looks up the route and sends nothing.
 */
#include <daytona/rawtx.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#define IPV4_PACKET_MAX 65535u /* the loopback device's MTU is one more */

static struct sockaddr_in socket_address(uint32_t ipv4)
{
    /* The port is of no account; 9 is "discard". */
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(ipv4)};
}

struct route_answer {
    uint32_t source, mtu;
};

static int route_read(int descriptor, struct route_answer *out)
{
    struct sockaddr_in name = {0};
    socklen_t name_length = sizeof name;
    int mtu = 0;
    socklen_t mtu_length = sizeof mtu;
    if (getsockname(descriptor, (struct sockaddr *)&name, &name_length) != 0 ||
        getsockopt(descriptor, IPPROTO_IP, IP_MTU, &mtu, &mtu_length) != 0)
        return -errno;
    out->source = ntohl(name.sin_addr.s_addr);
    out->mtu = (uint32_t)mtu < IPV4_PACKET_MAX ? (uint32_t)mtu : IPV4_PACKET_MAX;
    return 0;
}

/* The route to `destination`; `source` 0 lets the kernel choose. */
static int route_look_up(uint32_t destination, uint32_t source, struct route_answer *out)
{
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    struct sockaddr_in to = socket_address(destination), from = socket_address(source);
    from.sin_port = 0;
    int error = 0;
    if (source != 0 && bind(descriptor, (struct sockaddr *)&from, sizeof from) != 0)
        error = -errno;
    if (error == 0 && connect(descriptor, (struct sockaddr *)&to, sizeof to) != 0)
        error = -errno;
    if (error == 0)
        error = route_read(descriptor, out);
    close(descriptor);
    return error;
}

/* Towards an address of its own the kernel chooses that very address as the source. */
static bool destination_is_local(uint32_t destination, const struct route_answer *free_choice)
{
    return free_choice->source == destination || destination >> 24 == 127 || destination == 0;
}

int daytona_route_ask(const struct daytona_address *destination,
                      const struct daytona_address *source, struct daytona_route *out)
{
    bool source_chosen = source != NULL && !daytona_address_is_unspecified(source);
    if (!daytona_address_is_ipv4(destination) ||
        (source_chosen && !daytona_address_is_ipv4(source)))
        return -EAFNOSUPPORT;

    uint32_t to = daytona_address_to_ipv4(destination);
    struct route_answer answer = {0, 0};
    int error = route_look_up(to, 0, &answer);
    bool local = error == 0 && destination_is_local(to, &answer);
    if (source_chosen)
        error = route_look_up(to, daytona_address_to_ipv4(source), &answer);
    if (error != 0)
        return error;
    *out = (struct daytona_route){
        .source = daytona_address_from_ipv4(answer.source), .mtu = answer.mtu, .local = local};
    return 0;
}
