/* CMS, judged by the openssl program in both directions. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "wire/cms.h"

static char dir[] = "/tmp/drover-cms-XXXXXX";
static struct arena *a;
static struct err err;

/* Runs a command inside the scratch folder; true when it ends with 0. */
static bool sh(const char *fmt, ...)
{
    char cmd[2048];
    int n = snprintf(cmd, sizeof cmd, "cd %s && { ", dir);
    va_list ap;
    va_start(ap, fmt);
    n += vsnprintf(cmd + n, sizeof cmd - (size_t)n, fmt, ap);
    va_end(ap);
    snprintf(cmd + n, sizeof cmd - (size_t)n, " ; } >log 2>&1");
    return system(cmd) == 0;
}

static struct bytes slurp(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *p = arena_alloc(a, 1 << 20);
    size_t n = fread(p, 1, 1 << 20, f);
    fclose(f);
    return bytes_of(p, n);
}

static void spit(const char *name, struct bytes b)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    fclose(f);
}

static struct bytes cert_of(const char *pem_name)
{
    struct bytes der;
    size_t n;
    assert_int_equal(cert_from_pem(a, slurp(pem_name), &der, 1, &n, &err), OK);
    return der;
}

static int setup(void **state)
{
    (void)state;
    a = arena_new(256u << 20);
    if (!mkdtemp(dir))
        return -1;
    bool ok = sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem "
                 "-subj /CN=rsa -days 30 && "
                 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                 "-keyout ec.key -out ec.pem -subj /CN=ec -days 30 && "
                 "openssl req -x509 -newkey rsa:2048 -nodes -keyout two.key -out two.pem "
                 "-subj /CN=two -days 30 && "
                 "printf '<plist>body</plist>' >body && printf 'other' >other");
    return ok ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char cmd[64];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    arena_free(&a);
    return system(cmd);
}

static enum outcome detached(const char *sig, const char *body, struct bytes *signer)
{
    struct bytes chain[4];
    size_t n = 4;
    return cms_verify_detached(a, slurp(sig), slurp(body), signer, chain, &n, &err);
}

static void openssl_signs_we_verify(void **state)
{
    (void)state;
    static const char *const keys[] = {"rsa", "ec"};
    static const char *const digests[] = {"sha1", "sha256", "sha384", "sha512"};
    for (size_t k = 0; k < 2; k++)
        for (size_t d = 0; d < 4; d++) {
            assert_true(sh("openssl cms -sign -binary -in body -signer %s.pem -inkey %s.key -md %s "
                           "-outform DER -out sig",
                           keys[k], keys[k], digests[d]));
            struct bytes signer;
            char pem[16];
            snprintf(pem, sizeof pem, "%s.pem", keys[k]);
            assert_int_equal(detached("sig", "body", &signer), OK);
            assert_true(bytes_equal(signer, cert_of(pem)));
            assert_int_equal(detached("sig", "other", &signer), DENIED);
        }
}

static void without_signed_attributes(void **state)
{
    (void)state;
    struct bytes signer;
    assert_true(sh("openssl cms -sign -binary -noattr -in body -signer rsa.pem -inkey rsa.key "
                   "-outform DER -out sig"));
    assert_int_equal(detached("sig", "body", &signer), OK);
    assert_int_equal(detached("sig", "other", &signer), DENIED);
}

/* A message cannot borrow what another one carried. */
static void certificates_of_one_message(void **state)
{
    (void)state;
    struct bytes signer, chain[4];
    size_t n = 4;
    assert_true(sh("openssl cms -sign -binary -in body -signer two.pem -inkey two.key "
                   "-certfile rsa.pem -outform DER -out sig"));
    for (int i = 0; i < 3; i++) {
        n = 4;
        assert_int_equal(
            cms_verify_detached(a, slurp("sig"), slurp("body"), &signer, chain, &n, &err), OK);
        assert_true(bytes_equal(signer, cert_of("two.pem")));
        assert_int_equal(n, 1);
        assert_true(bytes_equal(chain[0], cert_of("rsa.pem")));
        assert_int_equal(detached("sig", "other", &signer), DENIED);
    }
    assert_true(sh("openssl cms -sign -binary -nocerts -in body -signer two.pem -inkey two.key "
                   "-outform DER -out sig"));
    assert_int_equal(detached("sig", "body", &signer), INVALID);
    assert_true(sh("openssl cms -sign -binary -nocerts -certfile rsa.pem -in body -signer two.pem "
                   "-inkey two.key -outform DER -out sig"));
    assert_int_equal(detached("sig", "body", &signer), INVALID);
}

/* Keys that the context for certificates (wire/ossl_lib.c) leaves to the ordinary one: of the
 * signer, and of another certificate in the message. */
