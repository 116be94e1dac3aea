/* test_encode.c: text forms of octets, digests and secrets, against known answers and the openssl
 * program. */
#include "judge.h"
#include "wire/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define MB (1u << 20)

static struct arena *a;

static int set_up(void **state)
{
    (void)state;
    a = arena_new(64 * MB);
    return a ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *coded;
    } rfc[] = {/* RFC 4648 section 10 */
               {"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rfc / sizeof *rfc; i++) {
        struct buf b = BUF_INIT(100);
        struct bytes out;
        base64_add(&b, bytes_str(rfc[i].plain));
        assert_string_equal(buf_cstr(&b), rfc[i].coded);
        assert_int_equal(base64_decode(a, buf_bytes(&b), &out), OK);
        assert_string_equal((const char *)out.p, rfc[i].plain);
        buf_free(&b);
    }
    static const struct {
        const char *coded, *plain;
    } lenient[] = {
        {"Zm9v\r\n\tYmE=\n", "fooba"}, {"Zm9vYmE", "fooba"}, {"Z g", "f"}, {"-_-_", "\xfb\xff\xbf"},
        {"+/+/", "\xfb\xff\xbf"},      {"Zg = =", "f"},      {" \n", ""}};
    for (size_t i = 0; i < sizeof lenient / sizeof *lenient; i++) {
        struct bytes out;
        assert_int_equal(base64_decode(a, bytes_str(lenient[i].coded), &out), OK);
        assert_true(bytes_equal(out, bytes_str(lenient[i].plain)));
    }
    static const char *const bad[] = {"Z",
                                      "Zg=",
                                      "Zg===",
                                      "=",
                                      "====",
                                      "Zg==Zg==",
                                      "Z*==",
                                      "Zm9v=",
                                      "Zm9vY",
                                      "Zg=a",
                                      "\xff\xff\xff\xff",
                                      "Zm9v,"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes out;
        if (base64_decode(a, bytes_str(bad[i]), &out) != INVALID)
            fail_msg("%s was taken", bad[i]);
    }
    struct bytes out;
    assert_int_equal(base64_decode(a, bytes_of("Zm9v\0", 5), &out), INVALID);
}

static void test_base64_large(void **state)
{
    (void)state;
    size_t n = 7 * MB + 2; /* more than one piece, and a rest */
    uint8_t *octets = arena_alloc(a, n);
    assert_non_null(octets);
    for (size_t i = 0; i < n; i++)
        octets[i] = (uint8_t)(i * 31 + i / 251);
    struct buf b = BUF_INIT(16 * MB);
    struct bytes out;
    base64_add(&b, bytes_of(octets, n));
    assert_int_equal(b.len, (n + 2) / 3 * 4);
    assert_int_equal(base64_decode(a, buf_bytes(&b), &out), OK);
    assert_true(bytes_equal(out, bytes_of(octets, n)));
    if (judge_there("openssl")) {
        struct buf said = BUF_INIT(1000);
        assert_int_equal(
            judge_two("openssl base64 -d -A -in $2 | cmp - $1", out, buf_bytes(&b), &said), 0);
        buf_free(&said);
    }
    buf_free(&b);
    struct buf small = BUF_INIT(3);
    base64_add(&small, bytes_str("f"));
    assert_true(buf_failed(&small));
    buf_free(&small);
    arena_reset(a);
}

static void test_hex(void **state)
{
    (void)state;
    char text[9];
    struct bytes out;
    hex_encode(bytes_of("\x00\x9f\xab\xff", 4), text);
    assert_string_equal(text, "009fabff");
    hex_encode(bytes_of(NULL, 0), text);
    assert_string_equal(text, "");
    assert_int_equal(hex_decode(a, "009fABff", &out), OK);
    assert_true(bytes_equal(out, bytes_of("\x00\x9f\xab\xff", 4)));
    assert_int_equal(hex_decode(a, "", &out), OK);
    assert_int_equal(out.n, 0);
    assert_int_equal(hex_decode(a, "0", &out), INVALID);
    assert_int_equal(hex_decode(a, "0g", &out), INVALID);
    assert_int_equal(hex_decode(a, "0x", &out), INVALID);
    assert_int_equal(hex_decode(a, " 0", &out), INVALID);
}

static void test_fingerprint(void **state)
{
    (void)state;
    char out[SHA256_HEX_LEN + 1];
    assert_true(fingerprint_digits("CA:71:0e:70", out));
    assert_string_equal(out, "ca710e70");
    assert_true(fingerprint_digits("ca710e704", out));
    assert_string_equal(out, "ca710e704");
    assert_false(fingerprint_digits("", out));
    assert_false(fingerprint_digits("ca710e7", out));
    assert_false(fingerprint_digits("CA:71:0E:7", out));
    assert_false(fingerprint_digits("ca710e7g", out));
    assert_false(fingerprint_digits("ca71 0e70", out));
    char all[SHA256_HEX_LEN + 2];
    memset(all, 'A', sizeof(all));
    all[SHA256_HEX_LEN + 1] = '\0';
    assert_false(fingerprint_digits(all, out));
    assert_true(fingerprint_digits(all + 1, out));
    assert_int_equal(strlen(out), SHA256_HEX_LEN);
}

