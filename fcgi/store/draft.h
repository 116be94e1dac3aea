/* draft.h: profiles that are being made or changed and are not in the library yet. What a draft
 * holds is the business of library/draft.h. */
#ifndef DROVER_STORE_DRAFT_H
#define DROVER_STORE_DRAFT_H

#include "store/db.h"

struct draft {
    int64_t id;
    int64_t item_id; /* the item that gets a version of it; 0: it becomes a new item */
    int base;        /* number of the version it was begun from; 0: none */
    int revision;    /* counts what was stored of it */
    const char *name, *identifier;
    int64_t size, created_at, changed_at;
    const char *created_by, *changed_by;
};

/* Stores a new draft: d with an id of id_new(), for which content was sealed; revision becomes 1.
 */
enum outcome draft_add(struct db *db, struct draft *d, struct bytes content, const char *actor,
                       int64_t now, struct err *err) MUST_USE;
/* Stores name, identifier, base and content of a draft; d->revision is what it was read with, and
 * one more then. CONFLICT: it was stored by somebody else since; NOT_FOUND: there is none. */
enum outcome draft_store(struct db *db, struct draft *d, struct bytes content, const char *actor,
                         int64_t now, struct err *err) MUST_USE;
/* content may be NULL. NOT_FOUND: there is none of that id. */
enum outcome draft_get(struct db *db, int64_t id, struct arena *a, struct draft *out,
                       struct bytes *content, struct err *err) MUST_USE;
/* At most max (LIM_PAGE) drafts, those stored last first; item_id: of that item alone, 0: all. */
enum outcome draft_list(struct db *db, int64_t item_id, size_t max, struct arena *a,
                        struct draft **out, size_t *n, struct err *err) MUST_USE;
/* One that is gone already is deleted. revision: only if it is still that one; 0: whatever it is.
 */
enum outcome draft_delete(struct db *db, int64_t id, int revision, const char *actor,
                          const char *why, struct err *err) MUST_USE;

#endif
