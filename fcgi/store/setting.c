/* setting.c: see setting.h. */
#include "store/setting.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"

#define MEMORY_MAX (256u * LIM_KB)

static const struct sql VERSION = {"setting_version",
                                   "SELECT version FROM site WHERE name = 'settings'", 0};
static const struct sql LIST = {
    "setting_list", "SELECT name, value, changed_at, changed_by FROM setting ORDER BY name", 0};
static const struct sql MOVE = {
    "setting_move",
    "UPDATE site SET version = version + 1 WHERE name = 'settings' AND (version = ? OR ? = 0)", 0};
static const struct sql WAS = {"setting_was", "SELECT value FROM setting WHERE name = ?", 0};
static const struct sql PUT = {
    "setting_put",
    "INSERT INTO setting (name, value, changed_at, changed_by) VALUES (?,?,?,?) "
    "ON DUPLICATE KEY UPDATE value = VALUES(value), changed_at = VALUES(changed_at), "
    "changed_by = VALUES(changed_by)",
    0};
static const struct sql DROP = {"setting_drop", "DELETE FROM setting WHERE name = ?", 0};

static enum outcome setting_version_read(struct db *db, struct arena *a, int64_t *version,
                                         struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &VERSION, NULL, 0, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, ERROR, "the table site has no row for settings");
    if (o == OK)
        *version = row_at(&r, 0, 0)->i;
    return o;
}

/* The version first: what is changed in between is read again later. */
enum outcome setting_list(struct db *db, struct arena *a, struct setting **out, size_t *n,
                          int64_t *version, struct err *err)
{
    struct rows r;
    enum outcome o = setting_version_read(db, a, version, err);
    *n = 0;
    *out = NULL;
    if (o == OK)
        o = db_select(db, &LIST, NULL, 0, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        (*out)[(*n)++] = (struct setting){v[0].s, v[1].s, v[2].i, v[3].s};
    }
    return OK;
}

/* ---- what counts ---- */

static const struct setting *of_name(const struct setting *s, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s[i].name, name) == 0)
            return &s[i];
    return NULL;
}

/* now: a copy of the configuration, of which this key becomes what counts. */
static enum outcome now_of(struct conf *now, struct arena *a, const struct conf_key *k,
                           const struct setting *set, struct setting_now *out, struct err *err)
{
    bool file = conf_key_given(now, k);
    struct buf text = BUF_INIT(16 * LIM_KB);
    struct err ignored;
    enum outcome o = OK;
    bool taken = k->live && !file && set && conf_key_set(now, a, k, set->value, &ignored) == OK;
    if (k->live && !file && !taken)
        o = conf_key_set(now, a, k, k->def, err);
    conf_key_text(now, k, &text);
    out->key = k;
    out->value = arena_strdup(a, buf_cstr(&text));
    out->origin = file ? "file" : taken ? "database" : "default";
    out->changed_at = taken ? set->changed_at : 0;
    out->changed_by = taken ? set->changed_by : "";
    buf_free(&text);
    return o == OK && !out->value ? err_set(err, ERROR, "out of memory") : o;
}

enum outcome setting_now(struct db *db, const struct conf *conf, struct arena *a,
                         struct setting_now **out, int64_t *version, struct err *err)
{
    struct conf now = *conf;
    struct setting *s;
    size_t n;
    enum outcome o = setting_list(db, a, &s, &n, version, err);
    *out = arena_array(a, conf_keys_n, sizeof **out);
    if (o == OK && !*out)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        const char *name = (*out)[i].name = arena_fmt(a, "%s.%s", k->section, k->name);
        o = name ? now_of(&now, a, k, of_name(s, n, name), &(*out)[i], err)
                 : err_set(err, ERROR, "out of memory");
    }
    return o;
}

/* ---- changes ---- */

static enum outcome change_check(const struct conf *file, struct arena *a,
                                 const struct setting_change *x, struct err *err)
{
    struct conf scratch = *file;
    const struct conf_key *k = conf_key_find(x->name);
    if (!k || !k->live)
        return err_set(err, INVALID, "%.60s is no setting that can be changed here", x->name);
    if (conf_key_given(file, k))
        return err_set(err, INVALID, "%s names [%s] %s: change it there", file->path, k->section,
                       k->name);
    if (x->value && strlen(x->value) > SETTING_VALUE_MAX)
        return err_set(err, INVALID, "[%s] %s: longer than %d octets", k->section, k->name,
                       SETTING_VALUE_MAX);
    return x->value ? conf_key_set(&scratch, a, k, x->value, err) : OK;
}

struct saving {
    const struct setting_change *x;
    size_t n;
    int64_t expected;
    const char *by;
    struct arena *a;
};

