/* digest_apps.c: installed and managed apps. What an app is (identifier, version, name) is stored
 * once for all devices (store/inventory.h: software); a device's list names it. */
#include "command/digest_int.h"

#include "command/plist_json.h"

#include <stdlib.h>

/* ---- InstalledApplicationList ---- */

enum { A_SOFTWARE, A_BUNDLE_SIZE, A_DYNAMIC_SIZE, A_EXTERNAL, A_KNOWN, A_FLAGS };

/* In the order of the bits of inv_app.flags. */
static const char *const flags[] = {"IsValidated",        "Installing",        "AppStoreVendable",
                                    "DeviceBasedVPP",     "BetaApp",           "AdHocCodeSigned",
                                    "HasUpdateAvailable", "DownloadFailed",    "DownloadWaiting",
                                    "DownloadPaused",     "DownloadCancelled", "IsAppClip"};

#define NOISE_MIN (1 << 20) /* octets by which an app's data may grow unnoticed, */
#define NOISE_PART 20       /* or this part of them */

struct apps {
    struct digesting *d;
    const struct inv_table *t;
    struct inv_before before;
    struct software *known; /* what this list and the old one name, by id */
    size_t nknown;
    struct val *rows;
    size_t n;
};

static int by_id(const void *a, const void *b)
{
    const struct software *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static const struct software *find(const struct apps *x, int64_t id)
{
    struct software key = {.id = id};

    return bsearch(&key, x->known, x->nknown, sizeof key, by_id);
}

/* The rows were read in the order of their ids: enrollment_id and id are the primary key. */
static const struct val *old_row(const struct apps *x, int64_t id)
{
    size_t lo = 0, hi = x->before.rows.n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct val *row = row_at(&x->before.rows, mid, 1);

        if (row[A_SOFTWARE].i == id)
            return row;
        *(id > row[A_SOFTWARE].i ? &lo : &hi) = id > row[A_SOFTWARE].i ? mid + 1 : mid;
    }
    return NULL;
}

static struct val size_without_noise(const struct val *was, struct val now)
{
    int64_t off;

    if (was == NULL || val_is_null(was) || val_is_null(&now))
        return now;
    off = now.i > was->i ? now.i - was->i : was->i - now.i;
    return off <= NOISE_MIN || off <= was->i / NOISE_PART ? *was : now;
}

static void take_flags(pl app, struct val *row)
{
    int64_t known = 0, set = 0;

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        bool yes;

        if (!pl_get_bool(app, flags[i], &yes))
            continue;
        known |= INT64_C(1) << i;
        set |= (int64_t)yes << i;
        pl_remove(app, flags[i]);
    }
    row[A_KNOWN] = val_int(known);
    row[A_FLAGS] = val_int(set);
}

/* Takes the four texts out of an app's dictionary. */
static enum outcome identify(struct digesting *d, pl app, struct software *s)
{
    static const char *const keys[] = {"Identifier", "Version", "ShortVersion", "Name"};
    const char *text[4];

    for (size_t i = 0; i < 4; i++) {
        const char *value = pl_get_str(app, keys[i]);

        text[i] = arena_strdup(d->a, value != NULL ? value : "");
        if (text[i] == NULL)
            return digest_no_memory(d);
        pl_remove(app, keys[i]);
    }
    *s = (struct software){0, text[0], text[1], text[2], text[3]};
    software_id(s, d->a);
    return OK;
}

static enum outcome take_apps(struct apps *x, pl array)
{
    struct digesting *d = x->d;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < pl_size(array); i++) {
        struct val *row = x->rows + x->n * x->t->n;
        pl app = pl_at(array, i);
        const struct val *was;

        if (pl_type_of(app) != PL_DICT)
            continue;
        o = identify(d, app, &x->known[x->n]);
        if (o != OK || (x->known[x->n].identifier[0] == '\0' && x->known[x->n].name[0] == '\0'))
            continue;
        take_flags(app, row);
        o = digest_row(d, x->t, app, row);
        row[A_SOFTWARE] = val_int(x->known[x->n].id);
        was = old_row(x, x->known[x->n].id);
        row[A_DYNAMIC_SIZE] =
            size_without_noise(was != NULL ? &was[A_DYNAMIC_SIZE] : NULL, row[A_DYNAMIC_SIZE]);
        x->n++;
    }
    x->nknown = x->n;
    return o;
}

