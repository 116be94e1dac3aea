/* checked.h: a command by its request type and keys, made and checked for the devices that are to
 * get it: for the HTTP API, the console and droverctl. */
#ifndef DROVER_COMMAND_CHECKED_H
#define DROVER_COMMAND_CHECKED_H

#include "command/raw.h"
#include "command/validate.h"
#include "store/enrollment.h"
#include "store/fleet.h"

/* Enrollments of which the same is known, and what was found for them. */
struct checked_group {
    struct device_facts facts;
    size_t enrollments;
    const char *example; /* one of them */
    const char **idents; /* all of them */
    const char *dropped; /* JSON array of the queries that are left out for them; NULL: none */
    struct raw_command command; /* theirs, where queries are left out; otherwise that of all */
    struct findings found;
};

/* In the arena. */
struct checked {
    struct raw_command command; /* to be sent */
    struct findings built;      /* why it could not be made */
    struct checked_group **groups;
    size_t n;
    size_t refused; /* enrollments for which there is an error */
};

/* What is known of an enrollment, the AccessRights that it enrolled with among it. */
struct device_facts device_facts_of(const struct enrollment *e);
/* The same, with what the device has told since. */
struct device_facts device_facts_told(const struct fleet_target *t);

/* Makes the command (command_build()) and checks it for each enrollment that exists of n idents;
 * what stands in out->groups then may be sent all the same, by a caller that is told to.
 * INVALID: it cannot be made, out->built says all that is wrong; UNAVAILABLE: the database is away;
 * ERROR: memory, or more than CHECKED_GROUPS_MAX kinds of devices. */
#define CHECKED_GROUPS_MAX 1024u
/* DeviceInformation asks each kind of device for what it answers: queries of another platform or
 * version, or beyond the access rights, are left out and named (checked_group.dropped); without
 * Queries, or with an empty list, all are asked for that a device answers. */
enum outcome command_checked(struct db *db, struct arena *a, const char *request_type, js keys,
                             const char *const *idents, size_t n, struct checked *out,
                             struct err *err) MUST_USE;

#endif
