/* invite.c: droverctl invite. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "library/edit.h"
#include "store/invitation.h"

#define COLUMNS 9

static const char *state_of(const struct invitation *v)
{
    return v->revoked_at                  ? "revoked"
           : v->expires_at <= clock_now() ? "expired"
           : v->uses >= v->uses_max       ? "used"
                                          : "open";
}

/* The latest, as the console's page has them. */
static int list(struct ctl *c, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {
        {"id", CTL_TEXT},         {"state", CTL_TEXT},      {"note", CTL_TEXT},
        {"profile", CTL_TEXT},    {"uses", CTL_INT},        {"uses_max", CTL_INT},
        {"created_at", CTL_TIME}, {"created_by", CTL_TEXT}, {"expires_at", CTL_TIME}};
    struct invitation *v;
    struct db *db;
    struct err err;
    size_t n;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (invitation_list(db, 0, LIM_PAGE, c->arena, &v, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * COLUMNS + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * COLUMNS],
               (struct val[]){val_str(arena_fmt(c->arena, "%lld", (long long)v[i].id)),
                              val_str(state_of(&v[i])), ctl_text(v[i].note), val_str(v[i].profile),
                              val_int(v[i].uses), val_int(v[i].uses_max), val_int(v[i].created_at),
                              val_str(v[i].created_by), val_int(v[i].expires_at)},
               COLUMNS * sizeof *cells);
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

static int revoke(struct ctl *c, const char *number)
{
    struct db *db;
    struct err err;
    int64_t id;
    if (!library_id_read(number, &id))
        return ctl_wrong("\"%s\" is no number of an invitation; droverctl invite list tells them",
                         number);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    return invitation_revoke(db, id, c->actor, &err) == OK ? CTL_OK : ctl_failed(&err);
}

/* What a new link is to be. */
struct wanted_link {
    const char *uses, *expires, *note, *profile;
    bool ota;
};

static int make(struct ctl *c, const struct wanted_link *w)
{
    char token[INVITATION_TOKEN_LEN + 1], *end, when[CLOCK_TEXT_MAX];
    int64_t in;
    struct db *db;
    struct err err;
    if (!ctl_duration(w->expires, &in))
        return ctl_wrong("--expires: \"%s\" is no time like 7d", w->expires);
    errno = 0;
    long long n = strtoll(w->uses, &end, 10);
    if (errno || end == w->uses || *end)
        return ctl_wrong("--uses: \"%s\" is no number", w->uses);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    int64_t until = clock_now() + in;
    if (invitation_new(db, w->profile, w->note, n, until, c->actor, token, &err) != OK)
        return ctl_failed(&err);
    printf("%s/enroll/%s%s\n", c->conf->device_url, w->ota ? "ota/" : "", token);
    fprintf(stderr, "The link works %lld time%s until %s.\n", n, n == 1 ? "" : "s",
            clock_rfc3339(until, false, when));
    return CTL_OK;
}

int ctl_invite(struct ctl *c, int argc, char **argv)
{
    struct wanted_link w = {.uses = "1", .expires = "7d", .note = "", .profile = ""};
    const char *rest[2];
    bool json = false;
    const struct ctl_option options[] = {
        {.name = "uses", .value = &w.uses},       {.name = "expires", .value = &w.expires},
        {.name = "note", .value = &w.note},       {.name = "profile", .value = &w.profile},
        {.name = "over-the-air", .flag = &w.ota}, {.name = "json", .flag = &json}};
    int n = ctl_args(argc, argv, options, 6, rest, 0, 2);
    if (n < 0)
        return CTL_USAGE;
    if (n == 0)
        return json ? ctl_wrong("--json goes with invite list") : make(c, &w);
    bool lists = strcmp(rest[0], "list") == 0;
    if (!lists && strcmp(rest[0], "revoke") != 0)
        return ctl_wrong("invite: there is no \"%s\"", rest[0]);
    if (lists != (n == 1))
        return ctl_wrong("invite %s: %s", rest[0], lists ? "takes no more" : "which one?");
    return lists ? list(c, json) : revoke(c, rest[1]);
}
