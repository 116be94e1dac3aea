/*
 * conf.h: the configuration, drover.conf(5): an INI file read with inih. Every key stands once, in
 * the table of conf.c, with its type, default and one line of help; the manual page is checked
 * against that table.
 */
#ifndef DROVER_BASE_CONF_H
#define DROVER_BASE_CONF_H

#include "base/bytes.h"
#include "base/err.h"

#define CONF_LIST_MAX 32
#define CONF_KEYS_MAX 256

/* Strings are never NULL ("" when unset) and live as long as the struct conf. */
struct conf_list {
    const char *item[CONF_LIST_MAX];
    size_t n;
};

struct conf_pool {           /* [mdm] and [console] */
    const char *socket;      /* Unix socket the web server speaks FastCGI to */
    const char *socket_mode; /* octal, "0660" */
    const char *socket_group;
    const char *user; /* the account its processes run as; "" keeps the current one */
    int64_t processes;
    int64_t threads;
    int64_t deadline_s;   /* a request may take this long */
    int64_t memory_max;   /* bytes of RSS after which a process is replaced */
    int64_t requests_max; /* requests after which it is replaced; 0: never */
};

struct conf {
    const char *path; /* the file it came from */

    const char *device_url;  /* [server] public https base of the device host, no trailing slash */
    const char *console_url; /* [server] public https base of the console host */
    const char *state_dir;
    const char *run_dir;
    const char *tls_ca;    /* of the web server's certificates; "" is the system's store */
    const char *share_dir; /* templates/ and htdocs/ of the console */
    const char *organization;
    const char *support; /* whom people turn to; "" is nobody */
    const char *log;
    const char *log_level;

    struct conf_list db_hosts; /* [database] "host:port", tried in order */
    const char *db_socket;
    const char *db_name;
    const char *db_mdm_user, *db_mdm_password_file;
    const char *db_console_user, *db_console_password_file;
    const char *db_agent_user, *db_agent_password_file;
    const char *db_owner_user, *db_owner_password_file;
    const char *db_tls_ca;
    int64_t db_timeout_s;

    struct conf_pool mdm, console;
    const char *console_second_factor; /* "optional" or "required" */
    bool console_remote_user;          /* believe the web server's REMOTE_USER */
    const char *console_remote_groups; /* a server variable, "" without */
    const char *console_remote_roles;  /* "group = role, name = role" */
    const char *console_remote_role;   /* "none", or the role of everybody else */
    int64_t mdm_batch; /* messages that one transaction takes together; 1: each alone */

    const char *signer_dir; /* [signer] folder of its keys */
    const char *signer_user;
    const char *signer_log; /* its own log of every use of a key */
    int64_t signer_threads;
    int64_t signer_ca_bits;
    const char *agent_user; /* [agent] */

    bool identity_variables;      /* [identity] believe SSL_CLIENT_* of the web server */
    bool identity_signature;      /* accept Mdm-Signature */
    struct conf_list proxy_trust; /* [proxy] addresses or CIDR nets whose header counts */
    const char *proxy_header;     /* "Client-Cert" */
    const char *ca_bundle;        /* file of trusted device CAs that the web server reads */
    const char *reload_command;   /* run after ca_bundle was rewritten */

    const char *unknown_action; /* [unknown] "hold" or "end" */
    int64_t unknown_hours;      /* "end" acts only after this many hours */
    int64_t unknown_max;        /* and only while fewer devices than this are unknown */
    const char *restore_action; /* [restore] "accept" or "refuse" a backup's TokenUpdate */
    int64_t inactive_days;      /* [inactive] not seen for so long is inactive */
    int64_t library_look_hours; /* [library] profiles are asked for so often; 0: never */
    int64_t renewal_days;       /* [renewal] so long before they end identities are renewed */
    int64_t renewal_per_hour;
    bool renewal_grace;            /* an expired identity may fetch its renewal */
    const char *user_authenticate; /* [checkin] "refuse" (410), "accept" (empty challenge), or
                                    * "digest" (a password) */
    const char *digest_algorithm;  /* "MD5" or "SHA-256" */

    const char *apns_url; /* [apns] https://api.push.apple.com */
    const char *apns_sandbox_url;
    const char *apns_ca; /* "" is the system's store */
    int64_t apns_expiration_s;
    int64_t apns_streams; /* requests in flight on the one connection */

    bool scep_des;                   /* [scep] accept single DES, with a warning */
    const char *scep_challenge_file; /* static challenge; "" is none */
    int64_t scep_validity_days;
    int64_t scep_min_rsa;
    const char *scep_approval;      /* "never", "unproven", "static", "always" */
    bool scep_reuse_keys;           /* a key may have several certificates */
    const char *scep_subject;       /* pattern of common names; "" is any */
    struct conf_list scep_san;      /* patterns of names taken over, "DNS:*.example.org" */
    struct conf_list scep_purposes; /* extended key usages beside clientAuth */
    const char *scep_crl_url;       /* in issued certificates; "" is none */
    int64_t scep_crl_hours;

    bool enroll_open;         /* [enroll] no invitation is needed (the demo) */
    const char *enroll_login; /* "no", "local", "remote_user": the web page */
    const char *enroll_topic;
    int64_t enroll_access_rights;
    bool enroll_sign_message;
    const char *profile_chain;       /* PEM chain added to signed profiles */
    const char *enroll_certificates; /* PEM file of certificates that the profile installs */

    const char *apple_roots; /* [apple] PEM file of the CAs of devices' built-in identities */

    const char *account_user_enrollment;   /* [account] model families, space-separated */
    const char *account_device_enrollment; /* likewise */
    const char *account_profile;           /* name of the enrolment profile */
    const char *account_method;            /* "web", "oauth2" */
    bool account_ongoing;
    int64_t account_access_s, account_refresh_days;

    const char *command_approval; /* [command] "never" or "sensitive": two persons for those */
    int64_t command_approval_hours;
    int64_t history_days; /* [history] results, events and their reports are kept so long */

    const char *assets_dir; /* [assets] files that the web server gives to devices */
    int64_t assets_max_mb, assets_reserve_mb;

    bool webhook_http;                 /* [webhook] http:// too */
    struct conf_list webhook_networks; /* private nets in which receivers may be */
    const char *webhook_ca;            /* "" is the system's store */
    int64_t webhook_timeout_s;
    int64_t webhook_parallel; /* requests in flight to one webhook */
    int64_t webhook_attempts; /* an event is given up after so many */
    int64_t webhook_give_up_s;
    int64_t webhook_pause_s; /* a webhook that fails for so long is paused */
    int64_t webhook_keep_s;

    bool nanomdm_migration; /* [api] the /migration endpoint */
    const char *escrow_url; /* Apple's escrow key unlock service */
    const char *escrow_ca;  /* "" is the system's store */

    int64_t invitation_days; /* [invitation] what the form of a new link begins with */
    int64_t invitation_uses;

    void *store_;               /* memory of the strings */
    bool given_[CONF_KEYS_MAX]; /* the file names the key of that place in the table */
};

/* Reads the file at path. INVALID names file, line and key: an unknown section or key, a value of
 * the wrong type or range. NOT_FOUND: no such file. *out is the caller's, freed by conf_free(). */
enum outcome conf_load(const char *path, struct conf **out, struct err *err) MUST_USE;
void conf_free(struct conf **c);
/* The path to read: explicit, else $DROVER_CONF, else SYSCONFDIR/drover/drover.conf. */
const char *conf_path(const char *explicit_path);
/* Prints every key with default and help, for the manual page and its check. */
void conf_describe(void);

#endif
