/* digest_facts.c: DeviceInformation and SecurityInfo. An answer to a few queries changes what it
 * answers, and empties what it was asked and does not answer: a SIM that was taken out has no
 * PhoneNumber any more. */
#include "command/digest_int.h"

#include "base/limits.h"
#include "command/plist_json.h"
#include "wire/json.h"

#define COLUMNS_MAX 96

/* Whether a fact is about the device's networks: the catalogue says so by its access right. */
static bool of_network(const char *key)
{
    cat item = catalogue_path(catalogue_find("DeviceInformation"), "Queries[]");
    cat value = catalogue_value(item, key);

    for (int p = PLATFORM_IOS; value != NULL && p < PLATFORM__MAX; p++) {
        struct catalogue_support s = catalogue_support(value, (enum platform)p);

        if (s.introduced != VERSION_NEVER)
            return s.right == RIGHT_NETWORK_INFO;
    }
    return false;
}

/* ---- the facts that have no column ---- */

struct extra {
    struct digesting *d;
    js object;
    bool network;
};

static js parsed_or_empty(const struct val *text)
{
    struct err err;
    js root = NULL;

    if (val_is_null(text) || js_parse(val_bytes(text), &root, &err) != OK)
        return js_object();
    return root;
}

static bool add_extra(const char *key, pl value, void *arg)
{
    struct extra *x = arg;

    if (of_network(key) == x->network)
        js_set(x->object, key, plist_json(value, x->d->a));
    return true;
}

struct keep {
    struct digesting *d;
    js into;
    pl answers;
};

/* What was known before stays, unless it is answered or was asked in vain. */
static bool keep_old(const char *key, js value, void *arg)
{
    struct keep *k = arg;
    struct buf text = BUF_INIT(DIGEST_EXTRA_MAX);
    struct err err;
    js copy = NULL;

    if (pl_get(k->answers, key) != NULL || digest_asked(k->d, "Queries", key))
        return true;
    if (js_write(value, false, &text) == OK && js_parse(buf_bytes(&text), &copy, &err) == OK)
        js_set(k->into, key, copy);
    buf_free(&text);
    return true;
}

static enum outcome extra_column(struct digesting *d, pl answers, bool network,
                                 const struct val *was, struct val *out)
{
    struct extra x = {d, js_object(), network};
    struct keep k = {d, x.object, answers};
    struct buf text = BUF_INIT(DIGEST_EXTRA_MAX);
    js old = parsed_or_empty(was);
    enum outcome o = OK;

    js_each(old, keep_old, &k);
    pl_each(answers, add_extra, &x);
    *out = val_null();
    if (js_size(x.object) > 0) {
        if (js_write(x.object, false, &text) == OK)
            *out = val_str(arena_strdup(d->a, buf_cstr(&text)));
        if (val_is_null(out))
            o = err_set(d->err, INVALID, "the answer has more than %u octets beside what is known",
                        DIGEST_EXTRA_MAX);
    }
    buf_free(&text);
    js_free(&old);
    js_free(&x.object);
    return o;
}

/* ---- the columns ---- */

static const struct val *old_row(const struct inv_before *b)
{
    return b->rows.n > 0 ? row_at(&b->rows, 0, 1) : NULL;
}

/* The name of the fact in a query: of "A.B" it is A. */
static bool asked_in_vain(struct digesting *d, const char *key)
{
    char name[64];
    size_t n = strcspn(key, ".");

    if (n >= sizeof name || pl_type_of(pl_get(d->command, "Queries")) != PL_ARRAY)
        return false;
    memcpy(name, key, n);
    name[n] = '\0';
    return digest_asked(d, "Queries", name);
}

static bool fill_columns(struct digesting *d, const struct inv_table *t, pl answers,
                         const struct val *was, struct val *row)
{
    bool any = false;

    for (unsigned i = 0; i < t->n; i++) {
        const struct inv_column *c = &t->cols[i];

        row[i] = was != NULL ? was[i] : val_null();
        if (c->key[0] == '\0')
            continue;
        struct val v = digest_value(d, c, answers);
        if (!val_is_null(&v)) {
            row[i] = v;
            digest_take_out(c, answers);
            any = true;
        } else if (asked_in_vain(d, c->key)) {
            row[i] = val_null();
        }
    }
    return any;
}

static void derive(struct digesting *d, const struct inv_table *t, struct val *row)
{
    const struct val *product = &row[digest_column(t, "product_name")];
    const struct val *version = &row[digest_column(t, "os_version")];

    row[digest_column(t, "platform")] =
        val_int(platform_of(val_is_null(product) ? d->r->product_name : product->s));
    row[digest_column(t, "os_number")] =
        val_int(inv_os_number(val_is_null(version) ? NULL : version->s));
}

static enum outcome facts(struct digesting *d, enum inv_area area, pl answers)
{
    const struct inv_table *t = inv_table(area);
    struct val row[COLUMNS_MAX];
    struct inv_before b;
    const struct val *was;
    bool any;
    enum outcome o = inv_before(d->db, t, &d->src, d->a, &b, d->err);

    if (o != OK || b.stale)
        return o;
    was = old_row(&b);
    any = fill_columns(d, t, answers, was, row);
    o = extra_column(d, answers, area == INV_NETWORK,
                     was != NULL ? &was[t->n - 1] : &(struct val){.type = VAL_NULL},
                     &row[t->n - 1]);
    if (o != OK || (was == NULL && !any && val_is_null(&row[t->n - 1])))
        return o; /* nothing of this area was answered */
    if (area == INV_DEVICE)
        derive(d, t, row);
    return inv_facts(d->db, t, &d->src, &b, row, &d->events, d->a, d->err);
}

/* Apple TV and old Macs tell EthernetMACs only. */
static void first_ethernet_mac(pl answers)
{
    const char *mac = pl_str(pl_at(pl_get(answers, "EthernetMACs"), 0));

    if (mac != NULL && pl_get(answers, "EthernetMAC") == NULL)
        pl_set_str(answers, "EthernetMAC", mac);
}

enum outcome digest_device_information(struct digesting *d)
{
    pl answers = pl_get(d->root, "QueryResponses");
    enum outcome o;

    if (pl_type_of(answers) != PL_DICT)
        return err_set(d->err, INVALID, "the answer has no dictionary QueryResponses");
    first_ethernet_mac(answers);
    o = facts(d, INV_NETWORK, answers);
    return o == OK ? facts(d, INV_DEVICE, answers) : o;
}

enum outcome digest_security_info(struct digesting *d)
{
    const struct inv_table *t = inv_table(INV_SECURITY);
    pl answers = pl_get(d->root, "SecurityInfo");
    struct val row[COLUMNS_MAX];
    struct inv_before b;
    enum outcome o;

    if (pl_type_of(answers) != PL_DICT)
        return err_set(d->err, INVALID, "the answer has no dictionary SecurityInfo");
    o = inv_before(d->db, t, &d->src, d->a, &b, d->err);
    if (o == OK)
        o = digest_row(d, t, answers, row);
    return o == OK ? inv_facts(d->db, t, &d->src, &b, row, &d->events, d->a, d->err) : o;
}

enum outcome digest_lost_mode_on(struct digesting *d)
{
    return inv_lost_mode(d->db, &d->src, true, d->err);
}

enum outcome digest_lost_mode_off(struct digesting *d)
{
    return inv_lost_mode(d->db, &d->src, false, d->err);
}
