/* libkeys.h: RSA key pairs made by threads, so that the loop does not stand still meanwhile. */
#ifndef DROVER_SIM_LIBKEYS_H
#define DROVER_SIM_LIBKEYS_H

#include "libloop.h"
#include <openssl/evp.h>

struct keys;
/* threads: 1 to 16. */
enum outcome keys_new(struct loop *l, unsigned threads, struct keys **out,
                      struct err *err) MUST_USE;
void keys_free(struct keys **k);
/* Calls fn(arg, key) from the loop with a fresh key pair of so many bits; the key is fn's to free,
 * and NULL when OpenSSL failed. */
void keys_ask(struct keys *k, unsigned bits, void (*fn)(void *arg, EVP_PKEY *key), void *arg);

#endif
