/* A real signer on a scratch folder: set-up, roles, tickets, rubbish, slow callers, its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/log.h"
#include "proc/signer.h"
#include "wire/pkcs12.h"
#include "wire/cms.h"
#include "wire/encode.h"
#include "wire/scepmsg.h"
#include "wire/seal.h"
#include "wire/sign_proto.h"
#include "wire/totp.h"

static char dir[] = "/tmp/drover-signer-XXXXXX";
static char keys[64], journal[64];
static struct conf conf;
static struct arena *a;
static struct err err;
static pid_t signer;

static bool sh(const char *fmt, ...)
{
    char cmd[2048];
    int n = snprintf(cmd, sizeof cmd, "cd %s && { ", dir);
    va_list ap;
    va_start(ap, fmt);
    n += vsnprintf(cmd + n, sizeof cmd - (size_t)n, fmt, ap);
    va_end(ap);
    snprintf(cmd + n, sizeof cmd - (size_t)n, " ; } >out 2>&1");
    return system(cmd) == 0;
}

static void spit(const char *name, struct bytes b)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    fclose(f);
}

static void signer_start(void)
{
    signer = fork();
    assert_true(signer >= 0);
    if (signer == 0) {
        if (log_open("stderr", LOG_LEVEL_ERROR, "signer", NULL) != OK)
            _exit(2);
        _exit(signer_main(&conf));
    }
    sign_client_setup(dir, SIGN_MDM);
    const char *version = "";
    for (int i = 0; i < 500; i++) {
        if (sign_ping(a, &version, &err) == OK)
            break;
        usleep(10000);
    }
    assert_string_equal(version, DROVER_VERSION);
}

static void signer_stop(void)
{
    int status = 0;
    assert_int_equal(kill(signer, SIGTERM), 0);
    assert_int_equal(waitpid(signer, &status, 0), signer);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    signer = 0;
}

static int setup(void **state)
{
    (void)state;
    a = arena_new(64u << 20);
    if (!mkdtemp(dir))
        return -1;
    snprintf(keys, sizeof keys, "%s/keys", dir);
    snprintf(journal, sizeof journal, "%s/signer.log", dir);
    conf.run_dir = dir;
    conf.signer_dir = keys;
    conf.signer_user = conf.agent_user = conf.mdm.user = conf.console.user = "";
    conf.signer_log = journal;
    conf.signer_threads = 3;
    conf.organization = "Example";
    conf.profile_chain = "";
    conf.scep_des = true;
    conf.scep_min_rsa = 2048;
    conf.scep_validity_days = 365;
    if (signer_setup(&conf, "Example", &err) != OK) {
        fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    signer_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (signer)
        kill(signer, SIGKILL);
    char cmd[64];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    arena_free(&a);
    return system(cmd);
}

static void files_and_modes(void **state)
{
    (void)state;
    assert_true(
        sh("test $(stat -c %%a keys) = 711 && test $(stat -c %%a keys/tickets) = 700 && "
           "for f in ca ra profile seal; do test $(stat -c %%a keys/$f.key) = 600 || exit 1; "
           "done; test $(stat -c %%a keys/seal.pub) = 644 && ls keys | wc -l | grep -qx 9"));
    assert_true(sh("sha256sum keys/*.* >before"));
    assert_int_equal(signer_setup(&conf, "Another", &err), OK);
    assert_true(sh("sha256sum keys/*.* | cmp - before"));
    /* half a pair is no reason to make another key */
    assert_true(sh("mv keys/ra.pem ra.aside"));
    assert_int_equal(signer_setup(&conf, "Example", &err), INVALID);
    assert_true(sh("mv ra.aside keys/ra.pem && sha256sum keys/*.* | cmp - before"));
    assert_true(sh("openssl verify -x509_strict -CAfile keys/ca.pem keys/ra.pem keys/profile.pem"));
    /* neither may pass for a device */
    assert_false(sh("openssl verify -purpose sslclient -CAfile keys/ca.pem keys/ra.pem"));
    assert_false(sh("openssl verify -purpose sslclient -CAfile keys/ca.pem keys/profile.pem"));
}

static struct bytes csr(struct pkey *k)
{
    struct buf b = BUF_INIT(1 << 16);
    assert_int_equal(csr_new(k, "asked for", "nobody", "secret", &b, &err), OK);
    struct bytes out = arena_bytes(a, buf_bytes(&b));
    buf_free(&b);
    return out;
}

