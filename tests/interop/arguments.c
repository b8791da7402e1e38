/*
 * arguments.c - calls with ordinary, odd and bad arguments on sockets in every state, and what
 * each of them answered. arguments.sh runs this program on the kernel's TCP and on Daytona's: the
 * two transcripts have to be the same, so nothing in them may depend on ports or times.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FIRST_PORT 7100

static const char *about = "";
static void *no_memory;             /* an address without memory behind it */
static char *volatile nowhere;      /* NULL, but the compiler does not know */
static volatile int minus_one = -1; /* likewise */
static int listener, client, server;

/* One line of the transcript; errno, set to a known value before, must survive a success. */
static long say(const char *call, long result)
{
    if (result < 0)
        printf("%s: %s: %ld %s\n", about, call, result, strerrorname_np(errno));
    else
        printf("%s: %s: %ld%s\n", about, call, result, errno == EXDEV ? "" : ", errno touched");
    errno = EXDEV;
    return result;
}
#define SAY(call) (errno = EXDEV, say(#call, (long)(call)))

static void say_bytes(const char *name, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    printf("%s: %s:", about, name);
    for (size_t i = 0; i < length; i++)
        printf(" %02x", at[i]);
    putchar('\n');
}

static struct sockaddr_in address_of(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void make_ends(void)
{
    static int port = FIRST_PORT;
    struct sockaddr_in address = address_of(port++);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 3) != 0 ||
        connect(client, (struct sockaddr *)&address, sizeof address) != 0 ||
        (server = accept(listener, NULL, NULL)) < 0) {
        perror("arguments: no connection");
        exit(1);
    }
}

static void drop_ends(void)
{
    close(client);
    close(server);
    close(listener);
}

/* Sends from the client and waits until the server can read it. */
static void bring(const char *data)
{
    struct pollfd entry = {.fd = server, .events = POLLIN};
    send(client, data, strlen(data), 0);
    poll(&entry, 1, -1);
}

/* ------------------------------------------------------------------ receiving */

static void receive_lengths_and_places(void)
{
    char data[64] = "";
    about = "receive";
    SAY(recv(server, data, sizeof data, MSG_DONTWAIT));
    SAY(read(server, data, 0));
    bring("0123456789");
    SAY(recv(server, data, 0, 0));
    SAY(read(server, nowhere, 4));
    SAY(read(server, no_memory == NULL ? NULL : (void *)-1, 4));
    SAY(recv(server, data, 4, MSG_PEEK));
    SAY(recv(server, nowhere, 2, MSG_TRUNC));
    SAY(recv(server, data, sizeof data, MSG_DONTWAIT));
    say_bytes("data", data, 8);
    SAY(recv(server, data, 1, MSG_OOB));
    SAY(recv(server, data, 1, MSG_ERRQUEUE));
    SAY(recv(server, data, 1, MSG_DONTWAIT | MSG_WAITALL));
}

static void receive_into_parts(void)
{
    char data[16] = "................";
    struct iovec parts[3] = {{data, 2}, {data + 4, 0}, {data + 8, 3}};
    struct iovec none[1] = {{NULL, 0}}, bad[1] = {{(void *)-1, 8}}, huge[2];
    static struct iovec many[1025];
    about = "receive into parts";
    bring("abcdefgh");
    SAY(readv(server, parts, 3));
    say_bytes("data", data, sizeof data);
    SAY(readv(server, parts, minus_one));
    SAY(readv(server, parts, 0));
    SAY(readv(server, none, 1));
    SAY(readv(server, bad, 1));
    SAY(readv(server, (struct iovec *)-1, 1));
    SAY(readv(server, many, 1025));
    huge[0] = huge[1] = (struct iovec){data, (size_t)-1 / 2};
    SAY(readv(server, huge, 2));
    SAY(recv(server, data, sizeof data, 0));
}

