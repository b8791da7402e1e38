/*
 * pcap_library.h - libpcap, loaded when it is first needed: a process in which nothing is
 * captured neither links nor loads it.
 */
#ifndef CAPTURE_PCAP_LIBRARY_H
#define CAPTURE_PCAP_LIBRARY_H

#include <pcap/pcap.h>

/** Every function of libpcap that is used. One row: a member, and the symbol pcap_<row>. */
#define PCAP_FUNCTIONS(FUNCTION)                                                                   \
    FUNCTION(create)                                                                               \
    FUNCTION(set_snaplen)                                                                          \
    FUNCTION(set_promisc)                                                                          \
    FUNCTION(set_immediate_mode)                                                                   \
    FUNCTION(set_buffer_size)                                                                      \
    FUNCTION(set_tstamp_precision)                                                                 \
    FUNCTION(set_protocol_linux)                                                                   \
    FUNCTION(activate)                                                                             \
    FUNCTION(datalink)                                                                             \
    FUNCTION(set_datalink)                                                                         \
    FUNCTION(setnonblock)                                                                          \
    FUNCTION(setdirection)                                                                         \
    FUNCTION(get_selectable_fd)                                                                    \
    FUNCTION(get_required_select_timeout)                                                          \
    FUNCTION(dispatch)                                                                             \
    FUNCTION(next_ex)                                                                              \
    FUNCTION(stats)                                                                                \
    FUNCTION(open_offline_with_tstamp_precision)                                                   \
    FUNCTION(geterr)                                                                               \
    FUNCTION(statustostr)                                                                          \
    FUNCTION(close)

struct pcap_library {
#define PCAP_MEMBER(name) __typeof__(pcap_##name) *name;
    PCAP_FUNCTIONS(PCAP_MEMBER)
#undef PCAP_MEMBER
};

/** The library, loaded once for the life of the process. NULL when it is not installed or too
 *  old: `message` then says so. Any thread. */
const struct pcap_library *pcap_library_load(char *message, size_t message_size);

#endif
