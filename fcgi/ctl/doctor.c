/* doctor.c: droverctl doctor: looks at everything an installation needs, and says how to mend it.
 * Exit status 1 when a check fails; warnings do not count. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/limits.h"
#include "doctor/doctor.h"
#include "wire/sign.h"

static const char *const words[] = {"ok", "warn", "FAIL"};

static int tell_json(const struct doctor *d)
{
    struct buf b = BUF_INIT(LIM_MB);
    struct err err;
    enum outcome o = doctor_write(d, &b, &err);
    if (o == OK)
        puts(buf_cstr(&b));
    buf_free(&b);
    return o == OK ? CTL_OK : ctl_failed(&err);
}

static int tell_text(const struct doctor *d)
{
    size_t warns = 0;
    for (size_t i = 0; i < d->n; i++) {
        printf("%-5s %-12s %s\n", words[d->f[i].result], d->f[i].check, d->f[i].detail);
        if (d->f[i].fix)
            printf("%-5s %-12s -> %s\n", "", "", d->f[i].fix);
        warns += d->f[i].result == FINDING_WARN;
    }
    printf("%zu checks, %zu failed, %zu warnings\n", d->n, d->fails, warns);
    return CTL_OK;
}

static void look_at_database(struct ctl *c, struct doctor *d)
{
    char *grants = arena_fmt(c->arena, "%s/grants.sql", ctl_sql_dir(c, NULL));
    struct db *db = NULL;
    struct err err;
    if (db_new(c->conf, DB_OWNER, &db, &err) != OK || db_ping(db, &err) != OK) {
        doctor_note(d, FINDING_FAIL, "database",
                    "start MariaDB; see [database] hosts, socket, owner_user and its password file",
                    "%s: %s", c->conf->db_owner_user, err.msg);
        db_free(&db);
        return;
    }
    doctor_note(d, FINDING_OK, "database", NULL, "%s reaches it", c->conf->db_owner_user);
    if (doctor_schema(d, db)) {
        doctor_accounts(d, grants ? grants : "");
        doctor_state(d, db);
    }
    db_free(&db);
}

int ctl_doctor(struct ctl *c, int argc, char **argv)
{
    const char *tls_ca = NULL;
    bool json = false;
    const struct ctl_option options[] = {{.name = "tls-ca", .value = &tls_ca},
                                         {.name = "json", .flag = &json}};
    if (ctl_args(argc, argv, options, 2, NULL, 0, 0) < 0)
        return CTL_USAGE;
    struct doctor *d = arena_alloc(c->arena, sizeof *d);
    if (!d)
        return CTL_FAILED;
    *d = (struct doctor){
        .conf = c->conf, .arena = c->arena, .tls_ca = tls_ca ? tls_ca : c->conf->tls_ca};
    sign_client_setup(c->conf->run_dir, SIGN_CTL);
    doctor_note(d, FINDING_OK, "configuration", NULL, "%s", c->conf->path);
    doctor_files(d);
    look_at_database(c, d);
    doctor_signer(d);
    doctor_network(d);
    if ((json ? tell_json(d) : tell_text(d)) != CTL_OK)
        return CTL_FAILED;
    return d->fails ? CTL_FAILED : CTL_OK;
}