static enum outcome issue(struct bytes request, const char *name, int64_t from, int64_t to,
                          struct bytes *cert)
{
    const struct sign_issue i = {
        .csr_der = request, .common_name = name, .not_before = from, .not_after = to};
    return sign_issue_identity(a, &i, cert, &err);
}

static void identities(void **state)
{
    (void)state;
    struct pkey *rsa = NULL, *ec = NULL, *small = NULL;
    struct bytes cert;
    struct cert_info info;
    int64_t now = clock_now();
    assert_int_equal(pkey_new_rsa(2048, &rsa, &err), OK);
    assert_int_equal(pkey_new_p256(&ec, &err), OK);
    assert_int_equal(pkey_new_rsa(1024, &small, &err), OK);
    sign_client_setup(dir, SIGN_MDM);
    assert_int_equal(issue(csr(rsa), "device-1", now - HOUR_US, now + 30 * DAY_US, &cert), OK);
    assert_int_equal(cert_info_read(a, cert, &info, &err), OK);
    assert_string_equal(info.common_name, "device-1");
    assert_false(info.is_ca);
    assert_true(info.client_auth);
    assert_int_equal(pkey_matches(rsa, cert, &err), OK);
    struct buf pem = BUF_INIT(1 << 16);
    cert_to_pem(cert, &pem);
    spit("one.pem", buf_bytes(&pem));
    buf_free(&pem);
    assert_true(sh("openssl verify -x509_strict -purpose sslclient -CAfile keys/ca.pem one.pem"));
    assert_false(sh("openssl verify -purpose sslserver -CAfile keys/ca.pem one.pem"));
    assert_true(sh("openssl x509 -in one.pem -noout -text | grep -q CA:FALSE"));
    assert_int_equal(issue(csr(ec), "device-2", now, now + DAY_US, &cert), OK);
    /* what is refused */
    assert_int_equal(issue(csr(small), "x", now, now + DAY_US, &cert), INVALID);
    assert_int_equal(issue(csr(ec), "x", now, now + 400 * DAY_US, &cert), INVALID);
    assert_int_equal(issue(csr(ec), "x", now, now, &cert), INVALID);
    assert_int_equal(issue(csr(ec), "", now, now + DAY_US, &cert), INVALID);
    assert_int_equal(issue(bytes_str("rubbish"), "x", now, now + DAY_US, &cert), INVALID);
    struct bytes bad = csr(ec);
    ((uint8_t *)(uintptr_t)bad.p)[bad.n - 1] ^= 1; /* not signed by its own key any more */
    assert_int_equal(issue(bad, "x", now, now + DAY_US, &cert), INVALID);
    pkey_free(&rsa);
    pkey_free(&ec);
    pkey_free(&small);
}

static void profiles(void **state)
{
    (void)state;
    struct bytes der, content, signer_der, chain[4];
    size_t n = 4;
    sign_client_setup(dir, SIGN_CONSOLE);
    assert_int_equal(sign_profile(a, bytes_str("<plist/>"), &der, &err), OK);
    spit("profile", der);
    assert_true(
        sh("openssl cms -verify -binary -inform DER -in profile -CAfile keys/ca.pem -out got "
           "&& test \"$(cat got)\" = '<plist/>'"));
    assert_int_equal(cms_verify_attached(a, der, &content, &signer_der, chain, &n, &err), OK);
    assert_int_equal(n, 1);
    assert_int_equal(sign_profile(a, bytes_of(NULL, 0), &der, &err), INVALID);
}

/* Profiles signed by a certificate from elsewhere, with the chain that [enroll] profile_chain
 * names: one who trusts the root alone believes them. */
static void profiles_by_another(void **state)
{
    (void)state;
    struct bytes der;
    char chain[64];
    snprintf(chain, sizeof chain, "%s/chain.pem", dir);
    signer_stop();
    assert_true(
        sh("mkdir own aside && mv keys/profile.* aside && cd own && "
           "ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes' && "
           "openssl req -x509 $ec -subj /CN=Root -addext basicConstraints=critical,CA:TRUE "
           "-keyout r.key -out r.pem && openssl req $ec -subj /CN=Middle -keyout m.key -out m.csr "
           "&& printf 'basicConstraints=critical,CA:TRUE' >ca.ext && openssl x509 -req -in m.csr "
           "-CA r.pem -CAkey r.key -set_serial 2 -extfile ca.ext -out m.pem && openssl req $ec "
           "-subj /CN=mdm.example.org -keyout s.key -out s.csr && openssl x509 -req -in s.csr "
           "-CA m.pem -CAkey m.key -set_serial 3 -out s.pem && cp s.key ../keys/profile.key && "
           "cp s.pem ../keys/profile.pem && cp m.pem ../chain.pem"));
    conf.profile_chain = chain;
    signer_start();
    sign_client_setup(dir, SIGN_CONSOLE);
    assert_int_equal(sign_profile(a, bytes_str("<plist/>"), &der, &err), OK);
    spit("profile", der);
    assert_true(sh("openssl cms -verify -binary -inform DER -in profile -CAfile own/r.pem -purpose "
                   "any -out got && test \"$(cat got)\" = '<plist/>'"));
    signer_stop();
    conf.profile_chain = "";
    assert_true(sh("mv aside/profile.* keys"));
    signer_start();
}

