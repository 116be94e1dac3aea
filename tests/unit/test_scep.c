/*
 * test_scep.c: SCEP from the query to the record: a real signer, a real database with the rights
 * of the device workers, and a client that knows only OpenSSL.
 */
#include "testdb.h"
#include "testsigner.h"

#include <pthread.h>
#include <signal.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/resp.h"
#include "proc/signer.h"
#include "scep/crl.h"
#include "scep/scep.h"
#include "store/identity.h"
#include "store/revoke.h"
#include "store/scep.h"
#include "store/scep_challenge.h"
#include "store/scep_request.h"
#include "scepclient.h"
#include "store/migrate.h"
#include "wire/scepmsg.h"

#define STATIC "a static challenge"
#define SQL(n, t) static const struct sql n = {.name = #n, .text = (t)}
SQL(COUNT, "SELECT COUNT(*) FROM identity_cert WHERE issued_at IS NOT NULL");
SQL(CHALLENGES_USED, "SELECT COUNT(*) FROM scep_challenge WHERE used_at IS NOT NULL");
SQL(AUDITED, "SELECT COUNT(*) FROM audit WHERE action = 'identity.issue'");
SQL(REVOKE, "UPDATE identity_cert SET revoked_at = 1");
SQL(REVOKE_NOW, "UPDATE identity_cert SET revoked_at = CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS "
                "SIGNED)");
SQL(BIND, "UPDATE identity_cert SET device_id = 77");
SQL(RENEWS, "SELECT COUNT(*) FROM identity_cert WHERE renews_device_id = ?");
SQL(ENROLLED,
    "INSERT INTO enrollment (id, ident, kind, device_id, state, created_at, last_seen_at) "
    "VALUES (77, 'renews', 1, 77, 2, 1, 1)");
SQL(END, "UPDATE enrollment SET state = 4 WHERE id = 77");
SQL(AGE, "UPDATE scep_challenge SET expires_at = 1");
SQL(CLEAR_CERT, "DELETE FROM identity_cert");
SQL(CLEAR_TRANSACTION, "DELETE FROM scep_transaction");
SQL(CLEAR_CHALLENGE, "DELETE FROM scep_challenge");
SQL(CLEAR_AUDIT, "DELETE FROM audit");
SQL(CLEAR_REQUEST, "DELETE FROM scep_request");
SQL(CLEAR_KEY, "DELETE FROM issued_key");
SQL(AGE_REQUEST, "UPDATE scep_request SET expires_at = 1");

static char dir[] = "/tmp/drover-scep-XXXXXX";
static struct conf *conf;
static struct db *owner;
static struct arena *arena;
static struct app app;
static struct err err;
static pid_t signer;
static X509 *ra;
static EVP_PKEY *rsa, *ec;
static OSSL_PROVIDER *providers[2];

static const char *in_dir(const char *name)
{
    char *p = NULL;
    if (asprintf(&p, "%s/%s", dir, name) < 0)
        abort();
    return p;
}

static void keys_make(void)
{
    conf->run_dir = dir;
    conf->signer_dir = in_dir("keys");
    conf->signer_log = in_dir("signer.log");
    conf->signer_user = conf->agent_user = conf->mdm.user = conf->console.user = "";
    conf->organization = "Example";
    conf->profile_chain = "";
    conf->signer_threads = 2;
    conf->scep_des = true;
    conf->scep_min_rsa = 2048;
    conf->scep_validity_days = 30;
    conf->scep_crl_hours = 24;
    conf->scep_approval = "never";
    conf->scep_reuse_keys = true; /* the tests make few */
    conf->scep_subject = conf->scep_crl_url = "";
    conf->scep_challenge_file = in_dir("challenge");
    testdb_shell("printf '" STATIC "\\n' >%s/challenge", dir);
    assert_ok(signer_setup(conf, "Example", &err), err);
}

static int set_up(void **state)
{
    (void)state;
    int applied;
    struct bytes der = {0};
    if (!mkdtemp(dir))
        return -1;
    arena = arena_new(64u << 20);
    assert_ok(log_open(arena_fmt(arena, "%s/log", dir), LOG_LEVEL_DEBUG, "test", &err), err);
    conf = testdb_conf(TESTDB_DIR, "drover_scep");
    assert_ok(db_new(conf, DB_OWNER, &owner, &err), err);
    assert_ok(migrate_run(owner, "sql/schema", false, &applied, &err), err);
    assert_ok(migrate_grants(owner, "sql/grants.sql", conf, &err), err);
    keys_make();
    signer = testsigner_start(conf, arena);
    providers[0] = OSSL_PROVIDER_load(NULL, "default");
    providers[1] = OSSL_PROVIDER_load(NULL, "legacy"); /* a client with single DES */
    assert_true(providers[0] && providers[1]);
    app.conf = conf;
    assert_ok(db_pool_new(conf, DB_MDM, 8, &app.pool, &err), err);
    assert_ok(sign_certificate(arena, "ra", &der, &err), err);
    const unsigned char *p = der.p;
    ra = d2i_X509(NULL, &p, (long)der.n);
    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    return ra && rsa && ec ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    testsigner_stop(signer);
    db_pool_free(&app.pool);
    db_free(&owner);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    X509_free(ra);
    OSSL_PROVIDER_unload(providers[1]);
    OSSL_PROVIDER_unload(providers[0]);
    testdb_shell("rm -rf %s", dir);
    return 0;
}

static int clear(void **state)
{
    static const struct sql *const all[] = {&CLEAR_CERT,  &CLEAR_TRANSACTION, &CLEAR_CHALLENGE,
                                            &CLEAR_AUDIT, &CLEAR_REQUEST,     &CLEAR_KEY};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_ok(db_exec(owner, all[i], NULL, 0, NULL, &err), err);
    arena_reset(arena);
    conf->scep_approval = "never";
    conf->scep_reuse_keys = true;
    conf->scep_subject = "";
    conf->scep_san.n = 0;
    return 0;
}

static int64_t count(const struct sql *sql, int64_t arg)
{
    struct rows r;
    struct val v = val_int(arg);
    assert_ok(db_select(owner, sql, &v, sql == &RENEWS, arena, &r, &err), err);
    return row_at(&r, 0, 0)->i;
}

