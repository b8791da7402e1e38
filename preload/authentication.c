#include "preload/authentication.h"

#include "preload/address.h"
#include "preload/file.h"
#include "preload/memory.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#define MAC_LENGTH   12 /* of both algorithms (RFC 5926 section 3.2) */
#define IPV4_PREFIX  32
#define NAME_MAX_AO  64
#define FLAG_IFINDEX 1 /* TCP_AO_KEYF_IFINDEX */
#define FLAG_EXCLUDE 2 /* TCP_AO_KEYF_EXCLUDE_OPT: the MAC leaves other options out */

/* The layouts of linux/tcp.h. Bits of the flag words, from the lowest. */
enum { SET_CURRENT = 1, SET_NEXT = 2 };                                      /* all that are set */
enum { DELETE_LATER = 4 };                                                   /* DEL_KEY */
enum { REQUIRED = 4, SET_COUNTERS = 8, HEEDS_ICMP = 16, INFO_FLAGS = 0x1f }; /* INFO */
enum { IS_CURRENT = 1, IS_NEXT = 2, ALL = 4, GET_FLAGS = 7 };                /* GET_KEYS */

struct add_layout {
    struct sockaddr_storage address;
    char algorithm[NAME_MAX_AO];
    int32_t interface;
    uint32_t flags;
    uint16_t reserved;
    uint8_t prefix, send_id, receive_id, mac_length, key_flags, key_length;
    uint8_t key[DAYTONA_SIGNATURE_KEY_MAX];
} __attribute__((aligned(8)));

struct delete_layout {
    struct sockaddr_storage address;
    int32_t interface;
    uint32_t flags;
    uint16_t reserved;
    uint8_t prefix, send_id, receive_id, current_id, next_id, key_flags;
} __attribute__((aligned(8)));

struct info_layout {
    uint32_t flags;
    uint16_t reserved;
    uint8_t current_id, next_id;
    uint64_t good, bad, key_not_found, required, dropped_icmp;
} __attribute__((aligned(8)));

struct get_layout {
    struct sockaddr_storage address;
    char algorithm[NAME_MAX_AO];
    uint8_t key[DAYTONA_SIGNATURE_KEY_MAX];
    uint32_t count;
    uint16_t flags;
    uint8_t send_id, receive_id, prefix, mac_length, key_flags, key_length;
    int32_t interface;
    uint64_t good, bad;
} __attribute__((aligned(8)));

_Static_assert(sizeof(struct add_layout) == 288, "struct tcp_ao_add");
_Static_assert(sizeof(struct delete_layout) == 144, "struct tcp_ao_del");
_Static_assert(sizeof(struct info_layout) == 48, "struct tcp_ao_info_opt");
_Static_assert(sizeof(struct get_layout) == 304, "struct tcp_ao_getsockopt");

static const char *const algorithm_names[] = {
    [DAYTONA_AO_HMAC_SHA1] = "hmac(sha1)",
    [DAYTONA_AO_AES_128_CMAC] = "cmac(aes128)",
};
#define ALGORITHM_COUNT (sizeof algorithm_names / sizeof algorithm_names[0])

/* ------------------------------------------------------------------ setting */

static int read_peer(const struct sockaddr_storage *address, uint8_t prefix, int32_t interface,
                     uint8_t key_flags, struct daytona_ao_key *out)
{
    struct daytona_endpoint remote;
    bool device = interface != 0 || (key_flags & FLAG_IFINDEX) != 0; /* no routing domain is ours */
    if (device || (key_flags & ~(FLAG_IFINDEX | FLAG_EXCLUDE)) != 0 || prefix > IPV4_PREFIX ||
        address_read((const struct sockaddr *)address, sizeof *address, AF_INET, &remote) < 0 ||
        remote.port != 0)
        return -EINVAL;
    out->remote = remote.address;
    out->prefix_bits = prefix;
    out->leaves_options_out = (key_flags & FLAG_EXCLUDE) != 0;
    return 0;
}

