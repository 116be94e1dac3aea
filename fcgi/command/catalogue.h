/*
 * catalogue.h: what a device can be told and what it answers, as data: every request type, its
 * keys, their types and values, the platforms and versions, access rights, channels. It is written
 * down in catalogue.txt; the build makes constant tables of it, so that nothing here allocates or
 * fails, and many threads may read at once.
 */
#ifndef DROVER_COMMAND_CATALOGUE_H
#define DROVER_COMMAND_CATALOGUE_H

#include "base/err.h"
#include "command/platform.h"
#include "command/rules.h"
#include "wire/json.h"

enum catalogue_kind {
    CATALOGUE_COMMAND,
    CATALOGUE_KEY,    /* of a request, or of any dictionary */
    CATALOGUE_ANSWER, /* a key of the device's answer */
    CATALOGUE_ITEM,   /* what an array holds; several stand for several shapes */
    CATALOGUE_VALUE   /* one value of a string, where values differ by platform */
};

enum catalogue_type {
    CATALOGUE_DICTIONARY, /* a command's too */
    CATALOGUE_ARRAY,
    CATALOGUE_STRING,
    CATALOGUE_INTEGER,
    CATALOGUE_REAL,
    CATALOGUE_BOOLEAN,
    CATALOGUE_DATE,
    CATALOGUE_DATA,
    CATALOGUE_ANY
};

enum catalogue_flag {
    CATALOGUE_REQUIRED = 1,
    CATALOGUE_SECRET = 2,    /* not for logs, lists and forms to show */
    CATALOGUE_LEGACY = 4,    /* of the protocol as it was in 2014, not in Apple's schema any more */
    CATALOGUE_SENSITIVE = 8, /* of a command: it harms when sent in error, or tells a secret */
    CATALOGUE_ANY_NAME = 16, /* the name is a word for any key: "<app-identifier>" */
    CATALOGUE_PERSONAL = 32  /* of a command: its answer tells where a person is */
};

enum says { SAYS_NOTHING, SAYS_YES, SAYS_NO };
enum mode { MODE_UNSAID, MODE_ALLOWED, MODE_REQUIRED, MODE_FORBIDDEN, MODE_IGNORED };

/* Where something exists and under which conditions. */
struct catalogue_support {
    uint16_t introduced; /* VERSION_NEVER: not on this platform; 0: always was */
    uint16_t deprecated, removed;
    uint16_t right;                  /* enum right */
    bool supervised;                 /* only then */
    bool dep;                        /* only with devices of automated enrolment */
    bool device, user;               /* channels */
    enum mode shared;                /* with Shared iPad */
    bool shared_device, shared_user; /* channels of a Shared iPad */
    enum mode user_enrolment;
};

/* A row of the catalogue. */
typedef const struct catalogue_node *cat;

/* The command of that request type, or NULL. */
cat catalogue_find(const char *request_type);
/* The commands, in the order of their names. */
size_t catalogue_count(void);
cat catalogue_at(size_t i);

/* What stands directly below a row, in order; NULL: nothing (more). */
cat catalogue_first(cat node);
cat catalogue_next(cat node);
/* The key of that name in a command's request (CATALOGUE_KEY) or answer (CATALOGUE_ANSWER), or in a
 * dictionary (CATALOGUE_KEY); the row for any name where there is one. NULL: there is none. */
cat catalogue_key(cat node, enum catalogue_kind kind, const char *name);
/* What an array holds: the shape that its dictionaries name under Item, where there are several
 * (NULL: there is none of that name), otherwise the only one. */
cat catalogue_item(cat array, const char *shape);
/* The row of a string's value, or NULL. */
cat catalogue_value(cat string, const char *value);
/* A row by its path from the command: "Options.PurchaseMethod", "Settings[Wallpaper].Image",
 * "Updates[].Priority"; an answer's after "answer:". NULL: there is none. */
cat catalogue_path(cat command, const char *path);
/* How many rows there are; each has a number below it. */
size_t catalogue_rows(void);
size_t catalogue_row(cat node);

/* What a row is, its type, and a type's name. */
enum catalogue_kind catalogue_kind(cat node);
enum catalogue_type catalogue_type(cat node);
const char *catalogue_type_name(enum catalogue_type t);
/* "" for what an array holds in one shape only. */
const char *catalogue_name(cat node);
/* A line for people, "" where the name says it all. */
const char *catalogue_about(cat node);
bool catalogue_is(cat node, enum catalogue_flag flag);
/* The row above; NULL for a command. */
cat catalogue_parent(cat node);
/* Whether a NotNow never comes on that platform. */
bool catalogue_never_notnow(cat command, enum platform p);
/* The values there are, as text (numbers in decimal); 0: any. */
size_t catalogue_values(cat node);
const char *catalogue_value_at(cat node, size_t i);
/* The value that holds when the key is absent, as text, or NULL. */
const char *catalogue_default(cat node);
/* The range of a number. False: there is none. */
bool catalogue_range(cat node, double *low, double *high);
/* What else must hold of it: rule i below catalogue_rules_n(), with its arguments. */
size_t catalogue_rules_n(cat node);
enum rule catalogue_rule(cat node, size_t i, const char **args);
/* What holds on a platform, with what the rows above say. */
struct catalogue_support catalogue_support(cat node, enum platform p);

/* A row with all that is below it, as it stands in the catalogue (platforms say what differs from
 * the row above), or all commands; the caller frees it. */
js catalogue_json(cat node);
js catalogue_json_all(void);

#endif
