#include "tests/conformance/tun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE "tun0"

static bool sysctl_write(const char *name, const char *value)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    close(fd);
    return done;
}

/* What every kernel has by default, said all the same: a namespace inherits some of it from a
 * machine that may be tuned. */
static const struct {
    const char *name, *value;
} profile[] = {
    {"ipv4/tcp_no_metrics_save", "1"},
    {"ipv4/tcp_rmem", "4096 131072 6291456"},
    {"ipv4/tcp_wmem", "4096 1048576 4194304"},
    {"ipv4/tcp_retries2", "15"},
    {"ipv4/tcp_syn_retries", "6"},
    {"ipv4/tcp_syn_linear_timeouts", "0"}, /* since 6.5 four are a second apart; RFC 6298 doubles */
    {"ipv4/tcp_synack_retries", "5"},
    {"ipv4/tcp_orphan_retries", "0"},
    {"ipv4/tcp_fin_timeout", "60"},
    {"ipv4/tcp_recovery", "1"},
    {"ipv4/tcp_dsack", "1"},
    {"ipv4/tcp_rfc1337", "0"},
    {"ipv4/tcp_tw_reuse", "1"},
    {"ipv4/tcp_slow_start_after_idle", "1"},
    {"ipv4/tcp_adv_win_scale", "1"},
    {"ipv4/tcp_challenge_ack_limit", "2147483647"},
    {"ipv4/ip_no_pmtu_disc", "0"},
    {"ipv4/ip_local_port_range", "49152 65535"},
    {"ipv4/icmp_ratelimit", "0"},
    {"ipv6/conf/all/disable_ipv6", "1"},
    {"ipv6/conf/default/disable_ipv6", "1"},
};

static const char *const chosen[SETTING_COUNT] = {
    [SETTING_CONGESTION] = "ipv4/tcp_congestion_control",
    [SETTING_TIMESTAMPS] = "ipv4/tcp_timestamps",
    [SETTING_SACK] = "ipv4/tcp_sack",
    [SETTING_WINDOW_SCALING] = "ipv4/tcp_window_scaling",
    [SETTING_ECN] = "ipv4/tcp_ecn",
    [SETTING_FASTOPEN] = "ipv4/tcp_fastopen",
    [SETTING_COOKIES] = "ipv4/tcp_syncookies",
    [SETTING_PROBING] = "ipv4/tcp_mtu_probing",
    [SETTING_OVERFLOW] = "ipv4/tcp_abort_on_overflow",
    [SETTING_COLLAPSE] = "ipv4/tcp_retrans_collapse",
    [SETTING_FRTO] = "ipv4/tcp_frto",
};

static const char *set_profile(const struct settings *settings)
{
    static char why[128];
    for (size_t i = 0; i < sizeof profile / sizeof profile[0]; i++)
        sysctl_write(profile[i].name, profile[i].value); /* some kernels have not all of them */
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (chosen[i] == NULL || sysctl_write(chosen[i], settings->values[i]))
            continue;
        snprintf(why, sizeof why, "this kernel does not take %s = %s", chosen[i],
                 settings->values[i]);
        return why;
    }
    sysctl_write("ipv4/tcp_early_retrans", settings->values[SETTING_TLP][0] == '1' ? "3" : "0");
    return NULL;
}

static bool set_address(int fd, unsigned long request, uint32_t address)
{
    struct ifreq interface = {.ifr_name = DEVICE};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    memcpy(&interface.ifr_addr, &ipv4, sizeof ipv4);
    return ioctl(fd, request, &interface) == 0;
}

static const char *bring_up(const struct settings *settings)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq interface = {.ifr_name = DEVICE};
    interface.ifr_mtu = atoi(settings->values[SETTING_MTU]);
    bool done = fd >= 0 && ioctl(fd, SIOCSIFMTU, &interface) == 0 &&
                set_address(fd, SIOCSIFADDR, HOST_ADDRESS) &&
                set_address(fd, SIOCSIFNETMASK, 0xffffff00u);
    interface.ifr_flags = IFF_UP | IFF_RUNNING;
    done = done && ioctl(fd, SIOCSIFFLAGS, &interface) == 0;
    if (fd >= 0)
        close(fd);
    return done ? NULL : "the tun device cannot be brought up";
}

static const char *open_device(struct tun *out)
{
    struct ifreq interface = {.ifr_name = DEVICE, .ifr_flags = IFF_TUN | IFF_NO_PI};
    out->device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (out->device < 0 || ioctl(out->device, TUNSETIFF, &interface) < 0)
        return "no tun device can be made";
    return NULL;
}

static const char *open_tap(struct tun *out)
{
    int on = 1, room = 8 << 20;
    struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    where.sll_ifindex = (int)if_nametoindex(DEVICE);
    out->tap = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (out->tap < 0 || bind(out->tap, (struct sockaddr *)&where, sizeof where) < 0 ||
        setsockopt(out->tap, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0)
        return "the tun device cannot be watched";
    setsockopt(out->tap, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    return NULL;
}

const char *tun_open(const struct settings *settings, struct tun *out)
{
    if (unshare(CLONE_NEWNET) < 0)
        return "a network namespace needs root";
    const char *why = set_profile(settings);
    if (why == NULL)
        why = open_device(out);
    if (why == NULL)
        why = bring_up(settings);
    return why != NULL ? why : open_tap(out);
}
