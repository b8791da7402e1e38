#include "tests/differential/perform.h"
long perform_bad(const struct request *request, struct answer *answer)
{
    (void)request, (void)answer;
    return 0;
}