/* Adds the software of rows that may be gone, so that events can name it. */
static enum outcome know_old(struct apps *x, const struct software *new, size_t nnew)
{
    struct digesting *d = x->d;
    size_t n = 0;
    int64_t *ids = arena_array(d->a, x->before.rows.n + 1, sizeof *ids);
    struct rows r = {0};
    enum outcome o;

    if (ids == NULL)
        return digest_no_memory(d);
    for (size_t i = 0; i < x->before.rows.n; i++) {
        struct software key = {.id = row_at(&x->before.rows, i, 1)->i};

        if (bsearch(&key, new, nnew, sizeof key, by_id) == NULL)
            ids[n++] = key.id;
    }
    o = software_get(d->db, ids, n, d->a, &r, d->err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);

        x->known[x->nknown++] = (struct software){v[0].i, v[1].s, v[2].s, v[3].s, v[4].s};
    }
    return o;
}

static bool told_of(const struct val *row, void *arg)
{
    struct apps *x = arg;
    const struct software *s = find(x, row[A_SOFTWARE].i);

    if (digest_flag(x->d, "ManagedAppsOnly"))
        return false; /* which of them are managed is another list's matter */
    return digest_asked(x->d, "Identifiers", s != NULL ? s->identifier : NULL);
}

static const char *app_name(const struct val *row, void *arg)
{
    const struct software *s = find(arg, row[A_SOFTWARE].i);

    return s == NULL ? NULL : s->identifier[0] != '\0' ? s->identifier : s->name;
}

static const char *app_version(const struct val *row, void *arg)
{
    struct apps *x = arg;
    const struct software *s = find(x, row[A_SOFTWARE].i);

    if (s == NULL)
        return NULL;
    if (s->short_version[0] == '\0' || s->version[0] == '\0')
        return s->short_version[0] != '\0' ? s->short_version : s->version;
    return arena_fmt(x->d->a, "%s (%s)", s->short_version, s->version);
}

/* An app that goes and comes in another version has changed. */
static void join_updates(struct inv_events *e, size_t from)
{
    size_t k = from;

    for (size_t i = from; i < e->n; i++)
        for (size_t j = from; e->list[i].happened == INV_ADDED && j < e->n; j++)
            if (e->list[j].happened == INV_REMOVED &&
                strcmp(e->list[i].subject, e->list[j].subject) == 0) {
                e->list[i].happened = INV_CHANGED;
                e->list[i].was = e->list[j].was;
                e->list[j].happened = INV_CHANGED;
                e->list[j].subject = NULL; /* gone */
            }
    for (size_t i = from; i < e->n; i++)
        if (e->list[i].subject != NULL)
            e->list[k++] = e->list[i];
    e->n = k;
}

/* An answer to a request for some facts only says too little to know the apps by. */
static bool tells_which(const struct digesting *d)
{
    return pl_get(d->command, "Items") == NULL ||
           (digest_asked(d, "Items", "Identifier") && digest_asked(d, "Items", "Version") &&
            digest_asked(d, "Items", "ShortVersion") && digest_asked(d, "Items", "Name"));
}

static enum outcome store_apps(struct apps *x)
{
    struct digesting *d = x->d;
    struct software *new = arena_array(d->a, x->n + 1, sizeof *new);
    size_t from = d->events.n;
    struct inv_list how = {.rows = x->rows,
                           .n = x->n,
                           .told_of = told_of,
                           .arg = x,
                           .subject = app_name,
                           .state = app_version};
    size_t fresh = 0;
    enum outcome o;

    if (new == NULL)
        return digest_no_memory(d);
    qsort(x->known, x->n, sizeof *x->known, by_id);
    for (size_t i = 0; i < x->n; i++) /* what the device had is in the dictionary already */
        if (old_row(x, x->known[i].id) == NULL)
            new[fresh++] = x->known[i];
    o = know_old(x, x->known, x->n);
    qsort(x->known, x->nknown, sizeof *x->known, by_id);
    if (o == OK)
        o = software_add(d->db, new, fresh, d->src.reported_at, d->a, d->err);
    if (o == OK)
        o = inv_replace(d->db, x->t, &d->src, &x->before, &how, &d->events, d->a, d->err);
    if (o == OK && d->events.n - from <= DIGEST_ROWS_MAX / 20)
        join_updates(&d->events, from);
    return o;
}

enum outcome digest_apps(struct digesting *d)
{
    struct apps x = {.d = d, .t = inv_table(INV_APP)};
    pl array = pl_get(d->root, "InstalledApplicationList");
    size_t room = pl_size(array);
    enum outcome o;