static void receive_with_addresses(void)
{
    char data[8];
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    about = "receive with an address";
    memset(&from, 0xa5, sizeof from);
    bring("abcd");
    SAY(recvfrom(server, data, 1, 0, (struct sockaddr *)&from, &length));
    printf("%s: length %u\n", about, length);
    say_bytes("address", &from, 4);
    SAY(recvfrom(server, data, 1, 0, NULL, NULL));
    SAY(recvfrom(server, data, 1, 0, NULL, &length));
    SAY(recv(server, data, 8, 0));
}

static void receive_messages(void)
{
    char data[8], control[64], name[32];
    struct iovec part = {data, sizeof data};
    struct msghdr message = {.msg_name = name,
                             .msg_namelen = sizeof name,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control,
                             .msg_flags = -1};
    struct mmsghdr several[3];
    about = "receive messages";
    bring("abcdefgh");
    part.iov_len = 3;
    SAY(recvmsg(server, &message, MSG_CMSG_CLOEXEC));
    printf("%s: name %u, control %zu, flags %x\n", about, message.msg_namelen,
           message.msg_controllen, (unsigned)message.msg_flags);
    message.msg_iovlen = 2000;
    SAY(recvmsg(server, &message, 0));
    SAY(recvmsg(server, (struct msghdr *)-1, 0));
    message.msg_iovlen = 0;
    SAY(recvmsg(server, &message, MSG_DONTWAIT));
    message.msg_iovlen = 1;
    for (int i = 0; i < 3; i++)
        several[i].msg_hdr = message;
    SAY(recvmmsg(server, several, 3, MSG_WAITFORONE, NULL));
    printf("%s: lengths %u %u\n", about, several[0].msg_len, several[1].msg_len);
    SAY(recvmmsg(server, several, 3, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(server, several, 0, 0, NULL));
    SAY(recvmmsg(server, several, 1, 0, &(struct timespec){0, -1}));
}

/* ------------------------------------------------------------------ sending */

static void send_lengths_and_places(void)
{
    struct sockaddr_in elsewhere = address_of(9);
    about = "send";
    SAY(write(client, "", 0));
    SAY(send(client, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
    SAY(write(client, nowhere, 4));
    SAY(send(client, (void *)-1, 4, 0));
    SAY(sendto(client, "y", 1, 0, (struct sockaddr *)&elsewhere, sizeof elsewhere));
    SAY(sendto(client, "y", 1, 0, NULL, 0));
    SAY(sendfile(client, client, NULL, 1));
    SAY(sendfile(client, 999, NULL, 1));
    SAY(sendfile(999, client, NULL, 1));
}

static void send_from_parts(void)
{
    struct iovec parts[3] = {{"ab", 2}, {NULL, 0}, {"cd", 2}};
    static struct iovec many[1025];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    struct mmsghdr several[2] = {{.msg_hdr = message}, {.msg_hdr = message}};
    about = "send from parts";
    SAY(writev(client, parts, 3));
    SAY(writev(client, parts, 0));
    SAY(writev(client, parts, minus_one));
    SAY(writev(client, many, 1025));
    SAY(writev(client, (struct iovec *)-1, 1));
    SAY(sendmsg(client, &message, 0));
    SAY(sendmsg(client, (struct msghdr *)-1, 0));
    message.msg_iovlen = 1025;
    message.msg_iov = many;
    SAY(sendmsg(client, &message, 0));
    SAY(sendmmsg(client, several, 2, 0));
    printf("%s: lengths %u %u\n", about, several[0].msg_len, several[1].msg_len);
    SAY(sendmmsg(client, several, 0, 0));
}

static void send_a_file(void)
{
    char data[32] = "";
    off_t offset = 3;
    struct pollfd entry = {.fd = server, .events = POLLIN};
    FILE *file = tmpfile();
    about = "send a file";
    fputs("0123456789", file);
    fflush(file);
    lseek(fileno(file), 0, SEEK_SET);
    SAY(sendfile(client, fileno(file), &offset, 4));
    printf("%s: offset %ld, position %ld\n", about, (long)offset,
           (long)lseek(fileno(file), 0, SEEK_CUR));
    SAY(sendfile(client, fileno(file), NULL, 2));
    printf("%s: position %ld\n", about, (long)lseek(fileno(file), 0, SEEK_CUR));
    SAY(sendfile(client, fileno(file), NULL, 100));
    SAY(sendfile(client, fileno(file), NULL, 100));
    SAY(sendfile(client, fileno(file), (off_t *)-1, 1));
    SAY(sendfile(client, fileno(file), &(off_t){-5}, 1));
    poll(&entry, 1, -1);
    SAY(recv(server, data, 14, MSG_WAITALL));
    say_bytes("data", data, 14);
    fclose(file);
}

/* ------------------------------------------------------------------ states */

static void calls_that_the_state_forbids(void)
{
    struct sockaddr_in address = address_of(7099);
    struct sockaddr *place = (struct sockaddr *)&address;
    char data[4];
    about = "listener";
    SAY(read(listener, data, 4));
    SAY(write(listener, "x", 1) < 0 ? -1 : 0);
    SAY(send(listener, "x", 1, MSG_NOSIGNAL));
    SAY(connect(listener, place, sizeof address));
    SAY(bind(listener, place, sizeof address));
    SAY(listen(listener, 7));
    SAY(getpeername(listener, place, &(socklen_t){sizeof address}));
    SAY(ioctl(listener, FIONREAD, data));
    about = "connection";
    SAY(listen(client, 1));
    SAY(accept(client, NULL, NULL));
    SAY(bind(client, place, sizeof address));
    SAY(connect(client, place, sizeof address));
    SAY(shutdown(client, 3));
    SAY(shutdown(client, -1));
}

static void addresses_that_are_asked_for(void)
{
    struct sockaddr_in address;
    struct sockaddr *place = (struct sockaddr *)&address;
    about = "addresses";
    for (socklen_t room = 0; room < 40; room += 5) {
        socklen_t length = room;
        memset(&address, 0xa5, sizeof address);
        SAY(getsockname(server, place, &length));
        printf("%s: room %u: length %u\n", about, room, length);
        say_bytes("address", &address, sizeof address);
    }
    SAY(getpeername(client, place, &(socklen_t){(socklen_t)-1}));
    SAY(getpeername(client, (struct sockaddr *)nowhere, &(socklen_t){16}));
    SAY(getpeername(client, (struct sockaddr *)nowhere, &(socklen_t){0}));
    SAY(getpeername(client, place, (socklen_t *)nowhere));
    SAY(getpeername(client, (struct sockaddr *)no_memory, &(socklen_t){16}));
    SAY(getsockname(client, place, (socklen_t *)no_memory));
}

static void accept_with_arguments(void)
{
    struct sockaddr_in address = {0};
    struct sockaddr *place = (struct sockaddr *)&address;
    socklen_t length = sizeof address;
    int more = socket(AF_INET, SOCK_STREAM, 0);
    about = "accept";
    SAY(fcntl(listener, F_SETFL, O_NONBLOCK));
    SAY(accept(listener, NULL, NULL));
    SAY(accept4(listener, NULL, NULL, 12345));
    getsockname(listener, place, &length);
    SAY(connect(more, place, length));
    struct pollfd entry = {.fd = listener, .events = POLLIN};
    SAY(poll(&entry, 1, -1));
    length = 8;
    int accepted = accept4(listener, place, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    printf("%s: length %u, flags %x %x\n", about, length,
           (unsigned)fcntl(accepted, F_GETFL) & O_NONBLOCK, (unsigned)fcntl(accepted, F_GETFD));
    close(accepted);
    close(more);
}

static void ends_of_a_connection(void)
{
    char data[4];
    struct pollfd entry = {.fd = server, .events = POLLIN | POLLRDHUP};
    about = "ends";
    SAY(shutdown(client, SHUT_WR));
    SAY(send(client, "x", 1, MSG_NOSIGNAL));
    SAY(poll(&entry, 1, -1));
    printf("%s: events %x\n", about, (unsigned)entry.revents);
    SAY(read(server, data, 4));
    SAY(read(server, data, 4));
    SAY(recv(server, data, 4, MSG_DONTWAIT | MSG_PEEK));
    SAY(write(server, "late", 4));
    SAY(shutdown(server, SHUT_RDWR));
    SAY(read(server, data, 4));
    SAY(send(server, "x", 1, MSG_NOSIGNAL));
    entry.fd = client;
    SAY(poll(&entry, 1, -1));
    SAY(recv(client, data, 4, MSG_WAITALL));
    SAY(read(client, data, 4));
}

/* ------------------------------------------------------------------ the rest */

static void requests_of_ioctl_and_fcntl(void)
{
    int number = -1, off = 0, on = 1;
    char data[8];
    about = "ioctl and fcntl";
    bring("abc");
    SAY(ioctl(server, FIONREAD, &number));
    printf("%s: %d bytes\n", about, number);
    SAY(ioctl(server, FIONREAD, nowhere));
    SAY(ioctl(server, SIOCATMARK, &number));
    SAY(ioctl(server, SIOCOUTQ, &number));
    printf("%s: %d bytes\n", about, number);
    SAY(ioctl(server, TCGETS, data) < 0 ? -1 : 0);
    SAY(sockatmark(server));
    SAY(recv(server, data, 8, 0));
    SAY(ioctl(server, FIONBIO, &on));
    SAY(fcntl(server, F_GETFL));
    SAY(read(server, data, 8));
    SAY(ioctl(server, FIONBIO, &off));
    SAY(fcntl(server, F_GETFL));
    SAY(fcntl(server, F_SETFL, O_NONBLOCK));
    SAY(read(server, data, 8));
    SAY(fcntl(server, F_SETFL, 0));
    SAY(fcntl(server, F_GETFD));
    SAY(fcntl(server, F_SETFD, FD_CLOEXEC));
    SAY(fcntl(server, F_GETFD));
    SAY(fcntl(server, F_DUPFD, -1));
    SAY(fcntl(server, 12345));
    SAY(lseek(server, 0, SEEK_CUR));
    SAY(pread(server, data, 1, 0));
}

static void descriptors_that_move(void)
{
    about = "descriptors";
    SAY(dup2(client, 40));
    SAY(dup2(client, client) == client);
    SAY(dup3(client, client, 0));
    SAY(dup3(client, 41, O_CLOEXEC));
    SAY(fcntl(41, F_GETFD));
    SAY(dup3(client, 42, 12345));
    SAY(dup2(999, 40));
    SAY(dup2(client, -1));
    SAY(fcntl(client, F_DUPFD_CLOEXEC, 50));
    SAY(write(40, "a", 1));
    SAY(close(40));
    SAY(close(40));
    SAY(close_range(41, 41, 0));
    SAY(fcntl(41, F_GETFD));
    SAY(close_range(60, 50, 0));
    SAY(write(50, "b", 1));
    SAY(close(50));
    SAY(close(-1));
    SAY(dup(-1));
}

static void sets_that_are_polled(void)
{
    struct pollfd entries[2] = {{.fd = server, .events = POLLIN | POLLOUT},
                                {.fd = -1, .revents = 7}};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT};
    fd_set set;
    struct timeval timeout = {0, 0};
    int epoll = epoll_create1(0);
    about = "sets";
    SAY(poll(entries, 2, 0));
    printf("%s: events %x %x\n", about, (unsigned)entries[0].revents, (unsigned)entries[1].revents);
    SAY(poll((struct pollfd *)no_memory, 1, 0));
    SAY(poll(NULL, 0, 0));
    SAY(ppoll(entries, 1, &(struct timespec){0, -1}, NULL));
    SAY(ppoll(entries, 1, &(struct timespec){0, 0}, NULL));
    FD_ZERO(&set);
    FD_SET(server, &set);
    SAY(select(server + 1, NULL, &set, NULL, &timeout));
    printf("%s: writable %d\n", about, FD_ISSET(server, &set));
    SAY(select(-1, &set, NULL, NULL, &timeout));
    SAY(select(server + 1, (fd_set *)no_memory, NULL, NULL, &timeout));
    SAY(select(0, NULL, NULL, NULL, &(struct timeval){0, 1000}));
    SAY(select(0, NULL, NULL, NULL, &(struct timeval){-1, 0}));
    FD_SET(99, &set);
    SAY(select(100, &set, NULL, NULL, &timeout));
    SAY(epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event));
    SAY(epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event));
    SAY(epoll_ctl(epoll, EPOLL_CTL_MOD, client, &event));
    SAY(epoll_ctl(epoll, EPOLL_CTL_ADD, client, (struct epoll_event *)no_memory));
    SAY(epoll_ctl(server, EPOLL_CTL_ADD, client, &event));
    SAY(epoll_wait(epoll, &event, 1, 0));
    printf("%s: events %x\n", about, event.events);
    SAY(epoll_wait(epoll, &event, 0, 0));
    SAY(epoll_wait(server, &event, 1, 0));
    SAY(epoll_wait(epoll, (struct epoll_event *)no_memory, 1, 0));
    SAY(epoll_ctl(epoll, EPOLL_CTL_DEL, server, NULL));
    SAY(epoll_ctl(epoll, EPOLL_CTL_DEL, server, NULL));
    SAY(epoll_wait(epoll, &event, 1, 0));
    close(epoll);
}

static void options_of_a_connection(void)
{
    int number;
    struct tcp_info info;
    about = "options";
    SAY(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof number));
    SAY(getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &number, &(socklen_t){sizeof number}));
    printf("%s: %d\n", about, number);
    SAY(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, 3));
    SAY(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, no_memory, 4));
    SAY(getsockopt(client, SOL_SOCKET, SO_ERROR, &number, &(socklen_t){sizeof number}));
    printf("%s: %d\n", about, number);
    SAY(getsockopt(client, SOL_SOCKET, SO_TYPE, &number, &(socklen_t){sizeof number}));
    printf("%s: %d\n", about, number);
    SAY(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &number, &(socklen_t){sizeof number}));
    printf("%s: %d\n", about, number);
    SAY(getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){8}));
    printf("%s: state %u\n", about, info.tcpi_state);
    SAY(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){sizeof info}));
    printf("%s: state %u, waiting %u of %u\n", about, info.tcpi_state, info.tcpi_unacked,
           info.tcpi_sacked);
}

