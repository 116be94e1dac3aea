/* reveal.c: droverctl reveal: a secret of a device, for a reason that goes on record. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "command/reveal.h"
#include "wire/sign.h"

int ctl_reveal(struct ctl *c, int argc, char **argv)
{
    const char *rest[2], *about = "", *reason = NULL;
    const struct ctl_option options[] = {{.name = "about", .value = &about},
                                         {.name = "reason", .value = &reason}};
    struct buf secret = BUF_INIT(LIM_SECRET);
    struct err err;
    struct db *db;
    struct approval asked;
    int64_t at;
    if (ctl_args(argc, argv, options, 2, rest, 2, 2) < 0)
        return CTL_USAGE;
    if (!reason || !*reason)
        return ctl_wrong("reveal: give --reason TEXT");
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    struct reveal r = {rest[0], rest[1], about, reason};
    int status = CTL_OK;
    if (strcmp(c->conf->command_approval, "never") != 0 && !ctl_person(c))
        return CTL_FAILED;
    if (reveal(db, c->conf, c->actor, clock_now(), &r, c->arena, &secret, &at, &asked, &err) !=
        OK) {
        status = ctl_failed(&err);
    } else if (asked.state != APPROVAL_APPROVED) {
        fprintf(stderr,
                "droverctl: a second person must approve it (approval %lld); then ask again\n",
                (long long)asked.id);
        status = CTL_FAILED;
    } else if (fwrite(secret.data, 1, secret.len, stdout) != secret.len || putchar('\n') == EOF) {
        status = CTL_FAILED;
    }
    buf_wipe(&secret);
    return status;
}
