/* What TCP-AO's options do to a socket of the stack. */
#include "preload/authentication.h"
#include "preload/engine.h"
#include "preload/file.h"
#include "preload/file_record.h"
#include "preload/signatures.h"

#include <errno.h>
#include <string.h>

/* The key that signs now; false: there is none. */
static bool current_key(struct daytona_socket_id id, struct daytona_ao_key *out)
{
    bool current = false;
    for (size_t i = 0; daytona_stack_get_ao_key(engine.stack, id, i, out, &current) == 0; i++)
        if (current)
            return true;
    return false;
}

/* What is asked of the peer, RNextKeyID, is always the partner of the key that signs. */
static int choose(struct daytona_socket_id id, const struct authentication_change *change)
{
    struct daytona_ao_key key;
    int status = 0;
    if (change->sets_current)
        status = daytona_stack_use_ao_key(engine.stack, id, change->current_id);
    if (status < 0 || !change->sets_next)
        return status;
    return current_key(id, &key) && key.receive_id == change->next_id ? 0 : -EINVAL;
}

static bool id_taken(struct daytona_socket_id id, const struct daytona_ao_key *wanted)
{
    struct daytona_ao_key key;
    bool current;
    for (size_t i = 0; daytona_stack_get_ao_key(engine.stack, id, i, &key, &current) == 0; i++)
        if (daytona_address_equal(&key.remote, &wanted->remote) &&
            key.prefix_bits == wanted->prefix_bits &&
            (key.send_id == wanted->send_id || key.receive_id == wanted->receive_id))
            return true;
    return false;
}

int authentication_apply(struct daytona_socket_id id, const struct authentication_change *change)
{
    struct daytona_ao_key key = change->key;
    key.key.data = change->bytes;
    int status;
    if (change->option == AUTHENTICATION_ADD_KEY) {
        status = id_taken(id, &key) ? -EEXIST : daytona_stack_add_ao_key(engine.stack, id, &key);
        return status < 0 ? status : choose(id, change);
    }
    status = choose(id, change);
    if (status < 0)
        return status;
    if (change->option == AUTHENTICATION_DEL_KEY)
        return daytona_stack_remove_ao_key(engine.stack, id, &key);
    return daytona_stack_set_option(engine.stack, engine_now(), id, DAYTONA_OPTION_AO_HEEDS_ICMP,
                                    change->heeds_icmp);
}

int file_change_keys(struct file *file, const struct authentication_change *change)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = authentication_apply(file->id, change);
    engine_leave();
    return status;
}

int file_get_ao_key(struct file *file, size_t index, struct daytona_ao_key *out,
                    uint8_t bytes[DAYTONA_SIGNATURE_KEY_MAX], bool *current)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = daytona_stack_get_ao_key(engine.stack, file->id, index, out, current);
    if (status == 0) {
        memcpy(bytes, out->key.data, out->key.length);
        out->key.data = bytes;
    }
    engine_leave();
    return status;
}

int signature_apply(struct daytona_socket_id id, const struct signature_setting *setting)
{
    if (setting->authentication)
        return authentication_apply(id, &setting->change);
    return daytona_stack_set_signature_key(
        engine.stack, id, &setting->remote, setting->prefix_bits,
        (struct daytona_span){setting->key, setting->key_length});
}
