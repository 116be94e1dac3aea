/* upload.h: files of apps that come through the browser, part by part. */
#ifndef DROVER_STORE_UPLOAD_H
#define DROVER_STORE_UPLOAD_H

#include "store/db.h"

enum upload_state {
    UPLOAD_OPEN = 1,
    UPLOAD_READING, /* all of it is there; it becomes an app */
    UPLOAD_DONE,
    UPLOAD_FAILED,
    UPLOAD_STOPPED
};
/* "open", "reading", "done", "failed", "stopped"; "?" otherwise. */
const char *upload_state_name(int state);

struct upload {
    int64_t id;
    const char *asset, *filename;
    int64_t item_id, size, received;
    int state;
    const char *why; /* "" */
    int64_t done_item, started_at, changed_at;
    const char *started_by;
};
/* Stores one that begins: id (out), asset, filename, item_id, size, started_by, started_at. */
enum outcome upload_add(struct db *db, struct upload *u, struct err *err) MUST_USE;
/* NOT_FOUND: there is none, or it is somebody else's. */
enum outcome upload_get(struct db *db, int64_t id, const char *by, struct arena *a,
                        struct upload *out, struct err *err) MUST_USE;
/* The latest first, at most max. */
enum outcome upload_list(struct db *db, size_t max, struct arena *a, struct upload **out, size_t *n,
                         struct err *err) MUST_USE;
/* How much has come. */
enum outcome upload_grew(struct db *db, int64_t id, int64_t received, int64_t now,
                         struct err *err) MUST_USE;
/* From one state to another. *moved: it was in that state; of two that move it one does. */
enum outcome upload_move(struct db *db, int64_t id, int from, int to, const char *why,
                         int64_t done_item, int64_t now, bool *moved, struct err *err) MUST_USE;
/* Forgets those that nothing happened to since then. */
enum outcome upload_purge(struct db *db, int64_t before, struct err *err) MUST_USE;

#endif
