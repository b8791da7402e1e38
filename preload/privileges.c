#include "preload/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

/* The bounding set, and with it what any program executed from here could get. */
static void empty_bounds(void)
{
    for (unsigned long capability = 0; capability <= CAP_LAST_CAP; capability++)
        if (capability != CAP_NET_RAW)
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static int keep_raw_sockets(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    data[CAP_TO_INDEX(CAP_NET_RAW)].permitted = CAP_TO_MASK(CAP_NET_RAW);
    data[CAP_TO_INDEX(CAP_NET_RAW)].effective = CAP_TO_MASK(CAP_NET_RAW);
    return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

static int take_identity(uid_t user, gid_t group)
{
    return setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0 ? 0 : -errno;
}

/* A container may know few users. */
static int become(uid_t user, gid_t group)
{
    if (geteuid() != 0)
        return 0; /* started with capabilities alone */
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (setgroups(0, NULL) < 0)
        return -errno;
    int status = take_identity(user, group);
    return status == -EINVAL ? take_identity(NOBODY, NOBODY) : status;
}

int privileges_drop(uid_t user, gid_t group, char *message, size_t size)
{
    empty_bounds();
    int status = become(user, group);
    if (status == 0)
        status = keep_raw_sockets();
    if (status == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        status = -errno;
    /* What is in memory is other people's data. */
    if (status == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        status = -errno;
    if (status < 0)
        snprintf(message, size, "the server cannot give up its privileges: %s", strerror(-status));
    return status;
}

/* ------------------------------------------------------------------ system calls */

/* What a server does once it runs: it moves bytes, makes sockets and waits. No program is executed,
 * no process made, no file system, namespace or identity changed. */
static const unsigned allowed[] = {
    SYS_read,          SYS_write,          SYS_readv,        SYS_writev,
    SYS_pread64,       SYS_close,          SYS_close_range,  SYS_lseek,
    SYS_ftruncate,     SYS_fcntl,          SYS_ioctl,        SYS_dup,
    SYS_dup3,          SYS_openat,         SYS_fstat,        SYS_newfstatat,
    SYS_statx,         SYS_socket,         SYS_socketpair,   SYS_bind,
    SYS_listen,        SYS_accept4,        SYS_connect,      SYS_shutdown,
    SYS_getsockname,   SYS_getpeername,    SYS_getsockopt,   SYS_setsockopt,
    SYS_sendto,        SYS_recvfrom,       SYS_sendmsg,      SYS_recvmsg,
    SYS_sendmmsg,      SYS_recvmmsg,       SYS_ppoll,        SYS_pselect6,
    SYS_epoll_create1, SYS_epoll_ctl,      SYS_epoll_pwait,  SYS_eventfd2,
    SYS_futex,         SYS_sched_yield,    SYS_nanosleep,    SYS_clock_nanosleep,
    SYS_clock_gettime, SYS_gettimeofday,   SYS_getrandom,    SYS_mmap,
    SYS_munmap,        SYS_mremap,         SYS_mprotect,     SYS_madvise,
    SYS_brk,           SYS_prlimit64,      SYS_getpid,       SYS_gettid,
    SYS_getuid,        SYS_geteuid,        SYS_tgkill,       SYS_rt_sigaction,
    SYS_rt_sigpending, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait,
    SYS_sigaltstack,   SYS_exit,           SYS_exit_group,   SYS_restart_syscall,
    SYS_chdir,         SYS_uname,          SYS_rseq,         SYS_set_robust_list,
    SYS_utimensat,
#ifdef SYS_poll /* of older architectures */
    SYS_poll,          SYS_epoll_wait,     SYS_pause,        SYS_dup2,
    SYS_open,          SYS_stat,           SYS_getrlimit,    SYS_select,
#endif
};
#define ALLOWED_COUNT (sizeof allowed / sizeof allowed[0])

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0 /* any: numbers are compared alone */
#endif

/* "Is it this one? Allowed. Is it that one? ..."; whoever calls by another architecture's numbers
 * is ended. */
static size_t write_filter(struct sock_filter *out)
{
    size_t at = 0;
    if (ARCHITECTURE != 0) {
        out[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                 offsetof(struct seccomp_data, arch));
        out[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
        out[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    }
    out[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ALLOWED_COUNT; i++) {
        out[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
        out[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    out[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    return at;
}

int privileges_forbid_calls(char *message, size_t size)
{
    struct sock_filter filter[2 * ALLOWED_COUNT + 5];
    struct sock_fprog program = {.filter = filter};
    program.len = (unsigned short)write_filter(filter);
    /* A kernel without seccomp(2) has none of its protection, and is served all the same. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0 ||
        errno == ENOSYS || errno == EINVAL)
        return 0;
    int error = errno;
    snprintf(message, size, "the server cannot forbid itself system calls: %s", strerror(error));
    return -error;
}
