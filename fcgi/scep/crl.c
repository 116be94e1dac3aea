/* crl.c: see crl.h. */
#include "scep/crl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/crl.h"
#include "wire/sign.h"

#define ENTRIES_MAX 50000 /* what the signer takes; more is a CA to be replaced */
#define ARENA (32u * LIM_MB)
#define EARLY_US HOUR_US /* for clocks that are behind */

/* One list being looked at. */
struct work {
    struct db *db;
    const struct conf *conf;
    struct arena *a;
    const struct sign_authority *by;
    const char *issuer;
    bool first;
    int64_t now;
};

static enum outcome list_make(struct work *w, int64_t number, struct err *err)
{
    struct crl_entry *entries;
    struct crl_row row = {.generation = w->by->generation,
                          .number = number,
                          .issuer = w->issuer,
                          .made_at = w->now,
                          .next_at = w->now + 2 * w->conf->scep_crl_hours * HOUR_US};
    size_t n = 0;
    enum outcome o =
        crl_entries(w->db, w->issuer, w->first, w->now, ENTRIES_MAX + 1, w->a, &entries, &n, err);
    if (o == OK && n > ENTRIES_MAX) {
        log_msg(LOG_LEVEL_ERROR, "crl.full",
                "more than %d revoked identities: the oldest are left out of the list of %s",
                ENTRIES_MAX, w->issuer);
        n = ENTRIES_MAX;
    }
    struct sign_crl crl = {.generation = row.generation,
                           .number = number,
                           .this_update = w->now - EARLY_US,
                           .next_update = row.next_at,
                           .entries = entries,
                           .n = n};
    if (o == OK)
        o = sign_crl(w->a, &crl, &row.der, err);
    row.entries = (int64_t)n;
    return o == OK ? crl_put(w->db, &row, err) : o;
}

static enum outcome list_look(struct work *w, bool all, bool *made, struct err *err)
{
    struct crl_row row = {0};
    struct cert_info info;
    int64_t last = 0;
    *made = false;
    enum outcome o = cert_info_read(w->a, w->by->ca_der, &info, err);
    if (o != OK || info.not_after <= w->now) /* nobody asks after it any more */
        return o;
    w->issuer = info.subject;
    o = crl_get(w->db, w->by->generation, w->a, &row, err);
    if (o == NOT_FOUND)
        o = OK;
    if (o == OK)
        o = crl_last_revocation(w->db, w->issuer, w->first, w->a, &last, err);
    /* a revocation of the same moment may or may not be in it: made once more */
    if (o != OK || (!all && row.number && last < row.made_at &&
                    row.made_at + w->conf->scep_crl_hours * HOUR_US > w->now))
        return o;
    *made = true;
    return list_make(w, row.number + 1, err);
}

enum outcome crl_run(struct db *db, const struct conf *conf, bool all, size_t *made,
                     struct err *err)
{
    struct sign_authority list[SIGN_AUTHORITIES_MAX];
    struct arena *a = arena_new(ARENA);
    size_t n = 0;
    *made = 0;
    enum outcome o = a ? sign_authorities(a, list, &n, err) : err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < n; i++) {
        struct work w = {.db = db,
                         .conf = conf,
                         .a = a,
                         .by = &list[i],
                         .first = list[i].generation == 1,
                         .now = clock_now()};
        bool one = false;
        if (list[i].state <= 0)
            o = list_look(&w, all, &one, err);
        *made += one;
    }
    arena_free(&a);
    return o;
}

void crl_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    static const char prefix[] = "/crl/";
    struct err err = {.outcome = OK};
    struct crl_row row;
    struct db *db = NULL;
    long long generation = 1;
    char *end = "";
    (void)caller;
    if (strncmp(req->path, prefix, sizeof prefix - 1) == 0) {
        generation = strtoll(req->path + sizeof prefix - 1, &end, 10);
        if (*end || generation < 1) {
            resp_text(resp, 404, "there is no such revocation list");
            return;
        }
    }
    enum outcome o = db_pool_take(app->pool, &db, &err);
    if (o == OK)
        o = crl_get(db, generation, req->arena, &row, &err);
    db_pool_give(app->pool, &db);
    if (o == NOT_FOUND) {
        resp_text(resp, 404, "there is no such revocation list");
    } else if (o != OK) {
        log_err(LOG_LEVEL_ERROR, "crl.fault", &err);
        resp_text(resp, o == UNAVAILABLE ? 503 : 500, "try again later");
    } else {
        resp->content_type = "application/pkix-crl";
        resp_header(resp, "Cache-Control", "max-age=300");
        buf_add(&resp->body, row.der.p, row.der.n);
    }
}
