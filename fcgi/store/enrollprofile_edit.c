/* enrollprofile_edit.c: making, editing and removing enrolment profiles; see enrollprofile.h. */
#include "store/enrollprofile.h"

#include <ctype.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "store/audit.h"
#include "store/group.h"
#include "store/id.h"
#include "wire/seal.h"

#define SECRETS 2

static const struct sql LOCK = {
    "enrollprofile_lock", "SELECT id, version FROM enroll_profile WHERE name = ? FOR UPDATE", 0};
static const struct sql ADD = {
    "enrollprofile_add",
    "INSERT INTO enroll_profile (version, created_at, created_by, id, name) VALUES (1, ?, ?, ?, ?)",
    0};
static const struct sql RAISE = {"enrollprofile_raise",
                                 "UPDATE enroll_profile SET version = ? WHERE id = ?", 0};
static const struct sql ADD_VERSION = {
    "enrollprofile_add_version",
    "INSERT INTO enroll_profile_version (organization, title, description, consent, topic, "
    "server_url, checkin_url, server_capabilities, certificates, key_type, scep_url, scep_name, "
    "scep_subject, scep_fingerprint, login_text, minimum_ios, minimum_macos, access_rights, "
    "identity, key_size, removal, sign_message, check_out_when_removed, use_development_apns, web, "
    "login, encrypt, assigned_only, scep_challenge, removal_password, "
    "profile_id, version, made_at, made_by, note) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql ADD_ITEM = {
    "enrollprofile_add_item",
    "INSERT INTO enroll_profile_item (profile_id, version, kind, name, place) VALUES (?,?,?,?,?)",
    0};
static const struct sql REMOVE = {"enrollprofile_remove", "DELETE FROM enroll_profile WHERE id = ?",
                                  0};
/* What the devices that are enrolled with it would notice. */
static const struct sql INSTALLED = {
    "enrollprofile_installed",
    "SELECT COUNT(*), COUNT(IF(h.topic <> ?, 1, NULL)), COUNT(IF(h.server_url <> ?, 1, NULL)), "
    "COUNT(IF(SUBSTRING_INDEX(h.checkin_url, '?', 1) <> ?, 1, NULL)), "
    "COUNT(IF(h.access_rights <> ?, 1, NULL)), "
    "COUNT(IF((h.server_capabilities LIKE '%per-user-connections%') <> ?, 1, NULL)) "
    "FROM handout h JOIN life l ON l.handout_id = h.id JOIN enrollment e ON e.life_id = l.id AND "
    "e.state = 2 "
    "WHERE h.profile_id = ?",
    0};
static const struct sql INVITED = {
    "enrollprofile_invited",
    "SELECT COUNT(*) FROM invitation WHERE profile_id = ? AND uses < uses_max "
    "AND revoked_at IS NULL AND expires_at > ?",
    0};

static enum outcome name_check(const char *name, struct err *err)
{
    size_t n = strlen(name);
    bool good = n > 0 && n <= ENROLLPROFILE_NAME_MAX && isalnum((unsigned char)name[0]);
    for (size_t i = 0; good && i < n; i++)
        good = isalnum((unsigned char)name[i]) || strchr("._-", name[i]);
    if (!good)
        return err_set(err, INVALID,
                       "a name has 1 to %d letters, digits, '.', '_' and '-' and begins with a "
                       "letter or digit",
                       ENROLLPROFILE_NAME_MAX);
    return OK;
}

/* A change under way. */
struct work {
    const struct conf *conf;
    const struct enrollprofile_change *x;
    struct arena *a;
    int64_t id, version; /* of the version that is made */
    struct buf secret[SECRETS];
};

static enum outcome seal_one(struct work *w, int i, const char *purpose, const char *given,
                             struct err *err)
{
    uint8_t pub[SEAL_KEY_LEN];
    const char *label = arena_fmt(w->a, "%s:%lld", purpose, (long long)w->id);
    buf_clear(&w->secret[i]);
    if (!given || !given[0])
        return OK;
    enum outcome o = label ? seal_public_load(w->conf->signer_dir, pub, err)
                           : err_set(err, ERROR, "out of memory");
    return o == OK ? seal(pub, label, bytes_str(given), &w->secret[i], err) : o;
}

