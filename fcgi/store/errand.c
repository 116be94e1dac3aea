/* errand.c: see errand.h. */
#include "store/errand.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "store/audit.h"
#include "store/id.h"

#define OUTCOME_CHARS 400
#define COLUMNS                                                                                    \
    "r.id, r.enrollment_id, e.ident, r.account_kind, r.account, r.what, r.item_id, r.message, "    \
    "r.phone, r.address, r.asked_at, r.done_at, r.refused, r.outcome, i.name "                     \
    "FROM errand r JOIN enrollment e ON e.id = r.enrollment_id LEFT JOIN library_item i ON i.id "  \
    "= "                                                                                           \
    "r.item_id "

/* The unique key knows what is open: the second of two at once changes nothing. */
static const struct sql ASK = {
    "errand_ask",
    "INSERT IGNORE INTO errand (id, enrollment_id, account_kind, account, what, item_id, message, "
    "phone, asked_at, address) VALUES (?,?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql OPEN = {"errand_todo",
                                "SELECT " COLUMNS "WHERE r.is_open = 1 ORDER BY r.id LIMIT ?", 0};
static const struct sql OF_DEVICE = {
    "errand_list",
    "SELECT " COLUMNS "WHERE r.enrollment_id = ? AND r.account_kind = ? AND r.account = ? "
    "ORDER BY r.id DESC LIMIT ?",
    0};
static const struct sql CLOSE = {
    "errand_close",
    "UPDATE errand SET is_open = NULL, done_at = ?, refused = ?, outcome = ? WHERE id = ? AND "
    "is_open = 1",
    0};

const char *errand_name(int what)
{
    static const char *const names[] = {[ERRAND_TAKE] = "take",
                                        [ERRAND_GIVE_BACK] = "give-back",
                                        [ERRAND_LOCK] = "lock",
                                        [ERRAND_LEAVE] = "leave"};
    return what >= ERRAND_TAKE && what <= ERRAND_LEAVE ? names[what] : "?";
}

static enum outcome ask_unit(struct db *db, void *arg, struct err *err)
{
    struct errand *e = arg;
    char actor[160], action[32], detail[200];
    uint64_t added = 0;
    enum outcome o = db_exec(
        db, &ASK,
        (struct val[]){val_int(e->id), val_int(e->enrollment_id), val_int(e->who.kind),
                       val_str(e->who.account), val_int(e->what), val_int(e->item_id),
                       val_cut(e->message, ERRAND_MESSAGE_MAX), val_cut(e->phone, ERRAND_PHONE_MAX),
                       val_int(e->asked_at), val_cut(e->address, 64)},
        10, &added, err);
    if (o != OK || added == 0)
        return o;
    snprintf(actor, sizeof actor, "user:%.*s", (int)utf8_prefix(e->who.account, 120),
             e->who.account);
    snprintf(action, sizeof action, "errand.%s", errand_name(e->what));
    snprintf(detail, sizeof detail, "errand=%lld item=%lld address=%.60s", (long long)e->id,
             (long long)e->item_id, e->address);
    return audit_add(db, actor, action, e->ident, detail, err);
}

enum outcome errand_ask(struct db *db, struct errand *e, struct err *err)
{
    e->id = id_new();
    return db_unit(db, ask_unit, e, err);
}

static enum outcome list(const struct rows *r, struct arena *a, struct errand **out, size_t *n,
                         struct err *err)
{
    *out = arena_array(a, r->n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r->n; ++*n) {
        const struct val *v = row_at(r, *n, 0);
        (*out)[*n] = (struct errand){.id = v[0].i,
                                     .enrollment_id = v[1].i,
                                     .ident = v[2].s,
                                     .who = {.kind = (enum account_kind)v[3].i, .account = v[4].s},
                                     .what = (int)v[5].i,
                                     .item_id = v[6].i,
                                     .message = v[7].s,
                                     .phone = v[8].s,
                                     .address = v[9].s,
                                     .asked_at = v[10].i,
                                     .done_at = val_or_0(&v[11]),
                                     .refused = v[12].i != 0,
                                     .outcome = v[13].s,
                                     .item = val_text(&v[14])};
    }
    return OK;
}

enum outcome errand_todo(struct db *db, size_t max, struct arena *a, struct errand **out, size_t *n,
                         struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &OPEN, (struct val[]){val_int((int64_t)max)}, 1, a, &r, err);
    *n = 0;
    return o == OK ? list(&r, a, out, n, err) : o;
}

enum outcome errand_close(struct db *db, int64_t id, const char *why, int64_t now, struct err *err)
{
    return db_exec(db, &CLOSE,
                   (struct val[]){val_int(now), val_int(why != NULL),
                                  val_cut(why ? why : "", OUTCOME_CHARS), val_int(id)},
                   4, NULL, err);
}

enum outcome errand_list(struct db *db, int64_t enrollment_id, const struct owner *who, size_t max,
                         struct arena *a, struct errand **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &OF_DEVICE,
                               (struct val[]){val_int(enrollment_id), val_int(who->kind),
                                              val_str(who->account), val_int((int64_t)max)},
                               4, a, &r, err);
    *n = 0;
    return o == OK ? list(&r, a, out, n, err) : o;
}
