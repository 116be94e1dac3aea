/*
 * profile.h: the enrolment profile: what makes a device ours. profile_load() takes an object
 * (store/enrollprofile.h), profile_hand_out() makes the profile for one device: every way in, and
 * the renewal, goes through these two.
 */
#ifndef DROVER_ENROLLMENT_PROFILE_H
#define DROVER_ENROLLMENT_PROFILE_H

#include "http/app.h"
#include "store/enrollprofile.h"
#include "store/handout.h"
#include "wire/plist.h"

#define PROFILE_CERTS_MAX 17 /* the device CA and 16 more */
#define PROFILE_TYPE "application/x-apple-aspen-config"
#define PROFILE_MAX (512u * 1024u) /* octets of one that was given out */

/* An enrolment profile before it is given out. Strings are UTF-8 and never NULL unless said. */
struct profile {
    int64_t id, version; /* of the object; 0: as configured */
    bool web;            /* people may fetch it from the web page */
    /* what the configuration URL asks for */
    int64_t login; /* enum enroll_login */
    const char *login_text, *minimum_ios, *minimum_macos;
    bool encrypt, assigned_only;
    /* the profile */
    const char *identifier; /* its PayloadIdentifier: the same for all of this server */
    const char *organization, *title, *description, *consent;
    int64_t removal;                       /* enum enroll_removal */
    struct bytes removal_password;         /* sealed; empty: none */
    struct bytes certs[PROFILE_CERTS_MAX]; /* DER; the device CA is the first */
    size_t ncerts;
    /* the MDM payload */
    const char *topic, *server_url, *checkin_url;
    const char *server_capabilities; /* space-separated */
    int64_t access_rights;
    bool sign_message, check_out_when_removed, use_development_apns;
    const char *managed_account, *enrollment_mode; /* account-driven; NULL: not in it */
    /* the identity payload */
    int64_t identity; /* enum enroll_identity */
    const char *key_type;
    int64_t key_size;
    int64_t least_key_size; /* with Drover's own SCEP, which certifies no shorter one */
    const char *scep_url, *scep_name, *scep_subject, *scep_fingerprint;
    struct bytes scep_challenge; /* sealed; empty: none */
};

/* What goes into the profile of one device: made by profile_hand_out(). */
struct profile_secrets {
    const char *challenge;        /* of SCEP */
    struct bytes pkcs12;          /* instead of SCEP */
    const char *pkcs12_password;  /* "" unless pkcs12 */
    const char *removal_password; /* "" for none */
};

/* An object by name (NULL or "": the default one), or by id, ready to be given out, from the
 * database, the configuration and the signer. NOT_FOUND: no such object; UNAVAILABLE: there is no
 * topic, or more than one to choose from; the signer or the database is away. Strings in a. */
enum outcome profile_load(const struct conf *conf, struct db *db, struct arena *a, const char *name,
                          struct profile *p, struct err *err) MUST_USE;
enum outcome profile_load_id(const struct conf *conf, struct db *db, struct arena *a, int64_t id,
                             struct profile *p, struct err *err) MUST_USE;
/* Makes p what a renewed profile may be: Topic, ServerURL, CheckInURL, AccessRights and the rest
 * that a device refuses to see changed are those of h. */
void profile_keep(struct profile *p, const struct handout *h);

/* Adds the property list, unsigned. With recipient (a DER certificate; empty: nobody's) its
 * payloads are encrypted to that. INVALID: an address is no https URL, topic does not begin with
 * "com.apple.mgmt.", or access_rights breaks the rules of "Structure of MDM Payloads" (not zero, 2
 * needs 1, 128 needs 64, nothing above 8191). a: for names and scratch. */
enum outcome profile_build(const struct profile *p, const struct profile_secrets *s,
                           struct bytes recipient, struct arena *a, struct buf *xml,
                           struct err *err) MUST_USE;
/* Encrypts a profile's payloads: PayloadContent of root goes as a property list of its own into
 * CMS EnvelopedData for the holder of the certificate, which becomes EncryptedPayloadContent, and
 * IsEncrypted says so (Apple, "Configuration Profile Reference"). Sign afterwards. INVALID: nothing
 * can be encrypted to this certificate (a key that only signs). */
enum outcome profile_encrypt(pl root, struct bytes recipient, struct err *err) MUST_USE;

/* One profile given out: to whom, and how. */
struct profile_order {
    enum handout_way way;
    enum account_kind account_kind; /* who asked; ACCOUNT_NONE: nobody logged in */
    const char *account;            /* NULL then */
    int64_t invitation_id;          /* 0: none */
    const char *address;            /* where it is sent; NULL: not known */
    const char *note;               /* of the challenge, for people */
    int64_t device_id;              /* the device whose identity it renews; 0: none */
    int64_t keep_us;                /* how long the identity's challenge works */
    struct bytes recipient;         /* encrypted to this certificate; empty: not */
    const char *udid, *serial;      /* what the device signed for; NULL: nothing. Authenticate is
                                     * held against them */
};
/* Makes the identity's challenge, or the identity; writes the handout; builds, encrypts, signs.
 * Inside the caller's unit of work, so that a signer that is away costs nobody a use of a link: run
 * again, it does the same with other secrets. *der is in a. ERROR: the object or the configuration
 * makes no sound profile; UNAVAILABLE: the signer or the database is away. */
enum outcome profile_hand_out(const struct conf *conf, struct db *db, const struct profile *p,
                              const struct profile_order *order, struct arena *a, struct bytes *der,
                              struct err *err) MUST_USE;

/* The invitation's token that stands behind prefix in the path; NULL in *token: there is none, and
 * [enroll] open lets anybody in. NOT_FOUND: no such token can be, or nobody is let in. */
enum outcome enroll_token(const struct conf *conf, const struct req *req, const char *prefix,
                          const char **token, struct err *err) MUST_USE;
/* Answers somebody who came with a link: the profile to install, or 404, 410, 503. */
void enroll_answer(struct resp *resp, enum outcome o, struct bytes der, const char *filename,
                   const struct err *err);

#endif
