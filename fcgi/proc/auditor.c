/* auditor.c: see auditor.h. */
#include "proc/auditor.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/checkrun.h"
#include "store/event.h"

#define TURN_US (SECOND_US / 10)

struct finding {
    const struct audit_check *check;
    struct bytes json;
    int64_t now;
};

/* Kept, and told, as one. */
static enum outcome note_unit(struct db *db, void *arg, struct err *err)
{
    const struct finding *f = arg;
    const struct audit_check *c = f->check;
    char about[64], text[400];
    enum outcome o = checkrun_done(db, CHECKRUN_AUDIT, f->now, f->json, err);
    if (o != OK || !c->bad_seq)
        return o;
    snprintf(about, sizeof about, "link %lld", (long long)c->bad_seq);
    snprintf(text, sizeof text,
             "the audit log was tampered with: %s; compare with the links in the agent's log "
             "(droverctl audit verify)",
             c->bad);
    return event_alarm(db, "rule:audit", "audit-chain", about, text, f->now, err);
}

static enum outcome note(const struct audit_check *c, struct db *db, struct err *err)
{
    struct buf json = BUF_INIT(LIM_KB);
    struct finding f = {.check = c, .now = clock_now()};
    enum outcome o = audit_check_write(c, &json, err);
    f.json = buf_bytes(&json);
    if (o == OK)
        o = db_unit(db, note_unit, &f, err);
    if (o == OK)
        log_msg(LOG_LEVEL_INFO, "agent.audit-check", "%lld links, %s", (long long)c->links,
                c->bad_seq ? c->bad : "all right");
    buf_free(&json);
    return o;
}

static enum outcome begin(struct auditor *r, struct db *db, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    int64_t now = clock_now();
    struct audit_check last;
    struct checkrun run;
    enum outcome o = a ? checkrun_due(db, CHECKRUN_AUDIT, now - DAY_US, now, err)
                       : err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = checkrun_take(db, CHECKRUN_AUDIT, now, &r->runs, err);
    if (o == OK && r->runs) {
        r->check = (struct audit_check){0};
        r->before = (struct audit_head){0};
        o = checkrun_get(db, CHECKRUN_AUDIT, now, a, &run, err);
        if (o == OK && run.findings.n > 0 && audit_check_read(run.findings, a, &last, err) == OK)
            r->before = last.head;
        r->runs = o == OK;
    }
    arena_free(&a);
    return o;
}

enum outcome auditor_turn(struct auditor *r, struct db *db, struct err *err)
{
    const struct audit_head *known = r->before.seq ? &r->before : NULL;
    bool done = false;
    enum outcome o = OK;
    if (!r->runs)
        return begin(r, db, err);
    o = audit_chain_verify_some(db, known, TURN_US, &r->check, &done, err);
    if (o != OK || !done)
        return o;
    if (known && !r->check.bad_seq && !r->check.known_found) {
        r->check.bad_seq = known->seq;
        r->check.bad = "it is another than at the last check, or gone: the chain was cut off or "
                       "made anew, or an older database was restored";
    }
    o = note(&r->check, db, err);
    r->runs = o == UNAVAILABLE; /* noted once more, from where it stands */
    return o;
}
