/*
 * contents.h: what a configuration profile holds, for people: every value with its place, secrets
 * left out; and what differs between two of them.
 */
#ifndef DROVER_LIBRARY_CONTENTS_H
#define DROVER_LIBRARY_CONTENTS_H

#include "base/arena.h"
#include "wire/encode.h"
#include "wire/plist.h"

#define CONTENT_FACTS_MAX 4000u  /* of a profile; more are counted, not told */
#define CONTENT_CHANGES_MAX 500u /* the same */

enum content_kind {
    CONTENT_TEXT,
    CONTENT_TRUE,
    CONTENT_FALSE,
    CONTENT_EMPTY,  /* a list or dictionary without anything in it */
    CONTENT_DATA,   /* text: how many octets, or whose certificate */
    CONTENT_SECRET, /* there is one; what it is is not told */
    CONTENT_ABSENT  /* of a change: not there */
};

struct content_value {
    enum content_kind kind;
    const char *text; /* shortened; "" where the kind says it all */
};

struct content_fact {
    const char *path; /* "EAPClientConfiguration.AcceptEAPTypes[0]" */
    struct content_value value;
    uint8_t sum[SHA256_LEN]; /* of the whole value */
};

struct content_payload {
    const char *type, *identifier, *name; /* PayloadDisplayName; "" */
    struct content_fact *facts;           /* without those every payload has */
    size_t n;
};

struct contents {
    struct content_fact *root; /* of the profile itself */
    size_t nroot;
    struct content_payload *payloads;
    size_t n;
    bool encrypted; /* its payloads cannot be seen */
    size_t left_out;
};
/* Everything is in a. file: a profile, signed or not. INVALID: it is none; ERROR: memory. */
enum outcome contents_read(struct arena *a, struct bytes file, struct contents *out,
                           struct err *err) MUST_USE;

struct content_change {
    const struct content_payload *payload; /* NULL: the profile itself */
    const char *path;                      /* "": the whole payload came or went */
    struct content_value was, became;
};
struct content_changes {
    struct content_change *list;
    size_t n, left_out;
};
/* What differs; a payload is the same one by its PayloadIdentifier. */
enum outcome contents_compare(struct arena *a, const struct contents *old,
                              const struct contents *new, struct content_changes *out,
                              struct err *err) MUST_USE;

/* Is the value of a key in a payload of that type one that is not to be shown: a password, a shared
 * secret, a private key? */
bool content_secret(const char *type, const char *key, pl value);

#endif
