/* Settings: bounds from the table, and what setting one does at once. */
#include "stack/congestion/controllers.h"
#include "stack/socket/socket.h"
#include "stack/tcp/tcp_extras.h"

#include <errno.h>
#include <string.h>

#define SEGMENT_MIN 88 /* Linux TCP_MIN_MSS */
#define ECN_BITS    3  /* of the type of service: the stack's own */

static const struct bounds {
    int64_t minimum, maximum;
} option_bounds[] = {
#define OPTION(name, minimum, maximum, description) [DAYTONA_OPTION_##name] = {minimum, maximum},
#include <daytona/options.def>
#undef OPTION
};

/* What is kept of a value that is within bounds. */
static int64_t option_adapt(struct socket *socket, enum daytona_option option, int64_t value)
{
    const struct daytona_stack_config *config = &socket->tcp->config;
    if (option == DAYTONA_OPTION_RECEIVE_BUFFER) {
        socket->receive_buffer_set = true;
        return value > config->receive_buffer_max ? config->receive_buffer_max : value;
    }
    if (option == DAYTONA_OPTION_SEND_BUFFER) {
        socket->send_buffer_set = true;
        return value > config->send_buffer_max ? config->send_buffer_max : value;
    }
    if (option == DAYTONA_OPTION_TYPE_OF_SERVICE)
        return value & ~(int64_t)ECN_BITS;
    return value;
}

int daytona_stack_set_option(struct daytona_stack *stack, struct daytona_instant now,
                             struct daytona_socket_id id, enum daytona_option option, int64_t value)
{
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    if ((unsigned)option >= DAYTONA_OPTION_COUNT || option == DAYTONA_OPTION_AT_MARK)
        return -ENOPROTOOPT;
    if (value < option_bounds[option].minimum || value > option_bounds[option].maximum ||
        (option == DAYTONA_OPTION_MAXIMUM_SEGMENT && value != 0 && value < SEGMENT_MIN))
        return -EINVAL;
    int result = settings_set(socket, option, option_adapt(socket, option, value));
    if (result < 0)
        return result;
    if (socket->connection != NULL)
        tcp_option_changed(socket->connection, option);
    return 0;
}

static bool at_mark(const struct socket *socket)
{
    const struct connection *connection = socket->connection;
    return connection != NULL && connection->receive.urgent != URGENT_NONE &&
           connection->receive.urgent_at == connection->receive.read;
}

/* What a connection has made of its settings. */
static void option_in_force(const struct connection *connection, enum daytona_option option,
                            int64_t *value)
{
    if (option == DAYTONA_OPTION_QUICK_ACK)
        *value = !connection->receive.interactive;
    if (option == DAYTONA_OPTION_RECEIVE_BUFFER)
        *value = connection->receive.limit;
    if (option == DAYTONA_OPTION_SEND_BUFFER)
        *value = connection->send.buffer_bytes;
}

int daytona_stack_get_option(struct daytona_stack *stack, struct daytona_socket_id id,
                             enum daytona_option option, int64_t *value)
{
    const struct socket *socket = socket_seen(stack, id);
    if (socket == NULL)
        return -EBADF;
    if ((unsigned)option >= DAYTONA_OPTION_COUNT)
        return -ENOPROTOOPT;
    *value = socket->options[option];
    if (option == DAYTONA_OPTION_AT_MARK)
        *value = at_mark(socket);
    if (socket->connection != NULL)
        option_in_force(socket->connection, option, value);
    return 0;
}

int daytona_stack_set_congestion(struct daytona_stack *stack, struct daytona_instant now,
                                 struct daytona_socket_id id, const char *name)
{
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    const struct daytona_congestion *table = congestion_find(name);
    if (table == NULL)
        return -ENOENT;
    struct connection *connection = socket->connection;
    if (table == socket->congestion)
        return 0;
    if (connection != NULL && !connection->ended && connection->send.una > connection->send.iss)
        tcp_set_congestion(connection, table);
    socket->congestion = table;
    return 0;
}

const char *daytona_stack_get_congestion(struct daytona_stack *stack, struct daytona_socket_id id)
{
    const struct socket *socket = socket_seen(stack, id);
    return socket == NULL ? NULL : socket->congestion->name;
}

const char *daytona_stack_congestion_name(size_t index)
{
    const struct daytona_congestion *table = congestion_at(index);
    return table == NULL ? NULL : table->name;
}

int daytona_stack_set_fastopen_key(struct daytona_stack *stack, struct daytona_socket_id id,
                                   struct daytona_span key)
{
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    if (key.length != FASTOPEN_KEY_BYTES && key.length != 2 * FASTOPEN_KEY_BYTES)
        return -EINVAL;
    struct extras *extras = extras_of(socket);
    if (extras == NULL)
        return -ENOMEM;
    memcpy(extras->fastopen_keys, key.data, key.length);
    extras->fastopen_key_count = (uint8_t)(key.length / FASTOPEN_KEY_BYTES);
    return 0;
}

int daytona_stack_get_fastopen_key(struct daytona_stack *stack, struct daytona_socket_id id,
                                   uint8_t out[32])
{
    const struct socket *socket = socket_seen(stack, id);
    if (socket == NULL)
        return -EBADF;
    const struct extras *extras = socket->extras;
    size_t length = extras == NULL ? 0 : (size_t)extras->fastopen_key_count * FASTOPEN_KEY_BYTES;
    if (extras != NULL)
        memcpy(out, extras->fastopen_keys, length);
    return (int)length;
}
