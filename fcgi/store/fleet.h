/* fleet.h: devices and their inventory, page by page, for the HTTP API and droverctl. */
#ifndef DROVER_STORE_FLEET_H
#define DROVER_STORE_FLEET_H

#include "store/inventory.h"
#include "store/who.h"

/* A device channel. Strings are "" and times 0 when absent. */
struct fleet_device {
    int64_t id;
    const char *ident, *serial, *udid, *name, *product_name, *model_name, *os_version,
        *build_version;
    int state;      /* enum enrollment_state */
    int platform;   /* enum platform; 0: unknown */
    int supervised; /* -1: unknown */
    int64_t last_seen_at, enrolled_at;
};

/* All that is set must hold. */
struct fleet_filter {
    unsigned states;        /* bits 1 << enum enrollment_state; 0: all */
    int platform;           /* 0: any */
    int64_t os_min, os_max; /* as inv_device.os_number, both included; 0: any */
    const char *product_name, *serial;
    const char *text;                /* store/search.h */
    int supervised;                  /* -1: any */
    int64_t seen_after, seen_before; /* 0: any */
};

/* At most max (LIM_PAGE) devices with an id above *at, in the order of their ids, in a; *at moves
 * on. *more: others may follow; where few of many fit, a page may have fewer than max, or none, and
 * others follow all the same. */
enum outcome fleet_list(struct db *db, const struct fleet_filter *f, int64_t *at, size_t max,
                        struct arena *a, struct fleet_device **out, size_t *n, bool *more,
                        struct err *err) MUST_USE;
/* One channel, a user's too. NOT_FOUND: there is none of that id. */
enum outcome fleet_get(struct db *db, const char *ident, struct arena *a, struct fleet_device *out,
                       struct err *err) MUST_USE;

/* What decides whether a command is right for a channel. Numbers are -1 where it is not known. */
struct fleet_target {
    int64_t id;
    const char *ident, *product_name, *os_version; /* "" when not known */
    int kind, state;                               /* enum ident_kind, enum enrollment_state */
    int supervised, shared_ipad, dep, user_enrolment, lost;
    int64_t rights; /* AccessRights of the profile it enrolled with */
};
/* Those that exist of n idents, in no order; in a. */
enum outcome fleet_targets(struct db *db, const char *const *idents, size_t n, struct arena *a,
                           struct fleet_target **out, size_t *nout, struct err *err) MUST_USE;

/* Which of n idents are of a device that is in Lost Mode, or has it waiting in its queue; in a. */
enum outcome fleet_lost(struct db *db, const char *const *idents, size_t n, struct arena *a,
                        const char ***out, size_t *nout, struct err *err) MUST_USE;

/* How old each part of a channel's inventory is: rows of area, reported_at, changed_at, items. */
enum outcome fleet_areas(struct db *db, int64_t enrollment_id, struct arena *a, struct rows *out,
                         struct err *err) MUST_USE;
/* Rows of an area, from `offset` on, at most max (LIM_PAGE): enrollment_id and then t->n columns.
 */
enum outcome fleet_rows(struct db *db, const struct inv_table *t, int64_t enrollment_id,
                        size_t offset, size_t max, struct arena *a, struct rows *out,
                        struct err *err) MUST_USE;
/* Apps with what they are: identifier, name, version, short_version, bundle_size, dynamic_size,
 * external_version, known, flags, extra. Certificates: sha256, common_name, is_identity, subject,
 * issuer, serial, not_before, not_after, is_ca, key_type, key_bits, extra. */
enum outcome fleet_apps(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                        struct arena *a, struct rows *out, struct err *err) MUST_USE;
enum outcome fleet_certificates(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                                struct arena *a, struct rows *out, struct err *err) MUST_USE;
/* Configuration, attributes and feedback of managed apps: identifier, kind, at, content. */
enum outcome fleet_app_data(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                            struct arena *a, struct rows *out, struct err *err) MUST_USE;
/* Answers without a table of their own: request_type, reported_at, content. */
enum outcome fleet_answers(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                           struct arena *a, struct rows *out, struct err *err) MUST_USE;
/* Secrets that are kept of a channel: kind, about, at; never they themselves. */
enum outcome fleet_secrets(struct db *db, int64_t enrollment_id, size_t offset, size_t max,
                           struct arena *a, struct rows *out, struct err *err) MUST_USE;
/* One, sealed with the label "Secret" and the channel's ident. NOT_FOUND. */
enum outcome fleet_secret(struct db *db, int64_t enrollment_id, const char *kind, const char *about,
                          struct arena *a, struct bytes *sealed, int64_t *at,
                          struct err *err) MUST_USE;
/* Changes, the latest first, of those with an id below before (0: from the start): id, at, area,
 * happened, subject, was, became. */
enum outcome fleet_events(struct db *db, int64_t enrollment_id, int64_t before, size_t max,
                          struct arena *a, struct rows *out, struct err *err) MUST_USE;

/* The entries of ErrorChains of a channel's commands `from` to `to` (command.id, both included):
 * command_id, item, position, domain, code, localized, english. */
enum outcome fleet_errors(struct db *db, int64_t enrollment_id, int64_t from, int64_t to,
                          struct arena *a, struct rows *out, struct err *err) MUST_USE;

#endif