    if (pl_type_of(array) != PL_ARRAY || room > DIGEST_ROWS_MAX)
        return err_set(d->err, INVALID,
                       "the answer has no array InstalledApplicationList of at most %u apps",
                       DIGEST_ROWS_MAX);
    if (!tells_which(d))
        return OK;
    o = inv_before(d->db, x.t, &d->src, d->a, &x.before, d->err);
    if (o != OK || x.before.stale)
        return o;
    x.rows = arena_array(d->a, (room + 1) * x.t->n, sizeof *x.rows);
    x.known = arena_array(d->a, room + x.before.rows.n + 1, sizeof *x.known);
    if (x.rows == NULL || x.known == NULL)
        return digest_no_memory(d);
    o = take_apps(&x, array);
    return o == OK ? store_apps(&x) : o;
}

/* ---- managed apps ---- */

enum { M_IDENTIFIER, M_STATUS, M_STATUS_AT };

struct managed {
    struct digesting *d;
    const struct inv_table *t;
    struct inv_before before;
    struct val *rows;
    size_t n;
    enum outcome outcome;
};

/* The device tells these once and forgets them (reference, ManagedApplicationList). */
static bool is_told_once(const char *status)
{
    static const char *const once[] = {"UserInstalledApp", "UserRejected", "UpdateRejected",
                                       "ManagementRejected", "Failed"};

    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        if (strcmp(once[i], status) == 0)
            return true;
    return false;
}

static const struct val *old_managed(const struct managed *m, const char *identifier)
{
    for (size_t i = 0; i < m->before.rows.n; i++) {
        const struct val *row = row_at(&m->before.rows, i, 1);

        if (strcmp(row[M_IDENTIFIER].s, identifier) == 0)
            return row;
    }
    return NULL;
}

static const char *status_of(const struct val *row, void *arg)
{
    (void)arg;
    return val_is_null(&row[M_STATUS]) ? NULL : row[M_STATUS].s;
}

/* Since when the app is in that state; a state that is told once is an event each time. */
static void date_status(struct managed *m, struct val *row)
{
    struct digesting *d = m->d;
    const struct val *was = old_managed(m, row[M_IDENTIFIER].s);
    const char *status = status_of(row, NULL), *before = was != NULL ? status_of(was, NULL) : NULL;

    row[M_STATUS_AT] = val_int(d->src.reported_at);
    if (status != NULL && before != NULL && strcmp(status, before) == 0)
        row[M_STATUS_AT] = was[M_STATUS_AT];
    if (status != NULL && is_told_once(status))
        m->outcome = inv_event(&d->events, d->a,
                               (struct inv_change){.area = INV_MANAGED_APP,
                                                   .happened = INV_TOLD_ONCE,
                                                   .subject = row[M_IDENTIFIER].s,
                                                   .was = before,
                                                   .became = status},
                               d->err);
}

static bool one_managed(const char *identifier, pl app, void *arg)
{
    struct managed *m = arg;
    struct val *row = m->rows + m->n * m->t->n;
    const char *key = digest_key(m->d, identifier, m->t->cols[M_IDENTIFIER].max);

    if (pl_type_of(app) != PL_DICT)
        return true;
    if (key == NULL)
        m->outcome = digest_no_memory(m->d);
    if (m->outcome == OK)
        m->outcome = digest_row(m->d, m->t, app, row);
    if (m->outcome != OK)
        return false;
    row[M_IDENTIFIER] = val_str(key);
    date_status(m, row);
    m->n++;
    return m->outcome == OK;
}

static bool managed_told_of(const struct val *row, void *arg)
{
    return digest_asked(arg, "Identifiers", row[M_IDENTIFIER].s);
}

static enum outcome managed_begin(struct managed *m, struct digesting *d, size_t room)
{
    enum outcome o;

    *m = (struct managed){.d = d, .t = inv_table(INV_MANAGED_APP)};
    o = inv_before(d->db, m->t, &d->src, d->a, &m->before, d->err);
    m->rows = arena_array(d->a, (room + 1) * m->t->n, sizeof *m->rows);
    for (size_t i = 0; m->rows != NULL && i < (room + 1) * m->t->n; i++)
        m->rows[i] = val_null();
    return o == OK && m->rows == NULL ? digest_no_memory(d) : o;
}

static enum outcome managed_end(struct managed *m, struct inv_list how)
{
    how.rows = m->rows;
    how.n = m->n;
    how.state = status_of;
    return inv_replace(m->d->db, m->t, &m->d->src, &m->before, &how, &m->d->events, m->d->a,
                       m->d->err);
}