static struct bytes sealed_for(const char *label, const char *secret)
{
    uint8_t pub[SEAL_KEY_LEN];
    struct buf b = BUF_INIT(4096);
    assert_int_equal(seal_public_load(keys, pub, &err), OK);
    assert_int_equal(seal(pub, label, bytes_str(secret), &b, &err), OK);
    struct bytes out = arena_bytes(a, buf_bytes(&b));
    buf_free(&b);
    return out;
}

static enum outcome unseal(enum sign_role role, const char *purpose, const char *owner,
                           struct bytes sealed, struct bytes ticket, const char *uuid,
                           const char *expect)
{
    struct buf b = BUF_INIT(4096);
    sign_client_setup(dir, role);
    enum outcome o = sign_unseal(purpose, owner, sealed, ticket, uuid, &b, &err);
    if (o == OK)
        assert_string_equal(buf_cstr(&b), expect);
    else
        assert_int_equal(b.len, 0);
    buf_wipe(&b);
    return o;
}

static const struct bytes no_ticket = {0};

static void secrets_by_role(void **state)
{
    (void)state;
    struct bytes boot = sealed_for("BootstrapToken:dev", "boot");
    struct bytes push = sealed_for("PushKey:topic", "push");
    assert_int_equal(unseal(SIGN_MDM, "BootstrapToken", "dev", boot, no_ticket, "", "boot"), OK);
    assert_int_equal(unseal(SIGN_AGENT, "PushKey", "topic", push, no_ticket, "", "push"), OK);
    /* the wrong role, owner, purpose */
    assert_int_equal(unseal(SIGN_AGENT, "BootstrapToken", "dev", boot, no_ticket, "", ""), DENIED);
    assert_int_equal(unseal(SIGN_MDM, "PushKey", "topic", push, no_ticket, "", ""), DENIED);
    assert_int_equal(unseal(SIGN_CONSOLE, "BootstrapToken", "dev", boot, no_ticket, "", ""),
                     DENIED);
    assert_int_equal(unseal(SIGN_CTL, "BootstrapToken", "dev", boot, no_ticket, "", ""), DENIED);
    assert_int_equal(unseal(SIGN_MDM, "BootstrapToken", "other", boot, no_ticket, "", ""), DENIED);
    assert_int_equal(unseal(SIGN_MDM, "BootstrapToken", "topic", push, no_ticket, "", ""), DENIED);
    assert_int_equal(unseal(SIGN_MDM, "Something", "dev", boot, no_ticket, "", ""), DENIED);
}

