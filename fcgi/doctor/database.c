/* database.c: the database: of this version, and what stands in it about agent, pushes and trusted
 * CAs. */
#include "doctor/doctor.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "scep/authority.h"
#include "store/expiry.h"
#include "store/checkup.h"
#include "store/migrate.h"
#include "store/pushcert.h"
#include "store/trust.h"
#include "store/unknown.h"

#define CLOCK_MAX (2 * SECOND_US)
#define PACKET_MIN (33 * LIM_MB)

static bool check_schema(struct doctor *d, struct db *db)
{
    struct err err;
    int version;
    if (migrate_version(db, &version, &err) != OK)
        doctor_note(d, FINDING_FAIL, "schema", "run droverctl migrate", "%s", err.msg);
    else if (version != SCHEMA_VERSION)
        doctor_note(d, FINDING_FAIL, "schema",
                    version < SCHEMA_VERSION ? "run droverctl migrate"
                                             : "install the newer programs on this host too",
                    "the database's schema is %d, this program's %d", version, SCHEMA_VERSION);
    else {
        doctor_note(d, FINDING_OK, "schema", NULL, "version %d", version);
        return true;
    }
    return false;
}

static void check_clock(struct doctor *d, struct db *db)
{
    struct err err;
    int64_t theirs, before = clock_now();
    if (checkup_clock(db, d->arena, &theirs, &err) != OK) {
        doctor_note(d, FINDING_FAIL, "clock", "see the database", "%s", err.msg);
        return;
    }
    int64_t off = theirs - (before + clock_now()) / 2;
    bool bad = llabs(off) > CLOCK_MAX;
    if (off < 0)
        doctor_note(d, bad ? FINDING_FAIL : FINDING_OK, "clock", "run an NTP client on both hosts",
                    "the database's clock is %lld ms behind this host's", (long long)-off / 1000);
    else
        doctor_note(d, bad ? FINDING_FAIL : FINDING_OK, "clock", "run an NTP client on both hosts",
                    "the database's clock is %lld ms ahead of this host's", (long long)off / 1000);
}

/* A command with its sealed form, and a report, are up to 16 MB each. */
static void check_packet(struct doctor *d, struct db *db)
{
    struct err err;
    int64_t octets;
    if (checkup_packet(db, d->arena, &octets, &err) != OK)
        doctor_note(d, FINDING_FAIL, "packet", "see the database", "%s", err.msg);
    else if (octets < PACKET_MIN)
        doctor_note(d, FINDING_WARN, "packet",
                    "set max_allowed_packet = 64M in MariaDB's configuration and restart it",
                    "max_allowed_packet is %lld: of larger reports only what is short is kept, and "
                    "larger commands are refused",
                    (long long)octets);
    else
        doctor_note(d, FINDING_OK, "packet", NULL, "max_allowed_packet is %lld", (long long)octets);
}

static void check_agent(struct doctor *d, struct db *db)
{
    const char *holder;
    struct checkup_numbers k;
    struct err err;
    int64_t left;
    enum outcome o = checkup_agent(db, d->arena, &holder, &left, &err);
    if (o != OK || left <= 0)
        doctor_note(d, FINDING_FAIL, "agent",
                    "start drover serve or drover agent: nothing is pushed", "%s",
                    o != OK ? err.msg : "no agent is running");
    else
        doctor_note(d, FINDING_OK, "agent", NULL, "%s works", holder);
    if (checkup_numbers(db, d->arena, &k, &err) != OK)
        return;
    if (k.pushes_late)
        doctor_note(d, FINDING_WARN, "pushes", "see the agent's log; is APNs reachable?",
                    "%lld pushes are due for more than a minute", (long long)k.pushes_late);
    if (k.unknown_open)
        doctor_note(d, FINDING_WARN, "unknown", "droverctl decide list, accept, end",
                    "%lld unknown devices wait for a decision", (long long)k.unknown_open);
}

/* A topic that devices have. */
static void check_topic(struct doctor *d, struct db *db, const char *topic, const char *who)
{
    struct pushcert_row row;
    struct err err;
    enum outcome o = pushcert_get(db, topic, d->arena, &row, &err);
    if (o == NOT_FOUND)
        doctor_note(d, FINDING_FAIL, "push",
                    "droverctl pushcert add with the certificate of this very topic: another one "
                    "cannot push these devices",
                    "there is no push certificate of topic %s, which %s", topic, who);
    else if (o != OK)
        doctor_note(d, FINDING_FAIL, "push", "see the database", "%s", err.msg);
    else if (row.suspended_at)
        doctor_note(d, FINDING_FAIL, "push", "renew it: droverctl pushcert renew",
                    "APNs refused the push certificate of %s: %s", topic, row.suspended_why);
    else
        doctor_note_expiry(d, "push", topic, row.not_after, "droverctl pushcert renew");
}

