/*
 * test_forms.c: payloads made with forms, and profiles edited as texts: what comes out, what is
 * refused and where, what stays, and what is never told. The signer is not needed.
 */
#include "testdb.h"

#include "base/limits.h"
#include "html/words.h"
#include "library/form_edit.h"
#include "library/raw_edit.h"
#include "wire/pkcs12.h"
#include "wire/x509.h"

static struct arena *a;
static struct err err;

/* What a form gives: "KEY=VALUE"; "KEY:file" has octets. */
struct given {
    const char *pairs[40];
    struct bytes file;
    const char *file_key, *file_name, *drop;
};

static const char *text(void *arg, const char *place)
{
    struct given *g = arg;
    size_t n = strlen(place);
    for (size_t i = 0; g->pairs[i]; i++)
        if (strncmp(g->pairs[i], place, n) == 0 && g->pairs[i][n] == '=')
            return g->pairs[i] + n + 1;
    return NULL;
}

static bool ticked(void *arg, const char *place, const char *value)
{
    struct given *g = arg;
    const char *want = arena_fmt(a, "%s=%s", place, value);
    for (size_t i = 0; g->pairs[i]; i++)
        if (strcmp(g->pairs[i], want) == 0)
            return true;
    return false;
}

static bool file(void *arg, const char *place, struct bytes *out, const char **name)
{
    struct given *g = arg;
    *out = g->file;
    *name = g->file_name;
    return g->file_key && strcmp(g->file_key, place) == 0;
}

static bool drop(void *arg, const char *place)
{
    struct given *g = arg;
    return g->drop && strcmp(g->drop, place) == 0;
}

static struct form_faults faults;
static pl root;

static enum outcome apply(const char *form, pl payload, struct given g)
{
    struct form_input in = {text, ticked, file, drop, &g};
    err = (struct err){0};
    return form_apply(a, form_named(form), payload, root, &in, &faults, &err);
}

#define GIVEN(...) ((struct given){.pairs = {__VA_ARGS__}})

static pl fresh(const char *form)
{
    pl p = NULL;
    assert_ok(form_new(a, form_named(form), "org.example.p", "N", &p, &err), err);
    return p;
}

static void assert_fault(const char *key, enum form_fault what)
{
    for (size_t i = 0; i < faults.n; i++)
        if (strcmp(faults.list[i].field->key, key) == 0) {
            assert_int_equal(faults.list[i].fault, what);
            return;
        }
    fail_msg("no fault at %s; %zu others", key, faults.n);
}

static void a_wifi_payload(void **state)
{
    (void)state;
    pl p = fresh("wifi");
    int64_t n;
    bool b;
    assert_outcome(apply("wifi", p, GIVEN("SSID_STR=")), INVALID, err);
    assert_fault("SSID_STR", FORM_MISSING);
    assert_fault("EncryptionType", FORM_MISSING);
    assert_int_equal(faults.n, 2);
    assert_ok(apply("wifi", p,
                    GIVEN("SSID_STR= Caf\xc3\xa9 ", "EncryptionType=WPA2", "Password= two words ",
                          "HIDDEN_NETWORK=true", "AutoJoin=", "ProxyType=Manual",
                          "ProxyServer=proxy.example.com", "ProxyServerPort=3128")),
              err);
    assert_string_equal(pl_get_str(p, "SSID_STR"), "Caf\xc3\xa9");
    assert_string_equal(pl_get_str(p, "Password"), " two words ");
    assert_true(pl_get_bool(p, "HIDDEN_NETWORK", &b) && b);
    assert_null(pl_get(p, "AutoJoin"));
    assert_true(pl_get_int(p, "ProxyServerPort", &n) && n == 3128);
    assert_null(pl_get(p, "EAPClientConfiguration"));
    /* what the form does not know stays, and so does a secret that is not given anew */
    pl_set_str(p, "FutureKey", "kept");
    assert_ok(apply("wifi", p, GIVEN("SSID_STR=x", "EncryptionType=None", "Password=")), err);
    assert_string_equal(pl_get_str(p, "FutureKey"), "kept");
    assert_string_equal(pl_get_str(p, "Password"), " two words ");
    assert_null(pl_get(p, "ProxyServer"));
    struct given g = GIVEN("SSID_STR=x", "EncryptionType=None");
    g.drop = "Password";
    assert_ok(apply("wifi", p, g), err);
    assert_null(pl_get(p, "Password"));
    pl_free(&p);
}