static void operations_by_role(void **state)
{
    (void)state;
    static const enum sign_role not_mdm[] = {SIGN_CONSOLE, SIGN_AGENT, SIGN_CTL};
    struct bytes out;
    const char *cipher;
    uint8_t ticket[SIGN_TICKET_LEN];
    struct pkey *ec = NULL;
    int64_t generation;
    assert_int_equal(pkey_new_p256(&ec, &err), OK);
    struct scep_reply r = {.transaction_id = "t",
                           .recipient_nonce = bytes_str("n"),
                           .pki_status = SCEP_FAILURE,
                           .cipher = "",
                           .digest = "SHA256"};
    for (size_t i = 0; i < 3; i++) {
        sign_client_setup(dir, not_mdm[i]);
        assert_int_equal(sign_scep_open(a, bytes_str("x"), &out, &cipher, &generation, &err),
                         DENIED);
        assert_int_equal(sign_scep_reply(a, &r, &out, &err), DENIED);
        assert_int_equal(issue(csr(ec), "x", clock_now(), clock_now() + DAY_US, &out), DENIED);
        /* the check-up shows itself one to the web server */
        const struct sign_pkcs12 ask = {.key_type = "EC",
                                        .key_size = 256,
                                        .common_name = "x",
                                        .not_before = clock_now(),
                                        .not_after = clock_now() + MINUTE_US};
        struct bytes p12, cert;
        const char *password;
        struct pkey *key = NULL;
        assert_int_equal(sign_pkcs12(a, &ask, &out, &p12, &password, &err),
                         not_mdm[i] == SIGN_CONSOLE ? DENIED : OK);
        if (not_mdm[i] == SIGN_CONSOLE)
            continue;
        assert_int_equal(pkcs12_read(a, p12, "another", &key, &cert, &err), DENIED);
        assert_int_equal(pkcs12_read(a, out, password, &key, &cert, &err), INVALID);
        assert_int_equal(pkcs12_read(a, p12, password, &key, &cert, &err), OK);
        assert_true(bytes_equal(cert, out));
        assert_int_equal(pkey_matches(key, cert, &err), OK);
        pkey_free(&key);
    }
    sign_client_setup(dir, SIGN_AGENT);
    assert_int_equal(sign_profile(a, bytes_str("x"), &out, &err), OK); /* renewals */
    static const enum sign_role no_tickets[] = {SIGN_MDM, SIGN_AGENT};
    for (size_t i = 0; i < 2; i++) {
        sign_client_setup(dir, no_tickets[i]);
        assert_int_equal(
            sign_ticket("UnlockToken", "d", "u", "why", clock_now() + DAY_US, ticket, &err),
            DENIED);
    }
    assert_int_equal(sign_certificate(a, "ca", &out, &err), OK);
    assert_int_equal(sign_certificate(a, "seal", &out, &err), NOT_FOUND);
    pkey_free(&ec);
}

/* A password is compared inside, for the workers alone; a sealed value of another account, or of
 * another algorithm, is of no use. */
static void digest_answers(void **state)
{
    (void)state;
    char ha1[DIGEST_HEX_MAX + 1];
    struct digest_answer d;
    digest_ha1(DIGEST_MD5, "alice", "correct horse", ha1);
    struct bytes sealed = sealed_for("DigestHA1-MD5:alice", ha1);
    struct bytes other = sealed_for("DigestHA1-MD5:bob", ha1);
    assert_true(sh("h() { printf %%s \"$1\" | md5sum | cut -c1-32; } ; "
                   "h \"%s:n1:00000001:c1:auth:$(h PUT:/mdm/checkin)\" >digest",
                   ha1));
    char path[128], response[33] = "";
    snprintf(path, sizeof path, "%s/digest", dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fread(response, 1, 32, f), 32);
    fclose(f);
    d = (struct digest_answer){.algorithm = DIGEST_MD5,
                               .username = "alice",
                               .uri = "/mdm/checkin",
                               .nonce = "n1",
                               .nc = "00000001",
                               .cnonce = "c1",
                               .qop = "auth",
                               .response = response};
    sign_client_setup(dir, SIGN_MDM);
    assert_int_equal(sign_digest_check(&d, sealed, "PUT", &err), OK);
    assert_int_equal(sign_digest_check(&d, sealed, "POST", &err), DENIED);
    assert_int_equal(sign_digest_check(&d, other, "PUT", &err), INVALID);
    assert_int_equal(sign_digest_check(&d, bytes_of(NULL, 0), "PUT", &err), INVALID);
    d.algorithm = DIGEST_SHA256;
    assert_int_equal(sign_digest_check(&d, sealed, "PUT", &err), INVALID);
    d.algorithm = DIGEST_MD5;
    response[0] ^= 1;
    assert_int_equal(sign_digest_check(&d, sealed, "PUT", &err), DENIED);
    response[0] ^= 1;
    static const enum sign_role others[] = {SIGN_CONSOLE, SIGN_AGENT, SIGN_CTL};
    for (size_t i = 0; i < 3; i++) {
        sign_client_setup(dir, others[i]);
        assert_int_equal(sign_digest_check(&d, sealed, "PUT", &err), DENIED);
    }
    /* nor does anybody get it opened */
    assert_int_equal(unseal(SIGN_MDM, "DigestHA1-MD5", "alice", sealed, no_ticket, "", ""), DENIED);
}

