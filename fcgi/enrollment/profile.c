/*
 * profile.c: builds the enrolment profile. Payloads and keys: "Structure of MDM Payloads" of the
 * MDM protocol reference; com.apple.mdm, com.apple.security.scep, .root and .pkcs1 of Apple's
 * device management schema.
 */
#include "enrollment/profile.h"

#include <stdio.h>
#include "base/uuid.h"
#include "wire/encode.h"
#include "wire/plist.h"
#include "wire/x509.h"

#define TOPIC_PREFIX "com.apple.mgmt."
#define RIGHTS_ALL 8191
#define IDENTIFIER_MAX 200

/* SCEP payload: "Key Usage" is 1 (signing) and 4 (encryption) */
#define SCEP_KEY_BITS 2048
#define SCEP_KEY_USAGE 5

static enum outcome check(const struct profile *p, struct err *err)
{
    int64_t r = p->access_rights;
    if (strncmp(p->device_url, "https://", 8) != 0 || !p->device_url[8])
        return err_set(err, INVALID, "[server] device_url is no https URL: devices take no other");
    if (strncmp(p->topic, TOPIC_PREFIX, strlen(TOPIC_PREFIX)) != 0)
        return err_set(err, INVALID, "the topic \"%s\" does not begin with " TOPIC_PREFIX,
                       p->topic);
    if (r <= 0 || r > RIGHTS_ALL || ((r & 2) && !(r & 1)) || ((r & 128) && !(r & 64)))
        return err_set(err, INVALID, "access rights %lld are not allowed", (long long)r);
    return OK;
}

/* "https://mdm.example.org:8443" to "org.example.mdm.drover": the same for every profile of this
 * server, so that a new one replaces the old. */
const char *profile_identifier(struct arena *a, const char *url)
{
    char out[IDENTIFIER_MAX];
    size_t at = 0;
    const char *host = url + strlen("https://");
    const char *end = host + strcspn(host, ":/");
    while (end > host && at + (size_t)(end - host) + 8 < sizeof out) {
        const char *label = end;
        while (label > host && label[-1] != '.')
            label--;
        at += (size_t)snprintf(out + at, sizeof out - at, "%.*s.", (int)(end - label), label);
        end = label > host ? label - 1 : host;
    }
    return arena_fmt(a, "%.*sdrover", (int)at, out);
}

/* A payload with the keys that all have. uuid goes out when it is not NULL. */
static pl payload_new(struct arena *a, const char *type, const char *base, const char *name,
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

/* A certificate the device shall trust (a root) or know (an intermediate). */
static enum outcome add_cert(pl content, struct arena *a, const char *base, struct bytes der,
                             struct err *err)
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

static pl name_part(const char *type, const char *value)
{
    pl pair = pl_new_array(), set = pl_new_array();
    pl_append(pair, pl_new_str(type));
    pl_append(pair, pl_new_str(value));
    pl_append(set, pair);
    return set;
}

static void add_scep(pl content, struct arena *a, const char *base, const struct profile *p,
                     char uuid[UUID_LEN + 1])
{
    uint8_t sum[SHA1_LEN]; /* devices take SHA-1 or MD5 here */
    pl d = payload_new(a, "com.apple.security.scep", base, "identity", "Device identity", uuid);
    pl c = pl_new_dict(), subject = pl_new_array();
    sha1(p->ca_der, sum);
    pl_append(subject, name_part("O", p->organization[0] ? p->organization : "Drover"));
    pl_append(subject, name_part("CN", arena_fmt(a, "Device %s", uuid)));
    pl_set_str(c, "URL", arena_fmt(a, "%s/scep", p->device_url));
    pl_set_str(c, "Name", "Drover");
    pl_set(c, "Subject", subject);
    pl_set_str(c, "Challenge", p->challenge);
    pl_set_int(c, "Keysize", SCEP_KEY_BITS);
    pl_set_str(c, "Key Type", "RSA");
    pl_set_int(c, "Key Usage", SCEP_KEY_USAGE);
    pl_set_data(c, "CAFingerprint", bytes_of(sum, sizeof sum));
    pl_set_int(c, "Retries", 3);
    pl_set_int(c, "RetryDelay", 10);
    pl_set_bool(c, "KeyIsExtractable", false);
    pl_set_bool(c, "AllowAllAppsAccess", false);
    pl_set(d, "PayloadContent", c);
    pl_append(content, d);
}

static void add_mdm(pl content, struct arena *a, const char *base, const struct profile *p,
                    const char *identity_uuid)
{
    pl d = payload_new(a, "com.apple.mdm", base, "mdm", "Device management", NULL);
    pl capabilities = pl_new_array();
    pl_append(capabilities, pl_new_str("com.apple.mdm.per-user-connections"));
    pl_append(capabilities, pl_new_str("com.apple.mdm.bootstraptoken"));
    pl_set_str(d, "IdentityCertificateUUID", identity_uuid);
    pl_set_str(d, "Topic", p->topic);
    pl_set_str(d, "ServerURL", arena_fmt(a, "%s/mdm/connect", p->device_url));
    pl_set_str(d, "CheckInURL", arena_fmt(a, "%s/mdm/checkin", p->device_url));
    pl_set_bool(d, "SignMessage", p->sign_message);
    pl_set_bool(d, "CheckOutWhenRemoved", true);
    pl_set_int(d, "AccessRights", p->access_rights);
    pl_set_bool(d, "UseDevelopmentAPNS", false);
    pl_set(d, "ServerCapabilities", capabilities);
    pl_append(content, d);
}

enum outcome profile_build(const struct profile *p, struct arena *a, struct buf *xml,
                           struct err *err)
{
    char uuid[UUID_LEN + 1];
    enum outcome o = check(p, err);
    if (o != OK)
        return o;
    const char *base = profile_identifier(a, p->device_url);
    const char *org = p->organization[0] ? p->organization : "Drover";
    if (!base)
        return err_set(err, ERROR, "out of memory");
    pl root = payload_new(a, "Configuration", base, "", "Device management", NULL);
    pl content = pl_new_array();
    pl_set_str(root, "PayloadOrganization", org);
    pl_set_str(root, "PayloadDescription", arena_fmt(a, "Lets %s manage this device.", org));
    pl_set_str(root, "PayloadScope", "System");
    pl_set(root, "PayloadContent", content);
    o = add_cert(content, a, base, p->ca_der, err);
    for (size_t i = 0; o == OK && i < p->ncerts; i++)
        if (!bytes_equal(p->certs[i], p->ca_der)) /* one identifier twice is refused by devices */
            o = add_cert(content, a, base, p->certs[i], err);
    if (o == OK) {
        add_scep(content, a, base, p, uuid);
        add_mdm(content, a, base, p, uuid);
        o = pl_to_xml(root, xml);
        if (o != OK)
            err_set(err, o, "the profile cannot be written");
    }
    pl_free(&root);
    return o;
}
