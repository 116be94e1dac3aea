/*
 * conf.c: THE table of keys, and reading a file by it. Defaults are text and take the same way as
 * what stands in the file, so the manual page's check sees what acts.
 */
#include "base/conf.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define CONF_MEMORY (1u * LIM_MB)
#define ACCESS_RIGHTS_ALL 8191

enum type { TEXT, PATH, SOCKET, URL, ENUM, LOG, MODE, BOOL, INT, SIZE, TIME, HOSTS, NETS, WORDS };

struct key {
    const char *section, *name;
    enum type type;
    size_t offset;
    const char *def;     /* may begin with {run_dir} or {state_dir} */
    int64_t min, max;    /* INT; SIZE in bytes; TIME in seconds */
    const char *choices; /* ENUM: words between spaces */
    const char *help;
};

#define AT(member) offsetof(struct conf, member)
/* clang-format off */
#define POOL(sec, dflt_sock, procs, thr)                                                           \
    {#sec, "socket", SOCKET, AT(sec.socket), dflt_sock, .help =                                    \
        "Unix socket on which the web server speaks FastCGI to the workers"},                      \
    {#sec, "socket_mode", MODE, AT(sec.socket_mode), "0660", .help =                               \
        "permissions of that socket, in octal"},                                                   \
    {#sec, "socket_group", TEXT, AT(sec.socket_group), "", .help =                                 \
        "group that owns the socket, the web server's; empty keeps the process's own"},            \
    {#sec, "user", TEXT, AT(sec.user), "", .help =                                                 \
        "account the workers run as; empty keeps the current one"},                                \
    {#sec, "processes", INT, AT(sec.processes), procs, 1, 64, .help =                              \
        "worker processes"},                                                                       \
    {#sec, "threads", INT, AT(sec.threads), thr, 1, 128, .help =                                   \
        "threads of each process; so many requests are answered at the same time"},                \
    {#sec, "deadline", TIME, AT(sec.deadline_s), "30s", 1, 3600, .help =                           \
        "time that one request may take"},                                                         \
    {#sec, "memory_max", SIZE, AT(sec.memory_max), "256M", 32 * LIM_MB, INT64_C(1) << 36, .help =  \
        "resident memory after which a process is replaced by a new one"},                         \
    {#sec, "requests_max", INT, AT(sec.requests_max), "0", 0, INT64_MAX, .help =                   \
        "requests after which a process is replaced; 0 is never"}