static void what_belongs_together(void **state)
{
    (void)state;
    pl p = fresh("wifi"), list = pl_new_array(), cert = fresh("root"), later = pl_new_int(99);
    const char *uuid = arena_strdup(a, pl_get_str(cert, "PayloadUUID"));
    root = pl_new_dict();
    pl_append(list, cert);
    pl_set(root, "PayloadContent", list);
    assert_outcome(apply("wifi", p,
                         GIVEN("SSID_STR=x", "EncryptionType=WPA2",
                               "EAPClientConfiguration.UserName=%UserShortName%",
                               "PayloadCertificateUUID=nothing")),
                   INVALID, err);
    assert_fault("EAPClientConfiguration.AcceptEAPTypes", FORM_MISSING);
    assert_fault("PayloadCertificateUUID", FORM_NO_VALUE);
    assert_ok(
        apply("wifi", p,
              GIVEN("SSID_STR=x", "EncryptionType=WPA2", "EAPClientConfiguration.AcceptEAPTypes=25",
                    "EAPClientConfiguration.AcceptEAPTypes=13",
                    "EAPClientConfiguration.TLSTrustedServerNames=a.example\r\n\r\n b.example ",
                    arena_fmt(a, "EAPClientConfiguration.PayloadCertificateAnchorUUID=%s", uuid))),
        err);
    pl eap = pl_get(p, "EAPClientConfiguration");
    assert_int_equal(pl_size(pl_get(eap, "AcceptEAPTypes")), 2);
    assert_int_equal(pl_size(pl_get(eap, "TLSTrustedServerNames")), 2);
    assert_string_equal(pl_str(pl_at(pl_get(eap, "TLSTrustedServerNames"), 1)), "b.example");
    assert_string_equal(pl_str(pl_at(pl_get(eap, "PayloadCertificateAnchorUUID"), 0)), uuid);
    /* a way to log in that the form does not know stays */
    pl_append(pl_get(eap, "AcceptEAPTypes"), later);
    const struct form_field *f = &form_named("wifi")->groups[1].fields[0];
    assert_true(form_has(f, p, "13"));
    assert_false(form_has(f, p, "21"));
    assert_ok(apply("wifi", p,
                    GIVEN("SSID_STR=x", "EncryptionType=WPA2",
                          "EAPClientConfiguration.AcceptEAPTypes=21")),
              err);
    assert_int_equal(pl_size(pl_get(eap, "AcceptEAPTypes")), 2);
    assert_null(pl_get(eap, "TLSTrustedServerNames"));
    pl_free(&p);
    pl_free(&root);
}

