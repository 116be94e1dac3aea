/* retry.c: see retry.h. */
#include "command/retry.h"

#include "base/limits.h"
#include "command/consent.h"
#include "command/plist_json.h"

#include <stdlib.h>

struct run {
    struct db *db;
    const struct conf *conf;
    struct arena *a;
    const char *actor;
    int64_t now;
    struct retry *r;
    struct err *err;
};

const char *retry_outcome_name(enum retry_outcome o)
{
    static const char *const names[] = {"refused", "queued", "queued-before", "waiting"};

    return names[o];
}

/* ---- which ones ---- */

#define OF_LIBRARY (COMMAND_FILL_FILE | COMMAND_FILL_CODE | COMMAND_FILL_VALUES)

const char *retry_refusal(const struct retry_item *x, bool many)
{
    if (x->command_id == 0)
        return "there is no such command of this enrollment";
    if (x->state < QUEUE_ACKNOWLEDGED)
        return "it is not over yet";
    if (x->state == QUEUE_ACKNOWLEDGED)
        return "it did not fail";
    if ((x->fill & OF_LIBRARY) != 0 || strncmp(x->created_by, "rule:", 5) == 0)
        return "a rule sent it, and tries again by itself";
    if (x->secret)
        return "it held a secret, which is opened at its delivery alone: send the command anew";
    if (x->again_state == QUEUE_ACKNOWLEDGED)
        return "it was sent again, and was done then";
    if (!x->sensitive)
        return NULL;
    if (many)
        return "a sensitive command is sent again by its CommandUUID alone";
    return x->enrolled_at > x->queued_at
               ? "the device has enrolled anew since: send the command anew"
               : NULL;
}

static void refuse(struct retry_one *x, const char *why)
{
    x->outcome = RETRY_REFUSED;
    x->why = why != NULL ? why : "it cannot be sent again";
}

/* What a RemoveProfile removes; NULL: it is not kept, and cannot be sent again. */
static enum outcome removes_of(struct db *db, int64_t command_id, struct arena *a, const char **out,
                               struct err *err)
{
    struct bytes body;
    pl root = NULL;
    enum outcome o = retry_body(db, command_id, a, &body, err);

    *out = NULL;
    if (o == OK && pl_parse(body, &root, err) == OK)
        *out = pl_get_str(pl_get(root, "Command"), "Identifier");
    *out = *out != NULL ? arena_strdup(a, *out) : NULL;
    pl_free(&root);
    if (o == UNAVAILABLE || o == ERROR)
        return o;
    *err = (struct err){.outcome = OK};
    return OK;
}

enum outcome retry_look(struct db *db, const struct conf *conf, const char *ident, const char *uuid,
                        int64_t now, struct arena *a, struct retry_item *out, struct err *err)
{
    const char *removes = NULL;
    enum outcome o = retry_find(db, ident, uuid, now, a, out, err);

    if (o == OK && out->command_id != 0 && strcmp(out->request_type, "RemoveProfile") == 0)
        o = removes_of(db, out->command_id, a, &removes, err);
    out->sensitive = o == OK && out->command_id != 0 &&
                     command_sensitive(db, conf, a, out->request_type, removes);
    return o;
}

/* Looks it up and decides whether it is sent again at all. */
static enum outcome judge(struct run *r, struct retry_one *x)
{
    const struct retry_item *i = &x->item;
    const char *why;
    enum outcome o = retry_look(r->db, r->conf, x->ident, x->uuid, r->now, r->a, &x->item, r->err);

    if (o != OK)
        return o;
    x->request_type = i->command_id != 0 ? i->request_type : "";
    x->again = x->why = "";
    x->outcome = RETRY_QUEUED;
    if ((why = retry_refusal(i, r->r->many)) != NULL)
        refuse(x, why);
    else if (r->r->forbids != NULL && (why = r->r->forbids(r->r->forbids_arg, i)) != NULL)
        refuse(x, why);
    else if (i->again_state != 0 && i->again_state < QUEUE_ACKNOWLEDGED) {
        x->outcome = RETRY_OPEN;
        x->again = i->again;
    } else if (i->approval != 0) {
        x->outcome = RETRY_ASKED;
        x->approval = i->approval;
    }
    return OK;
}

