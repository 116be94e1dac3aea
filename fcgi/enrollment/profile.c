/*
 * profile.c: builds the enrolment profile: "Structure of MDM Payloads" and "Initial Profiles Should
 * Contain Only The Basics" of the MDM protocol reference; TopLevel of Apple's device management
 * schema. Certificates, an identity, the MDM payload, and nothing else but what guards its removal.
 */
#include "enrollment/payload.h"

#include <stdio.h>

#include "wire/cms.h"

#define TOPIC_PREFIX "com.apple.mgmt."

static enum outcome check(const struct profile *p, struct err *err)
{
    int64_t r = p->access_rights;
    const char *const urls[] = {p->server_url, p->checkin_url};
    for (int i = 0; i < 2; i++)
        if (strncmp(urls[i], "https://", 8) != 0 || strchr("/", urls[i][8]))
            return err_set(err, INVALID,
                           "[server] device_url, or the profile's server_url, is no https URL: "
                           "devices take no other");
    if (strncmp(p->topic, TOPIC_PREFIX, strlen(TOPIC_PREFIX)) != 0)
        return err_set(err, INVALID, "the topic \"%s\" does not begin with " TOPIC_PREFIX,
                       p->topic);
    if (r <= 0 || r > ENROLLPROFILE_RIGHTS_ALL || ((r & 2) && !(r & 1)) || ((r & 128) && !(r & 64)))
        return err_set(err, INVALID, "access rights %lld are not allowed", (long long)r);
    return OK;
}

static enum outcome add_certificates(pl content, struct arena *a, const struct profile *p,
                                     struct err *err)
{
    enum outcome o = OK;
    for (size_t i = 0; o == OK && i < p->ncerts; i++) {
        bool twice = false; /* devices refuse one identifier twice */
        for (size_t k = 0; k < i; k++)
            twice |= bytes_equal(p->certs[k], p->certs[i]);
        if (!twice)
            o = payload_add_certificate(content, a, p->identifier, p->certs[i], err);
    }
    return o;
}

static void set_top(pl root, struct arena *a, const struct profile *p)
{
    pl_set_str(root, "PayloadOrganization", p->organization);
    pl_set_str(root, "PayloadDescription",
               p->description[0] ? p->description
                                 : arena_fmt(a, "Lets %s manage this device.", p->organization));
    pl_set_str(root, "PayloadScope", "System");
    if (p->consent[0]) {
        pl consent = pl_new_dict();
        pl_set_str(consent, "default", p->consent);
        pl_set(root, "ConsentText", consent);
    }
    if (p->removal != ENROLL_REMOVAL_ALLOWED)
        pl_set_bool(root, "PayloadRemovalDisallowed", true);
    if (p->removal == ENROLL_REMOVAL_PASSWORD)
        pl_set_bool(root, "HasRemovalPasscode", true);
}

enum outcome profile_build(const struct profile *p, const struct profile_secrets *s,
                           struct bytes recipient, struct arena *a, struct buf *xml,
                           struct err *err)
{
    char uuid[UUID_LEN + 1];
    enum outcome o = check(p, err);
    if (o != OK)
        return o;
    pl root = payload_new(a, "Configuration", p->identifier, "",
                          p->title[0] ? p->title : "Device management", NULL);
    pl content = pl_new_array();
    set_top(root, a, p);
    pl_set(root, "PayloadContent", content);
    o = add_certificates(content, a, p, err);
    if (o == OK)
        o = payload_add_identity(content, a, p, s, uuid, err);
    if (o == OK) {
        payload_add_mdm(content, a, p, uuid);
        if (p->removal == ENROLL_REMOVAL_PASSWORD)
            payload_add_removal(content, a, p->identifier, s->removal_password);
        if (recipient.n)
            o = profile_encrypt(root, recipient, err);
    }
    if (o == OK && pl_to_xml(root, xml) != OK)
        o = err_set(err, ERROR, "the profile cannot be written");
    pl_free(&root);
    return o;
}

enum outcome profile_encrypt(pl root, struct bytes recipient, struct err *err)
{
    struct buf inner = BUF_INIT(PROFILE_MAX), sealed = BUF_INIT(PROFILE_MAX);
    pl content = pl_get(root, "PayloadContent");
    enum outcome o = content ? pl_to_xml(content, &inner) : INVALID;
    if (o != OK)
        err_set(err, o, "the payloads cannot be written");
    if (o == OK)
        o = cms_encrypt(buf_bytes(&inner), recipient, &sealed, err);
    if (o == OK) {
        pl_remove(root, "PayloadContent");
        pl_set_bool(root, "IsEncrypted", true);
        pl_set_data(root, "EncryptedPayloadContent", buf_bytes(&sealed));
    }
    buf_wipe(&inner);
    buf_free(&sealed);
    return o;
}
