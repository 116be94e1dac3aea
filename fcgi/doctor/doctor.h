/*
 * doctor.h: looks at what an installation needs, and says how to mend it. `droverctl doctor` makes
 * every check; the console makes those that its account can, and the agent, which alone opens
 * connections to the outside, those of the network. A check needs what its comment says and asks
 * for no right that its caller does not have anyway.
 */
#ifndef DROVER_DOCTOR_DOCTOR_H
#define DROVER_DOCTOR_DOCTOR_H

#include "base/buf.h"
#include "store/db.h"

#define FINDINGS_MAX 128

enum finding_result { FINDING_OK, FINDING_WARN, FINDING_FAIL };

#define FINDING_WITH 4

struct finding {
    const char *check, *detail;
    const char *fix; /* what to do; NULL with FINDING_OK */
    enum finding_result result;
    /* The same for another language: doctor_key() of what detail was made of, and its parts. */
    const char *say, *with[FINDING_WITH];
    size_t nwith;
};

struct doctor {
    const struct conf *conf;
    struct arena *arena;
    const char *tls_ca; /* of the web server's certificates; "": the system's store */
    struct finding f[FINDINGS_MAX];
    size_t n, fails;
};

/* Notes what a check has found. fix: what to do; NULL with FINDING_OK. */
void doctor_note(struct doctor *d, enum finding_result result, const char *check, const char *fix,
                 const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The key of a text of the checks in the catalogue of the pages: "doctor_" and the beginning of the
 * English one, which scripts/lint holds against words.en; in the arena, "" without memory. */
const char *doctor_key(struct arena *a, const char *english);
/* Notes how long a certificate is still good. */
void doctor_note_expiry(struct doctor *d, const char *check, const char *what, int64_t not_after,
                        const char *fix);
/* The findings as a JSON array of {check, result, detail, fix}; result is ok, warn or fail. ERROR:
 * memory. */
enum outcome doctor_write(const struct doctor *d, struct buf *out, struct err *err) MUST_USE;
/* Adds what doctor_write() wrote. INVALID: it is none. */
enum outcome doctor_read(struct doctor *d, struct bytes json, struct err *err) MUST_USE;
/* "ok", "warn", "fail" */
const char *doctor_word(enum finding_result result);

/* The files of the configuration, keys included: who may read and write them; room on the disk.
 * For root or the owner of those files. (files.c) */
void doctor_files(struct doctor *d);
/* The database accounts of the programs: their passwords and their rights, as the file grants says.
 * For who may read every password file. (accounts.c) */
void doctor_accounts(struct doctor *d, const char *grants);
/* Clock and schema of the database. False: nothing else can be asked of it. (database.c) */
bool doctor_schema(struct doctor *d, struct db *db);
/* What stands in the database about agent, pushes, trusted CAs, ways in and what ends soon, and the
 * CA bundle. For the accounts of the owner and of the console. (database.c) */
void doctor_state(struct doctor *d, struct db *db);
/* The signer and its certificates; it must be one that the caller may ask. (signer.c) */
void doctor_signer(struct doctor *d);
/* Both hosts from outside, whether a device's identity reaches the workers, and Apple's push
 * service. For the agent and the shell: it opens connections, and the signer must be willing to
 * make a PKCS#12 for the caller. (network.c) */
void doctor_network(struct doctor *d);

/* ways.c, for database.c: can devices come in the ways that enrolment profiles promise? */
void doctor_ways(struct doctor *d, struct db *db);

#endif
