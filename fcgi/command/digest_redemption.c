/* digest_redemption.c: what became of redemption codes. */
#include "command/digest_int.h"

#include "base/log.h"
#include "store/queue_state.h"
#include "store/redemption.h"

#define REFUSED 12037 /* MCMDMErrorDomain: the code is no good */

static bool refused(pl root)
{
    pl chain = pl_get(root, "ErrorChain");
    int64_t code;

    for (size_t i = 0; i < pl_size(chain); i++)
        if (pl_get_int(pl_at(chain, i), "ErrorCode", &code) && code == REFUSED)
            return true;
    return false;
}

enum outcome digest_redemption(struct digesting *d)
{
    bool good = d->r->state == QUEUE_ACKNOWLEDGED;

    return good || refused(d->root)
               ? redemption_ended(d->db, d->src.enrollment_id, d->src.command_id, good,
                                  d->src.reported_at, d->err)
               : OK;
}

bool digest_code_back(struct digesting *d, const char *identifier)
{
    bool mine = false;

    d->secrets_outcome = redemption_reclaim(d->db, d->src.enrollment_id, identifier,
                                            d->src.reported_at, &mine, d->err);
    if (mine)
        log_event(LOG_LEVEL_INFO, "codes.back", "identifier", identifier, NULL);
    return mine || d->secrets_outcome != OK;
}
