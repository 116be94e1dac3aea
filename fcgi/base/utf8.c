/* utf8.c: one decoder; plain ASCII goes eight octets at a time. */
#include "base/utf8.h"

size_t utf8_next(const uint8_t *p, size_t n, uint32_t *c)
{
    if (n == 0)
        return 0;
    if (p[0] < 0x80) {
        *c = p[0];
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    uint32_t v = p[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *c = v;
    return len;
}

/* How many octets from p on, of n, are ASCII (rounded down to whole words). */
static size_t ascii_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        if (w & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

bool utf8_valid(struct bytes b)
{
    size_t i = 0;
    while (i < b.n) {
        i += ascii_run(b.p + i, b.n - i);
        for (int k = 0; k < 8 && i < b.n; k++) {
            uint32_t c;
            size_t len = utf8_next(b.p + i, b.n - i, &c);
            if (len == 0)
                return false;
            i += len;
        }
    }
    return true;
}

size_t utf8_prefix(const char *s, size_t chars)
{
    size_t n = strlen(s), i = 0;
    while (i < n && chars-- > 0) {
        uint32_t c;
        size_t len = utf8_next((const uint8_t *)s + i, n - i, &c);
        i += len > 0 ? len : 1;
    }
    return i;
}

void utf8_clean_add(struct buf *out, struct bytes b)
{
    size_t from = 0, i = 0;
    while (i < b.n) {
        uint32_t c;
        size_t len = utf8_next(b.p + i, b.n - i, &c);
        if (len == 0) {
            buf_add(out, b.p + from, i - from);
            buf_str(out, "\xef\xbf\xbd");
            from = ++i;
        } else {
            i += len;
        }
    }
    if (b.n > from)
        buf_add(out, b.p + from, b.n - from);
}
