/*
 * wanted.h: what devices are to have against what they have: the tables by which the agent brings
 * the one to the other (library/converge.h). One agent works at a time; what a person changes
 * meanwhile is seen at the next turn, as every write here says under which state it holds.
 */
#ifndef DROVER_STORE_WANTED_H
#define DROVER_STORE_WANTED_H

#include "store/library.h"
#include "store/queue.h"

enum wanted_state {
    WANTED_PENDING = 1,
    WANTED_QUEUED,
    WANTED_INSTALLED,
    WANTED_FAILED,
    WANTED_REFUSED,
    WANTED_REMOVED,
    WANTED_INSTALLING, /* an app: the device has taken the command */
    WANTED__MAX
};
/* "pending", "queued", "installed", "failed", "not-applicable", "removed",
 * "installing"; "?" otherwise. */
const char *wanted_state_name(int state);
/* 0: no such word. */
int wanted_state_read(const char *word);

/* ---- planning ---- */

/* The version counter of everything that is wanted: it rises with each change. */
enum outcome wanted_version(struct db *db, struct arena *a, int64_t *out, struct err *err) MUST_USE;

/* Makes the members of a group those n ids, in ascending order (of device `only` alone, if that is
 * not 0), and notes when, and how long finding them took. *changes: how many came or went. */
enum outcome wanted_members(struct db *db, int64_t group_id, const int64_t *ids, size_t n,
                            int64_t only, int64_t took_us, size_t *changes,
                            struct err *err) MUST_USE;
/* Deletes members of groups that are gone, some at a time. */
enum outcome wanted_members_purge(struct db *db, struct err *err) MUST_USE;

/* A walk over all assignments, of groups and then of devices, what users have taken, and all items:
 * what is new, changed or not wanted any more is noted in device_item, for at most `max` devices
 * and a third of a second a call. Begin with the time alone; `only`: for that channel alone, and
 * the users of a device. done: everything was looked at. What is for users is noted for their
 * channels (store/wanted_channel.h).
 */
struct wanted_walk {
    int64_t only;
    int64_t now; /* what is new is due then */
    bool done;
    size_t changes;
    /* private */
    int64_t assignment, item, device;
    size_t single;
    bool items;
};
enum outcome wanted_plan(struct db *db, struct wanted_walk *w, size_t max,
                         struct err *err) MUST_USE;

/* ---- acting ---- */

/* An item of a device or of a user's channel that is due. Texts are in the arena, "" when absent.
 */
struct wanted_due {
    int64_t enrollment_id, item_id;
    bool wanted;
    int version, installed_version, attempts, state;
    const char *ident, *device_ident; /* of the channel and its device; the same for the device's */
    int enrollment_kind, enrollment_state;
    const char *product_name, *os_version; /* of the device, as what follows */
    int supervised;                        /* 1, 0, -1: not known */
    int passcode_ok, shared_ipad;          /* the same */
    int64_t security_at;
    /* of the item */
    int kind;
    const char *identifier, *settings;
    int64_t after_id;
    bool after_passcode, command_open;
    bool after_installed; /* on the channel, on the device, or, of a device's item, for a user */
    int wave_first, halt_percent;
    /* of an app */
    struct library_app app;
    int settings_rev; /* of the settings that the device has */
    unsigned tell;    /* bits WANTED_TELL_*: it is there, and Settings brings what has changed */
};
#define WANTED_TELL_CONFIGURATION 1u
#define WANTED_TELL_ATTRIBUTES 2u
#define WANTED_TELL_NOTHING 4u /* nothing of it is for this device */
/* At most max of those pending (or failed) and due at `now`. */
enum outcome wanted_due(struct db *db, int state, int64_t now, size_t max, struct arena *a,
                        struct wanted_due **out, size_t *n, struct err *err) MUST_USE;

/* Notes a state, a time and a reason for n of them, unless they changed since they were read. */
enum outcome wanted_note(struct db *db, const struct wanted_due *const *d, size_t n, int state,
                         int64_t due_at, const char *reason, struct arena *a,
                         struct err *err) MUST_USE;
/* Queues one command for n of them and notes it, in one unit of work: e without idents. Those that
 * changed since they were read, or are not enrolled, are left out. *queued: how many took it. */
enum outcome wanted_queue(struct db *db, const struct wanted_due *const *d, size_t n,
                          struct enqueue *e, int64_t check_at, size_t *queued,
                          struct err *err) MUST_USE;

