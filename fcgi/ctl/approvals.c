/* approvals.c: droverctl approvals: sensitive commands that wait for a second person. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "command/consent.h"
#include "library/edit.h"
#include "store/standing.h"

#define COLUMNS 11

static int show(struct ctl *c, const struct approval *x, size_t n, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {
        {"approval", CTL_TEXT},   {"state", CTL_TEXT},      {"request_type", CTL_TEXT},
        {"enrollments", CTL_INT}, {"first", CTL_TEXT},      {"reason", CTL_TEXT},
        {"asked_by", CTL_TEXT},   {"asked_at", CTL_TIME},   {"expires_at", CTL_TIME},
        {"decided_by", CTL_TEXT}, {"decided_why", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_str(arena_fmt(c->arena, "%lld", (long long)x[i].id)),
                              val_str(approval_state_name(x[i].state)), val_str(x[i].request_type),
                              val_int(x[i].targets), val_str(x[i].first_target),
                              val_str(x[i].reason), val_str(x[i].asked_by), val_int(x[i].asked_at),
                              val_int(x[i].expires_at), ctl_text(x[i].decided_by),
                              ctl_text(x[i].decided_why)},
               COLUMNS * sizeof *cells);
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

static int list(struct ctl *c, struct db *db, bool all, bool json)
{
    struct approval *x;
    size_t n;
    struct err err;
    if (approval_list(db, !all, 0, LIM_PAGE, c->arena, &x, &n, &err) != OK ||
        standing_targets_count(db, x, n, c->arena, &err) != OK)
        return ctl_failed(&err);
    return show(c, x, n, json);
}

#define TARGETS_MAX 100000 /* enrollments that are told */

/* For whom it is, one on each line. */
static int targets(struct ctl *c, struct db *db, int64_t id, bool json)
{
    static const struct ctl_column cols[] = {{"id", CTL_TEXT}, {"name", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, TARGETS_MAX * 2, sizeof *cells);
    size_t n = 0, got = LIM_PAGE;
    int64_t after = 0;
    struct approval x;
    struct err err;
    if (approval_get(db, id, c->arena, &x, &err) != OK)
        return ctl_failed(&err);
    while (cells && got == LIM_PAGE && n < TARGETS_MAX) {
        struct approval_target *t;
        if (standing_targets(db, &x, after, LIM_PAGE, c->arena, &t, &got, &err) != OK)
            return ctl_failed(&err);
        for (size_t i = 0; i < got && n < TARGETS_MAX; i++, n++) {
            cells[n * 2] = val_str(t[i].ident);
            cells[n * 2 + 1] = val_str(t[i].name);
            after = t[i].enrollment_id;
        }
    }
    return cells ? ctl_list(c, json, cols, 2, cells, n) : CTL_FAILED;
}

static int decide(struct ctl *c, struct db *db, int64_t id, bool approve, const char *why,
                  bool json)
{
    const struct approval_decision d = {
        .id = id, .approve = approve, .by = c->actor, .why = why, .now = clock_now()};
    char at[CLOCK_TEXT_MAX];
    struct consent x;
    struct err err;
    if (!ctl_person(c))
        return CTL_FAILED;
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    if (consent_decide(db, c->conf, c->arena, &d, &x, &err) != OK)
        return ctl_failed(&err);
    if (x.repeated)
        fprintf(stderr, "approved already: by %s, at %s\n", x.approval.decided_by,
                clock_rfc3339(x.approval.decided_at, false, at));
    return x.ran ? ctl_order_tell(c, &x.order, json) : show(c, &x.approval, 1, json);
}

static int show_one(struct ctl *c, struct db *db, int64_t id, bool json)
{
    struct approval x;
    struct err err;
    if (approval_get(db, id, c->arena, &x, &err) != OK ||
        standing_targets_count(db, &x, 1, c->arena, &err) != OK)
        return ctl_failed(&err);
    return show(c, &x, 1, json);
}

int ctl_approvals(struct ctl *c, int argc, char **argv)
{
    const char *rest[2] = {NULL, NULL}, *why = NULL;
    bool json = false, all = false;
    const struct ctl_option options[] = {{.name = "why", .value = &why},
                                         {.name = "all", .flag = &all},
                                         {.name = "json", .flag = &json}};
    struct db *db;
    int64_t id = 0;
    if (ctl_args(argc, argv, options, 3, rest, 1, 2) < 0)
        return CTL_USAGE;
    bool approve = strcmp(rest[0], "approve") == 0, refuse = strcmp(rest[0], "refuse") == 0;
    bool lists = strcmp(rest[0], "list") == 0, one = strcmp(rest[0], "show") == 0;
    bool whom = strcmp(rest[0], "targets") == 0;
    if (!approve && !refuse && !lists && !one && !whom)
        return ctl_wrong("approvals: there is no \"%s\"", rest[0]);
    if (lists != (rest[1] == NULL) || (approve || refuse) != (why != NULL) || (all && !lists))
        return ctl_wrong("approvals %s: %s", rest[0],
                         lists         ? "takes --all and --json"
                         : one || whom ? "takes the number of a request"
                                       : "give the number of the request and --why TEXT");
    if (rest[1] && !library_id_read(rest[1], &id))
        return ctl_wrong("\"%s\" is no number of a request; droverctl approvals list tells them",
                         rest[1]);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (lists)
        return list(c, db, all, json);
    if (whom)
        return targets(c, db, id, json);
    return one ? show_one(c, db, id, json) : decide(c, db, id, approve, why, json);
}
