#include "preload/observers.h"

#include "preload/engine.h"
#include "preload/event_ring.h"

static const struct daytona_observer nobody;
static const struct daytona_observer *fixed = &nobody;
static struct daytona_observer program; /* its mask: 0 nothing */
static uint64_t ring_mask;

static void see(void *context, const struct daytona_event *event)
{
    uint64_t bit = DAYTONA_EVENT_BIT(event->type);
    (void)context;
    if ((fixed->mask & bit) != 0)
        fixed->event(fixed->context, event);
    if ((ring_mask & bit) != 0)
        event_ring_write(event);
    if (program.event != NULL && ((program.mask & bit) != 0 || event->singled_out))
        program.event(program.context, event);
}

static void see_end(void *context, const struct daytona_connection_info *last)
{
    (void)context;
    if (fixed->ended != NULL)
        fixed->ended(fixed->context, last);
}

const struct daytona_observer *observers_all(const struct daytona_observer *other)
{
    static struct daytona_observer mine;
    fixed = other != NULL ? other : &nobody;
    mine = (struct daytona_observer){.event = see,
                                     .mask = DAYTONA_EVENT_BIT(DAYTONA_EVENT_STATE),
                                     .ended = fixed->ended != NULL ? see_end : NULL};
    return &mine;
}

void observers_begin(void)
{
    if (engine.stack != NULL)
        daytona_stack_observe(engine.stack, fixed->mask | ring_mask | program.mask);
}

void observers_set_ring(uint64_t mask)
{
    ring_mask = mask;
    observers_begin();
}

void observers_set_program(const struct daytona_observer *wanted)
{
    program = *wanted;
    observers_begin();
}
