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
    int base;         /* the newest version that the maker knew; 0: whatever it is */
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

/* What a file is, read and checked, and not stored. */
struct profile_look {
    int kind; /* enum library_kind; 0: it is neither */
    const char *identifier, *name, *uuid, *signed_by, *types;
    const char *display_name, *description, *organization, *scope; /* of a configuration profile */
    const char *team, *app_id;                                     /* of a provisioning profile */
    size_t devices; /* the same: UDIDs it is limited to; 0: not limited to some */
    unsigned variables, platforms;
    int64_t expires_at;
    bool encrypted, removal_disallowed;
    struct findings found;
};
/* INVALID: it is neither, or out->found has errors, as where it has the identifier of the profile
 * by which this server manages devices; out is filled as far as it could be read. */
enum outcome profile_look(struct db *db, const struct conf *conf, struct arena *a,
                          struct bytes file, int64_t now, struct profile_look *out,
                          struct err *err) MUST_USE;

/* The file of a version as it was uploaded, opened for a person, which goes to the audit log.
 * number: of the version; 0: the current one. *out is the caller's to wipe. Outcomes as
 * library_get(), library_version_get() and profile_open(). */
enum outcome profile_file(struct db *db, struct arena *a, const struct library_item *item,
                          int number, const char *actor, struct buf *out, struct err *err) MUST_USE;
/* The same for what a page tells of it with its secrets left out: no entry. */
enum outcome profile_content(struct db *db, struct arena *a, const struct library_item *item,
                             int number, struct buf *out, struct err *err) MUST_USE;

/* Seals a file under a label. */
enum outcome profile_seal(const struct conf *conf, struct arena *a, struct bytes file,
                          const char *purpose, int64_t id, struct bytes *out,
                          struct err *err) MUST_USE;

/* Opens the file of a version, by the signer, into out, which the caller wipes. UNAVAILABLE: the
 * signer is away. */
enum outcome profile_open(int64_t version_id, struct bytes sealed, struct buf *out,
                          struct err *err) MUST_USE;

/* "profile" (what it says of itself), "device", "user"; and back: negative for any other word or
 * NULL. */
const char *profile_channel_name(int channel);
int profile_channel_read(const char *word);
/* Is it for the users of devices? */
bool profile_for_users(const struct library_item *item);

/* "drover", "uploaded", "none"; and back: negative for any other word or NULL. */
const char *profile_signing_name(int signing);
int profile_signing_read(const char *word);

#endif
