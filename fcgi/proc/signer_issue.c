/* signer_issue.c: which certificates the device CA issues, and the identities it makes whole. */
#include <string.h>
#include "base/clock.h"
#include "proc/signer_int.h"
#include "wire/cms.h"
#include "wire/encode.h"
#include "wire/pkcs12.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define COMMON_NAME_MAX 64u /* X.520 ub-common-name */
#define PKCS12_PASSWORD_OCTETS 20
#define NAMES_MAX 32 /* subjectAltNames of an identity */
#define SEALED_REQUEST "ScepRequest:"

/* Is this a key we certify? */
static enum outcome key_allowed(const struct signer *s, const struct csr_info *csr, struct err *err)
{
    int64_t least = s->conf->scep_min_rsa > RSA_BITS_MIN ? s->conf->scep_min_rsa : RSA_BITS_MIN;
    if (strcmp(csr->key_type, "RSA") == 0) {
        if (csr->key_bits < least || csr->key_bits > RSA_BITS_MAX)
            return err_set(err, INVALID, "an RSA key of %d bits; %d to %d are certified",
                           csr->key_bits, (int)least, RSA_BITS_MAX);
        return OK;
    }
    if (strcmp(csr->key_type, "EC") == 0 && (csr->key_bits == 256 || csr->key_bits == 384))
        return OK;
    return err_set(err, INVALID,
                   "a key of type %s with %d bits; RSA, P-256 and P-384 are "
                   "certified",
                   csr->key_type, csr->key_bits);
}

static enum outcome validity_allowed(const struct signer *s, int64_t not_before, int64_t *not_after,
                                     struct err *err)
{
    int64_t now = clock_now();
    int64_t days = s->conf->scep_validity_days;
    if (not_before < now - DAY_US || not_before > now + DAY_US || *not_after <= not_before)
        return err_set(err, INVALID, "a certificate begins within a day of now and ends later");
    if (*not_after > now + (days + 1) * DAY_US)
        return err_set(err, INVALID, "a certificate for more than %d days ([scep] validity_days)",
                       (int)days);
    if (s->keys.ca_not_after <= now)
        return err_set(err, ERROR, "the device CA has expired");
    if (*not_after > s->keys.ca_not_after)
        *not_after = s->keys.ca_not_after;
    return OK;
}

/* The request itself, opened where it waited sealed for a person's approval. */
static enum outcome issue_request(struct call *c, struct bytes given, const char *label,
                                  struct bytes *der, struct err *err)
{
    *der = given;
    if (!label[0])
        return OK;
    if (strncmp(label, SEALED_REQUEST, sizeof SEALED_REQUEST - 1) != 0)
        return err_set(err, DENIED, "a request is sealed as " SEALED_REQUEST "...");
    struct buf plain = BUF_INIT(LIM_BODY_SCEP);
    enum outcome o = seal_open(&c->s->keys.seal, label, given, &plain, err);
    if (o == OK) {
        *der = arena_bytes(c->a, buf_bytes(&plain));
        if (!der->p)
            o = err_set(err, ERROR, "out of memory");
    }
    buf_wipe(&plain);
    return o;
}

/* Splits lines into p->san. */
static enum outcome issue_names(struct call *c, const char *san, struct cert_profile *p,
                                struct err *err)
{
    const char **list = arena_array(c->a, NAMES_MAX, sizeof *list);
    if (!list)
        return err_set(err, ERROR, "out of memory");
    for (const char *s = san; *s;) {
        size_t n = strcspn(s, "\n");
        if (p->nsan == NAMES_MAX)
            return err_set(err, INVALID, "more than %d subjectAltNames", NAMES_MAX);
        list[p->nsan] = arena_strndup(c->a, s, n);
        if (!list[p->nsan++])
            return err_set(err, ERROR, "out of memory");
        s += n + (s[n] == '\n');
    }
    p->san = list;
    return OK;
}

/* What every identity holds. The list of a later CA has an address of its own. */
static struct cert_profile identity_profile(const struct call *c)
{
    const struct conf *conf = c->s->conf;
    int generation = c->s->keys.auth[c->s->keys.now].generation;
    struct cert_profile p = {.client_auth = true,
                             .organization = conf->organization,
                             .purposes = conf->scep_purposes.item,
                             .npurposes = conf->scep_purposes.n,
                             .crl_url = conf->scep_crl_url};
    if (p.crl_url && p.crl_url[0] && generation > 1)
        p.crl_url = arena_fmt(c->a, "%s/%d", conf->scep_crl_url, generation);
    return p;
}

