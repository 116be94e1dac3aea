/*
 * handout.h: enrolment profiles that were given out. The row says what the profile said and who
 * asked for it; the identity that was issued for it, or a token in its CheckInURL, leads from the
 * device's Authenticate to the row, so that its life knows what it enrolled with. A renewed profile
 * keeps what a device would refuse to see changed (reference, "Structure of MDM Payloads").
 */
#ifndef DROVER_STORE_HANDOUT_H
#define DROVER_STORE_HANDOUT_H

#include "store/db.h"

#define HANDOUT_TOKEN_LEN 32 /* hexadecimal digits, in the CheckInURL's query */
#define HANDOUT_TOKEN_QUERY "handout"

enum handout_way {
    WAY_INVITATION = 1,
    WAY_OPEN,
    WAY_WEB,
    WAY_CONFIGURATION_URL,
    WAY_PROFILE_SERVICE,
    WAY_ACCOUNT_DRIVEN,
    WAY_RENEWAL
};
/* "invitation", "open", ...; "" for none of them. */
const char *handout_way_name(int64_t way);

enum account_kind { ACCOUNT_NONE, ACCOUNT_LOCAL, ACCOUNT_WEB_SERVER, ACCOUNT_MANAGED };
/* "local", "web-server", "managed"; "" for none of them. */
const char *account_kind_name(int64_t kind);

struct handout {
    int64_t id;                  /* id_new() */
    int64_t profile_id, version; /* 0: as configured */
    int64_t way;                 /* enum handout_way */
    const char *topic, *server_url, *checkin_url, *server_capabilities;
    int64_t access_rights;
    const char *token;                             /* in checkin_url; NULL: none. Not read back */
    const char *managed_account, *enrollment_mode; /* NULL: none */
    int64_t account_kind;                          /* enum account_kind */
    const char *account;                           /* NULL: nobody logged in */
    int64_t invitation_id;                         /* 0: none */
    const char *address;                           /* NULL: none */
    int64_t made_at;
    const char *udid, *serial; /* the device signed for them; NULL: not told. Not read back */
};

/* Stores it. Inside the caller's unit of work. */
enum outcome handout_add(struct db *db, const struct handout *h, struct err *err) MUST_USE;
/* What the device's current life enrolled with; in a. An account that was taken out is none any
 * more, nor for a renewal. NOT_FOUND: not known. */
enum outcome handout_of_device(struct db *db, int64_t device_id, struct arena *a,
                               struct handout *out, struct err *err) MUST_USE;
/* How many a person has been given since then, renewals not counted. */
enum outcome handout_count(struct db *db, enum account_kind kind, const char *account,
                           int64_t since, int64_t *n, struct err *err) MUST_USE;

#endif