static const struct key keys[] = {
    {"server", "device_url", URL, AT(device_url), "", .help =
        "public https address of the device host, as it stands in enrolment profiles"},
    {"server", "console_url", URL, AT(console_url), "", .help =
        "public https address of the console and API host"},
    {"server", "state_dir", PATH, AT(state_dir), "/var/lib/drover", .help =
        "folder of what Drover keeps outside the database"},
    {"server", "run_dir", PATH, AT(run_dir), "/run/drover", .help =
        "folder of sockets and process ids"},
    {"server", "share_dir", PATH, AT(share_dir), DROVER_PREFIX "/share/drover", .help =
        "folder of the files that were installed with Drover: templates and htdocs of the console"},
    {"server", "organization", TEXT, AT(organization), "", .help =
        "name of the organization, shown to users in profiles"},
    {"server", "log", LOG, AT(log), "stderr", .help =
        "where the log goes: stderr, syslog or an absolute path"},
    {"server", "log_level", ENUM, AT(log_level), "info", .choices = "error warning info debug",
        .help = "the least important events that are logged"},

    {"database", "hosts", HOSTS, AT(db_hosts), "", .help =
        "host:port of every MariaDB or Galera server, tried in order; empty uses socket"},
    {"database", "socket", SOCKET, AT(db_socket), "/run/mysqld/mysqld.sock", .help =
        "Unix socket of a MariaDB on this machine, used when there are no hosts"},
    {"database", "name", TEXT, AT(db_name), "drover", .help = "name of the database"},
    {"database", "mdm_user", TEXT, AT(db_mdm_user), "drover_mdm", .help =
        "account of drover mdm"},
    {"database", "mdm_password_file", PATH, AT(db_mdm_password_file), "", .help =
        "file of its password; empty for an account that authenticates by socket"},
    {"database", "console_user", TEXT, AT(db_console_user), "drover_console", .help =
        "account of drover console"},
    {"database", "console_password_file", PATH, AT(db_console_password_file), "", .help =
        "file of its password"},
    {"database", "agent_user", TEXT, AT(db_agent_user), "drover_agent", .help =
        "account of drover agent"},
    {"database", "agent_password_file", PATH, AT(db_agent_password_file), "", .help =
        "file of its password"},
    {"database", "owner_user", TEXT, AT(db_owner_user), "drover_owner", .help =
        "account that owns the tables, used by droverctl migrate only"},
    {"database", "owner_password_file", PATH, AT(db_owner_password_file), "", .help =
        "file of its password"},
    {"database", "tls_ca", PATH, AT(db_tls_ca), "", .help =
        "PEM file of the CA that the database's certificate must come from; empty is no TLS"},
    {"database", "timeout", TIME, AT(db_timeout_s), "5s", 1, 300, .help =
        "time to wait for the database to connect or answer"},

    POOL(mdm, "{run_dir}/mdm.sock", "1", "32"),
    {"mdm", "batch", INT, AT(mdm_batch), "64", 1, 64, .help =
        "messages of devices that a process stores in one transaction when they come together; 1 "
        "gives each its own"},
    POOL(console, "{run_dir}/console.sock", "1", "8"),

    {"signer", "dir", PATH, AT(signer_dir), "{state_dir}/signer", .help =
        "folder of the signer's keys; nobody else may read it"},
    {"signer", "user", TEXT, AT(signer_user), "", .help =
        "account the signer runs as; empty keeps the current one"},
    {"signer", "log", PATH, AT(signer_log), "{state_dir}/signer.log", .help =
        "the signer's own log of every use of a key"},
    {"signer", "threads", INT, AT(signer_threads), "4", 1, 64, .help =
        "requests that the signer works on at the same time"},
    {"signer", "ca_bits", INT, AT(signer_ca_bits), "3072", 2048, 4096, .help =
        "bits of the RSA key of a device CA, when droverctl ca makes one"},
    {"agent", "user", TEXT, AT(agent_user), "", .help =
        "account the agent runs as; empty keeps the current one"},

    {"identity", "variables", BOOL, AT(identity_variables), "yes", .help =
        "believe SSL_CLIENT_VERIFY and SSL_CLIENT_CERT of the web server"},
    {"identity", "signature", BOOL, AT(identity_signature), "yes", .help =
        "accept the Mdm-Signature header of devices"},
    {"identity", "ca_bundle", PATH, AT(ca_bundle), "{state_dir}/device-ca.pem", .help =
        "PEM file of trusted device CAs, written by droverctl and read by the web server"},
    {"identity", "reload_command", TEXT, AT(reload_command), "", .help =
        "command to run after ca_bundle was rewritten, to have the web server read it"},
    {"proxy", "trust", NETS, AT(proxy_trust), "", .help =
        "addresses and networks (CIDR) of proxies whose certificate header is believed"},
    {"proxy", "header", TEXT, AT(proxy_header), "Client-Cert", .help =
        "the header in which they hand over the client certificate"},

    {"unknown", "action", ENUM, AT(unknown_action), "hold", .choices = "hold end", .help =
        "what an unknown device with a valid certificate gets: hold (503 and a place on the list "
        "for decision) or end (401, which removes its MDM profile)"},
    {"unknown", "hours", INT, AT(unknown_hours), "24", 24, 8760, .help =
        "\"end\" acts only when a device has been on the list for so many hours"},
    {"unknown", "max", INT, AT(unknown_max), "10", 1, 1000000, .help =
        "and only while fewer devices than this are on it"},
    {"restore", "action", ENUM, AT(restore_action), "accept", .choices = "accept refuse", .help =
        "what becomes of a device that was restored from a backup: accept it, or refuse it with "
        "401, which removes its MDM profile"},
    {"inactive", "days", INT, AT(inactive_days), "7", 2, 365, .help =
        "an enrollment is called inactive when it was not seen for so many days; one not seen for a "
        "day is pushed daily"},
    {"renewal", "days", INT, AT(renewal_days), "30", 1, 365, .help =
        "device identities that Drover issued are renewed so many days before they end, or when 30 "
        "percent of their validity are left, whichever is later"},
    {"renewal", "per_hour", INT, AT(renewal_per_hour), "500", 0, 100000, .help =
        "so many renewals begin in an hour; 0 stops them"},
    {"renewal", "grace", BOOL, AT(renewal_grace), "no", .help =
        "let a device whose identity has expired fetch its renewal, and nothing else"},
    {"checkin", "user_authenticate", ENUM, AT(user_authenticate), "refuse",
        .choices = "refuse accept digest", .help =
        "UserAuthenticate of network users: refuse (410, users are not managed), accept without a "
        "password, or digest: the password of an account of droverctl users"},
    {"checkin", "digest_algorithm", ENUM, AT(digest_algorithm), "MD5", .choices = "MD5 SHA-256",
        .help = "algorithm of the challenge; MD5 is what Macs have always spoken"},

    {"apns", "url", URL, AT(apns_url), "https://api.push.apple.com", .help =
        "Apple's push service"},
    {"apns", "sandbox_url", URL, AT(apns_sandbox_url), "https://api.sandbox.push.apple.com",
        .help = "Apple's development push service, for push certificates that are good for it alone"},
    {"apns", "ca", PATH, AT(apns_ca), "", .help =
        "PEM file of the CA of the push service; empty is the system's store"},
    {"apns", "expiration", TIME, AT(apns_expiration_s), "7d", 0, 2592000, .help =
        "time for which Apple keeps a push for a device that is away; 0 is not at all"},
    {"apns", "streams", INT, AT(apns_streams), "100", 1, 1000, .help =
        "pushes under way at the same time on the one connection"},

    {"scep", "des", BOOL, AT(scep_des), "yes", .help =
        "accept requests enciphered with single DES, with a warning in the log"},
    {"scep", "challenge_file", PATH, AT(scep_challenge_file), "", .help =
        "file of a static challenge password; empty: one-time challenges only"},
    {"scep", "validity_days", INT, AT(scep_validity_days), "365", 1, 3650, .help =
        "days for which a device's identity is valid"},
    {"scep", "min_rsa", INT, AT(scep_min_rsa), "2048", 2048, 4096, .help =
        "bits of the shortest RSA key that is certified"},
    {"scep", "approval", ENUM, AT(scep_approval), "never",
        .choices = "never unproven static always", .help =
        "which requests wait for a person (droverctl scep): none; those without a challenge, which "
        "are refused otherwise; those with the static challenge too; or all but renewals"},
    {"scep", "reuse_keys", BOOL, AT(scep_reuse_keys), "no", .help =
        "certify a key that has a certificate already"},
    {"scep", "subject", TEXT, AT(scep_subject), "", .help =
        "pattern that the common name of a request must match (* and ?); empty takes any"},
    {"scep", "san", WORDS, AT(scep_san), "", .help =
        "patterns of subjectAltNames to take over from requests, as DNS:*.example.org; a request "
        "with another one is refused; empty leaves them all out"},
    {"scep", "purposes", WORDS, AT(scep_purposes), "", .help =
        "extended key usages of issued identities beside clientAuth: names or dotted numbers"},
    {"scep", "crl_url", TEXT, AT(scep_crl_url), "", .help =
        "address of the revocation list that issued identities name, such as "
        "http://mdm.example.org/crl; empty names none"},
    {"scep", "crl_hours", INT, AT(scep_crl_hours), "24", 1, 720, .help =
        "hours after which a revocation list is made anew when nothing was revoked; it is valid "
        "twice as long"},

    {"enroll", "open", BOOL, AT(enroll_open), "no", .help =
        "give the enrolment profile to anybody, without an invitation; for trials"},
    {"enroll", "topic", TEXT, AT(enroll_topic), "", .help =
        "push topic of enrolment profiles that name none; empty: that of the only push certificate"},
    {"enroll", "access_rights", INT, AT(enroll_access_rights), "8191", 1, ACCESS_RIGHTS_ALL,
        .help = "AccessRights, a sum, that the enrolment profile \"default\" is made with; 2 needs 1, "
                "128 needs 64"},
    {"enroll", "sign_message", BOOL, AT(enroll_sign_message), "no", .help =
        "the enrolment profile \"default\" is made so that devices sign every message (Mdm-Signature)"},
    {"enroll", "profile_chain", PATH, AT(profile_chain), "", .help =
        "PEM file of certificates to add to signed profiles"},
    {"enroll", "certificates", PATH, AT(enroll_certificates), "", .help =
        "PEM file of certificates that the enrolment profile \"default\" is made with: the root and "
        "intermediates of this server's TLS certificate, where devices do not know them"},

    {"apple", "roots", PATH, AT(apple_roots), "", .help =
        "PEM file of Apple's CAs, which certify the built-in identities that devices sign with when "
        "they ask for a profile; empty: no device can prove itself"},

    {"account", "user_enrollment", TEXT, AT(account_user_enrollment), "", .help =
        "families of devices that people enrol as their own with a Managed Apple Account (User "
        "Enrollment): any of iPhone iPad Mac RealityDevice; empty: none"},
    {"account", "device_enrollment", TEXT, AT(account_device_enrollment), "", .help =
        "families of devices that are enrolled so as the organization's"},
    {"account", "profile", TEXT, AT(account_profile), "", .help =
        "name of the enrolment profile that they get; empty: that named default"},

    {"api", "nanomdm_migration", BOOL, AT(nanomdm_migration), "no", .help =
        "serve /migration, which takes enrolments over from a NanoMDM"},
    {"api", "escrow_url", URL, AT(escrow_url),
        "https://deviceservices-external.apple.com/deviceservicesworkers/escrowKeyUnlock", .help =
        "Apple's service that unlocks activation with an escrow key"},
    {"api", "escrow_ca", PATH, AT(escrow_ca), "", .help =
        "PEM file of the CA of that service; empty is the system's store"},
};
/* clang-format on */
#define KEYS (sizeof keys / sizeof *keys)