static void urgent_byte(void)
{
    char data[8] = "";
    struct pollfd entry = {.fd = server, .events = POLLPRI};
    about = "urgent";
    SAY(send(client, "abX", 3, MSG_OOB));
    SAY(send(client, "cd", 2, 0));
    SAY(poll(&entry, 1, -1));
    printf("%s: events %x\n", about, (unsigned)entry.revents);
    SAY(recv(server, data, 8, MSG_OOB));
    say_bytes("byte", data, 1);
    SAY(recv(server, data, 1, MSG_OOB));
    SAY(sockatmark(server));
    SAY(read(server, data, 8));
    SAY(sockatmark(server));
    entry.events = POLLIN;
    SAY(poll(&entry, 1, -1));
    SAY(read(server, data, 8));
}

int main(void)
{
    static void (*const chapters[])(void) = {
        receive_lengths_and_places,
        receive_into_parts,
        receive_with_addresses,
        receive_messages,
        send_lengths_and_places,
        send_from_parts,
        send_a_file,
        calls_that_the_state_forbids,
        addresses_that_are_asked_for,
        accept_with_arguments,
        ends_of_a_connection,
        requests_of_ioctl_and_fcntl,
        descriptors_that_move,
        sets_that_are_polled,
        options_of_a_connection,
        urgent_byte,
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    no_memory = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < sizeof chapters / sizeof chapters[0]; i++) {
        make_ends();
        chapters[i]();
        drop_ends();
    }
    puts("end");
    return 0;
}
