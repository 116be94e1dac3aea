/* signins.c: droverctl sessions and throttles: who is signed in to the console, and wrong passwords
 * that slow those down that follow. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/session.h"
#include "store/throttle.h"
#include "wire/encode.h"

static int sessions_show(struct ctl *c, struct db *db, const char *admin, bool json)
{
    static const struct ctl_column cols[] = {{"administrator", CTL_TEXT}, {"role", CTL_TEXT},
                                             {"address", CTL_TEXT},       {"created_at", CTL_TIME},
                                             {"seen_at", CTL_TIME},       {"ends_at", CTL_TIME},
                                             {"session", CTL_TEXT},       {"user_agent", CTL_TEXT}};
    char hex[SHA256_HEX_LEN + 1];
    struct err err;
    struct session *s;
    size_t n;
    if (session_list(db, admin, clock_now(), c->arena, &s, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 8 + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++) {
        hex_encode(bytes_of(s[i].token_sha256, SHA256_LEN), hex);
        memcpy(&cells[i * 8],
               (struct val[]){val_str(s[i].admin), val_str(s[i].role), ctl_text(s[i].address),
                              val_int(s[i].created_at), val_int(s[i].seen_at),
                              val_int(s[i].ends_at), val_str(arena_strdup(c->arena, hex)),
                              ctl_text(s[i].user_agent)},
               8 * sizeof *cells);
    }
    return cells ? ctl_list(c, json, cols, 8, cells, n) : CTL_FAILED;
}

int ctl_sessions(struct ctl *c, int argc, char **argv)
{
    const char *rest[3];
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}};
    struct bytes sum;
    struct err err;
    struct db *db;
    uint64_t ended;
    int n = ctl_args(argc, argv, options, 1, rest, 1, 3);
    if (n < 0)
        return CTL_USAGE;
    bool list = strcmp(rest[0], "list") == 0;
    if (!list && strcmp(rest[0], "end") != 0)
        return ctl_wrong("sessions: there is no \"%s\"", rest[0]);
    if (list ? n > 2 : n < 2)
        return ctl_wrong("sessions %s: %s", rest[0],
                         list ? "takes one name" : "give an administrator");
    if (n == 3 && (hex_decode(c->arena, rest[2], &sum) != OK || sum.n != SHA256_LEN))
        return ctl_wrong("sessions end: \"%s\" is no session of sessions list", rest[2]);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (list)
        return sessions_show(c, db, rest[1], json);
    enum outcome o = n == 3 ? session_end_one(db, rest[1], sum, c->actor, &err)
                            : session_end_all(db, rest[1], c->actor, &ended, &err);
    return o == OK ? CTL_OK : ctl_failed(&err);
}

static int throttles_show(struct ctl *c, struct db *db, bool json)
{
    static const struct ctl_column cols[] = {{"subject", CTL_TEXT},
                                             {"failures", CTL_INT},
                                             {"first_at", CTL_TIME},
                                             {"last_at", CTL_TIME},
                                             {"held_until", CTL_TIME}};
    struct throttled *t;
    struct err err;
    size_t n;
    if (throttle_held(db, clock_now(), c->arena, &t, &n, &err) != OK)
        return ctl_failed(&err);
    struct val *cells = arena_array(c->arena, n * 5 + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        memcpy(&cells[i * 5],
               (struct val[]){val_str(t[i].subject), val_int(t[i].failures),
                              ctl_time(t[i].first_at), ctl_time(t[i].last_at),
                              ctl_time(t[i].free_at)},
               5 * sizeof *cells);
    return cells ? ctl_list(c, json, cols, 5, cells, n) : CTL_FAILED;
}

int ctl_throttles(struct ctl *c, int argc, char **argv)
{
    const char *rest[2];
    bool json = false;
    const struct ctl_option options[] = {{.name = "json", .flag = &json}};
    struct err err;
    struct db *db;
    int n = ctl_args(argc, argv, options, 1, rest, 1, 2);
    if (n < 0)
        return CTL_USAGE;
    bool list = strcmp(rest[0], "list") == 0;
    if (!list && strcmp(rest[0], "clear") != 0)
        return ctl_wrong("throttles: there is no \"%s\"", rest[0]);
    if (list != (n == 1))
        return ctl_wrong("throttles %s: %s", rest[0],
                         list ? "takes no more" : "give a subject of throttles list");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (list)
        return throttles_show(c, db, json);
    return throttle_clear(db, rest[1], c->actor, &err) == OK ? CTL_OK : ctl_failed(&err);
}
