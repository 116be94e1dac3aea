/* pushrequest.h: requests for push certificates whose keys the signer made, and the certificates
 * with which an MDM vendor signs them. */
#ifndef DROVER_STORE_PUSHREQUEST_H
#define DROVER_STORE_PUSHREQUEST_H

#include "store/db.h"
#include "wire/encode.h"

enum push_purpose { PUSH_PURPOSE_PUSH = 1, PUSH_PURPOSE_VENDOR };

/* Strings are "" and times 0 when absent. */
struct push_request {
    int64_t id;
    int purpose;
    const char *name, *topic;
    struct bytes csr; /* DER */
    uint8_t key_sha256[SHA256_LEN];
    struct bytes key_sealed; /* empty in lists, and once it is done */
    int64_t created_at, done_at;
    const char *created_by;
};
/* Adds one and sets its id, audited. CONFLICT: its key has a request already. */
enum outcome push_request_add(struct db *db, struct push_request *r, struct err *err) MUST_USE;
/* One with its key. NOT_FOUND. */
enum outcome push_request_get(struct db *db, int64_t id, struct arena *a, struct push_request *out,
                              struct err *err) MUST_USE;
/* The one that waits for the certificate of this key. NOT_FOUND. */
enum outcome push_request_of_key(struct db *db, const uint8_t key_sha256[SHA256_LEN],
                                 struct arena *a, struct push_request *out,
                                 struct err *err) MUST_USE;
/* Its certificate is stored: the waiting form of its key is forgotten. */
enum outcome push_request_done(struct db *db, int64_t id, int64_t now, struct err *err) MUST_USE;
/* The latest first, at most LIM_PAGE, without keys; in a. */
enum outcome push_request_list(struct db *db, struct arena *a, struct push_request **out, size_t *n,
                               struct err *err) MUST_USE;

struct vendor_cert {
    uint8_t sha256[SHA256_LEN];
    const char *subject;
    struct bytes chain_pem, key_sealed; /* empty in lists */
    int64_t not_after, added_at;
    const char *added_by;
};
/* Adds or replaces the one of this digest, audited. */
enum outcome vendor_cert_put(struct db *db, const struct vendor_cert *v, struct err *err) MUST_USE;
/* The one that ends last, with its chain and key. NOT_FOUND: there is none. */
enum outcome vendor_cert_latest(struct db *db, struct arena *a, struct vendor_cert *out,
                                struct err *err) MUST_USE;
enum outcome vendor_cert_list(struct db *db, struct arena *a, struct vendor_cert **out, size_t *n,
                              struct err *err) MUST_USE;

#endif
