/* part_lists.c: lists of a device that are no inventory: its queue, results, its users, the audit
 * log. */
#include "command/sensitive.h"
#include "console/part.h"
#include "console/device.h"
#include "console/trail.h"

#include <errno.h>
#include <stdlib.h>

#include "store/audit.h"
#include "store/device.h"

/* ---- a table: heads, and cells in lines ---- */

static void heads(struct page *p, const char *const *keys)
{
    struct value *list = value_set_list(p->root, "heads");
    for (; *keys; keys++)
        value_set_text(value_append_dict(list), "name", page_text(p, *keys));
    value_set_bool(p->root, "is_list", true);
}

static struct value *line_of(struct page *p, struct value *lines)
{
    value_set_bool(p->root, "some", true);
    return value_set_list(value_append_dict(lines), "cells");
}

static struct value *cell(struct value *cells, const char *text, const char *link)
{
    struct value *v = value_append_dict(cells);
    value_set_text(v, "text", text);
    value_set_text(v, "link", link);
    return v;
}

static void cell_time(struct page *p, struct value *cells, int64_t at)
{
    page_time(p, value_append_dict(cells), "time", at);
}

static void cell_state(struct page *p, struct value *cells, const char *prefix, const char *name)
{
    struct value *mark = value_set_dict(value_append_dict(cells), "mark");
    const char *key = arena_fmt(p->a, "%s_%s", prefix, name);
    value_set_text(mark, "name", name);
    value_set_text(mark, "text", key ? page_text(p, key) : name);
}

/* ---- commands ---- */

static void command_cells(struct page *p, struct value *cells, const char *ident,
                          const struct queue_item *q)
{
    cell(cells, q->request_type, device_command_link(p, ident, q->uuid));
    cell_state(p, cells, "queue", queue_state_name(q->state));
    cell_time(p, cells, q->queued_at);
    cell(cells, q->created_by, NULL);
    cell_time(p, cells, q->sent_at);
    cell_time(p, cells, q->notnow_at);
}

/* Where the page before ended in the order of the queue: "PRIORITY.QUEUED_AT.COMMAND_ID". */
static bool queue_place(const char *from, struct queue_item *out)
{
    long long n[3];
    char *end = NULL;
    errno = 0;
    for (int i = 0; i < 3; i++, from = end + 1) {
        n[i] = strtoll(from, &end, 10);
        if (end == from || *end != (i < 2 ? '.' : '\0'))
            return false;
    }
    *out = (struct queue_item){.priority = (int)n[0], .queued_at = n[1], .command_id = n[2]};
    return !errno && n[0] >= -100 && n[0] <= 100;
}

enum outcome device_list_queue(struct page *p, const struct fleet_device *d, const char *from,
                               const char **next)
{
    static const char *const keys[] = {"col_command",  "state",      "queued",  "col_by", "sent",
                                       "notnow_since", "not_before", "expires", NULL};
    struct queue_item after, *q;
    size_t n;
    enum outcome o = queue_list(p->db, d->ident, queue_place(from, &after) ? &after : NULL,
                                PAGE_ROWS, 0, p->a, &q, &n, &p->err);
    struct value *lines = value_set_list(p->root, "lines");
    heads(p, keys);
    for (size_t i = 0; o == OK && i < n; i++) {
        struct value *line = value_append_dict(lines), *cells = value_set_list(line, "cells");
        value_set_text(line, "uuid", q[i].uuid);
        value_set_text(line, "called", q[i].request_type);
        command_cells(p, cells, d->ident, &q[i]);
        cell_time(p, cells, q[i].not_before > p->req->now ? q[i].not_before : 0);
        cell_time(p, cells, q[i].expires_at);
    }
    value_set_bool(p->root, "some", o == OK && n > 0);
    value_set_bool(p->root, "cancels", page_may(p, "assist"));
    if (o == OK && n == PAGE_ROWS)
        *next = arena_fmt(p->a, "%d.%lld.%lld", q[n - 1].priority, (long long)q[n - 1].queued_at,
                          (long long)q[n - 1].command_id);
    return o;
}

enum outcome device_list_results(struct page *p, const struct fleet_device *d, const char *from,
                                 const char **next)
{
    static const char *const keys[] = {"col_command",  "state",      "queued",  "col_by", "sent",
                                       "notnow_since", "col_closed", "col_why", NULL};
    struct queue_item *q;
    size_t n;
    enum outcome o =
        queue_results(p->db, d->ident, page_number(from), PAGE_ROWS, 0, p->a, &q, &n, &p->err);
    struct value *lines = value_set_list(p->root, "lines");
    heads(p, keys);
    for (size_t i = 0; o == OK && i < n; i++) {
        struct value *cells = line_of(p, lines);
        command_cells(p, cells, d->ident, &q[i]);
        cell_time(p, cells, q[i].closed_at);
        bool withheld = q[i].reported_at && command_personal(q[i].request_type);
        cell(cells,
             *q[i].closed_why || !withheld ? q[i].closed_why : page_text(p, "report_withheld"),
             NULL);
    }
    if (o == OK && n == PAGE_ROWS)
        *next = arena_fmt(p->a, "%lld", (long long)q[n - 1].command_id);
    return o;
}

/* ---- people ---- */

enum outcome device_list_users(struct page *p, const struct fleet_device *d, const char *from,
                               const char **next)
{
    static const char *const keys[] = {"col_user", "col_long", "state", "col_seen", NULL};
    struct device_user *u;
    size_t n;
    enum outcome o = device_users(p->db, d->id, from, PAGE_ROWS, p->a, &u, &n, &p->err);
    struct value *lines = value_set_list(p->root, "lines");
    heads(p, keys);
    for (size_t i = 0; o == OK && i < n; i++) {
        struct value *cells = line_of(p, lines);
        cell(cells, *u[i].short_name ? u[i].short_name : u[i].ident,
             page_link(p, "/device", "id", u[i].ident));
        cell(cells, u[i].long_name, NULL);
        cell_state(p, cells, "state", enrollment_state_name(u[i].state));
        cell_time(p, cells, u[i].last_seen_at);
    }
    if (o == OK && n == PAGE_ROWS)
        *next = u[n - 1].ident;
    return o;
}

enum outcome device_list_audit(struct page *p, const struct fleet_device *d, const char *from,
                               const char **next)
{
    static const char *const keys[] = {"audit_when", "audit_who",    "audit_what",
                                       "audit_whom", "audit_detail", NULL};
    struct audit_entry *e;
    size_t n;
    enum outcome o = audit_of_device(p->db, d->ident, d->id, page_number(from), PAGE_ROWS, p->a, &e,
                                     &n, &p->err);
    struct value *lines = value_set_list(p->root, "lines");
    heads(p, keys);
    for (size_t i = 0; o == OK && i < n; i++) {
        struct value *cells = line_of(p, lines);
        cell_time(p, cells, e[i].at);
        cell(cells, e[i].actor, NULL);
        const char *act = page_named(p, arena_fmt(p->a, "audit_act_%s", e[i].action));
        cell(cells, act ? act : e[i].action, NULL);
        cell(cells, strcmp(e[i].subject, d->ident) == 0 ? "" : e[i].subject, NULL);
        cell(cells, trail_detail(p, e[i].detail), NULL);
    }
    if (o == OK && n == PAGE_ROWS)
        *next = arena_fmt(p->a, "%lld", (long long)e[n - 1].id);
    return o;
}
