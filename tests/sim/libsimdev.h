/*
 * libsimdev.h: the simulated devices: what each is and holds, and the jobs it has to do. The parts:
 *
 *   libsimdev.c    the fleet, jobs, who may talk now, back-off
 *   libenrol.c     profile, SCEP, Authenticate, TokenUpdate
 *   libway.c       configuration URL, Profile Service, account-driven enrolment
 *   liboauth.c     the tokens of the latter, by OAuth 2
 *   libcheckin.c   check-in messages and how a message is signed and sent
 *   libexchange.c  from Idle to the empty answer
 *   libanswer.c    what a command does and what is reported
 *   libquery.c     the answers to questions (DeviceInformation and the like)
 *   libapps.c      apps of the store, what apps are given, provisioning profiles
 *   libinhouse.c   in-house apps: manifest and package
 *   libsettings.c  Settings, and what they change
 *   libmac.c       users, passwords of a Mac's firmware, books, system updates
 *   libplausible.c what the catalogue of commands says; made-up answers
 *   libscript.c    misbehaviour on demand
 *   libkeep.c      the state folder
 *   libapnsc.c     the simulated push service wakes a device
 *   libcontrol.c   the control socket
 *   libreport.c    what it tells
 */
#ifndef DROVER_SIM_LIBSIMDEV_H
#define DROVER_SIM_LIBSIMDEV_H

#include "base/uuid.h"
#include "command/catalogue.h"
#include "libhardware.h"
#include "libhttpc.h"
#include "libkeys.h"
#include "libloop.h"
#include "libmobileconfig.h"
#include "libscript.h"
#include "wire/json.h"
#include <stdio.h>

#define SIMDEV_USERS_MAX 8 /* user channels of one device */
#define TOKEN_LEN 32
#define HEARD_MAX 512 /* commands that a device remembers for the statistics */

enum simdev_state {
    SIMDEV_NEW,       /* never enrolled, or wiped */
    SIMDEV_ENROLLING, /* a first enrolment is under way */
    SIMDEV_ENROLLED,
    SIMDEV_GONE,   /* MDM profile removed: checked out, or told to leave */
    SIMDEV_ERASED, /* by EraseDevice */
    SIMDEV_FAILED, /* enrolment refused; last_error says why */
};
const char *simdev_state_name(enum simdev_state s);

struct identity {        /* malloc'ed */
    uint8_t *cert, *key; /* DER */
    size_t ncert, nkey;
};
void identity_free(struct identity *i);

enum aftermath { AFTER_NOTHING, AFTER_ERASED, AFTER_LEFT };

struct channel {      /* the device's own, or a user's */
    char user_id[40]; /* "" on the device channel */
    char short_name[64], long_name[80];
    char auth_token[160]; /* of a network user who logged in; "" */
    char digest[768];     /* DigestResponse of the next UserAuthenticate; "" */
    bool deleted;         /* the account, by DeleteUser */
    unsigned token_count; /* how often the token changed; token and magic follow from it */
    bool enrolled;        /* its TokenUpdate was accepted */
    bool awake;           /* a poll is among the jobs */
    char *report;         /* a result that has not been delivered yet, serialised */
    size_t nreport;
    char report_uuid[160], report_status[24];
    bool sent_idle;       /* what is under way is Idle, not the report */
    bool twice, refused;  /* send the report once more; NotNow was said in this exchange */
    enum aftermath after; /* what happens once the report is delivered */
    enum httpc_break breaking;
    int64_t late_us; /* the report waits so long */
    unsigned polls;
    struct simdev *device;   /* whose it is, for the timer */
    struct loop_timer again; /* polls by itself: after NotNow, late answers, --poll */
};

struct installed { /* a profile: the dictionary of mobileconfig_summary(), as a binary list */
    char *identifier;
    unsigned channel; /* the device's, or the user's that it is for */
    uint8_t *summary;
    size_t n;
    struct installed *next;
};

struct plist_octets { /* a value of a property list, as a binary list; p NULL: none */
    uint8_t *p;
    size_t n;
};

struct app {
    char *identifier;
    bool managed;
    bool there;                             /* installed; else on its way */
    char state[24];                         /* what ManagedApplicationList says; "": Managed */
    char *version, *short_version, *name;   /* NULL: made up */
    char *manifest_url;                     /* of what is on its way; NULL: nothing */
    int64_t size;                           /* of its package; 0: made up */
    bool waits;                             /* for a redemption code */
    bool updates;                           /* the store has a newer one */
    bool told_feedback;                     /* and the server had it deleted */
    char unused[65];                        /* a code it did not use, told once; "": none */
    int64_t flags;                          /* ManagementFlags */
    struct plist_octets config, attributes; /* what Settings gave it */
    struct app *next;
};

