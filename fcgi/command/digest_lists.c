/* digest_lists.c: the answers that are lists. */
#include "command/digest_int.h"

#include "base/utf8.h"
#include "command/plist_json.h"
#include "wire/encode.h"
#include "wire/x509.h"

#define DER_MAX 65535u /* a certificate that is kept */

/* A list on its way into the inventory. */
struct listing {
    struct digesting *d;
    const struct inv_table *t;
    struct inv_before before;
    struct val *rows;
    size_t n, room;
};

static enum outcome begin(struct listing *l, struct digesting *d, enum inv_area area, size_t room)
{
    enum outcome o;

    *l = (struct listing){.d = d, .t = inv_table(area), .room = room};
    if (room > DIGEST_ROWS_MAX)
        return err_set(d->err, INVALID, "a list of %zu entries; %u are taken", room,
                       DIGEST_ROWS_MAX);
    o = inv_before(d->db, l->t, &d->src, d->a, &l->before, d->err);
    l->rows = arena_array(d->a, (room + 1) * l->t->n, sizeof *l->rows);
    if (o == OK && l->rows == NULL)
        return digest_no_memory(d);
    for (size_t i = 0; o == OK && i < (room + 1) * l->t->n; i++)
        l->rows[i] = val_null();
    return o;
}

static struct val *next_row(struct listing *l)
{
    return l->rows + l->n * l->t->n;
}

static enum outcome end(struct listing *l, struct inv_list list)
{
    list.rows = l->rows;
    list.n = l->n;
    return inv_replace(l->d->db, l->t, &l->d->src, &l->before, &list, &l->d->events, l->d->a,
                       l->d->err);
}

static bool nobody(const struct val *row, void *arg)
{
    (void)row, (void)arg;
    return false;
}

/* The array key of the report. */
static enum outcome array_of(struct digesting *d, const char *key, pl *out)
{
    *out = pl_get(d->root, key);
    if (pl_type_of(*out) == PL_ARRAY)
        return OK;
    return err_set(d->err, INVALID, "the answer has no array %s", key);
}

/* Rows whose columns and keys are all Apple's. */
static enum outcome plain_list(struct digesting *d, const char *key, enum inv_area area,
                               struct inv_list how)
{
    struct listing l;
    pl array;
    enum outcome o = array_of(d, key, &array);

    if (o == OK)
        o = begin(&l, d, area, pl_size(array));
    for (size_t i = 0; o == OK && !l.before.stale && i < pl_size(array); i++) {
        struct val *row = next_row(&l);

        o = digest_row(d, l.t, pl_at(array, i), row);
        l.n += o == OK && !val_is_null(&row[0]);
    }
    return o == OK ? end(&l, how) : o;
}

/* ---- profiles ---- */

static bool is_managed(const struct val *row, void *arg)
{
    const struct inv_table *t = inv_table(INV_PROFILE);
    const struct val *v = &row[digest_column(t, "is_managed")];

    (void)arg;
    return !val_is_null(v) && v->i != 0;
}

static const char *profile_state(const struct val *row, void *arg)
{
    (void)arg;
    return val_is_null(&row[1]) ? NULL : row[1].s; /* PayloadUUID: another one is a new version */
}

/* The certificates of its signers are long, and the same on all devices: their digests do. */
static void shorten_signers(struct digesting *d, pl profile)
{
    pl certs = pl_get(profile, "SignerCertificates"), digests = pl_new_array();

    if (pl_type_of(certs) != PL_ARRAY) {
        pl_free(&digests);
        return;
    }
    for (size_t i = 0; i < pl_size(certs); i++) {
        char hex[SHA256_HEX_LEN + 1];
        struct bytes der;

        if (!pl_data(pl_at(certs, i), &der))
            continue;
        sha256_hex(der, hex);
        pl_append(digests, pl_new_str(hex));
    }
    pl_remove(profile, "SignerCertificates");
    if (pl_size(digests) > 0)
        pl_set(profile, "SignerCertificates", digests);
    else
        pl_free(&digests);
    (void)d;
}

enum outcome digest_profiles(struct digesting *d)
{
    pl array = pl_get(d->root, "ProfileList");
    struct inv_list how = {.state = profile_state,
                           .told_of = digest_flag(d, "ManagedOnly") ? is_managed : NULL};

    for (size_t i = 0; i < pl_size(array); i++)
        shorten_signers(d, pl_at(array, i));
    return plain_list(d, "ProfileList", INV_PROFILE, how);
}

enum outcome digest_provisioning(struct digesting *d)
{
    struct inv_list how = {.told_of = digest_flag(d, "ManagedOnly") ? nobody : NULL};

    return plain_list(d, "ProvisioningProfileList", INV_PROVISIONING, how);
}

enum outcome digest_users(struct digesting *d)
{
    return plain_list(d, "Users", INV_USER, (struct inv_list){0});
}

enum outcome digest_updates(struct digesting *d)
{
    return plain_list(d, "AvailableOSUpdates", INV_UPDATE, (struct inv_list){0});
}

