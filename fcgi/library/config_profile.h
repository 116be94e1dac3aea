/*
 * config_profile.h: a configuration profile as an administrator uploads it (.mobileconfig), read
 * and checked: an XML or binary property list, signed (CMS) or not.
 */
#ifndef DROVER_LIBRARY_CONFIG_PROFILE_H
#define DROVER_LIBRARY_CONFIG_PROFILE_H

#include "command/validate.h"

#define CONFIG_PROFILE_PAYLOADS_MAX 512u

/* Everything is in the arena; "" or 0 when absent. */
struct config_profile {
    const char *identifier, *uuid; /* PayloadIdentifier, PayloadUUID */
    const char *display_name, *description, *organization;
    const char *scope;       /* "System" or "User", as the profile says; "" */
    const char *signed_by;   /* subject of the signer's certificate; "": not signed */
    const char *types;       /* payload types, each once, space-separated, by name */
    struct bytes plist;      /* the property list, without its signature */
    unsigned variables;      /* bits of library/variables.h */
    unsigned platforms;      /* bits 1 << enum platform: those that have all of its known types */
    bool removal_disallowed; /* PayloadRemovalDisallowed */
    bool encrypted;          /* its payloads cannot be seen */
    int64_t expires_at;      /* PayloadExpirationDate, RemovalDate: what comes first */
    struct findings found;   /* errors, and warnings where best practice is left */
};

/* Reads and checks a file. now: for what has expired. INVALID: it is no configuration profile, or
 * there is an error among the findings; the message tells the first, out->found all of them. Whose
 * certificate signed it is not judged: what is kept is who. ERROR: memory. */
enum outcome config_profile_read(struct arena *a, struct bytes file, int64_t now,
                                 struct config_profile *out, struct err *err) MUST_USE;

/* Takes a signed file out of its signature; a file that is none is given back as it is, with
 * signed_by "". INVALID: the signature is broken. */
enum outcome config_profile_unwrap(struct arena *a, struct bytes file, struct bytes *plist,
                                   const char **signed_by, struct err *err) MUST_USE;

/* Why a device cannot have a profile with these payload types, in words, or NULL. types: as in
 * struct config_profile. The words are in the arena. */
const char *config_profile_refused(struct arena *a, const char *types,
                                   const struct device_facts *facts);

#endif
