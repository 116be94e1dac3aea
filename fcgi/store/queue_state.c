/* queue_state.c: see queue_state.h. */
#include "store/queue_state.h"

const char *queue_state_name(int state)
{
    static const char *const name[] = {
        "?",     "queued",       "sent",      "not-now", "acknowledged",
        "error", "format-error", "cancelled", "expired", "unconfirmed"};

    return state >= QUEUE_QUEUED && state <= QUEUE_UNCONFIRMED ? name[state] : name[0];
}
