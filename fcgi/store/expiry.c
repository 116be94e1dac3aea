/* expiry.c: see expiry.h. */
#include "store/expiry.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
#include "store/event.h"
#include "wire/json.h"

#define DEVICES "device-identities"

#define NAME_MAX_OCTETS 64

static const struct sql LIST = {
    "expiry_list",
    "SELECT kind, name, ends_at, count, detail FROM ("
    "SELECT kind, name, ends_at, count, detail FROM expiry WHERE %OWN 0% OR kind <> "
    "'device-identities' UNION ALL "
    "SELECT 'push-certificate', topic, not_after, 1, '' FROM push_cert UNION ALL "
    "SELECT 'trusted-ca', LEFT(subject, 128), not_after, 1, LOWER(HEX(sha256)) FROM trust_ca "
    "UNION ALL SELECT 'vendor-certificate', LEFT(subject, 128), not_after, 1, '' FROM vendor_cert "
    /* who is limited is told of the identities of those devices, added up here and now */
    "UNION ALL SELECT 'device-identities', DATE_FORMAT(FROM_UNIXTIME(c.not_after DIV 1000000), "
    "'%Y-%m'), MIN(c.not_after), COUNT(*), '' FROM identity_cert c JOIN enrollment e ON e.id = "
    "c.device_id AND e.device_id = e.id AND e.state = 2 AND e.life_id = c.life_id WHERE NOT "
    "%OWN 0% AND %SCOPE e.device_id% AND c.not_after > 0 AND c.revoked_at IS NULL GROUP BY 2"
    ") AS ends WHERE ends_at < ? ORDER BY ends_at, kind, name LIMIT ?",
    0};
static const struct sql PUT = {
    "expiry_put",
    "INSERT INTO expiry (kind, name, ends_at, count, detail, seen_at) VALUES (?, ?, ?, ?, ?, ?) "
    "ON DUPLICATE KEY UPDATE ends_at = VALUES(ends_at), count = VALUES(count), "
    "detail = VALUES(detail), seen_at = VALUES(seen_at)",
    0};
static const struct sql IDENTITIES = {
    "expiry_identities",
    "INSERT INTO expiry (kind, name, ends_at, count, detail, seen_at) "
    "SELECT 'device-identities', DATE_FORMAT(FROM_UNIXTIME(c.not_after DIV 1000000), '%Y-%m'), "
    "MIN(c.not_after), COUNT(*), '', ? FROM identity_cert c JOIN enrollment e "
    "ON e.id = c.device_id AND e.device_id = e.id AND e.state = 2 AND e.life_id = c.life_id "
    "WHERE c.not_after > 0 AND c.revoked_at IS NULL GROUP BY 2 "
    "ON DUPLICATE KEY UPDATE ends_at = VALUES(ends_at), count = VALUES(count), "
    "seen_at = VALUES(seen_at)",
    0};
static const struct sql FORGET = {"expiry_forget", "DELETE FROM expiry WHERE seen_at < ?", 0};
static const struct sql FEED_NEW = {
    "feed_new",
    "INSERT INTO calendar_feed (name, sha256, created_at, created_by) VALUES (?, ?, ?, ?)", 0};
static const struct sql FEED_REVOKE = {"feed_revoke", "DELETE FROM calendar_feed WHERE name = ?",
                                       0};
static const struct sql FEED_LIST = {
    "feed_list",
    "SELECT name, created_by, created_at, last_used_at FROM calendar_feed ORDER BY name LIMIT 1000",
    0};
static const struct sql FEED_FIND = {"feed_find",
                                     "SELECT last_used_at FROM calendar_feed WHERE sha256 = ?", 0};
static const struct sql FEED_USED = {
    "feed_used", "UPDATE calendar_feed SET last_used_at = ? WHERE sha256 = ?", 0};

