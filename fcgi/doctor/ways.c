/* ways.c: can devices come in the ways that enrolment profiles and [account] promise? */
#include "doctor/doctor.h"

#include "store/enrollprofile.h"
#include "store/pushcert.h"
#include "wire/x509.h"

#define PEM_MAX 8

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

/* Apple has two push services, and a certificate is good for one. */
static void check_service(struct doctor *d, struct db *db, const struct enrollprofile *p)
{
    struct pushcert_row row;
    struct cert_info info;
    struct bytes der[PEM_MAX];
    struct err err = {.outcome = OK};
    const char *topic;
    size_t n = 0;
    if (enroll_content_topic(db, d->conf, &p->c, d->arena, &topic, &err) != OK ||
        pushcert_get(db, topic, d->arena, &row, &err) != OK ||
        cert_from_pem(d->arena, row.cert_pem, der, PEM_MAX, &n, &err) != OK || n == 0 ||
        cert_info_read(d->arena, der[0], &info, &err) != OK)
        return; /* that there is none is said elsewhere */
    if (info.sandbox_push == (p->c.use_development_apns != 0))
        return;
    doctor_note(d, FINDING_FAIL, "push",
                arena_fmt(d->arena, "droverctl enroll-profile set %s use_development_apns=%s",
                          p->name, info.sandbox_push ? "yes" : "no"),
                "the push certificate of %s is for Apple's %s service, and the enrolment profile "
                "%s sends devices to the other: no push will reach them",
                topic, info.sandbox_push ? "development" : "production", p->name);
}

/* The object counts; whoever edits the section afterwards waits in vain for an effect. */
static void check_section(struct doctor *d, struct db *db)
{
    static const char *const fields[] = {"access_rights", "sign_message", "certificates"};
    struct enrollprofile p;
    struct enroll_content says;
    struct err err = {.outcome = OK};
    struct buf differ = BUF_INIT(256);
    if (enrollprofile_find(db, d->conf, ENROLLPROFILE_DEFAULT, d->arena, &p, &err) != OK ||
        p.version == 0 || enroll_content_of_conf(d->conf, d->arena, &says, &err) != OK)
        return; /* a file of the section that this account cannot read tells nothing */
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const struct enroll_field *f = enroll_field_find(fields[i]);
        bool same = f->type == ENROLL_TEXT
                        ? strcmp(enroll_field_text(f, &p.c), enroll_field_text(f, &says)) == 0
                        : enroll_field_int(f, &p.c) == enroll_field_int(f, &says);
        if (!same)
            buf_fmt(&differ, "%s%s", differ.len ? ", " : "", f->name);
    }
    /* a topic of its own differs; none means that of the section */
    if (p.c.topic[0] && d->conf->enroll_topic[0] && strcmp(p.c.topic, d->conf->enroll_topic) != 0)
        buf_fmt(&differ, "%stopic", differ.len ? ", " : "");
    if (differ.len)
        doctor_note(d, FINDING_WARN, "enroll",
                    "the object counts: droverctl enroll-profile show default; change it with "
                    "droverctl enroll-profile set default, or the section to match",
                    "[enroll] in drover.conf and the enrolment profile default differ in %s",
                    buf_cstr(&differ));
    buf_free(&differ);
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
        check_service(d, db, &p[i]);
        named |= strcmp(p[i].name, d->conf->account_profile) == 0;
    }
    check_section(d, db);
    check_accounts(d);
    if (!named)
        doctor_note(d, FINDING_FAIL, "ways", "droverctl enroll-profile list",
                    "[account] profile: there is no enrolment profile \"%s\"",
                    d->conf->account_profile);
}