static const char *no_var(const struct req *r, const char *name)
{
    (void)r, (void)name;
    return NULL;
}

/* One request to the handler; the answer's body in a. */
static int ask(struct arena *a, enum method method, const char *query, struct bytes body,
               struct bytes *out, const char **type)
{
    struct req req = {.method = method,
                      .path = "/scep",
                      .query = query,
                      .content_type = "",
                      .body = body,
                      .now = clock_now(),
                      .start = clock_mono(),
                      .arena = a,
                      .var = no_var};
    struct resp resp = {.status = 200, .body = BUF_INIT(LIM_RESPONSE), .headers = BUF_INIT(4096)};
    scep_handle(&app, &req, NULL, &resp);
    *out = arena_bytes(a, buf_bytes(&resp.body));
    if (type)
        *type = resp.content_type ? resp.content_type : "";
    buf_free(&resp.body);
    buf_free(&resp.headers);
    return resp.status;
}

static int post(struct bytes body, struct bytes *out)
{
    return ask(arena, METHOD_POST, "operation=PKIOperation", body, out, NULL);
}

/* Sends r, wants a CertRep, and reads it. */
static struct sc_reply exchange(struct sc_request *r)
{
    unsigned char *der = NULL;
    int n = sc_write(r, ra, &der);
    struct bytes answer;
    assert_int_equal(post(bytes_of(der, (size_t)n), &answer), 200);
    OPENSSL_free(der);
    return sc_read(r, ra, answer);
}

static const char *challenge(int64_t device)
{
    char *c = arena_alloc(arena, SCEP_CHALLENGE_LEN + 1);
    assert_ok(scep_challenge_new(owner, "test", device, 0, clock_now() + HOUR_US, c, &err), err);
    return c;
}

static struct sc_request request(const char *transaction, const char *chal)
{
    return (struct sc_request){.type = "19",
                               .transaction = transaction,
                               .cipher = "AES-128-CBC",
                               .digest = "SHA256",
                               .key = rsa,
                               .cn = "device",
                               .challenge = chal};
}

#define REFUSED(r, code)                                                                           \
    do {                                                                                           \
        struct sc_reply reply_ = exchange(r);                                                      \
        assert_string_equal(reply_.status, "2");                                                   \
        assert_string_equal(reply_.fail, code);                                                    \
        assert_false(reply_.has_content);                                                          \
        assert_null(reply_.cert);                                                                  \
    } while (0)

static void issues(void **state)
{
    (void)state;
    struct sc_request r = request("t1", challenge(0));
    struct sc_reply one = exchange(&r);
    assert_string_equal(one.status, "0");
    assert_string_equal(one.fail, "");
    assert_int_equal(X509_check_private_key(one.cert, rsa), 1);
    assert_int_equal(X509_check_ca(one.cert), 0);
    assert_int_equal(X509_get_extended_key_usage(one.cert), XKU_SSL_CLIENT);
    assert_int_equal(count(&COUNT, 0), 1);
    assert_int_equal(count(&CHALLENGES_USED, 0), 1);
    assert_int_equal(count(&AUDITED, 0), 1);
    /* the same again: the same certificate, nothing new */
    struct sc_reply two = exchange(&r);
    assert_int_equal(X509_cmp(one.cert, two.cert), 0);
    assert_int_equal(count(&COUNT, 0), 1);
    assert_int_equal(count(&AUDITED, 0), 1);
    /* the challenge is of no use to another key or transaction */
    struct sc_request other = r;
    other.transaction = "t2";
    REFUSED(&other, "2");
    other = r;
    other.key = ec;
    REFUSED(&other, "2");
    /* what was revoked is not handed out again */
    assert_ok(db_exec(owner, &REVOKE, NULL, 0, NULL, &err), err);
    REFUSED(&r, "2");
    assert_int_equal(count(&COUNT, 0), 1);
    X509_free(one.cert);
    X509_free(two.cert);
}

static void algorithms(void **state)
{
    (void)state;
    static const char *const ciphers[] = {"AES-128-CBC", "AES-256-CBC", "DES-EDE3-CBC", "DES-CBC"};
    static const char *const digests[] = {"SHA1", "SHA256", "SHA512"};
    char id[32];
    for (size_t c = 0; c < 4; c++)
        for (size_t d = 0; d < 3; d++) {
            snprintf(id, sizeof id, "t-%zu-%zu", c, d);
            struct sc_request r = request(id, STATIC);
            r.cipher = ciphers[c];
            r.digest = digests[d];
            struct sc_reply reply = exchange(&r);
            assert_string_equal(reply.status, "0");
            assert_string_equal(reply.digest, digests[d]);
            X509_free(reply.cert);
        }
    /* an EC client key, its reply encrypted by key agreement */
    struct sc_request r = request("ec", STATIC);
    r.key = ec;
    struct sc_reply reply = exchange(&r);
    assert_string_equal(reply.status, "0");
    X509_free(reply.cert);
    r = request("gcm", STATIC);
    r.cipher = "CAMELLIA-128-CBC";
    REFUSED(&r, "0");
}

/* The cipher of an answer's envelope. */
static int answer_cipher(struct bytes der)
{
    const unsigned char *p = der.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);
    ASN1_OCTET_STRING *content = *CMS_get0_content(cms);
    p = ASN1_STRING_get0_data(content);
    PKCS7 *p7 = d2i_PKCS7(NULL, &p, ASN1_STRING_length(content));
    assert_non_null(p7);
    int nid = OBJ_obj2nid(p7->d.enveloped->enc_data->algorithm->algorithm);
    PKCS7_free(p7);
    CMS_ContentInfo_free(cms);
    return nid;
}

static void answers_in_kind(void **state)
{
    (void)state;
    static const struct {
        const char *ask;
        int answer;
    } kinds[] = {{"AES-128-CBC", NID_aes_128_cbc},
                 {"AES-256-CBC", NID_aes_256_cbc},
                 {"DES-EDE3-CBC", NID_des_ede3_cbc},
                 {"DES-CBC", NID_aes_256_cbc}};
    for (size_t i = 0; i < 4; i++) {
        struct sc_request r = request("kind", STATIC);
        struct bytes answer;
        unsigned char *der = NULL;
        r.cipher = kinds[i].ask;
        int n = sc_write(&r, ra, &der);
        assert_int_equal(post(bytes_of(der, (size_t)n), &answer), 200);
        OPENSSL_free(der);
        assert_int_equal(answer_cipher(answer), kinds[i].answer);
    }
    testdb_shell("grep -q scep.des %s/log", dir);
}

