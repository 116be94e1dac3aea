/* libmobileconfig.c: see libmobileconfig.h. */
#include "libmobileconfig.h"

#include "base/limits.h"
#include "wire/cms.h"
#include <stdlib.h>
#include <strings.h>

void mdm_setup_free(struct mdm_setup **m)
{
    if (!*m)
        return;
    free((*m)->server_url);
    free((*m)->checkin_url);
    free((*m)->topic);
    free((*m)->profile_identifier);
    free((*m)->profile_uuid);
    free(*m);
    *m = NULL;
}

static bool capability(pl payload, const char *name)
{
    pl list = pl_get(payload, "ServerCapabilities");
    for (size_t i = 0; i < pl_size(list); i++) {
        const char *s = pl_str(pl_at(list, i));
        if (s && strcmp(s, name) == 0)
            return true;
    }
    return false;
}

static char *dup_key(pl dict, const char *key)
{
    const char *s = pl_get_str(dict, key);
    return s ? strdup(s) : NULL;
}

/* A device refuses a payload that breaks these; see "Structure of MDM Payloads". */
static enum outcome check_mdm(const struct mdm_setup *m, struct err *err)
{
    int64_t r = m->access_rights;
    if (!m->server_url || !m->topic || !m->profile_identifier || !m->checkin_url)
        return err_set(err, INVALID, "the MDM payload lacks ServerURL or Topic");
    if (strncmp(m->topic, "com.apple.mgmt.", 15) != 0)
        return err_set(err, INVALID, "Topic does not begin with com.apple.mgmt.");
    if (r == 0 || ((r & 2) && !(r & 1)) || ((r & 128) && !(r & 64)))
        return err_set(err, INVALID, "AccessRights %lld is not allowed", (long long)r);
    if (strncasecmp(m->server_url, "https://", 8) != 0)
        return err_set(err, INVALID, "ServerURL does not begin with https://");
    return OK;
}

/* Account-driven: the mode needs the account, and a user enrolment has rights of its own. */
static enum outcome check_mode(struct mdm_setup *m, pl payload, struct err *err)
{
    const char *mode = pl_get_str(payload, "EnrollmentMode");
    if (!mode)
        return OK;
    m->user_enrollment = strcmp(mode, "BYOD") == 0;
    if (!m->user_enrollment && strcmp(mode, "ADDE") != 0)
        return err_set(err, INVALID, "EnrollmentMode is neither BYOD nor ADDE");
    if (!pl_get_str(payload, "AssignedManagedAppleID"))
        return err_set(err, INVALID, "EnrollmentMode without AssignedManagedAppleID");
    if (m->user_enrollment && pl_get(payload, "AccessRights"))
        return err_set(err, INVALID, "a user enrolment with AccessRights");
    if (m->user_enrollment)
        m->access_rights = 1 | 2 | 16 | 64 | 128 | 256 | 512 | 1024 | 4096;
    return OK;
}

static enum outcome read_mdm(struct mobileconfig *c, pl payload, struct err *err)
{
    if (c->mdm)
        return err_set(err, INVALID, "the profile holds two MDM payloads");
    struct mdm_setup *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(err, ERROR, "out of memory");
    c->mdm = m;
    c->has_mdm = true;
    m->server_url = dup_key(payload, "ServerURL");
    m->checkin_url = dup_key(payload, "CheckInURL");
    if (!m->checkin_url && m->server_url)
        m->checkin_url = strdup(m->server_url);
    m->topic = dup_key(payload, "Topic");
    m->profile_identifier = strdup(c->identifier);
    m->profile_uuid = strdup(c->uuid);
    pl_get_int(payload, "AccessRights", &m->access_rights);
    pl_get_bool(payload, "SignMessage", &m->sign_message);
    pl_get_bool(payload, "CheckOutWhenRemoved", &m->check_out);
    m->per_user = capability(payload, "com.apple.mdm.per-user-connections");
    m->bootstrap_token = capability(payload, "com.apple.mdm.bootstraptoken");
    if (!pl_get_str(payload, "IdentityCertificateUUID"))
        return err_set(err, INVALID, "the MDM payload lacks IdentityCertificateUUID");
    enum outcome o = check_mode(m, payload, err);
    return o == OK ? check_mdm(m, err) : o;
}

/* The identity payload is the one that the MDM payload names. */
static void read_identity(struct mobileconfig *c, pl payload)
{
    const char *type = pl_get_str(payload, "PayloadType");
    if (type && strcmp(type, "com.apple.security.pkcs12") == 0) {
        pl_get_data(payload, "PayloadContent", &c->pkcs12);
        c->pkcs12_password = pl_get_str(payload, "Password");
        return;
    }
    if (!type || strcmp(type, "com.apple.security.scep") != 0)
        return;
    pl s = pl_get(payload, "PayloadContent");
    struct scep_payload *p = &c->scep;
    p->url = pl_get_str(s, "URL");
    p->name = pl_get_str(s, "Name");
    p->challenge = pl_get_str(s, "Challenge");
    p->key_type = pl_get_str(s, "Key Type");
    p->key_bits = 1024; /* the payload's documented default */
    p->retries = 3;
    p->retry_delay_s = 10;
    pl_get_int(s, "Keysize", &p->key_bits);
    pl_get_int(s, "Retries", &p->retries);
    pl_get_int(s, "RetryDelay", &p->retry_delay_s);
    p->subject = pl_get(s, "Subject");
    p->alt_name = pl_get(s, "SubjectAltName");
    pl_get_data(s, "CAFingerprint", &p->ca_fingerprint);
    c->has_scep = p->url != NULL;
}

