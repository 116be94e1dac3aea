/* ways.c: can devices come in the ways that enrolment profiles and [account] promise? */
#include "doctor/doctor.h"

#include "store/enrollprofile.h"

static void check_profile(struct doctor *d, const struct enrollprofile *p)
{
    const struct conf *conf = d->conf;
    const struct enroll_content *c = &p->c;
    bool asks = c->login != ENROLL_LOGIN_NONE || c->assigned_only || c->encrypt ||
                c->minimum_ios[0] || c->minimum_macos[0];
    if (c->login == ENROLL_LOGIN_WEB && strcmp(conf->enroll_login, "no") == 0)
        doctor_note(d, FINDING_WARN, "ways", "say [enroll] login = local or remote_user",
                    "the enrolment profile %s asks for a login by web page, and nobody can log in",
                    p->name);
    if (asks && !conf->apple_roots[0])
        doctor_note(d, FINDING_WARN, "ways",
                    "put Apple's CA certificates there; INSTALL names them",
                    "the enrolment profile %s is for the configuration URL, and without [apple] "
                    "roots no device can prove itself",
                    p->name);
}

static void check_accounts(struct doctor *d)
{
    const struct conf *conf = d->conf;
    if (!conf->account_user_enrollment[0] && !conf->account_device_enrollment[0])
        return;
    if (!conf->apple_roots[0])
        doctor_note(d, FINDING_WARN, "ways",
                    "put Apple's CA certificates there; INSTALL names them",
                    "[account] is set, and without [apple] roots no device can prove itself");
    if (strcmp(conf->enroll_login, "no") == 0)
        doctor_note(d, FINDING_WARN, "ways", "say [enroll] login = local or remote_user",
                    "[account] is set, and nobody can log in");
}

void doctor_ways(struct doctor *d, struct db *db)
{
    struct enrollprofile *p;
    struct err err = {.outcome = OK};
    size_t n = 0;
    bool named = !d->conf->account_profile[0];
    if (enrollprofile_list(db, d->arena, &p, &n, &err) != OK) {
        doctor_note(d, FINDING_FAIL, "ways", "see the database", "%s", err.msg);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        check_profile(d, &p[i]);
        named |= strcmp(p[i].name, d->conf->account_profile) == 0;
    }
    check_accounts(d);
    if (!named)
        doctor_note(d, FINDING_FAIL, "ways", "droverctl enroll-profile list",
                    "[account] profile: there is no enrolment profile \"%s\"",
                    d->conf->account_profile);
}
