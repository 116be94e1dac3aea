/* filehash.h: digests of a file, as a whole and of its parts. */
#ifndef DROVER_WIRE_FILEHASH_H
#define DROVER_WIRE_FILEHASH_H

#include "base/arena.h"

struct filehash {
    int64_t size;
    uint8_t sha256[32];           /* of the whole */
    size_t n;                     /* parts */
    const char **sha256s, **md5s; /* of each, lower-case hexadecimal, in the arena */
};
/* Reads an open file from its start, in parts of `part` octets. MD5 is for devices that know no
 * other digest in manifests; nothing relies on it. ERROR: reading, memory. */
enum outcome filehash_read(struct arena *a, int fd, size_t part, struct filehash *out,
                           struct err *err) MUST_USE;

#endif