struct reading {
    struct conf *c;
    struct arena *a;
    FILE *f;
    const char *path;
    int line;
    bool failed;
    bool given[KEYS];
    struct err *err;
};

/* The first fault stands; inih goes on to the end of the file whatever its caller says. */
#define fault(r, ...)                                                                              \
    do {                                                                                           \
        if (!(r)->failed) {                                                                        \
            (r)->failed = true;                                                                    \
            (void)err_set((r)->err, INVALID, __VA_ARGS__);                                         \
        }                                                                                          \
    } while (0)

/* --- values --- */

static bool word_in(const char *word, const char *words)
{
    size_t n = strlen(word);
    if (n == 0 || strchr(word, ' '))
        return false;
    for (const char *p = words; (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

static bool parse_bool(const char *s, bool *out)
{
    if (strcmp(s, "yes") == 0 || strcmp(s, "true") == 0 || strcmp(s, "on") == 0)
        *out = true;
    else if (strcmp(s, "no") == 0 || strcmp(s, "false") == 0 || strcmp(s, "off") == 0)
        *out = false;
    else
        return false;
    return true;
}

/* Decimal digits and at most one letter of `suffix`, each worth its factor. */
static bool parse_number(const char *s, const char *suffix, const int64_t *factor, int64_t *out)
{
    if (*s < '0' || *s > '9')
        return false;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno)
        return false;
    if (*end) {
        const char *at = strchr(suffix, *end);
        if (!at || end[1] || __builtin_mul_overflow(v, factor[at - suffix], &v))
            return false;
    }
    *out = v;
    return true;
}

static bool parse_int(const struct key *k, const char *s, int64_t *out)
{
    static const int64_t bytes[] = {LIM_KB, LIM_MB, (int64_t)LIM_KB * LIM_MB};
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    bool good = k->type == SIZE   ? parse_number(s, "KMG", bytes, out)
                : k->type == TIME ? parse_number(s, "smhd", seconds, out)
                                  : parse_number(s, "", NULL, out);
    return good && *out >= k->min && *out <= k->max;
}

/* https://host[:port][/path], no slash at the end */
static bool is_url(const char *s)
{
    static const char scheme[] = "https://";
    size_t n = strlen(s);
    if (strncmp(s, scheme, sizeof scheme - 1) != 0 || s[n - 1] == '/' ||
        strchr("/:?#", s[sizeof scheme - 1]))
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s > '~' || strchr("\"'<>\\^`{|}", *s))
            return false;
    return true;
}

/* host:port, [address]:port */
static bool is_host_port(const char *s)
{
    int64_t port;
    const char *colon = strrchr(s, ':');
    if (!colon || colon == s || !parse_number(colon + 1, "", NULL, &port) || port < 1 ||
        port > 65535)
        return false;
    size_t n = (size_t)(colon - s);
    if (*s == '[')
        return n > 2 && s[n - 1] == ']' && strspn(s + 1, "0123456789abcdefABCDEF:.") == n - 2;
    return strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") == n;
}

/* An address, or a network as address/bits. */
static bool is_net(const char *s)
{
    char address[INET6_ADDRSTRLEN + 1];
    unsigned char octets[16];
    const char *slash = strchr(s, '/');
    size_t n = slash ? (size_t)(slash - s) : strlen(s);
    if (n >= sizeof address)
        return false;
    memcpy(address, s, n);
    address[n] = '\0';
    int64_t bits = 0, most;
    if (inet_pton(AF_INET, address, octets) == 1)
        most = 32;
    else if (inet_pton(AF_INET6, address, octets) == 1)
        most = 128;
    else
        return false;
    return !slash || (parse_number(slash + 1, "", NULL, &bits) && bits <= most);
}

static bool is_printable(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    return true;
}

/* Is s right for a key that holds one string? An empty one is for most; *want says what is. */
static bool check_text(const struct key *k, const char *s, const char **want)
{
    struct sockaddr_un sun;
    enum log_level level;
    *want = "no control characters";
    if (!is_printable(s))
        return false;
    switch (k->type) {
    case PATH:
        *want = "an absolute path";
        return *s == '\0' || *s == '/';
    case SOCKET:
        *want = "an absolute path of at most 107 characters";
        return *s == '/' && strlen(s) < sizeof sun.sun_path;
    case URL:
        *want = "https://HOST, without a slash at the end";
        return *s == '\0' || is_url(s);
    case LOG:
        *want = "stderr, syslog or an absolute path";
        return *s == '/' || strcmp(s, "stderr") == 0 || strcmp(s, "syslog") == 0;
    case ENUM:
        *want = k->choices;
        return word_in(s, k->choices) && (k->offset != AT(log_level) || log_level_parse(s, &level));
    case MODE:
        *want = "four octal digits such as 0660";
        return strlen(s) == 4 && *s == '0' && strspn(s, "01234567") == 4;
    default:
        return true;
    }
}

static void set_list(struct reading *r, const struct key *k, const char *s)
{
    static const char between[] = ", \t";
    struct conf_list *l = (struct conf_list *)((char *)r->c + k->offset);
    for (s += strspn(s, between); *s; s += strspn(s, between)) {
        size_t n = strcspn(s, between);
        char *item = arena_strndup(r->a, s, n);
        s += n;
        if (!item) {
            fault(r, "out of memory");
            return;
        }
        if (l->n == CONF_LIST_MAX) {
            fault(r, "[%s] %s: more than %d items", k->section, k->name, CONF_LIST_MAX);
            return;
        }
        if (!(k->type == HOSTS  ? is_host_port(item)
              : k->type == NETS ? is_net(item)
                                : is_printable(item))) {
            fault(r, "[%s] %s: \"%.60s\" is no %s", k->section, k->name, item,
                  k->type == HOSTS  ? "host:port"
                  : k->type == NETS ? "address or network"
                                    : "word without control characters");
            return;
        }
        l->item[l->n++] = item;
    }
}

static void set_int(struct reading *r, const struct key *k, const char *s)
{
    int64_t *to = (int64_t *)((char *)r->c + k->offset);
    if (!parse_int(k, s, to))
        fault(r, "[%s] %s: \"%.60s\" is no number from %lld to %lld%s", k->section, k->name, s,
              (long long)k->min, (long long)k->max,
              k->type == SIZE   ? " (bytes, or with K, M or G)"
              : k->type == TIME ? " (seconds, or with s, m, h or d)"
                                : "");
}

static void set_value(struct reading *r, const struct key *k, const char *s)
{
    void *to = (char *)r->c + k->offset;
    const char *want;
    switch (k->type) {
    case HOSTS:
    case NETS:
    case WORDS:
        set_list(r, k, s);
        return;
    case INT:
    case SIZE:
    case TIME:
        set_int(r, k, s);
        return;
    case BOOL:
        if (!parse_bool(s, to))
            fault(r, "[%s] %s: \"%.60s\" is neither yes nor no", k->section, k->name, s);
        return;
    default:
        if (!check_text(k, s, &want))
            fault(r, "[%s] %s: \"%.60s\" is wrong; wanted: %s", k->section, k->name, s, want);
        else if (!(*(const char **)to = arena_strdup(r->a, s)))
            fault(r, "out of memory");
    }
}

/* --- the file --- */

static bool known_section(const char *s, size_t n)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strlen(keys[i].section) == n && memcmp(keys[i].section, s, n) == 0)
            return true;
    return false;
}