static void one_kind_of_vpn(void **state)
{
    (void)state;
    pl p = fresh("vpn");
    int64_t n;
    struct bytes secret;
    assert_outcome(apply("vpn", p, GIVEN("UserDefinedName=W", "VPNType=IKEv2")), INVALID, err);
    assert_fault("IKEv2.RemoteAddress", FORM_MISSING);
    assert_ok(apply("vpn", p,
                    GIVEN("UserDefinedName=W", "VPNType=IKEv2",
                          "ikev2/IKEv2.RemoteAddress=vpn.example.com",
                          "ikev2/IKEv2.RemoteIdentifier=vpn.example.com",
                          "ikev2/IKEv2.LocalIdentifier=%SerialNumber%",
                          "ikev2/IKEv2.AuthenticationMethod=SharedSecret",
                          "ikev2/IKEv2.SharedSecret=s3", "ikev2/IKEv2.EnablePFS=1",
                          "ike/IKEv2.IKESecurityAssociationParameters.DiffieHellmanGroup=19",
                          "ipsec/IPSec.SharedSecret=not this")),
              err);
    pl ike = pl_get(p, "IKEv2");
    assert_true(pl_get_int(ike, "EnablePFS", &n) && n == 1);
    assert_true(
        pl_get_int(pl_get(ike, "IKESecurityAssociationParameters"), "DiffieHellmanGroup", &n) &&
        n == 19);
    assert_null(pl_get(p, "IPSec"));
    /* another kind: what belonged to the first goes, also where two groups have the same key */
    pl_set_str(ike, "OnDemandRules", "kept by the form");
    assert_ok(
        apply("vpn", p,
              GIVEN("UserDefinedName=W", "VPNType=L2TP", "l2tp/PPP.CommRemoteAddress=192.0.2.1",
                    "l2tp/IPSec.SharedSecret=geheim", "ipsec/IPSec.SharedSecret=")),
        err);
    assert_null(pl_get(pl_get(p, "IKEv2"), "SharedSecret"));
    assert_string_equal(pl_get_str(pl_get(p, "IKEv2"), "OnDemandRules"), "kept by the form");
    assert_true(pl_get_data(pl_get(p, "IPSec"), "SharedSecret", &secret));
    assert_true(bytes_equal(secret, bytes_str("geheim")));
    /* a kind that the form does not know is left alone */
    pl_set_str(p, "VPNType", "AlwaysOn");
    assert_ok(apply("vpn", p, GIVEN("UserDefinedName=W", "VPNType=AlwaysOn")), err);
    assert_true(pl_get_data(pl_get(p, "IPSec"), "SharedSecret", &secret));
    pl_free(&p);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *form, *pair, *key;
        enum form_fault fault;
    } cases[] = {
        {"passcode", "minLength=17", "minLength", FORM_NO_NUMBER},
        {"passcode", "minLength=-1", "minLength", FORM_NO_NUMBER},
        {"passcode", "minLength=4x", "minLength", FORM_NO_NUMBER},
        {"passcode", "minLength=99999999999999999999", "minLength", FORM_NO_NUMBER},
        {"passcode", "forcePIN=maybe", "forcePIN", FORM_NO_VALUE},
        {"wifi", "EncryptionType=WPA9", "EncryptionType", FORM_NO_VALUE},
        {"wifi", "SSID_STR=123456789012345678901234567890123", "SSID_STR", FORM_TOO_LONG},
        {"wifi", "SSID_STR=a\tb", "SSID_STR", FORM_CONTROL},
        {"wifi", "SSID_STR=\xff", "SSID_STR", FORM_CONTROL},
        {"wifi", "ProxyPACURL=javascript:alert(1)", "ProxyPACURL", FORM_NO_URL},
        {"webclip", "URL=example.org", "URL", FORM_NO_URL},
        {"webclip", "URL=https://", "URL", FORM_NO_URL},
        {"mail", "EmailAddress=nobody", "EmailAddress", FORM_NO_EMAIL},
        {"mail", "IncomingMailServerHostName=https://x/", "IncomingMailServerHostName",
         FORM_NO_HOST},
        {"mail", "IncomingMailServerPortNumber=65536", "IncomingMailServerPortNumber",
         FORM_NO_NUMBER},
        {"exchange", "MailNumberOfPastDaysToSync=2", "MailNumberOfPastDaysToSync", FORM_NO_VALUE},
        {"restrictions", "blockedAppBundleIDs=com.a\r\nb\x01", "blockedAppBundleIDs", FORM_CONTROL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl p = fresh(cases[i].form);
        assert_outcome(apply(cases[i].form, p, GIVEN(cases[i].pair)), INVALID, err);
        assert_fault(cases[i].key, cases[i].fault);
        pl_free(&p);
    }
    /* a value that stood there already, and that the form does not offer, is none */
    pl p = fresh("exchange");
    pl_set_int(p, "MailNumberOfPastDaysToSync", 2);
    assert_ok(apply("exchange", p, GIVEN("MailNumberOfPastDaysToSync=2")), err);
    pl_free(&p);
}

