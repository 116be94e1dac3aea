/* send.c: droverctl enqueue and push. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
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

static enum outcome command_get(struct ctl *c, const char *file, const char *type,
                                struct raw_command *out, struct err *err)
{
    struct bytes body;
    if (type)
        return raw_command_simple(c->arena, type, out, err);
    enum outcome o = ctl_file(c, file, LIM_BODY_API, &body, err);
    if (o == OK && raw_command_read(c->arena, body, out, err) != OK)
        o = err_prefix(err, "%s", file);
    return o;
}

int ctl_enqueue(struct ctl *c, int argc, char **argv)
{
    const char *ids[IDS_MAX], *file = NULL, *type = NULL, *priority = "0";
    const char *expires = NULL, *not_before = NULL;
    bool json = false, no_push = false;
    const struct ctl_option options[] = {
        {.name = "file", .value = &file},         {.name = "request-type", .value = &type},
        {.name = "priority", .value = &priority}, {.name = "not-before", .value = &not_before},
        {.name = "expires", .value = &expires},   {.name = "no-push", .flag = &no_push},
        {.name = "json", .flag = &json}};
    struct raw_command command;
    struct send s = {.command = &command};
    struct err err;
    int64_t in = 0, after = 0;
    int n = ctl_args(argc, argv, options, 7, ids, 1, IDS_MAX);
    if (n < 0)
        return CTL_USAGE;
    if (!file == !type)
        return ctl_wrong("enqueue: give --file FILE (a command's property list; - is standard "
                         "input) or --request-type NAME");
    if (!priority_parse(priority, &s.priority))
        return ctl_wrong("--priority: \"%s\" is no number from -%d to %d", priority, PRIORITY_MAX,
                         PRIORITY_MAX);
    if (expires && !ctl_duration(expires, &in))
        return ctl_wrong("--expires: \"%s\" is no time like 7d", expires);
    if (not_before && !ctl_duration(not_before, &after))
        return ctl_wrong("--not-before: \"%s\" is no time like 8h", not_before);
    s.expires_at = in ? clock_now() + in : 0;
    s.not_before = after ? clock_now() + after : 0;
    s.push = !no_push;
    if (command_get(c, file, type, &command, &err) != OK)
        return ctl_failed(&err);
    return run(c, ids, (size_t)n, &s, json);
}