/* THE kinds. One that is not here is shown by its own name. */
static const struct {
    const char *kind, *title, *fix;
} KINDS[] = {
    {"push-certificate", "Push certificate",
     "renew it in Apple's portal under the same topic: droverctl pushcert csr --topic, then renew"},
    {"vendor-certificate", "MDM signing certificate of the vendor",
     "get a new one from Apple and import it: droverctl pushcert vendor"},
    {"trusted-ca", "Trusted CA of device identities",
     "trust its successor and renew the devices' identities: droverctl ca trust"},
    {DEVICES, "Identities of devices",
     "the agent renews them in time; see droverctl certs for those that fail"},
    {"scep-ca", "Device CA", "make its successor well before: droverctl ca next"},
    {"scep-ca-next", "Next device CA", "switch to it in time: droverctl ca switch"},
    {"scep-ca-before", "Device CA of before",
     "devices must have renewed their identities by then: droverctl ca status"},
    {"scep-ra", "SCEP registration authority", "it changes with the CA, or: see drover(8)"},
    {"profile-signer", "Profile signing certificate",
     "make a new one: remove profile.key and profile.pem of the signer, droverctl ca init"},
    {"profile-chain", "Certificate in signed profiles", "replace it in [enroll] profile_chain"},
    {"profile-certificate", "Certificate that enrolment profiles install",
     "put its successor in [enroll] certificates before the TLS certificate changes"},
    {"tls-certificate", "TLS certificate of the web server",
     "renew it and reload the web server: devices that meet an expired one cannot be managed"},
};

static size_t kind_find(const char *kind)
{
    size_t i = 0;
    while (i < sizeof KINDS / sizeof *KINDS && strcmp(KINDS[i].kind, kind) != 0)
        i++;
    return i;
}

const char *expiry_title(const char *kind)
{
    size_t i = kind_find(kind);
    return i < sizeof KINDS / sizeof *KINDS ? KINDS[i].title : "Something";
}

const char *expiry_fix(const char *kind)
{
    size_t i = kind_find(kind);
    return i < sizeof KINDS / sizeof *KINDS ? KINDS[i].fix : "renew it";
}

enum outcome expiry_list(struct db *db, int64_t before, size_t max, struct arena *a,
                         struct expiry **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &LIST, (struct val[]){val_int(before), val_int((int64_t)max)}, 2, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct expiry){.kind = val_text(&v[0]),
                                     .name = val_text(&v[1]),
                                     .ends_at = v[2].i,
                                     .count = v[3].i,
                                     .detail = val_text(&v[4])};
    }
    return OK;
}

enum outcome expiry_put(struct db *db, const struct expiry *e, int64_t now, struct err *err)
{
    return db_exec(db, &PUT,
                   (struct val[]){val_str(e->kind), val_cut(e->name, 128), val_int(e->ends_at),
                                  val_int(e->count), val_cut(e->detail, 512), val_int(now)},
                   6, NULL, err);
}

enum outcome expiry_identities(struct db *db, int64_t now, struct err *err)
{
    return db_exec(db, &IDENTITIES, (struct val[]){val_int(now)}, 1, NULL, err);
}

enum outcome expiry_forget(struct db *db, int64_t before, struct err *err)
{
    return db_exec(db, &FORGET, (struct val[]){val_int(before)}, 1, NULL, err);
}

/* --- telling --- */

static const struct sql TOLD = {
    .name = "expiry_told",
    .text = "INSERT IGNORE INTO expiry_told (about_sha256, within_days, told_at) VALUES (?,?,?)"};

int expiry_within(const struct expiry *e, int64_t now)
{
    bool device = strcmp(e->kind, DEVICES) == 0;
    return e->ends_at <= now                                          ? 0
           : e->ends_at <= now + EXPIRY_URGENT_DAYS * DAY_US          ? EXPIRY_URGENT_DAYS
           : !device && e->ends_at <= now + EXPIRY_SOON_DAYS * DAY_US ? EXPIRY_SOON_DAYS
                                                                      : -1;
}

struct telling {
    const struct expiry *e;
    int64_t now;
    int within;
};

/* The same certificate, or its successor? The first end of a month of devices' identities moves as
 * they are renewed: that is no other one. */
static void about(const struct expiry *e, uint8_t out[SHA256_LEN])
{
    struct buf b = BUF_INIT(16u * LIM_KB);
    bool device = strcmp(e->kind, DEVICES) == 0;
    buf_fmt(&b, "%s\n%lld\n%s", e->kind, device ? 0 : (long long)e->ends_at, e->name);
    sha256(buf_bytes(&b), out);
    buf_free(&b);
}

static enum outcome event_write(struct db *db, const struct telling *t, struct err *err)
{
    struct buf text = BUF_INIT(16u * LIM_KB);
    char when[CLOCK_TEXT_MAX];
    js facts = js_object();
    js_set_str(facts, "kind", t->e->kind);
    js_set_str(facts, "name", t->e->name);
    js_set_str(facts, "ends_at", clock_rfc3339(t->e->ends_at, false, when));
    js_set_int(facts, "within_days", t->within);
    js_set_int(facts, "count", t->e->count);
    js_set_str(facts, "fix", expiry_fix(t->e->kind));
    enum outcome o = js_write(facts, false, &text);
    js_free(&facts);
    const struct event e = {
        .topic = EVENT_CERTIFICATE_EXPIRING, .at = t->now, .facts = buf_cstr(&text)};
    o = o == OK ? event_add_wanted(db, &e, err) : err_set(err, o, "an end cannot be told");
    buf_free(&text);
    return o;
}

