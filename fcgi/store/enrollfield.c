/* enrollfield.c: the fields of an enrolment profile; see enrollprofile.h. */
#include "store/enrollprofile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/utf8.h"
#include "wire/encode.h"
#include "wire/x509.h"

#define CERTS_MAX 16
#define TOPIC_PREFIX "com.apple.mgmt."
#define CAPABILITIES "com.apple.mdm.per-user-connections com.apple.mdm.bootstraptoken"
#define ITEM_MAX 255 /* characters */

static const char *const IDENTITIES[] = {"scep", "scep-static", "pkcs12", "scep-external", NULL};
static const char *const LOGINS[] = {"none", "digest", "web", NULL};
static const char *const REMOVALS[] = {"allowed", "disallowed", "password", NULL};

#define AT(f) offsetof(struct enroll_content, f)
const struct enroll_field enroll_fields[] = {
    {"organization", ENROLL_TEXT, AT(organization), 255, NULL,
     "who manages the device; empty: [server] organization"},
    {"title", ENROLL_TEXT, AT(title), 255, NULL, "the profile's name on the device"},
    {"description", ENROLL_TEXT, AT(description), 4000, NULL, "what the device says it is for"},
    {"consent", ENROLL_TEXT, AT(consent), 16000, NULL,
     "a text that must be agreed to before it is installed"},
    {"access_rights", ENROLL_INT, AT(access_rights), 0, NULL, "AccessRights, a sum of its flags"},
    {"identity", ENROLL_WORD, AT(identity), 0, IDENTITIES,
     "where the device's identity comes from: scep, scep-static, pkcs12, scep-external"},
    {"key_type", ENROLL_TEXT, AT(key_type), 8, NULL, "RSA, or EC with pkcs12"},
    {"key_size", ENROLL_INT, AT(key_size), 0, NULL, "bits of the identity's key"},
    {"topic", ENROLL_TEXT, AT(topic), 255, NULL,
     "empty: [enroll] topic, or that of the only push certificate"},
    {"server_url", ENROLL_TEXT, AT(server_url), 240, NULL,
     "https base of ServerURL; empty: [server] device_url"},
    {"checkin_url", ENROLL_TEXT, AT(checkin_url), 240, NULL,
     "https base of CheckInURL; empty: that of ServerURL"},
    {"sign_message", ENROLL_BOOL, AT(sign_message), 0, NULL, "devices sign their messages"},
    {"check_out_when_removed", ENROLL_BOOL, AT(check_out_when_removed), 0, NULL,
     "devices say when they leave"},
    {"use_development_apns", ENROLL_BOOL, AT(use_development_apns), 0, NULL,
     "Apple's development push service"},
    {"server_capabilities", ENROLL_WORDS, AT(server_capabilities), 255, NULL,
     "ServerCapabilities, space-separated"},
    {"certificates", ENROLL_TEXT, AT(certificates), ENROLLPROFILE_PEM_MAX, NULL,
     "roots, intermediates and TLS chain to install, PEM"},
    {"scep_url", ENROLL_TEXT, AT(scep_url), 255, NULL, "the other SCEP server"},
    {"scep_name", ENROLL_TEXT, AT(scep_name), 255, NULL, "its Name"},
    {"scep_subject", ENROLL_TEXT, AT(scep_subject), 512, NULL,
     "the subject to ask it for: /O=name/CN=name; %UUID% is filled in"},
    {"scep_fingerprint", ENROLL_TEXT, AT(scep_fingerprint), 128, NULL,
     "SHA-1 or MD5 of its CA's certificate, hexadecimal"},
    {"scep_challenge", ENROLL_SECRET, AT(new_scep_challenge), 255, NULL, "its Challenge"},
    {"removal", ENROLL_WORD, AT(removal), 0, REMOVALS, "allowed, disallowed, password"},
    {"removal_password", ENROLL_SECRET, AT(new_removal_password), 255, NULL,
     "what removing it asks for"},
    {"web", ENROLL_BOOL, AT(web), 0, NULL, "people may fetch it from the web page"},
    {"login", ENROLL_WORD, AT(login), 0, LOGINS,
     "what a device that comes by the configuration URL is asked for: none, digest, web"},
    {"login_text", ENROLL_TEXT, AT(login_text), 255, NULL,
     "the text above the device's question for a password"},
    {"assigned_only", ENROLL_BOOL, AT(assigned_only), 0, NULL,
     "only devices that are assigned to this server come by the configuration URL"},
    {"minimum_ios", ENROLL_TEXT, AT(minimum_ios), 20, NULL,
     "the oldest iOS or iPadOS that enrols by the configuration URL; older ones update first"},
    {"minimum_macos", ENROLL_TEXT, AT(minimum_macos), 20, NULL, "the same for macOS"},
    {"encrypt", ENROLL_BOOL, AT(encrypt), 0, NULL,
     "encrypt the profile to the device: by the configuration URL, and when it is renewed"},
    {"profiles", ENROLL_LIST, AT(profiles), 0, NULL, "configuration profiles for those who enrol"},
    {"apps", ENROLL_LIST, AT(apps), 0, NULL, "apps for those who enrol"},
};
const size_t enroll_fields_n = sizeof enroll_fields / sizeof *enroll_fields;

