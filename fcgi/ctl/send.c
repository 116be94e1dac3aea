/* send.c: droverctl enqueue and push. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "command/consent.h"
#include "command/send.h"

#define IDS_MAX 1024
#define IDS_TEXT_MAX (16u * LIM_MB) /* octets of a file of ids */
#define PRIORITY_MAX 100
#define DEDUPE_KEY_MAX 128

/* What became of each id; CTL_FAILED when one has an error. */
static int tell(struct ctl *c, const struct sending *s, bool json)
{
    static const struct ctl_column cols[] = {
        {"id", CTL_TEXT}, {"command", CTL_TEXT}, {"push", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, s->n * 3 + 1, sizeof *cells);
    int status = CTL_OK;
    if (s->command_error || s->push_error) {
        fprintf(stderr, "droverctl: %s\n", s->command_error ? s->command_error : s->push_error);
        return CTL_FAILED;
    }
    for (size_t i = 0; cells && i < s->n; i++) {
        const struct target *t = &s->targets[i];
        const char *command = s->command ? s->command->uuid : NULL, *push = t->push_result;
        if (s->command && t->command_error)
            command = t->command_error;
        if (s->push && t->push_error)
            push = t->push_error;
        if ((s->command && t->command_error) || (s->push && t->push_error))
            status = CTL_FAILED;
        cells[i * 3] = val_str(t->id);
        cells[i * 3 + 1] = val_str(command);
        cells[i * 3 + 2] = val_str(push);
    }
    if (!cells || ctl_list(c, json, cols, 3, cells, s->n) != CTL_OK)
        return CTL_FAILED;
    return status;
}

static int run(struct ctl *c, const char *const *ids, size_t n, struct sending *s, bool json)
{
    struct err err;
    struct db *db;
    if (send_targets(c->arena, ids, n, s, &err) != OK)
        return ctl_failed(&err);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (s->command && (!s->reason || !*s->reason) &&
        command_sensitive(db, c->conf, c->arena, s->command->request_type, s->command->removes)) {
        fprintf(stderr, "droverctl: %s is a sensitive command: say --reason\n",
                s->command->request_type);
        return CTL_FAILED;
    }
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    send_run(db, c->conf, c->arena, c->actor, clock_now(), s);
    return tell(c, s, json);
}

int ctl_push(struct ctl *c, int argc, char **argv)
{
    const char *ids[IDS_MAX];
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}};
    struct sending s = {.push = true};
    int n = ctl_args(argc, argv, options, 1, ids, 1, IDS_MAX);
    return n < 0 ? CTL_USAGE : run(c, ids, (size_t)n, &s, json);
}

static bool priority_parse(const char *text, int *out)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    *out = (int)n;
    return !errno && end != text && !*end && n >= -PRIORITY_MAX && n <= PRIORITY_MAX;
}

/* ---- a command by its name ---- */

static void findings_tell(const struct findings *f, const char *id, size_t others)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *g = &f->list[i];
        fprintf(stderr, "droverctl: %s", g->error ? "" : "warning: ");
        if (id)
            fprintf(stderr, others ? "%s and %zu more: " : "%s: ", id, others);
        fprintf(stderr, "%s%s%s\n", g->path, *g->path ? ": " : "", g->text);
    }
    if (f->errors + f->warnings > f->n)
        fprintf(stderr, "droverctl: and %zu more findings\n", f->errors + f->warnings - f->n);
}

/* Rows of those that got nothing: for which the command is wrong, and that are no enrollment. */
static bool order_refused(struct ctl *c, const struct order *o, struct val *cells, size_t *rows)
{
    const char **unknown;
    size_t n;
    if (!order_unknown(c->arena, o, &unknown, &n))
        return false;
    for (size_t i = 0; i < o->checked.n; i++) {
        const struct checked_group *g = o->checked.groups[i];
        for (size_t k = 0; k < g->enrollments && g->found.errors && !o->force; k++, ++*rows)
            memcpy(&cells[*rows * 3],
                   (struct val[]){val_str(g->idents[k]), val_str("the command is not right for it"),
                                  val_null()},
                   3 * sizeof *cells);
    }
    for (size_t i = 0; i < n; i++, ++*rows)
        memcpy(&cells[*rows * 3],
               (struct val[]){val_str(unknown[i]), val_str(ORDER_UNKNOWN_ID), val_null()},
               3 * sizeof *cells);
    return true;
}

