/* pushcert.h: push certificates, one for each topic, and the topics that devices are enrolled with.
 * Checking and sealing stand in push/pushcert.h. */
#ifndef DROVER_STORE_PUSHCERT_H
#define DROVER_STORE_PUSHCERT_H

#include "store/db.h"

struct pushcert_row {
    const char *topic;
    int64_t version; /* raised at each renewal */
    int64_t not_before, not_after;
    int64_t suspended_at;      /* APNs refused the certificate then; 0: it did not */
    const char *suspended_why; /* "" unless suspended */
    int64_t suspended_for_us;  /* by the database's clock; 0 unless suspended */
    int64_t added_at;
    const char *added_by;
    struct bytes sha256;     /* of the certificate's DER */
    struct bytes cert_pem;   /* empty in lists */
    struct bytes key_sealed; /* empty in lists; label "PushKey:" and the topic */
};

/* All, by topic, without certificate and key; in a. */
enum outcome pushcert_list(struct db *db, struct arena *a, struct pushcert_row **out, size_t *n,
                           struct err *err) MUST_USE;
/* The topic of the only push certificate, in a. NOT_FOUND: there is none; CONFLICT: there are
 * several. */
enum outcome pushcert_sole_topic(struct db *db, struct arena *a, const char **topic,
                                 struct err *err) MUST_USE;
/* One with everything; in a. NOT_FOUND. */
enum outcome pushcert_get(struct db *db, const char *topic, struct arena *a,
                          struct pushcert_row *out, struct err *err) MUST_USE;
/* Adds or renews: the version is raised and a suspension ends. Uses topic, not_before, not_after,
 * added_by, sha256, cert_pem and key_sealed. */
enum outcome pushcert_put(struct db *db, const struct pushcert_row *row, struct err *err) MUST_USE;
/* APNs refused this version of the certificate. Does nothing to a newer one. */
enum outcome pushcert_suspend(struct db *db, const char *topic, int64_t version, const char *why,
                              struct err *err) MUST_USE;
/* APNs took a push of this version: a suspension ends. */
enum outcome pushcert_unsuspend(struct db *db, const char *topic, int64_t version,
                                struct err *err) MUST_USE;

/* Topics of current enrolments, the most used first, and how many channels have each, in a: counted
 * now; of more than TOPIC_COUNT_NOW channels what the agent counted last, within some minutes. */
#define TOPIC_COUNT_NOW 10000
struct topic_use {
    const char *topic;
    int64_t channels;
};
enum outcome pushcert_topics_used(struct db *db, struct arena *a, struct topic_use **out, size_t *n,
                                  struct err *err) MUST_USE;
/* The agent counts them. */
enum outcome pushcert_topics_count(struct db *db, struct err *err) MUST_USE;

#endif