/* ---- reading and setting ---- */

static const void *place(const struct enroll_field *f, const struct enroll_content *c)
{
    return (const char *)c + f->at;
}

static void *room(const struct enroll_field *f, struct enroll_content *c)
{
    return (char *)c + f->at;
}

const struct enroll_field *enroll_field_find(const char *name)
{
    for (size_t i = 0; i < enroll_fields_n; i++)
        if (strcmp(enroll_fields[i].name, name) == 0)
            return &enroll_fields[i];
    return NULL;
}

const char *enroll_field_text(const struct enroll_field *f, const struct enroll_content *c)
{
    const char *s = *(const char *const *)place(f, c);
    return s ? s : "";
}

int64_t enroll_field_int(const struct enroll_field *f, const struct enroll_content *c)
{
    return *(const int64_t *)place(f, c);
}

const struct enroll_names *enroll_field_list(const struct enroll_field *f,
                                             const struct enroll_content *c)
{
    return place(f, c);
}

bool enroll_field_secret(const struct enroll_field *f, const struct enroll_content *c)
{
    const char *given = *(const char *const *)place(f, c);
    struct bytes kept = f->at == AT(new_scep_challenge) ? c->scep_challenge : c->removal_password;
    return given ? given[0] != '\0' : kept.n > 0;
}

const char *enroll_field_word(const struct enroll_field *f, const struct enroll_content *c)
{
    int64_t at = enroll_field_int(f, c);
    for (int64_t i = 1; f->words && f->words[i - 1]; i++)
        if (i == at)
            return f->words[i - 1];
    return "";
}

static bool bool_read(const char *text, int64_t *out)
{
    *out = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
    return *out || strcmp(text, "no") == 0 || strcmp(text, "false") == 0;
}

static bool int_read(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && isdigit((unsigned char)*text) && !*end;
}

static enum outcome text_set(const struct enroll_field *f, struct arena *a,
                             struct enroll_content *c, const char *text, struct err *err)
{
    bool lines = f->at == AT(certificates) || f->at == AT(description) || f->at == AT(consent);
    if (strlen(text) > f->max)
        return err_set(err, INVALID, "%s: longer than %zu octets", f->name, f->max);
    if (!utf8_valid(bytes_str(text)))
        return err_set(err, INVALID, "%s: is not UTF-8", f->name);
    for (const char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p) && !(lines && strchr("\r\n\t", *p)))
            return err_set(err, INVALID, "%s: holds a control character", f->name);
    const char *copy = arena_strdup(a, text);
    if (!copy)
        return err_set(err, ERROR, "out of memory");
    *(const char **)room(f, c) = copy;
    return OK;
}

static enum outcome list_split(const struct enroll_field *f, struct arena *a,
                               struct enroll_content *c, const char *text, struct err *err)
{
    const char *name[ENROLLPROFILE_ITEMS_MAX + 1];
    size_t n = 0;
    while (*text) {
        text += strspn(text, " ,");
        size_t len = strcspn(text, ",");
        size_t less = len;
        while (less && text[less - 1] == ' ')
            less--;
        if (less && n > ENROLLPROFILE_ITEMS_MAX)
            break;
        if (less && !(name[n++] = arena_strndup(a, text, less)))
            return err_set(err, ERROR, "out of memory");
        text += len;
    }
    return enroll_field_set_list(f, a, c, name, n, err);
}

enum outcome enroll_field_set_list(const struct enroll_field *f, struct arena *a,
                                   struct enroll_content *c, const char *const *name, size_t n,
                                   struct err *err)
{
    const char **copy = arena_array(a, n + 1, sizeof *copy);
    if (n > ENROLLPROFILE_ITEMS_MAX)
        return err_set(err, INVALID, "%s: more than %d", f->name, ENROLLPROFILE_ITEMS_MAX);
    for (size_t i = 0; copy && i < n; i++) {
        if (!name[i][0] || !utf8_valid(bytes_str(name[i])) ||
            utf8_prefix(name[i], ITEM_MAX) < strlen(name[i]))
            return err_set(err, INVALID, "%s: a name has 1 to %d characters of UTF-8", f->name,
                           ITEM_MAX);
        for (size_t k = 0; k < i; k++)
            if (strcmp(name[k], name[i]) == 0)
                return err_set(err, INVALID, "%s: \"%.100s\" stands there twice", f->name, name[i]);
        copy[i] = arena_strdup(a, name[i]);
        if (!copy[i])
            copy = NULL;
    }
    if (!copy)
        return err_set(err, ERROR, "out of memory");
    *(struct enroll_names *)room(f, c) = (struct enroll_names){copy, n};
    return OK;
}

