/*
 * device.h: devices that are not enrolled yet, with identities of a CA that plays Apple's, before a
 * site (site.h). For test programs only.
 */
#ifndef DROVER_TESTS_UNIT_DEVICE_H
#define DROVER_TESTS_UNIT_DEVICE_H

#include "site.h"

#include "enrollment/apple.h"
#include "judge.h"
#include "store/enrollprofile.h"
#include "wire/cms.h"
#include "wire/plist.h"

/* A device: the identity that the test's Apple gave it, and what it says. */
struct device {
    struct pkey *key;
    struct bytes cert;
    const char *udid, *serial, *product, *os;
    bool updates; /* MDM_CAN_REQUEST_SOFTWARE_UPDATE */
    const char *challenge;
};

static struct pkey *apple_key;
static struct bytes apple_cert;

static inline struct bytes device_cert(const char *name, bool ca, struct pkey *key, int64_t from,
                                       int64_t to)
{
    struct buf der = BUF_INIT(1 << 16);
    struct cert_profile p = {.common_name = name,
                             .ca = ca,
                             .path_len = -1,
                             .client_auth = !ca,
                             .email_protection = !ca,
                             .not_before = from,
                             .not_after = to};
    assert_ok(
        cert_issue(&p, bytes_of(NULL, 0), key, apple_cert, apple_key ? apple_key : key, &der, &err),
        err);
    struct bytes b = arena_bytes(site.a, buf_bytes(&der));
    buf_free(&der);
    return b;
}

static inline struct device device_new(const char *udid, const char *serial)
{
    struct device d = {.udid = udid, .serial = serial, .product = "iPhone12,1"};
    int64_t now = clock_now();
    assert_ok(pkey_new_rsa(2048, &d.key, &err), err);
    d.cert = device_cert("device", false, d.key, now - DAY_US, now + DAY_US);
    return d;
}

static inline struct bytes sign_with(const struct device *d, struct bytes cert,
                                     const struct pkey *key)
{
    struct buf xml = BUF_INIT(1 << 16), cms = BUF_INIT(1 << 16);
    pl root = pl_new_dict();
    if (d->udid)
        pl_set_str(root, "UDID", d->udid);
    if (d->serial)
        pl_set_str(root, "SERIAL", d->serial);
    pl_set_str(root, "PRODUCT", d->product);
    pl_set_str(root, "VERSION", "21A329");
    pl_set_str(root, "LANGUAGE", "en");
    if (d->os)
        pl_set_str(root, "OS_VERSION", d->os);
    if (d->updates)
        pl_set_bool(root, "MDM_CAN_REQUEST_SOFTWARE_UPDATE", true);
    if (d->challenge)
        pl_set_str(root, "CHALLENGE", d->challenge);
    assert_int_equal(pl_to_xml(root, &xml), OK);
    pl_free(&root);
    assert_ok(cms_sign(buf_bytes(&xml), cert, key, NULL, 0, false, &cms, &err), err);
    struct bytes b = arena_bytes(site.a, buf_bytes(&cms));
    buf_free(&xml);
    buf_free(&cms);
    return b;
}

static inline struct bytes sign(const struct device *d)
{
    return sign_with(d, d->cert, d->key);
}

/* Makes a CA that plays Apple's and has ended, as Apple's have; the site trusts it. */
static inline void apple_up(void)
{
    struct buf pem = BUF_INIT(1 << 16);
    struct pkey *key = NULL;
    assert_ok(pkey_new_rsa(2048, &key, &err), err);
    apple_cert = device_cert("Apple of the tests", true, key, 1, 2 * DAY_US);
    apple_key = key;
    uint8_t *kept = malloc(apple_cert.n);
    memcpy(kept, apple_cert.p, apple_cert.n);
    apple_cert.p = kept;
    cert_to_pem(apple_cert, &pem);
    site.conf->apple_roots = site_path("apple.pem");
    FILE *f = fopen(site.conf->apple_roots, "w");
    assert_int_equal(fwrite(pem.data, 1, pem.len, f), pem.len);
    fclose(f);
    buf_free(&pem);
}

static inline void apple_down(void)
{
    pkey_free(&apple_key);
    free((void *)apple_cert.p);
}

/* Before each test: nothing is left of the one before. */
static inline void devices_clear(void)
{
    static const char *const tables[] = {
        "enroll_session", "assigned_device", "handout",        "scep_challenge", "enroll_profile",
        "enrollment",     "enroll_user",     "login_throttle", "invitation",     "audit"};
    char text[100];
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        snprintf(text, sizeof text, "DELETE FROM %s", tables[i]);
        site_run(text);
    }
    arena_reset(site.a);
    site.authorization = site.accept = site.device_info = site.cookie = NULL;
}

/* Makes an enrolment profile of that name with one field set, or two. */
static inline void object(const char *name, const char *field, const char *value,
                          const char *field2, const char *value2)
{
    struct enroll_content c;
    struct enrollprofile_change x = {.name = name, .c = &c, .by = "test", .note = ""};
    assert_ok(enroll_content_of_conf(site.conf, site.a, &c, &err), err);
    assert_ok(enroll_field_set(enroll_field_find(field), site.a, &c, value, &err), err);
    if (field2)
        assert_ok(enroll_field_set(enroll_field_find(field2), site.a, &c, value2, &err), err);
    assert_ok(enrollprofile_new(site.owner, site.conf, &x, &err), err);
}

/* What python3 says of the signed profile in the last answer. */
static inline void judge_profile(const char *expression, const char *want)
{
    struct buf said = BUF_INIT(1 << 16), cmd = BUF_INIT(4096);
    buf_fmt(
        &cmd,
        "openssl cms -verify -noverify -binary -inform DER -in $1 -out $2 2>/dev/null && "
        "python3 -c \"import plistlib; p = plistlib.load(open('$2', 'rb')); "
        "c = {x['PayloadType']: x for x in p.get('PayloadContent', {}) if isinstance(x, dict)}; "
        "print(%s, end='')\"",
        expression);
    int status = judge_two(buf_cstr(&cmd), buf_bytes(&site.resp.body), bytes_of(NULL, 0), &said);
    if (status != 0 || strcmp(buf_cstr(&said), want) != 0)
        fail_msg("%s is \"%s\", not \"%s\"", expression, buf_cstr(&said), want);
    buf_free(&said);
    buf_free(&cmd);
}

#endif