static int read_add(const void *value, socklen_t length, struct authentication_change *out)
{
    struct add_layout given;
    if (length < sizeof given)
        return -EINVAL;
    memcpy(&given, value, sizeof given);
    if ((given.flags & ~(uint32_t)(SET_CURRENT | SET_NEXT)) != 0 || given.reserved != 0 ||
        given.key_length > sizeof given.key || given.key_length == 0 ||
        (given.mac_length != 0 && given.mac_length != MAC_LENGTH) ||
        memchr(given.algorithm, '\0', sizeof given.algorithm) == NULL)
        return -EINVAL;
    size_t algorithm = 0;
    while (algorithm < ALGORITHM_COUNT && strcmp(algorithm_names[algorithm], given.algorithm) != 0)
        algorithm++;
    if (algorithm == ALGORITHM_COUNT)
        return -ENOENT;
    out->key.algorithm = (enum daytona_ao_algorithm)algorithm;
    out->key.send_id = out->current_id = given.send_id;
    out->key.receive_id = out->next_id = given.receive_id;
    out->sets_current = (given.flags & SET_CURRENT) != 0;
    out->sets_next = (given.flags & SET_NEXT) != 0;
    memcpy(out->bytes, given.key, sizeof out->bytes);
    out->key.key.length = given.key_length;
    return read_peer(&given.address, given.prefix, given.interface, given.key_flags, &out->key);
}

static int read_delete(const void *value, socklen_t length, struct authentication_change *out)
{
    struct delete_layout given;
    if (length < sizeof given)
        return -EINVAL;
    memcpy(&given, value, sizeof given);
    if ((given.flags & ~(uint32_t)(SET_CURRENT | SET_NEXT | DELETE_LATER)) != 0 ||
        given.reserved != 0)
        return -EINVAL;
    out->key.send_id = given.send_id;
    out->key.receive_id = given.receive_id;
    out->sets_current = (given.flags & SET_CURRENT) != 0;
    out->sets_next = (given.flags & SET_NEXT) != 0;
    out->current_id = given.current_id;
    out->next_id = given.next_id;
    return read_peer(&given.address, given.prefix, given.interface, given.key_flags, &out->key);
}

static int read_info(const void *value, socklen_t length, struct authentication_change *out)
{
    struct info_layout given;
    if (length < sizeof given)
        return -EINVAL;
    memcpy(&given, value, sizeof given);
    /* Whoever there is a key for must sign, all others must not: there is no third way. */
    if ((given.flags & ~(uint32_t)(SET_CURRENT | SET_NEXT | HEEDS_ICMP)) != 0 ||
        given.reserved != 0)
        return -EINVAL;
    out->sets_current = (given.flags & SET_CURRENT) != 0;
    out->sets_next = (given.flags & SET_NEXT) != 0;
    out->current_id = given.current_id;
    out->next_id = given.next_id;
    out->heeds_icmp = (given.flags & HEEDS_ICMP) != 0;
    return 0;
}

int authentication_read(int option, const void *value, socklen_t length,
                        struct authentication_change *out)
{
    *out = (struct authentication_change){.option = option};
    if (option == AUTHENTICATION_ADD_KEY)
        return read_add(value, length, out);
    if (option == AUTHENTICATION_DEL_KEY)
        return read_delete(value, length, out);
    return option == AUTHENTICATION_INFO ? read_info(value, length, out) : -ENOPROTOOPT;
}

int authentication_set(struct file *file, int option, const void *value, socklen_t length)
{
    struct authentication_change change;
    int status = authentication_read(option, value, length, &change);
    return status < 0 ? status : file_change_keys(file, &change);
}

/* ------------------------------------------------------------------ getting */

/* The key that signs now; false: there is none. */
static bool current_key(struct file *file, struct daytona_ao_key *out, uint8_t *bytes)
{
    bool current = false;
    for (size_t i = 0; file_get_ao_key(file, i, out, bytes, &current) == 0; i++)
        if (current)
            return true;
    return false;
}

