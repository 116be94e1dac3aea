/*
 * inventory.h: what devices are and have, as their reports told it, in the tables of
 * inventory_tables.h.
 *
 * The functions that write are called inside a unit of work (store/digest.h).
 */
#ifndef DROVER_STORE_INVENTORY_H
#define DROVER_STORE_INVENTORY_H

#include "store/inventory_tables.h"

struct inv_ahead; /* inventory_ahead.h */

/* Which report of which device. */
struct inv_source {
    int64_t enrollment_id, command_id, reported_at;
    struct inv_ahead *ahead; /* of the unit; what changes no area needs none */
};

enum inv_happened { INV_ADDED = 1, INV_CHANGED, INV_REMOVED, INV_TOLD_ONCE };

struct inv_change {
    enum inv_area area;
    enum inv_happened happened;
    const char *subject, *was, *became; /* was, became: may be NULL */
};

/* Changes that a report made: written by inv_events_write(). */
struct inv_events {
    struct inv_change *list; /* in the arena */
    size_t n, room;
};
/* Notes one, in a; texts are kept by reference. ERROR: memory. */
enum outcome inv_event(struct inv_events *e, struct arena *a, struct inv_change change,
                       struct err *err) MUST_USE;
enum outcome inv_events_write(struct db *db, const struct inv_source *s, const struct inv_events *e,
                              struct arena *a, struct err *err) MUST_USE;

/* What an area knew before a report. */
struct inv_before {
    bool first; /* nothing: what is found now is no change */
    bool stale; /* it knows a later report: this one is not to touch it */
    struct rows rows;
};
/* The area of s->enrollment_id, which s->ahead has read and locked, with its rows. ERROR also: it
 * is none of s->ahead's devices. */
enum outcome inv_before(struct db *db, const struct inv_table *t, const struct inv_source *s,
                        struct arena *a, struct inv_before *out, struct err *err) MUST_USE;

/* What a list becomes. */
struct inv_list {
    const struct val *rows; /* n rows of t->n values; of two with the same key the last counts */
    size_t n;
    /* Whether the report would have told of this row if it was still there; NULL: of every row. */
    bool (*told_of)(const struct val *row, void *arg);
    void *arg;
    /* How a row is called in events; NULL: by its first key. */
    const char *(*subject)(const struct val *row, void *arg);
    /* What is told of a row in events ("1.2"); NULL: nothing. */
    const char *(*state)(const struct val *row, void *arg);
    bool no_events;
};
/* Makes the list so: rows that differ are written, rows that are gone deleted, changes noted in
 * *events. Stale: nothing is done. */
enum outcome inv_replace(struct db *db, const struct inv_table *t, const struct inv_source *s,
                         const struct inv_before *before, const struct inv_list *list,
                         struct inv_events *events, struct arena *a, struct err *err) MUST_USE;
/* The same for a table of one row: `row` has t->n values. */
enum outcome inv_facts(struct db *db, const struct inv_table *t, const struct inv_source *s,
                       const struct inv_before *before, const struct val *row,
                       struct inv_events *events, struct arena *a, struct err *err) MUST_USE;

/* A value as text for people, cut to 60 characters; NULL for NULL. In a. */
const char *inv_text(const struct inv_column *c, const struct val *v, struct arena *a);

/* Dictionaries that all devices share. */
struct software {
    int64_t id; /* out of software_id() */
    const char *identifier, *version, *short_version, *name;
};
/* The id of these four texts (cut as their columns are). */
int64_t software_id(struct software *s, struct arena *a);
enum outcome software_add(struct db *db, const struct software *s, size_t n, int64_t now,
                          struct arena *a, struct err *err) MUST_USE;
/* Their rows: id, identifier, version, short_version, name. */
enum outcome software_get(struct db *db, const int64_t *ids, size_t n, struct arena *a,
                          struct rows *out, struct err *err) MUST_USE;
struct seen_certificate {
    uint8_t sha256[32];
    struct bytes der;
    const char *subject, *issuer, *serial, *key_type;
    int64_t not_before, not_after;
    bool is_ca;
    int key_bits;
};
/* Stores those that are not known yet; *fresh tells how many they were. */
enum outcome seen_certificate_add(struct db *db, const struct seen_certificate *c, size_t n,
                                  struct arena *a, struct err *err) MUST_USE;
/* Which of n digests are stored: rows of one column. n may be 0. */
enum outcome seen_certificate_known(struct db *db, const uint8_t (*sha256)[32], size_t n,
                                    struct arena *a, struct rows *out, struct err *err) MUST_USE;

/* Configuration, attributes and feedback of managed apps (inv_app_data.kind 1, 2, 3). */
enum outcome inv_app_data(struct db *db, const struct inv_source *s, int kind,
                          const char *const *identifiers, const char *const *content, size_t n,
                          struct arena *a, struct err *err) MUST_USE;

/* The last answer to a request that has no table of its own (inv_answer). */
enum outcome inv_answer(struct db *db, const struct inv_source *s, const char *request_type,
                        const char *content, struct err *err) MUST_USE;

/* A secret that a device told or was given, sealed; an older one does not replace a later one. */
enum outcome inv_secret_put(struct db *db, const struct inv_source *s, const char *kind,
                            const char *about, struct bytes sealed, struct err *err) MUST_USE;
/* The UnlockToken of the device's current life. */
enum outcome inv_unlock_token(struct db *db, const struct inv_source *s, struct bytes sealed,
                              struct err *err) MUST_USE;

/* The device was put into Lost Mode, or let out of it. */
enum outcome inv_lost_mode(struct db *db, const struct inv_source *s, bool on,
                           struct err *err) MUST_USE;

/* An entry of an ErrorChain. */
struct result_error {
    int item, position;
    const char *domain;
    int64_t code;
    const char *localized, *english;
};
enum outcome result_errors_write(struct db *db, const struct inv_source *s,
                                 const struct result_error *e, size_t n, struct arena *a,
                                 struct err *err) MUST_USE;
/* Whether a device has told of a profile of that identifier that it is managed by it (*yes). */
enum outcome inv_profile_manages(struct db *db, const char *identifier, struct arena *a, bool *yes,
                                 struct err *err) MUST_USE;

#endif
