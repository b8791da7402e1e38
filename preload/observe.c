/* daytona/observe.h: the program's own look at its connections. */
#include <daytona/observe.h>

#include "preload/attributes.h"
#include "preload/engine.h"
#include "preload/file.h"
#include "preload/observers.h"
#include "preload/result.h"

#include <errno.h>

ATTRIBUTE_PUBLIC int daytona_observe(void (*event)(void *context,
                                                   const struct daytona_event *event),
                                     void *context, uint64_t mask)
{
    const struct daytona_observer observer = {
        .context = context, .event = event, .mask = event == NULL ? 0 : mask};
    bool locked = engine_enter() == 0; /* else it does not run yet, and finds what is set here */
    observers_set_program(&observer);
    if (locked)
        engine_leave();
    return 0;
}

ATTRIBUTE_PUBLIC int daytona_observe_socket(int descriptor, uint64_t mask)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL) {
        errno = EBADF;
        return -1;
    }
    return (int)result_finish(file, file_observe(file, mask), before);
}