static void check_push(struct doctor *d, struct db *db)
{
    const char *enroll = d->conf->enroll_topic;
    struct topic_use *used;
    struct err err;
    bool seen = false;
    size_t n;
    if (pushcert_topics_used(db, d->arena, &used, &n, &err) != OK) {
        doctor_note(d, FINDING_FAIL, "push", "see the database", "%s", err.msg);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        check_topic(d, db, used[i].topic, "enrollments have");
        seen |= strcmp(used[i].topic, enroll) == 0;
    }
    if (enroll[0] && !seen)
        check_topic(d, db, enroll, "the enrolment profile names");
    if (enroll[0] && n && !seen)
        doctor_note(d, FINDING_WARN, "push",
                    "set [enroll] topic to the topic that devices have, or keep both certificates",
                    "the enrolment profile names %s, which no enrollment has", enroll);
    if (!enroll[0] && !n)
        doctor_note(d, FINDING_WARN, "push", "droverctl pushcert add", "there is no topic yet");
}

static void check_bundle(struct doctor *d, struct db *db)
{
    struct buf want = BUF_INIT(LIM_BODY_API);
    struct bytes has;
    struct err err;
    enum outcome o = authority_bundle(d->conf, db, d->arena, &want, &err);
    if (o == OK)
        o = file_read(d->conf->ca_bundle, LIM_BODY_API, d->arena, &has, &err);
    if (o == DENIED)
        doctor_note(d, FINDING_WARN, "bundle", "let everybody read it, or run droverctl doctor",
                    "%s", err.msg);
    else if (o != OK)
        doctor_note(d, FINDING_FAIL, "bundle", "run droverctl ca bundle", "%s", err.msg);
    else if (!bytes_equal(has, buf_bytes(&want)))
        doctor_note(d, FINDING_FAIL, "bundle", "run droverctl ca bundle",
                    "%s does not hold the CAs that are trusted", d->conf->ca_bundle);
    else
        doctor_note(d, FINDING_OK, "bundle", NULL, "%s holds the CAs that are trusted",
                    d->conf->ca_bundle);
    buf_free(&want);
}

/* An old list goes on to count; what was revoked since is not known. */
static void check_lists(struct doctor *d, struct db *db)
{
    char until[CLOCK_TEXT_MAX];
    struct trust_crl *list;
    struct err err;
    size_t n;
    if (trust_crl_list(db, d->arena, &list, &n, &err) != OK) {
        doctor_note(d, FINDING_FAIL, "revocation", "see the database", "%s", err.msg);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (list[i].next_update && list[i].next_update < clock_now())
            doctor_note(d, FINDING_WARN, "revocation",
                        "fetch the CA's new list: droverctl ca crl FILE",
                        "the revocation list of %s was to be replaced by %s", list[i].subject,
                        clock_rfc3339(list[i].next_update, false, until));
        else
            doctor_note(d, FINDING_OK, "revocation", NULL, "%s revokes %lld certificates",
                        list[i].subject, (long long)list[i].entries);
}

static void check_restored(struct doctor *d, struct db *db)
{
    char at[CLOCK_TEXT_MAX];
    struct err err;
    int64_t restored;
    if (unknown_restored_get(db, d->arena, &restored, &err) == OK && restored)
        doctor_note(d, FINDING_WARN, "restored", "droverctl restored --settled, once all is",
                    "a backup was restored at %s; no rule ends unknown devices",
                    clock_rfc3339(restored, false, at));
}

/* What the calendar warns of, but for what is looked at by itself: push certificates here, the
 * signer's by doctor_signer(), the web server's by doctor_network(). */
static void check_calendar(struct doctor *d, struct db *db)
{
    static const char *const elsewhere[] = {"push-certificate", "scep-ca", "scep-ra",
                                            "profile-signer", "tls-certificate"};
    struct expiry *e;
    struct err err;
    size_t n, told = 0;
    if (expiry_list(db, clock_now() + EXPIRY_SOON_DAYS * DAY_US, LIM_PAGE, d->arena, &e, &n,
                    &err) != OK) {
        doctor_note(d, FINDING_FAIL, "calendar", "see the database", "%s", err.msg);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool skip = strcmp(e[i].kind, "device-identities") == 0 &&
                    e[i].ends_at > clock_now() + EXPIRY_URGENT_DAYS * DAY_US;
        for (size_t k = 0; k < sizeof elsewhere / sizeof *elsewhere; k++)
            skip |= strcmp(e[i].kind, elsewhere[k]) == 0;
        const char *what = arena_fmt(d->arena, "%s %s", expiry_title(e[i].kind), e[i].name);
        if (skip || !what)
            continue;
        doctor_note_expiry(d, "calendar", what, e[i].ends_at, expiry_fix(e[i].kind));
        told++;
    }
    if (!told)
        doctor_note(d, FINDING_OK, "calendar", NULL, "nothing else ends within %d days",
                    EXPIRY_SOON_DAYS);
}

bool doctor_schema(struct doctor *d, struct db *db)
{
    check_clock(d, db);
    return check_schema(d, db);
}

void doctor_state(struct doctor *d, struct db *db)
{
    check_packet(d, db);
    check_bundle(d, db);
    check_lists(d, db);
    check_agent(d, db);
    check_push(d, db);
    doctor_ways(d, db);
    check_calendar(d, db);
    check_restored(d, db);
}