static const char *update_state(const struct val *row, void *arg)
{
    (void)arg;
    return val_is_null(&row[1]) ? NULL : row[1].s;
}

enum outcome digest_update_status(struct digesting *d)
{
    return plain_list(d, "OSUpdateStatus", INV_UPDATE_STATUS,
                      (struct inv_list){.state = update_state});
}

/* ---- certificates ---- */

static enum outcome store_unknown(struct digesting *d, struct seen_certificate *c, size_t n)
{
    uint8_t(*digest)[32] = arena_array(d->a, n + 1, sizeof *digest);
    struct rows known;
    size_t k = 0;
    enum outcome o;

    if (digest == NULL)
        return digest_no_memory(d);
    for (size_t i = 0; i < n; i++)
        memcpy(digest[i], c[i].sha256, 32);
    o = seen_certificate_known(d->db, digest, n, d->a, &known, d->err);
    for (size_t i = 0; o == OK && i < n; i++) {
        struct cert_info info;
        struct err unparsed;
        bool have = false;

        for (size_t j = 0; !have && j < known.n; j++)
            have = memcmp(row_at(&known, j, 0)->s, c[i].sha256, 32) == 0;
        if (have)
            continue;
        if (cert_info_read(d->a, c[i].der, &info, &unparsed) == OK) {
            c[i].subject = info.subject;
            c[i].issuer = info.issuer;
            c[i].serial = info.serial;
            c[i].key_type = info.key_type;
            c[i].key_bits = info.key_bits;
            c[i].not_before = info.not_before;
            c[i].not_after = info.not_after;
            c[i].is_ca = info.is_ca;
        }
        c[k++] = c[i];
    }
    return o == OK ? seen_certificate_add(d->db, c, k, d->a, d->err) : o;
}

static const char *certificate_name(const struct val *row, void *arg)
{
    (void)arg;
    return val_is_null(&row[1]) ? NULL : row[1].s;
}

enum outcome digest_certificates(struct digesting *d)
{
    struct inv_list how = {.subject = certificate_name,
                           .told_of = digest_flag(d, "ManagedOnly") ? nobody : NULL};
    struct seen_certificate *c;
    struct listing l;
    pl array;
    enum outcome o = array_of(d, "CertificateList", &array);

    if (o == OK)
        o = begin(&l, d, INV_CERTIFICATE, pl_size(array));
    if (o != OK || l.before.stale)
        return o;
    c = arena_array(d->a, pl_size(array) + 1, sizeof *c);
    if (c == NULL)
        return digest_no_memory(d);
    for (size_t i = 0; o == OK && i < pl_size(array); i++) {
        struct val *row = next_row(&l);
        pl one = pl_at(array, i);
        struct bytes der;

        if (!pl_get_data(one, "Data", &der) || der.n == 0 || der.n > DER_MAX)
            continue;
        c[l.n].der = arena_bytes(d->a, der);
        if (c[l.n].der.p == NULL)
            return digest_no_memory(d);
        sha256(der, c[l.n].sha256);
        pl_remove(one, "Data");
        o = digest_row(d, l.t, one, row);
        row[0] = val_bin(arena_bytes(d->a, bytes_of(c[l.n].sha256, 32)));
        l.n++;
    }
    if (o == OK)
        o = store_unknown(d, c, l.n);
    return o == OK ? end(&l, how) : o;
}

/* ---- restrictions ---- */

enum { R_PROFILE, R_KIND, R_NAME, R_VALUE, R_LIST };

struct restrictions {
    struct listing *l;
    const char *profile;
    int kind;
    size_t count; /* first they are counted, then taken */
    bool counting;
    enum outcome outcome;
};

static bool one_restriction(const char *name, pl entry, void *arg)
{
    struct restrictions *x = arg;
    struct digesting *d = x->l->d;
    pl value = pl_get(entry, "value"), values = pl_get(entry, "values");
    struct val *row = next_row(x->l);
    int64_t i = 0;
    bool yes = false;

    if (x->counting) {
        x->count++;
        return true;
    }
    if (x->l->n == x->l->room || (value == NULL && pl_type_of(values) != PL_ARRAY))
        return true;
    row[R_PROFILE] = val_str(x->profile);
    row[R_KIND] = val_int(x->kind);
    row[R_NAME] = val_str(digest_key(d, name, x->l->t->cols[R_NAME].max));
    if (pl_bool(value, &yes))
        row[R_VALUE] = val_int(yes);
    else if (pl_int(value, &i))
        row[R_VALUE] = val_int(i);
    if (values != NULL)
        row[R_LIST] = val_str(plist_json_text(values, 60000, d->a));
    if (row[R_NAME].s == NULL)
        x->outcome = digest_no_memory(d);
    x->l->n++;
    return x->outcome == OK;
}

static void each_kind(struct restrictions *x, const char *profile, pl dict)
{
    static const char *const kinds[] = {"restrictedBool", "restrictedValue", "intersection",
                                        "union"};

    x->profile = profile;
    for (int i = 0; i < 4; i++) {
        x->kind = i + 1;
        pl_each(pl_get(dict, kinds[i]), one_restriction, x);
    }
}

