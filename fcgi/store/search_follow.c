/* search_follow.c: the index of words follows what is told of devices: see search.h. */
#include "store/search.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"
#include "store/search_words.h"

#define CHUNK 512 /* rows of one DELETE */
#define TEXT_MAX (8u * LIM_KB)
#define ARENA_MAX (32u * LIM_MB)
#define NAME_MAX_CHARS 64

/* Rows that a message is just writing are left for the next turn. */
static const struct sql DUE = {
    "search_due",
    "SELECT id, device_id FROM enrollment FORCE INDEX (search_due) WHERE search_due = 1 LIMIT ? "
    "FOR UPDATE SKIP LOCKED",
    0};
static const struct sql MARK = {
    "search_mark", "UPDATE enrollment SET search_due = 1 WHERE id = ? AND search_due = 0", 0};
static const struct sql DONE = {
    "search_done", "UPDATE enrollment FORCE INDEX (PRIMARY) SET search_due = 0 WHERE id IN (%IN%)",
    1};
/* A platform as people call it, of a ProductName. */
static const struct sql SHOW = {
    "search_show",
    "UPDATE enrollment e LEFT JOIN inv_device d ON d.enrollment_id = e.id SET e.list_name = ?, "
    "e.list_serial = ?, e.list_os = ?, e.list_platform = CASE "
    "WHEN COALESCE(d.product_name, e.product_name) LIKE 'iPhone%' THEN 1 "
    "WHEN COALESCE(d.product_name, e.product_name) LIKE 'iPad%' THEN 2 "
    "WHEN COALESCE(d.product_name, e.product_name) LIKE 'iPod%' THEN 3 "
    "WHEN COALESCE(d.product_name, e.product_name) LIKE '%Mac%' THEN 4 "
    "WHEN COALESCE(d.product_name, e.product_name) LIKE 'AppleTV%' THEN 5 "
    "WHEN COALESCE(d.product_name, e.product_name) LIKE 'RealityDevice%' THEN 6 "
    "WHEN COALESCE(d.product_name, e.product_name) LIKE 'Watch%' THEN 7 ELSE 0 END WHERE e.id = ?",
    0};
/* The people of a device: its user channels, and accounts that it told of. */
static const struct sql PEOPLE = {
    "search_people",
    "SELECT device_id AS id, user_short_name, user_long_name FROM enrollment WHERE device_id IN "
    "(%IN%) AND id <> device_id",
    1};
static const struct sql ACCOUNTS = {
    "search_accounts",
    "SELECT enrollment_id, user_name, full_name FROM inv_user WHERE enrollment_id IN (%IN%)", 1};
static const struct sql WORDS = {
    "search_words", "SELECT device_id, backward, word FROM device_word WHERE device_id IN (%IN%)",
    1};
static const struct sql DROP = {
    "search_drop", "DELETE FROM device_word WHERE (device_id, backward, word) IN (%IN%)", 3};
/* Two words that the collation takes for one are one row. */
static const struct sql ADD = {
    "search_add",
    "INSERT INTO device_word (device_id, backward, word) VALUES (?,?,?) ON DUPLICATE KEY UPDATE "
    "backward = VALUES(backward)",
    0};

/* Columns of enrollment that are searched, and whether by the end of a word too; those of the
 * inventory follow them. */
static const struct {
    const char *name;
    bool ends;
} OWN[] = {{"ident", true},       {"udid", true},        {"serial", true},
           {"device_name", true}, {"os_version", false}, {"product_name", false},
           {"model", false},      {"model_name", false}, {"build_version", false},
           {"imei", true},        {"meid", true}};
#define OWN_N (sizeof OWN / sizeof *OWN)
enum { F_ID, F_KIND, F_OS_NUMBER, F_FIRST };
static const char *const ENDS[] = {"device_name",
                                   "serial_number",
                                   "imei",
                                   "meid",
                                   "device_id",
                                   "eas_device_identifier",
                                   "local_host_name",
                                   "host_name",
                                   "iccid",
                                   "bluetooth_mac",
                                   "wifi_mac",
                                   "ethernet_mac",
                                   "phone_number"};

static struct sql facts_sql = {"search_facts", NULL, 1};
static char facts_text[TEXT_MAX];
static bool facts_ends[128];
static size_t facts_n;
static pthread_once_t facts_once = PTHREAD_ONCE_INIT;

static bool has_ends(const char *column)
{
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++)
        if (strcmp(ENDS[i], column) == 0)
            return true;
    return false;
}

bool search_column(const struct inv_column *c)
{
    return c->type == INV_TEXT && !c->quiet;
}

static void columns_add(struct buf *b, enum inv_area area, const char *alias)
{
    const struct inv_table *t = inv_table(area);

    for (unsigned i = 0; i < t->n && facts_n < sizeof facts_ends; i++)
        if (search_column(&t->cols[i])) {
            buf_fmt(b, ", %s.%s", alias, t->cols[i].name);
            facts_ends[facts_n++] = has_ends(t->cols[i].name);
        }
}