/* The value of a secret's column: given anew, taken away (""), or as it was. */
static struct val secret_val(const char *given, const struct buf *sealed, struct bytes kept)
{
    if (given)
        return given[0] ? val_secret(buf_bytes(sealed)) : val_null();
    return kept.n ? val_secret(kept) : val_null();
}

static enum outcome items_write(struct db *db, const struct work *w, struct err *err)
{
    const struct enroll_names *lists[] = {&w->x->c->profiles, &w->x->c->apps};
    size_t n = lists[0]->n + lists[1]->n, k = 0;
    struct val *args = arena_array(w->a, n * 5 + 1, sizeof *args);
    if (!args)
        return err_set(err, ERROR, "out of memory");
    for (int64_t kind = 1; kind <= 2; kind++)
        for (size_t i = 0; i < lists[kind - 1]->n; i++, k++)
            memcpy(args + k * 5,
                   (struct val[]){val_int(w->id), val_int(w->version), val_int(kind),
                                  val_str(lists[kind - 1]->name[i]), val_int((int64_t)i)},
                   5 * sizeof *args);
    return db_exec_many(db, &ADD_ITEM, args, 5, n, NULL, err);
}

static enum outcome version_write(struct db *db, struct work *w, struct err *err)
{
    const struct enroll_content *c = w->x->c;
    enum outcome o = seal_one(w, 0, ENROLLPROFILE_CHALLENGE_PURPOSE, c->new_scep_challenge, err);
    if (o == OK)
        o = seal_one(w, 1, ENROLLPROFILE_REMOVAL_PURPOSE, c->new_removal_password, err);
    if (o != OK)
        return o;
    struct val args[] = {val_str(c->organization),
                         val_str(c->title),
                         val_str(c->description),
                         val_str(c->consent),
                         val_str(c->topic),
                         val_str(c->server_url),
                         val_str(c->checkin_url),
                         val_str(c->server_capabilities),
                         val_str(c->certificates),
                         val_str(c->key_type),
                         val_str(c->scep_url),
                         val_str(c->scep_name),
                         val_str(c->scep_subject),
                         val_str(c->scep_fingerprint),
                         val_str(c->login_text),
                         val_str(c->minimum_ios),
                         val_str(c->minimum_macos),
                         val_int(c->access_rights),
                         val_int(c->identity),
                         val_int(c->key_size),
                         val_int(c->removal),
                         val_int(c->sign_message),
                         val_int(c->check_out_when_removed),
                         val_int(c->use_development_apns),
                         val_int(c->web),
                         val_int(c->login),
                         val_int(c->encrypt),
                         val_int(c->assigned_only),
                         secret_val(c->new_scep_challenge, &w->secret[0], c->scep_challenge),
                         secret_val(c->new_removal_password, &w->secret[1], c->removal_password),
                         val_int(w->id),
                         val_int(w->version),
                         val_int(clock_now()),
                         val_str(w->x->by),
                         val_strn(w->x->note, utf8_prefix(w->x->note, ENROLLPROFILE_NOTE_MAX))};
    o = db_exec(db, &ADD_VERSION, args, sizeof args / sizeof *args, NULL, err);
    if (o == OK)
        o = items_write(db, w, err);
    return o == OK ? wanted_touch(db, err) : o; /* its devices get, or lose, what it lists */
}

static enum outcome new_unit(struct db *db, void *arg, struct err *err)
{
    struct work *w = arg;
    w->id = id_new();
    w->version = 1;
    enum outcome o = db_exec(db, &ADD,
                             (struct val[]){val_int(clock_now()), val_str(w->x->by), val_int(w->id),
                                            val_str(w->x->name)},
                             4, NULL, err);
    if (o == CONFLICT)
        return err_set(err, CONFLICT, "there is an enrolment profile \"%s\" already", w->x->name);
    if (o == OK)
        o = version_write(db, w, err);
    return o == OK ? audit_add(db, w->x->by, "enrollprofile.new", w->x->name, w->x->note, err) : o;
}

