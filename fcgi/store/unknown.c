/* unknown.c: see unknown.h. */
#include "store/unknown.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "store/audit.h"
#include "store/event.h"
#include "store/id.h"
#include "store/ident.h"
#include "store/readmit.h"
#include "wire/encode.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

#define RULE "rule:unknown-device"
/* A certificate is one device's; one that claims more names than these is not listed further. */
#define NAMES_MAX 16
/* Devices that were not seen for so long do not speak for a lost database any more. */
#define COUNTED_FOR (30 * DAY_US)

#define COLUMNS                                                                                    \
    "id, ident, cert_sha256, subject, topic, last_message, first_seen_at, last_seen_at, "          \
    "contacts, "                                                                                   \
    "decision, decided_at, decided_by, decided_why"
enum {
    C_ID,
    C_IDENT,
    C_SHA,
    C_SUBJECT,
    C_TOPIC,
    C_MESSAGE,
    C_FIRST,
    C_LAST,
    C_CONTACTS,
    C_DECISION,
    C_DECIDED_AT,
    C_DECIDED_BY,
    C_DECIDED_WHY
};

static const struct sql OF_CERT = {
    "unknown_of_cert",
    "SELECT " COLUMNS " FROM unknown_device WHERE cert_sha256=? ORDER BY ident=? DESC LIMIT 16", 0};
static const struct sql NOTE = {
    "unknown_note",
    "INSERT INTO unknown_device (ident, cert_sha256, subject, topic, last_message, first_seen_at, "
    "last_seen_at) VALUES (?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE subject=VALUES(subject), "
    "topic=COALESCE(VALUES(topic), topic), last_message=VALUES(last_message), "
    "last_seen_at=VALUES(last_seen_at), contacts=contacts+1",
    0};
static const struct sql RULE_ENDED = {"unknown_rule_ended",
                                      "UPDATE unknown_device SET decided_at=?, decided_by='" RULE
                                      "', decided_why=? WHERE id=? "
                                      "AND decision=0",
                                      0};
static const struct sql COUNT = {
    "unknown_count",
    "SELECT COUNT(*) FROM (SELECT 1 FROM unknown_device WHERE decision=0 AND last_seen_at>? "
    "GROUP BY ident LIMIT ?) x",
    0};
static const struct sql MARK = {"unknown_restored", "SELECT value FROM site WHERE name='restored'",
                                0};
static const struct sql SET_MARK = {
    "unknown_restored_set",
    "INSERT INTO site (name, value) VALUES ('restored', ?) ON DUPLICATE KEY UPDATE "
    "value=VALUES(value), version=version+1",
    0};
static const struct sql DROP_MARK = {"unknown_settled", "DELETE FROM site WHERE name='restored'",
                                     0};
static const struct sql LIST = {
    "unknown_list",
    "SELECT " COLUMNS " FROM unknown_device WHERE id>? AND (?<0 OR decision=?) ORDER BY id LIMIT ?",
    0};
static const struct sql FIND = {
    "unknown_find",
    "SELECT " COLUMNS " FROM unknown_device WHERE ident=? ORDER BY last_seen_at DESC, id LIMIT ?",
    0};
static const struct sql GET = {"unknown_get", "SELECT " COLUMNS " FROM unknown_device WHERE id=?",
                               0};
static const struct sql LOCK = {"unknown_lock",
                                "SELECT " COLUMNS " FROM unknown_device WHERE id=? FOR UPDATE", 0};
static const struct sql DECIDE = {
    "unknown_decide",
    "UPDATE unknown_device SET decision=?, decided_at=?, decided_by=?, decided_why=? WHERE id=?",
    0};
static const struct sql REMOVE = {"unknown_remove", "DELETE FROM unknown_device WHERE ident=?", 0};
static const struct sql ADD_ENROLLMENT = {
    "enrollment_accept",
    "INSERT INTO enrollment (id, ident, kind, device_id, state, life_id, udid, created_at, "
    "enrolled_at, last_seen_at) VALUES (?,?,?,?,2,?,?,?,?,?)",
    0};
static const struct sql ADD_LIFE = {
    "life_accept",
    "INSERT INTO life (id, enrollment_id, state, cert_sha256, topic, opened_at) "
    "VALUES (?,?,2,?,?,?)",
    0};
static const struct sql BIND = {
    "identity_accept",
    "INSERT INTO identity_cert (sha256, subject, device_id, life_id) VALUES (?,?,?,?) "
    "ON DUPLICATE KEY UPDATE life_id=IF(device_id IS NULL, VALUES(life_id), life_id), "
    "device_id=COALESCE(device_id, VALUES(device_id))",
    0};
