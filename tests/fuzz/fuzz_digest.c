/* fuzz_digest.c: the Authorization of HTTP Digest, as anybody may send it. */
#include "base/limits.h"
#include "fuzz.h"
#include "wire/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;
    struct digest_answer d;
    if (!a)
        a = arena_new(LIM_MB);
    const char *text = arena_strndup(a, (const char *)p, n < 65536 ? n : 65536);
    if (text && digest_read(a, text, &d, NULL) == OK) {
        const char *const parts[] = {d.username, d.realm,  d.nonce, d.uri,
                                     d.nc,       d.cnonce, d.qop,   d.response};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            for (const char *s = parts[i]; *s; s++)
                FUZZ_CHECK((unsigned char)*s >= ' ' && *s != 0x7f);
        FUZZ_CHECK(strlen(d.nc) == 8);
        FUZZ_CHECK(digest_check(&d, "0123456789abcdef0123456789abcdef", "POST", NULL) != OK);
    }
    arena_reset(a);
    return 0;
}
