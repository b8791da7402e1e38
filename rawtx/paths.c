#include "rawtx/paths.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS 4096u /* a power of 2; peers that meet in a row displace each other */

/* News of the kernel's tables are looked for this often, and each path is asked about again. */
#define NEWS_US 1000u
#define ASK_US  1000000u

enum path_state {
    PATH_UNASKED,
    PATH_SURE,
    PATH_UNSURE,
};

struct path {
    uint32_t peer;
    uint32_t generation; /* of paths.generation; an older one: the row is free */
    uint32_t source;
    int heard_interface;
    uint8_t heard_address[ETHERNET_ADDRESS_BYTES];
    uint8_t state; /* enum path_state */
    struct daytona_instant asked;
    struct next_hop hop;
};

struct paths {
    int netlink;
    uint32_t generation; /* one more with each change in the kernel's tables */
    struct daytona_instant looked;
    struct path rows[ROWS];
};

struct paths *paths_open(void)
{
    struct paths *paths = calloc(1, sizeof *paths);
    if (paths == NULL)
        return NULL;
    paths->generation = 1;
    paths->netlink = next_hop_open();
    if (paths->netlink < 0) {
        free(paths);
        return NULL;
    }
    return paths;
}

void paths_close(struct paths *paths)
{
    if (paths == NULL)
        return;
    close(paths->netlink);
    free(paths);
}

int paths_descriptor(const struct paths *paths)
{
    return paths->netlink;
}

static struct path *row_for(struct paths *paths, uint32_t peer)
{
    return &paths->rows[(peer * 2654435769u) >> 20 & (ROWS - 1)]; /* Knuth's multiplier */
}

static bool belongs(const struct paths *paths, const struct path *path, uint32_t peer)
{
    return path->generation == paths->generation && path->peer == peer;
}

void paths_heard(struct paths *paths, uint32_t peer, int interface_index,
                 const uint8_t link_address[ETHERNET_ADDRESS_BYTES])
{
    struct path *path = row_for(paths, peer);
    if (link_address == NULL || interface_index == 0)
        return;
    if (belongs(paths, path, peer) && path->heard_interface == interface_index &&
        memcmp(path->heard_address, link_address, ETHERNET_ADDRESS_BYTES) == 0)
        return;
    *path = (struct path){
        .peer = peer, .generation = paths->generation, .heard_interface = interface_index};
    memcpy(path->heard_address, link_address, ETHERNET_ADDRESS_BYTES);
}

void paths_doubt(struct paths *paths, uint32_t peer)
{
    struct path *path = row_for(paths, peer);
    if (belongs(paths, path, peer))
        path->generation = 0;
}

/* Whatever has changed, all is to be asked and heard anew. */
static void look_for_news(struct paths *paths, struct daytona_instant now)
{
    if (daytona_instant_since_us(now, paths->looked) < NEWS_US)
        return;
    paths->looked = now;
    if (next_hop_changed(paths->netlink))
        paths->generation++;
}

static bool agrees(const struct path *path)
{
    return path->hop.interface_index == path->heard_interface &&
           memcmp(path->hop.header, path->heard_address, ETHERNET_ADDRESS_BYTES) == 0;
}

const struct next_hop *paths_find(struct paths *paths, struct daytona_instant now, uint32_t peer,
                                  uint32_t source, bool ask)
{
    look_for_news(paths, now);
    struct path *path = row_for(paths, peer);
    if (!belongs(paths, path, peer))
        return NULL;
    bool current = path->state != PATH_UNASKED && path->source == source &&
                   daytona_instant_since_us(now, path->asked) < ASK_US;
    if (!current && !ask)
        return NULL;
    if (!current) {
        bool known = next_hop_ask(paths->netlink, peer, source, &path->hop);
        path->state = known && agrees(path) ? PATH_SURE : PATH_UNSURE;
        path->source = source;
        path->asked = now;
    }
    return path->state == PATH_SURE ? &path->hop : NULL;
}