static void facts_make(void)
{
    struct buf b = BUF_INIT(TEXT_MAX - 1);

    buf_str(&b, "SELECT e.id, e.kind, d.os_number");
    for (size_t i = 0; i < OWN_N; i++) {
        buf_fmt(&b, ", e.%s", OWN[i].name);
        facts_ends[facts_n++] = OWN[i].ends;
    }
    columns_add(&b, INV_DEVICE, "d");
    columns_add(&b, INV_NETWORK, "n");
    buf_str(&b, " FROM enrollment e LEFT JOIN inv_device d ON d.enrollment_id = e.id LEFT JOIN "
                "inv_network n ON n.enrollment_id = e.id WHERE e.id IN (%IN%)");
    if (!buf_failed(&b)) {
        memcpy(facts_text, b.data, b.len + 1);
        facts_sql.text = facts_text;
    }
    buf_free(&b);
}

/* One device: its words as they are to be, and as they are. */
struct face {
    int64_t id;
    struct search_words want, have;
    const char *name, *serial;
    int64_t os;
};

struct follow {
    size_t max, ndevices, ndue;
    struct arena *a;
    struct face *faces; /* by id */
    struct val *due, *devices;
};

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct face *)a)->id, y = ((const struct face *)b)->id;

    return (x > y) - (x < y);
}

static struct face *face_of(struct follow *f, int64_t id)
{
    struct face key = {.id = id};

    return bsearch(&key, f->faces, f->ndevices, sizeof *f->faces, by_id);
}

static enum outcome take_due(struct db *db, struct follow *f, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select(db, &DUE, (struct val[]){val_int((int64_t)f->max)}, 1, f->a, &r, err);

    f->ndue = f->ndevices = 0;
    if (o != OK)
        return o;
    f->due = arena_array(f->a, r.n + 1, sizeof *f->due);
    f->devices = arena_array(f->a, r.n + 1, sizeof *f->devices);
    f->faces = arena_array(f->a, r.n + 1, sizeof *f->faces);
    if (f->due == NULL || f->devices == NULL || f->faces == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < r.n; i++) {
        f->due[f->ndue++] = val_int(row_at(&r, i, 0)->i);
        f->faces[i] =
            (struct face){.id = row_at(&r, i, 1)->i, .want = {.a = f->a}, .have = {.a = f->a}};
    }
    if (r.n > 0)
        qsort(f->faces, r.n, sizeof *f->faces, by_id);
    for (size_t i = 0; i < r.n; i++)
        if (i == 0 || f->faces[i].id != f->faces[i - 1].id)
            f->faces[f->ndevices++] = f->faces[i];
    for (size_t i = 0; i < f->ndevices; i++)
        f->devices[i] = val_int(f->faces[i].id);
    return OK;
}

/* What the device is called: by the inventory, by itself when it enrolled, by a number. */
static void face_read(struct face *x, const struct val *v)
{
    const struct inv_table *t = inv_table(INV_DEVICE);
    const char *name = val_text(&v[F_FIRST + 3]), *serial = val_text(&v[F_FIRST + 2]);
    size_t at = F_FIRST + OWN_N;

    for (unsigned i = 0; i < t->n; i++) {
        if (!search_column(&t->cols[i]))
            continue;
        if (strcmp(t->cols[i].name, "device_name") == 0 && *val_text(&v[at]) != '\0')
            name = v[at].s;
        if (strcmp(t->cols[i].name, "serial_number") == 0 && *val_text(&v[at]) != '\0')
            serial = v[at].s;
        at++;
    }
    x->serial = serial;
    x->name = *name != '\0' ? name : *serial != '\0' ? serial : val_text(&v[F_FIRST]);
    x->os = val_or_0(&v[F_OS_NUMBER]);
    if (x->os == 0)
        x->os = inv_os_number(val_text(&v[F_FIRST + 4]));
}

static enum outcome read_facts(struct db *db, struct follow *f, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select_in(db, &facts_sql, NULL, 0, f->devices, f->ndevices, NULL, 0, f->a, &r, err);

    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        struct face *x = face_of(f, v[F_ID].i);

        if (x == NULL)
            continue;
        face_read(x, v);
        for (size_t k = 0; k < facts_n; k++)
            search_words_add(&x->want, val_text(&v[F_FIRST + k]), facts_ends[k]);
    }
    return o;
}

static enum outcome read_people(struct db *db, const struct sql *sql, struct follow *f,
                                struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select_in(db, sql, NULL, 0, f->devices, f->ndevices, NULL, 0, f->a, &r, err);

    for (size_t i = 0; o == OK && i < r.n; i++) {
        struct face *x = face_of(f, row_at(&r, i, 0)->i);

        for (size_t k = 1; x != NULL && k < 3; k++)
            search_words_add(&x->want, val_text(row_at(&r, i, k)), true);
    }
    return o;
}

static enum outcome read_words(struct db *db, struct follow *f, struct err *err)
{
    struct rows r;
    enum outcome o =
        db_select_in(db, &WORDS, NULL, 0, f->devices, f->ndevices, NULL, 0, f->a, &r, err);

    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        struct face *x = face_of(f, v[0].i);
        struct search_words *w = x != NULL ? &x->have : NULL;

