/* gzip.h: octets packed once, to be sent often. */
#ifndef DROVER_WIRE_GZIP_H
#define DROVER_WIRE_GZIP_H

#include "base/buf.h"

/* Adds the gzip form (RFC 1952, no name, no time) of `in` to out. ERROR: memory, or out's ceiling.
 */
enum outcome gzip_pack(struct bytes in, struct buf *out, struct err *err) MUST_USE;

#endif