static void unusual_keys(void **state)
{
    (void)state;
    struct bytes signer, chain[4];
    struct cert_info info;
    size_t n = 4;
    assert_true(sh("openssl dsaparam -out dsa.par 1024 && openssl req -x509 -newkey dsa:dsa.par "
                   "-nodes -keyout dsa.key -out dsa.pem -subj /CN=dsa -days 30 && "
                   "openssl req -x509 -newkey ed25519 -nodes -keyout ed.key -out ed.pem "
                   "-subj /CN=ed -days 30 && "
                   "openssl cms -sign -binary -in body -signer dsa.pem -inkey dsa.key "
                   "-certfile ed.pem -outform DER -out sig"));
    assert_int_equal(cms_verify_detached(a, slurp("sig"), slurp("body"), &signer, chain, &n, &err),
                     OK);
    assert_true(bytes_equal(signer, cert_of("dsa.pem")));
    assert_int_equal(n, 1);
    assert_int_equal(cert_info_read(a, chain[0], &info, &err), OK);
    assert_string_equal(info.key_type, "Ed25519");
    assert_int_equal(detached("sig", "other", &signer), DENIED);
}

static void refused_signatures(void **state)
{
    (void)state;
    struct bytes signer;
    assert_true(sh("openssl cms -sign -binary -in body -signer rsa.pem -inkey rsa.key "
                   "-signer two.pem -inkey two.key -outform DER -out sig"));
    assert_int_equal(detached("sig", "body", &signer), INVALID);
    assert_non_null(strstr(err.msg, "2 signers"));
    assert_true(sh("openssl cms -sign -binary -nocerts -in body -signer rsa.pem -inkey rsa.key "
                   "-outform DER -out sig"));
    assert_int_equal(detached("sig", "body", &signer), INVALID);
    assert_non_null(strstr(err.msg, "not in the message"));
    assert_true(sh("openssl cms -sign -binary -md md5 -in body -signer rsa.pem -inkey rsa.key "
                   "-outform DER -out sig"));
    assert_int_equal(detached("sig", "body", &signer), INVALID);
    assert_non_null(strstr(err.msg, "digest"));
    assert_true(sh("openssl cms -sign -binary -nodetach -in body -signer rsa.pem -inkey rsa.key "
                   "-outform DER -out sig"));
    assert_int_equal(detached("sig", "body", &signer), INVALID);
    assert_non_null(strstr(err.msg, "content of its own"));
    assert_true(sh("openssl crl2pkcs7 -nocrl -certfile rsa.pem -outform DER -out sig"));
    assert_int_equal(detached("sig", "body", &signer), INVALID);
    assert_true(sh("openssl cms -encrypt -binary -in body -outform DER -out sig rsa.pem"));
    assert_int_equal(detached("sig", "body", &signer), INVALID);
    assert_true(sh("openssl cms -sign -binary -in body -signer rsa.pem -inkey rsa.key "
                   "-outform DER -out sig && printf x >>sig"));
    assert_int_equal(detached("sig", "body", &signer), INVALID);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    assert_true(sh("openssl cms -sign -binary -in body -signer ec.pem -inkey ec.key -outform DER "
                   "-out sig"));
    struct bytes sig = slurp("sig");
    struct bytes body = slurp("body");
    for (size_t n = 0; n < sig.n; n++) {
        struct bytes signer, chain[4];
        size_t nchain = 4;
        assert_int_not_equal(
            cms_verify_detached(a, bytes_of(sig.p, n), body, &signer, chain, &nchain, &err), OK);
    }
}

/* Whatever octet changes, the answer is never "another certificate signed this" by accident: OK is
 * given only when the certificate returned is still the signer's. */
static void flipped_octets(void **state)
{
    (void)state;
    assert_true(sh("openssl cms -sign -binary -in body -signer ec.pem -inkey ec.key -outform DER "
                   "-out sig"));
    struct bytes sig = slurp("sig");
    struct bytes body = slurp("body");
    uint8_t *copy = malloc(sig.n);
    unsigned ok = 0;
    for (size_t i = 0; i < sig.n; i++) {
        memcpy(copy, sig.p, sig.n);
        copy[i] ^= 0x55;
        struct bytes signer, chain[4];
        size_t nchain = 4;
        ok += cms_verify_detached(a, bytes_of(copy, sig.n), body, &signer, chain, &nchain, &err) ==
              OK;
    }
    free(copy);
    assert_true(ok < sig.n / 2); /* inside the certificate's own signature nothing is checked */
}

