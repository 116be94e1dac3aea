/* send.c: droverctl enqueue and push. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "command/order.h"
#include "command/send.h"

#define IDS_MAX 1024
#define PRIORITY_MAX 100

/* What became of each id; CTL_FAILED when one has an error. */
static int tell(struct ctl *c, const struct send *s, bool json)
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

static int run(struct ctl *c, const char *const *ids, size_t n, struct send *s, bool json)
{
    struct err err;
    struct db *db;
    if (send_targets(c->arena, ids, n, s, &err) != OK)
        return ctl_failed(&err);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    send_run(db, c->conf, c->arena, c->actor, clock_now(), s);
    return tell(c, s, json);
}

int ctl_push(struct ctl *c, int argc, char **argv)
{
    const char *ids[IDS_MAX];
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}};
    struct send s = {.push = true};
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

static enum outcome keys_read(struct ctl *c, const char *text, js *keys, struct err *err)
{
    struct bytes body = text ? bytes_str(text) : bytes_str("{}");
    if (text && *text == '@') {
        enum outcome o = ctl_file(c, text + 1, LIM_BODY_API, &body, err);
        if (o != OK)
            return o;
    }
    return js_parse(body, keys, err) == OK ? OK : err_prefix(err, "--keys");
}

/* Each id once, with what became of it. */
static int order_tell(struct ctl *c, const struct order *o, bool json)
{
    static const struct ctl_column cols[] = {
        {"id", CTL_TEXT}, {"command", CTL_TEXT}, {"push", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, o->n * 3 + 3, sizeof *cells);
    size_t n = 0;
    bool good = true;
    for (size_t i = 0; cells && i < o->nparts; i++)
        for (size_t k = 0; k < o->parts[i].send.n; k++) {
            const struct send *s = &o->parts[i].send;
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
    if (!cells || ctl_list(c, json, cols, 3, cells, n) != CTL_OK)
        return CTL_FAILED;
    return good && n == o->n ? CTL_OK : CTL_FAILED;
}

/* All or none: a person at the shell is told what is wrong, and decides. */
static bool order_right(struct ctl *c, struct order *o)
{
    struct err err = {0};
    enum outcome out = order_check(c->db, c->arena, o, &err);
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

/* A command by its name, checked against the catalogue and the devices. */
static int order_named(struct ctl *c, struct order *o, const char *keys, bool json)
{
    struct err err = {0};
    struct db *db;
    js tree = NULL;
    int status = CTL_FAILED;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    if (keys_read(c, keys, &tree, &err) != OK)
        ctl_failed(&err);
    else {
        o->keys = tree;
        if (order_right(c, o))
            status = order_run(db, c->conf, c->arena, c->actor, clock_now(), o, &err) == OK
                         ? order_tell(c, o, json)
                         : ctl_failed(&err);
    }
    js_free(&tree);
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

int ctl_enqueue(struct ctl *c, int argc, char **argv)
{
    const char *ids[IDS_MAX], *file = NULL, *type = NULL, *priority = "0";
    const char *expires = NULL, *not_before = NULL, *keys = NULL, *reason = NULL;
    bool json = false, no_push = false, force = false;
    const struct ctl_option options[] = {
        {.name = "file", .value = &file},         {.name = "request-type", .value = &type},
        {.name = "priority", .value = &priority}, {.name = "not-before", .value = &not_before},
        {.name = "expires", .value = &expires},   {.name = "no-push", .flag = &no_push},
        {.name = "json", .flag = &json},          {.name = "keys", .value = &keys},
        {.name = "force", .flag = &force},        {.name = "reason", .value = &reason}};
    struct raw_command command;
    struct send s = {.command = &command};
    int64_t in = 0, after = 0;
    int n = ctl_args(argc, argv, options, 10, ids, 1, IDS_MAX);
    if (n < 0)
        return CTL_USAGE;
    if (!file == !type)
        return ctl_wrong("enqueue: give --file FILE (a command's property list; - is standard "
                         "input) or --request-type NAME");
    if (file && (keys || force || reason))
        return ctl_wrong(
            "--keys, --force and --reason belong to --request-type; a file is sent as it is");
    if (!priority_parse(priority, &s.priority))
        return ctl_wrong("--priority: \"%s\" is no number from -%d to %d", priority, PRIORITY_MAX,
                         PRIORITY_MAX);
    if (expires && !ctl_duration(expires, &in))
        return ctl_wrong("--expires: \"%s\" is no time like 7d", expires);
    if (not_before && !ctl_duration(not_before, &after))
        return ctl_wrong("--not-before: \"%s\" is no time like 8h", not_before);
    if (in && in <= after)
        return ctl_wrong("--expires %s is over before --not-before %s", expires, not_before);
    s.expires_at = in ? clock_now() + in : 0;
    s.not_before = after ? clock_now() + after : 0;
    s.push = !no_push;
    if (file)
        return command_file(c, file, &command) ? run(c, ids, (size_t)n, &s, json) : CTL_FAILED;
    struct order o = {.request_type = type,
                      .ids = ids,
                      .n = (size_t)n,
                      .force = force,
                      .push = s.push,
                      .priority = s.priority,
                      .not_before = s.not_before,
                      .expires_at = s.expires_at,
                      .reason = reason};
    return order_named(c, &o, keys, json);
}