static void test_url(void **state)
{
    (void)state;
    static const struct {
        const char *coded;
        bool plus;
        const char *plain;
    } good[] = {{"a%20b%2Fc", false, "a b/c"}, {"a+b", false, "a+b"},         {"a+b", true, "a b"},
                {"a%2Bb", true, "a+b"},        {"%c3%A9", false, "\xc3\xa9"}, {"", false, ""},
                {"%25%2525", false, "%%25"},   {"plain", true, "plain"}};
    static const char *const bad[] = {"%",   "%2",    "a%",   "%zz",  "%2g",
                                      "%00", "a%00b", "%%20", "% 20", "%-1"};
    char *out;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(url_decode(a, bytes_str(good[i].coded), good[i].plus, &out), OK);
        assert_string_equal(out, good[i].plain);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (url_decode(a, bytes_str(bad[i]), false, &out) != INVALID)
            fail_msg("%s was taken", bad[i]);
    assert_int_equal(url_decode(a, bytes_of("a\0b", 3), false, &out), INVALID);
    /* an escape at the very end of octets that nothing follows */
    char *exact = malloc(2);
    memcpy(exact, "%2", 2);
    assert_int_equal(url_decode(a, bytes_of(exact, 2), false, &out), INVALID);
    free(exact);

    struct buf b = BUF_INIT(2000);
    char all[256];
    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    all[255] = '\0';
    url_encode_add(&b, "a b/c?d=e&f~g-h.i_j");
    assert_string_equal(buf_cstr(&b), "a%20b%2Fc%3Fd%3De%26f~g-h.i_j");
    buf_clear(&b);
    url_encode_add(&b, all);
    assert_int_equal(url_decode(a, buf_bytes(&b), true, &out), OK);
    assert_string_equal(out, all);
    buf_free(&b);
}

static void test_digests(void **state)
{
    (void)state;
    char hex[SHA256_HEX_LEN + 1];
    uint8_t mac[SHA256_LEN];
    sha256_hex(bytes_str("abc"), hex); /* FIPS 180-2 B.1 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex(bytes_of(NULL, 0), hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hmac_sha256(bytes_str("Jefe"), bytes_str("what do ya want for nothing?"), mac);
    hex_encode(bytes_of(mac, sizeof mac), hex); /* RFC 4231 case 2 */
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hmac_sha256(bytes_of(NULL, 0), bytes_of(NULL, 0), mac);
    hex_encode(bytes_of(mac, sizeof mac), hex);
    assert_string_equal(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_secrets(void **state)
{
    (void)state;
    assert_true(secret_equal(bytes_str("abc"), bytes_str("abc")));
    assert_false(secret_equal(bytes_str("abc"), bytes_str("abd")));
    assert_false(secret_equal(bytes_str("abc"), bytes_str("abcd")));
    assert_true(secret_equal(bytes_of(NULL, 0), bytes_str("")));
    char s[8] = "secret";
    secret_wipe(s, sizeof s);
    assert_memory_equal(s, "\0\0\0\0\0\0\0\0", 8);
    secret_wipe(NULL, 0);
    char one[401], two[401];
    for (size_t n = 0; n <= 200; n += 25) {
        secret_new(n, one);
        secret_new(n, two);
        assert_int_equal(strlen(one), 2 * n);
        assert_int_equal(strspn(one, "0123456789abcdef"), 2 * n);
        assert_true(n == 0 || strcmp(one, two) != 0);
    }
}

static void test_passwords(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_MAX], other[PASSWORD_HASH_MAX];
    struct err e;
    assert_int_equal(password_hash("p\xc3\xa4ss", hash, &e), OK);
    assert_memory_equal(hash, "scrypt$15$8$1$", 14);
    assert_int_equal(password_check("p\xc3\xa4ss", hash, &e), OK);
    assert_int_equal(password_check("p\xc3\xa4sS", hash, &e), DENIED);
    assert_int_equal(password_check("", hash, &e), DENIED);
    assert_int_equal(password_hash("p\xc3\xa4ss", other, &e), OK);
    assert_string_not_equal(hash, other); /* salted */
    /* RFC 7914 section 12, the first: empty strings, N 16, r 1, p 1, its first 32 octets */
    assert_int_equal(
        password_check("", "scrypt$4$1$1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI=", &e), OK);
    static const char *const bad[] = {
        "",
        "scrypt$",
        "plain",
        "scrypt$15$8$1$",
        "scrypt$15$8$1$AAAA",
        "scrypt$15$8$1$AAAA$",
        "scrypt$15$8$1$AAAA$AAAA",
        "scrypt$63$8$1$AAAA$AAAA",
        "scrypt$0$8$1$AAAA$AAAA",
        "scrypt$15$99$1$AAAA$AAAA",
        "scrypt$15$8$99$AAAA$AAAA",
        "scrypt$-5$8$1$AAAA$AAAA",
        "scrypt$9999999999$8$1$AAAA$AAAA",
        "SCRYPT$15$8$1$AAAA$AAAA",
        "scrypt$15$8$1$A*AA$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (password_check("x", bad[i], &e) != INVALID)
            fail_msg("%s was taken", bad[i]);
    char longest[1000];
    memset(longest, 'A', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memcpy(longest, "scrypt$15$8$1$", 14);
    assert_int_equal(password_check("x", longest, &e), INVALID);
}

/* Python's hashlib has its own scrypt call: the stored form means what it says. */
static void test_password_judged(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_MAX];
    struct err e;
    if (!judge_there("python3"))
        skip();
    assert_int_equal(password_hash("correct horse", hash, &e), OK);
    struct buf out = BUF_INIT(10000);
    static const char ask[] =
        "/usr/bin/python3 -c \"import hashlib,base64,sys\n"
        "_,n,r,p,s,h=open(sys.argv[1]).read().split('$')\n"
        "k=hashlib.scrypt(b'correct horse',salt=base64.b64decode(s),n=1<<int(n),r=int(r),p=int(p),"
        "maxmem=1<<27,dklen=32)\nassert k==base64.b64decode(h)\n\" $1";
    if (judge(ask, bytes_str(hash), &out) != 0)
        fail_msg("%s", buf_cstr(&out));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_base64_large),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_password_judged),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