/* Notes for n of them that they have the item's settings, as there is nothing to tell. */
enum outcome wanted_told(struct db *db, const struct wanted_due *const *d, size_t n, int64_t now,
                         struct arena *a, struct err *err) MUST_USE;

/* How far a version is: how many devices are at it or past it. */
struct rollout {
    int64_t queued, installed, failed;
    int64_t released, wave_at, forgiven; /* released 0: there is no row yet */
    int64_t halted_at;
    const char *halted_why;
};
enum outcome rollout_get(struct db *db, int64_t item_id, int version, struct arena *a,
                         struct rollout *out, struct err *err) MUST_USE;
/* The same without the counts, for who only asks whether it goes on. */
enum outcome rollout_halted(struct db *db, int64_t item_id, int version, struct arena *a,
                            struct rollout *out, struct err *err) MUST_USE;
enum outcome rollout_release(struct db *db, int64_t item_id, int version, int64_t released,
                             int64_t now, struct err *err) MUST_USE;
/* Halts it, once: an audit entry, and true in *fresh. */
enum outcome rollout_halt(struct db *db, int64_t item_id, int version, const char *why, int64_t now,
                          bool *fresh, struct err *err) MUST_USE;
/* A person stops it. NOT_FOUND: no such item; CONFLICT: it is halted already. */
enum outcome rollout_stop(struct db *db, int64_t item_id, const char *actor, const char *why,
                          int64_t now, struct err *err) MUST_USE;
/* Items that devices are to have (item_id 0: all): those halted first, then those under way. In a
 * list some are uncounted: all, for who is limited to very many devices; and versions that the
 * agent has not counted yet, when they are more than ITEM_COUNT_NOW together. */
struct rollout_row {
    int64_t item_id;
    int kind;
    const char *identifier, *name;
    int version, wave_first, halt_percent;
    bool uncounted;              /* in a list: see rollout_list */
    int64_t counts[WANTED__MAX]; /* devices of the item's version by state: now, when it is asked
                                  * for alone; of a list as the agent counted them (itemcount.h) */
    bool under_way, open; /* now: some are not there yet, or failed; some are not there yet */
    int64_t released, halted_at, changed_at;
    const char *halted_why;
};
/* "halted", "running" (some are not there yet), "failed" (those that are not there have failed),
 * "finished". */
const char *rollout_state(const struct rollout_row *r);
enum outcome rollout_list(struct db *db, int64_t item_id, size_t max, struct arena *a,
                          struct rollout_row **out, size_t *n, struct err *err) MUST_USE;
/* A person goes on: the failures so far do not count any more. NOT_FOUND: it is not halted. */
enum outcome rollout_resume(struct db *db, int64_t item_id, const char *actor, const char *why,
                            int64_t now, struct err *err) MUST_USE;

/* ---- following ---- */

/* A command of an item that is closed. */
struct wanted_closed {
    int64_t enrollment_id, item_id, command_id;
    bool wanted;
    int version, attempts, kind;
    bool there; /* it has that version already: the command renews it */
    const char *identifier;
    int state;              /* enum queue_state; 0: neither open nor closed any more */
    const char *closed_why; /* "" */
    const char *request_type;
    struct bytes report;  /* of an error, of Settings, and of an app known by its number alone */
    bool listed;          /* the inventory has it */
    const char *settings; /* of an app; "" */
    const char *product_name; /* of an app's device; "" */
    /* to be set by the caller */
    int next; /* enum wanted_state */
    int64_t due_at;
    const char *reason;
};
/* At most max of those closed since `since`; or, with since 0, of those whose command was open for
 * so long that it is looked up, which are looked at again at check_at. */
enum outcome wanted_closed(struct db *db, int64_t since, int64_t now, int64_t check_at, size_t max,
                           struct arena *a, struct wanted_closed **out, size_t *n,
                           struct err *err) MUST_USE;
/* Notes what became of n of them; what waited for one that is installed now is due at once. */
enum outcome wanted_settle(struct db *db, const struct wanted_closed *c, size_t n, int64_t now,
                           struct arena *a, struct err *err) MUST_USE;
/* Items that the inventory, told later than they were installed, does not have, or apps that it has
 * in an older version than the library's: pending again, later the more often that happened. At
 * most max of a kind; *n: how many in all. */
enum outcome wanted_drift(struct db *db, int64_t now, size_t max, size_t *n,
                          struct err *err) MUST_USE;

/* Devices and users, by id above after, at most max, that got a profile before `before` and have
 * not told their profiles since: id and ident. Those whose MDM profile does not let us look are
 * left out.
 */