/* A sender of broken signatures takes no memory: everybody may send one. */
static void nothing_stays_of_a_broken_one(void **state)
{
    (void)state;
    assert_true(sh("openssl cms -sign -binary -in body -signer ec.pem -inkey ec.key -outform DER "
                   "-out sig"));
    struct bytes sig = slurp("sig"), body = slurp("body");
    struct arena *own = arena_new(1 << 20);
    uint8_t *copy = malloc(sig.n);
    size_t before = 0, good = 0;
    for (int round = 0; round < 8; round++) { /* the first fills OpenSSL's own tables */
        if (round == 1)
            before = mallinfo2().uordblks;
        for (size_t i = 0; i < sig.n; i++) {
            struct bytes signer, chain[4];
            size_t nchain = 4;
            memcpy(copy, sig.p, sig.n);
            copy[i] ^= 0x55;
            good += cms_verify_detached(own, bytes_of(copy, sig.n), body, &signer, chain, &nchain,
                                        &err) == OK;
            arena_reset(own);
        }
    }
    size_t after = mallinfo2().uordblks;
    free(copy);
    arena_free(&own);
    assert_true(good < 4 * sig.n);
    assert_true(after < before + 8000); /* what was forgotten took 2,500 in each round */
}

static void we_sign_openssl_verifies(void **state)
{
    (void)state;
    static const char *const keys[] = {"rsa", "ec"};
    struct bytes body = slurp("body");
    for (size_t k = 0; k < 2; k++)
        for (int det = 0; det < 2; det++) {
            char pem[16], key[16];
            snprintf(pem, sizeof pem, "%s.pem", keys[k]);
            snprintf(key, sizeof key, "%s.key", keys[k]);
            struct pkey *pk = NULL;
            assert_int_equal(pkey_from_pem(slurp(key), &pk, &err), OK);
            struct bytes two = cert_of("two.pem");
            struct buf der = BUF_INIT(1 << 20);
            assert_int_equal(cms_sign(body, cert_of(pem), pk, &two, 1, det, &der, &err), OK);
            spit("ours", buf_bytes(&der));
            assert_true(sh("openssl cms -verify -binary -inform DER -in ours %s -CAfile %s.pem "
                           "-out got && cmp got body",
                           det ? "-content body" : "", keys[k]));
            assert_false(sh("openssl cms -verify -binary -inform DER -in ours -content other "
                            "-CAfile %s.pem -out got",
                            keys[k]));
            struct bytes signer, chain[4], content;
            size_t n = 4;
            enum outcome o =
                det ? cms_verify_detached(a, buf_bytes(&der), body, &signer, chain, &n, &err)
                    : cms_verify_attached(a, buf_bytes(&der), &content, &signer, chain, &n, &err);
            assert_int_equal(o, OK);
            assert_int_equal(n, 1);
            assert_true(bytes_equal(chain[0], two));
            assert_true(det || bytes_equal(content, body));
            n = 0;
            o = det ? cms_verify_detached(a, buf_bytes(&der), body, &signer, chain, &n, &err)
                    : cms_verify_attached(a, buf_bytes(&der), &content, &signer, chain, &n, &err);
            assert_int_equal(o, INVALID); /* more certificates than were allowed */
            buf_free(&der);
            pkey_free(&pk);
        }
}

static void envelopes_both_ways(void **state)
{
    (void)state;
    static const char *const keys[] = {"rsa", "ec"};
    struct bytes body = slurp("body");
    for (size_t k = 0; k < 2; k++) {
        char pem[16], key[16];
        snprintf(pem, sizeof pem, "%s.pem", keys[k]);
        snprintf(key, sizeof key, "%s.key", keys[k]);
        struct pkey *pk = NULL;
        assert_int_equal(pkey_from_pem(slurp(key), &pk, &err), OK);
        struct buf der = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
        assert_int_equal(cms_encrypt(body, cert_of(pem), &der, &err), OK);
        spit("ours", buf_bytes(&der));
        assert_true(sh("openssl cms -decrypt -binary -inform DER -in ours -recip %s.pem -inkey "
                       "%s.key -out got && cmp got body",
                       keys[k], keys[k]));
        assert_true(sh("openssl cms -encrypt -binary -aes128 -in body -outform DER -out theirs "
                       "%s.pem",
                       keys[k]));
        assert_int_equal(cms_decrypt(slurp("theirs"), cert_of(pem), pk, &out, &err), OK);
        assert_true(bytes_equal(buf_bytes(&out), body));
        buf_clear(&out);
        assert_int_equal(cms_decrypt(slurp("theirs"), cert_of("two.pem"), pk, &out, &err), DENIED);
        assert_int_equal(out.len, 0);
        buf_free(&der);
        buf_free(&out);
        pkey_free(&pk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_signs_we_verify),
        cmocka_unit_test(without_signed_attributes),
        cmocka_unit_test(certificates_of_one_message),
        cmocka_unit_test(unusual_keys),
        cmocka_unit_test(refused_signatures),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(flipped_octets),
        cmocka_unit_test(nothing_stays_of_a_broken_one),
        cmocka_unit_test(we_sign_openssl_verifies),
        cmocka_unit_test(envelopes_both_ways),
    };
    return cmocka_run_group_tests_name("cms", tests, setup, teardown);
}