struct book {
    int64_t store_id; /* 0: by its PersistentID */
    char *persistent, *title, *version;
    struct book *next;
};

struct heard { /* a command that came, and what was made of it */
    char *uuid, *type;
    unsigned user; /* channel */
    unsigned received, acknowledged, error, format_error, not_now;
};

enum job_kind {
    JOB_ENROL,   /* whole enrolment from the profile */
    JOB_REPLACE, /* the same over an existing one: new identity, Authenticate again */
    JOB_MESSAGE, /* a check-in message of a channel */
    JOB_POLL,    /* an exchange */
    JOB_RAW,     /* octets given by the control socket */
};
enum message_kind {
    MSG_AUTHENTICATE,
    MSG_TOKEN_UPDATE,
    MSG_CHECK_OUT,
    MSG_SET_BOOTSTRAP,
    MSG_GET_BOOTSTRAP,
    MSG_USER_AUTHENTICATE,
};

struct job {
    enum job_kind kind;
    enum message_kind message;
    unsigned channel;
    unsigned tries;
    bool leave;               /* the device is gone when this is done */
    char *url, *content_type; /* JOB_RAW */
    uint8_t *raw;
    size_t nraw;
    struct job *next;
};

struct enrolment; /* libenrol.c */
struct install;   /* libinhouse.c */
struct exchange;  /* libexchange.c */

/* Account-driven enrolment by OAuth 2: where tokens come from, and those in force. */
struct oauth {
    char *token_url, *client, *redirect; /* NULL: the device has none of this */
    char state[UUID_LEN + 1];            /* of the authorization that is under way */
    char *access, *refresh;
};

struct simdev {
    struct fleet *fleet;
    unsigned index;
    unsigned life; /* counts enrolments from scratch: another UnlockToken, other tokens */
    struct hardware hw;
    enum simdev_state state;
    bool user_enrollment;
    struct identity id;
    struct mdm_setup *mdm; /* NULL: not enrolled */
    struct oauth oauth;
    struct channel channel[1 + SIMDEV_USERS_MAX];
    unsigned nchannels;

    struct installed *profiles;
    struct installed *provisioning; /* by UUID, which is the identifier here */
    struct app *apps;
    struct book *books;
    struct plist_octets settings;            /* by Item, as they came */
    char *firmware_password, *recovery_lock; /* of a Mac; NULL: none */
    bool remote_desktop, updating;
    bool passcode, locked, lost_mode, awaiting;
    unsigned passcode_cleared, restarts;
    char *device_name; /* set by Settings; NULL: the hardware's */

    struct job *jobs; /* the first is under way or waits for its back-off */
    bool running, queued;
    struct simdev *next_ready;
    struct loop_timer backoff;
    struct httpc_conn *conn;
    struct enrolment *enrolment;

    char doing_uuid[160]; /* a command that takes its time */
    struct {              /* a command whose answer waits for a manifest; report NULL: none */
        pl report;
        char uuid[160];
        struct behaviour behaviour;
    } unanswered;
    struct install *installs;
    bool cut_download; /* of the command that is being answered: a rule wants it */
    struct heard *heard;
    unsigned nheard;
    unsigned pushes, stale_pushes, exchanges;
    bool signed_out; /* the person is to sign in again: refreshing does not help */
    int last_status; /* HTTP */
    char last_error[300];
    char *last_body; /* of the last check-in answer, for the control socket */
    size_t nlast_body;
};

struct fleet_options {
    const char *user_password;                   /* NULL: users answer no Digest challenge */
    const char *user_name;                       /* who logs in before the enrolment, or NULL */
    const char *account;                         /* NAME@DOMAIN of account-driven enrolment */
    bool ade;                                    /* enroll_url is a configuration URL */
    bool web;                                    /* and is opened in a web view */
    const char *enroll_url, *state_dir, *server; /* server: replaces the profile's hosts, or NULL */
    enum hw_kind kind;
    unsigned users, concurrency;
    uint64_t seed;
    unsigned binary_percent; /* messages sent as binary property lists */
    bool sign, proxy_header, user_enrollment, user_authenticate, shared_ipad, scep_get, verbose;
    bool unsupervised;
    bool sign_sha1;
    int64_t poll_us, backoff_us, backoff_max_us, notnow_us, timeout_us;
    unsigned tries; /* of an enrolment and of a check-in message */
};