enum outcome wanted_unseen(struct db *db, int64_t before, int64_t after, size_t max,
                           struct arena *a, struct rows *out, struct err *err) MUST_USE;

/* An app whose command a device has taken, and what the device says of it. */
struct wanted_app {
    struct wanted_due due; /* what wanted_note() needs, ident, identifier */
    const char *status;    /* of ManagedApplicationList; "": it is not there */
    int64_t told_at;       /* when the device told its managed apps last; 0: never */
    int64_t since;         /* when it took the command */
};
enum outcome wanted_apps(struct db *db, int64_t now, size_t max, struct arena *a,
                         struct wanted_app **out, size_t *n, struct err *err) MUST_USE;

/* ---- apps that are installed ---- */

/* Those whose settings have changed since the device got them are pending again, and so are those
 * that failed with the settings before. *n: how many. */
enum outcome wanted_settings(struct db *db, int64_t now, size_t max, size_t *n,
                             struct err *err) MUST_USE;
/* The same for those of which the inventory, told later than they were installed, says that the
 * store has an update. */
enum outcome wanted_updates(struct db *db, int64_t now, size_t max, size_t *n,
                            struct err *err) MUST_USE;

/* What an installed app's device is asked from time to time. */
enum wanted_question { WANTED_ASK_FEEDBACK, WANTED_ASK_UPDATE };
struct wanted_ask {
    int64_t enrollment_id, item_id;
    const char *ident, *identifier;
    bool feedback_delete;
};
/* At most max that are due, by item. */
enum outcome wanted_asks(struct db *db, enum wanted_question q, int64_t now, size_t max,
                         struct arena *a, struct wanted_ask **out, size_t *n,
                         struct err *err) MUST_USE;
/* n of them, of one item, were asked. */
enum outcome wanted_asked(struct db *db, enum wanted_question q, const struct wanted_ask *list,
                          size_t n, int64_t now, struct arena *a, struct err *err) MUST_USE;

/* ---- devices and users that have just enrolled ---- */

struct newcomer {
    int64_t device_id, at; /* device_id: of the device or the user's channel */
    const char *ident;
    bool user;
    bool awaiting, planned;
    int64_t unsettled; /* items that are not there yet */
};
enum outcome newcomer_list(struct db *db, size_t max, struct arena *a, struct newcomer **out,
                           size_t *n, struct err *err) MUST_USE;
/* Nothing of what n devices had before they enrolled is there any more. */
enum outcome newcomer_reset(struct db *db, const int64_t *ids, size_t n, int64_t now,
                            struct err *err) MUST_USE;
/* Notes that n devices are planned; takes n off the list. */
enum outcome newcomer_planned(struct db *db, const int64_t *ids, size_t n,
                              struct err *err) MUST_USE;
enum outcome newcomer_done(struct db *db, const int64_t *ids, size_t n, struct err *err) MUST_USE;

/* ---- for people ---- */

struct wanted_row {
    int64_t item_id, enrollment_id;
    const char *ident; /* of the channel: the device's, or that of a user */
    const char *device_ident, *serial, *device_name; /* of the device */
    const char *user, *user_name;                    /* of a user's channel: login and full name */
    int kind;
    const char *identifier, *name; /* of the item */
    bool wanted;
    bool waits_user; /* it is for users, and nobody has logged in on the device (wanted_wait.h) */
    int version, installed_version, state, attempts;
    int64_t due_at, changed_at, installed_at;
    const char *reason, *command_uuid; /* "" */
};
/* Devices of an item (state 0: any), by id above after; at most max (LIM_PAGE). */
enum outcome wanted_of_item(struct db *db, int64_t item_id, int state, int64_t after, size_t max,
                            struct arena *a, struct wanted_row **out, size_t *n,
                            struct err *err) MUST_USE;
/* Items of a device and of its users, or of one user's channel. NOT_FOUND: no such enrollment. */
enum outcome wanted_of_device(struct db *db, const char *ident, struct arena *a,
                              struct wanted_row **out, size_t *n, struct err *err) MUST_USE;
/* Tries a failed or refused item of one device at once; *n tells on how many channels. */
enum outcome wanted_retry(struct db *db, int64_t item_id, const char *ident, const char *actor,
                          int64_t now, uint64_t *n, struct err *err) MUST_USE;
/* The same on at most max channels of all devices, of those where it failed at `until` or earlier:
 * inside a unit of work, without a note (store/bulk.h). */
enum outcome wanted_retry_some(struct db *db, int64_t item_id, int64_t until, size_t max,
                               int64_t now, uint64_t *n, struct err *err) MUST_USE;

#endif
