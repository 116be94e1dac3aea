/* batch_touch.c: enrollments that were seen; see batch_touch() in batch.h. */
#include "store/batch_int.h"

#include "base/clock.h"
#include "base/log.h"

/* At most this many units done together: the load is low and what was noted is written now. */
#define TOUCH_QUIET 4

static const struct sql TOUCH = {
    "enrollment_touch",
    "UPDATE enrollment FORCE INDEX (PRIMARY) SET last_seen_at=? WHERE last_seen_at<? "
    "AND id IN (%IN%)",
    1};

static _Thread_local struct touches *touches_now;

void touches_begin(struct touches *t)
{
    touches_now = t;
}

void batch_touch(int64_t enrollment_id, int64_t now)
{
    struct touches *t = touches_now;

    if (t == NULL || t->n == TOUCH_MAX)
        return; /* the next message will say it again */
    if (t->n == 0)
        t->oldest = clock_mono();
    t->item[t->n++] = (struct touch){enrollment_id, now};
}

struct flush {
    const struct touches *t;
    struct arena *arena;
};

/* All get the time of the last: it is true to a minute. */
static enum outcome flush_unit(struct db *db, void *arg, struct err *err)
{
    const struct flush *f = arg;
    struct val id[TOUCH_MAX], at[2];

    at[0] = at[1] = val_int(f->t->item[f->t->n - 1].at);
    for (size_t i = 0; i < f->t->n; i++)
        id[i] = val_int(f->t->item[i].enrollment_id);
    return db_exec_in(db, &TOUCH, at, 2, id, f->t->n, f->arena, NULL, err);
}

void touches_flush(struct db *db, struct touches *t, struct arena *a)
{
    struct flush f = {t, a};
    struct err err;

    if (t->n > 0 && db_unit(db, flush_unit, &f, &err) != OK)
        log_err(LOG_LEVEL_WARNING, "enrollment.touch", &err);
    t->n = 0;
}

bool touches_due(const struct touches *t, size_t n)
{
    return t->n != 0 &&
           (n <= TOUCH_QUIET || t->n >= TOUCH_MAX / 2 || clock_mono() - t->oldest > SECOND_US);
}