static const struct sql OWNER = {"identity_owner",
                                 "SELECT device_id FROM identity_cert WHERE sha256=?", 0};

static const char *const names[] = {"open", "accept", "end"};

const char *unknown_decision_name(int decision)
{
    return decision >= 0 && decision < 3 ? names[decision] : NULL;
}

static void from_row(const struct val *v, struct unknown_device *d)
{
    *d = (struct unknown_device){.id = v[C_ID].i,
                                 .ident = v[C_IDENT].s,
                                 .subject = v[C_SUBJECT].s,
                                 .topic = val_text(&v[C_TOPIC]),
                                 .last_message = v[C_MESSAGE].s,
                                 .first_seen_at = v[C_FIRST].i,
                                 .last_seen_at = v[C_LAST].i,
                                 .contacts = v[C_CONTACTS].i,
                                 .decision = (int)v[C_DECISION].i,
                                 .decided_at = val_or_0(&v[C_DECIDED_AT]),
                                 .decided_by = val_text(&v[C_DECIDED_BY]),
                                 .decided_why = val_text(&v[C_DECIDED_WHY])};
    if (v[C_SHA].n == sizeof(d->cert_sha256))
        memcpy(d->cert_sha256, v[C_SHA].s, sizeof(d->cert_sha256));
}

static enum outcome from_rows(const struct rows *r, struct arena *a, struct unknown_device **out,
                              size_t *n, struct err *err)
{
    *n = r->n;
    *out = arena_array(a, r->n + 1, sizeof(**out));
    if (*out == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r->n; i++)
        from_row(row_at(r, i, 0), &(*out)[i]);
    return OK;
}

/* ---- a contact ---- */

struct note {
    const struct conf *conf;
    const struct ident *id;
    struct bytes sha256;
    const char *subject, *topic, *message;
    int64_t now;
    struct arena *a;
    struct unknown_device d; /* d.id 0: not listed */
};

/* The enrollment, and its current life, of a device of which nothing is known. */
static enum outcome accept_new(struct db *db, const struct note *x, const char *topic,
                               int64_t *enrollment, int64_t *life, struct err *err)
{
    int kind = x->id->udid != NULL ? IDENT_DEVICE : IDENT_USER_ENROLLMENT_DEVICE;
    struct val e = val_int(*enrollment = id_new()), l = val_int(*life = id_new());
    struct val now = val_int(x->now);
    enum outcome o = db_exec(db, &ADD_ENROLLMENT,
                             (struct val[]){e, val_str(x->id->device), val_int(kind), e, l,
                                            val_str(x->id->udid), now, now, now},
                             9, NULL, err);

    if (o != OK)
        return o;
    return db_exec(db, &ADD_LIFE, (struct val[]){l, e, val_bin(x->sha256), val_str(topic), now}, 5,
                   NULL, err);
}

static enum outcome accept_unit(struct db *db, void *arg, struct err *err)
{
    struct note *x = arg;
    struct val ident = val_str(x->id->device);
    const char *topic = x->topic != NULL ? x->topic : x->d.topic;
    int64_t enrollment, life;
    struct rows r;
    enum outcome o;

    if ((o = readmit(db, x->id->device, x->sha256, topic, x->d.decided_at, x->now, x->a,
                     &enrollment, &life, err)) != OK ||
        (enrollment == 0 && (o = accept_new(db, x, topic, &enrollment, &life, err)) != OK) ||
        (o = db_exec(db, &BIND,
                     (struct val[]){val_bin(x->sha256), val_str(x->subject), val_int(enrollment),
                                    val_int(life)},
                     4, NULL, err)) != OK ||
        (o = db_select(db, &OWNER, (struct val[]){val_bin(x->sha256)}, 1, x->a, &r, err)) != OK ||
        (o = db_exec(db, &REMOVE, &ident, 1, NULL, err)) != OK)
        return o;
    if (r.n != 1 || row_at(&r, 0, 0)->i != enrollment)
        return err_set(err, CONFLICT, "somebody else has changed it meanwhile; read it again");
    return audit_add(db, x->d.decided_by, "unknown.accepted", x->id->device, x->d.decided_why, err);
}

static enum outcome rule_unit(struct db *db, void *arg, struct err *err)
{
    struct note *x = arg;
    char why[160];
    enum outcome o;

    snprintf(why, sizeof(why),
             "[unknown] action=end: unknown for %lld hours, fewer than %lld devices are",
             (long long)((x->now - x->d.first_seen_at) / HOUR_US), (long long)x->conf->unknown_max);
    o = db_exec(db, &RULE_ENDED, (struct val[]){val_int(x->now), val_str(why), val_int(x->d.id)}, 3,
                NULL, err);
    return o == OK ? audit_add(db, RULE, "unknown.end", x->d.ident, why, err) : o;
}