/* inih's way to read a line. It tells its handler neither the line nor of an empty section. */
static char *on_line(char *text, int size, void *stream)
{
    struct reading *r = stream;
    if (r->failed || !fgets(text, size, r->f))
        return NULL;
    r->line++;
    size_t n = strlen(text);
    if (n + 1 == (size_t)size && text[n - 1] != '\n')
        fault(r, "line longer than %d characters; go on in the next one, after a space", size - 3);
    else if (n == 0 || (text[n - 1] != '\n' && !feof(r->f)))
        fault(r, "a NUL in the file");
    size_t name = *text == '[' ? strcspn(text + 1, "]") : 0;
    if (*text == '[' && text[1 + name] == ']' && !known_section(text + 1, name))
        fault(r, "there is no section [%.*s]", (int)(name < 40 ? name : 40), text + 1);
    return r->failed ? NULL : text;
}

static bool is_list(const struct key *k)
{
    return k->type == HOSTS || k->type == NETS || k->type == WORDS;
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    for (size_t i = 0; i < KEYS && !r->failed; i++) {
        const struct key *k = &keys[i];
        if (strcmp(k->section, section) != 0 || strcmp(k->name, name) != 0)
            continue;
        if (r->given[i] && !is_list(k))
            fault(r,
                  "[%s] %s: given twice (a line that begins with a space continues the value "
                  "above it)",
                  section, name);
        r->given[i] = true;
        set_value(r, k, value);
        return !r->failed;
    }
    if (*section)
        fault(r, "[%.40s] has no key \"%.60s\"", section, name);
    else
        fault(r, "\"%.60s\" stands before any [section]", name);
    return 0;
}