int ctl_order_tell(struct ctl *c, const struct order *o, bool json)
{
    static const struct ctl_column cols[] = {
        {"id", CTL_TEXT}, {"command", CTL_TEXT}, {"push", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, o->n * 3 + 3, sizeof *cells);
    size_t n = 0;
    bool good = true;
    for (size_t i = 0; cells && i < o->nparts; i++)
        for (size_t k = 0; k < o->parts[i].send.n; k++) {
            const struct sending *s = &o->parts[i].send;
            const struct target *t = &s->targets[k];
            const char *no = t->command_error ? t->command_error : s->command_error;
            good &= !no && !(s->push && t->push_error);
            cells[n * 3] = val_str(t->id);
            cells[n * 3 + 1] = val_str(no ? no : s->command->uuid);
            cells[n++ * 3 + 2] = val_str(s->push && t->push_error ? t->push_error : t->push_result);
        }
    for (size_t i = 0; i < o->nparts; i++)
        if (o->parts[i].dropped)
            fprintf(stderr, "droverctl: %s and %zu more are not asked for %s\n",
                    o->parts[i].idents[0], o->parts[i].n - 1, o->parts[i].dropped);
    size_t sent = n;
    if (!cells || !order_refused(c, o, cells, &n))
        return ctl_failed(&(struct err){.msg = "out of memory"});
    if (ctl_list(c, json, cols, 3, cells, n) != CTL_OK)
        return CTL_FAILED;
    return good && n == sent ? CTL_OK : CTL_FAILED;
}

/* All or none: a person at the shell is told what is wrong, and decides. */
static bool order_right(struct ctl *c, struct order *o)
{
    struct err err = {0};
    enum outcome out = order_check(c->db, c->conf, c->arena, o, &err);
    if (o->checked.built.n)
        findings_tell(&o->checked.built, NULL, 0);
    for (size_t i = 0; i < o->checked.n; i++)
        findings_tell(&o->checked.groups[i]->found, o->checked.groups[i]->example,
                      o->checked.groups[i]->enrollments - 1);
    if (out != OK && (o->checked.refused == 0 || out != INVALID)) {
        if (!o->checked.built.n)
            ctl_failed(&err);
        return false;
    }
    if (o->checked.refused == 0 || o->force)
        return true;
    fprintf(stderr, "droverctl: nothing was queued; --force sends it all the same\n");
    return false;
}

/* Kept until somebody else approves it. */
static int order_ask(struct ctl *c, struct order *o, bool json)
{
    static const struct ctl_column cols[] = {
        {"approval", CTL_TEXT}, {"state", CTL_TEXT}, {"expires_at", CTL_TIME}};
    struct approval x;
    struct err err;
    if (!ctl_person(c))
        return CTL_FAILED;
    if (consent_ask(c->db, c->conf, c->arena, c->actor, clock_now(), o, &x, &err) != OK)
        return ctl_failed(&err);
    struct val cells[] = {val_str(arena_fmt(c->arena, "%lld", (long long)x.id)),
                          val_str(approval_state_name(x.state)), val_int(x.expires_at)};
    return ctl_list(c, json, cols, 3, cells, 1);
}

static int order_send(struct ctl *c, struct order *o, bool json)
{
    struct err err;
    if (consent_needed(c->conf, order_sensitive(c->db, c->conf, c->arena, o)))
        return order_ask(c, o, json);
    return order_run(c->db, c->conf, c->arena, c->actor, clock_now(), o, &err) == OK
               ? ctl_order_tell(c, o, json)
               : ctl_failed(&err);
}

/* What enqueue was called with. */
struct asked {
    const char *file, *type, *priority, *expires, *not_before, *keys, *reason, *once, *dedupe_key;
    const char *ids_file;
    bool json, no_push, force, supersede;
    struct bytes keys_text;
    struct order o;
};

/* The text of the keys, from where it is. */
static enum outcome keys_text(struct ctl *c, struct asked *x, struct err *err)
{
    x->keys_text = bytes_str(x->keys ? x->keys : "{}");
    if (x->keys && *x->keys == '@')
        return ctl_file(c, x->keys + 1, LIM_BODY_API, &x->keys_text, err);
    return OK;
}

/* A command by its name, checked against the catalogue and the devices. */
static int order_named(struct ctl *c, const char *seed, void *arg)
{
    struct asked *x = arg;
    struct err err = {0};
    js tree = NULL;
    int status = CTL_FAILED;
    if (js_parse(x->keys_text, &tree, &err) != OK) {
        err_prefix(&err, "--keys");
        return ctl_failed(&err);
    }
    x->o.keys = tree;
    x->o.seed = seed;
    if (order_right(c, &x->o))
        status = order_send(c, &x->o, x->json);
    js_free(&tree);
    return status;
}

/* All that makes one call another. */
static void request_write(const struct asked *x, struct buf *out)
{
    buf_fmt(out, "enqueue %s\n%s\n%s\n%s\n%d%d%d\n%s\n%s\n", x->type, x->priority,
            x->expires ? x->expires : "", x->not_before ? x->not_before : "", x->no_push, x->force,
            x->supersede, x->dedupe_key ? x->dedupe_key : "", x->reason ? x->reason : "");
    for (size_t i = 0; i < x->o.n; i++) {
        buf_str(out, x->o.ids[i]);
        buf_char(out, '\n');
    }
    buf_add(out, x->keys_text.p, x->keys_text.n);
}

static int order_once(struct ctl *c, struct asked *x)
{
    struct buf request = BUF_INIT(LIM_BODY_API + IDS_TEXT_MAX + LIM_MB);
    struct err err;
    struct db *db;
    if (keys_text(c, x, &err) != OK)
        return ctl_failed(&err);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    if (!x->once)
        return order_named(c, NULL, x);
    request_write(x, &request);
    int status = buf_failed(&request)
                     ? ctl_failed(&(struct err){.msg = "the command is too long"})
                     : ctl_once(c, x->once, buf_bytes(&request), x->json, order_named, x);
    buf_wipe(&request);
    return status;
}

static bool command_file(struct ctl *c, const char *file, struct raw_command *out)
{
    struct bytes body;
    struct err err;
    enum outcome o = ctl_file(c, file, LIM_BODY_API, &body, &err);
    if (o == OK && raw_command_read(c->arena, body, out, &err) != OK)
        o = err_prefix(&err, "%s", file);
    return o == OK || ctl_failed(&err) == CTL_OK;
}

/* A command's file, sent as it is. */
static int raw_send(struct ctl *c, const struct asked *x)
{
    struct raw_command command;
    struct sending s = {.command = &command,
                        .push = x->o.push,
                        .priority = x->o.priority,
                        .not_before = x->o.not_before,
                        .expires_at = x->o.expires_at,
                        .dedupe_key = x->o.dedupe_key,
                        .dedupe = x->o.dedupe,
                        .reason = x->reason};
    if (!command_file(c, x->file, &command))
        return CTL_FAILED;
    return run(c, x->o.ids, x->o.n, &s, x->json);
}

/* The ids of a file, one on each line. */
static int ids_read(struct ctl *c, struct asked *x)
{
    struct bytes text;
    struct err err;
    if (ctl_file(c, x->ids_file, IDS_TEXT_MAX, &text, &err) != OK)
        return ctl_failed(&err);
    char *p = arena_strndup(c->arena, (const char *)text.p, text.n);
    const char **ids = arena_array(c->arena, ORDER_IDS_MAX, sizeof *ids);
    if (!p || !ids)
        return ctl_failed(&(struct err){.msg = "out of memory"});
    for (size_t n; *p; p += n + (p[n] != '\0')) {
        n = strcspn(p, "\r\n");
        if (n && x->o.n == ORDER_IDS_MAX)
            return ctl_wrong("%s: more than %u ids", x->ids_file, ORDER_IDS_MAX);
        if (n)
            ids[x->o.n++] = arena_strndup(c->arena, p, n);
        if (n && !ids[x->o.n - 1])
            return ctl_failed(&(struct err){.msg = "out of memory"});
    }
    x->o.ids = ids;
    return x->o.n ? CTL_OK : ctl_wrong("%s: no id", x->ids_file);
}

/* CTL_OK, or what the verb ends with. */
static int asked_right(struct asked *x)
{
    struct order *o = &x->o;
    int64_t in = 0, after = 0, now = clock_now();
    if (!x->file == !x->type)
        return ctl_wrong("enqueue: give --file FILE (a command's property list; - is standard "
                         "input) or --request-type NAME");
    if (x->file && (x->keys || x->force || x->once))
        return ctl_wrong("--keys, --force and --idempotency-key belong to --request-type; a file "
                         "is sent as it is, once for its CommandUUID");
    if (x->supersede && !x->dedupe_key)
        return ctl_wrong("--supersede belongs to --dedupe-key");
    if (x->dedupe_key && (!*x->dedupe_key || strlen(x->dedupe_key) > DEDUPE_KEY_MAX))
        return ctl_wrong("--dedupe-key has 1 to %d octets", DEDUPE_KEY_MAX);
    if (!priority_parse(x->priority, &o->priority))
        return ctl_wrong("--priority: \"%s\" is no number from -%d to %d", x->priority,
                         PRIORITY_MAX, PRIORITY_MAX);
    if (x->expires && !ctl_duration(x->expires, &in))
        return ctl_wrong("--expires: \"%s\" is no time like 7d", x->expires);
    if (x->not_before && !ctl_duration(x->not_before, &after))
        return ctl_wrong("--not-before: \"%s\" is no time like 8h", x->not_before);
    if (in && in <= after)
        return ctl_wrong("--expires %s is over before --not-before %s", x->expires, x->not_before);
    o->request_type = x->type;
    o->force = x->force;
    o->push = !x->no_push;
    o->expires_at = in ? now + in : 0;
    o->not_before = after ? now + after : 0;
    o->reason = x->reason;
    o->dedupe_key = x->dedupe_key;
    o->dedupe = x->supersede ? DEDUPE_SUPERSEDE : DEDUPE_SKIP;
    return CTL_OK;
}

int ctl_enqueue(struct ctl *c, int argc, char **argv)
{
    const char *ids[IDS_MAX];
    struct asked x = {.priority = "0"};
    const struct ctl_option options[] = {{.name = "file", .value = &x.file},
                                         {.name = "request-type", .value = &x.type},
                                         {.name = "priority", .value = &x.priority},
                                         {.name = "not-before", .value = &x.not_before},
                                         {.name = "expires", .value = &x.expires},
                                         {.name = "no-push", .flag = &x.no_push},
                                         {.name = "json", .flag = &x.json},
                                         {.name = "keys", .value = &x.keys},
                                         {.name = "force", .flag = &x.force},
                                         {.name = "reason", .value = &x.reason},
                                         {.name = "idempotency-key", .value = &x.once},
                                         {.name = "dedupe-key", .value = &x.dedupe_key},
                                         {.name = "supersede", .flag = &x.supersede},
                                         {.name = "ids-file", .value = &x.ids_file}};
    int n = ctl_args(argc, argv, options, sizeof options / sizeof *options, ids, 0, IDS_MAX);
    if (n < 0)
        return CTL_USAGE;
    if ((n == 0) != (x.ids_file != NULL))
        return ctl_wrong("enqueue: give ids, or --ids-file FILE with one on each line");
    x.o.ids = ids;
    x.o.n = (size_t)n;
    int status = asked_right(&x);
    if (status == CTL_OK && x.ids_file)
        status = ids_read(c, &x);
    if (status != CTL_OK)
        return status;
    return x.file ? raw_send(c, &x) : order_once(c, &x);
}
