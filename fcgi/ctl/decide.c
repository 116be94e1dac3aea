/* decide.c: droverctl decide, end and restored: what a person has to say about devices. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "enrollment/remove.h"
#include "store/leave.h"
#include "store/revoke.h"
#include "store/unknown.h"

#define REMOVE_WAIT_US (7 * DAY_US) /* then 401 */

#define COLUMNS 8

static int list(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"number", CTL_INT},       {"id", CTL_TEXT},
                                             {"certificate", CTL_TEXT}, {"first_seen", CTL_TIME},
                                             {"last_seen", CTL_TIME},   {"last_message", CTL_TEXT},
                                             {"decision", CTL_TEXT},    {"decided_by", CTL_TEXT}};
    struct unknown_device *d;
    struct err err;
    size_t n;
    if (unknown_list(db, -1, 0, LIM_PAGE, c->arena, &d, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_int(d[i].id), val_str(d[i].ident), val_str(d[i].subject),
                              val_int(d[i].first_seen_at), val_int(d[i].last_seen_at),
                              val_str(d[i].last_message),
                              val_str(unknown_decision_name(d[i].decision)),
                              ctl_text(d[i].decided_by)},
               COLUMNS * sizeof *cells);
    if (n == LIM_PAGE)
        fprintf(stderr, "Only the first %u are shown.\n", LIM_PAGE);
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

/* By its number, or by an enrollment id that only one is listed for. False: the message is out. */
static bool number_of(struct ctl *c, struct db *db, const char *word, int64_t *out)
{
    struct unknown_device *d;
    struct err err;
    size_t n;
    char *end;
    if (unknown_find(db, word, c->arena, &d, &n, &err) != OK) {
        ctl_failed(&err);
        return false;
    }
    errno = 0;
    *out = n == 1 ? d[0].id : strtoll(word, &end, 10);
    if (n == 1 || (n == 0 && !errno && *word >= '0' && *word <= '9' && !*end))
        return true;
    if (n)
        ctl_wrong("%s came with %zu certificates; give the number that droverctl decide list "
                  "shows",
                  word, n);
    else
        ctl_wrong("there is no unknown device %s", word);
    return false;
}

static int decide(struct ctl *c, struct db *db, const char *word, enum unknown_decision decision,
                  const char *why)
{
    static const char *const then[] = {
        [DECISION_OPEN] = "is held (503) until somebody decides",
        [DECISION_ACCEPT] = "is enrolled at its next message",
        [DECISION_END] = "gets 401 at its next message and removes its MDM profile"};
    struct unknown_device d;
    struct err err;
    int64_t id;
    if (!number_of(c, db, word, &id))
        return CTL_FAILED;
    if (unknown_decide(db, id, decision, c->actor, why, clock_now(), c->arena, &d, &err) != OK)
        return ctl_failed(&err);
    printf("%s %s.\n", d.ident, then[decision]);
    return CTL_OK;
}

int ctl_decide(struct ctl *c, int argc, char **argv)
{
    static const char *const verbs[] = {
        [DECISION_OPEN] = "hold", [DECISION_ACCEPT] = "accept", [DECISION_END] = "end"};
    const char *rest[2], *why = NULL;
    bool json = false;
    const struct ctl_option options[] = {{.name = "why", .value = &why},
                                         {.name = "json", .flag = &json}};
    struct db *db;
    int d = DECISION_OPEN;
    if (ctl_args(argc, argv, options, 2, rest, 1, 2) < 0)
        return CTL_USAGE;
    bool show = strcmp(rest[0], "list") == 0;
    while (!show && d <= DECISION_END && strcmp(verbs[d], rest[0]) != 0)
        d++;
    if (d > DECISION_END)
        return ctl_wrong("decide: there is no \"%s\"", rest[0]);
    if (show != (rest[1] == NULL) || show == (why != NULL))
        return ctl_wrong("decide %s: %s", rest[0],
                         show ? "takes no more" : "give the device and --why TEXT");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    return show ? list(c, db, json) : decide(c, db, rest[1], (enum unknown_decision)d, why);
}

int ctl_end(struct ctl *c, int argc, char **argv)
{
    const char *ident, *why = NULL, *within = NULL;
    bool remove = false;
    const struct ctl_option options[] = {{.name = "why", .value = &why},
                                         {.name = "remove-profile", .flag = &remove},
                                         {.name = "within", .value = &within}};
    int64_t wait_us = REMOVE_WAIT_US;
    struct err err;
    struct db *db;
    if (ctl_args(argc, argv, options, 3, &ident, 1, 1) < 0)
        return CTL_USAGE;
    if (!why || !*why)
        return ctl_wrong("end: --why TEXT is missing: the device will remove its MDM profile");
    if (within && (!remove || !ctl_duration(within, &wait_us)))
        return ctl_wrong("end: --within is a time like 7d, for --remove-profile");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (remove) {
        if (enrollment_remove(db, c->conf, ident, wait_us, c->actor, why, c->arena, &err) != OK)
            return ctl_failed(&err);
        printf("%s is told to remove its MDM profile.\n", ident);
        return CTL_OK;
    }
    if (leave_end(db, ident, clock_now(), c->actor, why, &err) != OK)
        return ctl_failed(&err);
    printf("%s gets 401 at its next message and removes its MDM profile.\n", ident);
    return CTL_OK;
}

int ctl_revoke(struct ctl *c, int argc, char **argv)
{
    const char *name, *why = NULL;
    const struct ctl_option options[] = {{.name = "why", .value = &why}};
    struct revoked_identity *list;
    struct err err;
    struct db *db;
    size_t n;
    if (ctl_args(argc, argv, options, 1, &name, 1, 1) < 0)
        return CTL_USAGE;
    if (!why || !*why)
        return ctl_wrong("revoke: --why TEXT is missing: the device cannot be managed any more "
                         "until it enrols anew");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (identity_revoke(db, name, c->actor, why, clock_now(), c->arena, &list, &n, &err) != OK)
        return ctl_failed(&err);
    for (size_t i = 0; i < n; i++)
        printf("Revoked: %s, serial %s, SHA-256 %s\n", list[i].subject, list[i].serial,
               list[i].sha256);
    return CTL_OK;
}

int ctl_restored(struct ctl *c, int argc, char **argv)
{
    const char *why = "a backup of the database was restored";
    bool settled = false;
    const struct ctl_option options[] = {{.name = "settled", .flag = &settled},
                                         {.name = "why", .value = &why}};
    struct err err;
    struct db *db;
    if (ctl_args(argc, argv, options, 2, NULL, 0, 0) < 0)
        return CTL_USAGE;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (unknown_restored_set(db, settled, c->actor, why, clock_now(), &err) != OK)
        return ctl_failed(&err);
    puts(settled ? "The rule of [unknown] action acts again, if it is \"end\"."
                 : "No unknown device is ended by rule until droverctl restored --settled.");
    return CTL_OK;
}
