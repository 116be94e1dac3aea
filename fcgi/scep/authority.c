/* authority.c: see authority.h. */
#include "scep/authority.h"

#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "store/trust.h"

enum outcome authority_own(const struct conf *conf, struct arena *a, struct sign_authority *own,
                           size_t *n, struct err *err)
{
    struct bytes pem;
    size_t one;
    char *path = arena_fmt(a, "%s/ca.pem", conf->signer_dir);
    char *later = arena_fmt(a, "%s/ca.current", conf->signer_dir);
    if (sign_authorities(a, own, n, err) == OK)
        return OK;
    own[0] = (struct sign_authority){.generation = 1};
    *n = 1;
    if (later && path && access(later, F_OK) != 0 &&
        file_read(path, LIM_BODY_SCEP, a, &pem, err) == OK)
        return cert_from_pem(a, pem, &own[0].ca_der, 1, &one, err);
    return err_set(err, NOT_FOUND,
                   "there is no device CA in %s, or the signer that knows it does not answer; "
                   "droverctl ca init makes the first",
                   conf->signer_dir);
}

static void add_pem(struct buf *out, struct bytes der, const char *subject)
{
    buf_fmt(out, "# %s\n", subject);
    cert_to_pem(der, out);
}

enum outcome authority_bundle(const struct conf *conf, struct db *db, struct arena *a,
                              struct buf *out, struct err *err)
{
    struct sign_authority own[SIGN_AUTHORITIES_MAX];
    struct cert_info info[SIGN_AUTHORITIES_MAX];
    struct trust_ca *list;
    size_t n, k = 0;
    enum outcome o = authority_own(conf, a, own, &k, err);
    for (size_t i = 0; o == OK && i < k; i++) {
        o = cert_info_read(a, own[i].ca_der, &info[i], err);
        if (o == OK)
            add_pem(out, own[i].ca_der, info[i].subject);
    }
    if (o == OK)
        o = trust_ca_list(db, a, &list, &n, err);
    for (size_t i = 0; o == OK && i < n; i++) {
        bool ours = false;
        for (size_t m = 0; m < k; m++)
            ours |= memcmp(list[i].sha256, info[m].sha256, sizeof info[m].sha256) == 0;
        if (!ours)
            add_pem(out, list[i].der, list[i].subject);
    }
    if (o != OK)
        return o;
    return buf_failed(out) ? err_set(err, ERROR, "the bundle is too long") : OK;
}
