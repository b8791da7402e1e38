/*
 * Socket calls in any order: two applications, one on each of two stacks with a good wire between
 * them, make any calls with any arguments; packets are delivered, or wait, and time passes.
 */
#include "tests/fuzz/pair.h"
#include "tests/fuzz/reader.h"

enum { STEPS_MAX = 300 };

/* A listener on either side, so that connect has a chance. */
static void make_listener(struct fuzz_host *host)
{
    struct fuzz_application *application = &host->application;
    struct daytona_endpoint local = {daytona_address_from_ipv4(application->here), 80};
    struct daytona_socket_id id;
    fuzz_demand(daytona_stack_open(host->stack, &id) == 0 &&
                    daytona_stack_bind(host->stack, id, &local) == 0 &&
                    daytona_stack_listen(host->stack, id, 3) == 0,
                "a listener");
    application->ids[application->count++] = id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_reader reader = {data, size};
    struct fuzz_pair pair;
    fuzz_pair_prepare(&pair, fuzz_take(&reader, 2));
    make_listener(&pair.hosts[0]);
    make_listener(&pair.hosts[1]);
    for (unsigned steps = 0; reader.left > 0 && steps < STEPS_MAX; steps++) {
        uint32_t what = fuzz_take(&reader, 1);
        struct fuzz_host *host = &pair.hosts[what / 128];
        if (what % 128 >= 16)
            fuzz_step_call(&reader, &host->application, pair.now);
        else if (what % 16 < 4)
            fuzz_pair_advance(&pair);
        else if (what % 16 == 4)
            daytona_stack_retire(host->stack);
        if (what % 4 == 0)
            fuzz_pair_drain(&pair);
        else
            fuzz_pair_settle(&pair);
        fuzz_judge_sockets(host->stack, pair.now);
    }
    fuzz_pair_finish(&pair);
    return 0;
}