static void second_factors(void **state)
{
    (void)state;
    int64_t now = clock_now(), step = 0;
    char code[TOTP_DIGITS + 1];
    const char *secret = "12345678901234567890";
    struct bytes sealed = sealed_for("TotpSecret:ann", secret);
    /* RFC 6238 appendix B, the last six digits */
    static const struct {
        int64_t at;
        const char *code;
    } vectors[] = {{59, "287082"}, {1111111109, "081804"}, {20000000000, "353130"}};
    for (size_t i = 0; i < 3; i++) {
        totp_code(bytes_str(secret), vectors[i].at / TOTP_STEP_S, code);
        assert_string_equal(code, vectors[i].code);
        assert_int_equal(totp_match(bytes_str(secret), code, vectors[i].at * SECOND_US),
                         vectors[i].at / TOTP_STEP_S);
        assert_int_equal(totp_match(bytes_str(secret), code, (vectors[i].at + 61) * SECOND_US), -1);
    }
    totp_code(bytes_str(secret), now / SECOND_US / TOTP_STEP_S, code);
    sign_client_setup(dir, SIGN_CONSOLE);
    assert_int_equal(sign_totp_check("ann", sealed, code, now, &step, &err), OK);
    assert_int_equal(step, now / SECOND_US / TOTP_STEP_S);
    assert_int_equal(sign_totp_check("ben", sealed, code, now, &step, &err), INVALID);
    assert_int_equal(sign_totp_check("ann", sealed, "", now, &step, &err), DENIED);
    /* the signer goes by its own clock: nobody asks it about other days */
    assert_int_equal(sign_totp_check("ann", sealed, code, now - HOUR_US, &step, &err), INVALID);
    code[0] = code[0] == '9' ? '0' : (char)(code[0] + 1);
    assert_int_equal(sign_totp_check("ann", sealed, code, now, &step, &err), DENIED);
    sign_client_setup(dir, SIGN_MDM);
    assert_int_equal(sign_totp_check("ann", sealed, code, now, &step, &err), DENIED);
    assert_int_equal(unseal(SIGN_CONSOLE, "TotpSecret", "ann", sealed, no_ticket, "", ""), DENIED);
}

static void tickets(void **state)
{
    (void)state;
    uint8_t raw[SIGN_TICKET_LEN] = {0}, raw2[SIGN_TICKET_LEN] = {0};
    struct bytes t = bytes_of(raw, sizeof raw), t2 = bytes_of(raw2, sizeof raw2);
    struct bytes sealed = sealed_for("UnlockToken:dev", "unlock");
    assert_int_equal(unseal(SIGN_MDM, "UnlockToken", "dev", sealed, no_ticket, "cmd", ""),
                     NOT_FOUND);
    sign_client_setup(dir, SIGN_CONSOLE);
    int64_t soon = clock_now() + HOUR_US;
    assert_int_equal(sign_ticket("UnlockToken", "dev", "cmd", "", soon, raw, &err), INVALID);
    assert_int_equal(sign_ticket("PushKey", "dev", "cmd", "x", soon, raw, &err), INVALID);
    assert_int_equal(
        sign_ticket("UnlockToken", "dev", "cmd", "x", clock_now() + 91 * DAY_US, raw, &err),
        INVALID);
    assert_int_equal(sign_ticket("UnlockToken", "dev", "cmd", "admin ann", soon, raw, &err), OK);
    assert_int_equal(
        sign_ticket("UnlockToken", "dev", "cmd2", "admin ann", clock_now() + SECOND_US, raw2, &err),
        OK);
    /* the same command again and again, also after a restart */
    assert_int_equal(unseal(SIGN_MDM, "UnlockToken", "dev", sealed, t, "cmd", "unlock"), OK);
    assert_int_equal(unseal(SIGN_MDM, "UnlockToken", "dev", sealed, t, "cmd", "unlock"), OK);
    signer_stop();
    signer_start();
    assert_int_equal(unseal(SIGN_MDM, "UnlockToken", "dev", sealed, t, "cmd", "unlock"), OK);
    /* another command, owner or role; an expired one */
    assert_int_equal(unseal(SIGN_MDM, "UnlockToken", "dev", sealed, t, "cmd2", ""), DENIED);
    assert_int_equal(
        unseal(SIGN_MDM, "UnlockToken", "d2", sealed_for("UnlockToken:d2", "other"), t, "cmd", ""),
        DENIED);
    assert_int_equal(unseal(SIGN_CONSOLE, "UnlockToken", "dev", sealed, t, "cmd", ""), DENIED);
    sleep(1);
    assert_int_equal(unseal(SIGN_MDM, "UnlockToken", "dev", sealed, t2, "cmd2", ""), NOT_FOUND);
    /* a final status ends it */
    sign_client_setup(dir, SIGN_MDM);
    assert_int_equal(sign_ticket_end(t, &err), OK);
    assert_int_equal(sign_ticket_end(t, &err), OK);
    assert_int_equal(unseal(SIGN_MDM, "UnlockToken", "dev", sealed, t, "cmd", ""), NOT_FOUND);
    assert_true(sh("test -z \"$(ls keys/tickets)\""));
    assert_true(
        sh("grep 'op=ticket' signer.log | grep 'detail=\"admin ann\"' | grep -q command=cmd"));
    assert_true(
        sh("test $(grep -c 'op=unseal purpose=UnlockToken.*command=cmd outcome=ok' signer.log)"
           " = 3"));
    assert_false(sh("grep -q unlock signer.log"));
}

