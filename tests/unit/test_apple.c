/*
 * test_apple.c: what devices sign when they ask for a profile. Chains and messages are made by the
 * openssl program, as weak and as old as Apple's are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include "base/clock.h"
#include "enrollment/apple.h"
#include "judge.h"
#include "wire/encode.h"

#define INFO(middle)                                                                               \
    "<?xml version=\"1.0\"?><!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "               \
    "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\"><plist version=\"1.0\"><dict>" middle      \
    "</dict></plist>"
#define KEY(k, v) "<key>" k "</key><string>" v "</string>"
#define DEVICE KEY("UDID", "U-1") KEY("SERIAL", "S1") KEY("PRODUCT", "iPhone12,1")
#define GOOD INFO(DEVICE KEY("VERSION", "21A329"))

static char dir[] = "/tmp/drover-apple-XXXXXX";
static struct conf conf;
static struct arena *a;
static struct err err;

/* Runs a command in the folder; what it prints (with errors). */
static struct bytes run(const char *command)
{
    struct buf out = BUF_INIT(1 << 20), cmd = BUF_INIT(8192);
    buf_fmt(&cmd, "cd %s && %s", dir, command);
    int status = judge(buf_cstr(&cmd), bytes_of(NULL, 0), &out);
    if (status != 0)
        fail_msg("%d: %s\n%s", status, command, buf_cstr(&out));
    struct bytes b = arena_bytes(a, buf_bytes(&out));
    buf_free(&out);
    buf_free(&cmd);
    return b;
}

/* ca NAME ISSUER KEY DIGEST START END CA?: makes NAME.pem and NAME.key. */
static const char make[] =
    "cat >mk <<'E'\n"
    "set -e\n"
    "openssl req -new -newkey $3 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr 2>/dev/null\n"
    "mkdir -p d; : >d/index; echo 01 >d/serial\n"
    "printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=d/index\\nserial=d/serial\\nnew_certs_dir=d\\n"
    "default_md=%s\\npolicy=p\\nx509_extensions=x\\nunique_subject=no\\n[p]\\ncommonName=supplied"
    "\\n[x]\\nbasicConstraints=critical,CA:%s\\nkeyUsage=critical,%s\\n' $4 $7 "
    "$(test $7 = TRUE && echo keyCertSign || echo digitalSignature,keyEncipherment) >cnf\n"
    "s=; test $2 = $1 && s=-selfsign\n"
    "openssl ca -batch -rand_serial -config cnf -cert $2.pem -keyfile $2.key $s -in $1.csr "
    "-out $1.pem -startdate $5 -enddate $6 -notext 2>/dev/null\n"
    "E\n"
    "sh mk root root rsa:2048 sha1 20060101000000Z 20350101000000Z TRUE\n"
    "sh mk mid root rsa:1024 sha1 20070101000000Z 20140101000000Z TRUE\n"
    "sh mk device mid rsa:1024 sha1 20200101000000Z 20390101000000Z FALSE\n"
    "sh mk past mid rsa:1024 sha1 20100101000000Z 20130101000000Z FALSE\n"
    "sh mk short mid rsa:512 sha1 20200101000000Z 20390101000000Z FALSE\n"
    "sh mk md5 mid rsa:1024 md5 20200101000000Z 20390101000000Z FALSE\n"
    "sh mk child device rsa:1024 sha1 20200101000000Z 20390101000000Z FALSE\n"
    "sh mk evil evil rsa:1024 sha1 20200101000000Z 20390101000000Z TRUE\n"
    "cp evil.key save.key; cp evil.pem save.pem; mkdir -p forged; cp mk forged; cd forged\n"
    "sh mk mid mid rsa:1024 sha1 20070101000000Z 20390101000000Z TRUE\n"
    "sh mk device mid rsa:1024 sha1 20200101000000Z 20390101000000Z FALSE\n"
    "cd ..; sh mk stranger evil rsa:1024 sha1 20200101000000Z 20390101000000Z FALSE";

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    a = arena_new(64u << 20);
    static char roots[sizeof dir + 20];
    snprintf(roots, sizeof roots, "%s/roots.pem", dir);
    conf.apple_roots = roots;
    run(make);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    run("rm -rf \"$PWD\"");
    arena_free(&a);
    return 0;
}

/* Signs text with openssl. extra: more options; md: the digest. */
static struct bytes sign(const char *text, const char *signer, const char *extra)
{
    struct buf cmd = BUF_INIT(1 << 16);
    buf_fmt(&cmd,
            "printf '%%s' '%s' | openssl cms -sign -nodetach -binary -md sha1 -signer %s.pem "
            "-inkey %s.key -outform DER %s",
            text, signer, signer, extra);
    struct bytes b = run(buf_cstr(&cmd));
    buf_free(&cmd);
    return b;
}

