/* invite.c: droverctl invite. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/invitation.h"

int ctl_invite(struct ctl *c, int argc, char **argv)
{
    bool ota = false;
    const char *uses = "1", *expires = "7d", *note = "", *profile = "";
    const struct ctl_option options[] = {{.name = "uses", .value = &uses},
                                         {.name = "expires", .value = &expires},
                                         {.name = "note", .value = &note},
                                         {.name = "profile", .value = &profile},
                                         {.name = "over-the-air", .flag = &ota}};
    char token[INVITATION_TOKEN_LEN + 1], *end, when[CLOCK_TEXT_MAX];
    int64_t in;
    struct db *db;
    struct err err;
    if (ctl_args(argc, argv, options, 5, NULL, 0, 0) < 0)
        return CTL_USAGE;
    if (!ctl_duration(expires, &in))
        return ctl_wrong("--expires: \"%s\" is no time like 7d", expires);
    errno = 0;
    long long n = strtoll(uses, &end, 10);
    if (errno || end == uses || *end)
        return ctl_wrong("--uses: \"%s\" is no number", uses);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    int64_t until = clock_now() + in;
    if (invitation_new(db, profile, note, n, until, c->actor, token, &err) != OK)
        return ctl_failed(&err);
    printf("%s/enroll/%s%s\n", c->conf->device_url, ota ? "ota/" : "", token);
    fprintf(stderr, "The link works %lld time%s until %s.\n", n, n == 1 ? "" : "s",
            clock_rfc3339(until, false, when));
    return CTL_OK;
}