static bool to_send(const struct retry_one *x)
{
    return x->outcome == RETRY_QUEUED && x->again[0] == '\0';
}

static int by_command(const void *a, const void *b)
{
    const struct retry_one *x = *(struct retry_one *const *)a, *y = *(struct retry_one *const *)b;
    int c;

    if (x->item.command_id != y->item.command_id)
        return x->item.command_id < y->item.command_id ? -1 : 1;
    c = strcmp(x->ident, y->ident);
    return c != 0 ? c : (x > y) - (x < y);
}

/* ---- one command, for the enrollments on which it failed ---- */

struct group {
    struct retry_one **of;
    size_t n;
    struct order order;
};

/* The keys of a command, as they were when it was queued. */
static enum outcome keys_of(struct run *r, int64_t command_id, js *keys)
{
    struct bytes body;
    pl root = NULL;
    enum outcome o = retry_body(r->db, command_id, r->a, &body, r->err);

    *keys = NULL;
    if (o == OK)
        o = pl_parse(body, &root, r->err);
    if (o == OK && pl_type_of(pl_get(root, "Command")) == PL_DICT) {
        pl_remove(pl_get(root, "Command"), "RequestType");
        *keys = plist_json_keys(pl_get(root, "Command"), r->a);
    }
    pl_free(&root);
    return o;
}

static struct retry_one *member(const struct group *g, const char *ident)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->of[i]->ident, ident) == 0)
            return g->of[i];
    return NULL;
}

/* What the check found against it. */
static const char *finding(struct run *r, const struct findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->list[i].error)
            return f->list[i].path[0] != '\0'
                       ? arena_fmt(r->a, "%s: %s", f->list[i].path, f->list[i].text)
                       : f->list[i].text;
    return "the command is not right for it";
}

static void note_refused(struct run *r, const struct group *g)
{
    const struct checked *k = &g->order.checked;

    for (size_t i = 0; i < k->n; i++)
        for (size_t j = 0; k->groups[i]->found.errors > 0 && j < k->groups[i]->enrollments; j++) {
            struct retry_one *x = member(g, k->groups[i]->idents[j]);

            if (x != NULL)
                refuse(x, finding(r, &k->groups[i]->found));
        }
}

/* Somebody else was faster: theirs is what is sent in its place. */
static enum outcome look_again(struct run *r, struct retry_one *x, const char *error)
{
    enum outcome o = retry_find(r->db, x->ident, x->uuid, r->now, r->a, &x->item, r->err);

    if (o == OK && x->item.again_state != 0 && x->item.again_state < QUEUE_ACKNOWLEDGED) {
        x->outcome = RETRY_OPEN;
        x->again = x->item.again;
        x->why = "";
    } else {
        refuse(x, error);
    }
    return o;
}

static enum outcome note_sent(struct run *r, const struct group *g)
{
    enum outcome o = OK;

    for (size_t i = 0; i < g->order.nparts; i++)
        for (size_t j = 0; o == OK && j < g->order.parts[i].send.n; j++) {
            const struct sending *s = &g->order.parts[i].send;
            const struct target *t = &s->targets[j];
            const char *error = t->command_error != NULL ? t->command_error : s->command_error;
            struct retry_one *x = member(g, t->id);

            if (x == NULL)
                continue;
            if (error != NULL)
                o = look_again(r, x, error);
            else
                x->again = g->order.parts[i].command.uuid;
        }
    return o;
}

static enum outcome ask(struct run *r, struct group *g)
{
    struct approval x;
    enum outcome o = consent_ask(r->db, r->conf, r->a, r->actor, r->now, &g->order, &x, r->err);

    for (size_t i = 0; o == OK && i < g->n; i++)
        if (g->of[i]->outcome == RETRY_QUEUED) {
            g->of[i]->outcome = RETRY_ASKED;
            g->of[i]->approval = x.id;
        }
    return o;
}

