/*
 * start.c - what happens when the library is loaded, before main(): the real functions are looked
 * up and the settings read. Nothing else: the engine starts with the first socket it is needed for.
 */
#include "preload/attributes.h"
#include "preload/heritage.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/text.h"

#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#define STATUS_NOT_STARTED 125

/* Whether all of it may stay unsaid, as a program that executed this one has said the same. */
static bool was_said(uint64_t hash)
{
    bool fails = settings.fault && settings.fallback == SETTINGS_FALLBACK_FAIL;
    return settings.said == hash && !fails;
}

static void note_said(uint64_t hash)
{
    char room[20];
    struct text value = text_begin(room, sizeof room);
    text_add_number(&value, hash, 16);
    setenv("DAYTONA_SAID", room, 1);
}

static void say_messages(const struct settings_messages *messages)
{
    uint64_t hash = settings_messages_hash(messages) + (uint64_t)settings.log;
    if (messages->count == 0 || was_said(hash))
        return;
    note_said(hash);
    for (size_t i = 0; i < messages->count; i++)
        log_line(messages->messages[i].level, "%s", messages->messages[i].line);
    if (!settings.fault)
        return;
    log_line(LOG_LEVEL_ERROR, settings.fallback == SETTINGS_FALLBACK_FAIL
                                  ? "the program is not started"
                                  : "the program runs on the kernel's TCP");
}

ATTRIBUTE_CONSTRUCTOR static void start(void)
{
    struct settings_messages messages;
    real_resolve();
    /* A setuid program's environment is its caller's word, and the settings name files. */
    settings_read(getauxval(AT_SECURE) != 0 ? NULL : environ, &settings, &messages);
    if (!settings.present)
        return;
    log_start(settings.log);
    say_messages(&messages);
    heritage_keep(environ);
    if (settings.fault && settings.fallback == SETTINGS_FALLBACK_FAIL)
        real._exit(STATUS_NOT_STARTED);
}