/* A bare connection to a role's socket. */
static int raw_connect(const char *role)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/signer-%s.sock", dir, role);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Keys of push certificates: only for their own certificate, and only for who may. */
static void push_keys(void **state)
{
    (void)state;
    struct sign_request r, other;
    struct pkey *ca = NULL, *foreign = NULL;
    struct buf der = BUF_INIT(1 << 16), secret = BUF_INIT(1 << 16);
    struct bytes sealed, signature;
    struct cert_profile p = {.common_name = "APSP",
                             .topic = "com.apple.mgmt.x",
                             .not_before = clock_now() - HOUR_US,
                             .not_after = clock_now() + DAY_US};
    sign_client_setup(dir, SIGN_MDM);
    assert_int_equal(sign_key_new(a, "Push", "Org", &r, &err), DENIED);
    sign_client_setup(dir, SIGN_CTL);
    assert_int_equal(sign_key_new(a, "", "Org", &r, &err), INVALID);
    assert_int_equal(sign_key_new(a, "Push", "Org", &r, &err), OK);
    assert_int_equal(sign_key_new(a, "Push", "", &other, &err), OK);
    assert_int_equal(pkey_new_rsa(2048, &ca, &err), OK);
    assert_int_equal(cert_issue(&p, r.csr_der, NULL, bytes_of(NULL, 0), ca, &der, &err), OK);
    struct bytes cert = arena_bytes(a, buf_bytes(&der));
    assert_int_equal(sign_key_adopt(a, "PushKey", other.key_sealed, cert, &sealed, &err), CONFLICT);
    assert_int_equal(sign_key_adopt(a, "UnlockToken", r.key_sealed, cert, &sealed, &err), INVALID);
    assert_int_equal(sign_key_adopt(a, "PushKey", r.key_sealed, cert, &sealed, &err), OK);
    /* the agent opens it, for that topic only; what waited opens for nobody */
    assert_int_equal(sign_unseal("PushKey", p.topic, sealed, bytes_of(NULL, 0), "", &secret, &err),
                     DENIED);
    sign_client_setup(dir, SIGN_AGENT);
    assert_int_equal(sign_unseal("PushKey", "other", sealed, bytes_of(NULL, 0), "", &secret, &err),
                     DENIED);
    assert_int_equal(
        sign_unseal("PushKey", p.topic, r.key_sealed, bytes_of(NULL, 0), "", &secret, &err),
        DENIED);
    assert_int_equal(sign_unseal("PushKey", p.topic, sealed, bytes_of(NULL, 0), "", &secret, &err),
                     OK);
    assert_int_equal(pkey_from_pem(buf_bytes(&secret), &foreign, &err), OK);
    assert_int_equal(pkey_matches(foreign, cert, &err), OK);
    /* a push key signs nothing as a vendor's */
    sign_client_setup(dir, SIGN_CTL);
    assert_int_equal(sign_vendor(a, sealed, cert, other.csr_der, "SHA1", &signature, &err),
                     CONFLICT);
    assert_int_equal(sign_key_adopt(a, "VendorKey", r.key_sealed, cert, &sealed, &err), OK);
    assert_int_equal(sign_vendor(a, sealed, cert, bytes_str("x"), "SHA1", &signature, &err),
                     INVALID);
    assert_int_equal(sign_vendor(a, sealed, cert, other.csr_der, "MD5", &signature, &err), INVALID);
    assert_int_equal(sign_vendor(a, sealed, cert, other.csr_der, "SHA1", &signature, &err), OK);
    assert_int_equal(signature.n, 256);
    buf_wipe(&secret);
    buf_free(&der);
    pkey_free(&ca);
    pkey_free(&foreign);
}

static void still_there(void)
{
    const char *version;
    sign_client_setup(dir, SIGN_MDM);
    assert_int_equal(sign_ping(a, &version, &err), OK);
}

