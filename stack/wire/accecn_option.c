#include "stack/wire/accecn_option.h"

#include "stack/wire/bytes.h"

#define LENGTH_BASE    2u
#define LENGTH_COUNTER 3u
#define NOP            1

/* Which counter stands where, by order. CE's is in the middle of both. */
static const uint8_t orders[2][TCP_ACCECN_FIELDS] = {
    {TCP_ACCECN_E0B, TCP_ACCECN_CEB, TCP_ACCECN_E1B},
    {TCP_ACCECN_E1B, TCP_ACCECN_CEB, TCP_ACCECN_E0B},
};

void accecn_option_parse(const uint8_t *at, size_t length, struct tcp_accecn *out)
{
    size_t count = (length - LENGTH_BASE) / LENGTH_COUNTER;
    if ((length - LENGTH_BASE) % LENGTH_COUNTER != 0 || count > TCP_ACCECN_FIELDS)
        return;
    const uint8_t *order = orders[at[0] == OPTION_ACCECN_1];
    *out = (struct tcp_accecn){.present = true};
    for (size_t i = 0; i < count; i++) {
        out->fields |= (uint8_t)(1u << order[i]);
        out->counters[order[i]] = load_24(at + LENGTH_BASE + i * LENGTH_COUNTER);
    }
}

/* The order in which fewer counters have to go along with those that matter. */
static const uint8_t *order_for(const struct tcp_accecn *option)
{
    bool second = (option->fields & 1u << TCP_ACCECN_E1B) != 0 &&
                  (option->fields & 1u << TCP_ACCECN_E0B) == 0;
    return orders[second];
}

/* Counters up to the last one that matters, as far as there is room. */
static size_t counters_sent(const struct tcp_accecn *option, size_t room)
{
    const uint8_t *order = order_for(option);
    size_t count = TCP_ACCECN_FIELDS;
    while (count > 0 && (option->fields & 1u << order[count - 1]) == 0)
        count--;
    while (count > 0 && LENGTH_BASE + count * LENGTH_COUNTER > room)
        count--;
    return count;
}

size_t accecn_option_length(const struct tcp_accecn *option, size_t room)
{
    if (!option->present || room < 4)
        return 0;
    return (LENGTH_BASE + counters_sent(option, room) * LENGTH_COUNTER + 3) / 4 * 4;
}

void accecn_option_emit(const struct tcp_accecn *option, size_t room, uint8_t *out)
{
    size_t padded = accecn_option_length(option, room);
    if (padded == 0)
        return;
    size_t count = counters_sent(option, room);
    const uint8_t *order = order_for(option);
    size_t length = LENGTH_BASE + count * LENGTH_COUNTER;
    out[0] = count == 0 || order == orders[0] ? OPTION_ACCECN_0 : OPTION_ACCECN_1;
    out[1] = (uint8_t)length;
    for (size_t i = 0; i < count; i++)
        store_24(out + LENGTH_BASE + i * LENGTH_COUNTER, option->counters[order[i]]);
    for (size_t i = length; i < padded; i++)
        out[i] = NOP;
}