/* Of several primes: a long key of two would take seconds to make. */
static EVP_PKEY *rsa_new(int bits)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, 4), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void refusals(void **state)
{
    (void)state;
    struct sc_request r = request("r1", NULL);
    REFUSED(&r, "2"); /* no challenge */
    r = request("r2", "invented");
    REFUSED(&r, "2");
    r = request("r3", challenge(0));
    assert_ok(db_exec(owner, &AGE, NULL, 0, NULL, &err), err);
    REFUSED(&r, "2"); /* expired */
    r = request("r4", STATIC);
    r.type = "20";
    REFUSED(&r, "2"); /* CertPoll with a request in it */
    r.asks_about = ra;
    REFUSED(&r, "4"); /* nothing of the kind waits */
    r = request("r4", STATIC);
    r.type = "21";
    REFUSED(&r, "2"); /* GetCert with a request in it */
    r.type = "18";
    REFUSED(&r, "2");
    EVP_PKEY *small = EVP_RSA_gen(1024), *p521 = EVP_EC_gen("P-521"), *k1 = EVP_EC_gen("secp256k1");
    EVP_PKEY *const bad[] = {small, p521, k1, rsa_new(4104)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_non_null(bad[i]);
        r = request("r5", STATIC);
        r.key = bad[i];
        REFUSED(&r, "2");
        EVP_PKEY_free(bad[i]);
    }
    /* signed with another key than it asks a certificate for */
    r = request("r6", STATIC);
    r.signer = sc_self_signed(ec, "other");
    r.signer_key = ec;
    REFUSED(&r, "1");
    X509_free(r.signer);
    assert_int_equal(count(&COUNT, 0), 0);
    /* challenge_file that cannot be read is a fault of ours, not the device's */
    const char *file = conf->scep_challenge_file;
    conf->scep_challenge_file = "/nonexistent";
    r = request("r7", "invented");
    unsigned char *der = NULL;
    struct bytes answer;
    int n = sc_write(&r, ra, &der);
    assert_int_equal(post(bytes_of(der, (size_t)n), &answer), 500);
    OPENSSL_free(der);
    conf->scep_challenge_file = file;
}

static void renewals(void **state)
{
    (void)state;
    struct sc_request r = request("first", challenge(0));
    struct sc_reply first = exchange(&r);
    EVP_PKEY *fresh = EVP_RSA_gen(2048);
    struct sc_request renew = request("renewal", NULL);
    renew.type = "17";
    renew.key = fresh;
    renew.signer = first.cert;
    renew.signer_key = rsa;
    assert_ok(db_exec(owner, &BIND, NULL, 0, NULL, &err), err);
    struct sc_reply second = exchange(&renew), again = exchange(&renew);
    assert_string_equal(second.status, "0");
    assert_int_equal(X509_check_private_key(second.cert, fresh), 1);
    assert_int_equal(X509_cmp(second.cert, again.cert), 0);
    assert_int_equal(count(&RENEWS, 77), 1);
    X509_free(again.cert);
    /* an identity that was only renewed, not used yet, can be renewed: for the same device */
    struct sc_request next = request("renewal of a renewal", NULL);
    next.type = "17";
    next.signer = second.cert;
    next.signer_key = fresh;
    assert_ok(db_exec(owner, &ENROLLED, NULL, 0, NULL, &err), err);
    struct sc_reply chained = exchange(&next);
    assert_string_equal(chained.status, "0");
    assert_int_equal(count(&RENEWS, 77), 2);
    X509_free(chained.cert);
    /* what a person has ended does not renew itself, by neither of them */
    assert_ok(db_exec(owner, &END, NULL, 0, NULL, &err), err);
    next.transaction = "of an ended one";
    REFUSED(&next, "2");
    renew.transaction = "of an ended one too";
    REFUSED(&renew, "2");
    X509_free(second.cert);
    /* by a challenge that was made for a device */
    r = request("by challenge", challenge(78));
    struct sc_reply third = exchange(&r);
    assert_int_equal(count(&RENEWS, 78), 1);
    X509_free(third.cert);
    /* an identity that is not ours; one that was revoked */
    X509 *forged = sc_self_signed(rsa, "forged");
    renew.transaction = "forged";
    renew.signer = forged;
    REFUSED(&renew, "4");
    assert_ok(db_exec(owner, &REVOKE, NULL, 0, NULL, &err), err);
    renew.signer = first.cert;
    renew.transaction = "revoked";
    REFUSED(&renew, "2");
    X509_free(forged);
    X509_free(first.cert);
    EVP_PKEY_free(fresh);
}

/* --- a person decides --- */

#define PENDING(r)                                                                                 \
    do {                                                                                           \
        struct sc_reply reply_ = exchange(r);                                                      \
        assert_string_equal(reply_.status, "3");                                                   \
        assert_string_equal(reply_.fail, "");                                                      \
        assert_false(reply_.has_content);                                                          \
    } while (0)

