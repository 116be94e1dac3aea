/* enrollment.h: reading the channels under management, for people and the HTTP API. */
#ifndef DROVER_STORE_ENROLLMENT_H
#define DROVER_STORE_ENROLLMENT_H

#include "store/db.h"
#include "store/who.h"

/* A channel with its current life. Strings are "" and times 0 when absent. */
struct enrollment {
    int64_t id;
    const char *ident, *device_ident; /* the same for a device channel */
    int kind;                         /* enum ident_kind */
    int state;                        /* enum enrollment_state */
    const char *udid, *user_id, *user_short_name, *user_long_name;
    const char *serial, *device_name, *product_name, *model, *model_name, *os_version,
        *build_version, *imei, *meid;
    int64_t created_at, enrolled_at, last_seen_at, token_update_tally;
    int64_t ended_at;
    const char *ended_by, *ended_why;
    int64_t nudged_at, inactive_at; /* inactive_at: 0 also once it returned */
    bool pending;                   /* an Authenticate came, its TokenUpdate has not */
    /* what the device enrolled with (store/handout.h) */
    int64_t access_rights; /* -1: not known */
    int64_t way;           /* enum handout_way; 0: not known */
    const char *profile;   /* name of the enrolment profile */
    int64_t profile_version;
    int64_t account_kind; /* enum account_kind: who brought it */
    const char *account;
    /* of the current life; a user channel's identity is its device's */
    const char *topic;
    int64_t token_at; /* last TokenUpdate; 0: cannot be pushed */
    int64_t push_dead_at;
    const char *push_dead_why;
    bool awaiting_configuration, not_on_console, has_unlock_token, has_bootstrap_token;
    struct bytes cert_sha256; /* 32 octets, or empty */
    struct bytes cert_der;    /* empty unless asked for, or when it was never seen whole */
};

struct enrollment_filter {
    const char *const *idents; /* NULL: whatever they are; an empty list finds nothing */
    size_t nidents;
    const char *const *serials;
    size_t nserials;
    const char *const *user_short_names;
    size_t nuser_short_names;
    unsigned kinds;  /* bits 1 << enum ident_kind; 0: all */
    unsigned states; /* bits 1 << enum enrollment_state; 0: all */
    bool inactive;   /* only those that the sweep found inactive and that did not return since */
    bool push_dead;  /* only those whose push token is dead */
};

enum enrollment_order {
    ENROLLMENT_BY_ID,       /* exact paging: nothing is hidden or shown twice */
    ENROLLMENT_BY_LAST_SEEN /* seen last first; those that are seen meanwhile move to the front */
};

/* The last one of the page before; {0, 0} for the first page. */
struct enrollment_cursor {
    int64_t id, last_seen_at;
};

/* At most max (LIM_PAGE) of those that the filter lets through (all that it names must hold),
 * behind the cursor, which moves on, leaving out `offset` of them. *more: others may follow; where
 * few of many fit, and offset is 0, a page may have fewer than max, or none, and others follow all
 * the same. Everything is in a. */
enum outcome enrollment_list(struct db *db, const struct enrollment_filter *f,
                             enum enrollment_order order, struct enrollment_cursor *at,
                             size_t offset, size_t max, bool with_cert, struct arena *a,
                             struct enrollment **out, size_t *n, bool *more,
                             struct err *err) MUST_USE;
/* One, with its certificate. NOT_FOUND: no such enrollment. */
enum outcome enrollment_get(struct db *db, const char *ident, struct arena *a,
                            struct enrollment *out, struct err *err) MUST_USE;
/* The same with what is the device's where it is a user's channel: what it told of itself, and its
 * certificate, which is the user's too. */
enum outcome enrollment_get_whole(struct db *db, const char *ident, struct arena *a,
                                  struct enrollment *out, struct err *err) MUST_USE;
/* How many channels are in each state; counts[s] for s of enum enrollment_state. */
enum outcome enrollment_count(struct db *db, struct arena *a, int64_t counts[5],
                              struct err *err) MUST_USE;
/* What a push or an UnlockToken needs to know of those that exist of n idents. */
struct enrollment_brief {
    int64_t id;
    const char *ident;
    int state;
    bool pushable;   /* its current life has push data */
    bool unlockable; /* and an UnlockToken */
};
enum outcome enrollment_briefs(struct db *db, const char *const *idents, size_t n, struct arena *a,
                               struct enrollment_brief **out, size_t *nout,
                               struct err *err) MUST_USE;

/* "pending", "enrolled", "left", "ended"; NULL for anything else. */
const char *enrollment_state_name(int state);

#endif
