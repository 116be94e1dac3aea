/*
 * renewal_changed.c: profiles that must be installed anew because of what they install.
 *
 * An enrolment profile brings the roots and intermediates of this server's TLS certificate. When it
 * gets another one, the devices that enrolled before do not know it: at the change of the TLS
 * certificate they would be lost. So a device is renewed whose profile lacks a certificate that the
 * version in force has. One that has more than that needs nothing. Nor does the signer of profiles
 * matter: a device looks at the signature when it installs, and never again.
 */
#include "store/renewal.h"

#include "base/limits.h"
#include "base/log.h"
#include "wire/x509.h"

#include <stdio.h>

#define ARENA (32u * LIM_MB)
#define CERTS_MAX 64

static const struct sql VERSIONS = {
    "renewal_versions",
    "SELECT p.id, u.version, p.version, p.name, was.certificates, fresh.certificates FROM ("
    "SELECT DISTINCT h.profile_id, h.profile_version AS version FROM enrollment e "
    "JOIN life l ON l.id = e.life_id JOIN handout h ON h.id = l.handout_id "
    "WHERE e.state = 2 AND e.device_id = e.id AND h.profile_id IS NOT NULL) AS u "
    "JOIN enroll_profile p ON p.id = u.profile_id AND p.version <> u.version "
    "JOIN enroll_profile_version was ON was.profile_id = p.id AND was.version = u.version "
    "JOIN enroll_profile_version fresh ON fresh.profile_id = p.id AND fresh.version = p.version "
    "WHERE was.certificates <> fresh.certificates ORDER BY p.id, u.version LIMIT ?",
    0};
static const struct sql PLAN = {
    "renewal_plan_version",
    "INSERT INTO renewal (device_id, cert_sha256, not_after, state, due_at) "
    "SELECT e.id, l.cert_sha256, COALESCE(c.not_after, 0), 1, ? FROM enrollment e "
    "JOIN life l ON l.id = e.life_id JOIN handout h ON h.id = l.handout_id "
    "LEFT JOIN identity_cert c ON c.sha256 = l.cert_sha256 "
    "LEFT JOIN renewal r ON r.device_id = e.id "
    "WHERE h.profile_id = ? AND h.profile_version = ? AND e.state = 2 AND e.device_id = e.id "
    "AND l.cert_sha256 IS NOT NULL AND (c.revoked_at IS NULL) "
    "AND (r.device_id IS NULL OR r.cert_sha256 <> l.cert_sha256) LIMIT ? "
    "ON DUPLICATE KEY UPDATE state = 1, due_at = VALUES(due_at), attempts = 0, "
    "not_after = VALUES(not_after), cert_sha256 = VALUES(cert_sha256)",
    0};

struct certs {
    struct bytes der[CERTS_MAX];
    size_t n;
};

static enum outcome certs_read(struct arena *a, const struct val *pem, struct certs *out,
                               struct err *err)
{
    out->n = 0;
    if (val_is_null(pem) || pem->n == 0)
        return OK;
    return cert_from_pem(a, val_bytes(pem), out->der, CERTS_MAX, &out->n, err);
}

/* Has the one a certificate that the other lacks? */
static bool brings_more(const struct certs *fresh, const struct certs *was)
{
    for (size_t i = 0; i < fresh->n; i++) {
        size_t k = 0;
        while (k < was->n && !bytes_equal(fresh->der[i], was->der[k]))
            k++;
        if (k == was->n)
            return true;
    }
    return false;
}

static enum outcome plan_version(struct db *db, int64_t now, const struct val *v, size_t *planned,
                                 struct err *err)
{
    uint64_t rows = RENEWAL_BATCH;
    uint64_t all = 0;
    enum outcome o = OK;
    while (o == OK && rows >= RENEWAL_BATCH) { /* an update counts for two */
        o = db_exec(db, &PLAN, (struct val[]){val_int(now), v[0], v[1], val_int(RENEWAL_BATCH)}, 4,
                    &rows, err);
        all += o == OK ? rows : 0;
    }
    if (all > 0)
        log_msg(LOG_LEVEL_INFO, "renewal.changed",
                "profile %s: its version %lld lacks certificates of version %lld", v[3].s,
                (long long)v[1].i, (long long)v[2].i);
    *planned += (size_t)all;
    return o;
}

enum outcome renewal_plan_changed(struct db *db, int64_t now, size_t *planned, struct err *err)
{
    struct arena *a = arena_new(ARENA);
    struct certs *was = a ? arena_alloc(a, sizeof *was) : NULL;
    struct certs *fresh = a ? arena_alloc(a, sizeof *fresh) : NULL;
    struct val max = val_int(RENEWAL_BATCH);
    struct rows r = {0};
    *planned = 0;
    enum outcome o = was && fresh ? db_select(db, &VERSIONS, &max, 1, a, &r, err)
                                  : err_set(err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < r.n; i++) {
        const struct val *v = row_at(&r, i, 0);
        if (certs_read(a, &v[4], was, err) != OK || certs_read(a, &v[5], fresh, err) != OK)
            log_err(LOG_LEVEL_WARNING, "renewal.changed", err); /* holds the others not up */
        else if (brings_more(fresh, was))
            o = plan_version(db, now, v, planned, err);
    }
    arena_free(&a);
    return o;
}
