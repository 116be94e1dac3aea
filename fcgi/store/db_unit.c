/* db_unit.c: units of work, and running them again: see db.h. */
#include "store/db_int.h"

#include <time.h>

#include "base/log.h"
#include "base/uuid.h"

void db_pause(int run)
{
    uint32_t r;
    random_bytes(&r, sizeof r);
    long ms = 5L << run;
    long us = ms * 500 + (long)(r % 1000) * ms;
    nanosleep(&(struct timespec){.tv_sec = 0, .tv_nsec = us * 1000}, NULL);
}

void db_unit_doom(struct db *db, enum doom doom, const struct err *e)
{
    if (!db->in_unit || db->doom != DOOM_NONE)
        return;
    db->doom = doom;
    db->doom_err = *e;
}

/* Sends BEGIN, COMMIT or ROLLBACK. A connection that fails here is closed: what it is in the
 * middle of is unknown. */
static enum fail unit_word(struct db *db, const char *word, enum outcome *o, struct err *err)
{
    *o = OK;
    if (db_conn_query(db, word))
        return FAIL_OTHER;
    unsigned code = mysql_errno(db->my);
    enum fail f = db_fail_of(code);
    *o = db_fail_report(word, code, mysql_error(db->my), false, err);
    if (f != FAIL_AGAIN)
        db_conn_lost(db, code);
    return f;
}

static void unit_rollback(struct db *db)
{
    enum outcome o;
    struct err e;
    if (db->my)
        (void)unit_word(db, "ROLLBACK", &o, &e);
}

/* One run. *again: nothing of it is stored (or, if the COMMIT's answer was lost, *uncertain). */
static enum outcome unit_once(struct db *db, db_work_fn *fn, void *arg, bool *again,
                              bool *uncertain, struct err *err)
{
    enum outcome o = db_conn_ready(db, err);
    *again = *uncertain = false;
    if (o != OK)
        return o;
    enum fail f = FAIL_OTHER;
    if (!db->units_only)
        f = unit_word(db, "START TRANSACTION", &o, err);
    if (o != OK) {
        *again = f == FAIL_LOST || f == FAIL_AGAIN;
        return o;
    }
    db->in_unit = true;
    db->waited = false;
    db->doom = DOOM_NONE;
    o = fn(db, arg, err);
    db->in_unit = false;
    if (db->doom == DOOM_AGAIN) {
        unit_rollback(db);
        *again = true;
        return err_set(err, UNAVAILABLE, "%s", db->doom_err.msg);
    }
    if (o == OK && db->doom == DOOM_ABORT)
        o = err_set(err, ERROR, "a failure was not handed on: %s", db->doom_err.msg);
    if (o != OK) {
        unit_rollback(db);
        return o;
    }
    if (db->at_commit)
        db->at_commit(db->at_commit_arg);
    f = unit_word(db, "COMMIT", &o, err);
    if (o != OK) {
        *uncertain = f == FAIL_LOST;
        *again = f == FAIL_LOST || f == FAIL_AGAIN;
        if (f == FAIL_AGAIN)
            unit_rollback(db);
    }
    return o;
}

enum outcome db_unit_run(struct db *db, db_work_fn *fn, void *arg, bool twice, struct err *err,
                         const char *file, int line)
{
    struct err own, *e = err ? err : &own;
    enum outcome o = OK;
    if (db->in_unit)
        return err_set(err, ERROR, "%s:%d: units of work do not nest", file, line);
    for (int run = 1;; run++) {
        bool again, uncertain;
        o = unit_once(db, fn, arg, &again, &uncertain, e);
        db->rivalled = o != OK && again && db->my;
        if (o == OK || !again || (uncertain && !twice) || (db->impatient && db->waited))
            return o;
        bool last = run == DB_RUNS_MAX;
        log_msg(last ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, last ? "db.unit_failed" : "db.unit_again",
                "%s:%d run %d of %d%s: %s", file, line, run, DB_RUNS_MAX,
                uncertain ? ", commit uncertain" : "", e->msg);
        if (last)
            return o;
        db_pause(run - 1);
    }
}
