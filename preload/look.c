/* look.h: the calls by which a program looks at its own connections. */
#include "preload/attributes.h"
#include "preload/engine.h"
#include "preload/file.h"
#include "preload/file_record.h"
#include "preload/pump.h"
#include "preload/result.h"

#include <daytona/look.h>
#include <errno.h>

ATTRIBUTE_PUBLIC size_t daytona_connection_list(struct daytona_socket_id *out, size_t max)
{
    struct daytona_socket_id id = {0, 0};
    size_t count = 0;
    int saved = errno;
    if (engine_enter() == 0) {
        while (daytona_stack_next(engine.stack, &id)) {
            if (count < max)
                out[count] = id;
            count++;
        }
        engine_leave();
    }
    errno = saved;
    return count;
}

ATTRIBUTE_PUBLIC int daytona_connection_id(int descriptor, struct daytona_socket_id *out)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return (int)result_give(-EOPNOTSUPP, before);
    *out = file->id;
    return (int)result_finish(file, 0, before);
}

ATTRIBUTE_PUBLIC int daytona_connection_state(struct daytona_socket_id id,
                                              struct daytona_connection_state *out)
{
    int before = errno;
    int status = engine_enter();
    if (status == 0) {
        status = daytona_stack_state(engine.stack, engine_now(), id, out);
        engine_leave();
    }
    return (int)result_give(status == -EOPNOTSUPP ? -EBADF : status, before);
}

ATTRIBUTE_PUBLIC int daytona_tune(struct daytona_socket_id id, enum daytona_option option,
                                  int64_t value)
{
    int before = errno;
    int status = engine_enter();
    if (status == 0) {
        status = daytona_stack_set_option(engine.stack, engine_now(), id, option, value);
        pump_output();
        engine_leave();
    }
    return (int)result_give(status == -EOPNOTSUPP ? -EBADF : status, before);
}
