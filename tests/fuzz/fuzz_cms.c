/* fuzz_cms.c: signed messages, certificates and requests, as anybody may send them. */
#include "base/limits.h"
#include "fuzz.h"
#include "wire/cms.h"

static void as_signature(struct arena *a, struct bytes in)
{
    struct bytes signer = {0}, chain[4], content = {0};
    struct cert_info info;
    size_t n = 4;
    if (cms_verify_detached(a, in, bytes_str("<plist>body</plist>"), &signer, chain, &n, NULL) ==
        OK) {
        FUZZ_CHECK(signer.n && n <= 4);
        FUZZ_CHECK(cert_info_read(a, signer, &info, NULL) != ERROR);
    }
    n = 4;
    if (cms_verify_attached(a, in, &content, &signer, chain, &n, NULL) == OK)
        FUZZ_CHECK(signer.n && content.p && n <= 4);
}

static void as_certificate(struct arena *a, struct trust *t, struct bytes in)
{
    struct cert_info info;
    struct bytes certs[4];
    const char *why = NULL;
    size_t n = 0;
    if (cert_info_read(a, in, &info, NULL) == OK) {
        FUZZ_CHECK(info.subject && info.common_name && info.issuer && info.serial && info.topic);
        FUZZ_CHECK(trust_check(t, in, &in, 1, 1800000000000000, &why) != TRUST_GOOD && why);
    }
    if (cert_from_pem(a, in, certs, 4, &n, NULL) == OK)
        FUZZ_CHECK(n >= 1 && n <= 4 && certs[n - 1].n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;
    static struct trust *t;
    struct bytes in = bytes_of(p, n);
    struct csr_info csr;
    struct err err;
    if (!a) {
        a = arena_new(16 * LIM_MB);
        FUZZ_CHECK(trust_new(&t, &err) == OK);
    }
    as_signature(a, in);
    as_certificate(a, t, in);
    if (csr_read(a, in, &csr, NULL) == OK)
        FUZZ_CHECK(csr.subject && csr.common_name && csr.challenge && csr.key_bits > 0);
    arena_reset(a);
    return 0;
}
