/* profiles.h: profiles of the library: from the file that is uploaded to what a device gets. */
#ifndef DROVER_LIBRARY_PROFILES_H
#define DROVER_LIBRARY_PROFILES_H

#include "base/conf.h"
#include "command/validate.h"
#include "store/library.h"

/* A file to be put into the library. */
struct profile_put {
    /* in */
    struct bytes file;
    int64_t item_id;  /* the item that gets a version; 0: a new item */
    const char *name; /* of a new item; NULL: what the profile calls itself */
    int signing;      /* enum library_signing of a new item; negative: as uploaded if it was signed
                       * and holds no variables, else signed on delivery */
    bool stage;       /* a version that devices are not to have yet */
    const char *actor;
    int64_t now;
    /* out */
    int64_t stored_id; /* of the item */
    int number;        /* of the version */
    bool repeated;     /* the newest version is the same file */
    struct findings found;
};

/* Reads, checks, seals and stores it: a configuration profile or a provisioning profile, whichever
 * the file is. INVALID: it is neither, or p->found has errors; CONFLICT and NOT_FOUND as
 * library_add(); ERROR: the key to seal with cannot be read, or memory. */
enum outcome profile_put(struct db *db, const struct conf *conf, struct arena *a,
                         struct profile_put *p, struct err *err) MUST_USE;

/* Opens the file of a version, by the signer, into out, which the caller wipes. UNAVAILABLE: the
 * signer is away. */
enum outcome profile_open(int64_t version_id, struct bytes sealed, struct buf *out,
                          struct err *err) MUST_USE;

/* "drover", "uploaded", "none"; and back: negative for any other word or NULL. */
const char *profile_signing_name(int signing);
int profile_signing_read(const char *word);

#endif