/* The only request that is kept, which must be in that state. */
static struct scep_waiting kept(int want)
{
    struct scep_waiting *w;
    size_t n;
    assert_ok(scep_request_list(owner, 0, 0, 10, arena, &w, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(w[0].state, want);
    return w[0];
}

static void decide(bool approve)
{
    struct scep_waiting w;
    assert_ok(scep_request_decide(owner, kept(SCEP_REQUEST_WAITS).id, approve, "anna", "seen it",
                                  clock_now(), arena, &w, &err),
              err);
}

static void waits_for_a_person(void **state)
{
    (void)state;
    struct sc_request r = request("patience", NULL);
    REFUSED(&r, "2"); /* no challenge, and nothing waits by default */
    conf->scep_approval = "unproven";
    PENDING(&r);
    PENDING(&r); /* the same request again is the same one */
    struct sc_request poll = r;
    poll.type = "20";
    poll.asks_about = ra;
    PENDING(&poll);
    assert_string_equal(kept(SCEP_REQUEST_WAITS).proof, "nothing");
    assert_int_equal(count(&COUNT, 0), 0);
    struct sc_request stranger = poll; /* another key must not learn of it */
    stranger.key = ec;
    REFUSED(&stranger, "4");
    decide(true);
    struct sc_reply reply = exchange(&poll);
    assert_string_equal(reply.status, "0");
    assert_int_equal(X509_check_private_key(reply.cert, rsa), 1);
    kept(SCEP_REQUEST_ISSUED);
    struct sc_reply again = exchange(&r); /* by sending the request once more too */
    assert_int_equal(X509_cmp(reply.cert, again.cert), 0);
    assert_int_equal(count(&COUNT, 0), 1);
    X509_free(reply.cert);
    X509_free(again.cert);
    /* what is issued is not decided any more, and a wrong challenge never waits */
    struct scep_waiting w;
    assert_outcome(scep_request_decide(owner, kept(SCEP_REQUEST_ISSUED).id, false, "anna", "late",
                                       clock_now(), arena, &w, &err),
                   CONFLICT, err);
    r = request("wrong", "invented");
    REFUSED(&r, "2");
}

static void is_denied_or_forgotten(void **state)
{
    (void)state;
    conf->scep_approval = "static";
    struct sc_request r = request("denied", STATIC);
    PENDING(&r);
    decide(false);
    REFUSED(&r, "2");
    struct scep_waiting w; /* a change of mind */
    assert_ok(scep_request_decide(owner, kept(SCEP_REQUEST_DENIED).id, true, "anna", "oh well",
                                  clock_now(), arena, &w, &err),
              err);
    assert_ok(db_exec(owner, &AGE_REQUEST, NULL, 0, NULL, &err), err);
    REFUSED(&r, "2");
    assert_int_equal(count(&COUNT, 0), 0);
    assert_ok(db_exec(owner, &CLEAR_REQUEST, NULL, 0, NULL, &err), err);
    /* a one-time challenge that lets in at once, and one that does not; none that renews waits */
    r = request("at once", challenge(0));
    struct sc_reply one = exchange(&r);
    assert_string_equal(one.status, "0");
    X509_free(one.cert);
    struct scep_challenge c = {
        .note = "lab", .approve = true, .expires_at = clock_now() + HOUR_US, .by = "anna"};
    char word[SCEP_CHALLENGE_LEN + 1];
    assert_ok(scep_challenge_make(owner, &c, word, &err), err);
    r = request("not at once", word);
    PENDING(&r);
    assert_string_equal(kept(SCEP_REQUEST_WAITS).note, "lab");
    struct sc_request other = request("a second use", word);
    REFUSED(&other, "2");
    conf->scep_approval = "always";
    r = request("renews", challenge(79));
    one = exchange(&r);
    assert_string_equal(one.status, "0");
    X509_free(one.cert);
}

static struct sc_request bound(const char *transaction, const char *cn, const char *san)
{
    struct scep_challenge c = {.note = "bound",
                               .common_name = cn,
                               .san = san,
                               .expires_at = clock_now() + HOUR_US,
                               .by = "anna"};
    char *word = arena_alloc(arena, SCEP_CHALLENGE_LEN + 1);
    assert_ok(scep_challenge_make(owner, &c, word, &err), err);
    return request(transaction, word);
}

/* The subjectAltName of a certificate as OpenSSL prints it; "" for none. */
static const char *san_of(X509 *x)
{
    BIO *out = BIO_new(BIO_s_mem());
    int at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);
    char *p;
    if (at >= 0)
        X509V3_EXT_print(out, X509_get_ext(x, at), 0, 0);
    long n = BIO_get_mem_data(out, &p);
    const char *text = arena_strndup(arena, p, (size_t)n);
    BIO_free(out);
    return text;
}

static const char *issued_names(struct sc_request *r)
{
    struct sc_reply reply = exchange(r);
    assert_string_equal(reply.status, "0");
    const char *names = san_of(reply.cert);
    X509_free(reply.cert);
    return names;
}

static void names_are_kept_to(void **state)
{
    (void)state;
    struct sc_request r = request("names", STATIC);
    r.san = "DNS:a.example.org";
    assert_string_equal(issued_names(&r), ""); /* left out, unless something allows them */
    r = bound("bound", "lab-1", "DNS:a.example.org\nemail:a@example.org");
    r.san = "DNS:a.example.org";
    REFUSED(&r, "2"); /* another common name */
    r.cn = "lab-1";
    r.san = "DNS:b.example.org";
    REFUSED(&r, "2");
    r.san = "DNS:a.example.org,email:a@example.org";
    assert_string_equal(issued_names(&r), "DNS:a.example.org, email:a@example.org");
    /* rules for everybody */
    conf->scep_subject = "lab-?";
    conf->scep_san = (struct conf_list){{"DNS:*.example.org", "URI:https://*"}, 2};
    r = request("rules", STATIC);
    r.san = "DNS:x.example.org,URI:http://example.com/a";
    REFUSED(&r, "2");
    r.cn = "lab-2";
    r.san = "DNS:example.com";
    REFUSED(&r, "2");
    r.san = "DNS:x.example.org,URI:https://example.com/a";
    assert_string_equal(issued_names(&r), "DNS:x.example.org, URI:https://example.com/a");
    conf->scep_subject = "";
    conf->scep_san = (struct conf_list){{NULL}, 0};
    assert_outcome(scep_challenge_make(owner,
                                       &(struct scep_challenge){.note = "", .common_name = ""},
                                       (char[SCEP_CHALLENGE_LEN + 1]){0}, &err),
                   INVALID, err);
}

static void a_key_serves_once(void **state)
{
    (void)state;
    conf->scep_reuse_keys = false;
    struct sc_request r = request("k1", STATIC);
    struct sc_reply first = exchange(&r), again = exchange(&r);
    assert_string_equal(first.status, "0");
    assert_int_equal(X509_cmp(first.cert, again.cert), 0); /* the same request is no second use */
    X509_free(again.cert);
    r.transaction = "k2";
    REFUSED(&r, "2");
    r.type = "17"; /* nor is it renewed with its old key */
    r.signer = first.cert;
    r.signer_key = rsa;
    REFUSED(&r, "2");
    assert_int_equal(count(&COUNT, 0), 1);
    conf->scep_reuse_keys = true;
    X509_free(first.cert);
}

/* Two requests for one key, each authorised, in one moment. */
struct rival {
    pthread_barrier_t *start;
    uint8_t key[SHA256_LEN];
    int n;
    enum outcome outcome;
};

static void *rival_run(void *arg)
{
    struct rival *r = arg;
    struct db *d = NULL;
    struct err why = {.outcome = OK};
    struct arena *a = arena_new(1 << 20);
    char name[40];
    snprintf(name, sizeof name, "rival %d", r->n);
    struct scep_issue issue = {.transaction_id = name,
                               .why = "test",
                               .cert_der = bytes_str("der"),
                               .serial = name,
                               .subject = "CN=rival",
                               .issuer = "CN=CA"};
    sha256(bytes_str(name), issue.cert_sha256);
    memcpy(issue.key_sha256, r->key, sizeof r->key);
    r->outcome = db_new(conf, DB_MDM, &d, &why);
    if (r->outcome == OK)
        r->outcome = db_ping(d, &why);
    pthread_barrier_wait(r->start);
    if (r->outcome == OK)
        r->outcome = scep_issue_record(d, &issue, a, &why);
    db_free(&d);
    arena_free(&a);
    return NULL;
}

static void a_key_serves_one_of_two_at_once(void **state)
{
    (void)state;
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, 2);
    for (int round = 0; round < 20; round++) {
        struct rival r[2];
        pthread_t t[2];
        for (int i = 0; i < 2; i++) {
            r[i] = (struct rival){.start = &start, .n = 2 * round + i};
            memset(r[i].key, round + 1, sizeof r[i].key);
            assert_int_equal(pthread_create(&t[i], NULL, rival_run, &r[i]), 0);
        }
        for (int i = 0; i < 2; i++)
            pthread_join(t[i], NULL);
        assert_int_equal(r[0].outcome + r[1].outcome, OK + DENIED);
        assert_true(r[0].outcome == OK || r[1].outcome == OK);
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(count(&COUNT, 0), 20);
}

static struct identity *inventory(const struct identity_filter *f, size_t want)
{
    struct identity_place at = {-1, {0}};
    struct identity *list;
    bool more;
    size_t n;
    assert_ok(identity_list(owner, f, &at, clock_now(), 100, arena, &list, &n, &more, &err), err);
    assert_int_equal(n, want);
    assert_false(more);
    return list;
}

static void follow(size_t want)
{
    size_t done, all = 0;
    do {
        assert_ok(identity_follow(owner, 512, &done, &err), err);
        all += done;
    } while (done > 0);
    assert_int_equal(all, want);
}

static void inventory_is_listed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "i%d", i);
        struct sc_request r = request(id, STATIC);
        r.cn = i == 1 ? "50% \xc3\x9c_ber" : "plain";
        struct sc_reply reply = exchange(&r);
        assert_string_equal(reply.status, "0");
        X509_free(reply.cert);
    }
    struct identity *all = inventory(&(struct identity_filter){.issued = true}, 3);
    assert_true(strstr(all[0].issuer, "CN=Example Device CA") != NULL);
    assert_int_equal(all[0].state, IDENTITY_VALID);
    for (int i = 0; i < 2; i++) { /* before its words have followed, and then */
        inventory(&(struct identity_filter){.text = "50% \xc3\xbc_BER"}, 1);
        inventory(&(struct identity_filter){.text = "\xc3\xbc_BER"}, 1);
        inventory(&(struct identity_filter){.text = "5_%"}, 0); /* not a pattern */
        inventory(&(struct identity_filter){.text = "%"}, 0);
        inventory(&(struct identity_filter){.text = "plain nothing"}, 0);
        inventory(&(struct identity_filter){.text = all[1].serial}, 1);
        follow(i == 0 ? 3 : 0);
    }
    inventory(&(struct identity_filter){.state = IDENTITY_REVOKED}, 0);
    inventory(&(struct identity_filter){.ends_before = clock_now() + 29 * DAY_US}, 0);
    /* page by page */
    struct identity_place at = {-1, {0}};
    struct identity *page;
    bool more;
    size_t n;
    for (int i = 0; i < 4; i++) {
        assert_ok(identity_list(owner, &(struct identity_filter){0}, &at, clock_now(), 1, arena,
                                &page, &n, &more, &err),
                  err);
        assert_int_equal(n, i < 3);
        assert_int_equal(more, i < 3);
        if (n == 1)
            assert_memory_equal(page[0].sha256, all[i].sha256, SHA256_LEN);
    }
    char hex[SHA256_HEX_LEN + 1];
    struct revoked_identity *gone;
    struct identity one;
    hex_encode(bytes_of(all[2].sha256, SHA256_LEN), hex);
    /* As openssl x509 -fingerprint prints it. */
    char shown[SHA256_LEN * 3] = "";
    for (size_t i = 0; i < SHA256_LEN; i++)
        snprintf(shown + 3 * i, 4, i + 1 < SHA256_LEN ? "%02X:" : "%02X", all[2].sha256[i]);
    hex[9] = '\0';
    assert_ok(identity_get(owner, shown, clock_now(), arena, &one, &err), err);
    assert_ok(identity_revoke(owner, shown, "anna", "lost", clock_now(), arena, &gone, &n, &err),
              err);
    inventory(&(struct identity_filter){.state = IDENTITY_REVOKED}, 1);
    assert_ok(identity_get(owner, hex, clock_now(), arena, &one, &err), err);
    assert_int_equal(one.state, IDENTITY_REVOKED);
    assert_string_equal(one.revoked_why, "anna: lost");
    assert_true(one.der.n > 500);
    assert_outcome(identity_get(owner, "0123", clock_now(), arena, &one, &err), NOT_FOUND, err);
    assert_outcome(identity_get(owner, "0000000000", clock_now(), arena, &one, &err), NOT_FOUND,
                   err);
}

