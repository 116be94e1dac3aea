/* secretfile.h: a secret that stands in the first line of a file. */
#ifndef DROVER_BASE_SECRETFILE_H
#define DROVER_BASE_SECRETFILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads the first line, without its end, into out, which has room for max octets and a NUL; read
 * each time, so that a change needs no reload. ERROR names the file: it cannot be read, is empty,
 * longer than max or shorter than min. The caller wipes it. */
enum outcome secretfile_read(const char *path, size_t min, size_t max, char *out,
                             struct err *err) MUST_USE;

#endif
