#include "stack/base/tuple_hash.h"

#include "stack/base/siphash.h"
#include <string.h>

uint64_t tuple_hash(const uint8_t key[16], enum tuple_use use, const struct daytona_endpoint *local,
                    const struct daytona_endpoint *remote)
{
    uint8_t bytes[2 * 16 + 2 * 2 + 1];
    memcpy(bytes, local->address.bytes, 16);
    memcpy(bytes + 16, remote->address.bytes, 16);
    memcpy(bytes + 32, &local->port, 2);
    memcpy(bytes + 34, &remote->port, 2);
    bytes[36] = (uint8_t)use;
    return siphash(key, bytes, sizeof bytes);
}
