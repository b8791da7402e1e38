#include "stack/congestion/controllers.h"

#include <string.h>

static const struct daytona_congestion *const controllers[] = {
    &congestion_cubic, &congestion_reno,  &congestion_bbr,    &congestion_bbr3,
    &congestion_dctcp, &congestion_vegas, &congestion_ledbat,
};

const struct daytona_congestion *congestion_at(size_t index)
{
    return index < sizeof controllers / sizeof controllers[0] ? controllers[index] : NULL;
}

const struct daytona_congestion *congestion_find(const char *name)
{
    for (size_t i = 0; congestion_at(i) != NULL; i++)
        if (strcmp(congestion_at(i)->name, name) == 0)
            return congestion_at(i);
    return NULL;
}