static enum outcome attested(struct bytes cms, struct attested *out)
{
    enum outcome o = attested_read(cms, MACHINE_INFO_DEVICE, a, out, &err);
    return o == OK ? attested_by_apple(&conf, out, clock_now(), a, &err) : o;
}

static enum outcome ask(const char *roots, struct bytes cms, struct attested *out)
{
    struct buf cmd = BUF_INIT(1024);
    buf_fmt(&cmd, "cat %s >roots.pem", roots);
    run(buf_cstr(&cmd));
    buf_free(&cmd);
    return attested(cms, out);
}

static void chains(void **state)
{
    (void)state;
    struct attested d;
    struct bytes good = sign(GOOD, "device", "-certfile mid.pem");
    /* an issuer that ended in 2014, SHA-1, 1024 bits: a genuine device */
    assert_int_equal(ask("root.pem", good, &d), OK);
    assert_string_equal(d.info.serial, "S1");
    assert_string_equal(d.info.build, "21A329");
    assert_string_equal(d.info.os_version, "");
    assert_true(bytes_equal(d.signer, run("openssl x509 -in device.pem -outform DER")));
    /* the issuer as the anchor; nothing but the device's own certificate in the message */
    assert_int_equal(ask("mid.pem", good, &d), OK);
    assert_int_equal(ask("mid.pem", sign(GOOD, "device", ""), &d), OK);
    assert_int_equal(ask("root.pem", sign(GOOD, "device", ""), &d), DENIED);
    assert_int_equal(ask("root.pem mid.pem", sign(GOOD, "device", "-noattr"), &d), OK);
    /* another root; a forged issuer of the same name, and of the same name beside the true one */
    assert_int_equal(ask("evil.pem", good, &d), DENIED);
    assert_int_equal(ask("root.pem", sign(GOOD, "stranger", "-certfile evil.pem"), &d), DENIED);
    assert_int_equal(ask("root.pem", sign(GOOD, "forged/device", "-certfile forged/mid.pem"), &d),
                     DENIED);
    assert_int_equal(ask("root.pem mid.pem", sign(GOOD, "forged/device", ""), &d), DENIED);
    /* the device's own dates count; keys and digests weaker than Apple's never do; no CA */
    assert_int_equal(ask("root.pem", sign(GOOD, "past", "-certfile mid.pem"), &d), DENIED);
    assert_non_null(strstr(err.msg, "expired"));
    assert_int_equal(ask("root.pem", sign(GOOD, "short", "-certfile mid.pem"), &d), DENIED);
    assert_non_null(strstr(err.msg, "weak"));
    assert_int_equal(ask("root.pem", sign(GOOD, "md5", "-certfile mid.pem"), &d), DENIED);
    assert_non_null(strstr(err.msg, "weak"));
    assert_int_equal(ask("mid.pem", sign(GOOD, "child", "-certfile device.pem"), &d), DENIED);
    /* nobody is trusted while nobody is configured */
    conf.apple_roots = "";
    assert_int_equal(attested(good, &d), UNAVAILABLE);
}

static void messages(void **state)
{
    (void)state;
    struct attested d;
    struct bytes good = sign(GOOD, "device", "-certfile mid.pem");
    char *roots = arena_fmt(a, "%s/roots.pem", dir);
    conf.apple_roots = roots;
    /* one octet of the property list is another */
    uint8_t *bent = memmem(good.p, good.n, "iPhone12,1", 10) ? (uint8_t *)good.p : NULL;
    assert_non_null(bent);
    uint8_t *at = memmem(bent, good.n, "iPhone12,1", 10);
    at[7] = '3';
    assert_int_equal(ask("root.pem", good, &d), DENIED);
    at[7] = '2';
    assert_int_equal(ask("root.pem", good, &d), OK);
    for (size_t n = 0; n < good.n; n += 97)
        assert_int_equal(ask("root.pem", bytes_of(good.p, n), &d), INVALID);
    assert_int_equal(ask("root.pem", bytes_str(GOOD), &d), INVALID);
    assert_int_equal(ask("root.pem", sign(INFO(DEVICE), "device", "-certfile mid.pem"), &d),
                     INVALID);
    assert_non_null(strstr(err.msg, "VERSION is missing"));
    assert_int_equal(ask("root.pem",
                         sign(GOOD, "device", "-certfile mid.pem -signer past.pem -inkey past.key"),
                         &d),
                     INVALID);
    /* detached: nothing was signed that could be read */
    assert_int_equal(ask("root.pem",
                         run("printf x | openssl cms -sign -binary -signer device.pem -inkey "
                             "device.key -outform DER -certfile mid.pem"),
                         &d),
                     INVALID);
    /* the file is no PEM, or holds no CA */
    assert_int_equal(ask("mk", good, &d), UNAVAILABLE);
    assert_int_equal(ask("device.pem", good, &d), UNAVAILABLE);
}

