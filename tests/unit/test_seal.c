/* Sealed secrets: what opens, and everything that must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/limits.h"
#include "judge.h"
#include "wire/seal.h"

static struct err err;

static void round_trips(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 31, 32, 33, 4096, LIM_SECRET};
    struct seal_pair pair;
    assert_int_equal(seal_pair_new(&pair, &err), OK);
    uint8_t *secret = malloc(LIM_SECRET + 1);
    memset(secret, 0xa5, LIM_SECRET + 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf sealed = BUF_INIT(LIM_SECRET + SEAL_OVERHEAD), out = BUF_INIT(LIM_SECRET + 1);
        struct bytes b = bytes_of(secret, sizes[i]);
        assert_int_equal(seal(pair.pub, "UnlockToken:x", b, &sealed, &err), OK);
        assert_true(sealed.len <= sizes[i] + SEAL_OVERHEAD);
        assert_int_equal(seal_open(&pair, "UnlockToken:x", buf_bytes(&sealed), &out, &err), OK);
        assert_true(bytes_equal(buf_bytes(&out), b));
        if (sizes[i] >= 31)
            assert_null(memmem(sealed.data, sealed.len, secret, 16));
        buf_free(&sealed);
        buf_wipe(&out);
    }
    struct buf sealed = BUF_INIT(2 * LIM_SECRET);
    assert_int_equal(seal(pair.pub, "x", bytes_of(secret, LIM_SECRET + 1), &sealed, &err), INVALID);
    buf_free(&sealed);
    free(secret);
}

static void never_twice_the_same(void **state)
{
    (void)state;
    struct seal_pair pair;
    struct buf one = BUF_INIT(4096), two = BUF_INIT(4096);
    assert_int_equal(seal_pair_new(&pair, &err), OK);
    assert_int_equal(seal(pair.pub, "l", bytes_str("secret"), &one, &err), OK);
    assert_int_equal(seal(pair.pub, "l", bytes_str("secret"), &two, &err), OK);
    assert_false(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
    buf_free(&one);
    buf_free(&two);
}

static enum outcome open_it(const struct seal_pair *pair, const char *label, struct bytes sealed)
{
    struct buf out = BUF_INIT(4096);
    enum outcome o = seal_open(pair, label, sealed, &out, &err);
    assert_true(o == OK || out.len == 0);
    buf_wipe(&out);
    return o;
}

static void what_must_not_open(void **state)
{
    (void)state;
    struct seal_pair pair, other;
    struct buf sealed = BUF_INIT(4096);
    assert_int_equal(seal_pair_new(&pair, &err), OK);
    assert_int_equal(seal_pair_new(&other, &err), OK);
    assert_int_equal(seal(pair.pub, "UnlockToken:a", bytes_str("secret"), &sealed, &err), OK);
    struct bytes b = buf_bytes(&sealed);
    assert_int_equal(open_it(&pair, "UnlockToken:a", b), OK);
    assert_int_equal(open_it(&other, "UnlockToken:a", b), DENIED);
    assert_int_equal(open_it(&pair, "UnlockToken:b", b), DENIED);
    assert_int_equal(open_it(&pair, "BootstrapToken:a", b), DENIED);
    assert_int_equal(open_it(&pair, "", b), DENIED);
    for (size_t i = 0; i < b.n; i++) {
        assert_int_equal(open_it(&pair, "UnlockToken:a", bytes_of(b.p, i)), DENIED);
        sealed.data[i] ^= 1;
        assert_int_equal(open_it(&pair, "UnlockToken:a", b), DENIED);
        sealed.data[i] ^= 1;
    }
    assert_int_equal(open_it(&pair, "UnlockToken:a", b), OK);
    memset(sealed.data + 1, 0, SEAL_KEY_LEN); /* a point of small order: no secret in it */
    assert_int_equal(open_it(&pair, "UnlockToken:a", b), DENIED);
    buf_free(&sealed);
}

/* The form is what seal.c says: another implementation opens it. */
static void opens_elsewhere(void **state)
{
    (void)state;
    if (!judge_there("/usr/bin/python3") ||
        system("/usr/bin/python3 -c 'import cryptography' 2>/dev/null") != 0) {
        fprintf(stderr, "*** SKIPPED: python3-cryptography is not installed\n");
        skip();
    }
    static const char script[] =
        "/usr/bin/python3 - $1 $2 <<'EOF'\n"
        "import sys\n"
        "from cryptography.hazmat.primitives.asymmetric.x25519 import *\n"
        "from cryptography.hazmat.primitives.kdf.hkdf import HKDF\n"
        "from cryptography.hazmat.primitives import hashes\n"
        "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\n"
        "s = open(sys.argv[1], 'rb').read(); k = open(sys.argv[2], 'rb').read()\n"
        "mine = X25519PrivateKey.from_private_bytes(k[:32]); pub = k[32:]\n"
        "z = mine.exchange(X25519PublicKey.from_public_bytes(s[1:33]))\n"
        "okm = HKDF(hashes.SHA256(), 44, s[1:33] + pub + s[33:49], b'label').derive(z)\n"
        "d = Cipher(algorithms.AES(okm[:32]), modes.GCM(okm[32:], s[-16:])).decryptor()\n"
        "d.authenticate_additional_data(s[:49] + b'label')\n"
        "sys.stdout.buffer.write(d.update(s[49:-16]) + d.finalize())\n"
        "EOF\n"
        "[ $? = 0 ]";
    struct seal_pair pair;
    struct buf sealed = BUF_INIT(4096), said = BUF_INIT(4096);
    uint8_t keys[2 * SEAL_KEY_LEN];
    assert_int_equal(seal_pair_new(&pair, &err), OK);
    assert_int_equal(seal(pair.pub, "label", bytes_str("secret"), &sealed, &err), OK);
    memcpy(keys, pair.priv, SEAL_KEY_LEN);
    memcpy(keys + SEAL_KEY_LEN, pair.pub, SEAL_KEY_LEN);
    assert_int_equal(judge_two(script, buf_bytes(&sealed), bytes_of(keys, sizeof keys), &said), 0);
    assert_string_equal(buf_cstr(&said), "secret");
    buf_free(&sealed);
    buf_free(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(never_twice_the_same),
        cmocka_unit_test(what_must_not_open),
        cmocka_unit_test(opens_elsewhere),
    };
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
