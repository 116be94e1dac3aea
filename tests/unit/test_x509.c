/* Certificates, requests, keys and trust, judged by the openssl program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "judge.h"
#include "wire/x509.h"

static struct arena *a;
static struct err err;
static struct buf said;
static int64_t now;

struct id {
    struct pkey *key;
    struct bytes cert;
};

static int setup(void **state)
{
    (void)state;
    a = arena_new(64u << 20);
    said = BUF_INIT(1 << 20);
    now = clock_now();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&a);
    buf_free(&said);
    return 0;
}

/* A P-256 identity as p says, issued by `by` (NULL: itself). */
static struct id issue(struct cert_profile p, const struct id *by)
{
    struct id out = {NULL, {NULL, 0}};
    struct buf der = BUF_INIT(1 << 16);
    assert_int_equal(pkey_new_p256(&out.key, &err), OK);
    if (!p.not_after) {
        p.not_before = now - DAY_US;
        p.not_after = now + DAY_US;
    }
    assert_int_equal(cert_issue(&p, bytes_of(NULL, 0), out.key, by ? by->cert : bytes_of(NULL, 0),
                                by ? by->key : out.key, &der, &err),
                     OK);
    out.cert = arena_bytes(a, buf_bytes(&der));
    buf_free(&der);
    return out;
}

static struct id new_ca(const char *name, const struct id *by)
{
    return issue((struct cert_profile){.common_name = name, .ca = true, .path_len = -1}, by);
}

static struct id new_leaf(const char *name, const struct id *by)
{
    return issue((struct cert_profile){.common_name = name, .client_auth = true}, by);
}

static void drop(struct id *id)
{
    pkey_free(&id->key);
}

static bool says(const char *text)
{
    return strstr(buf_cstr(&said), text) != NULL;
}

static void issued_as_asked(void **state)
{
    (void)state;
    const char *san[] = {"DNS:mdm.example.org", "IP:127.0.0.1"};
    struct id ca = new_ca("Caf\303\251 CA", NULL);
    struct id id = issue((struct cert_profile){.common_name = "Ger\303\244t",
                                               .organization = "Example, Inc.",
                                               .topic = "com.apple.mgmt.External.x",
                                               .client_auth = true,
                                               .server_auth = true,
                                               .san = san,
                                               .nsan = 2},
                         &ca);
    struct cert_info info;
    assert_int_equal(cert_info_read(a, id.cert, &info, &err), OK);
    assert_string_equal(info.common_name, "Ger\303\244t");
    assert_string_equal(info.subject,
                        "O=Example\\, Inc.,CN=Ger\303\244t,UID=com.apple.mgmt.External.x");
    assert_string_equal(info.issuer, "CN=Caf\303\251 CA");
    assert_string_equal(info.topic, "com.apple.mgmt.External.x");
    assert_string_equal(info.key_type, "EC");
    assert_int_equal(info.key_bits, 256);
    assert_true(info.client_auth);
    assert_false(info.is_ca);
    assert_int_equal(info.not_before, (now - DAY_US) / SECOND_US * SECOND_US);
    assert_int_equal(info.not_after, (now + DAY_US) / SECOND_US * SECOND_US);
    buf_clear(&said);
    assert_int_equal(
        judge_two("openssl x509 -inform DER -in $2 -out $2.pem && openssl verify "
                  "-x509_strict -purpose sslclient -CAfile $2.pem $1; r=$?; rm $2.pem; "
                  "openssl x509 -inform DER -in $1 -noout -text -serial -sha256 "
                  "-fingerprint; exit $r",
                  id.cert, ca.cert, &said),
        0);
    assert_true(says("CA:FALSE"));
    assert_true(says("DNS:mdm.example.org, IP Address:127.0.0.1"));
    assert_true(says("TLS Web Client Authentication, TLS Web Server Authentication"));
    char serial[80];
    snprintf(serial, sizeof serial, "serial=%s", info.serial);
    for (char *p = serial + 7; *p; p++)
        if (*p >= 'a' && *p <= 'f')
            *p = (char)(*p - 32);
    assert_true(says(serial));
    /* a comma would smuggle a second name in */
    const char *evil[] = {"DNS:a,DNS:b"};
    struct buf der = BUF_INIT(1 << 16);
    struct cert_profile p = {
        .common_name = "x", .not_before = now, .not_after = now + DAY_US, .san = evil, .nsan = 1};
    assert_int_equal(cert_issue(&p, bytes_of(NULL, 0), id.key, ca.cert, ca.key, &der, &err),
                     INVALID);
    buf_free(&der);
    drop(&ca);
    drop(&id);
}