static bool each_profile(const char *identifier, pl dict, void *arg)
{
    struct restrictions *x = arg;
    struct digesting *d = x->l->d;
    const char *key = digest_key(d, identifier, x->l->t->cols[R_PROFILE].max);

    if (key == NULL)
        x->outcome = digest_no_memory(d);
    else if (key[0] != '\0')
        each_kind(x, key, dict);
    return x->outcome == OK;
}

static bool is_global(const struct val *row, void *arg)
{
    (void)arg;
    return row[R_PROFILE].n == 0;
}

static const char *restriction_name(const struct val *row, void *arg)
{
    struct digesting *d = arg;

    return row[R_PROFILE].n == 0 ? row[R_NAME].s
                                 : arena_fmt(d->a, "%s of %s", row[R_NAME].s, row[R_PROFILE].s);
}

static const char *restriction_state(const struct val *row, void *arg)
{
    const struct inv_table *t = inv_table(INV_RESTRICTION);
    struct digesting *d = arg;

    return inv_text(&t->cols[R_VALUE], &row[R_VALUE], d->a);
}

enum outcome digest_restrictions(struct digesting *d)
{
    pl global = pl_get(d->root, "GlobalRestrictions");
    pl each = pl_get(d->root, "ProfileRestrictions");
    struct listing counted = {.d = d, .t = inv_table(INV_RESTRICTION)}, l;
    struct restrictions x = {.l = &counted, .counting = true};
    struct inv_list how = {.told_of = pl_type_of(each) == PL_DICT ? NULL : is_global,
                           .subject = restriction_name,
                           .state = restriction_state,
                           .arg = d};
    enum outcome o;

    if (pl_type_of(global) != PL_DICT)
        return err_set(d->err, INVALID, "the answer has no dictionary GlobalRestrictions");
    each_kind(&x, "", global);
    pl_each(each, each_profile, &x);
    o = begin(&l, d, INV_RESTRICTION, x.count);
    if (o != OK || l.before.stale)
        return o;
    x.l = &l;
    x.counting = false;
    each_kind(&x, "", global);
    pl_each(each, each_profile, &x);
    return x.outcome == OK ? end(&l, how) : x.outcome;
}

/* ---- settings ---- */

static const char *setting_state(const struct val *row, void *arg)
{
    (void)arg;
    return val_is_null(&row[2]) ? NULL : row[2].s;
}

static enum outcome one_setting(struct listing *l, pl result, pl sent, int item)
{
    struct digesting *d = l->d;
    struct val *row = next_row(l);
    const char *about = pl_get_str(sent, "Identifier");
    enum outcome o = digest_errors(d, result, item);

    pl_remove(result, "ErrorChain");
    if (o == OK)
        o = digest_row(d, l->t, result, row);
    if (o != OK)
        return o;
    if (val_is_null(&row[0]))
        row[0] = val_str(digest_key(d, pl_get_str(sent, "Item"), l->t->cols[0].max));
    if (val_is_null(&row[1]))
        row[1] = val_str(digest_key(d, about != NULL ? about : "", l->t->cols[1].max));
    row[3] = val_int(d->src.reported_at);
    row[4] = val_int(d->src.command_id);
    l->n += !val_is_null(&row[0]);
    return OK;
}

enum outcome digest_settings(struct digesting *d)
{
    pl results = pl_get(d->root, "Settings"), sent = pl_get(d->command, "Settings");
    bool one = pl_type_of(results) == PL_DICT;
    size_t n = one ? 1 : pl_size(results);
    struct listing l;
    enum outcome o;

    if (n == 0)
        return OK; /* an error of the command as a whole is told by its ErrorChain */
    o = begin(&l, d, INV_SETTING, n);
    for (size_t i = 0; o == OK && !l.before.stale && i < n; i++)
        o = one_setting(&l, one ? results : pl_at(results, i), pl_at(sent, i), (int)i + 1);
    return o == OK ? end(&l, (struct inv_list){.told_of = nobody, .state = setting_state}) : o;
}

/* ---- everything else ---- */

enum outcome digest_answer(struct digesting *d)
{
    static const char *const frame[] = {"CommandUUID",  "Status",           "UDID",
                                        "UserID",       "UserShortName",    "UserLongName",
                                        "EnrollmentID", "EnrollmentUserID", "NotOnConsole",
                                        "RequestType",  "ErrorChain"};
    const char *text;

    for (size_t i = 0; i < sizeof frame / sizeof *frame; i++)
        pl_remove(d->root, frame[i]);
    if (pl_size(d->root) == 0)
        return OK;
    text = plist_json_text(d->root, DIGEST_EXTRA_MAX, d->a);
    if (text == NULL)
        return err_set(d->err, INVALID, "the answer is longer than %u octets as JSON",
                       DIGEST_EXTRA_MAX);
    return inv_answer(d->db, &d->src, d->r->request_type, text, d->err);
}
