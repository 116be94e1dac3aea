/* trust_crl.c: table trust_crl: see trust.h. */
#include "store/trust.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/audit.h"
#include "wire/encode.h"

#define ARENA_MAX (8u * LIM_MB)

static const struct sql LIST = {
    .name = "trust_crl_list",
    .text = "SELECT c.subject, r.ca_sha256, r.crl, r.entries, r.this_update, r.next_update, "
            "r.added_at, r.added_by FROM trust_crl r JOIN trust_ca c ON c.sha256 = r.ca_sha256 "
            "ORDER BY r.ca_sha256"};
static const struct sql HELD = {
    .name = "trust_crl_held",
    .text = "SELECT this_update FROM trust_crl WHERE ca_sha256 = ? FOR UPDATE"};
static const struct sql PUT = {
    .name = "trust_crl_put",
    .text = "INSERT INTO trust_crl (ca_sha256, crl, entries, this_update, next_update, added_at, "
            "added_by) VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE crl=VALUES(crl), "
            "entries=VALUES(entries), this_update=VALUES(this_update), "
            "next_update=VALUES(next_update), added_at=VALUES(added_at), "
            "added_by=VALUES(added_by)"};
static const struct sql MOVED = {.name = "trust_crl_moved",
                                 .text =
                                     "UPDATE site SET version = version + 1 WHERE name = 'trust'"};

enum outcome trust_crl_list(struct db *db, struct arena *a, struct trust_crl **out, size_t *n,
                            struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &LIST, NULL, 0, a, &r, err);
    *n = 0;
    *out = NULL;
    if (o != OK)
        return o;
    *out = arena_array(a, r.n + 1, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "no memory for the revocation lists");
    for (size_t i = 0; i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        (*out)[i] = (struct trust_crl){.subject = v[0].s,
                                       .ca_sha256 = val_bytes(&v[1]),
                                       .crl = val_bytes(&v[2]),
                                       .entries = v[3].i,
                                       .this_update = v[4].i,
                                       .next_update = val_or_0(&v[5]),
                                       .added_at = v[6].i,
                                       .added_by = v[7].s};
    }
    *n = r.n;
    return OK;
}

struct put {
    const struct crl_info *info;
    const uint8_t *ca;
    const char *digest, *by;
    struct arena *a;
};

static enum outcome put_unit(struct db *db, void *arg, struct err *err)
{
    const struct put *p = arg;
    struct val ca = val_bin(bytes_of(p->ca, CERT_SHA256_LEN));
    char detail[64];
    struct rows r;
    enum outcome o;
    arena_reset(p->a);
    if ((o = db_select(db, &HELD, &ca, 1, p->a, &r, err)) != OK)
        return o;
    if (r.n && row_at(&r, 0, 0)->i > p->info->this_update)
        return err_set(err, CONFLICT, "a newer revocation list of this CA is stored already");
    o = db_exec(db, &PUT,
                (struct val[]){ca, val_bin(p->info->der), val_int(p->info->entries),
                               val_int(p->info->this_update), val_id(p->info->next_update),
                               val_int(clock_now()), val_str(p->by)},
                7, NULL, err);
    if (o == OK)
        o = db_exec(db, &MOVED, NULL, 0, NULL, err);
    snprintf(detail, sizeof detail, "certificates=%lld", (long long)p->info->entries);
    return o == OK ? audit_add(db, p->by, "ca.crl", p->digest, detail, err) : o;
}

/* The CA of the list that signed it. NOT_FOUND: none of them. */
static enum outcome signer_of(const struct trust_ca *list, size_t n, struct bytes crl,
                              const struct trust_ca **out, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        enum outcome o = crl_signed_by(crl, list[i].der, err);
        *out = &list[i];
        if (o != NOT_FOUND)
            return o;
    }
    return err_set(err, NOT_FOUND, "it is signed by no CA that is trusted beside Drover's own");
}

enum outcome trust_crl_put(struct db *db, struct arena *a, const struct crl_info *info,
                           const char *by, const char **subject, struct err *err)
{
    char digest[SHA256_HEX_LEN + 1];
    const struct trust_ca *ca = NULL;
    struct trust_ca *list;
    size_t n;
    if (info->der.n > TRUST_CRL_MAX)
        return err_set(err, INVALID, "the revocation list is longer than %u octets", TRUST_CRL_MAX);
    enum outcome o = trust_ca_list(db, a, &list, &n, err);
    if (o == OK)
        o = signer_of(list, n, info->der, &ca, err);
    if (o != OK)
        return o;
    *subject = ca->subject;
    hex_encode(bytes_of(ca->sha256, CERT_SHA256_LEN), digest);
    struct put p = {info, ca->sha256, digest, by, arena_new(ARENA_MAX)};
    o = p.a ? db_unit(db, put_unit, &p, err) : err_set(err, ERROR, "out of memory");
    arena_free(&p.a);
    return o;
}
