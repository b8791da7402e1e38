#include "preload/kernel_defaults.h"

#include "preload/real.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <unistd.h>

/* Linux's own values, where /proc cannot be read. */
static struct kernel_defaults defaults = {.receive_buffer_max = 212992, .send_buffer_max = 212992};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_number(const char *path, unsigned *out)
{
    char digits[16];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t length = real.read(file, digits, sizeof digits);
    real.close(file);
    unsigned value = 0;
    for (ssize_t i = 0; i < length && digits[i] >= '0' && digits[i] <= '9'; i++)
        value = value * 10 + (unsigned)(digits[i] - '0');
    if (value != 0)
        *out = value;
}

static void ask_int(int socket, int level, int name, int *out)
{
    socklen_t length = sizeof *out;
    real.getsockopt(socket, level, name, out, &length);
}

static void ask(void)
{
    read_number("/proc/sys/net/core/rmem_max", &defaults.receive_buffer_max);
    read_number("/proc/sys/net/core/wmem_max", &defaults.send_buffer_max);
    int fresh = real.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fresh < 0)
        return;
    ask_int(fresh, SOL_SOCKET, SO_RCVBUF, &defaults.receive_buffer);
    ask_int(fresh, SOL_SOCKET, SO_SNDBUF, &defaults.send_buffer);
    ask_int(fresh, IPPROTO_TCP, TCP_MAXSEG, &defaults.maximum_segment);
    socklen_t length = sizeof defaults.congestion - 1;
    real.getsockopt(fresh, IPPROTO_TCP, TCP_CONGESTION, defaults.congestion, &length);
    real.close(fresh);
}

const struct kernel_defaults *kernel_defaults(void)
{
    int saved = errno;
    pthread_once(&once, ask);
    errno = saved;
    return &defaults;
}
