/* converge_ask.c: feedback of apps, and updates of the store: see converge.h. */
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