enum outcome signer_op_issue(struct call *c, struct err *err)
{
    struct csr_info csr;
    struct bytes given = sign_get_bytes(&c->in), der = {0};
    const char *label = sign_get_str(&c->in, c->a);
    struct cert_profile p = identity_profile(c);
    p.common_name = sign_get_str(&c->in, c->a);
    const char *san = sign_get_str(&c->in, c->a);
    p.not_before = sign_get_int(&c->in);
    p.not_after = sign_get_int(&c->in);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    c->purpose = "identity";
    c->owner = p.common_name;
    if (!p.common_name[0] || strlen(p.common_name) > COMMON_NAME_MAX)
        return err_set(err, INVALID, "a common name has 1 to %u octets", COMMON_NAME_MAX);
    enum outcome o = issue_names(c, san, &p, err);
    if (o == OK)
        o = issue_request(c, given, label, &der, err);
    if (o == OK)
        o = csr_read(c->a, der, &csr, err);
    if (o == OK)
        o = key_allowed(c->s, &csr, err);
    if (o == OK)
        o = validity_allowed(c->s, p.not_before, &p.not_after, err);
    if (o != OK)
        return o;
    struct buf cert = BUF_INIT(LIM_BODY_SCEP);
    o = cert_issue(&p, der, NULL, c->s->keys.ca.cert, c->s->keys.ca.key, &cert, err);
    if (o == OK) {
        char hex[SHA256_HEX_LEN + 1];
        sha256_hex(buf_bytes(&cert), hex);
        c->detail = arena_strdup(c->a, hex);
        sign_put_bytes(c->out, buf_bytes(&cert));
    }
    buf_free(&cert);
    return o;
}

static enum outcome key_make(const char *type, int64_t size, struct pkey **key, struct err *err)
{
    if (strcmp(type, "RSA") == 0 && (size == 2048 || size == 3072 || size == 4096))
        return pkey_new_rsa((int)size, key, err);
    if (strcmp(type, "EC") == 0 && size == 256)
        return pkey_new_p256(key, err);
    return err_set(err, INVALID, "a key is RSA of 2048, 3072 or 4096 bits, or EC of 256");
}

/* Issues for the key and packs both; the answer is written when all of it is there. */
static enum outcome pkcs12_issue(struct call *c, const struct cert_profile *p,
                                 const struct pkey *key, struct err *err)
{
    char password[PKCS12_PASSWORD_OCTETS * 2 + 1], hex[SHA256_HEX_LEN + 1];
    struct buf cert = BUF_INIT(LIM_BODY_SCEP), file = BUF_INIT(LIM_BODY_SCEP);
    secret_new(PKCS12_PASSWORD_OCTETS, password);
    enum outcome o =
        cert_issue(p, bytes_of("", 0), key, c->s->keys.ca.cert, c->s->keys.ca.key, &cert, err);
    if (o == OK)
        o = pkcs12_write(key, buf_bytes(&cert), p->common_name, password, &file, err);
    if (o == OK) {
        sha256_hex(buf_bytes(&cert), hex);
        c->detail = arena_strdup(c->a, hex);
        sign_put_bytes(c->out, buf_bytes(&cert));
        sign_put_bytes(c->out, buf_bytes(&file));
        sign_put_str(c->out, password);
    }
    secret_wipe(password, sizeof password);
    buf_free(&cert);
    buf_wipe(&file);
    return o;
}

enum outcome signer_op_pkcs12(struct call *c, struct err *err)
{
    struct pkey *key = NULL;
    struct cert_profile p = identity_profile(c);
    const char *type = sign_get_str(&c->in, c->a);
    int64_t size = sign_get_int(&c->in);
    p.common_name = sign_get_str(&c->in, c->a);
    p.not_before = sign_get_int(&c->in);
    p.not_after = sign_get_int(&c->in);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    c->purpose = "identity-with-key";
    c->owner = p.common_name;
    if (!p.common_name[0] || strlen(p.common_name) > COMMON_NAME_MAX)
        return err_set(err, INVALID, "a common name has 1 to %u octets", COMMON_NAME_MAX);
    enum outcome o = validity_allowed(c->s, p.not_before, &p.not_after, err);
    if (o == OK)
        o = key_make(type, size, &key, err);
    if (o == OK)
        o = pkcs12_issue(c, &p, key, err);
    pkey_free(&key);
    return o;
}
