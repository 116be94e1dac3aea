/*
 * enrollprofile.h: enrolment profiles as objects. Each has a name and versions: an edit never
 * changes a version, it makes the next. What a profile says stands in one table of fields, by which
 * droverctl, the HTTP API and the statements here read and write it.
 *
 * The object named "default" is made of the [enroll] section of drover.conf by `droverctl migrate`;
 * from then on the object counts and not the section.
 */
#ifndef DROVER_STORE_ENROLLPROFILE_H
#define DROVER_STORE_ENROLLPROFILE_H

#include "store/db.h"

#define ENROLLPROFILE_DEFAULT "default"
#define ENROLLPROFILE_NAME_MAX 64
#define ENROLLPROFILE_ITEMS_MAX 200
#define ENROLLPROFILE_PEM_MAX (256u * 1024u)
#define ENROLLPROFILE_NOTE_MAX 255 /* characters */
#define ENROLLPROFILE_RIGHTS_ALL 8191
/* Labels of its secrets; the owner is the object's id. */
#define ENROLLPROFILE_CHALLENGE_PURPOSE "ScepChallenge"
#define ENROLLPROFILE_REMOVAL_PURPOSE "RemovalPassword"

enum enroll_identity {
    ENROLL_IDENTITY_SCEP = 1, /* Drover's SCEP server, a one-time challenge */
    ENROLL_IDENTITY_STATIC,   /* Drover's SCEP server, the challenge of [scep] challenge_file */
    ENROLL_IDENTITY_PKCS12,   /* key and certificate made by the signer */
    ENROLL_IDENTITY_EXTERNAL  /* another SCEP server */
};
/* What a device that comes by the configuration URL is asked for. */
enum enroll_login {
    ENROLL_LOGIN_NONE = 1,
    ENROLL_LOGIN_DIGEST, /* a password of droverctl users, by HTTP Digest */
    ENROLL_LOGIN_WEB     /* a login by web page (configuration_web_url) */
};
enum enroll_removal {
    ENROLL_REMOVAL_ALLOWED = 1,
    ENROLL_REMOVAL_DISALLOWED,
    ENROLL_REMOVAL_PASSWORD
};

/* Names, in the order of the list. */
struct enroll_names {
    const char *const *name;
    size_t n;
};

/* What one version says. Strings are never NULL; "" is what the field's comment in
 * sql/schema says. */
struct enroll_content {
    const char *organization, *title, *description, *consent;
    const char *topic, *server_url, *checkin_url;
    const char *server_capabilities; /* space-separated */
    const char *certificates;        /* PEM */
    const char *key_type;            /* "RSA", "EC" */
    const char *scep_url, *scep_name, *scep_subject, *scep_fingerprint;
    const char *login_text, *minimum_ios, *minimum_macos;
    int64_t access_rights, identity, key_size, removal, login;
    int64_t sign_message, check_out_when_removed, use_development_apns, web; /* 0 or 1 */
    int64_t encrypt, assigned_only;
    struct bytes scep_challenge, removal_password; /* sealed; empty: none */
    /* Secrets as they were given, to be sealed by enrollprofile_save(); NULL: they stay. */
    const char *new_scep_challenge, *new_removal_password;
    struct enroll_names profiles, apps; /* of the library, for whoever enrols with it */
};

struct enrollprofile {
    int64_t id; /* 0: not stored, as configured */
    const char *name;
    int64_t version; /* this one; 0: as configured */
    int64_t current; /* the version in force */
    int64_t created_at, made_at;
    const char *created_by, *made_by, *note;
    struct enroll_content c;
};

/* ---- fields (enrollfield.c) ---- */

enum enroll_field_type {
    ENROLL_TEXT,
    ENROLL_WORDS, /* a text of words with blanks between them */
    ENROLL_INT,
    ENROLL_BOOL,
    ENROLL_WORD, /* one of some */
    ENROLL_SECRET,
    ENROLL_LIST
};
struct enroll_field {
    const char *name;
    enum enroll_field_type type;
    size_t at;                /* in struct enroll_content */
    size_t max;               /* octets of a text or secret */
    const char *const *words; /* of ENROLL_WORD, for 1, 2, ...; ended by NULL */
    const char *about;        /* for help */
};
extern const struct enroll_field enroll_fields[];
extern const size_t enroll_fields_n;
/* By name; NULL: none. */
const struct enroll_field *enroll_field_find(const char *name);
/* Sets a field from text: numbers in decimal, yes or no (true or false) for a BOOL, one of its
 * words, names separated by commas. INVALID says what it takes. Copies into a. */
enum outcome enroll_field_set(const struct enroll_field *f, struct arena *a,
                              struct enroll_content *c, const char *text, struct err *err) MUST_USE;
