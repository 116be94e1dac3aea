/* enrollprofile.c: the statements of enrolment profiles; see enrollprofile.h. */
#include "store/enrollprofile.h"

#include "base/limits.h"
#include "store/pushcert.h"

/* The columns of a version in the order of COLUMNS below; LIGHT leaves out what is long. */
#define CONTENT                                                                                    \
    "v.organization, v.title, v.description, v.consent, v.topic, v.server_url, v.checkin_url, "    \
    "v.server_capabilities, v.certificates, v.key_type, v.scep_url, v.scep_name, v.scep_subject, " \
    "v.scep_fingerprint, v.login_text, v.minimum_ios, v.minimum_macos, v.access_rights, "          \
    "v.identity, v.key_size, v.removal, v.sign_message, v.check_out_when_removed, "                \
    "v.use_development_apns, v.web, v.login, v.encrypt, v.assigned_only, v.scep_challenge, "       \
    "v.removal_password"
#define LIGHT                                                                                      \
    "v.organization, v.title, v.description, '', v.topic, v.server_url, v.checkin_url, "           \
    "v.server_capabilities, '', v.key_type, v.scep_url, v.scep_name, v.scep_subject, "             \
    "v.scep_fingerprint, v.login_text, v.minimum_ios, v.minimum_macos, v.access_rights, "          \
    "v.identity, v.key_size, v.removal, v.sign_message, v.check_out_when_removed, "                \
    "v.use_development_apns, v.web, v.login, v.encrypt, v.assigned_only, NULL, NULL"
#define HEAD                                                                                       \
    "p.id, p.name, p.version, p.created_at, p.created_by, v.version, v.made_at, v.made_by, "       \
    "v.note, "
#define TEXTS 17
#define NUMBERS 11
enum {
    H_ID,
    H_NAME,
    H_CURRENT,
    H_CREATED,
    H_CREATED_BY,
    H_VERSION,
    H_MADE,
    H_MADE_BY,
    H_NOTE,
    H__N
};

static const struct sql FIND = {"enrollprofile_find",
                                "SELECT " HEAD CONTENT
                                " FROM enroll_profile p JOIN enroll_profile_version v "
                                "ON v.profile_id = p.id AND v.version = p.version WHERE p.name = ?",
                                0};
static const struct sql GET = {"enrollprofile_get",
                               "SELECT " HEAD CONTENT
                               " FROM enroll_profile p JOIN enroll_profile_version v "
                               "ON v.profile_id = p.id AND v.version = p.version WHERE p.id = ?",
                               0};
static const struct sql VERSION = {"enrollprofile_version",
                                   "SELECT " HEAD CONTENT
                                   " FROM enroll_profile p JOIN enroll_profile_version v "
                                   "ON v.profile_id = p.id AND v.version = ? WHERE p.name = ?",
                                   0};
static const struct sql LIST = {
    "enrollprofile_list",
    "SELECT " HEAD LIGHT " FROM enroll_profile p JOIN enroll_profile_version v "
    "ON v.profile_id = p.id AND v.version = p.version ORDER BY p.name LIMIT ?",
    0};
static const struct sql HISTORY = {
    "enrollprofile_history",
    "SELECT " HEAD LIGHT " FROM enroll_profile p JOIN enroll_profile_version v "
    "ON v.profile_id = p.id WHERE p.name = ? ORDER BY v.version DESC LIMIT ?",
    0};
static const struct sql ITEMS = {
    "enrollprofile_items",
    "SELECT kind, name FROM enroll_profile_item WHERE profile_id = ? AND version = ? "
    "ORDER BY kind, place",
    0};

/* ---- reading ---- */

static void from_row(const struct val *v, struct enrollprofile *p)
{
    struct enroll_content *c = &p->c;
    const char **texts[TEXTS] = {&c->organization, &c->title,
                                 &c->description,  &c->consent,
                                 &c->topic,        &c->server_url,
                                 &c->checkin_url,  &c->server_capabilities,
                                 &c->certificates, &c->key_type,
                                 &c->scep_url,     &c->scep_name,
                                 &c->scep_subject, &c->scep_fingerprint,
                                 &c->login_text,   &c->minimum_ios,
                                 &c->minimum_macos};
    int64_t *numbers[NUMBERS] = {&c->access_rights,
                                 &c->identity,
                                 &c->key_size,
                                 &c->removal,
                                 &c->sign_message,
                                 &c->check_out_when_removed,
                                 &c->use_development_apns,
                                 &c->web,
                                 &c->login,
                                 &c->encrypt,
                                 &c->assigned_only};
    *p = (struct enrollprofile){.id = v[H_ID].i,
                                .name = v[H_NAME].s,
                                .version = v[H_VERSION].i,
                                .current = v[H_CURRENT].i,
                                .created_at = v[H_CREATED].i,
                                .created_by = v[H_CREATED_BY].s,
                                .made_at = v[H_MADE].i,
                                .made_by = v[H_MADE_BY].s,
                                .note = v[H_NOTE].s};
    v += H__N;
    for (int i = 0; i < TEXTS; i++)
        *texts[i] = v[i].s;
    v += TEXTS;
    for (int i = 0; i < NUMBERS; i++)
        *numbers[i] = v[i].i;
    v += NUMBERS;
    c->scep_challenge = val_bytes(&v[0]);
    c->removal_password = val_bytes(&v[1]);
}

