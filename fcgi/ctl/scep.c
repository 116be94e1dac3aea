/* scep.c: droverctl scep: challenges, and requests that wait for a person. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/scep_challenge.h"
#include "store/scep_request.h"

#define LIST_MAX 10000
#define CHALLENGE_US (7 * DAY_US)
#define COLUMNS 10

static int list(struct ctl *c, struct db *db, const char *state, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {
        {"id", CTL_INT},          {"state", CTL_TEXT}, {"created_at", CTL_TIME},
        {"subject", CTL_TEXT},    {"san", CTL_TEXT},   {"key", CTL_TEXT},
        {"proof", CTL_TEXT},      {"note", CTL_TEXT},  {"remote_addr", CTL_TEXT},
        {"decided_by", CTL_TEXT},
    };
    struct scep_waiting *w;
    struct err err;
    size_t n;
    int which = state ? scep_request_state_read(state) : SCEP_REQUEST_WAITS;
    if (state && strcmp(state, "all") != 0 && !which)
        return ctl_wrong("scep list: --state is waits, approved, denied, issued or all");
    if (scep_request_list(db, which, 0, LIST_MAX, c->arena, &w, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_int(w[i].id), val_str(scep_request_state_name(w[i].state)),
                              val_int(w[i].created_at), val_str(w[i].subject), ctl_text(w[i].san),
                              val_str(w[i].key_text), val_str(w[i].proof), ctl_text(w[i].note),
                              ctl_text(w[i].remote_addr), ctl_text(w[i].decided_by)},
               COLUMNS * sizeof *cells);
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

static int decide(struct ctl *c, struct db *db, const char *number, bool approve, const char *why)
{
    struct scep_waiting w;
    struct err err;
    char *end;
    long long id = strtoll(number, &end, 10);
    if (*end || id <= 0)
        return ctl_wrong("\"%s\" is no number of a request; droverctl scep list tells them",
                         number);
    if (scep_request_decide(db, id, approve, c->actor, why, clock_now(), c->arena, &w, &err) != OK)
        return ctl_failed(&err);
    printf("%s: %s. The device learns it when it asks again.\n", approve ? "Approved" : "Denied",
           w.subject);
    return CTL_OK;
}

/* "DNS:a,DNS:b" as lines. */
static const char *lines(struct ctl *c, const char *commas)
{
    char *text = commas ? arena_strdup(c->arena, commas) : NULL;
    for (char *p = text; p && *p; p++)
        if (*p == ',')
            *p = '\n';
    return text;
}

static int challenge(struct ctl *c, struct db *db, struct scep_challenge *new, const char *expires)
{
    char word[SCEP_CHALLENGE_LEN + 1];
    struct err err;
    int64_t in = CHALLENGE_US;
    if (expires && !ctl_duration(expires, &in))
        return ctl_wrong("scep challenge: --expires is a time like 7d");
    new->expires_at = clock_now() + in;
    new->by = c->actor;
    if (scep_challenge_make(db, new, word, &err) != OK)
        return ctl_failed(&err);
    puts(word);
    secret_wipe(word, sizeof word);
    return CTL_OK;
}

int ctl_scep(struct ctl *c, int argc, char **argv)
{
    const char *rest[2], *why = NULL, *state = NULL, *expires = NULL, *san = NULL;
    struct scep_challenge new = {.note = ""};
    bool json = false;
    const struct ctl_option options[] = {
        {.name = "why", .value = &why},       {.name = "state", .value = &state},
        {.name = "json", .flag = &json},      {.name = "expires", .value = &expires},
        {.name = "note", .value = &new.note}, {.name = "common-name", .value = &new.common_name},
        {.name = "san", .value = &san},       {.name = "approve", .flag = &new.approve},
    };
    struct db *db;
    if (ctl_args(argc, argv, options, sizeof options / sizeof *options, rest, 1, 2) < 0)
        return CTL_USAGE;
    bool approve = strcmp(rest[0], "approve") == 0, deny = strcmp(rest[0], "deny") == 0;
    bool make = strcmp(rest[0], "challenge") == 0;
    if (!approve && !deny && !make && strcmp(rest[0], "list") != 0)
        return ctl_wrong("scep: there is no \"%s\"", rest[0]);
    if ((approve || deny) != (rest[1] != NULL) || (approve || deny) != (why && *why))
        return ctl_wrong("scep %s: %s", rest[0],
                         approve || deny ? "give the number of the request and --why TEXT"
                                         : "takes no more");
    new.san = lines(c, san);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (make)
        return challenge(c, db, &new, expires);
    return rest[1] ? decide(c, db, rest[1], approve, why) : list(c, db, state, json);
}