static void pem_and_der(void **state)
{
    (void)state;
    struct id one = new_ca("one", NULL), two = new_ca("two", NULL);
    struct buf pem = BUF_INIT(1 << 16);
    struct bytes der[4];
    size_t n;
    buf_str(&pem, "a comment before\n");
    cert_to_pem(one.cert, &pem);
    cert_to_pem(two.cert, &pem);
    assert_int_equal(cert_from_pem(a, buf_bytes(&pem), der, 4, &n, &err), OK);
    assert_int_equal(n, 2);
    assert_true(bytes_equal(der[0], one.cert));
    assert_true(bytes_equal(der[1], two.cert));
    assert_int_equal(cert_from_pem(a, buf_bytes(&pem), der, 1, &n, &err), INVALID);
    assert_int_equal(cert_from_pem(a, one.cert, der, 1, &n, &err), OK);
    assert_true(bytes_equal(der[0], one.cert));
    buf_str(&pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_int_equal(cert_from_pem(a, buf_bytes(&pem), der, 4, &n, &err), INVALID);
    assert_int_equal(cert_from_pem(a, bytes_str("nothing here"), der, 4, &n, &err), INVALID);
    assert_int_equal(cert_from_pem(a, bytes_str(""), der, 4, &n, &err), INVALID);
    buf_free(&pem);
    /* nothing before, nothing after, nothing missing */
    struct cert_info info;
    uint8_t *more = arena_alloc(a, one.cert.n + 1);
    memcpy(more, one.cert.p, one.cert.n);
    assert_int_equal(cert_info_read(a, bytes_of(more, one.cert.n + 1), &info, &err), INVALID);
    for (size_t i = 0; i < one.cert.n; i++)
        assert_int_equal(cert_info_read(a, bytes_of(one.cert.p, i), &info, &err), INVALID);
    drop(&one);
    drop(&two);
}

static enum trust_verdict judge_cert(struct trust *t, struct bytes cert, const struct bytes *chain,
                                     size_t n, int64_t when)
{
    const char *why = NULL;
    enum trust_verdict v = trust_check(t, cert, chain, n, when, &why);
    assert_non_null(why);
    return v;
}

static void verdicts(void **state)
{
    (void)state;
    struct id root = new_ca("root", NULL), mid = new_ca("mid", &root),
              other = new_ca("other", NULL);
    struct id leaf = new_leaf("leaf", &root), deep = new_leaf("deep", &mid);
    struct id stranger = new_leaf("stranger", &other), self = new_leaf("self", NULL);
    struct id server =
        issue((struct cert_profile){.common_name = "server", .server_auth = true}, &root);
    struct id child = new_leaf("child", &leaf); /* issued by something that is no CA */
    struct trust *t = NULL;
    assert_int_equal(trust_new(&t, &err), OK);
    assert_int_equal(judge_cert(t, leaf.cert, NULL, 0, now), TRUST_UNKNOWN_CA);
    assert_int_equal(trust_add(t, leaf.cert, &err), INVALID); /* no CA */
    assert_int_equal(trust_add(t, bytes_str("x"), &err), INVALID);
    assert_int_equal(trust_add(t, root.cert, &err), OK);
    assert_int_equal(judge_cert(t, leaf.cert, NULL, 0, now), TRUST_GOOD);
    assert_int_equal(judge_cert(t, deep.cert, NULL, 0, now), TRUST_UNKNOWN_CA);
    assert_int_equal(judge_cert(t, deep.cert, &mid.cert, 1, now), TRUST_GOOD);
    assert_int_equal(judge_cert(t, stranger.cert, &other.cert, 1, now), TRUST_UNKNOWN_CA);
    assert_int_equal(judge_cert(t, self.cert, NULL, 0, now), TRUST_UNKNOWN_CA);
    assert_int_equal(judge_cert(t, server.cert, NULL, 0, now), TRUST_WRONG_USAGE);
    assert_int_not_equal(judge_cert(t, child.cert, &leaf.cert, 1, now), TRUST_GOOD);
    assert_int_equal(judge_cert(t, leaf.cert, NULL, 0, now + 2 * DAY_US), TRUST_EXPIRED);
    assert_int_equal(judge_cert(t, leaf.cert, NULL, 0, now - 2 * DAY_US), TRUST_NOT_YET);
    /* expired is said only of what would be good otherwise */
    assert_int_equal(judge_cert(t, stranger.cert, NULL, 0, now + 2 * DAY_US), TRUST_UNKNOWN_CA);
    assert_int_equal(judge_cert(t, server.cert, NULL, 0, now + 2 * DAY_US), TRUST_WRONG_USAGE);
    assert_int_equal(judge_cert(t, bytes_str("rubbish"), NULL, 0, now), TRUST_BROKEN);
    uint8_t *bent = arena_alloc(a, leaf.cert.n); /* the signature's last octet */
    memcpy(bent, leaf.cert.p, leaf.cert.n);
    bent[leaf.cert.n - 1] ^= 1;
    assert_int_equal(judge_cert(t, bytes_of(bent, leaf.cert.n), NULL, 0, now), TRUST_BROKEN);
    trust_free(&t);
    trust_free(&t);
    /* an intermediate is an anchor by itself */
    assert_int_equal(trust_new(&t, &err), OK);
    assert_int_equal(trust_add(t, mid.cert, &err), OK);
    assert_int_equal(judge_cert(t, deep.cert, NULL, 0, now), TRUST_GOOD);
    assert_int_equal(judge_cert(t, leaf.cert, NULL, 0, now), TRUST_UNKNOWN_CA);
    trust_free(&t);
    struct id *all[] = {&root, &mid, &other, &leaf, &deep, &stranger, &self, &server, &child};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop(all[i]);
}

/* The CRL is made by the openssl program. */
static void revocation(void **state)
{
    (void)state;
    struct id ca = new_ca("crl CA", NULL), other = new_ca("other CA", NULL);
    struct id good = new_leaf("good", &ca), bad = new_leaf("bad", &ca),
              far = new_leaf("far", &other);
    struct buf pem = BUF_INIT(1 << 16), crl = BUF_INIT(1 << 16);
    cert_to_pem(ca.cert, &pem);
    assert_int_equal(pkey_to_pem(ca.key, &pem, &err), OK);
    static const char make[] =
        "d=$(mktemp -d) && cd $d && cp $1 ca.pem && openssl x509 -inform DER -in $2 -out bad.pem "
        "&& "
        ": >index && echo 01 >num && printf '[ca]\\ndefault_ca=x\\n[x]\\ndatabase=index\\n"
        "crlnumber=num\\ndefault_md=sha256\\ndefault_crl_days=1\\n' >conf && "
        "openssl ca -config conf -cert ca.pem -keyfile ca.pem -revoke bad.pem 2>/dev/null && "
        "openssl ca -config conf -cert ca.pem -keyfile ca.pem -gencrl 2>/dev/null | "
        "openssl crl -outform DER -out crl.der; cat crl.der; rm -rf $d";
    assert_int_equal(judge_two(make, buf_bytes(&pem), bad.cert, &crl), 0);
    struct trust *t = NULL;
    assert_int_equal(trust_new(&t, &err), OK);
    assert_int_equal(trust_add(t, ca.cert, &err), OK);
    assert_int_equal(trust_add(t, other.cert, &err), OK);
    assert_int_equal(judge_cert(t, bad.cert, NULL, 0, now), TRUST_GOOD);
    assert_int_equal(trust_add_crl(t, bytes_str("rubbish"), &err), INVALID);
    assert_int_equal(trust_add_crl(t, buf_bytes(&crl), &err), OK);
    now = clock_now() + SECOND_US; /* the CRL begins now */
    assert_int_equal(judge_cert(t, bad.cert, NULL, 0, now), TRUST_REVOKED);
    assert_int_equal(judge_cert(t, good.cert, NULL, 0, now), TRUST_GOOD);
    assert_int_equal(judge_cert(t, far.cert, NULL, 0, now), TRUST_GOOD); /* no CRL of its CA */
    trust_free(&t);
    buf_wipe(&pem);
    buf_free(&crl);
    struct id *all[] = {&ca, &other, &good, &bad, &far};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop(all[i]);
}

static void requests(void **state)
{
    (void)state;
    struct pkey *rsa = NULL, *back = NULL;
    struct csr_info info;
    struct buf der = BUF_INIT(1 << 16), pem = BUF_INIT(1 << 16);
    assert_int_equal(pkey_new_rsa(2048, &rsa, &err), OK);
    assert_int_equal(csr_new(rsa, "device", "Example", "s3cret \303\251", &der, &err), OK);
    assert_int_equal(csr_read(a, buf_bytes(&der), &info, &err), OK);
    assert_string_equal(info.common_name, "device");
    assert_string_equal(info.challenge, "s3cret \303\251");
    assert_string_equal(info.key_type, "RSA");
    assert_int_equal(info.key_bits, 2048);
    buf_clear(&said);
    assert_int_equal(
        judge("openssl req -inform DER -in $1 -noout -verify -text", buf_bytes(&der), &said), 0);
    assert_true(says("CN = device, O = Example"));
    der.data[der.len - 1] ^= 1;
    assert_int_equal(csr_read(a, buf_bytes(&der), &info, &err), INVALID);
    /* openssl's own, with names */
    buf_clear(&der);
    assert_int_equal(judge("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes "
                           "-keyout /dev/null -subj /CN=theirs -outform DER -addext "
                           "subjectAltName=DNS:d.example,email:m@example,URI:urn:x 2>/dev/null",
                           bytes_str(""), &der),
                     0);
    assert_int_equal(csr_read(a, buf_bytes(&der), &info, &err), OK);
    assert_int_equal(info.key_bits, 384);
    assert_int_equal(info.nsan, 3);
    assert_string_equal(info.san[0], "DNS:d.example");
    assert_string_equal(info.san[2], "URI:urn:x");
    assert_string_equal(info.challenge, "");
    /* a curve spelt out by its parameters is not taken for P-256 */
    buf_clear(&der);
    assert_int_equal(
        judge("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt "
              "ec_param_enc:explicit -nodes -keyout /dev/null -subj /CN=e -outform DER "
              "2>/dev/null",
              bytes_str(""), &der),
        0);
    enum outcome o = csr_read(a, buf_bytes(&der), &info, &err);
    assert_true(o == INVALID || strcmp(info.key_type, "EC") != 0);
    /* keys through PEM */
    assert_int_equal(pkey_to_pem(rsa, &pem, &err), OK);
    assert_int_equal(pkey_from_pem(buf_bytes(&pem), &back, &err), OK);
    buf_clear(&said);
    assert_int_equal(judge("openssl pkey -in $1 -noout -check", buf_bytes(&pem), &said), 0);
    struct id ca = new_ca("x", NULL);
    assert_int_equal(pkey_matches(back, ca.cert, &err), CONFLICT);
    assert_int_equal(pkey_matches(ca.key, ca.cert, &err), OK);
    pkey_free(&back);
    buf_clear(&said);
    assert_int_equal(judge("openssl pkey -in $1 -aes256 -passout pass:x", buf_bytes(&pem), &said),
                     0);
    assert_int_equal(pkey_from_pem(buf_bytes(&said), &back, &err), INVALID); /* does not ask */
    assert_null(back);
    drop(&ca);
    pkey_free(&rsa);
    buf_free(&der);
    buf_wipe(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(issued_as_asked), cmocka_unit_test(pem_and_der),
        cmocka_unit_test(verdicts),        cmocka_unit_test(revocation),
        cmocka_unit_test(requests),
    };
    return cmocka_run_group_tests_name("x509", tests, setup, teardown);
}
