/*
 * payload.c: see payload.h. com.apple.mdm, com.apple.security.scep, .pkcs12, .root and .pkcs1 and
 * com.apple.profileRemovalPassword of Apple's device management schema; "Structure of MDM Payloads"
 * of the MDM protocol reference.
 */
#include "enrollment/payload.h"

#include "wire/encode.h"
#include "wire/x509.h"

#define SCEP_KEY_USAGE 5 /* "Key Usage": 1 signing, 4 encryption */

pl payload_new(struct arena *a, const char *type, const char *base, const char *name,
               const char *title, char uuid_out[UUID_LEN + 1])
{
    char uuid[UUID_LEN + 1];
    pl d = pl_new_dict();
    uuid_v4(uuid);
    pl_set_str(d, "PayloadType", type);
    pl_set_int(d, "PayloadVersion", 1);
    pl_set_str(d, "PayloadIdentifier", arena_fmt(a, "%s%s%s", base, name[0] ? "." : "", name));
    pl_set_str(d, "PayloadUUID", uuid);
    pl_set_str(d, "PayloadDisplayName", title);
    if (uuid_out)
        memcpy(uuid_out, uuid, sizeof uuid);
    return d;
}

enum outcome payload_add_certificate(pl content, struct arena *a, const char *base,
                                     struct bytes der, struct err *err)
{
    struct cert_info info;
    char sum[SHA256_HEX_LEN + 1];
    enum outcome o = cert_info_read(a, der, &info, err);
    if (o != OK)
        return o;
    bool root = info.is_ca && strcmp(info.subject, info.issuer) == 0;
    hex_encode(bytes_of(info.sha256, CERT_SHA256_LEN), sum);
    pl d = payload_new(a, root ? "com.apple.security.root" : "com.apple.security.pkcs1", base,
                       arena_fmt(a, "certificate.%.16s", sum),
                       info.common_name[0] ? info.common_name : info.subject, NULL);
    pl_set_str(d, "PayloadCertificateFileName", arena_fmt(a, "%.16s.cer", sum));
    pl_set_data(d, "PayloadContent", der);
    pl_append(content, d);
    return OK;
}

/* ---- the identity ---- */

static void name_part(pl subject, const char *type, const char *value)
{
    pl pair = pl_new_array(), set = pl_new_array();
    pl_append(pair, pl_new_str(type));
    pl_append(pair, pl_new_str(value));
    pl_append(set, pair);
    pl_append(subject, set);
}

/* s with each %UUID% replaced. */
static const char *filled(struct arena *a, const char *s, size_t n, const char *uuid)
{
    const char *mark = "%UUID%", *text = arena_strndup(a, s, n), *at;
    while (text && (at = strstr(text, mark)))
        text = arena_fmt(a, "%.*s%s%s", (int)(at - text), text, uuid, at + strlen(mark));
    return text ? text : "";
}

/* "/O=Example/CN=Device %UUID%" as X.500 name. A part without "=" belongs to the value before. */
static pl subject_of(struct arena *a, const struct profile *p, const char *uuid)
{
    pl subject = pl_new_array();
    if (!p->scep_subject[0]) {
        name_part(subject, "O", p->organization);
        name_part(subject, "CN", arena_fmt(a, "Device %s", uuid));
        return subject;
    }
    for (const char *s = p->scep_subject + 1; *s;) {
        const char *end = s + strcspn(s, "/");
        while (*end && !memchr(end + 1, '=', strcspn(end + 1, "/")))
            end += 1 + strcspn(end + 1, "/");
        size_t type = strcspn(s, "=");
        if (type < (size_t)(end - s))
            name_part(subject, filled(a, s, type, uuid),
                      filled(a, s + type + 1, (size_t)(end - s) - type - 1, uuid));
        s = *end ? end + 1 : end;
    }
    return subject;
}

static void set_fingerprint(pl c, struct arena *a, const struct profile *p)
{
    uint8_t sum[SHA1_LEN]; /* devices take SHA-1 or MD5 here */
    struct bytes given;
    if (p->identity != ENROLL_IDENTITY_EXTERNAL) {
        sha1(p->certs[0], sum);
        pl_set_data(c, "CAFingerprint", bytes_of(sum, sizeof sum));
    } else if (p->scep_fingerprint[0] && hex_decode(a, p->scep_fingerprint, &given) == OK) {
        pl_set_data(c, "CAFingerprint", given);
    }
}