enum outcome enroll_field_set(const struct enroll_field *f, struct arena *a,
                              struct enroll_content *c, const char *text, struct err *err)
{
    int64_t n = 0;
    switch (f->type) {
    case ENROLL_TEXT:
    case ENROLL_WORDS:
    case ENROLL_SECRET:
        return text_set(f, a, c, text, err);
    case ENROLL_LIST:
        return list_split(f, a, c, text, err);
    case ENROLL_INT:
        if (!int_read(text, &n))
            return err_set(err, INVALID, "%s: \"%.60s\" is no number", f->name, text);
        break;
    case ENROLL_BOOL:
        if (!bool_read(text, &n))
            return err_set(err, INVALID, "%s: \"%.60s\" is neither yes nor no", f->name, text);
        break;
    case ENROLL_WORD:
        while (f->words[n] && strcmp(f->words[n], text) != 0)
            n++;
        if (!f->words[n++])
            return err_set(err, INVALID, "%s: \"%.60s\" is none of: %s", f->name, text, f->about);
    }
    *(int64_t *)room(f, c) = n;
    return OK;
}

/* ---- what holds together ---- */

static enum outcome rights_check(int64_t r, struct err *err)
{
    if (r <= 0 || r > ENROLLPROFILE_RIGHTS_ALL)
        return err_set(err, INVALID, "access_rights: %lld is not from 1 to %d", (long long)r,
                       ENROLLPROFILE_RIGHTS_ALL);
    if (((r & 2) && !(r & 1)) || ((r & 128) && !(r & 64)))
        return err_set(err, INVALID, "access_rights: %lld; 2 needs 1 and 128 needs 64",
                       (long long)r);
    return OK;
}

/* "" or https://host[:port][/path] without a slash at its end, a query or a blank. */
static enum outcome base_check(const char *field, const char *url, struct err *err)
{
    size_t n = strlen(url);
    if (!n)
        return OK;
    if (strncmp(url, "https://", 8) != 0 || strchr("/?#", url[8]) || !url[8] ||
        strpbrk(url, "?# \"<>\\") || url[n - 1] == '/')
        return err_set(err, INVALID,
                       "%s: \"%.100s\" is no https base: https://host, perhaps a port and a path, "
                       "no slash at its end",
                       field, url);
    return OK;
}

static enum outcome capabilities_check(const char *list, struct err *err)
{
    static const char *const known[] = {"com.apple.mdm.per-user-connections",
                                        "com.apple.mdm.bootstraptoken", "com.apple.mdm.token"};
    for (const char *p = list; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " "), i = 0;
        while (i < 3 && !(strlen(known[i]) == n && strncmp(known[i], p, n) == 0))
            i++;
        if (n && i == 3)
            return err_set(err, INVALID,
                           "server_capabilities: \"%.*s\" is not one that Apple knows",
                           (int)(n < 80 ? n : 80), p);
        p += n;
    }
    return OK;
}

static enum outcome certificates_check(const char *pem, struct arena *a, struct err *err)
{
    struct bytes der[CERTS_MAX];
    size_t n;
    if (!pem[strspn(pem, " \t\r\n")])
        return OK;
    if (strstr(pem, "PRIVATE KEY"))
        return err_set(err, INVALID, "certificates: there is a private key among them");
    enum outcome o = cert_from_pem(a, bytes_str(pem), der, CERTS_MAX, &n, err);
    return o == INVALID ? err_prefix(err, "certificates") : o;
}

static enum outcome key_check(const struct enroll_content *c, struct err *err)
{
    bool rsa = strcmp(c->key_type, "RSA") == 0, ec = strcmp(c->key_type, "EC") == 0;
    int64_t n = c->key_size;
    if (c->identity != ENROLL_IDENTITY_PKCS12) {
        /* devices make RSA keys only, and of these sizes */
        if (!rsa || (n != 2048 && n != 4096))
            return err_set(err, INVALID,
                           "key_type, key_size: with SCEP it is RSA of 2048 or 4096 bits");
        return OK;
    }
    if (!(rsa && (n == 2048 || n == 3072 || n == 4096)) && !(ec && n == 256))
        return err_set(err, INVALID,
                       "key_type, key_size: RSA of 2048, 3072 or 4096 bits, or EC of 256");
    return OK;
}