static enum outcome items_read(struct db *db, struct arena *a, struct enrollprofile *p,
                               struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &ITEMS, (struct val[]){val_int(p->id), val_int(p->version)}, 2, a, &r, err);
    if (o != OK)
        return o;
    const char **name = arena_array(a, r.n + 1, sizeof *name);
    if (!name)
        return err_set(err, ERROR, "out of memory");
    size_t first = 0;
    for (size_t i = 0; i < r.n; i++) {
        name[i] = row_at(&r, i, 1)->s;
        first += row_at(&r, i, 0)->i == 1;
    }
    p->c.profiles = (struct enroll_names){name, first};
    p->c.apps = (struct enroll_names){name + first, r.n - first};
    return OK;
}

static enum outcome read_one(struct db *db, const struct sql *sql, const struct val *args,
                             size_t nargs, struct arena *a, struct enrollprofile *out,
                             struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, args, nargs, a, &r, err);
    if ((o == OK && r.n == 0) || o == INVALID) /* INVALID: a text that no name can be */
        return err_set(err, NOT_FOUND, "there is no such enrolment profile");
    if (o != OK)
        return o;
    from_row(row_at(&r, 0, 0), out);
    return items_read(db, a, out, err);
}

enum outcome enrollprofile_find(struct db *db, const struct conf *conf, const char *name,
                                struct arena *a, struct enrollprofile *out, struct err *err)
{
    enum outcome o = read_one(db, &FIND, (struct val[]){val_str(name)}, 1, a, out, err);
    if (o != NOT_FOUND)
        return o;
    if (strcmp(name, ENROLLPROFILE_DEFAULT) != 0)
        return err_set(err, NOT_FOUND, "there is no enrolment profile \"%.64s\"", name);
    *out = (struct enrollprofile){
        .name = ENROLLPROFILE_DEFAULT, .created_by = "", .made_by = "", .note = ""};
    return enroll_content_of_conf(conf, a, &out->c, err);
}

enum outcome enrollprofile_get(struct db *db, int64_t id, struct arena *a,
                               struct enrollprofile *out, struct err *err)
{
    return read_one(db, &GET, (struct val[]){val_int(id)}, 1, a, out, err);
}

enum outcome enrollprofile_version(struct db *db, const char *name, int64_t version,
                                   struct arena *a, struct enrollprofile *out, struct err *err)
{
    enum outcome o =
        read_one(db, &VERSION, (struct val[]){val_int(version), val_str(name)}, 2, a, out, err);
    return o == NOT_FOUND ? err_set(err, NOT_FOUND, "there is no version %lld of \"%.64s\"",
                                    (long long)version, name)
                          : o;
}

static enum outcome read_many(struct db *db, const struct sql *sql, const struct val *args,
                              size_t nargs, struct arena *a, struct enrollprofile **out, size_t *n,
                              struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, sql, args, nargs, a, &r, err);
    *n = 0;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (; *n < r.n; ++*n)
        from_row(row_at(&r, *n, 0), &(*out)[*n]);
    return OK;
}

enum outcome enrollprofile_list(struct db *db, struct arena *a, struct enrollprofile **out,
                                size_t *n, struct err *err)
{
    return read_many(db, &LIST, (struct val[]){val_int(LIM_PAGE)}, 1, a, out, n, err);
}

enum outcome enrollprofile_history(struct db *db, const char *name, struct arena *a,
                                   struct enrollprofile **out, size_t *n, struct err *err)
{
    enum outcome o = read_many(db, &HISTORY, (struct val[]){val_str(name), val_int(LIM_PAGE)}, 2, a,
                               out, n, err);
    return o == OK && *n == 0
               ? err_set(err, NOT_FOUND, "there is no enrolment profile \"%.64s\"", name)
               : o;
}

enum outcome enroll_content_topic(struct db *db, const struct conf *conf,
                                  const struct enroll_content *c, struct arena *a,
                                  const char **topic, struct err *err)
{
    *topic = c->topic[0] ? c->topic : conf->enroll_topic;
    return (*topic)[0] ? OK : pushcert_sole_topic(db, a, topic, err);
}
