/*
 * fuzz_scep.c: PKIMessages, opened down to the request inside. The key is for this alone, so that
 * the seeds can be decrypted.
 */
#include "base/limits.h"
#include "fuzz.h"
#include "wire/scepmsg.h"

/* clang-format off */
static const char RA_KEY[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQDlqyG8+75+HTuf\n"
    "guKseSbRf01TzR3GPY9BlfUP8kx7C2UN54X7PA+Z9Tdb33hIFQDgfoHWQUzI+2lR\n"
    "3f22r3vwR2V4Pjgl6HfY/VlbvMygUF9N5qTNzQaPCLNlowsqNcl25zOH/sPFYC/E\n"
    "I0w6lsZM0Q3Sio17WeTxgEvOWiX7aEX5vZKoMbC7LulC0J7RwKEt0V4ZiW+K6p3H\n"
    "2aIddLYtEDtcQPI+ygV1zkWtMYlijt+1ZlfTqn47ZswL6ni5gXl1CRQF8bcpyhYr\n"
    "v43dfSTy+xvJyKedSwvX0FXpzQdQn6I9BQgZtXQPlqGYx7UGOIOg+AkGztx75phO\n"
    "CnrNFtADAgMBAAECggEAbUI74yVaCrIKfshr4IQkMO7gURkX7Iq1n4xg0IzC0Jhr\n"
    "ozE83nfErkfnZZgKpzQCvknAp7ZZ+pUMFgvHGsUh731vqsPivzn35e0kuQ04xZ1m\n"
    "sW8jgNpkH+CSQ6xMb/C1npC/xZcv+DJZlvP53DeFL98WNc5/Hyr1TORta8YcIpyi\n"
    "Um4qu39F42LvHJsjs/fX0L6jkNhd1wOlg79nopnqwZ+vFOlSTDHJ1LmaRObExAtZ\n"
    "fPAmoV4GffPi5iViX2hqA0LgH1PDvqxdYJCLixPmqu6B3LWWBUoWS4PrKeJrjWBH\n"
    "qfBvGhWcN/DThr3M+jB5usBJNJ011DHw9IszWqSbgQKBgQD0bOaoqcg5CIASPcO2\n"
    "Jkv58dbVJW8qw0yBx2HyBM4Q381BXZWtOQunOrdEs6aHaF/2SA7tWA7/iYPc1nqD\n"
    "m7bqCrL1uae9GlfnjekH4xDYUFamXlv/14Ak/mmcsM4Lj2v69H3O0MMxaPKkGUeD\n"
    "NwYqAs3iwAlFhesHjgO/ueb8gwKBgQDwi1ZEHe8k91uH1xp6rHPz90CmkzRevW6S\n"
    "PvRLreDORT+FqO0J1Txz4Q9zHuL0dIj/xFtfhE9Ra1ipW2k+qyZ7yyuT7pPCvSh4\n"
    "mUPbUIyYcwZtKFQJaDoO4q2RJnV6Q5Yeukd5DDYovZT22tE4Kz0j2qfDM+dOArUk\n"
    "Yoi0TVeGgQKBgQCcqih1ts0k8TPVfU0yNP3BqKbAW4wTZrZlAHzg+P9zhV80JF3J\n"
    "d6TmfRX2rQdyBw5q9ujKbATA+U1RgQ9px6bIAC+QnHzNElOBkU3pxjqHy4aegCCL\n"
    "rX7vNzpOOmz2r+jQI2F37AsQYmoTkDhr/BqxVrbMPbYzn5BzeS0h+G/7LQKBgQDZ\n"
    "8TUpJIIP2TqKOn/YVDX+/rAJ/Of/St1LDlUj2JgN7DogrSyPsy9BwtHPuVVirc+P\n"
    "BWbQhT2khIFheNxDlqiYkz2ZnBku4Vow4pTTugiY++b/sgFqQJAR+pnOIK1iKKh0\n"
    "kMy/RSww/4xfmWTk4nBT8wH7YCSbzuI25Dv+OPErgQKBgQCUAp82KHWbSInrG95n\n"
    "qMw5tmuDu7etj7U/RIVvdyvW230IEuoXUF+I+T3Zpd0htb47GzWJBjsK4IBuoYii\n"
    "V6rFYnlkNiuworMBX8yFEM4k1xfWrGdxBgZQHyigeZrIb088H/QSNQQNXJ+WS0KQ\n"
    "sO57yDDykmR5brHGiNYHMT+AAQ==\n"
    "-----END PRIVATE KEY-----\n";
static const char RA_CERT[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIDBzCCAe+gAwIBAgIUOgKC07ZJU+BDxUxgJLYYzcbg6RYwDQYJKoZIhvcNAQEL\n"
    "BQAwEzERMA8GA1UEAwwIc2VlZCByc2EwHhcNMjYxMTIyMDM1MTA0WhcNMzYxMTE5\n"
    "MDM1MTA0WjATMREwDwYDVQQDDAhzZWVkIHJzYTCCASIwDQYJKoZIhvcNAQEBBQAD\n"
    "ggEPADCCAQoCggEBAOWrIbz7vn4dO5+C4qx5JtF/TVPNHcY9j0GV9Q/yTHsLZQ3n\n"
    "hfs8D5n1N1vfeEgVAOB+gdZBTMj7aVHd/bave/BHZXg+OCXod9j9WVu8zKBQX03m\n"
    "pM3NBo8Is2WjCyo1yXbnM4f+w8VgL8QjTDqWxkzRDdKKjXtZ5PGAS85aJftoRfm9\n"
    "kqgxsLsu6ULQntHAoS3RXhmJb4rqncfZoh10ti0QO1xA8j7KBXXORa0xiWKO37Vm\n"
    "V9OqfjtmzAvqeLmBeXUJFAXxtynKFiu/jd19JPL7G8nIp51LC9fQVenNB1Cfoj0F\n"
    "CBm1dA+WoZjHtQY4g6D4CQbO3HvmmE4Kes0W0AMCAwEAAaNTMFEwHQYDVR0OBBYE\n"
    "FJX/zuPEom5m3sERxMyPLnWvfvKRMB8GA1UdIwQYMBaAFJX/zuPEom5m3sERxMyP\n"
    "LnWvfvKRMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEBABN19KYr\n"
    "blJOZvqF9WSw1Ll/b4ym0WGLPDwqrAuJBpDiYaukMyfpdJ038uRudajmzukvf7DW\n"
    "lesqvYPjaBOg9wLrYjQd52e/WZZDYpfICif3XCQRc9E3ajORw+W31v8iUUk++klN\n"
    "ckExPdn1b4Mk7unP+3piv4jyCv3rVpYSHQ85M9mS18+Idu3bOfdG3Tfj7k8DJjO+\n"
    "xoHSbtbNtFN4ZLSkP/RXCfmkGPiFOYzz+0fkXFFB4d2o3BL3H7cS0m5lUPVNMqa5\n"
    "I/dMqypp08xdGH+razZsZbF3twmbp11BSs4dEPemsk+XdAjx8OXBMhBKKL6KsPAg\n"
    "5822NPzbNPM/PgA=\n"
    "-----END CERTIFICATE-----\n";
/* clang-format on */

static struct arena *a;
static struct pkey *key;
static struct bytes ra;

static void set_up(void)
{
    static struct arena *keep;
    struct err err;
    size_t n;
    a = arena_new(16 * LIM_MB);
    keep = arena_new(LIM_MB);
    FUZZ_CHECK(pkey_from_pem(bytes_str(RA_KEY), &key, &err) == OK);
    FUZZ_CHECK(cert_from_pem(keep, bytes_str(RA_CERT), &ra, 1, &n, &err) == OK);
    FUZZ_CHECK(scep_legacy_load(&err) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct scep_request r;
    struct csr_info csr;
    struct buf plain = BUF_INIT(LIM_BODY_SCEP);
    const char *cipher = NULL;
    if (!a)
        set_up();
    enum outcome o = scep_request_read(a, bytes_of(p, n), &r, NULL);
    if (o == OK || o == DENIED)
        FUZZ_CHECK(r.transaction_id && r.sender_nonce.n && r.digest && r.signer_der.n);
    /* a wrong signature does not end the search */
    struct bytes envelope = o == OK || o == DENIED ? r.enveloped : bytes_of(p, n);
    if (scep_envelope_open(envelope, ra, key, true, &plain, &cipher, NULL) == OK) {
        FUZZ_CHECK(cipher);
        if (csr_read(a, buf_bytes(&plain), &csr, NULL) == OK)
            FUZZ_CHECK(csr.subject && csr.challenge);
        (void)!scep_subject_read(buf_bytes(&plain), NULL);
    }
    (void)!scep_subject_read(bytes_of(p, n), NULL); /* what is in the envelope of a CertPoll */
    const char *issuer = NULL, *serial = NULL;
    if (scep_serial_read(a, bytes_of(p, n), &issuer, &serial, NULL) == OK)
        FUZZ_CHECK(issuer && serial);
    buf_free(&plain);
    arena_reset(a);
    return 0;
}
