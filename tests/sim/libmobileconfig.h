/*
 * libmobileconfig.h: reads a configuration profile as a device does when it installs one: takes it
 * out of its signature, finds the certificate, SCEP and MDM payloads.
 */
#ifndef DROVER_SIM_LIBMOBILECONFIG_H
#define DROVER_SIM_LIBMOBILECONFIG_H

#include "wire/plist.h"

/* What the MDM payload says; malloc'ed strings, freed by mdm_setup_free. */
struct mdm_setup {
    char *server_url, *checkin_url; /* the latter is the former when the payload has none */
    char *topic;
    char *profile_identifier;
    char *profile_uuid;
    int64_t access_rights;
    bool sign_message, check_out, per_user, bootstrap_token;
    bool user_enrollment; /* EnrollmentMode BYOD */
};
void mdm_setup_free(struct mdm_setup **m);

struct scep_payload {
    const char *url, *name, *challenge, *key_type;
    int64_t key_bits;
    pl subject;  /* array of arrays of [attribute, value] pairs, or NULL */
    pl alt_name; /* SubjectAltName dictionary, or NULL */
    struct bytes ca_fingerprint;
    int64_t retries, retry_delay_s;
};

struct mobileconfig {
    pl root; /* everything below points into it */
    bool is_signed;
    const char *identifier, *uuid, *display_name;
    bool has_mdm, has_scep;
    struct scep_payload scep;
    struct bytes pkcs12; /* an identity in the profile instead of SCEP */
    const char *pkcs12_password;
    struct mdm_setup *mdm; /* taken over by whoever sets it to NULL */
};

/* Reads octets that may be a CMS message around the profile or the profile itself. INVALID says
 * what is wrong with it: no profile, a bad signature, a payload without a mandatory key, access
 * rights that break their rules. */
enum outcome mobileconfig_read(struct bytes octets, struct mobileconfig *out,
                               struct err *err) MUST_USE;
void mobileconfig_free(struct mobileconfig *m);
/* Calls fn for each certificate payload (root, intermediate or other) as DER. */
void mobileconfig_certificates(const struct mobileconfig *m,
                               void (*fn)(struct bytes der, void *arg), void *arg);
/* A new dictionary with what ProfileList tells of a profile, and "Restrictions" with the merged
 * restriction and passcode payloads; keys as in Apple's description of ProfileList. */
pl mobileconfig_summary(const struct mobileconfig *m, bool managed);

#endif
