/* accounts.c: each program's account of the database, with the rights it takes and no others. */
#include "doctor/doctor.h"

#include "base/limits.h"
#include "store/checkup.h"

static void check_account(struct doctor *d, const char *grants, enum db_role role, const char *mark,
                          const char *user)
{
    struct buf missing = BUF_INIT(2 * LIM_KB), excess = BUF_INIT(2 * LIM_KB);
    struct db *db = NULL;
    struct err err = {.outcome = OK};
    if (db_new(d->conf, role, &db, &err) != OK || db_ping(db, &err) != OK)
        doctor_note(d, FINDING_FAIL, "database",
                    "make the account, with the password of its password file, then run droverctl "
                    "grants",
                    "%s: %s", user, err.msg);
    else if (checkup_rights(db, grants, mark, d->arena, &missing, &excess, &err) != OK)
        doctor_note(d, FINDING_FAIL, "rights", "run droverctl grants", "%s: %s", user, err.msg);
    else if (missing.len)
        doctor_note(d, FINDING_FAIL, "rights", "run droverctl grants", "%s lacks %s", user,
                    buf_cstr(&missing));
    else if (excess.len)
        doctor_note(d, FINDING_WARN, "rights", "revoke them: a program has the rights it needs",
                    "%s has more than it needs: %s", user, buf_cstr(&excess));
    else
        doctor_note(d, FINDING_OK, "rights", NULL, "%s has the rights it needs", user);
    db_free(&db);
    buf_free(&missing);
    buf_free(&excess);
}

void doctor_accounts(struct doctor *d, const char *grants)
{
    check_account(d, grants, DB_MDM, "@mdm@", d->conf->db_mdm_user);
    check_account(d, grants, DB_CONSOLE, "@console@", d->conf->db_console_user);
    check_account(d, grants, DB_AGENT, "@agent@", d->conf->db_agent_user);
}
