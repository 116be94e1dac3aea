/* catalogue_int.h: the form of the tables that scripts/catalogue makes; for
 * catalogue*.c. */
#ifndef DROVER_COMMAND_CATALOGUE_INT_H
#define DROVER_COMMAND_CATALOGUE_INT_H

#include "command/catalogue.h"

/* Strings are places in catalogue_pool, 0 is "". Rows are places in catalogue_nodes, 0 is none. */
struct catalogue_node {
    uint16_t name, about;
    uint16_t parent;    /* 0 for a command */
    uint16_t end;       /* behind the last row below this one */
    uint16_t os;        /* in catalogue_oses, os_n of them */
    uint16_t values;    /* in catalogue_values, values_n of them */
    uint16_t rules;     /* in catalogue_rules, rules_n of them */
    uint16_t low, high; /* of a number; 0: none */
    uint16_t deflt;     /* 0: none */
    uint8_t os_n, values_n, rules_n;
    uint8_t kind, type, flags;
    uint8_t never_notnow; /* 1 << platform */
};

/* What a row says of a platform; the rest is as above it. */
struct catalogue_os {
    uint16_t introduced, deprecated, removed; /* 0: not said */
    uint16_t right1;                          /* 1 + enum right; 0: not said */
    uint8_t platform;
    uint8_t supervised, dep, device, user;      /* enum says */
    uint8_t shared, shared_device, shared_user; /* enum mode, says, says */
    uint8_t user_enrolment;                     /* enum mode */
};

struct catalogue_rule {
    uint8_t rule;  /* enum rule */
    uint16_t args; /* words */
};

extern const char catalogue_pool[];
extern const struct catalogue_os catalogue_oses[];
extern const uint16_t catalogue_values_pool[];
extern const struct catalogue_rule catalogue_rules[];
extern const struct catalogue_node catalogue_nodes[];
extern const uint16_t catalogue_commands[];
extern const size_t catalogue_commands_n, catalogue_nodes_n;

#endif
