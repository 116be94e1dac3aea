/*
 * draft.h: profiles that are being made or changed: a file, sealed, which is in the library only
 * once it is published. Uploads, the form and the raw editor all go by way of one, so that what it
 * would change can be seen first, and so that nothing is lost when two people change the same.
 */
#ifndef DROVER_LIBRARY_DRAFT_H
#define DROVER_LIBRARY_DRAFT_H

#include "library/profiles.h"
#include "store/draft.h"

/* Begins a draft with a file; d: item_id (0: the item of the file's identifier, where there is one,
 * otherwise a new one), base, name ("": what the profile calls itself). The file
 * may hold faults, but must be a property list, in a signature or not: INVALID otherwise. */
enum outcome profile_draft_new(struct db *db, const struct conf *conf, struct arena *a,
                               struct draft *d, struct bytes file, const char *actor, int64_t now,
                               struct err *err) MUST_USE;
/* Begins one with a version of an item (0: the current one); base is the newest version. */
enum outcome profile_draft_of(struct db *db, const struct conf *conf, struct arena *a,
                              const struct library_item *item, int number, const char *actor,
                              int64_t now, struct draft *d, struct err *err) MUST_USE;
/* A draft and its file, which the caller wipes. NOT_FOUND; UNAVAILABLE: the signer is away. */
enum outcome profile_draft_open(struct db *db, struct arena *a, int64_t id, struct draft *d,
                                struct buf *file, struct err *err) MUST_USE;
/* Stores a file in its place. CONFLICT: the draft was stored by somebody else since d was read. */
enum outcome profile_draft_keep(struct db *db, const struct conf *conf, struct arena *a,
                                struct draft *d, struct bytes file, const char *actor, int64_t now,
                                struct err *err) MUST_USE;
/* Puts it into the library and deletes it. p: stage, base, actor, now; the rest is set here. What
 * of two writes is lost to a crash between them is the deletion: the version that is there already
 * is recognised when it is published again. A draft that somebody stored meanwhile stays. Outcomes
 * as profile_put(). */
enum outcome profile_draft_publish(struct db *db, const struct conf *conf, struct arena *a,
                                   const struct draft *d, struct bytes file, struct profile_put *p,
                                   struct err *err) MUST_USE;

/* The number of the item's newest version (0: there is none), and whether that is this very file.
 */
enum outcome profile_draft_same(struct db *db, struct arena *a, int64_t item_id, struct bytes file,
                                int *newest, bool *same, struct err *err) MUST_USE;

#endif
