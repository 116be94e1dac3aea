/*
 * payloads.h: the payload types of configuration profiles, as data: payloads.txt says them. It is
 * part of the program and read once; what is read does not change, so that many threads may look.
 */
#ifndef DROVER_LIBRARY_PAYLOADS_H
#define DROVER_LIBRARY_PAYLOADS_H

#include "base/buf.h"
#include "command/validate.h"

/* Words of a type and of a platform; the names are those of payloads.txt. */
enum payload_flag {
    PAYLOAD_ACCOUNT = 1,
    PAYLOAD_RESTRICTION = 2,
    PAYLOAD_GIVES = 4,
    PAYLOAD_ENROLMENT = 8,
    PAYLOAD_MANY = 16,
    PAYLOAD_SUPERVISED = 32,
    PAYLOAD_DEP = 64,
    PAYLOAD_APPROVED = 128,
    PAYLOAD_MDM_ONLY = 256,
    PAYLOAD_USER = 512,
    PAYLOAD_NO_DEVICE = 1024,
    PAYLOAD_NO_DEVICE_SHARED = 2048,
    PAYLOAD_NO_USER_ENROLMENT = 4096,
    PAYLOAD_NO_SHARED = 8192
};

struct payload_os {
    uint16_t introduced; /* 0: not on this platform */
    uint16_t deprecated, removed;
    unsigned flags;
};

struct payload_type {
    const char *name;
    unsigned flags;
    struct payload_os os[PLATFORM__MAX];
};

/* The type of that name, or NULL. Case counts. */
const struct payload_type *payload_find(const char *name);
/* All of them, by name. */
size_t payload_count(void);
const struct payload_type *payload_at(size_t i);

/* Why a device cannot have a payload of that type, in words ("is not for tvOS"), or NULL: it can,
 * as far as is known. */
const char *payload_refuses(const struct payload_type *t, const struct device_facts *facts);

/* Where something is, as JSON: {"iOS": {"introduced": "7.0"}}; the caller frees it. */
js payload_platforms_json(const struct payload_os list[PLATFORM__MAX]);
/* A type as JSON, as it stands in payloads.txt; the caller frees it. */
js payload_json(const struct payload_type *t);

#endif
