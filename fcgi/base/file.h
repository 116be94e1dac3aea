/* file.h: whole files. */
#ifndef DROVER_BASE_FILE_H
#define DROVER_BASE_FILE_H

#include "base/arena.h"
#include "base/err.h"

/* A whole file of at most max octets, in a. NOT_FOUND: there is none; DENIED: this account may not
 * read it; INVALID: it is longer; ERROR: anything else. */
enum outcome file_read(const char *path, size_t max, struct arena *a, struct bytes *out,
                       struct err *err) MUST_USE;
/* The same of a descriptor, which stays open; name: what messages call it. */
enum outcome file_read_fd(int fd, const char *name, size_t max, struct arena *a, struct bytes *out,
                          struct err *err) MUST_USE;

#endif
