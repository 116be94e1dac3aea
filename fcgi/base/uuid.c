/* uuid.c: randomness from the kernel. */
#include "base/uuid.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

void random_bytes(void *p, size_t n)
{
    unsigned char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            static const char why[] = "drover: getrandom(2) gave no randomness, ending\n";
            ssize_t ignored = write(STDERR_FILENO, why, sizeof why - 1);
            (void)ignored;
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

void uuid_v4(char out[UUID_LEN + 1])
{
    static const char digit[] = "0123456789ABCDEF";
    uint8_t r[16];
    random_bytes(r, sizeof r);
    r[6] = (uint8_t)((r[6] & 0x0f) | 0x40); /* version 4 */
    r[8] = (uint8_t)((r[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
    char *p = out;
    for (size_t i = 0; i < sizeof r; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digit[r[i] >> 4];
        *p++ = digit[r[i] & 15];
    }
    *p = '\0';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool uuid_valid(const char *s)
{
    if (!s)
        return false;
    for (size_t i = 0; i < UUID_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : !is_hex(s[i]))
            return false;
    }
    return s[UUID_LEN] == '\0';
}