static enum outcome parse(const char *text, enum machine_info_use use, struct machine_info *out)
{
    return machine_info_read(a, bytes_str(text), use, out, &err);
}

static void attributes(void **state)
{
    (void)state;
    struct machine_info m;
    const char *all = INFO(
        DEVICE KEY("VERSION", "21A329") KEY("OS_VERSION", "17.0") KEY("IMEI", "35 1")
            KEY("MEID", "99") KEY("LANGUAGE", "de") KEY("SUPPLEMENTAL_BUILD_VERSION", "21A329a")
                KEY("SUPPLEMENTAL_OS_VERSION_EXTRA", "(a)") KEY("SOFTWARE_UPDATE_DEVICE_ID", "J1")
                    KEY("DEVICE_NAME", "B\303\244r") KEY("ICCID", "8")
                        KEY("MAC_ADDRESS_EN0", "aa:bb")
                            KEY("UNKNOWN", "x") "<key>CHALLENGE</key><data>YWJj</data>"
                                                "<key>MDM_CAN_REQUEST_SOFTWARE_UPDATE</key><true/>"
                                                "<key>PAIRING_TOKEN</key><data>AAEC</data>");
    assert_int_equal(parse(all, MACHINE_INFO_DEVICE, &m), OK);
    assert_string_equal(m.udid, "U-1");
    assert_string_equal(m.product, "iPhone12,1");
    assert_string_equal(m.os_version, "17.0");
    assert_string_equal(m.supplemental_build, "21A329a");
    assert_string_equal(m.supplemental_os_extra, "(a)");
    assert_string_equal(m.imei, "35 1");
    assert_string_equal(m.meid, "99");
    assert_string_equal(m.language, "de");
    assert_string_equal(m.software_update_device_id, "J1");
    assert_string_equal(m.device_name, "B\303\244r");
    assert_string_equal(m.iccid, "8");
    assert_string_equal(m.mac_address, "aa:bb");
    assert_string_equal(m.challenge, "abc");
    assert_true(m.can_request_software_update);
    assert_int_equal(m.pairing_token.n, 3);
    /* a user enrolment tells neither UDID nor serial number */
    const char *user = INFO(KEY("PRODUCT", "iPhone12,1") KEY("VERSION", "21A329"));
    assert_int_equal(parse(user, MACHINE_INFO_ACCOUNT, &m), OK);
    assert_string_equal(m.udid, "");
    assert_int_equal(parse(user, MACHINE_INFO_DEVICE, &m), INVALID);
    assert_int_equal(parse(user, MACHINE_INFO_SERVICE, &m), INVALID);
    /* wrong types, control characters, too long */
    static const char *const wrong[] = {
        INFO(DEVICE "<key>VERSION</key><integer>1</integer>"),
        INFO(DEVICE "<key>VERSION</key><data>YWJj</data>"),
        INFO(DEVICE KEY("VERSION", "")),
        INFO(DEVICE KEY("VERSION", "1") "<key>MDM_CAN_REQUEST_SOFTWARE_UPDATE</key><string/>"),
        INFO(DEVICE KEY("VERSION", "1") "<key>PAIRING_TOKEN</key><string>x</string>"),
        INFO(DEVICE KEY("VERSION", "1") KEY("IMEI", "a\nb")),
        INFO(DEVICE KEY("VERSION", "1") "<key>CHALLENGE</key><data>YQBi</data>"),
        "<plist version=\"1.0\"><array/></plist>",
        "",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (parse(wrong[i], MACHINE_INFO_DEVICE, &m) != INVALID)
            fail_msg("taken: %s", wrong[i]);
    struct buf longer = BUF_INIT(4096);
    buf_fmt(&longer, "%s%0256d</string></dict></plist>",
            "<plist version=\"1.0\"><dict>" DEVICE "<key>VERSION</key><string>", 0);
    assert_int_equal(parse(buf_cstr(&longer), MACHINE_INFO_DEVICE, &m), INVALID);
    buf_free(&longer);
}

static void known_cas(void **state)
{
    (void)state;
    struct bytes sum;
    for (size_t i = 0; i < apple_cas_n; i++) {
        assert_int_equal(hex_decode(a, apple_cas[i].sha256, &sum), OK);
        assert_int_equal(sum.n, CERT_SHA256_LEN);
        assert_ptr_equal(apple_ca_find(sum.p), &apple_cas[i]);
    }
    assert_null(apple_ca_find((const uint8_t[CERT_SHA256_LEN]){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains), cmocka_unit_test(messages),
                                       cmocka_unit_test(attributes), cmocka_unit_test(known_cas)};
    return cmocka_run_group_tests_name("apple", tests, setup, teardown);
}
