/* id.c: see id.h. */
#include "store/id.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <stdatomic.h>

#define EPOCH_2024_US INT64_C(1704067200000000)

int64_t id_new(void)
{
    static _Atomic int64_t last;
    static _Thread_local uint16_t pool[32];
    static _Thread_local unsigned left;
    int64_t now = clock_now() - EPOCH_2024_US;
    int64_t seen = atomic_load(&last);
    int64_t mine;

    do {
        mine = now > seen ? now : seen + 1;
    } while (!atomic_compare_exchange_weak(&last, &seen, mine));
    if (left == 0) {
        random_bytes(pool, sizeof(pool));
        left = sizeof(pool) / sizeof(pool[0]);
    }
    return (mine << 12) | (pool[--left] & 0xfff);
}

int64_t id_at(int64_t us)
{
    return us > EPOCH_2024_US ? (us - EPOCH_2024_US) << 12 : 0;
}
