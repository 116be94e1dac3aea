/*
 * inventory_tables.h: the tables of the inventory. Each is described once: its columns, the keys of
 * Apple's answer that fill them, and so its statements. What has no column stands in the column
 * `extra` as JSON.
 */
#ifndef DROVER_STORE_INVENTORY_TABLES_H
#define DROVER_STORE_INVENTORY_TABLES_H

#include "store/db.h"

/* inv_area.area; the numbers are stored. */
enum inv_area {
    INV_NONE,
    INV_DEVICE,
    INV_NETWORK,
    INV_SECURITY,
    INV_PROFILE,
    INV_PROVISIONING,
    INV_CERTIFICATE,
    INV_APP,
    INV_MANAGED_APP,
    INV_RESTRICTION,
    INV_USER,
    INV_UPDATE,
    INV_UPDATE_STATUS,
    INV_SETTING,
    INV__MAX
};

enum inv_type {
    INV_TEXT, /* at most `max` characters */
    INV_INT,
    INV_BOOL,
    INV_REAL, /* travels as text */
    INV_DATE, /* microseconds */
    INV_BIN,
    INV_JSON, /* text that is JSON */
    INV_EXTRA /* JSON object of what has no column; always the last one. With max, one that is
               * longer is not kept */
};

struct inv_column {
    const char *name; /* of the column */
    const char *key;  /* Apple's; "A.B" is B in the dictionary A; "": made by the program */
    enum inv_type type;
    unsigned max;
    bool quiet; /* a change of it is no event: it changes all the time */
};

/* A table with one row for each enrollment (keys 0), or a list whose rows are told apart by its
 * first `keys` columns. */
struct inv_table {
    enum inv_area area;
    const char *word; /* "profiles", as the HTTP API calls it */
    const char *name; /* of the table */
    const struct inv_column *cols;
    unsigned n, keys;
    struct sql read, write, drop, page;
};

/* NULL: no such area. */
const struct inv_table *inv_table(enum inv_area area);
/* "device", "profiles", ...; "?" for anything else. */
const char *inv_area_word(int area);

/* A fact: a column of the tables with one row for each device (device, network, security) that can
 * be shown and compared, by Apple's key. *alias: how statements call its table: d, n, s. NULL:
 * there is none. */
const struct inv_column *inv_fact(const char *key, const char **alias);
/* All of them, one by one; NULL past the last. */
const struct inv_column *inv_fact_at(size_t i);
#define INV_FACT_JOINS                                                                             \
    "LEFT JOIN inv_device d ON d.enrollment_id = e.id LEFT JOIN inv_network n ON n.enrollment_id " \
    "= e.id LEFT JOIN inv_security s ON s.enrollment_id = e.id "

/* "17.4.1" as a number that compares as versions do (17004001), as inv_device.os_number has it; 0:
 * it is none. NULL is accepted. */
int64_t inv_os_number(const char *version);

#endif
