/*
 * scep_request.h: SCEP requests that wait for a person. A request is known by its transactionID
 * and its key; it waits, is approved or denied, and is issued when its device asks again.
 */
#ifndef DROVER_STORE_SCEP_REQUEST_H
#define DROVER_STORE_SCEP_REQUEST_H

#include "store/db.h"
#include "wire/encode.h"

#define SCEP_REQUESTS_MAX 1000 /* that wait at the same time: anybody may send one */

enum scep_request_state {
    SCEP_REQUEST_WAITS = 1,
    SCEP_REQUEST_APPROVED,
    SCEP_REQUEST_DENIED,
    SCEP_REQUEST_ISSUED,
    SCEP_REQUEST__MAX
};
/* "waits", "approved", "denied", "issued". */
const char *scep_request_state_name(int state);
/* 0: no such word. */
int scep_request_state_read(const char *word);

/* Strings are "" and times 0 when absent. */
struct scep_waiting {
    int64_t id;
    const char *transaction_id;
    uint8_t key_sha256[SHA256_LEN];
    struct bytes csr_sealed; /* label: see scep_request_label() */
    const char *subject, *common_name, *san, *key_text, *proof, *note, *remote_addr;
    int64_t device_id, handout_id;
    int state;
    int64_t created_at, expires_at, decided_at;
    const char *decided_by, *decided_why;
};

/* What the request is sealed with, so that the signer opens it for its own key only. */
#define SCEP_REQUEST_LABEL "ScepRequest"
enum outcome scep_request_label(struct arena *a, const uint8_t key_sha256[SHA256_LEN],
                                const char **out, struct err *err) MUST_USE;

/* The one of this transaction and key, its csr_sealed included. NOT_FOUND. */
enum outcome scep_request_find(struct db *db, const char *transaction_id,
                               const uint8_t key_sha256[SHA256_LEN], struct arena *a,
                               struct scep_waiting *out, struct err *err) MUST_USE;
/* Uses up the challenge (NULL: it has none), adds w as a request that waits, sets its id, note,
 * device_id and handout_id, and audits, all or nothing. CONFLICT: it waits already, or the
 * challenge was used by this transaction; DENIED: the challenge, or too many are waiting. */
enum outcome scep_request_add(struct db *db, struct scep_waiting *w, const char *challenge,
                              struct arena *a, struct err *err) MUST_USE;
/* Approves or denies one that waits or was decided otherwise and is not issued yet, audited.
 * NOT_FOUND; CONFLICT: issued already, or expired. */
enum outcome scep_request_decide(struct db *db, int64_t id, bool approve, const char *by,
                                 const char *why, int64_t now, struct arena *a,
                                 struct scep_waiting *out, struct err *err) MUST_USE;
/* It is issued now; inside the unit that records the certificate. CONFLICT: it was denied
 * meanwhile, or issued. */
enum outcome scep_request_issued(struct db *db, int64_t id, struct err *err) MUST_USE;
/* At most max with an id past `after`, oldest first, without csr_sealed; state 0: all. */
enum outcome scep_request_list(struct db *db, int state, int64_t after, size_t max, struct arena *a,
                               struct scep_waiting **out, size_t *n, struct err *err) MUST_USE;

#endif
