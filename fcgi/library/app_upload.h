/*
 * app_upload.h: the file of an app, part by part, from a browser that may go away and come back.
 * What is there of it stands in [assets] dir, how far it is in the database; when the last part has
 * come the file becomes an app, or a version of one, which devices do not get before somebody says
 * so.
 */
#ifndef DROVER_LIBRARY_APP_UPLOAD_H
#define DROVER_LIBRARY_APP_UPLOAD_H

#include "base/conf.h"
#include "store/upload.h"

#define APP_UPLOAD_PART (4u * 1024u * 1024u) /* octets that the console's script sends at once */

/* Begins one: u with filename, item_id, size, started_by, started_at. Those that nothing happened
 * to for a day are forgotten. INVALID: it would be empty or larger than [assets] max_mb, or its
 * name does not end as that of an app; NOT_FOUND: no such item. */
enum outcome app_upload_begin(struct db *db, const struct conf *conf, struct arena *a,
                              struct upload *u, struct err *err) MUST_USE;
/* A part at that offset; a repeated one changes nothing. *u is how it stands then: DONE and FAILED
 * too (why tells what is wrong with the file), READING while another request reads it. CONFLICT: it
 * goes on elsewhere, u->received tells where; or it was stopped. NOT_FOUND: no such upload of his.
 */
enum outcome app_upload_part(struct db *db, const struct conf *conf, struct arena *a, int64_t id,
                             const char *by, int64_t offset, struct bytes octets, int64_t now,
                             struct upload *u, struct err *err) MUST_USE;
/* Stops one, and takes away what there is of it. CONFLICT: all of it is there already. */
enum outcome app_upload_stop(struct db *db, const struct conf *conf, struct arena *a, int64_t id,
                             const char *by, int64_t now, struct err *err) MUST_USE;

#endif
