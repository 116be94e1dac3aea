/* profile.h: enrolment by profile: a link gives a .mobileconfig that makes a device ours. */
#ifndef DROVER_ENROLLMENT_PROFILE_H
#define DROVER_ENROLLMENT_PROFILE_H

#include "http/app.h"
#include "store/db.h"

#define PROFILE_CERTS_MAX 16

/* What an enrolment profile is made of. Strings are UTF-8. */
struct profile {
    const char *device_url; /* https base of the device host */
    const char *organization;
    const char *topic;     /* com.apple.mgmt.* */
    const char *challenge; /* of SCEP */
    int64_t access_rights;
    bool sign_message;
    struct bytes ca_der;                   /* the device CA */
    struct bytes certs[PROFILE_CERTS_MAX]; /* further roots and intermediates, DER */
    size_t ncerts;
};
/* Everything but the challenge, from the configuration and the signer. topic: the one to keep;
 * NULL: the configured one, or that of the only push certificate. UNAVAILABLE: there is none. */
enum outcome profile_of_site(const struct conf *conf, struct db *db, struct arena *a,
                             const char *topic, struct profile *p, struct err *err) MUST_USE;
/* Adds the property list, unsigned. INVALID: device_url is no https URL, topic does not begin with
 * "com.apple.mgmt.", or access_rights breaks the rules of "Structure of MDM Payloads" (not zero, 2
 * needs 1, 128 needs 64, nothing above 8191). a: for names and scratch. */
enum outcome profile_build(const struct profile *p, struct arena *a, struct buf *xml,
                           struct err *err) MUST_USE;

/* The top-level PayloadIdentifier of every enrolment profile of the server at this https URL. NULL:
 * out of memory. */
const char *profile_identifier(struct arena *a, const char *url);

/* GET /enroll/TOKEN: the profile, signed, for the holder of an invitation; GET /enroll: for anybody
 * when [enroll] open is set. 404: no such invitation; 410: expired or used up; 503: something that
 * is needed is away, and the invitation is not used up. */
handler_fn enroll_handle;

#endif
