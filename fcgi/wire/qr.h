/* qr.h: QR codes (ISO/IEC 18004) as the path of an SVG. The only user of libqrencode. */
#ifndef DROVER_WIRE_QR_H
#define DROVER_WIRE_QR_H

#include "base/arena.h"

#define QR_TEXT_MAX 2000
#define QR_QUIET 4 /* modules of white around the code that readers want */

/* A square of `size` modules, white around it included, whose dark modules are the path `d`. */
struct qr {
    int size;
    const char *d;
};
/* The code of a text, with error correction M; d in a. INVALID: longer than QR_TEXT_MAX. */
enum outcome qr_make(struct arena *a, const char *text, struct qr *out, struct err *err) MUST_USE;

#endif