static void add_scep(pl content, struct arena *a, const struct profile *p, const char *challenge,
                     char uuid[UUID_LEN + 1])
{
    pl d = payload_new(a, "com.apple.security.scep", p->identifier, "identity", "Device identity",
                       uuid);
    pl c = pl_new_dict();
    pl_set_str(c, "URL", p->scep_url);
    if (p->scep_name[0])
        pl_set_str(c, "Name", p->scep_name);
    pl_set(c, "Subject", subject_of(a, p, uuid));
    if (challenge[0])
        pl_set_str(c, "Challenge", challenge);
    pl_set_int(c, "Keysize", p->key_size);
    pl_set_str(c, "Key Type", "RSA");
    pl_set_int(c, "Key Usage", SCEP_KEY_USAGE);
    set_fingerprint(c, a, p);
    pl_set_int(c, "Retries", 3);
    pl_set_int(c, "RetryDelay", 10);
    pl_set_bool(c, "KeyIsExtractable", false);
    pl_set_bool(c, "AllowAllAppsAccess", false);
    pl_set(d, "PayloadContent", c);
    pl_append(content, d);
}

static void add_pkcs12(pl content, struct arena *a, const struct profile *p,
                       const struct profile_secrets *s, char uuid[UUID_LEN + 1])
{
    pl d = payload_new(a, "com.apple.security.pkcs12", p->identifier, "identity", "Device identity",
                       uuid);
    pl_set_str(d, "PayloadCertificateFileName", "identity.p12");
    pl_set_data(d, "PayloadContent", s->pkcs12);
    pl_set_str(d, "Password", s->pkcs12_password);
    pl_set_bool(d, "KeyIsExtractable", false);
    pl_set_bool(d, "AllowAllAppsAccess", false);
    pl_append(content, d);
}

enum outcome payload_add_identity(pl content, struct arena *a, const struct profile *p,
                                  const struct profile_secrets *s, char uuid[UUID_LEN + 1],
                                  struct err *err)
{
    if (s->pkcs12.n)
        add_pkcs12(content, a, p, s, uuid);
    else if (p->scep_url[0])
        add_scep(content, a, p, s->challenge, uuid);
    else
        return err_set(err, ERROR, "the profile has neither a PKCS#12 nor a SCEP address");
    return OK;
}

/* ---- the others ---- */

void payload_add_mdm(pl content, struct arena *a, const struct profile *p,
                     const char *identity_uuid)
{
    pl d = payload_new(a, "com.apple.mdm", p->identifier, "mdm", "Device management", NULL);
    pl capabilities = pl_new_array();
    for (const char *s = p->server_capabilities; *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        if (n)
            pl_append(capabilities, pl_new_str(arena_strndup(a, s, n)));
        s += n;
    }
    pl_set_str(d, "IdentityCertificateUUID", identity_uuid);
    pl_set_str(d, "Topic", p->topic);
    pl_set_str(d, "ServerURL", p->server_url);
    pl_set_str(d, "CheckInURL", p->checkin_url);
    pl_set_bool(d, "SignMessage", p->sign_message);
    pl_set_bool(d, "CheckOutWhenRemoved", p->check_out_when_removed);
    /* a user enrolment has rights of its own, and is refused by the device when it asks for some */
    if (!p->enrollment_mode || strcmp(p->enrollment_mode, "BYOD") != 0)
        pl_set_int(d, "AccessRights", p->access_rights);
    pl_set_bool(d, "UseDevelopmentAPNS", p->use_development_apns);
    pl_set(d, "ServerCapabilities", capabilities);
    if (p->managed_account)
        pl_set_str(d, "AssignedManagedAppleID", p->managed_account);
    if (p->enrollment_mode)
        pl_set_str(d, "EnrollmentMode", p->enrollment_mode);
    pl_append(content, d);
}

void payload_add_removal(pl content, struct arena *a, const char *base, const char *password)
{
    pl d = payload_new(a, "com.apple.profileRemovalPassword", base, "removal", "Removal password",
                       NULL);
    pl_set_str(d, "RemovalPassword", password);
    pl_append(content, d);
}