static void rubbish(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
    } inputs[] = {{"", 0},
                  {"\0\0\0\0", 4},
                  {"\xff\xff\xff\xff", 4},
                  {"\0\x20\0\1", 4},
                  {"\0\0\0\1\1", 5},
                  {"\0\0\0\2\2\0", 6},
                  {"\0\0\0\2\2\xff", 6},
                  {"\0\0\0\2\1\1", 6},
                  {"\0\0\0\6\2\2\xff\xff\xff\xff", 10},
                  {"\0\0\0\6\2\2\0\0\0\1", 10},
                  {"\0\0\0\7\2\2\0\0\0\1\0", 11},
                  {"\0\0\0\6\2\3\0\0\0\0", 10},
                  {"GET / HTTP/1.1\r\n\r\n", 18}};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        int fd = raw_connect("mdm");
        char answer[512];
        assert_int_equal(send(fd, inputs[i].p, inputs[i].n, MSG_NOSIGNAL), inputs[i].n);
        shutdown(fd, SHUT_WR);
        ssize_t n = read(fd, answer, sizeof answer);
        assert_true(n <= 0 || (n > 6 && answer[5] != OK));
        close(fd);
        still_there();
    }
    /* every operation with every truncation of sound-looking fields */
    unsigned seed = 4711;
    for (int op = 0; op < 16; op++)
        for (int round = 0; round < 20; round++) {
            uint8_t msg[64] = {0, 0, 0, 0, 1, (uint8_t)op};
            size_t n = 6 + (size_t)(rand_r(&seed) % 58);
            for (size_t i = 6; i < n; i++)
                msg[i] = rand_r(&seed) % 4 ? 0 : (uint8_t)rand_r(&seed);
            msg[3] = (uint8_t)(n - 4);
            int fd = raw_connect(round % 2 ? "mdm" : "console");
            send(fd, msg, n, MSG_NOSIGNAL);
            char answer[4096];
            (void)!read(fd, answer, sizeof answer);
            close(fd);
        }
    still_there();
}

static void slow_callers(void **state)
{
    (void)state;
    int fds[100];
    for (int i = 0; i < 100; i++) { /* many more than there are threads */
        fds[i] = raw_connect("mdm");
        assert_int_equal(send(fds[i], "\0\0\1\0\1", 5, MSG_NOSIGNAL), 5);
    }
    int64_t t0 = clock_mono();
    struct bytes out;
    sign_client_setup(dir, SIGN_MDM);
    assert_int_equal(sign_certificate(a, "ra", &out, &err), OK);
    assert_true(clock_mono() - t0 < SECOND_US);
    /* and they are sent away */
    char c;
    assert_int_equal(read(fds[0], &c, 1), 0);
    assert_true(clock_mono() - t0 < 8 * SECOND_US);
    for (int i = 0; i < 100; i++)
        close(fds[i]);
    /* a full line of one role leaves the others alone */
    int flood[200];
    for (int i = 0; i < 200; i++)
        flood[i] = raw_connect("console");
    t0 = clock_mono();
    still_there();
    assert_true(clock_mono() - t0 < SECOND_US);
    for (int i = 0; i < 200; i++)
        close(flood[i]);
    const char *version;
    sign_client_setup(dir, SIGN_CONSOLE);
    assert_int_equal(sign_ping(a, &version, &err), OK);
}

