/*
 * rules.h: what the catalogue's `rule` lines say: what must hold beyond types and ranges, of a
 * value or between the keys of a dictionary. Their words are those of the enumerators in lower
 * case, with '-'.
 */
#ifndef DROVER_COMMAND_RULES_H
#define DROVER_COMMAND_RULES_H

#include "wire/plist.h"

enum rule {
    /* of a dictionary; KEY=VALUE is a condition, VALUE as text */
    RULE_EXACTLY_ONE, /* KEY...: one of them, and no more */
    RULE_SOME_OF,     /* KEY...: at least one of them */
    RULE_NEEDS,       /* KEY OTHER: with KEY there is OTHER */
    RULE_WHEN,        /* KEY=VALUE OTHER: then there is OTHER */
    RULE_UNLESS,      /* KEY=VALUE OTHER: otherwise there is OTHER */
    RULE_CONFLICT,    /* KEY=VALUE OTHER=VALUE: not both */
    RULE_ONLY_WITH,   /* KEY OTHER=VALUE: KEY only then */
    RULE_CONTAINS,    /* KEY ARRAY VALUE: with KEY the array holds that string */
    /* of a value */
    RULE_RANGE,         /* LOW HIGH */
    RULE_AT_LEAST,      /* LOW */
    RULE_ZERO_OR,       /* LOW: 0, or at least that */
    RULE_LENGTH,        /* N...: so many characters */
    RULE_DIGITS,        /* N: a warning when it is not that many digits */
    RULE_OCTETS,        /* N: at most so many */
    RULE_PRINTABLE,     /* printable ASCII */
    RULE_HTTPS,         /* an https URL */
    RULE_MAC_ADDRESS,   /* "xx:xx:xx:xx:xx:xx" */
    RULE_RIGHT,         /* RIGHT: the profile must have it too */
    RULE_RIGHT_IF_TRUE, /* RIGHT: the same, when the value is true */
    RULE_FILLED,        /* may be absent: Drover puts it in on delivery */
    RULE__MAX
};

/* "exactly-one". Never NULL. */
const char *rule_name(enum rule r);

struct check;
/* Checks one rule of a dictionary or a value against it; findings go to c (validate_int.h). */
void rule_check(struct check *c, enum rule r, const char *args, pl value);

#endif