        if (w == NULL)
            continue;
        if (w->n == w->room) {
            size_t room = w->room != 0 ? w->room * 2 : 64;
            struct search_word *list = arena_array(f->a, room, sizeof *list);

            if (list == NULL)
                return err_set(err, ERROR, "out of memory");
            if (w->n > 0)
                memcpy(list, w->list, w->n * sizeof *list);
            w->list = list;
            w->room = room;
        }
        w->list[w->n++] = (struct search_word){v[1].i != 0, v[2].s};
    }
    return o;
}

/* Rows of (device, backward, word). */
struct rows_out {
    struct val *v;
    size_t n;
};

static void row_out(struct rows_out *out, int64_t id, const struct search_word *w)
{
    struct val *v = out->v + 3 * out->n++;

    v[0] = val_int(id);
    v[1] = val_int(w->backward);
    v[2] = val_str(w->word);
}

static void compare(struct face *x, struct rows_out *drop, struct rows_out *write)
{
    struct search_words *was = &x->have, *now = &x->want;
    size_t i = 0, j = 0;

    search_words_sort(was);
    search_words_sort(now);
    while (i < was->n || j < now->n) {
        int c = i == was->n   ? 1
                : j == now->n ? -1
                              : search_word_order(&was->list[i], &now->list[j]);

        if (c < 0)
            row_out(drop, x->id, &was->list[i]);
        else if (c > 0)
            row_out(write, x->id, &now->list[j]);
        i += c <= 0;
        j += c >= 0;
    }
}

static enum outcome write_words(struct db *db, struct follow *f, struct err *err)
{
    struct rows_out drop = {0}, write = {0};
    size_t was = 0, now = 0;
    enum outcome o = OK;

    for (size_t i = 0; i < f->ndevices; i++) {
        was += f->faces[i].have.n;
        now += f->faces[i].want.n;
        if (f->faces[i].want.failed)
            return err_set(err, ERROR, "out of memory");
    }
    drop.v = arena_array(f->a, 3 * was + 1, sizeof *drop.v);
    write.v = arena_array(f->a, 3 * now + 1, sizeof *write.v);
    if (drop.v == NULL || write.v == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < f->ndevices; i++)
        compare(&f->faces[i], &drop, &write);
    for (size_t from = 0, n; o == OK && from < drop.n; from += n) {
        n = drop.n - from < CHUNK ? drop.n - from : CHUNK;
        o = db_exec_in(db, &DROP, NULL, 0, drop.v + 3 * from, n, f->a, NULL, err);
    }
    return o == OK ? db_exec_many(db, &ADD, write.v, 3, write.n, NULL, err) : o;
}

static enum outcome write_faces(struct db *db, struct follow *f, struct err *err)
{
    struct val *args = arena_array(f->a, 4 * f->ndevices + 1, sizeof *args);
    enum outcome o;

    if (args == NULL)
        return err_set(err, ERROR, "out of memory");
    for (size_t i = 0; i < f->ndevices; i++) {
        const struct face *x = &f->faces[i];
        struct val *v = args + 4 * i;

        v[0] = val_cut(x->name != NULL ? x->name : "", NAME_MAX_CHARS);
        v[1] = val_cut(x->serial != NULL ? x->serial : "", NAME_MAX_CHARS);
        v[2] = val_int(x->os);
        v[3] = val_int(x->id);
    }
    o = db_exec_many(db, &SHOW, args, 4, f->ndevices, NULL, err);
    return o == OK ? db_exec_in(db, &DONE, NULL, 0, f->due, f->ndue, f->a, NULL, err) : o;
}

static enum outcome follow_unit(struct db *db, void *arg, struct err *err)
{
    struct follow *f = arg;
    enum outcome o;

    arena_reset(f->a);
    o = take_due(db, f, err);
    if (o != OK || f->ndue == 0)
        return o;
    o = read_facts(db, f, err);
    if (o == OK)
        o = read_people(db, &PEOPLE, f, err);
    if (o == OK)
        o = read_people(db, &ACCOUNTS, f, err);
    if (o == OK)
        o = read_words(db, f, err);
    if (o == OK)
        o = write_words(db, f, err);
    return o == OK ? write_faces(db, f, err) : o;
}

enum outcome search_turn(struct db *db, size_t max, size_t *done, struct err *err)
{
    struct follow f = {.max = max, .a = arena_new(ARENA_MAX)};
    enum outcome o;

    *done = 0;
    pthread_once(&facts_once, facts_make);
    if (f.a == NULL || facts_sql.text == NULL)
        o = err_set(err, ERROR, "out of memory");
    else
        o = db_unit(db, follow_unit, &f, err);
    if (o == OK)
        *done = f.ndue;
    arena_free(&f.a);
    return o;
}

enum outcome search_mark(struct db *db, int64_t device_id, struct err *err)
{
    return db_exec(db, &MARK, (struct val[]){val_int(device_id)}, 1, NULL, err);
}
