/* qr.c: see qr.h. */
#include "wire/qr.h"

#include <qrencode.h>

#include "base/buf.h"
#include "base/limits.h"

enum outcome qr_make(struct arena *a, const char *text, struct qr *out, struct err *err)
{
    struct buf b = BUF_INIT(LIM_MB);
    *out = (struct qr){0};
    if (strlen(text) > QR_TEXT_MAX)
        return err_set(err, INVALID, "a QR code holds at most %d octets here", QR_TEXT_MAX);
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
    if (!code)
        return err_set(err, ERROR, "no QR code could be made of %zu octets", strlen(text));
    for (int y = 0; y < code->width; y++)
        for (int x = 0, n; x < code->width; x += n) {
            const unsigned char *row = code->data + y * code->width;
            for (n = 1; x + n < code->width && (row[x + n] & 1) == (row[x] & 1);)
                n++;
            if (row[x] & 1)
                buf_fmt(&b, "M%d %dh%dv1h-%dz", x + QR_QUIET, y + QR_QUIET, n, n);
        }
    out->size = code->width + 2 * QR_QUIET;
    out->d = buf_failed(&b) ? NULL : arena_strdup(a, buf_cstr(&b));
    QRcode_free(code);
    buf_wipe(&b);
    return out->d ? OK : err_set(err, ERROR, "out of memory");
}
