/* pushcert.c: droverctl pushcert. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "push/pushcert.h"
#include "wire/encode.h"

static enum outcome put(struct ctl *c, struct db *db, const char *path, bool renew, bool force,
                        struct pushcert *cert, struct err *err)
{
    struct bytes pem;
    enum outcome o = ctl_file(c, path, PUSHCERT_PEM_MAX, &pem, err);
    if (o == OK)
        o = pushcert_check(c->arena, pem, cert, err);
    if (o == OK && renew && !force)
        o = pushcert_renewal_check(db, cert->info.topic, err);
    if (o == OK)
        o = pushcert_store(db, c->conf, cert, c->actor, NULL, err);
    pushcert_wipe(cert);
    return o;
}

int ctl_pushcert(struct ctl *c, int argc, char **argv)
{
    const char *rest[2] = {NULL, NULL};
    bool force = false;
    const struct ctl_option options[] = {{.name = "force", .flag = &force}};
    struct pushcert cert = {.key_pem = {NULL, 0}};
    char until[CLOCK_TEXT_MAX];
    struct db *db;
    struct err err;
    if (ctl_args(argc, argv, options, 1, rest, 2, 2) < 0)
        return CTL_USAGE;
    bool renew = strcmp(rest[0], "renew") == 0;
    if ((!renew && strcmp(rest[0], "add") != 0) || (force && !renew))
        return CTL_USAGE;
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    enum outcome o = put(c, db, rest[1], renew, force, &cert, &err);
    if (o == CONFLICT)
        fputs("droverctl: --force stores it all the same\n", stderr);
    if (o != OK)
        return ctl_failed(&err);
    printf("%s is valid until %s.\n", cert.info.topic,
           clock_rfc3339(cert.info.not_after, false, until));
    return CTL_OK;
}
