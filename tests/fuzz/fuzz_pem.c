/* fuzz_pem.c: what operators bring as PEM: certificates with a key, and requests to be signed. */
#include "base/limits.h"
#include "fuzz.h"
#include "push/pem_parts.h"
#include "push/pushcert.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;
    struct bytes in = bytes_of(p, n), der;
    struct pem_parts parts = {.key = BUF_INIT(PUSHCERT_PEM_MAX)};
    struct pushcert cert = {0};
    struct csr_info csr;
    size_t leaf = 0;
    if (!a)
        a = arena_new(16 * LIM_MB);
    if (pem_parts_read(a, in, &parts, NULL) == OK) {
        FUZZ_CHECK(parts.ncert >= 1 && parts.ncert <= PEM_PARTS_MAX);
        if (parts.key.len > 0 && pem_parts_leaf(&parts, &leaf, NULL) == OK)
            FUZZ_CHECK(leaf < parts.ncert);
    }
    buf_wipe(&parts.key);
    if (pushcert_check(a, in, &cert, NULL) == OK)
        FUZZ_CHECK(cert.cert_der.n && cert.info.topic[0]);
    pushcert_wipe(&cert);
    if (csr_from_pem(a, in, &der, NULL) == OK && csr_read(a, der, &csr, NULL) == OK)
        FUZZ_CHECK(csr.subject);
    arena_reset(a);
    return 0;
}