static enum outcome send_group(struct run *r, struct group *g)
{
    bool two = consent_needed(r->conf, g->of[0]->item.sensitive);
    enum outcome o;

    if (r->r->dry || two) {
        o = r->r->dry ? order_check(r->db, r->conf, r->a, &g->order, r->err) : ask(r, g);
        note_refused(r, g);
        for (size_t i = 0; r->r->dry && two && i < g->n; i++)
            if (g->of[i]->outcome == RETRY_QUEUED)
                g->of[i]->outcome = RETRY_ASKED;
        return o;
    }
    o = order_run(r->db, r->conf, r->a, r->actor, r->now, &g->order, r->err);
    if (o != OK)
        return o;
    note_refused(r, g);
    return note_sent(r, g);
}

/* What is wrong with all of them is told of each. */
static enum outcome all_refused(struct run *r, const struct group *g)
{
    const char *why = g->order.checked.built.errors > 0 ? finding(r, &g->order.checked.built)
                                                        : arena_strdup(r->a, r->err->msg);

    for (size_t i = 0; i < g->n; i++)
        if (g->of[i]->outcome != RETRY_REFUSED)
            refuse(g->of[i], why);
    *r->err = (struct err){.outcome = OK};
    return OK;
}

static enum outcome group_run(struct run *r, struct group *g)
{
    const struct retry_item *i = &g->of[0]->item;
    const char **ids = arena_array(r->a, g->n + 1, sizeof *ids);
    const char *key = i->dedupe_key[0] != '\0'
                          ? i->dedupe_key
                          : arena_fmt(r->a, "retry:%lld", (long long)i->command_id);
    js keys = NULL;
    enum outcome o = ids != NULL && key != NULL ? keys_of(r, i->command_id, &keys)
                                                : err_set(r->err, ERROR, "out of memory");

    for (size_t k = 0; o == OK && k < g->n; k++)
        ids[k] = g->of[k]->ident;
    g->order = (struct order){.request_type = i->request_type,
                              .keys = keys,
                              .ids = ids,
                              .n = g->n,
                              .push = r->r->push,
                              .no_wait = r->r->no_wait,
                              .reason = r->r->reason,
                              .dedupe_key = key,
                              .retry_of = i->command_id};
    if (r->r->reason == NULL && !i->sensitive && i->reason[0] != '\0')
        g->order.reason = i->reason;
    if (o == OK)
        o = send_group(r, g);
    js_free(&keys);
    return o == INVALID || o == NOT_FOUND || o == CONFLICT || o == DENIED ? all_refused(r, g) : o;
}

/* ---- all of them ---- */

enum outcome retry_run(struct db *db, const struct conf *conf, struct arena *a, const char *actor,
                       int64_t now, struct retry *retry, struct err *err)
{
    struct run r = {db, conf, a, actor, now, retry, err};
    struct retry_one **send = arena_array(a, retry->n + 1, sizeof(struct retry_one *));
    size_t n = 0;
    enum outcome o = send != NULL && retry->n <= RETRY_MAX
                         ? OK
                         : err_set(err, send != NULL ? INVALID : ERROR,
                                   "at most %u commands are sent again at once", RETRY_MAX);

    memset(retry->counts, 0, sizeof retry->counts);
    for (size_t i = 0; o == OK && i < retry->n; i++) {
        o = judge(&r, &retry->list[i]);
        if (o == OK && to_send(&retry->list[i]))
            send[n++] = &retry->list[i];
    }
    if (n > 1)
        qsort(send, n, sizeof(struct retry_one *), by_command);
    for (size_t from = 0, k; o == OK && from < n; from += k) {
        struct group g = {.of = send + from};

        for (k = 0; from + k < n && send[from + k]->item.command_id == send[from]->item.command_id;)
            k++;
        g.n = k;
        o = group_run(&r, &g);
    }
    for (size_t i = 0; o == OK && i < retry->n; i++)
        retry->counts[retry->list[i].outcome]++;
    return o;
}