static enum outcome work_do(struct db *db, db_unit_fn *fn, struct work *w, struct err *err)
{
    w->a = arena_new(4 * LIM_MB);
    for (int i = 0; i < SECRETS; i++)
        w->secret[i] = BUF_INIT(LIM_KB);
    enum outcome o = w->a ? name_check(w->x->name, err) : err_set(err, ERROR, "out of memory");
    if (o == OK)
        o = enroll_content_check(w->x->c, w->a, err);
    if (o == OK && !utf8_valid(bytes_str(w->x->note)))
        o = err_set(err, INVALID, "the note is not UTF-8");
    if (o == OK)
        o = db_unit(db, fn, w, err);
    for (int i = 0; i < SECRETS; i++)
        buf_free(&w->secret[i]);
    arena_free(&w->a);
    return o;
}

enum outcome enrollprofile_new(struct db *db, const struct conf *conf,
                               const struct enrollprofile_change *x, struct err *err)
{
    struct work w = {.conf = conf, .x = x};
    return work_do(db, new_unit, &w, err);
}

static bool per_user(const struct enroll_content *c)
{
    return strstr(c->server_capabilities, "per-user-connections") != NULL;
}

/* Which of these differ between the versions, and on how many devices it would be noticed. A field
 * that is edited to what it was for them anyway is none of them. */
static enum outcome installed_check(struct db *db, const struct work *w,
                                    const struct enroll_content *old, struct err *err)
{
    const struct enroll_content *c = w->x->c;
    const char *base = c->server_url[0] ? c->server_url : w->conf->device_url;
    const char *checkin = c->checkin_url[0] ? c->checkin_url : base, *topic = "";
    struct rows r;
    struct err ignored;
    const bool edited[] = {strcmp(c->topic, old->topic) != 0,
                           strcmp(c->server_url, old->server_url) != 0,
                           strcmp(c->checkin_url, old->checkin_url) != 0 ||
                               strcmp(c->server_url, old->server_url) != 0,
                           c->access_rights != old->access_rights, per_user(c) != per_user(old)};
    static const char *const what[] = {"Topic", "ServerURL", "CheckInURL", "AccessRights",
                                       "per-user connections (ServerCapabilities)"};
    if (edited[0] && enroll_content_topic(db, w->conf, c, w->a, &topic, &ignored) != OK)
        topic = ""; /* nothing that was handed out is like that */
    enum outcome o =
        db_select(db, &INSTALLED,
                  (struct val[]){val_str(topic), val_str(arena_fmt(w->a, "%s/mdm/connect", base)),
                                 val_str(arena_fmt(w->a, "%s/mdm/checkin", checkin)),
                                 val_int(c->access_rights), val_int(per_user(c)), val_int(w->id)},
                  6, w->a, &r, err);
    for (size_t i = 0; o == OK && i < sizeof what / sizeof *what; i++) {
        int64_t n = row_at(&r, 0, i + 1)->i;
        if (edited[i] && n > 0)
            o = err_set(err, CONFLICT,
                        "%lld enrolled device%s this profile with another %s, and refuse%s a "
                        "renewed one in which it differs; make another profile (from this one) "
                        "for devices to come",
                        (long long)n, n == 1 ? " has" : "s have", what[i], n == 1 ? "s" : "");
    }
    return o;
}

static enum outcome lock(struct db *db, struct work *w, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &LOCK, (struct val[]){val_str(w->x->name)}, 1, w->a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "there is no enrolment profile \"%.64s\"", w->x->name);
    if (o == OK) {
        w->id = row_at(&r, 0, 0)->i;
        w->version = row_at(&r, 0, 1)->i;
    }
    return o;
}