struct fleet_stats {
    uint64_t requests, failures, polls, commands, bytes_in, bytes_out;
    uint64_t acknowledged, error, format_error, not_now, idle;
    uint64_t manifests, packages, packages_continued, packages_refused; /* of in-house apps */
    uint64_t status[600];                                               /* HTTP */
};

struct apnsc;
struct attest_ca;
struct control;
struct fleet {
    struct loop *loop;
    struct httpc *http;
    struct keys *keys;
    struct script *script;
    struct attest_ca *apple; /* issues the built-in identities, or NULL */
    struct apnsc *apns;      /* or NULL */
    struct control *control; /* or NULL */
    FILE *trace;             /* or NULL */
    struct fleet_options opt;
    struct simdev **dev;
    unsigned n, cap;
    struct simdev *ready, **ready_tail;
    unsigned active;
    struct install *waiting; /* for their turn to load a package */
    unsigned loading;
    struct fleet_stats stats;
};

/* ---------------------------------------------------------------- libsimdev.c */

/* k more devices, not enrolled, numbered on; false: out of memory. */
bool fleet_grow(struct fleet *f, unsigned k);
void fleet_free(struct fleet *f);

/* Appends a job (malloc'ed by job_new, owned by the device from then on) and lets it run when
 * its turn comes. */
struct job *job_new(enum job_kind kind, unsigned channel);
void simdev_do(struct simdev *d, struct job *j);
/* A poll of a channel, unless one is waiting already. */
void simdev_poll(struct simdev *d, unsigned channel);
void simdev_message(struct simdev *d, enum message_kind m, unsigned channel);

/* How a job ends: its part calls exactly one of these. */
void job_done(struct simdev *d);
/* Again after a back-off (retry_after seconds, or -1), or given up after `tries` (0: never). */
void job_again(struct simdev *d, int retry_after, unsigned tries);

