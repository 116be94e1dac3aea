/* status.c: droverctl status: the site in numbers. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/expiry.h"
#include "store/checkup.h"
#include "store/digest.h"
#include "store/enrollment.h"
#include "store/unknown.h"

#define ROWS_MAX 24

struct sheet {
    struct val cells[ROWS_MAX * 2];
    size_t n;
};

static void add(struct sheet *s, const char *what, struct val value)
{
    s->cells[s->n * 2] = val_str(what);
    s->cells[s->n++ * 2 + 1] = value;
}

static void add_number(struct ctl *c, struct sheet *s, const char *what, int64_t n)
{
    add(s, what, val_str(arena_fmt(c->arena, "%lld", (long long)n)));
}

static const char *time_text(struct ctl *c, int64_t t)
{
    char *text = arena_alloc(c->arena, CLOCK_TEXT_MAX);
    return text ? clock_rfc3339(t, false, text) : "";
}

int ctl_status(struct ctl *c, int argc, char **argv)
{
    static const struct ctl_column cols[] = {{"what", CTL_TEXT}, {"value", CTL_TEXT}};
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}};
    struct checkup_numbers k;
    struct digest_lag lag;
    struct sheet s = {.n = 0};
    const char *holder = "none";
    int64_t counts[5], restored, left = -1;
    struct expiry *e;
    size_t ends;
    struct err err;
    struct db *db;
    if (ctl_args(argc, argv, options, 1, NULL, 0, 0) < 0)
        return CTL_USAGE;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    enum outcome o = checkup_agent(db, c->arena, &holder, &left, &err);
    if ((o != OK && o != NOT_FOUND) || enrollment_count(db, c->arena, counts, &err) != OK ||
        checkup_numbers(db, c->arena, &k, &err) != OK ||
        digest_lag(db, c->arena, &lag, &err) != OK ||
        expiry_list(db, INT64_MAX, 1, c->arena, &e, &ends, &err) != OK ||
        unknown_restored_get(db, c->arena, &restored, &err) != OK)
        return ctl_failed(&err);
    add(&s, "version", val_str(DROVER_VERSION));
    for (int i = ENROLLMENT_PENDING; i <= ENROLLMENT_ENDED; i++)
        add_number(c, &s, arena_fmt(c->arena, "enrollments %s", enrollment_state_name(i)),
                   counts[i]);
    add_number(c, &s, "commands open", k.open_commands);
    add_number(c, &s, "commands sent and unanswered", k.sent_commands);
    if (k.oldest_open_at)
        add(&s, "oldest open command", val_str(time_text(c, k.oldest_open_at)));
    add_number(c, &s, "reports that wait to become inventory", lag.waiting);
    if (lag.oldest_at)
        add(&s, "oldest of them", val_str(time_text(c, lag.oldest_at)));
    add_number(c, &s, "reports set aside", lag.aside);
    if (ends > 0)
        add(&s, "first to end",
            val_str(arena_fmt(c->arena, "%s: %s %s", time_text(c, e[0].ends_at),
                              expiry_title(e[0].kind), e[0].name)));
    add_number(c, &s, "pushes waiting", k.pushes_waiting);
    add_number(c, &s, "pushes failed", k.pushes_failed);
    add_number(c, &s, "push tokens dead", k.pushes_dead);
    add_number(c, &s, "unknown devices", k.unknown_open);
    if (restored)
        add(&s, "restored from a backup", val_str(time_text(c, restored)));
    add(&s, "agent", val_str(left > 0 ? holder : "none is running"));
    return ctl_list(c, json, cols, 2, s.cells, s.n);
}