/* Does the configured rule end this device now? */
static enum outcome rule_applies(struct db *db, const struct note *x, bool *yes, struct err *err)
{
    int64_t restored;
    struct rows r;
    enum outcome o;

    *yes = false;
    if (strcmp(x->conf->unknown_action, "end") != 0 || x->d.id == 0 ||
        x->now - x->d.first_seen_at < x->conf->unknown_hours * HOUR_US)
        return OK;
    if ((o = unknown_restored_get(db, x->a, &restored, err)) != OK || restored != 0)
        return o;
    o = db_select(db, &COUNT,
                  (struct val[]){val_int(x->now - COUNTED_FOR), val_int(x->conf->unknown_max)}, 2,
                  x->a, &r, err);
    *yes = o == OK && row_at(&r, 0, 0)->i < x->conf->unknown_max;
    return o;
}

static const char *unknown_facts(const struct note *x)
{
    struct buf text = BUF_INIT(8192);
    js facts = js_object();
    char hex[SHA256_HEX_LEN + 1];
    const char *copy = NULL;

    hex_encode(x->sha256, hex);
    js_set_str(facts, "certificate_sha256", hex);
    js_set_str(facts, "subject", x->subject);
    js_set_str(facts, "topic", x->topic);
    js_set_str(facts, "message", x->message);
    if (js_write(facts, false, &text) == OK)
        copy = arena_strdup(x->a, buf_cstr(&text));
    js_free(&facts);
    buf_free(&text);
    return copy;
}

/* Lists it, or notes that it came again; one that is new is told of. */
static enum outcome list_unit(struct db *db, void *arg, struct err *err)
{
    struct note *x = arg;
    uint64_t rows = 0;
    enum outcome o = db_exec(db, &NOTE,
                             (struct val[]){val_str(x->id->device), val_bin(x->sha256),
                                            val_str(x->subject), val_str(x->topic),
                                            val_str(x->message), val_int(x->now), val_int(x->now)},
                             7, &rows, err);

    if (o != OK || rows != 1 || x->d.id != 0)
        return o;
    return event_add_wanted(
        db,
        &(struct event){.topic = EVENT_DEVICE_UNKNOWN,
                        .at = x->now,
                        .ident = x->id->device,
                        .kind = x->id->udid != NULL ? IDENT_DEVICE : IDENT_USER_ENROLLMENT_DEVICE,
                        .facts = unknown_facts(x)},
        err);
}

static enum outcome find_or_list(struct db *db, struct note *x, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(
        db, &OF_CERT, (struct val[]){val_bin(x->sha256), val_str(x->id->device)}, 2, x->a, &r, err);

    if (o != OK)
        return o;
    if (r.n > 0 && strcmp(row_at(&r, 0, C_IDENT)->s, x->id->device) == 0)
        from_row(row_at(&r, 0, 0), &x->d);
    if (x->d.id == 0 && r.n >= NAMES_MAX)
        return OK;
    if (x->d.id != 0 && x->now - x->d.last_seen_at < MINUTE_US)
        return OK;
    return x->d.id != 0 ? list_unit(db, x, err) : db_unit(db, list_unit, x, err);
}

/* The text without what the column cannot hold. */
static const char *cut(struct arena *a, const char *s, size_t chars)
{
    return s != NULL ? arena_strndup(a, s, utf8_prefix(s, chars)) : NULL;
}

enum outcome unknown_note(struct db *db, const struct conf *conf, const struct ident *id,
                          const uint8_t sha256[32], const char *subject, const char *topic,
                          const char *message, int64_t now, struct arena *a,
                          enum unknown_answer *out, struct err *err)
{
    struct note x = {.conf = conf,
                     .id = id,
                     .sha256 = bytes_of(sha256, 32),
                     .subject = cut(a, subject, 512),
                     .topic = cut(a, topic, LIM_TOPIC),
                     .message = cut(a, message, 64),
                     .now = now,
                     .a = a};
    bool end;
    enum outcome o;

    *out = UNKNOWN_HOLD;
    if (x.subject == NULL || x.message == NULL)
        return err_set(err, ERROR, "out of memory");
    if ((o = find_or_list(db, &x, err)) != OK)
        return o;
    if (x.d.decision == DECISION_END) {
        *out = UNKNOWN_END;
        return OK;
    }
    if (x.d.decision == DECISION_ACCEPT) {
        o = db_unit(db, accept_unit, &x, err);
        if (o == OK)
            *out = UNKNOWN_ACCEPT;
        /* it came twice at once, or enrolled meanwhile: the next look finds it */
        return o == CONFLICT ? OK : o;
    }
    if ((o = rule_applies(db, &x, &end, err)) != OK || !end)
        return o;
    if (x.d.decided_at == 0)
        o = db_unit(db, rule_unit, &x, err);
    if (o == OK)
        *out = UNKNOWN_END;
    return o;
}

