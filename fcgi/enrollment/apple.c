/* apple.c: see apple.h. */
#include "enrollment/apple.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/limits.h"
#include "wire/cms.h"
#include "wire/encode.h"

#define FILE_MAX (256u * LIM_KB)

const struct apple_ca apple_cas[] = {
    {"Apple Root CA", "b0b1730ecbc7ff4505142c49f1295e6eda6bcaed7e2c68c5be91b5a11001f024",
     "root of the CAs of iPhones, iPads and Macs"},
    {"Apple Root CA - G2", "c2b9b042dd57830e7d117dac55ac8ae19407d38e41d88f3215bc3a890444a050",
     "root of newer CAs"},
    {"Apple Root CA - G3", "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179",
     "root of newer CAs"},
    {"Apple iPhone Certification Authority",
     "e4e2936d3c076ec4aea8ac37277524950ca005894b39bba2d347fa33155ae5fa",
     "issuer of Apple iPhone Device CA; ended in 2022 and still in use"},
    {"Apple iPhone Device CA", "76f27d00e1333bc88de0e2916c38c9a7f2b75774c25a794c092a80e3c4c66cce",
     "issuer of devices' built-in identities; ended in 2014 and still in use"},
};
const size_t apple_cas_n = sizeof apple_cas / sizeof *apple_cas;

const struct apple_ca *apple_ca_find(const uint8_t sha256[CERT_SHA256_LEN])
{
    char hex[SHA256_HEX_LEN + 1];
    hex_encode(bytes_of(sha256, CERT_SHA256_LEN), hex);
    for (size_t i = 0; i < apple_cas_n; i++)
        if (strcmp(apple_cas[i].sha256, hex) == 0)
            return &apple_cas[i];
    return NULL;
}

enum outcome apple_roots_read(const struct conf *conf, struct arena *a,
                              struct bytes der[APPLE_ROOTS_MAX], size_t *n, struct err *err)
{
    const char *path = conf->apple_roots;
    *n = 0;
    if (!path[0])
        return err_set(err, UNAVAILABLE, "[apple] roots names no file: no device can prove itself");
    uint8_t *text = arena_alloc(a, FILE_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 || !text ? -1 : read(fd, text, FILE_MAX);
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    if (len < 0)
        return err_set(err, UNAVAILABLE, "[apple] roots %s: %m", path);
    if (cert_from_pem(a, bytes_of(text, (size_t)len), der, APPLE_ROOTS_MAX, n, err) != OK)
        return err_set(err, INVALID, "[apple] roots %s holds no sound PEM certificates", path);
    return OK;
}

static enum outcome trusted_make(const struct conf *conf, struct arena *a, struct trust **out,
                                 struct err *err)
{
    struct bytes der[APPLE_ROOTS_MAX];
    size_t n;
    enum outcome o = apple_roots_read(conf, a, der, &n, err);
    if (o == OK)
        o = trust_new(out, err);
    for (size_t i = 0; o == OK && i < n; i++)
        o = trust_add(*out, der[i], err);
    if (o == OK)
        trust_pin_issuers(*out);
    return o == INVALID ? err_set(err, UNAVAILABLE, "[apple] roots: %.300s", err->msg) : o;
}

enum outcome attested_read(struct bytes cms, enum machine_info_use use, struct arena *a,
                           struct attested *out, struct err *err)
{
    struct bytes content;
    *out = (struct attested){.nchain = ATTESTED_CHAIN_MAX};
    enum outcome o =
        cms_verify_attached(a, cms, &content, &out->signer, out->chain, &out->nchain, err);
    return o == OK ? machine_info_read(a, content, use, &out->info, err) : o;
}

enum outcome attested_by_apple(const struct conf *conf, const struct attested *d, int64_t now,
                               struct arena *a, struct err *err)
{
    const char *why = "";
    struct trust *t = NULL;
    enum outcome o = trusted_make(conf, a, &t, err);
    if (o == OK && trust_check(t, d->signer, d->chain, d->nchain, now, &why) != TRUST_GOOD)
        o = err_set(err, DENIED, "the device's certificate does not count: %s", why);
    trust_free(&t);
    return o;
}