/* What is found at how many pages, to the end. */
static size_t walk(const struct identity_filter *f, size_t max, size_t *pages)
{
    struct identity_place at = {-1, {0}};
    struct identity *list;
    bool more = true;
    size_t n, all = 0;
    for (*pages = 0; more; ++*pages) {
        arena_reset(arena);
        assert_ok(identity_list(owner, f, &at, 1000, max, arena, &list, &n, &more, &err), err);
        for (size_t i = 1; i < n; i++)
            assert_true(list[i - 1].not_after <= list[i].not_after);
        all += n;
    }
    return all;
}

/* Whatever is asked for, a page reads no more than it may, and the pages together have all. */
static void a_large_inventory_is_paged(void **state)
{
    (void)state;
    size_t pages;
    assert_ok(db_exec(owner, &CLEAR_CERT, NULL, 0, NULL, &err), err);
    assert_ok(
        db_run(owner, "many",
               "INSERT INTO identity_cert (sha256, serial, subject, not_after, issued_at, "
               "device_id, renews_device_id, revoked_at) SELECT UNHEX(SHA2(seq, 256)), "
               "LOWER(SHA2(seq, 224)), CONCAT('CN=Device ', seq, ',O=', IF(seq % 2, 'Odd', "
               "'Even')), 500 + seq, 1, seq, NULL, IF(seq % 1000, NULL, 1) FROM seq_1_to_12000",
               &err),
        err);
    assert_ok(db_run(owner, "renewed",
                     "UPDATE identity_cert SET device_id = NULL, renews_device_id = 77 WHERE "
                     "not_after = 501",
                     &err),
              err);
    follow(12000);
    assert_int_equal(walk(&(struct identity_filter){.text = "device"}, 500, &pages), 12000);
    assert_int_equal(pages, 25); /* all are full, and the last one finds the end */
    assert_int_equal(walk(&(struct identity_filter){.text = "device 4711"}, 500, &pages), 1);
    assert_int_equal(pages, 1);
    assert_int_equal(walk(&(struct identity_filter){.text = "odd even"}, 500, &pages), 0);
    assert_int_equal(pages, 4); /* it looks at some at a time */
    assert_int_equal(
        walk(&(struct identity_filter){.text = "device", .state = IDENTITY_REVOKED}, 500, &pages),
        12);
    assert_int_equal(pages, 1);
    assert_int_equal(walk(&(struct identity_filter){.state = IDENTITY_EXPIRED}, 500, &pages), 500);
    assert_int_equal(walk(&(struct identity_filter){.state = IDENTITY_VALID}, 500, &pages), 11488);
    assert_int_equal(walk(&(struct identity_filter){.ident = "renews"}, 500, &pages), 2);
    assert_int_equal(walk(&(struct identity_filter){.ident = "nobody"}, 500, &pages), 0);
    assert_int_equal(
        walk(&(struct identity_filter){.ident = "renews", .text = "even"}, 500, &pages), 0);
}