/* The device loses its MDM profile and all that came with it. */
void simdev_leave(struct simdev *d, enum simdev_state state);
/* A wiped device: another life. Jobs are dropped. */
void simdev_wipe(struct simdev *d);
void simdev_error(struct simdev *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool simdev_idle(const struct simdev *d);

/* What the device puts into TokenUpdate for a channel: its push token and PushMagic. */
void channel_token(const struct simdev *d, unsigned channel, uint8_t token[TOKEN_LEN]);
void channel_magic(const struct simdev *d, unsigned channel, char magic[37]);
/* The channel's poll timer, set to delay_us. */
void channel_later(struct simdev *d, unsigned channel, int64_t delay_us);
#define UNLOCK_TOKEN_LEN 1196
void simdev_unlock_token(const struct simdev *d, uint8_t out[UNLOCK_TOKEN_LEN]);
bool simdev_has_unlock_token(const struct simdev *d, const struct mdm_setup *m);
#define BOOTSTRAP_TOKEN_LEN 64
void simdev_bootstrap_token(const struct simdev *d, uint8_t out[BOOTSTRAP_TOKEN_LEN]);
/* Users of the device per the options: Macs, and iPads when they are shared. */
void simdev_users(struct simdev *d);

/* ---------------------------------------------------------------- libcheckin.c */

/* UDID or EnrollmentID and, on a user channel, the user's keys, as every message carries them. */
void message_ids(const struct simdev *d, unsigned channel, pl dict);
pl message_build(const struct simdev *d, const struct mdm_setup *m, enum message_kind kind,
                 unsigned channel);
/* As XML, or as a binary list for the share of the options. */
bool message_serialise(struct fleet *f, pl dict, struct buf *out);
/* Sends octets to url with the identity, in the way the options and the profile say. */
void message_send(struct simdev *d, const struct identity *id, bool sign, const char *url,
                  const char *content_type, struct bytes body, enum httpc_break breaking,
                  httpc_fn *fn);
void checkin_run(struct simdev *d);
void raw_run(struct simdev *d);
/* --- OAuth 2 of account-driven enrolment (liboauth.c) --- */

void oauth_free(struct oauth *o);
/* Adds the address of the page where the person logs in. False: the challenge is not of OAuth 2. */
bool oauth_begin(struct simdev *d, const char *challenge, struct buf *url);
/* The code in the address that the page leads to. False: it is none, or of another state. */
bool oauth_code(struct simdev *d, const char *location, char *code, size_t size);
/* The form for the token endpoint: with the code, or (NULL) the refresh token. */
void oauth_form(const struct simdev *d, const char *code, struct buf *form);
/* Keeps the tokens of an answer. False: it has none. */
bool oauth_take(struct simdev *d, const struct httpc_result *r);
/* Asks for a new access token. False: there is no refresh token. */
bool oauth_refresh(struct simdev *d, httpc_fn *fn);

/* True when the answer tells the device to leave: 401 without a place to sign in, or 403 with
 * com.apple.unrecognized.device. */
bool answer_ends_enrolment(const struct httpc_result *r);
/* Writes the trace line and counts; every answer passes through it. */
void message_seen(struct simdev *d, const char *url, const struct httpc_result *r);
#define TYPE_CHECKIN "application/x-apple-aspen-mdm-checkin"
#define TYPE_CONNECT "application/x-apple-aspen-mdm; charset=UTF-8"

/* ---------------------------------------------------------------- libenrol.c */
void enrol_run(struct simdev *d);
void enrol_abandon(struct simdev *d);

/* ---------------------------------------------------------------- libexchange.c */
enum answer { ANS_ACKNOWLEDGED, ANS_ERROR, ANS_FORMAT_ERROR, ANS_LATER };
void exchange_run(struct simdev *d);
/* Forgets a report that waits. */
void exchange_forget(struct channel *c);
struct heard *heard_of(struct simdev *d, const char *uuid, const char *type, unsigned channel);

/* What an answer of ANS_LATER has become; its report is whole. */
void exchange_answered(struct simdev *d, enum answer a);
/* Forgets the command that was not answered yet. */
void exchange_unanswered(struct simdev *d);

/* ---------------------------------------------------------------- libanswer.c */
/* Performs a command and adds its result's keys to report. ANS_LATER: that is not done yet, the
 * report stays in use, and exchange_answered() will be called. */
enum answer answer_command(struct simdev *d, unsigned channel, const char *type, pl command,
                           pl report, enum aftermath *after);
void answer_error(pl report, const char *domain, int64_t code, const char *text);
/* A user's channel has profiles of its own. */
void profile_install(struct simdev *d, unsigned channel, const struct mobileconfig *m,
                     bool managed);

/* libquery.c: the questions; called through the table of libanswer.c. */
enum answer query_device_information(struct simdev *d, unsigned channel, pl command, pl report);
enum answer query_security_info(struct simdev *d, unsigned channel, pl command, pl report);
enum answer query_profile_list(struct simdev *d, unsigned channel, pl command, pl report);
enum answer query_certificate_list(struct simdev *d, unsigned channel, pl command, pl report);
enum answer query_installed_apps(struct simdev *d, unsigned channel, pl command, pl report);
enum answer query_restrictions(struct simdev *d, unsigned channel, pl command, pl report);
enum answer query_users(struct simdev *d, unsigned channel, pl command, pl report);

/* libapps.c: called through that table too. */
enum answer app_install(struct simdev *d, unsigned channel, pl command, pl report);
enum answer app_install_enterprise(struct simdev *d, unsigned channel, pl command, pl report);
enum answer app_redeem(struct simdev *d, unsigned channel, pl command, pl report);
enum answer app_remove(struct simdev *d, unsigned channel, pl command, pl report);
enum answer app_list_managed(struct simdev *d, unsigned channel, pl command, pl report);
enum answer app_configuration(struct simdev *d, unsigned channel, pl command, pl report);
enum answer app_attributes(struct simdev *d, unsigned channel, pl command, pl report);
enum answer app_feedback(struct simdev *d, unsigned channel, pl command, pl report);
enum answer provisioning_install(struct simdev *d, unsigned channel, pl command, pl report);
enum answer provisioning_remove(struct simdev *d, unsigned channel, pl command, pl report);
enum answer provisioning_list(struct simdev *d, unsigned channel, pl command, pl report);
/* A setting of a managed app: its configuration or attributes. False: it is not managed. */
bool app_set(struct simdev *d, pl setting);
/* Where the app of that identifier is, or is to be. */
struct app **app_place(struct simdev *d, const char *identifier);
void app_free(struct app **a);
/* InstallApplication of an app whose identifier is known by now; manifest_url NULL: of the store.
 */
enum answer app_accept(struct simdev *d, const char *identifier, pl command, pl report,
                       const char *manifest_url);
/* InstallApplication is refused, with that code of MCMDMErrorDomain. */
enum answer app_reject(const struct simdev *d, pl report, int64_t code, const char *text);
/* What was on its way has come, or will not. */
void app_is_there(struct app *a, const char *version, const char *short_version, const char *name,
                  int64_t size);
void app_failed(struct simdev *d, const char *identifier);
/* One of those that come with the device, or that its user installed; NULL: i is too large. */
struct own_app {
    const char *identifier, *name;
};
const struct own_app *app_own(size_t i);

/* ---------------------------------------------------------------- libinhouse.c */
/* A command with a ManifestURL, or with the manifest: ANS_LATER. cut: the download breaks off once.
 */
enum answer install_begin(struct simdev *d, pl command, pl report, bool cut);
/* Goes on with what was on its way when the simulator ended. */
void install_resume(struct simdev *d);
/* The app's package is on its way. */
bool install_under_way(const struct simdev *d, const char *identifier);
/* Ends that of an app, or (NULL) all. */
void install_abandon(struct simdev *d, const char *identifier);

/* libmac.c: called through that table too. */
enum answer firmware_password_set(struct simdev *d, unsigned channel, pl command, pl report);
enum answer firmware_password_verify(struct simdev *d, unsigned channel, pl command, pl report);
enum answer recovery_lock_set(struct simdev *d, unsigned channel, pl command, pl report);
enum answer recovery_lock_verify(struct simdev *d, unsigned channel, pl command, pl report);
enum answer remote_desktop_on(struct simdev *d, unsigned channel, pl command, pl report);
enum answer remote_desktop_off(struct simdev *d, unsigned channel, pl command, pl report);
enum answer user_delete(struct simdev *d, unsigned channel, pl command, pl report);
enum answer user_unlock(struct simdev *d, unsigned channel, pl command, pl report);
enum answer media_install(struct simdev *d, unsigned channel, pl command, pl report);
enum answer media_list(struct simdev *d, unsigned channel, pl command, pl report);
enum answer media_remove(struct simdev *d, unsigned channel, pl command, pl report);
enum answer update_schedule(struct simdev *d, unsigned channel, pl command, pl report);
enum answer update_status(struct simdev *d, unsigned channel, pl command, pl report);
void book_free(struct book **b);

/* libsettings.c: the same. */
enum answer settings_apply(struct simdev *d, unsigned channel, pl command, pl report);
/* A key of a setting that was set; NULL: it was not. The caller frees it. */
pl setting_kept(const struct simdev *d, const char *item, const char *key);
/* What a query of DeviceInformation tells of what was set; NULL: nothing was. */
pl setting_fact(const struct simdev *d, const char *query);

/* ---------------------------------------------------------------- libplausible.c */
/* Whether a row of the catalogue is of this device's kind and system. */
bool simdev_has(const struct simdev *d, cat row);
/* Why the device does not take a command or a setting (row NULL: an unknown one): 0 or a code, and
 * its domain. */
int64_t command_objection(const struct simdev *d, cat row, unsigned channel, const char **domain);
/* Whether a dictionary has the keys and types that its row says. */
bool command_made(const struct simdev *d, cat row, pl dict);
/* Made-up values for every key of an answer, or for one row. */
void answer_plausibly(const struct simdev *d, cat row, pl report);
pl answer_made_up(const struct simdev *d, cat row);
enum platform simdev_platform(const struct simdev *d);

/* ---------------------------------------------------------------- libkeep.c */
/* Writes the device's file, when there is a state folder. */
void keep_save(const struct simdev *d);
/* Reads what the folder holds into the devices; further devices keep SIMDEV_NEW. */
enum outcome keep_load(struct fleet *f, struct err *err) MUST_USE;

/* ---------------------------------------------------------------- libapnsc.c */
enum outcome apnsc_new(struct fleet *f, const char *socket, struct apnsc **out,
                       struct err *err) MUST_USE;
void apnsc_free(struct apnsc **a);
/* Subscribes a channel's present token; call it after each accepted TokenUpdate. */
void apnsc_subscribe(struct apnsc *a, struct simdev *d, unsigned channel);

/* ---------------------------------------------------------------- libreport.c */
/* Everything about a device, its secrets too, or about all of them; the caller's to free. */
js report_device(const struct simdev *d);
js report_fleet(const struct fleet *f);

/* ---------------------------------------------------------------- libcontrol.c */
enum outcome control_new(struct fleet *f, const char *socket, struct control **out,
                         struct err *err) MUST_USE;
void control_free(struct control **c);
/* The device has nothing left to do. */
void control_idle(struct control *c, struct simdev *d);

#endif