static enum outcome scep_check(const struct enroll_content *c, struct arena *a, struct err *err)
{
    struct bytes sum;
    const char *f = c->scep_fingerprint;
    if (c->identity != ENROLL_IDENTITY_EXTERNAL) {
        if (c->scep_url[0] || c->scep_name[0] || c->scep_subject[0] || f[0])
            return err_set(err, INVALID, "scep_*: are for the identity scep-external");
        return OK;
    }
    if (strncmp(c->scep_url, "https://", 8) != 0 && strncmp(c->scep_url, "http://", 7) != 0)
        return err_set(err, INVALID, "scep_url: an external SCEP server needs its URL");
    if (f[0] && (hex_decode(a, f, &sum) != OK || (sum.n != 16 && sum.n != 20)))
        return err_set(err, INVALID,
                       "scep_fingerprint: 40 (SHA-1) or 32 (MD5) hexadecimal digits, no colons");
    if (c->scep_subject[0] && (c->scep_subject[0] != '/' || !strchr(c->scep_subject, '=')))
        return err_set(err, INVALID, "scep_subject: is written /O=name/CN=name");
    return OK;
}

static enum outcome removal_check(const struct enroll_content *c, struct err *err)
{
    bool password = enroll_field_secret(enroll_field_find("removal_password"), c);
    if (c->removal == ENROLL_REMOVAL_PASSWORD && !password)
        return err_set(err, INVALID, "removal_password: is needed for removal = password");
    return OK;
}

static enum outcome version_check(const char *field, const char *version, struct err *err)
{
    size_t n = strspn(version, "0123456789.");
    if (version[n] || version[0] == '.' || (n && version[n - 1] == '.'))
        return err_set(err, INVALID, "%s: \"%.60s\" is no version such as 17.0", field, version);
    return OK;
}

enum outcome enroll_content_check(const struct enroll_content *c, struct arena *a, struct err *err)
{
    enum outcome o = rights_check(c->access_rights, err);
    if (o == OK && c->topic[0] &&
        (strncmp(c->topic, TOPIC_PREFIX, strlen(TOPIC_PREFIX)) != 0 || strchr(c->topic, ' ')))
        o = err_set(err, INVALID, "topic: \"%.100s\" does not begin with " TOPIC_PREFIX, c->topic);
    if (o == OK)
        o = base_check("server_url", c->server_url, err);
    if (o == OK)
        o = base_check("checkin_url", c->checkin_url, err);
    if (o == OK)
        o = capabilities_check(c->server_capabilities, err);
    if (o == OK)
        o = certificates_check(c->certificates, a, err);
    if (o == OK)
        o = key_check(c, err);
    if (o == OK)
        o = scep_check(c, a, err);
    if (o == OK)
        o = version_check("minimum_ios", c->minimum_ios, err);
    if (o == OK)
        o = version_check("minimum_macos", c->minimum_macos, err);
    return o == OK ? removal_check(c, err) : o;
}

/* ---- the configuration ---- */

static enum outcome file_read(const char *path, struct arena *a, const char **out, struct err *err)
{
    char *text = arena_alloc(a, ENROLLPROFILE_PEM_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 || !text ? -1 : read(fd, text, ENROLLPROFILE_PEM_MAX);
    enum outcome o = OK;
    if (n < 0)
        o = err_set(err, ERROR, "[enroll] certificates %s: %m", path);
    else
        *out = text; /* zeroed by the arena */
    if (fd >= 0)
        close(fd);
    return o;
}

enum outcome enroll_content_of_conf(const struct conf *conf, struct arena *a,
                                    struct enroll_content *out, struct err *err)
{
    *out = (struct enroll_content){.organization = "",
                                   .title = "",
                                   .description = "",
                                   .consent = "",
                                   .topic = "",
                                   .server_url = "",
                                   .checkin_url = "",
                                   .server_capabilities = CAPABILITIES,
                                   .certificates = "",
                                   .key_type = "RSA",
                                   .scep_url = "",
                                   .scep_name = "",
                                   .scep_subject = "",
                                   .scep_fingerprint = "",
                                   .login_text = "",
                                   .minimum_ios = "",
                                   .minimum_macos = "",
                                   .login = ENROLL_LOGIN_NONE,
                                   .access_rights = conf->enroll_access_rights,
                                   .identity = ENROLL_IDENTITY_SCEP,
                                   .key_size = 2048,
                                   .removal = ENROLL_REMOVAL_ALLOWED,
                                   .sign_message = conf->enroll_sign_message,
                                   .check_out_when_removed = 1,
                                   .web = 1};
    const char *path = conf->enroll_certificates;
    enum outcome o = path && path[0] ? file_read(path, a, &out->certificates, err) : OK;
    if (o == OK)
        o = enroll_content_check(out, a, err);
    if (o == INVALID) { /* our configuration, not the caller's request */
        err_prefix(err, "drover.conf");
        return err->outcome = ERROR;
    }
    return o;
}