/* Sets a list; the names are copied. INVALID: too many, or one twice. */
enum outcome enroll_field_set_list(const struct enroll_field *f, struct arena *a,
                                   struct enroll_content *c, const char *const *name, size_t n,
                                   struct err *err) MUST_USE;
const char *enroll_field_text(const struct enroll_field *f, const struct enroll_content *c);
int64_t enroll_field_int(const struct enroll_field *f, const struct enroll_content *c);
const struct enroll_names *enroll_field_list(const struct enroll_field *f,
                                             const struct enroll_content *c);
/* Is there a secret, stored or about to be? */
bool enroll_field_secret(const struct enroll_field *f, const struct enroll_content *c);
/* The word of an ENROLL_WORD, "" for none. */
const char *enroll_field_word(const struct enroll_field *f, const struct enroll_content *c);
/* Does it hold together? INVALID names the field and what is wrong: access rights that break the
 * rules of "Structure of MDM Payloads", a topic without com.apple.mgmt., an address that is no
 * https URL, a certificate that is none, an external SCEP server without its URL, ... */
enum outcome enroll_content_check(const struct enroll_content *c, struct arena *a,
                                  struct err *err) MUST_USE;
/* As the [enroll] section says; the certificates are read from their file. ERROR: that cannot be.
 */
enum outcome enroll_content_of_conf(const struct conf *conf, struct arena *a,
                                    struct enroll_content *out, struct err *err) MUST_USE;

/* ---- objects ---- */

/* One in force, by name or by id; in a. For "default", when it is not stored yet, what is
 * configured (id and version 0). NOT_FOUND. */
enum outcome enrollprofile_find(struct db *db, const struct conf *conf, const char *name,
                                struct arena *a, struct enrollprofile *out,
                                struct err *err) MUST_USE;
enum outcome enrollprofile_get(struct db *db, int64_t id, struct arena *a,
                               struct enrollprofile *out, struct err *err) MUST_USE;
/* A version of one. NOT_FOUND. */
enum outcome enrollprofile_version(struct db *db, const char *name, int64_t version,
                                   struct arena *a, struct enrollprofile *out,
                                   struct err *err) MUST_USE;
/* All in force, by name, at most LIM_PAGE; without lists, certificates and secrets. */
enum outcome enrollprofile_list(struct db *db, struct arena *a, struct enrollprofile **out,
                                size_t *n, struct err *err) MUST_USE;
/* The versions of one, the latest first, at most LIM_PAGE; as in the list. NOT_FOUND. */
enum outcome enrollprofile_history(struct db *db, const char *name, struct arena *a,
                                   struct enrollprofile **out, size_t *n, struct err *err) MUST_USE;

/* A change of one object. */
struct enrollprofile_change {
    const char *name;
    const struct enroll_content *c;
    int64_t expected; /* the version it was made from; 0: whatever is there */
    const char *by;   /* audit actor */
    const char *note; /* "" for none */
};
/* Makes an object with version 1. CONFLICT: the name is taken. INVALID: a bad name or content.
 * Audited (enrollprofile.new). */
enum outcome enrollprofile_new(struct db *db, const struct conf *conf,
                               const struct enrollprofile_change *x, struct err *err) MUST_USE;
/* Makes the next version. CONFLICT: it is no longer the expected one, or profiles that are
 * installed on enrolled devices would get another Topic, ServerURL, CheckInURL, other AccessRights
 * or per-user connections, which a device refuses: err says which and how many. NOT_FOUND,
 * INVALID. *version, which may be NULL, is the one that was made. Audited (enrollprofile.edit). */
enum outcome enrollprofile_save(struct db *db, const struct conf *conf,
                                const struct enrollprofile_change *x, int64_t *version,
                                struct err *err) MUST_USE;
/* Takes an object away. CONFLICT: enrolled devices have it, open invitations give it, or it is the
 * default. NOT_FOUND. Its versions stay for the record. Audited (enrollprofile.remove). */
enum outcome enrollprofile_remove(struct db *db, const char *name, const char *by,
                                  struct err *err) MUST_USE;
/* Makes the default object as configured, if there is none. *made tells. */
enum outcome enrollprofile_default(struct db *db, const struct conf *conf, const char *by,
                                   bool *made, struct err *err) MUST_USE;
/* The topic of a content: its own, [enroll] topic, or that of the only push certificate.
 * NOT_FOUND, CONFLICT: as pushcert_sole_topic(). */
enum outcome enroll_content_topic(struct db *db, const struct conf *conf,
                                  const struct enroll_content *c, struct arena *a,
                                  const char **topic, struct err *err) MUST_USE;

#endif
