/*
 * conf.c: THE table of keys. Defaults are text and take the same way as what stands in the file
 * (conf_read.c), so the manual page's check sees what acts.
 */
#include "base/conf_keys.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define ACCESS_RIGHTS_ALL 8191

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

const struct conf_key conf_keys[] = {
    {"server", "device_url", URL, AT(device_url), "", .help =
        "public https address of the device host, as it stands in enrolment profiles"},
    {"server", "console_url", URL, AT(console_url), "", .help =
        "public https address of the console and API host"},
    {"server", "tls_ca", PATH, AT(tls_ca), "", .help =
        "PEM file of the private CA that the TLS certificates of both hosts come from, for the checks "
        "of droverctl doctor and the console; empty is the system's store"},
    {"server", "state_dir", PATH, AT(state_dir), "/var/lib/drover", .help =
        "folder of what Drover keeps outside the database"},
    {"server", "run_dir", PATH, AT(run_dir), "/run/drover", .help =
        "folder of sockets and process ids"},
    {"server", "share_dir", PATH, AT(share_dir), DROVER_PREFIX "/share/drover", .help =
        "folder of the files that were installed with Drover: templates and htdocs of the console"},
    {"server", "organization", TEXT, AT(organization), "", .help =
        "name of the organization, shown to users in profiles", .live = true},
    {"server", "support", TEXT, AT(support), "", .help =
        "whom people turn to for help, such as a telephone number, shown on the pages that are theirs",
        .live = true},
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
    {"console", "second_factor", ENUM, AT(console_second_factor), "optional",
        .choices = "optional required", .help =
        "required: an administrator who signs in with a password must set up a second factor before "
        "anything else", .live = true},
    {"console", "remote_user", BOOL, AT(console_remote_user), "no", .help =
        "sign people in whom the web server has authenticated: REMOTE_USER, from its LDAP, "
        "Kerberos or OpenID Connect module"},
    {"console", "remote_groups", TEXT, AT(console_remote_groups), "", .help =
        "server variable with the groups of such a person, such as OIDC_CLAIM_groups; commas, semicolons "
        "or bars stand between them"},
    {"console", "remote_roles", TEXT, AT(console_remote_roles), "", .help =
        "which role a group or a name has: \"name = role\", separated by commas; the first that fits "
        "counts"},
    {"console", "remote_role", ENUM, AT(console_remote_role), "none",
        .choices = "none viewer auditor helpdesk operator administrator", .help =
        "role of such people whom remote_roles does not name, or no longer; none keeps them out. A "
        "role that somebody gave in the console stays until a rule fits"},

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
        "day is pushed daily", .live = true},
    {"library", "look_hours", INT, AT(library_look_hours), "24", 0, 8760, .help =
        "devices and users that got profiles of the library are asked for their profiles when they "
        "told them so many hours ago: what was removed comes again; 0 never asks", .live = true},
    {"renewal", "days", INT, AT(renewal_days), "30", 1, 365, .help =
        "device identities that Drover issued are renewed so many days before they end, or when 30 "
        "percent of their validity are left, whichever is later", .live = true},
    {"renewal", "per_hour", INT, AT(renewal_per_hour), "500", 0, 100000, .help =
        "so many renewals begin in an hour; 0 stops them", .live = true},
    {"renewal", "grace", BOOL, AT(renewal_grace), "no", .help =
        "let a device whose identity has expired fetch its renewal, and nothing else", .live = true},
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
        "bits of the shortest RSA key that is certified; above 2048, devices are told to make one "
        "of 4096"},
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
        "http://mdm.example.org/crl (of a later CA with /2 and so on behind it); empty names none"},
    {"scep", "crl_hours", INT, AT(scep_crl_hours), "24", 1, 720, .help =
        "hours after which a revocation list is made anew when nothing was revoked; it is valid "
        "twice as long"},

    {"enroll", "open", BOOL, AT(enroll_open), "no", .help =
        "give the enrolment profile to anybody, without an invitation; for trials"},
    {"enroll", "login", ENUM, AT(enroll_login), "no", .choices = "no local remote_user", .help =
        "who gets the enrolment profile from the web page at /enroll of the device host: nobody, "
        "accounts of droverctl users with their password, or whoever the web server has "
        "authenticated (its variable REMOTE_USER, never a header); and who has a page of the own "
        "devices at /enroll/me"},
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
    {"account", "method", ENUM, AT(account_method), "web", .choices = "web oauth2", .help =
        "how the device gets its access token when the person has logged in: web, the simple flow, "
        "with one token for the enrolment alone, or oauth2, with tokens that are refreshed"},
    {"account", "ongoing", BOOL, AT(account_ongoing), "no", .help =
        "with oauth2, whether a device whose person has been blocked, has another password or has "
        "not refreshed the token in time must have the person log in again; it is answered 401 "
        "with the place to do so, stays enrolled, and gets no commands until then"},
    {"account", "access_time", TIME, AT(account_access_s), "60m", 60, 86400, .help =
        "how long an access token of OAuth 2 lives"},
    {"account", "refresh_days", INT, AT(account_refresh_days), "90", 1, 3650, .help =
        "days after which a refresh token that was not used is of no use"},

    {"invitation", "days", INT, AT(invitation_days), "7", 1, 365, .help =
        "days for which a new link of the console is good, unless its form says otherwise",
        .live = true},
    {"invitation", "uses", INT, AT(invitation_uses), "1", 1, 1000000, .help =
        "how many devices may use a new link of the console, unless its form says otherwise",
        .live = true},

    {"command", "approval", ENUM, AT(command_approval), "never", .choices = "never sensitive",
        .help = "which commands a second person must approve before they are queued: none, or those "
                "that the catalogue calls sensitive (EraseDevice, DeviceLock, ClearPasscode, Lost "
                "Mode, ...), and then also before a secret of a device is told and an Activation Lock "
                "is taken off by its escrow key", .live = true},
    {"command", "approval_hours", INT, AT(command_approval_hours), "24", 1, 720, .help =
        "hours after which a request that nobody approved is void", .live = true},
    {"history", "days", INT, AT(history_days), "365", 1, 36500, .help =
        "days for which results of commands, with their reports, changes of the inventory and jobs for "
        "many devices that are over are kept", .live = true},
    {"assets", "dir", PATH, AT(assets_dir), "{state_dir}/public", .help =
        "folder of apps that were uploaded; its folder assets is what the web server shows to "
        "devices as /assets/"},
    {"assets", "max_mb", INT, AT(assets_max_mb), "4096", 1, 65536, .help =
        "the largest file of an app that is taken, in MB"},
    {"assets", "reserve_mb", INT, AT(assets_reserve_mb), "1024", 0, 1048576, .help =
        "so much of the disk of dir stays free, in MB: no file of an app is taken that leaves less"},
    {"webhook", "allow_http", BOOL, AT(webhook_http), "no", .help =
        "take addresses of webhooks that begin with http:// too: everybody on the way reads the "
        "events"},
    {"webhook", "private_networks", NETS, AT(webhook_networks), "", .help =
        "private networks in which receivers of webhooks may be; without them only public addresses "
        "are connected to, whatever a name leads to"},
    {"webhook", "ca", PATH, AT(webhook_ca), "", .help =
        "PEM file of the CAs that receivers' certificates are checked with; empty is the system's "
        "store"},
    {"webhook", "timeout", TIME, AT(webhook_timeout_s), "15s", 1, 300, .help =
        "time within which a receiver must have answered"},
    {"webhook", "parallel", INT, AT(webhook_parallel), "8", 1, 64, .help =
        "requests that are under way to one webhook at the same time"},
    {"webhook", "attempts", INT, AT(webhook_attempts), "40", 1, 1000, .help =
        "attempts after which an event is given up for a webhook"},
    {"webhook", "give_up", TIME, AT(webhook_give_up_s), "3d", 60, 365 * 86400, .help =
        "time after which an event that could not be delivered is given up"},
    {"webhook", "pause_after", TIME, AT(webhook_pause_s), "1d", 60, 365 * 86400, .help =
        "time after which a webhook at which nothing succeeds is paused, with an alarm"},
    {"webhook", "keep", TIME, AT(webhook_keep_s), "7d", 60, 365 * 86400, .help =
        "time for which delivered and given up events are kept, to be looked at and sent again"},
    {"api", "nanomdm_migration", BOOL, AT(nanomdm_migration), "no", .help =
        "serve /migration, which takes enrolments over from a NanoMDM"},
    {"api", "escrow_url", URL, AT(escrow_url),
        "https://deviceservices-external.apple.com/deviceservicesworkers/escrowKeyUnlock", .help =
        "Apple's service that unlocks activation with an escrow key"},
    {"api", "escrow_ca", PATH, AT(escrow_ca), "", .help =
        "PEM file of the CA of that service; empty is the system's store"},
};
/* clang-format on */
const size_t conf_keys_n = sizeof conf_keys / sizeof *conf_keys;
_Static_assert(sizeof conf_keys / sizeof *conf_keys <= CONF_KEYS_MAX, "CONF_KEYS_MAX is too small");

const char *conf_path(const char *explicit_path)
{
    const char *env = getenv("DROVER_CONF");
    if (explicit_path)
        return explicit_path;
    return env && *env ? env : DROVER_SYSCONFDIR "/drover/drover.conf";
}

const char *conf_key_kind(const struct conf_key *k)
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
    for (size_t i = 0; i < conf_keys_n; i++) {
        if (strcmp(section, conf_keys[i].section) != 0)
            printf("%s[%s]\n", *section ? "\n" : "", conf_keys[i].section);
        section = conf_keys[i].section;
        printf("%s = %s\n    (%s) %s\n", conf_keys[i].name, conf_keys[i].def,
               conf_key_kind(&conf_keys[i]), conf_keys[i].help);
    }
}