/* Many revoked ones are found in the order of the list, not collected for each page. */
static void many_revoked_are_not_passed_over(void **state)
{
    const struct identity_filter revoked = {.state = IDENTITY_REVOKED};
    struct identity_place at = {-1, {0}};
    struct identity *list;
    int64_t own, before;
    size_t n, pages;
    bool more;
    (void)state;
    assert_ok(db_exec(owner, &CLEAR_CERT, NULL, 0, NULL, &err), err);
    assert_ok(db_run(owner, "many",
                     "INSERT INTO identity_cert (sha256, subject, not_after, device_id, "
                     "revoked_at) SELECT UNHEX(SHA2(seq, 256)), CONCAT('CN=Device ', seq), seq, "
                     "seq, IF(seq % 5, NULL, 1) FROM seq_1_to_10000",
                     &err),
              err);
    own = testdb_passed_over(owner, arena);
    before = testdb_passed_over(owner, arena);
    own = before - own;
    assert_ok(identity_list(owner, &revoked, &at, 1000, 50, arena, &list, &n, &more, &err), err);
    assert_int_equal(n, 50);
    assert_true(more);
    assert_int_equal(list[49].not_after, 250);
    /* more than half of it to see that they are many */
    assert_in_range(testdb_passed_over(owner, arena) - before - own, 0, 7000);
    assert_int_equal(walk(&revoked, 100, &pages), 2000);
}

/* GetCert and GetCRL: for who has an identity, and for nobody else. */
static void looked_up(void **state)
{
    (void)state;
    size_t made;
    struct sc_request r = request("l1", STATIC);
    struct sc_reply mine = exchange(&r);
    sign_client_setup(dir, SIGN_AGENT);
    assert_ok(crl_run(owner, conf, true, &made, &err), err);
    assert_int_equal(made, 1);
    assert_ok(crl_run(owner, conf, false, &made, &err), err);
    assert_int_equal(made, 0); /* nothing was revoked since */
    sign_client_setup(dir, SIGN_MDM);
    struct sc_request ask_for = request("l2", NULL);
    ask_for.type = "21";
    ask_for.asks_for = mine.cert;
    REFUSED(&ask_for, "4"); /* self-signed */
    ask_for.signer = mine.cert;
    ask_for.signer_key = rsa;
    struct sc_reply got = exchange(&ask_for);
    assert_string_equal(got.status, "0");
    assert_int_equal(X509_cmp(got.cert, mine.cert), 0);
    ask_for.type = "22";
    struct sc_reply list = exchange(&ask_for);
    assert_string_equal(list.status, "0");
    assert_null(list.cert);
    assert_int_equal(X509_NAME_cmp(X509_CRL_get_issuer(list.crl), X509_get_issuer_name(mine.cert)),
                     0);
    /* another CA's certificate; and one that is revoked asks in vain, and makes the list due */
    X509 *strange = sc_self_signed(rsa, "strange");
    ask_for.asks_for = strange;
    REFUSED(&ask_for, "4");
    ask_for.type = "21";
    REFUSED(&ask_for, "4");
    assert_ok(db_exec(owner, &REVOKE_NOW, NULL, 0, NULL, &err), err);
    ask_for.asks_for = mine.cert;
    REFUSED(&ask_for, "2");
    sign_client_setup(dir, SIGN_AGENT);
    assert_ok(crl_run(owner, conf, false, &made, &err), err);
    assert_int_equal(made, 1);
    sign_client_setup(dir, SIGN_MDM);
    X509_CRL_free(list.crl);
    X509_free(strange);
    X509_free(mine.cert);
    X509_free(got.cert);
}