static enum outcome tell_unit(struct db *db, void *arg, struct err *err)
{
    const struct telling *t = arg;
    uint8_t sum[SHA256_LEN];
    uint64_t first = 0;
    about(t->e, sum);
    enum outcome o = db_exec(
        db, &TOLD,
        (struct val[]){val_bin(bytes_of(sum, sizeof sum)), val_int(t->within), val_int(t->now)}, 3,
        &first, err);
    return o == OK && first ? event_write(db, t, err) : o;
}

/* What nobody wants counts as told to nobody: who wants it later hears of it then. */
enum outcome expiry_tell(struct db *db, const struct expiry *e, int64_t now, struct arena *a,
                         struct err *err)
{
    struct telling t = {e, now, expiry_within(e, now)};
    bool wanted = false;
    enum outcome o =
        t.within >= 0 ? event_any_wants(db, EVENT_CERTIFICATE_EXPIRING, a, &wanted, err) : OK;
    return o == OK && wanted ? db_unit(db, tell_unit, &t, err) : o;
}

/* --- addresses --- */

struct feed {
    const char *name, *by, *token;
};

static enum outcome feed_unit(struct db *db, void *arg, struct err *err)
{
    const struct feed *f = arg;
    uint8_t sum[SHA256_LEN];
    sha256(bytes_str(f->token), sum);
    enum outcome o = db_exec(db, &FEED_NEW,
                             (struct val[]){val_str(f->name), val_bin(bytes_of(sum, sizeof sum)),
                                            val_int(clock_now()), val_cut(f->by, 128)},
                             4, NULL, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "there is a calendar address \"%s\" already", f->name);
    return o == OK ? audit_add(db, f->by, "calendar.feed", f->name, NULL, err) : o;
}

enum outcome feed_new(struct db *db, const char *name, const char *by,
                      char token[FEED_TOKEN_LEN + 1], struct err *err)
{
    if (!name[0] || strlen(name) > NAME_MAX_OCTETS)
        return err_set(err, INVALID, "the name of a calendar address has 1 to %d octets",
                       NAME_MAX_OCTETS);
    secret_new(FEED_TOKEN_LEN / 2, token);
    struct feed f = {name, by, token};
    return db_unit(db, feed_unit, &f, err);
}

static enum outcome revoke_unit(struct db *db, void *arg, struct err *err)
{
    const struct feed *f = arg;
    uint64_t n;
    enum outcome o = db_exec(db, &FEED_REVOKE, (struct val[]){val_str(f->name)}, 1, &n, err);
    if (o == OK && n == 0)
        return err_set(err, NOT_FOUND, "there is no calendar address \"%.64s\"", f->name);
    return o == OK ? audit_add(db, f->by, "calendar.revoke", f->name, NULL, err) : o;
}

enum outcome feed_revoke(struct db *db, const char *name, const char *by, struct err *err)
{
    struct feed f = {name, by, NULL};
    return db_unit(db, revoke_unit, &f, err);
}

enum outcome feed_list(struct db *db, struct arena *a, struct calendar_feed **out, size_t *n,
                       struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &FEED_LIST, NULL, 0, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n) {
        const struct val *v = row_at(&r, *n, 0);
        (*out)[*n] = (struct calendar_feed){.name = v[0].s,
                                            .created_by = v[1].s,
                                            .created_at = v[2].i,
                                            .last_used_at = val_or_0(&v[3])};
    }
    return OK;
}

enum outcome feed_check(struct db *db, const char *token, int64_t now, struct arena *a,
                        struct err *err)
{
    uint8_t sum[SHA256_LEN];
    struct rows r;
    sha256(bytes_str(token), sum);
    struct val key = val_bin(bytes_of(sum, sizeof sum));
    enum outcome o = db_select(db, &FEED_FIND, &key, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "no calendar has this address");
    if (o == OK && val_or_0(row_at(&r, 0, 0)) < now - HOUR_US)
        o = db_exec(db, &FEED_USED, (struct val[]){val_int(now), key}, 2, NULL, err);
    return o;
}