/* The default of k, with the folders in it. */
static const char *default_of(struct reading *r, const struct key *k)
{
    static const char run[] = "{run_dir}", state[] = "{state_dir}";
    if (strncmp(k->def, run, sizeof run - 1) == 0)
        return arena_fmt(r->a, "%s%s", r->c->run_dir, k->def + sizeof run - 1);
    if (strncmp(k->def, state, sizeof state - 1) == 0)
        return arena_fmt(r->a, "%s%s", r->c->state_dir, k->def + sizeof state - 1);
    return k->def;
}

/* run_dir and state_dir stand in the table before every default that names them. */
static void set_defaults(struct reading *r)
{
    for (size_t i = 0; i < KEYS && !r->failed; i++) {
        if (r->given[i])
            continue;
        const char *def = default_of(r, &keys[i]);
        if (def)
            set_value(r, &keys[i], def);
        else
            fault(r, "out of memory");
    }
}

/* What concerns more than one key. */
static void check_whole(struct reading *r)
{
    int64_t rights = r->c->enroll_access_rights;
    if (((rights & 2) && !(rights & 1)) || ((rights & 128) && !(rights & 64)))
        fault(r, "[enroll] access_rights: %lld; 2 needs 1 and 128 needs 64", (long long)rights);
    if (!*r->c->state_dir || !*r->c->run_dir)
        fault(r, "[server] state_dir and run_dir must not be empty");
    const char *crl = r->c->scep_crl_url;
    if (*crl && ((strncmp(crl, "http://", 7) != 0 && strncmp(crl, "https://", 8) != 0) ||
                 strpbrk(crl, " ,;\"<>\\^`{|}")))
        fault(r, "[scep] crl_url: \"%.60s\" is no http or https address", crl);
    if (!*r->c->proxy_header ||
        strspn(r->c->proxy_header, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-") != strlen(r->c->proxy_header))
        fault(r, "[proxy] header: \"%.60s\" is no name of a header", r->c->proxy_header);
}

static enum outcome read_file(struct reading *r)
{
    int wrong = ini_parse_stream(on_line, r, on_key, r);
    if (wrong > 0 && (!r->failed || wrong < r->line))
        return err_set(r->err, INVALID, "%s:%d: neither [section], key = value nor a comment",
                       r->path, wrong);
    if (r->failed) {
        (void)err_prefix(r->err, "%s:%d", r->path, r->line);
        return INVALID;
    }
    if (wrong < 0)
        return err_set(r->err, ERROR, "%s: out of memory", r->path);
    if (ferror(r->f))
        return err_set(r->err, ERROR, "%s: %s", r->path, strerror(errno));
    set_defaults(r);
    if (!r->failed)
        check_whole(r);
    if (r->failed) {
        (void)err_prefix(r->err, "%s", r->path);
        return INVALID;
    }
    return OK;
}

enum outcome conf_load(const char *path, struct conf **out, struct err *err)
{
    struct reading r = {.path = path, .err = err};
    enum outcome o = ERROR;
    *out = NULL;
    r.f = fopen(path, "re");
    if (!r.f)
        return err_set(err, errno == ENOENT ? NOT_FOUND : ERROR, "%s: %s", path, strerror(errno));
    r.c = calloc(1, sizeof *r.c);
    r.a = arena_new(CONF_MEMORY);
    if (!r.c || !r.a || !(r.c->path = arena_strdup(r.a, path))) {
        (void)err_set(err, ERROR, "out of memory");
        goto out;
    }
    o = read_file(&r);
out:
    fclose(r.f);
    if (o == OK) {
        r.c->store_ = r.a;
        *out = r.c;
    } else {
        arena_free(&r.a);
        free(r.c);
    }
    return o;
}

void conf_free(struct conf **c)
{
    if (!*c)
        return;
    struct arena *a = (*c)->store_;
    arena_free(&a);
    free(*c);
    *c = NULL;
}

const char *conf_path(const char *explicit_path)
{
    const char *env = getenv("DROVER_CONF");
    if (explicit_path)
        return explicit_path;
    return env && *env ? env : DROVER_SYSCONFDIR "/drover/drover.conf";
}

static const char *type_name(const struct key *k)
{
    static const char *const names[] = {"text",
                                        "path",
                                        "socket",
                                        "https URL",
                                        NULL,
                                        "log",
                                        "octal",
                                        "yes/no",
                                        "number",
                                        "size",
                                        "time",
                                        "list of host:port",
                                        "list of addresses",
                                        "list of words"};
    return k->type == ENUM ? k->choices : names[k->type];
}

void conf_describe(void)
{
    const char *section = "";
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(section, keys[i].section) != 0)
            printf("%s[%s]\n", *section ? "\n" : "", keys[i].section);
        section = keys[i].section;
        printf("%s = %s\n    (%s) %s\n", keys[i].name, keys[i].def, type_name(&keys[i]),
               keys[i].help);
    }
}
