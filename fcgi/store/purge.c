/* purge.c: rows that have served their time: see purge.h. */
#include "store/purge.h"
#include "base/clock.h"

#define CHUNK 1000
#define CHUNKS_MAX 1000 /* the next run goes on */
#define MONTH_US (30 * DAY_US)
#define BEFORE "< CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) - ? LIMIT ?"

static const struct {
    struct sql sql;
    int64_t keep_us;
} PURGES[] = {
    {{"purge_challenges", "DELETE FROM scep_challenge WHERE expires_at " BEFORE, 0}, MONTH_US},
    {{"purge_transactions", "DELETE FROM scep_transaction WHERE created_at " BEFORE, 0},
     3 * MONTH_US},
    {{"purge_requests", "DELETE FROM scep_request WHERE expires_at " BEFORE, 0}, 3 * MONTH_US},
    {{"purge_pushes", "DELETE FROM push WHERE state = 4 AND due_at " BEFORE, 0}, MONTH_US},
    {{"purge_outcalls", "DELETE FROM outcall WHERE created_at " BEFORE, 0}, HOUR_US},
    {{"purge_sessions", "DELETE FROM session WHERE ends_at " BEFORE, 0}, DAY_US},
    {{"purge_throttles", "DELETE FROM login_throttle WHERE last_at " BEFORE, 0}, DAY_US},
    {{"purge_handouts",
      "DELETE FROM handout WHERE NOT EXISTS (SELECT 1 FROM life l WHERE l.handout_id = handout.id) "
      "AND NOT EXISTS (SELECT 1 FROM identity_cert i WHERE i.handout_id = handout.id) "
      "AND made_at " BEFORE,
      0},
     3 * MONTH_US},
    {{"purge_enrolments", "DELETE FROM enroll_session WHERE expires_at " BEFORE, 0}, DAY_US},
    {{"purge_grants", "DELETE FROM oauth_grant WHERE expires_at " BEFORE, 0}, 3 * MONTH_US},
    {{"purge_idempotency", "DELETE FROM idempotency WHERE begun_at " BEFORE, 0}, DAY_US},
    {{"purge_told", "DELETE FROM expiry_told WHERE told_at " BEFORE, 0}, 24 * MONTH_US},
    {{"purge_activity", "DELETE FROM activity WHERE hour " BEFORE, 0}, 3 * MONTH_US},
    {{"purge_errands", "DELETE FROM errand WHERE done_at " BEFORE, 0}, 3 * MONTH_US},
    {{"purge_drafts", "DELETE FROM profile_draft WHERE changed_at " BEFORE, 0}, MONTH_US},
    /* whoever stores a list locks the certificates that are known (inventory_shared.c), so that a
     * list that is under way keeps them; any age, so the time is of no account */
    {{"purge_certificates",
      "DELETE FROM seen_certificate WHERE NOT EXISTS (SELECT 1 FROM inv_certificate i WHERE "
      "i.sha256 = seen_certificate.sha256) AND 0 " BEFORE,
      0},
     0},
    {{"purge_unknown", "DELETE FROM unknown_device WHERE last_seen_at " BEFORE, 0}, 3 * MONTH_US},
};

enum outcome purge_run(struct db *db, uint64_t *deleted, struct err *err)
{
    *deleted = 0;
    for (size_t i = 0; i < sizeof PURGES / sizeof PURGES[0]; i++) {
        uint64_t hit = CHUNK;
        for (int chunk = 0; hit == CHUNK && chunk < CHUNKS_MAX; chunk++) {
            enum outcome o =
                db_exec(db, &PURGES[i].sql,
                        (struct val[]){val_int(PURGES[i].keep_us), val_int(CHUNK)}, 2, &hit, err);
            if (o != OK)
                return o;
            *deleted += hit;
        }
    }
    return OK;
}