enum outcome digest_managed_apps(struct digesting *d)
{
    pl all = pl_get(d->root, "ManagedApplicationList");
    struct managed m;
    enum outcome o;

    if (pl_type_of(all) != PL_DICT)
        return err_set(d->err, INVALID, "the answer has no dictionary ManagedApplicationList");
    o = managed_begin(&m, d, pl_size(all));
    if (o != OK || m.before.stale)
        return o;
    pl_each(all, one_managed, &m);
    return m.outcome == OK
               ? managed_end(&m, (struct inv_list){.told_of = managed_told_of, .arg = d})
               : m.outcome;
}

/* ---- InstallApplication, RemoveApplication: one app of that list ---- */

static bool nobody(const struct val *row, void *arg)
{
    (void)row, (void)arg;
    return false;
}

static bool is_that(const struct val *row, void *arg)
{
    return strcmp(row[M_IDENTIFIER].s, arg) == 0;
}

/* The answer names the app and its state, or why not: RejectionReason stays beside the state. */
enum outcome digest_install_app(struct digesting *d)
{
    const char *identifier = digest_key(d, pl_get_str(d->root, "Identifier"), 255);
    const char *state = pl_get_str(d->root, "State"), *no = pl_get_str(d->root, "RejectionReason");
    struct managed m;
    const struct val *was;
    pl more = pl_new_dict();
    enum outcome o = OK;

    if (identifier == NULL || identifier[0] == '\0' || (state == NULL && no == NULL))
        goto out;
    o = managed_begin(&m, d, 1);
    if (o != OK || m.before.stale)
        goto out;
    was = old_managed(&m, identifier);
    if (was != NULL)
        memcpy(m.rows, was, m.t->n * sizeof *m.rows);
    m.rows[M_IDENTIFIER] = val_str(identifier);
    if (state != NULL)
        m.rows[M_STATUS] = val_str(digest_key(d, state, m.t->cols[M_STATUS].max));
    pl_set_str(more, "RejectionReason", no);
    if (no != NULL)
        m.rows[m.t->n - 1] = val_str(plist_json_text(more, DIGEST_EXTRA_MAX, d->a));
    date_status(&m, m.rows);
    m.n = state != NULL || was != NULL; /* one that was refused is not managed */
    o = m.outcome == OK ? managed_end(&m, (struct inv_list){.told_of = nobody}) : m.outcome;
out:
    pl_free(&more);
    return o;
}

enum outcome digest_remove_app(struct digesting *d)
{
    const char *identifier = digest_key(d, pl_get_str(d->command, "Identifier"), 255);
    struct managed m;
    enum outcome o;

    if (identifier == NULL)
        return OK;
    o = managed_begin(&m, d, 0);
    if (o != OK || m.before.stale)
        return o;
    return managed_end(&m,
                       (struct inv_list){.told_of = is_that, .arg = (void *)(uintptr_t)identifier});
}

/* ---- what apps were given and left ---- */

static enum outcome app_data(struct digesting *d, const char *list, const char *key, int kind)
{
    pl array = pl_get(d->root, list);
    size_t n = pl_size(array), k = 0;
    const char **identifier, **content;

    if (pl_type_of(array) != PL_ARRAY || n > DIGEST_ROWS_MAX)
        return err_set(d->err, INVALID, "the answer has no array %s", list);
    identifier = arena_array(d->a, n + 1, sizeof *identifier);
    content = arena_array(d->a, n + 1, sizeof *content);
    if (identifier == NULL || content == NULL)
        return digest_no_memory(d);
    for (size_t i = 0; i < n; i++) {
        pl one = pl_at(array, i), value = pl_get(one, key);

        identifier[k] = pl_get_str(one, "Identifier");
        if (identifier[k] == NULL)
            continue;
        content[k] = value != NULL ? plist_json_text(value, DIGEST_EXTRA_MAX, d->a) : "null";
        if (content[k] == NULL)
            return err_set(d->err, INVALID, "%s of %.64s is longer than %u octets", key,
                           identifier[k], DIGEST_EXTRA_MAX);
        k++;
    }
    return inv_app_data(d->db, &d->src, kind, identifier, content, k, d->a, d->err);
}

enum outcome digest_app_configuration(struct digesting *d)
{
    return app_data(d, "ApplicationConfigurations", "Configuration", 1);
}

enum outcome digest_app_attributes(struct digesting *d)
{
    return app_data(d, "ApplicationAttributes", "Attributes", 2);
}

enum outcome digest_app_feedback(struct digesting *d)
{
    return app_data(d, "ManagedApplicationFeedback", "Feedback", 3);
}