static pl find_payload(pl content, const char *key, const char *value)
{
    for (size_t i = 0; i < pl_size(content); i++) {
        const char *s = pl_get_str(pl_at(content, i), key);
        if (s && strcasecmp(s, value) == 0)
            return pl_at(content, i);
    }
    return NULL;
}

static enum outcome read_profile(struct mobileconfig *c, struct err *err)
{
    const char *type = pl_get_str(c->root, "PayloadType");
    c->identifier = pl_get_str(c->root, "PayloadIdentifier");
    c->uuid = pl_get_str(c->root, "PayloadUUID");
    c->display_name = pl_get_str(c->root, "PayloadDisplayName");
    pl content = pl_get(c->root, "PayloadContent");
    if (!type || strcmp(type, "Configuration") != 0 || !c->identifier || !c->uuid)
        return err_set(err, INVALID,
                       "PayloadType is not Configuration, or PayloadIdentifier or PayloadUUID is "
                       "missing");
    pl mdm = find_payload(content, "PayloadType", "com.apple.mdm");
    if (!mdm) { /* of a Profile Service: the identity alone */
        pl scep = find_payload(content, "PayloadType", "com.apple.security.scep");
        if (scep)
            read_identity(c, scep);
        return OK;
    }
    enum outcome o = read_mdm(c, mdm, err);
    if (o != OK)
        return o;
    pl identity = find_payload(content, "PayloadUUID", pl_get_str(mdm, "IdentityCertificateUUID"));
    if (!identity)
        return err_set(err, INVALID, "IdentityCertificateUUID names no payload of the profile");
    read_identity(c, identity);
    if (!c->has_scep && !c->pkcs12.n)
        return err_set(err, INVALID, "the identity payload is neither SCEP nor PKCS#12");
    return OK;
}

enum outcome mobileconfig_read(struct bytes octets, struct mobileconfig *out, struct err *err)
{
    *out = (struct mobileconfig){0};
    struct arena *a = arena_new(LIM_ARENA_REQUEST);
    enum outcome o = OK;
    if (!a)
        return err_set(err, ERROR, "out of memory");
    if (octets.n > 0 && octets.p[0] == 0x30) { /* a DER SEQUENCE: signed */
        struct bytes signer, chain[16], content;
        size_t nchain = 16;
        o = cms_verify_attached(a, octets, &content, &signer, chain, &nchain, err);
        if (o != OK) {
            err_prefix(err, "profile signature");
            goto out;
        }
        out->is_signed = true;
        octets = content;
    }
    o = pl_parse(octets, &out->root, err);
    if (o == OK)
        o = read_profile(out, err);
out:
    arena_free(&a);
    if (o != OK)
        mobileconfig_free(out);
    return o;
}

void mobileconfig_free(struct mobileconfig *m)
{
    mdm_setup_free(&m->mdm);
    pl_free(&m->root);
    *m = (struct mobileconfig){0};
}

void mobileconfig_certificates(const struct mobileconfig *m,
                               void (*fn)(struct bytes der, void *arg), void *arg)
{
    static const char *const types[] = {"com.apple.security.root", "com.apple.security.pkcs1",
                                        "com.apple.security.pem"};
    pl content = pl_get(m->root, "PayloadContent");
    for (size_t i = 0; i < pl_size(content); i++) {
        const char *type = pl_get_str(pl_at(content, i), "PayloadType");
        struct bytes data;
        if (!type || !pl_get_data(pl_at(content, i), "PayloadContent", &data))
            continue;
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
            if (strcmp(type, types[t]) == 0)
                fn(data, arg);
    }
}

static void copy_key(pl from, const char *key, pl to)
{
    pl v = pl_get(from, key);
    if (v)
        pl_set(to, key, pl_copy(v));
}

static bool take_restriction(const char *key, pl value, void *arg)
{
    enum pl_type t = pl_type_of(value);
    if (strncmp(key, "Payload", 7) != 0 && (t == PL_BOOL || t == PL_INT))
        pl_set(arg, key, pl_copy(value));
    return true;
}

pl mobileconfig_summary(const struct mobileconfig *m, bool managed)
{
    static const char *const keys[] = {"PayloadIdentifier",   "PayloadUUID",
                                       "PayloadVersion",      "PayloadDisplayName",
                                       "PayloadOrganization", "PayloadDescription"};
    const size_t nkeys = sizeof keys / sizeof keys[0];
    pl out = pl_new_dict(), list = pl_new_array(), restrictions = pl_new_dict();
    bool fixed = false;
    for (size_t k = 0; k < nkeys; k++)
        copy_key(m->root, keys[k], out);
    pl_get_bool(m->root, "PayloadRemovalDisallowed", &fixed);
    pl_set_bool(out, "PayloadRemovalDisallowed", fixed);
    pl_set_bool(out, "HasRemovalPasscode", false);
    pl_set_bool(out, "IsEncrypted", false);
    pl_set_bool(out, "IsManaged", managed);
    pl content = pl_get(m->root, "PayloadContent");
    for (size_t i = 0; i < pl_size(content); i++) {
        pl payload = pl_at(content, i), item = pl_new_dict();
        const char *type = pl_get_str(payload, "PayloadType");
        copy_key(payload, "PayloadType", item);
        for (size_t k = 0; k < nkeys; k++)
            copy_key(payload, keys[k], item);
        pl_append(list, item);
        if (type && (strcmp(type, "com.apple.applicationaccess") == 0 ||
                     strcmp(type, "com.apple.mobiledevice.passwordpolicy") == 0))
            pl_each(payload, take_restriction, restrictions);
    }
    pl_set(out, "PayloadContent", list);
    pl_set(out, "Restrictions", restrictions);
    return out;
}
