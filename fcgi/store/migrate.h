/* migrate.h: brings the schema to this program's version from sql/schema/NNNN-name.sql. */
#ifndef DROVER_STORE_MIGRATE_H
#define DROVER_STORE_MIGRATE_H

#include "store/db.h"

/* The number of the newest schema file this program was written for. */
#define SCHEMA_VERSION 61

/* Applies the files of dir that the database lacks, in order of their numbers: these alone tell
 * them apart, and two may share a name, as 0020-crl.sql and 0021-crl.sql do, which stay as they are
 * since they were applied; one host at a time (a named lock). Each statement is run once: progress
 * is recorded after each, so that a run that was cut off goes on where it stopped. INVALID: a file
 * that was applied has since changed, a number is missing. */
enum outcome migrate_run(struct db *db, const char *dir, bool dry_run, int *applied,
                         struct err *err) MUST_USE;
/* The version the database has; 0 when it is empty. */
enum outcome migrate_version(struct db *db, int *version, struct err *err) MUST_USE;
/* Runs a file of GRANT statements (sql/grants.sql) with @db@, @mdm@, @console@, @agent@ replaced.
 */
enum outcome migrate_grants(struct db *db, const char *path, const struct conf *conf,
                            struct err *err) MUST_USE;

#endif
