/* pushcert.h: push certificates as operators bring them: checking, sealing, storing. */
#ifndef DROVER_PUSH_PUSHCERT_H
#define DROVER_PUSH_PUSHCERT_H

#include "store/db.h"
#include "wire/x509.h"

#define PUSHCERT_TOPIC_PREFIX "com.apple.mgmt"
#define PUSHCERT_PEM_MAX (64u * LIM_KB)

struct pushcert {
    struct cert_info info; /* of the certificate itself; info.topic is the topic */
    struct bytes cert_pem; /* it, then its chain */
    struct bytes cert_der; /* it alone */
    struct bytes key_pem;  /* secret: pushcert_wipe(); empty: the signer has it */
};

/* Checks a PEM text that holds a certificate, perhaps its chain, and its unencrypted private key,
 * unless the signer has made that (push/vendor.h). *out is in a. INVALID says what is wrong: as
 * pem_parts_read(), a key of another certificate, no topic beginning with com.apple.mgmt, expired.
 */
enum outcome pushcert_check(struct arena *a, struct bytes pem, struct pushcert *out,
                            struct err *err) MUST_USE;
/* Seals the key to the signer and stores both: a new topic, or the renewal of one. Without a key, a
 * request made here must wait for this certificate. The agent uses it within seconds. by: who did
 * it. *version (may be NULL): the number of this renewal. INVALID: there is no key; CONFLICT: the
 * request was made to renew another topic. Without a key it needs sign_client_setup(). */
enum outcome pushcert_store(struct db *db, const struct conf *conf, const struct pushcert *cert,
                            const char *by, int64_t *version, struct err *err) MUST_USE;
/* May a certificate of this topic renew what there is? CONFLICT when devices are enrolled, none of
 * them with this topic: they could not be pushed with it. Names the topics they have. */
enum outcome pushcert_renewal_check(struct db *db, const char *topic, struct err *err) MUST_USE;
/* Overwrites the key. */
void pushcert_wipe(struct pushcert *c);

#endif