static void altered(void **state)
{
    (void)state;
    struct sc_request r = request("altered", STATIC);
    unsigned char *der = NULL;
    struct bytes answer;
    int n = sc_write(&r, ra, &der);
    uint8_t *copy = malloc((size_t)n);
    /* the signature's last octet: understood, and refused as badMessageCheck */
    memcpy(copy, der, (size_t)n);
    copy[n - 1] ^= 1;
    assert_int_equal(post(bytes_of(copy, (size_t)n), &answer), 200);
    struct sc_reply reply = sc_read(&r, ra, answer);
    assert_string_equal(reply.status, "2");
    assert_string_equal(reply.fail, "1");
    for (int i = 0; i < n; i += 7) { /* anywhere: never a certificate, never a fault */
        memcpy(copy, der, (size_t)n);
        copy[i] ^= 0x41;
        int status = post(bytes_of(copy, (size_t)n), &answer);
        assert_true(status == 200 || status == 400);
        if (i % 5 == 0)
            assert_true(post(bytes_of(der, (size_t)i), &answer) == 400);
    }
    free(copy);
    OPENSSL_free(der);
    r.type = NULL;
    n = sc_write(&r, ra, &der);
    assert_int_equal(post(bytes_of(der, (size_t)n), &answer), 400);
    OPENSSL_free(der);
}

static void operations(void **state)
{
    (void)state;
    const struct bytes none = {0};
    struct bytes out;
    const char *type;
    assert_int_equal(ask(arena, METHOD_GET, "operation=GetCACaps", none, &out, &type), 200);
    assert_non_null(strstr((const char *)out.p, "POSTPKIOperation\n"));
    assert_string_equal(type, "text/plain");
    assert_int_equal(ask(arena, METHOD_GET, "operation=GetCACert&message=x", none, &out, &type),
                     200);
    assert_string_equal(type, "application/x-x509-ca-ra-cert");
    const unsigned char *p = out.p;
    PKCS7 *p7 = d2i_PKCS7(NULL, &p, (long)out.n);
    assert_non_null(p7);
    assert_int_equal(sk_X509_num(p7->d.sign->cert), 2);
    PKCS7_free(p7);
    static const char *const bad[] = {"",
                                      "operation=",
                                      "operation=getcacert",
                                      "operation=PKIOperation",
                                      "operation=PKIOperation&message=",
                                      "operation=PKIOperation&message=%21%21",
                                      "operation=PKIOperation&message=aGVsbG8%3D"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ask(arena, METHOD_GET, bad[i], none, &out, NULL), 400);
    assert_int_equal(ask(arena, METHOD_POST, "", bytes_str("x"), &out, NULL), 400);
    assert_int_equal(post(bytes_str("rubbish"), &out), 400);
    assert_int_equal(post(none, &out), 400);
}

/* The message of a GET, escaped as it ought to be and with bare plus signs. */
static void by_get(void **state)
{
    (void)state;
    for (int escaped = 0; escaped < 2; escaped++) {
        struct sc_request r = request(escaped ? "get" : "get bare", STATIC);
        unsigned char *der = NULL;
        int n = sc_write(&r, ra, &der);
        struct buf b64 = BUF_INIT(LIM_QUERY), query = BUF_INIT(LIM_QUERY);
        base64_add(&b64, bytes_of(der, (size_t)n));
        buf_str(&query, "operation=PKIOperation&message=");
        if (escaped)
            url_encode_add(&query, buf_cstr(&b64));
        else
            buf_str(&query, buf_cstr(&b64));
        struct bytes answer;
        assert_int_equal(ask(arena, METHOD_GET, buf_cstr(&query), (struct bytes){0}, &answer, NULL),
                         200);
        struct sc_reply reply = sc_read(&r, ra, answer);
        assert_string_equal(reply.status, "0");
        X509_free(reply.cert);
        buf_free(&b64);
        buf_free(&query);
        OPENSSL_free(der);
    }
}

struct racer {
    struct bytes body, answer;
    struct arena *a;
    int status;
};

static void *race(void *arg)
{
    struct racer *x = arg;
    x->status = ask(x->a, METHOD_POST, "operation=PKIOperation", x->body, &x->answer, NULL);
    return NULL;
}

/* Eight workers get the same request at once: one certificate. */
static void at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        char id[16];
        snprintf(id, sizeof id, "race%d", round);
        struct sc_request r = request(id, round % 2 ? STATIC : challenge(0));
        struct racer racers[8];
        pthread_t threads[8];
        unsigned char *der = NULL;
        int n = sc_write(&r, ra, &der);
        for (int i = 0; i < 8; i++) {
            racers[i] = (struct racer){.body = bytes_of(der, (size_t)n), .a = arena_new(4u << 20)};
            assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
        X509 *first = NULL;
        for (int i = 0; i < 8; i++) {
            assert_int_equal(racers[i].status, 200);
            struct sc_reply reply = sc_read(&r, ra, racers[i].answer);
            assert_string_equal(reply.status, "0");
            if (first) {
                assert_int_equal(X509_cmp(first, reply.cert), 0);
                X509_free(reply.cert);
            } else {
                first = reply.cert;
            }
            arena_free(&racers[i].a);
        }
        X509_free(first);
        OPENSSL_free(der);
        assert_int_equal(count(&COUNT, 0), round + 1);
    }
}

static X509 *ra_now(void)
{
    struct bytes der;
    assert_ok(sign_certificate(arena, "ra", &der, &err), err);
    const unsigned char *p = der.p;
    return d2i_X509(NULL, &p, (long)der.n);
}

static void ca_change(const char *what, int64_t generation, enum outcome want)
{
    sign_client_setup(dir, SIGN_CTL);
    assert_outcome(sign_ca_change(what, generation, &err), want, err);
    sign_client_setup(dir, SIGN_MDM);
}

/* The certificates in the answer to GetNextCACert, which the present CA must have signed. */
static int next_certs(X509 *ca)
{
    struct bytes out;
    const char *type;
    assert_int_equal(
        ask(arena, METHOD_GET, "operation=GetNextCACert", (struct bytes){0}, &out, &type), 200);
    assert_string_equal(type, "application/x-x509-next-ca-cert");
    const unsigned char *p = out.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)out.n);
    STACK_OF(X509) *by = sk_X509_new_null();
    BIO *content = BIO_new(BIO_s_mem());
    sk_X509_push(by, ca);
    assert_int_equal(CMS_verify(cms, by, NULL, NULL, content,
                                CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY),
                     1);
    PKCS7 *p7 = d2i_PKCS7_bio(content, NULL);
    assert_non_null(p7);
    int n = sk_X509_num(p7->d.sign->cert);
    PKCS7_free(p7);
    BIO_free(content);
    sk_X509_free(by);
    CMS_ContentInfo_free(cms);
    return n;
}