/* ---- lists and decisions ---- */

enum outcome unknown_list(struct db *db, int decision, int64_t after, size_t max, struct arena *a,
                          struct unknown_device **out, size_t *n, struct err *err)
{
    struct val d = val_int(decision);
    struct rows r;
    enum outcome o = db_select(
        db, &LIST,
        (struct val[]){val_int(after), d, d, val_int(max < LIM_PAGE ? (int64_t)max : LIM_PAGE)}, 4,
        a, &r, err);

    return o == OK ? from_rows(&r, a, out, n, err) : o;
}

enum outcome unknown_find(struct db *db, const char *ident, struct arena *a,
                          struct unknown_device **out, size_t *n, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &FIND, (struct val[]){val_str(ident), val_int(LIM_PAGE)}, 2, a, &r, err);

    return o == OK ? from_rows(&r, a, out, n, err) : o;
}

struct decide {
    int64_t id, now;
    enum unknown_decision decision;
    const char *by, *why;
    struct arena *a;
    struct unknown_device *out;
};

static enum outcome decide_unit(struct db *db, void *arg, struct err *err)
{
    struct decide *x = arg;
    struct val id = val_int(x->id);
    bool open = x->decision == DECISION_OPEN;
    struct rows r;
    enum outcome o;
    char detail[400];

    if ((o = db_select(db, &LOCK, &id, 1, x->a, &r, err)) != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "there is no unknown device %lld", (long long)x->id);
    from_row(row_at(&r, 0, 0), x->out);
    if (x->out->decision == (int)x->decision)
        return err_set(err, CONFLICT, "%s is \"%s\" already", x->out->ident, names[x->decision]);
    if ((o = db_exec(db, &DECIDE,
                     (struct val[]){val_int(x->decision), open ? val_null() : val_int(x->now),
                                    open ? val_null() : val_str(cut(x->a, x->by, 128)),
                                    open ? val_null() : val_str(cut(x->a, x->why, 255)), id},
                     5, NULL, err)) != OK)
        return o;
    snprintf(detail, sizeof(detail), "decision=%s id=%lld why=%.300s", names[x->decision],
             (long long)x->id, x->why);
    if ((o = audit_add(db, x->by, "unknown.decide", x->out->ident, detail, err)) != OK ||
        (o = db_select(db, &GET, &id, 1, x->a, &r, err)) != OK)
        return o;
    from_row(row_at(&r, 0, 0), x->out);
    return OK;
}

enum outcome unknown_decide(struct db *db, int64_t id, enum unknown_decision decision,
                            const char *by, const char *why, int64_t now, struct arena *a,
                            struct unknown_device *out, struct err *err)
{
    struct decide x = {id, now, decision, by, why, a, out};

    return db_unit(db, decide_unit, &x, err);
}

/* ---- after a restore ---- */

struct mark {
    bool settled;
    const char *by, *why;
    int64_t now;
};

static enum outcome mark_unit(struct db *db, void *arg, struct err *err)
{
    struct mark *x = arg;
    char text[24];
    uint64_t rows = 1;
    enum outcome o;

    snprintf(text, sizeof(text), "%lld", (long long)x->now);
    o = x->settled ? db_exec(db, &DROP_MARK, NULL, 0, &rows, err)
                   : db_exec(db, &SET_MARK, (struct val[]){val_str(text)}, 1, NULL, err);
    if (o == OK && rows == 0)
        return err_set(err, CONFLICT, "no restored backup is being settled");
    return o == OK ? audit_add(db, x->by, x->settled ? "site.settled" : "site.restored", "database",
                               x->why, err)
                   : o;
}

enum outcome unknown_restored_set(struct db *db, bool settled, const char *by, const char *why,
                                  int64_t now, struct err *err)
{
    struct mark x = {settled, by, why, now};

    return db_unit(db, mark_unit, &x, err);
}

enum outcome unknown_restored_get(struct db *db, struct arena *a, int64_t *at, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &MARK, NULL, 0, a, &r, err);

    *at = 0;
    if (o == OK && r.n > 0) /* a mark that cannot be read is a mark */
        *at = val_is_null(row_at(&r, 0, 0)) ? 1 : strtoll(row_at(&r, 0, 0)->s, NULL, 10);
    if (o == OK && r.n > 0 && *at == 0)
        *at = 1;
    return o;
}
