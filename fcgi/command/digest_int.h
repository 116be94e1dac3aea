/* digest_int.h: what the files that read reports share. */
#ifndef DROVER_COMMAND_DIGEST_INT_H
#define DROVER_COMMAND_DIGEST_INT_H

#include "command/catalogue.h"
#include "store/digest.h"
#include "store/inventory.h"
#include "wire/plist.h"

/* A report that is being read; its tree is used up on the way. */
struct digesting {
    struct db *db;
    struct arena *a;
    const struct digest_report *r;
    struct inv_source src;
    struct inv_events events;
    pl root;    /* the report */
    pl command; /* what was asked: its dictionary Command; NULL where that does not matter */
    struct err *err;
    enum outcome secrets_outcome;
};

/* INVALID: the report is not what it should be; it is set aside. */
typedef enum outcome digest_fn(struct digesting *d);

/* digest_facts.c */
digest_fn digest_device_information, digest_security_info, digest_lost_mode_on,
    digest_lost_mode_off;
/* digest_lists.c */
digest_fn digest_profiles, digest_provisioning, digest_certificates, digest_restrictions,
    digest_users, digest_updates, digest_update_status, digest_settings, digest_answer;
/* digest_apps.c */
digest_fn digest_apps, digest_managed_apps, digest_install_app, digest_remove_app,
    digest_app_configuration, digest_app_attributes, digest_app_feedback;
/* digest_redemption.c */
digest_fn digest_redemption;
/* The device did not use the redemption code of an app: is it one that Drover gave it, and free
 * again? A failure is noted in d->secrets_outcome. */
bool digest_code_back(struct digesting *d, const char *identifier);

/* --- digest_map.c: from a dictionary to a row --- */

/* Fills the columns of t that have a key from dict, out of which they are taken, and the last one,
 * INV_EXTRA, with what is left. row has t->n values; those without a key are left alone. Texts are
 * in a. */
enum outcome digest_row(struct digesting *d, const struct inv_table *t, pl dict, struct val *row);
/* One column's value; NULL (of SQL) when it is absent or of another type. It is not taken out. */
struct val digest_value(struct digesting *d, const struct inv_column *c, pl dict);
/* Takes a column's key out of dict. */
void digest_take_out(const struct inv_column *c, pl dict);
/* The number of that column of t; t->n: there is none. */
unsigned digest_column(const struct inv_table *t, const char *name);
/* A text as it can be a key: cut to max characters, without blanks at its end. NULL stays NULL. */
const char *digest_key(struct digesting *d, const char *s, size_t max);
/* The array `key` of the command that was sent names text; or there is none, and all are meant. */
bool digest_asked(const struct digesting *d, const char *key, const char *text);
bool digest_flag(const struct digesting *d, const char *key);
/* The ErrorChain of dict as rows of item `item`. */
enum outcome digest_errors(struct digesting *d, pl dict, int item);
enum outcome digest_no_memory(struct digesting *d);

#define DIGEST_EXTRA_MAX (1024u * 1024u) /* octets of JSON beside a row's columns */
#define DIGEST_ROWS_MAX 20000u           /* rows of one list that are kept */

#endif