static bool offers_next(void)
{
    struct bytes out;
    assert_int_equal(ask(arena, METHOD_GET, "operation=GetCACaps", (struct bytes){0}, &out, NULL),
                     200);
    return strstr((const char *)out.p, "GetNextCACert\n") != NULL;
}

/* The CA is changed while clients of the one before come and go. The last test: it stays so. */
static void the_next_ca(void **state)
{
    (void)state;
    struct sign_authority all[SIGN_AUTHORITIES_MAX];
    struct bytes out, der;
    size_t n;
    ca_change("switch", 0, NOT_FOUND);
    ca_change("retire", 1, CONFLICT);
    assert_false(offers_next());
    assert_int_equal(
        ask(arena, METHOD_GET, "operation=GetNextCACert", (struct bytes){0}, &out, NULL), 404);
    assert_outcome(sign_ca_change("next", 0, &err), DENIED, err); /* no worker may */
    assert_ok(sign_certificate(arena, "ca", &der, &err), err);
    const unsigned char *p = der.p;
    X509 *ca = d2i_X509(NULL, &p, (long)der.n);
    ca_change("next", 0, OK);
    ca_change("next", 0, CONFLICT);
    assert_true(offers_next());
    assert_int_equal(next_certs(ca), 2);
    struct sc_request r = request("before", STATIC);
    struct sc_reply before = exchange(&r);
    assert_int_equal(X509_NAME_cmp(X509_get_issuer_name(before.cert), X509_get_subject_name(ca)),
                     0);
    /* this client has asked for the RA before the change */
    ca_change("switch", 0, OK);
    r = request("with the old RA", STATIC);
    struct sc_reply across = exchange(&r); /* the answer is signed by the RA it knows */
    assert_string_equal(across.status, "0");
    assert_ok(sign_authorities(arena, all, &n, &err), err);
    assert_int_equal(n, 2);
    assert_int_equal(all[0].state, -1);
    assert_int_equal(all[1].state, 0);
    p = all[1].ca_der.p;
    X509 *fresh = d2i_X509(NULL, &p, (long)all[1].ca_der.n);
    assert_int_equal(X509_verify(across.cert, X509_get0_pubkey(fresh)), 1);
    assert_int_equal(X509_verify(across.cert, X509_get0_pubkey(ca)), 0);
    /* renewal by an identity of the old CA, with the new RA; a restart changes nothing */
    kill(signer, SIGTERM);
    waitpid(signer, NULL, 0);
    signer = testsigner_start(conf, arena);
    X509 *old_ra = ra;
    ra = ra_now();
    assert_int_not_equal(X509_cmp(ra, old_ra), 0);
    r = request("renewed", NULL);
    r.type = "17";
    r.key = ec;
    r.signer = before.cert;
    r.signer_key = rsa;
    struct sc_reply renewed = exchange(&r);
    assert_string_equal(renewed.status, "0");
    assert_int_equal(X509_verify(renewed.cert, X509_get0_pubkey(fresh)), 1);
    assert_false(offers_next());
    /* retired: its RA opens nothing any more */
    ca_change("retire", 2, CONFLICT);
    ca_change("retire", 7, NOT_FOUND);
    ca_change("retire", 1, OK);
    assert_ok(sign_authorities(arena, all, &n, &err), err);
    assert_int_equal(n, 1);
    X509 *new_ra = ra;
    unsigned char *message = NULL;
    r = request("too late", STATIC);
    int len = sc_write(&r, old_ra, &message);
    assert_int_equal(post(bytes_of(message, (size_t)len), &out), 200);
    struct sc_reply late = sc_read(&r, new_ra, out);
    assert_string_equal(late.fail, "1");
    OPENSSL_free(message);
    X509 *const gone[] = {ca, fresh, old_ra, before.cert, across.cert, renewed.cert};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        X509_free(gone[i]);
}

static void signer_away(void **state)
{
    (void)state;
    struct sc_request r = request("away", STATIC);
    unsigned char *der = NULL;
    struct bytes answer;
    int n = sc_write(&r, ra, &der);
    testsigner_stop(signer);
    assert_int_equal(post(bytes_of(der, (size_t)n), &answer), 503);
    assert_int_equal(
        ask(arena, METHOD_GET, "operation=GetCACert", (struct bytes){0}, &answer, NULL), 503);
    signer = testsigner_start(conf, arena);
    assert_int_equal(post(bytes_of(der, (size_t)n), &answer), 200);
    struct sc_reply reply = sc_read(&r, ra, answer);
    assert_string_equal(reply.status, "0");
    X509_free(reply.cert);
    OPENSSL_free(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(issues, clear),
        cmocka_unit_test_setup(algorithms, clear),
        cmocka_unit_test_setup(answers_in_kind, clear),
        cmocka_unit_test_setup(refusals, clear),
        cmocka_unit_test_setup(renewals, clear),
        cmocka_unit_test_setup(altered, clear),
        cmocka_unit_test_setup(looked_up, clear),
        cmocka_unit_test_setup(waits_for_a_person, clear),
        cmocka_unit_test_setup(is_denied_or_forgotten, clear),
        cmocka_unit_test_setup(names_are_kept_to, clear),
        cmocka_unit_test_setup(a_key_serves_once, clear),
        cmocka_unit_test_setup(a_key_serves_one_of_two_at_once, clear),
        cmocka_unit_test_setup(inventory_is_listed, clear),
        cmocka_unit_test_setup(a_large_inventory_is_paged, clear),
        cmocka_unit_test(many_revoked_are_not_passed_over),
        cmocka_unit_test_setup(operations, clear),
        cmocka_unit_test_setup(by_get, clear),
        cmocka_unit_test_setup(at_once, clear),
        cmocka_unit_test_setup(signer_away, clear),
        cmocka_unit_test_setup(the_next_ca, clear),
    };
    return cmocka_run_group_tests_name("scep", tests, set_up, tear_down);
}
