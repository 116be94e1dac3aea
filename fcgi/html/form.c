/* form.c: see form.h. */
#include "html/form.h"

#include "wire/encode.h"

void form_token(struct bytes secret, char out[FORM_TOKEN_LEN + 1])
{
    uint8_t mac[SHA256_LEN];
    hmac_sha256(secret, bytes_str("drover form"), mac);
    hex_encode(bytes_of(mac, sizeof mac), out);
}

bool form_token_valid(struct bytes secret, const char *given)
{
    char want[FORM_TOKEN_LEN + 1];
    if (!given)
        return false;
    form_token(secret, want);
    return secret_equal(bytes_str(want), bytes_str(given));
}
