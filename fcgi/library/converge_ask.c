/* converge_ask.c: feedback of apps, updates of the store, and which profiles are there: see
 * converge.h. */
#include "library/converge_int.h"

#include "base/log.h"
#include "base/uuid.h"

#include <stdio.h>

static const struct {
    const char *request_type, *dedupe;
} questions[] = {[WANTED_ASK_FEEDBACK] = {"ManagedApplicationFeedback", "feedback"},
                 [WANTED_ASK_UPDATE] = {"InstalledApplicationList", "update"}};

/* One command for the devices of one item. */
static enum outcome ask_some(struct converge *c, enum wanted_question q,
                             const struct wanted_ask *list, size_t n, int64_t now, struct err *err)
{
    const char **idents = arena_array(c->a, n, sizeof *idents);
    enum enqueue_outcome *outcomes = arena_array(c->a, n, sizeof *outcomes);
    int64_t *ids = arena_array(c->a, n, sizeof *ids);
    char uuid[UUID_LEN + 1], key[48];
    js keys = js_object(), identifiers = js_array();
    struct bytes body;
    enum outcome o;

    uuid_v4(uuid);
    snprintf(key, sizeof key, "%s:%lld", questions[q].dedupe, (long long)list[0].item_id);
    js_append(identifiers, js_new_str(list[0].identifier));
    js_set(keys, "Identifiers", identifiers);
    if (q == WANTED_ASK_FEEDBACK && list[0].feedback_delete)
        js_set_bool(keys, "DeleteFeedback", true);
    o = converge_keys_command(c, questions[q].request_type, keys, uuid, &body, err);
    js_free(&keys);
    if (o == OK && (idents == NULL || outcomes == NULL || ids == NULL))
        o = err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < n; i++)
        idents[i] = list[i].ident;
    struct enqueue e = {.uuid = uuid,
                        .request_type = questions[q].request_type,
                        .body = body,
                        .idents = idents,
                        .n = n,
                        .dedupe_key = key,
                        .actor = CONVERGE_ACTOR,
                        .push = true,
                        .push_keep_s = c->conf->apns_expiration_s,
                        .now = now,
                        .outcomes = outcomes,
                        .enrollment_ids = ids};
    if (o == OK)
        o = queue_add(c->db, &e, err);
    if (o == OK)
        log_msg(LOG_LEVEL_INFO, "converge.asked", "%s of %.128s for %zu devices", e.request_type,
                list[0].identifier, n);
    /* what was asked before and is not answered yet is not asked again */
    return o == OK || o == NOT_FOUND ? wanted_asked(c->db, q, list, n, now, c->a, err) : o;
}

static enum outcome ask(struct converge *c, enum wanted_question q, int64_t now, bool *more,
                        struct err *err)
{
    struct wanted_ask *list = NULL;
    size_t n = 0;
    enum outcome o;

    arena_reset(c->a);
    o = wanted_asks(c->db, q, now, CONVERGE_SOME, c->a, &list, &n, err);
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        for (k = 1; from + k < n && list[from + k].item_id == list[from].item_id;)
            k++;
        o = ask_some(c, q, list + from, k, now, err);
    }
    *more |= n == CONVERGE_SOME;
    c->did += n;
    return o;
}

enum outcome converge_ask(struct converge *c, int64_t now, struct err *err)
{
    bool more = false;
    size_t n = 0;
    enum outcome o = ask(c, WANTED_ASK_FEEDBACK, now, &more, err);

    if (o == OK)
        o = ask(c, WANTED_ASK_UPDATE, now, &more, err);
    if (o == OK)
        o = wanted_updates(c->db, now, CONVERGE_SOME, &n, err);
    if (n > 0)
        log_msg(LOG_LEVEL_INFO, "converge.updates", "%zu apps have an update in the store", n);
    c->did += n;
    if (o == OK && !more && n < CONVERGE_SOME)
        c->next_ask = now + MINUTE_US;
    return o;
}

/* One command for all of them; who has such a command open is not asked twice. */
static enum outcome look_some(struct converge *c, const struct rows *r, int64_t now,
                              struct err *err)
{
    const char **idents = arena_array(c->a, r->n, sizeof *idents);
    enum enqueue_outcome *outcomes = arena_array(c->a, r->n, sizeof *outcomes);
    int64_t *ids = arena_array(c->a, r->n, sizeof *ids);
    js keys = js_object();
    char uuid[UUID_LEN + 1];
    struct bytes body;
    enum outcome o;

    uuid_v4(uuid);
    o = converge_keys_command(c, "ProfileList", keys, uuid, &body, err);
    js_free(&keys);
    if (o == OK && (idents == NULL || outcomes == NULL || ids == NULL))
        o = err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r->n; i++)
        idents[i] = row_at(r, i, 1)->s;
    struct enqueue e = {.uuid = uuid,
                        .request_type = "ProfileList",
                        .body = body,
                        .idents = idents,
                        .n = r->n,
                        .dedupe_key = "look:ProfileList",
                        .actor = CONVERGE_ACTOR,
                        .push = true,
                        .push_keep_s = c->conf->apns_expiration_s,
                        .now = now,
                        .outcomes = outcomes,
                        .enrollment_ids = ids};
    if (o == OK)
        o = queue_add(c->db, &e, err);
    if (o == OK)
        log_msg(LOG_LEVEL_INFO, "converge.looked", "%zu are asked for their profiles", r->n);
    return o == NOT_FOUND ? OK : o;
}

/* A walk over all of them, four times in the hours after which one is asked again: so often at most
 * is one asked that tells no list. */
enum outcome converge_look(struct converge *c, int64_t now, struct err *err)
{
    int64_t hours = c->conf->library_look_hours;
    struct rows r = {0};
    enum outcome o = OK;

    arena_reset(c->a);
    if (hours > 0)
        o = wanted_unseen(c->db, now - hours * HOUR_US, c->looked, CONVERGE_SOME, c->a, &r, err);
    if (o == OK && r.n > 0)
        o = look_some(c, &r, now, err);
    if (o != OK)
        return o;
    c->did += r.n;
    c->looked = r.n == CONVERGE_SOME ? row_at(&r, r.n - 1, 0)->i : 0;
    if (r.n < CONVERGE_SOME) /* and so long may a setting that was changed wait */
        c->next_look = now + (hours > 0 ? hours * HOUR_US / 4 : HOUR_US);
    return OK;
}