static void files(void **state)
{
    (void)state;
    struct pkey *key = NULL;
    struct buf der = BUF_INIT(LIM_MB), pem = BUF_INIT(LIM_MB), p12 = BUF_INIT(LIM_MB);
    struct cert_profile c = {.common_name = "CA",
                             .ca = true,
                             .path_len = -1,
                             .not_before = 1,
                             .not_after = INT64_C(4000000000000000)};
    struct bytes got;
    assert_ok(pkey_new_p256(&key, &err), err);
    assert_ok(cert_issue(&c, bytes_of(NULL, 0), key, bytes_of(NULL, 0), key, &der, &err), err);
    cert_to_pem(buf_bytes(&der), &pem);
    assert_ok(pkcs12_write(key, buf_bytes(&der), "n", "richtig", &p12, &err), err);
    pl p = fresh("root");
    struct given g = {.file_key = "PayloadContent", .file = bytes_str("GIF89a")};
    assert_outcome(apply("root", p, GIVEN("PayloadCertificateFileName=x")), INVALID, err);
    assert_fault("PayloadContent", FORM_MISSING);
    assert_outcome(apply("root", p, g), INVALID, err);
    assert_fault("PayloadContent", FORM_NO_CERTIFICATE);
    g.file = buf_bytes(&pem);
    g.file_name = "ca.pem";
    assert_ok(apply("root", p, g), err);
    assert_true(pl_get_data(p, "PayloadContent", &got));
    assert_true(bytes_equal(got, buf_bytes(&der)));
    pl_free(&p);
    p = fresh("pkcs12");
    g.pairs[0] = "Password=falsch";
    assert_outcome(apply("pkcs12", p, g), INVALID, err);
    assert_fault("PayloadContent", FORM_NO_PKCS12);
    g.file = buf_bytes(&p12);
    assert_outcome(apply("pkcs12", p, g), INVALID, err);
    assert_fault("Password", FORM_PASSWORD);
    g.pairs[0] = "Password=richtig";
    assert_ok(apply("pkcs12", p, g), err);
    /* neither is told */
    const struct form *f = form_named("pkcs12");
    for (size_t i = 0; i < f->groups[0].n; i++)
        assert_null(strstr(form_text(a, &f->groups[0].fields[i], p), "richtig"));
    assert_ok(apply("pkcs12", p, GIVEN("Password=")), err);
    assert_true(pl_get_data(p, "PayloadContent", &got));
    assert_true(bytes_equal(got, buf_bytes(&p12)));
    pl_free(&p);
    p = fresh("webclip");
    g = GIVEN("Label=x", "URL=https://x.example/");
    g.file_key = "Icon";
    g.file = bytes_of("\x89PNG\r\n\x1a\n....", 12);
    assert_ok(apply("webclip", p, g), err);
    g.file = buf_bytes(&p12);
    assert_outcome(apply("webclip", p, g), INVALID, err);
    assert_fault("Icon", FORM_NO_IMAGE);
    pl_free(&p);
    pkey_free(&key);
    buf_free(&der);
    buf_free(&pem);
    buf_free(&p12);
}

/* Every field has a word in every language, and everything that a form can hold is read back. */
static void every_field(void **state)
{
    (void)state;
    struct words_all *all;
    assert_ok(words_load("templates", &all, &err), err);
    size_t n = 0;
    for (const char *const *lang = (const char *const[]){"en", "de", NULL}; *lang; lang++) {
        const struct words *w = words_choose(all, *lang, NULL);
        assert_string_equal(words_language(w), *lang);
        for (size_t i = 0; i < form_count(); i++) {
            const struct form *f = form_at(i);
            assert_ptr_equal(form_of(f->type->name), f);
            for (size_t k = 0; k < f->n; k++) {
                const char *key = arena_fmt(a, "formgroup_%s", f->groups[k].name);
                if (strcmp(words_find(w, key), key) == 0)
                    fail_msg("no word %s", key);
                for (size_t m = 0; m < f->groups[k].n; m++, n++) {
                    key = arena_fmt(a, "form_%s_%s", f->name, f->groups[k].fields[m].key);
                    if (strcmp(words_find(w, key), key) == 0)
                        fail_msg("no word %s", key);
                }
            }
            js o = form_json(f);
            assert_string_equal(js_get_str(o, "type"), f->type->name);
            js_free(&o);
        }
    }
    assert_true(n > 300);
    words_free(&all);
    assert_null(form_named("nothing"));
    assert_null(form_of("com.apple.mdm"));
}

/* ---- texts ---- */

#define HEAD                                                                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>\n"                \
    "<key>PayloadType</key><string>Configuration</string>\n"                                       \
    "<key>PayloadIdentifier</key><string>org.example.p</string>\n"                                 \
    "<key>PayloadUUID</key><string>P</string>\n<key>PayloadContent</key>\n<array>\n"
#define TAIL "</array>\n</dict>\n</plist>\n"
#define WIFI(uuid, password)                                                                       \
    "<dict>\n<key>PayloadType</key><string>com.apple.wifi.managed</string>\n"                      \
    "<key>PayloadUUID</key><string>" uuid "</string>\n<key>Password</key>" password                \
    "\n<key>SSID_STR</key><string>&lt;x&gt;</string>\n</dict>\n"
#define P12(type, content)                                                                         \
    "<dict>\n<key>PayloadType</key><string>" type "</string>\n<key>PayloadUUID</key>"              \
    "<string>C</string>\n<key>PayloadContent</key>" content "\n</dict>\n"
#define MARK "<string>" RAW_KEPT "</string>"

