/* totp.c: see totp.h. */
#include "wire/totp.h"

#include <stdio.h>

#include "base/clock.h"
#include "wire/encode.h"

void totp_code(struct bytes secret, int64_t step, char out[TOTP_DIGITS + 1])
{
    uint8_t counter[8], mac[SHA1_LEN];
    for (int i = 7; i >= 0; i--, step >>= 8)
        counter[i] = (uint8_t)step;
    hmac_sha1(secret, bytes_of(counter, sizeof counter), mac);
    const uint8_t *p = mac + (mac[SHA1_LEN - 1] & 0x0f); /* RFC 4226 section 5.3 */
    uint32_t n = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    snprintf(out, TOTP_DIGITS + 1, "%06u", n % 1000000u);
    secret_wipe(mac, sizeof mac);
}

int64_t totp_match(struct bytes secret, const char *code, int64_t now)
{
    int64_t step = now / (TOTP_STEP_S * SECOND_US), found = -1;
    char want[TOTP_DIGITS + 1];
    for (int64_t s = step - 1; s <= step + 1; s++) {
        totp_code(secret, s, want);
        if (secret_equal(bytes_str(want), bytes_str(code)))
            found = s;
    }
    secret_wipe(want, sizeof want);
    return found;
}
