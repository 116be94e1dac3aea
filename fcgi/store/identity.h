/* identity.h: the inventory of device identities: issued here, or seen. */
#ifndef DROVER_STORE_IDENTITY_H
#define DROVER_STORE_IDENTITY_H

#include "store/db.h"
#include "wire/encode.h"

/* What an identity is worth now. */
enum identity_state {
    IDENTITY_VALID = 1, /* neither expired nor revoked */
    IDENTITY_EXPIRED,
    IDENTITY_REVOKED,
    IDENTITY_STATE__MAX
};
/* "valid", "expired", "revoked". */
const char *identity_state_name(int state);
/* 0: no such word. */
int identity_state_read(const char *word);

/* Strings are "" and times 0 when absent. */
struct identity {
    uint8_t sha256[SHA256_LEN];
    const char *serial, *subject, *issuer;
    int64_t not_before, not_after;
    int64_t issued_at;          /* 0: another CA issued it */
    const char *ident, *device; /* the enrollment id it is bound to or renews; its serial number */
    bool in_use;                /* it serves the device's current life */
    int64_t revoked_at;
    const char *revoked_why;
    int state;
    struct bytes der; /* identity_get() only */
};

struct identity_filter {
    int state;         /* 0: any */
    bool issued;       /* only those that Drover issued */
    const char *ident; /* of that device; NULL: any */
    const char *text;  /* beginnings of words of the subject, or of the serial number; NULL: any */
    int64_t ends_before; /* 0: any */
};
/* A place in the order of the list: by their end, and digest. {-1, {0}} is the start. */
struct identity_place {
    int64_t ends;
    uint8_t sha256[SHA256_LEN];
};
/* At most max behind a place, which moves on; *more: others may follow. Where few of many fit, a
 * page may have fewer than max, or none, and others follow all the same. Those whose end is not
 * known (0) come first. Who is limited (store/scope.h) sees those of the own devices. INVALID: the
 * text is too long. */
enum outcome identity_list(struct db *db, const struct identity_filter *f,
                           struct identity_place *at, int64_t now, size_t max, struct arena *a,
                           struct identity **out, size_t *n, bool *more, struct err *err) MUST_USE;
/* The agent's: the words of subjects, by which identities are found, follow for at most max of
 * them; *done tells for how many. Until then they are looked for in the subjects. */
enum outcome identity_follow(struct db *db, size_t max, size_t *done, struct err *err) MUST_USE;
/* By the first digits (8 at least) of its SHA-256, as fingerprint_digits() takes them. NOT_FOUND;
 * CONFLICT: several begin so. */
enum outcome identity_get(struct db *db, const char *digits, int64_t now, struct arena *a,
                          struct identity *out, struct err *err) MUST_USE;

#endif