static void other_accounts(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(sh("chmod 755 . && chmod 666 signer-mdm.sock"));
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(9);
        struct bytes der;
        sign_client_setup(dir, SIGN_MDM);
        _exit(sign_certificate(a, "ca", &der, &err) == UNAVAILABLE ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(sh("chmod 600 signer-mdm.sock"));
}

static void only_one(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        assert_non_null(freopen("/dev/null", "w", stderr));
        _exit(signer_main(&conf));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    still_there();
}

/* Started by root with an account of its own, it has that account before it reads a word, can still
 * make and end tickets, and opens its log again at both signals. */
static void own_account(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    signer_stop();
    assert_true(sh("chmod 755 . && chown -R nobody keys && rm -f signer.log"));
    conf.signer_user = "nobody";
    signer_start();
    assert_true(sh("grep -qE '^Uid:\t65534\t65534\t65534\t65534$' /proc/%d/status", signer));
    assert_true(sh("grep -qE '^CapEff:\t0+$' /proc/%d/status", signer));
    assert_true(sh("grep -qE '^NoNewPrivs:\t1$' /proc/%d/status", signer));
    uint8_t t[SIGN_TICKET_LEN];
    sign_client_setup(dir, SIGN_CONSOLE);
    assert_int_equal(sign_ticket("UnlockToken", "UDID-account", "account", "alice",
                                 clock_now() + HOUR_US, t, &err),
                     OK);
    for (int i = 0; i < 2; i++) {
        assert_true(sh("mv signer.log old.log && install -o nobody -m 600 /dev/null signer.log"));
        assert_int_equal(kill(signer, i == 0 ? SIGUSR1 : SIGHUP), 0);
        usleep(100000);
        sign_client_setup(dir, SIGN_MDM);
        assert_int_equal(sign_ticket_end(bytes_of(t, sizeof t), &err), OK);
        assert_true(sh("grep -q ticket signer.log"));
    }
    signer_stop();
    conf.signer_user = "";
    assert_true(sh("chown -R root keys"));
    signer_start();
}

/* A signer that has no keys waits for them, and makes them once. */
static void first_keys(void **state)
{
    (void)state;
    const enum sign_role others[] = {SIGN_MDM, SIGN_AGENT};
    struct sign_authority own[SIGN_AUTHORITIES_MAX];
    struct bytes der;
    size_t n;
    signer_stop();
    assert_true(sh("mv keys keys.aside"));
    signer_start(); /* which asks whether it is there */
    assert_int_equal(sign_authorities(a, own, &n, &err), NOT_FOUND);
    assert_non_null(strstr(err.msg, "droverctl ca init"));
    assert_int_equal(sign_profile(a, bytes_str("x"), &der, &err), NOT_FOUND);
    for (size_t i = 0; i < 2; i++) {
        sign_client_setup(dir, others[i]);
        assert_int_equal(sign_ca_init("Example", &err), DENIED);
    }
    sign_client_setup(dir, SIGN_CTL);
    assert_int_equal(sign_ca_change("next", 0, &err), NOT_FOUND);
    sign_client_setup(dir, SIGN_CONSOLE);
    assert_int_equal(sign_ca_init("", &err), INVALID);
    assert_int_equal(sign_ca_init("Vier Jahreszeiten", &err), OK);
    assert_int_equal(sign_ca_init("Vier Jahreszeiten", &err), CONFLICT);
    assert_int_equal(sign_authorities(a, own, &n, &err), OK);
    assert_int_equal(n, 1);
    assert_int_equal(sign_profile(a, bytes_str("x"), &der, &err), OK);
    assert_true(sh("openssl x509 -in keys/ca.pem -noout -subject | grep -q 'Vier Jahreszeiten' && "
                   "test -d keys/tickets && grep -q 'op=ca-init.*outcome=ok' signer.log"));
    signer_stop();
    signer_start(); /* and again with them */
    assert_int_equal(sign_authorities(a, own, &n, &err), OK);
    /* a part of the keys is no reason to make others */
    signer_stop();
    assert_true(sh("mv keys/ca.key ca.aside"));
    pid_t pid = fork();
    if (pid == 0) {
        assert_non_null(freopen("/dev/null", "w", stderr));
        _exit(signer_main(&conf));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_true(sh("rm -r keys && mv keys.aside keys"));
    signer_start();
}

/* Without a place to write its log the signer does nothing with its keys. */
static void no_log_no_service(void **state)
{
    (void)state;
    signer_stop();
    assert_false(sh("ls signer-*.sock"));
    conf.signer_log = "/dev/full";
    pid_t pid = fork();
    if (pid == 0) {
        assert_non_null(freopen("/dev/null", "w", stderr));
        _exit(signer_main(&conf));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 1);
    const char *version;
    assert_int_equal(sign_ping(a, &version, &err), UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_and_modes),
        cmocka_unit_test(identities),
        cmocka_unit_test(profiles),
        cmocka_unit_test(secrets_by_role),
        cmocka_unit_test(operations_by_role),
        cmocka_unit_test(digest_answers),
        cmocka_unit_test(second_factors),
        cmocka_unit_test(tickets),
        cmocka_unit_test(push_keys),
        cmocka_unit_test(rubbish),
        cmocka_unit_test(slow_callers),
        cmocka_unit_test(other_accounts),
        cmocka_unit_test(only_one),
        cmocka_unit_test(own_account),
        cmocka_unit_test(profiles_by_another),
        cmocka_unit_test(first_keys),
        cmocka_unit_test(no_log_no_service),
    };
    return cmocka_run_group_tests_name("signer", tests, setup, teardown);
}
