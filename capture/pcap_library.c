#include "capture/pcap_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Debian's name, other distributions' name, and the link of the development package. */
static const char *const library_names[] = {"libpcap.so.0.8", "libpcap.so.1", "libpcap.so"};

static const struct {
    const char *symbol;
    size_t offset;
} functions[] = {
#define PCAP_ROW(name) {"pcap_" #name, offsetof(struct pcap_library, name)},
    PCAP_FUNCTIONS(PCAP_ROW)
#undef PCAP_ROW
};

static pthread_once_t loading = PTHREAD_ONCE_INIT;
static struct pcap_library library;
static char failure[160]; /* empty: loaded */

static void *open_library(void)
{
    void *handle = NULL;
    for (size_t i = 0; handle == NULL && i < sizeof library_names / sizeof library_names[0]; i++)
        handle = dlopen(library_names[i], RTLD_NOW | RTLD_LOCAL);
    return handle;
}

static void load(void)
{
    void *handle = open_library();
    if (handle == NULL) {
        snprintf(failure, sizeof failure, "libpcap is not installed: apt-get install libpcap0.8");
        return;
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *symbol = dlsym(handle, functions[i].symbol);
        if (symbol == NULL) {
            snprintf(failure, sizeof failure,
                     "libpcap is too old, 1.9 or later is needed: it has no %s",
                     functions[i].symbol);
            return;
        }
        /* ISO C has no conversion from an object pointer to a function pointer. */
        memcpy((char *)&library + functions[i].offset, &symbol, sizeof symbol);
    }
}

const struct pcap_library *pcap_library_load(char *message, size_t message_size)
{
    pthread_once(&loading, load);
    if (failure[0] == '\0')
        return &library;
    snprintf(message, message_size, "%s", failure);
    return NULL;
}