static enum outcome change_one(struct db *db, const struct saving *s,
                               const struct setting_change *x, struct err *err)
{
    struct val args[] = {val_str(x->name), val_str(x->value ? x->value : ""), val_int(clock_now()),
                         val_str(s->by)};
    struct rows r;
    enum outcome o = db_select(db, &WAS, args, 1, s->a, &r, err);
    const char *was = o == OK && r.n ? row_at(&r, 0, 0)->s : NULL;
    if (o != OK || (!was && !x->value) || (was && x->value && strcmp(was, x->value) == 0))
        return o;
    o = x->value ? db_exec(db, &PUT, args, 4, NULL, err) : db_exec(db, &DROP, args, 1, NULL, err);
    const char *detail =
        arena_fmt(s->a, "was=%s became=%s", was ? was : "default", x->value ? x->value : "default");
    return o == OK ? audit_add(db, s->by, "setting.change", x->name, detail, err) : o;
}

static enum outcome save_unit(struct db *db, void *arg, struct err *err)
{
    struct saving *s = arg;
    uint64_t moved = 0;
    enum outcome o = db_exec(db, &MOVE, (struct val[]){val_int(s->expected), val_int(s->expected)},
                             2, &moved, err);
    if (o == OK && moved == 0)
        return err_set(err, CONFLICT, "somebody has changed the settings meanwhile; look again");
    for (size_t i = 0; o == OK && i < s->n; i++)
        o = change_one(db, s, &s->x[i], err);
    return o;
}

enum outcome setting_save(struct db *db, const struct conf *file, const struct setting_change *x,
                          size_t n, int64_t expected, const char *by, struct err *err)
{
    struct saving s = {.x = x, .n = n, .expected = expected, .by = by, .a = arena_new(LIM_MB)};
    enum outcome o = s.a ? OK : err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < n; i++)
        o = change_check(file, s.a, &x[i], err);
    if (o == OK)
        o = db_unit(db, save_unit, &s, err);
    arena_free(&s.a);
    return o;
}

/* ---- what is in force ---- */

struct settings {
    const struct conf *file;
    pthread_rwlock_t lock;
    struct conf live;
    struct arena *strings; /* of live; NULL: nothing is set */
    int64_t version;
};

struct settings *settings_new(const struct conf *file)
{
    struct settings *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->file = file;
    s->live = *file;
    pthread_rwlock_init(&s->lock, NULL);
    return s;
}

void settings_free(struct settings **sp)
{
    struct settings *s = *sp;
    if (!s)
        return;
    pthread_rwlock_destroy(&s->lock);
    arena_free(&s->strings);
    free(s);
    *sp = NULL;
}

/* A value that this version of the programs does not take is as if it were not there. */
static void apply(struct conf *live, const struct conf *file, struct arena *a,
                  const struct setting *list, size_t n)
{
    struct err ignored;
    for (size_t i = 0; i < n; i++) {
        const struct conf_key *k = conf_key_find(list[i].name);
        if (k && k->live && !conf_key_given(file, k) &&
            conf_key_set(live, a, k, list[i].value, &ignored) != OK)
            conf_key_copy(live, file, k);
    }
}

enum outcome settings_refresh(struct settings *s, struct db *db, bool *changed, struct err *err)
{
    struct setting *list;
    size_t n;
    int64_t version;
    struct arena *a = arena_new(MEMORY_MAX), *old;
    enum outcome o =
        a ? setting_version_read(db, a, &version, err) : err_set(err, ERROR, "out of memory");
    bool moved = o == OK && version != s->version;
    if (moved)
        o = setting_list(db, a, &list, &n, &version, err);
    if (changed)
        *changed = moved && o == OK;
    if (o != OK || !moved) {
        arena_free(&a);
        return o;
    }
    struct conf live = *s->file;
    apply(&live, s->file, a, list, n);
    pthread_rwlock_wrlock(&s->lock);
    old = s->strings;
    s->live = live;
    s->strings = a;
    s->version = version;
    pthread_rwlock_unlock(&s->lock);
    arena_free(&old);
    return OK;
}

static bool is_text(const struct conf_key *k)
{
    return k->type == TEXT || k->type == ENUM;
}

const struct conf *settings_conf(struct settings *s, struct arena *a)
{
    struct conf *c = arena_alloc(a, sizeof *c);
    bool good = c != NULL;
    if (!c)
        return s->file;
    pthread_rwlock_rdlock(&s->lock);
    *c = s->live;
    for (size_t i = 0; s->strings && i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        const char **text = (const char **)((char *)c + k->offset);
        if (k->live && is_text(k))
            good &= (*text = arena_strdup(a, *text)) != NULL;
    }
    pthread_rwlock_unlock(&s->lock);
    return good ? c : s->file;
}

void settings_into(struct settings *s, struct conf *live)
{
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < conf_keys_n; i++)
        if (conf_keys[i].live)
            conf_key_copy(live, &s->live, &conf_keys[i]);
    pthread_rwlock_unlock(&s->lock);
}