static int get_info(struct file *file, void *value, socklen_t *length)
{
    struct info_layout told = {0};
    struct daytona_ao_key key;
    uint8_t bytes[DAYTONA_SIGNATURE_KEY_MAX];
    bool current;
    int64_t heeds = 0;
    if (file_get_ao_key(file, 0, &key, bytes, &current) < 0)
        return -ENOENT;
    if (current_key(file, &key, bytes)) {
        told.flags |= SET_CURRENT | SET_NEXT;
        told.current_id = key.send_id;
        told.next_id = key.receive_id;
    }
    file_get_option(file, DAYTONA_OPTION_AO_HEEDS_ICMP, &heeds);
    told.flags |= heeds != 0 ? HEEDS_ICMP : 0;
    *length = *length < sizeof told ? *length : (socklen_t)sizeof told;
    memcpy(value, &told, *length);
    return 0;
}

static void describe(const struct daytona_ao_key *key, bool current, struct get_layout *out)
{
    const struct daytona_endpoint peer = {key->remote, 0};
    socklen_t room = sizeof out->address;
    *out = (struct get_layout){
        .flags = (uint16_t)(current ? IS_CURRENT | IS_NEXT : 0),
        .send_id = key->send_id,
        .receive_id = key->receive_id,
        .prefix = (uint8_t)key->prefix_bits,
        .mac_length = MAC_LENGTH,
        .key_flags = key->leaves_options_out ? FLAG_EXCLUDE : 0,
        .key_length = (uint8_t)key->key.length,
    };
    address_write(&peer, AF_INET, (struct sockaddr *)&out->address, &room);
    strncpy(out->algorithm, algorithm_names[key->algorithm], sizeof out->algorithm - 1);
    memcpy(out->key, key->key.data, key->key.length);
}

/* Whether a key is among those that `asked` asks for. */
static bool is_asked_for(const struct get_layout *asked, const struct get_layout *key)
{
    if ((asked->flags & ALL) != 0)
        return true;
    if ((asked->flags & (IS_CURRENT | IS_NEXT)) != 0)
        return (key->flags & asked->flags) != 0;
    const struct sockaddr_in *wanted = (const struct sockaddr_in *)&asked->address;
    const struct sockaddr_in *held = (const struct sockaddr_in *)&key->address;
    return asked->send_id == key->send_id && asked->receive_id == key->receive_id &&
           asked->prefix == key->prefix && wanted->sin_addr.s_addr == held->sin_addr.s_addr;
}

/* `*length` is the size of one record, `count` of the first says how many there is room for. */
static int get_keys(struct file *file, void *value, const socklen_t *length)
{
    struct get_layout asked = {0};
    if (*length < offsetof(struct get_layout, flags))
        return -EINVAL;
    memcpy(&asked, value, *length < sizeof asked ? *length : sizeof asked);
    socklen_t size = *length < sizeof asked ? *length : (socklen_t)sizeof asked;
    uint32_t found = 0, room = asked.count;
    if ((asked.flags & ~(unsigned)GET_FLAGS) != 0)
        return -EINVAL;
    if ((asked.flags & ALL) == 0)
        room = 1;
    struct daytona_ao_key key;
    uint8_t bytes[DAYTONA_SIGNATURE_KEY_MAX];
    bool current;
    for (size_t i = 0; file_get_ao_key(file, i, &key, bytes, &current) == 0; i++) {
        struct get_layout record;
        describe(&key, current, &record);
        if (!is_asked_for(&asked, &record))
            continue;
        uint8_t *place = (uint8_t *)value + (size_t)found * *length;
        if (found < room && !memory_can_be_read(place, size))
            return -EFAULT;
        if (found < room)
            memcpy(place, &record, size);
        found++;
    }
    if (found == 0)
        return -ENOENT;
    memcpy((uint8_t *)value + offsetof(struct get_layout, count), &found, sizeof found);
    return 0;
}

int authentication_get(struct file *file, int option, void *value, socklen_t *length)
{
    return option == AUTHENTICATION_INFO ? get_info(file, value, length)
                                         : get_keys(file, value, length);
}
