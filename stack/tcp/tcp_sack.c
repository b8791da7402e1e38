/*
 * What our ACKs say of text that arrived beyond a gap (RFC 2018) or twice (RFC 2883): first the
 * duplicate, then the blocks that changed last.
 */
#include "stack/tcp/tcp_parts.h"

/* SACK blocks that fit beside `length` bytes of data: none beside a full segment, whose size the
 * path bounds (RFC 6691 section 2). */
static unsigned sack_room(const struct connection *connection, uint32_t length)
{
    const struct sender *send = &connection->send;
    uint32_t spare = length < send->mss ? send->mss - length : 0;
    unsigned room = connection->timestamps ? TCP_SACK_BLOCKS_MAX - 1 : TCP_SACK_BLOCKS_MAX;
    unsigned fitting = spare < 4 ? 0 : (spare - 4) / 8;
    return length == 0 || room < fitting ? room : fitting;
}

void tcp_sack_remember(struct receiver *receive, uint64_t offset)
{
    uint64_t *recent = receive->recent;
    const struct range *block = ranges_find(&receive->ranges, offset);
    unsigned last = sizeof receive->recent / sizeof recent[0] - 1, from = last;
    for (unsigned i = 0; i < last && from == last; i++)
        if (ranges_find(&receive->ranges, recent[i]) == block)
            from = i;
    for (unsigned i = from; i > 0; i--)
        recent[i] = recent[i - 1];
    recent[0] = offset;
}

bool tcp_sack_pending(const struct connection *connection)
{
    const struct receiver *receive = &connection->receive;
    return connection->sack &&
           (receive->ranges.count > 0 || receive->duplicate_end > receive->duplicate_start);
}

void tcp_sack_duplicate(struct connection *connection, uint64_t start, uint64_t end)
{
    struct receiver *receive = &connection->receive;
    if (!connection->sack || start >= end)
        return;
    connection->tcp->counters.duplicates_reported++;
    bool pending = receive->duplicate_end > receive->duplicate_start;
    if (pending && start <= receive->duplicate_end && end >= receive->duplicate_start) {
        receive->duplicate_start = offset_earlier(start, receive->duplicate_start);
        receive->duplicate_end = offset_later(end, receive->duplicate_end);
        return;
    }
    if (pending) /* one ACK has room for one of them */
        tcp_ack_before(connection);
    receive->duplicate_start = start;
    receive->duplicate_end = end;
    if (ranges_find(&receive->ranges, start) != NULL)
        tcp_sack_remember(receive, start); /* RFC 2883 section 4: the block it lies in is next */
}

void tcp_sack_overlap(struct connection *connection, uint64_t start, uint64_t end)
{
    const struct range *range = connection->receive.ranges.first;
    while (range != NULL && range->end <= start)
        range = range->next;
    if (range != NULL && range->start < end)
        tcp_sack_duplicate(connection, offset_later(start, range->start),
                           offset_earlier(end, range->end));
}

static void put_block(struct tcp_header *header, uint64_t start, uint64_t end)
{
    header->sacks[header->sack_count++] =
        (struct tcp_sack_block){offset_seq(start), offset_seq(end)};
}

void tcp_sack_fill(struct connection *connection, uint32_t length, struct tcp_header *header)
{
    struct receiver *receive = &connection->receive;
    const struct range *chosen[TCP_SACK_BLOCKS_MAX];
    unsigned room = sack_room(connection, length), count = 0;
    if (room > 0 && receive->duplicate_end > receive->duplicate_start) {
        put_block(header, receive->duplicate_start, receive->duplicate_end);
        receive->duplicate_start = receive->duplicate_end;
    }
    for (unsigned i = 0; i < TCP_SACK_BLOCKS_MAX && header->sack_count < room; i++) {
        const struct range *block = ranges_find(&receive->ranges, receive->recent[i]);
        bool known = block == NULL;
        for (unsigned j = 0; j < count; j++)
            known = known || chosen[j] == block;
        if (known)
            continue;
        chosen[count++] = block;
        put_block(header, block->start, block->end);
    }
}
