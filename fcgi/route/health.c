/* health.c: asks the database and the signer for a sign of life. */
#include "route/health.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/db.h"
#include "wire/sign.h"

#define HEALTH_FRESH SECOND_US

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t checked; /* clock_mono(); 0: never */
static bool database_ok, signer_ok;

static bool database_answers(struct app *app)
{
    struct err err = {.outcome = OK};
    struct db *db = NULL;
    enum outcome o = db_pool_take(app->pool, &db, &err);
    if (o == OK)
        o = db_ping(db, &err);
    db_pool_give(app->pool, &db);
    if (o != OK)
        log_err(LOG_LEVEL_WARNING, "health.database", &err);
    return o == OK;
}

static bool signer_answers(struct req *req)
{
    struct err err = {.outcome = OK};
    const char *version;
    enum outcome o = sign_ping(req->arena, &version, &err);
    if (o != OK)
        log_err(LOG_LEVEL_WARNING, "health.signer", &err);
    return o == OK;
}

void health_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)caller;
    pthread_mutex_lock(&lock);
    if (!checked || req->start - checked > HEALTH_FRESH) {
        database_ok = database_answers(app);
        signer_ok = signer_answers(req);
        checked = clock_mono();
    }
    bool db = database_ok, signer = signer_ok;
    pthread_mutex_unlock(&lock);
    if (db && signer)
        resp_text(resp, 200, "ok");
    else
        resp_text(resp, 503, "away:%s%s", db ? "" : " database", signer ? "" : " signer");
}
