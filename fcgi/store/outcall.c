/* outcall.c: see outcall.h. */
#include "store/outcall.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <time.h>

#define STEP_MS 50
#define ANSWERED 3

static const struct sql ADD = {
    "outcall_add",
    "INSERT INTO outcall (id, service, topic, request, state, created_at) VALUES (?,?,?,?,1,?)", 0};
static const struct sql STATE = {"outcall_state", "SELECT state FROM outcall WHERE id=?", 0};
static const struct sql ANSWER = {
    "outcall_answer", "SELECT status, content_type, answer, error FROM outcall WHERE id=?", 0};
static const struct sql REMOVE = {"outcall_remove", "DELETE FROM outcall WHERE id=?", 0};
static const struct sql WAITING = {
    "outcall_waiting",
    "SELECT id, service, topic, request FROM outcall WHERE state=1 ORDER BY id LIMIT ?", 0};
static const struct sql CLAIM = {"outcall_claim",
                                 "UPDATE outcall SET state=2 WHERE id=? AND state=1", 0};
static const struct sql ANSWERS = {
    "outcall_answered",
    "UPDATE outcall SET state=3, status=?, content_type=?, answer=?, error=? WHERE id=?", 0};

enum outcome outcall_add(struct db *db, const struct outcall *c, int64_t now, struct err *err)
{
    return db_exec(db, &ADD,
                   (struct val[]){val_int(c->id), val_str(c->service), val_str(c->topic),
                                  val_secret(c->request), val_int(now)},
                   5, NULL, err);
}

static enum outcome take_answer(struct db *db, int64_t id, struct arena *a,
                                struct outcall_answer *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &ANSWER, (struct val[]){val_int(id)}, 1, a, &r, err);

    if (o != OK || r.n == 0)
        return o != OK ? o : err_set(err, ERROR, "the call was removed by somebody else");
    const struct val *v = row_at(&r, 0, 0);
    *out = (struct outcall_answer){(int)v[0].i, val_text(&v[1]), val_bytes(&v[2]), val_text(&v[3])};
    return OK;
}

enum outcome outcall_wait(struct db *db, int64_t id, int timeout_ms, struct arena *a,
                          struct outcall_answer *out, struct err *err)
{
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    int64_t end = clock_mono() + (int64_t)timeout_ms * 1000, state = 0;
    struct val key = val_int(id);
    struct rows r;
    enum outcome o;

    while ((o = db_select(db, &STATE, &key, 1, a, &r, err)) == OK) {
        state = r.n > 0 ? row_at(&r, 0, 0)->i : ANSWERED;
        if (state == ANSWERED || clock_mono() >= end)
            break;
        nanosleep(&step, NULL);
    }
    if (o == OK && state == ANSWERED)
        o = take_answer(db, id, a, out, err);
    else if (o == OK)
        o = err_set(err, UNAVAILABLE,
                    state == 1 ? "the agent did not take up the call; is `drover agent` running?"
                               : "the service did not answer in time; whether it has acted is not "
                                 "known");
    if (o == OK || o == UNAVAILABLE) {
        struct err ignored;

        if (db_exec(db, &REMOVE, &key, 1, NULL, &ignored) != OK)
            return o; /* the purge finds it */
    }
    return o;
}

enum outcome outcall_claim(struct db *db, size_t max, struct arena *a, struct outcall **out,
                           size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &WAITING, (struct val[]){val_int((int64_t)max)}, 1, a, &r, err);

    *n = 0;
    *out = arena_array(a, r.n + 1, sizeof(**out));
    if (o == OK && *out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        uint64_t mine;

        o = db_exec(db, &CLAIM, v, 1, &mine, err);
        if (o == OK && mine > 0)
            (*out)[(*n)++] = (struct outcall){v[0].i, v[1].s, v[2].s, val_bytes(&v[3])};
    }
    return o;
}

enum outcome outcall_answered(struct db *db, int64_t id, const struct outcall_answer *answer,
                              struct err *err)
{
    const char *type = answer->content_type != NULL ? answer->content_type : "";
    const char *error = answer->error != NULL ? answer->error : "";
    uint64_t rows;
    enum outcome o =
        db_exec(db, &ANSWERS,
                (struct val[]){val_int(answer->status), val_strn(type, utf8_prefix(type, 128)),
                               val_bin(answer->body), val_strn(error, utf8_prefix(error, 400)),
                               val_int(id)},
                5, &rows, err);

    return o == OK && rows == 0 ? err_set(err, NOT_FOUND, "nobody waits for this call") : o;
}