static enum outcome save_unit(struct db *db, void *arg, struct err *err)
{
    struct work *w = arg;
    struct enrollprofile old;
    arena_reset(w->a);
    enum outcome o = lock(db, w, err);
    if (o == OK && w->x->expected && w->x->expected != w->version)
        o = err_set(err, CONFLICT, "\"%s\" is at version %lld by now, not at %lld", w->x->name,
                    (long long)w->version, (long long)w->x->expected);
    if (o == OK)
        o = enrollprofile_get(db, w->id, w->a, &old, err);
    if (o == OK)
        o = installed_check(db, w, &old.c, err);
    w->version++;
    if (o == OK)
        o = version_write(db, w, err);
    if (o == OK)
        o = db_exec(db, &RAISE, (struct val[]){val_int(w->version), val_int(w->id)}, 2, NULL, err);
    if (o != OK)
        return o;
    const char *detail = arena_fmt(w->a, "version=%lld%s%s", (long long)w->version,
                                   w->x->note[0] ? " note=" : "", w->x->note);
    return audit_add(db, w->x->by, "enrollprofile.edit", w->x->name, detail, err);
}

enum outcome enrollprofile_save(struct db *db, const struct conf *conf,
                                const struct enrollprofile_change *x, int64_t *version,
                                struct err *err)
{
    struct work w = {.conf = conf, .x = x};
    enum outcome o = work_do(db, save_unit, &w, err);
    if (version)
        *version = w.version;
    return o;
}

static enum outcome remove_unit(struct db *db, void *arg, struct err *err)
{
    struct work *w = arg;
    struct rows r;
    struct val nothing = val_str(""), zero = val_int(0);
    arena_reset(w->a);
    enum outcome o = lock(db, w, err);
    if (o == OK)
        o = db_select(db, &INSTALLED,
                      (struct val[]){nothing, nothing, nothing, zero, zero, val_int(w->id)}, 6,
                      w->a, &r, err);
    if (o == OK && row_at(&r, 0, 0)->i > 0)
        o = err_set(err, CONFLICT, "%lld enrolled devices have this profile; it renews theirs",
                    (long long)row_at(&r, 0, 0)->i);
    if (o == OK)
        o = db_select(db, &INVITED, (struct val[]){val_int(w->id), val_int(clock_now())}, 2, w->a,
                      &r, err);
    if (o == OK && row_at(&r, 0, 0)->i > 0)
        o = err_set(err, CONFLICT, "%lld open invitations give this profile; take them back first",
                    (long long)row_at(&r, 0, 0)->i);
    if (o == OK)
        o = db_exec(db, &REMOVE, (struct val[]){val_int(w->id)}, 1, NULL, err);
    return o == OK ? audit_add(db, w->x->by, "enrollprofile.remove", w->x->name, NULL, err) : o;
}

enum outcome enrollprofile_remove(struct db *db, const char *name, const char *by, struct err *err)
{
    struct enrollprofile_change x = {.name = name, .by = by, .note = ""};
    struct work w = {.x = &x};
    if (strcmp(name, ENROLLPROFILE_DEFAULT) == 0)
        return err_set(err, CONFLICT, "the default enrolment profile stays: edit it");
    w.a = arena_new(LIM_MB);
    enum outcome o = w.a ? db_unit(db, remove_unit, &w, err) : err_set(err, ERROR, "out of memory");
    arena_free(&w.a);
    return o;
}

enum outcome enrollprofile_default(struct db *db, const struct conf *conf, const char *by,
                                   bool *made, struct err *err)
{
    struct arena *a = arena_new(4 * LIM_MB);
    struct enrollprofile p;
    *made = false;
    enum outcome o = a ? enrollprofile_find(db, conf, ENROLLPROFILE_DEFAULT, a, &p, err)
                       : err_set(err, ERROR, "out of memory");
    if (o == OK && p.id == 0) {
        struct enrollprofile_change x = {.name = ENROLLPROFILE_DEFAULT,
                                         .c = &p.c,
                                         .by = by,
                                         .note = "as configured in [enroll]"};
        o = enrollprofile_new(db, conf, &x, err);
        *made = o == OK;
        if (o == CONFLICT) /* somebody else just did */
            o = OK;
    }
    arena_free(&a);
    return o;
}