static void a_text_without_secrets(void **state)
{
    (void)state;
    const char *old = HEAD WIFI("W", "<string>geheim</string>")
        P12("com.apple.security.pkcs12", "<data>c2VjcmV0</data>") TAIL;
    struct buf out = BUF_INIT(LIM_MB), back = BUF_INIT(LIM_MB);
    size_t kept;
    pl was = NULL, is = NULL;
    assert_ok(raw_text(a, bytes_str(old), &out, &kept, &err), err);
    assert_int_equal(kept, 2);
    assert_null(strstr(buf_cstr(&out), "geheim"));
    assert_null(strstr(buf_cstr(&out), "c2Vj"));
    assert_ok(raw_apply(a, buf_bytes(&out), bytes_str(old), &back, &err), err);
    assert_ok(pl_parse(buf_bytes(&back), &is, &err), err);
    assert_ok(pl_parse(bytes_str(old), &was, &err), err);
    buf_clear(&out);
    buf_clear(&back);
    assert_ok(pl_to_xml(is, &back), err);
    assert_ok(pl_to_xml(was, &out), err);
    assert_string_equal(buf_cstr(&back), buf_cstr(&out));
    pl_free(&is);
    pl_free(&was);
    buf_free(&out);
    buf_free(&back);
}

static void where_marks_may_stand(void **state)
{
    (void)state;
    const char *old = HEAD WIFI("W", "<string>geheim</string>")
        P12("com.apple.security.pkcs12", "<data>c2VjcmV0</data>") TAIL;
    struct buf out = BUF_INIT(LIM_MB);
    /* payloads changed places, one has a new secret */
    assert_ok(raw_apply(a,
                        bytes_str(HEAD P12("com.apple.security.pkcs12", MARK)
                                      WIFI("W", "<string>neu</string>") TAIL),
                        bytes_str(old), &out, &err),
              err);
    assert_non_null(strstr(buf_cstr(&out), "c2VjcmV0"));
    assert_null(strstr(buf_cstr(&out), "geheim"));
    /* another payload, another type (which would show it), another key */
    const char *bad[] = {HEAD WIFI("X", MARK) TAIL, HEAD P12("com.apple.font", MARK) TAIL,
                         HEAD
                         "<dict><key>PayloadUUID</key><string>W</string><key>SSID_STR</key>" MARK
                         "</dict>" TAIL,
                         HEAD MARK TAIL, "<plist version=\"1.0\">" MARK "</plist>"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_clear(&out);
        assert_outcome(raw_apply(a, bytes_str(bad[i]), bytes_str(old), &out, &err), INVALID, err);
        assert_null(strstr(buf_cstr(&out), "c2Vj"));
    }
    assert_outcome(raw_apply(a, bytes_str(HEAD "<dict>\n<key>x</key>\n<string>y</strin>" TAIL),
                             bytes_str(old), &out, &err),
                   INVALID, err);
    assert_non_null(strstr(err.msg, "line 11"));
    buf_free(&out);
}

static void lines_of_paths(void **state)
{
    (void)state;
    static const char text[] = "<?xml version=\"1.0\"?>\n<!-- <key>a</key>\n -->\n"
                               "<plist version=\"1.0\"><dict>\n"                  /* 4 */
                               "<key>a</key><array>\n"                            /* 5 */
                               "<true/>\n"                                        /* 6 */
                               "<dict><key>b</key>\n"                             /* 7 */
                               "<string>x &lt;key&gt;\n</string>\n"               /* 8, 9 */
                               "<key>c</key><array/><key>d</key><dict/></dict>\n" /* 10 */
                               "<dict><key>e</key>\n<integer>1</integer></dict></array>\n" /* 11 */
                               "<key>f</key><data>\nAA==\n</data></dict></plist>";         /* 13 */
    static const struct {
        const char *path;
        size_t line;
    } cases[] = {{"a", 5},       {"a[0]", 6},    {"a[1]", 7},    {"a[1].b", 8},  {"a[1].c", 10},
                 {"a[1].d", 10}, {"a[2].e", 12}, {"f", 13},      {"a[1].zz", 7}, {"a[7]", 5},
                 {"zz", 0},      {"", 0},        {"a[1].b.q", 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (raw_line(bytes_str(text), cases[i].path) != cases[i].line)
            fail_msg("%s: line %zu", cases[i].path, raw_line(bytes_str(text), cases[i].path));
    /* whatever it is, it ends */
    static const char *const odd[] = {"<", "<key", "<key>a", "</", "<!--", "<a/", "<dict/><dict/>"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_int_equal(raw_line(bytes_str(odd[i]), "a"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wifi_payload),
        cmocka_unit_test(what_belongs_together),
        cmocka_unit_test(one_kind_of_vpn),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(files),
        cmocka_unit_test(every_field),
        cmocka_unit_test(a_text_without_secrets),
        cmocka_unit_test(where_marks_may_stand),
        cmocka_unit_test(lines_of_paths),
    };
    a = arena_new(64 * LIM_MB);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&a);
    return failed;
}
