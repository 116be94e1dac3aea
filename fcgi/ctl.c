/* ctl.c: droverctl, the operator's command: its table of verbs. */
#include "ctl/ctl.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"

struct verb {
    const char *name;
    const char *usage; /* one line for each form */
    const char *help;
    ctl_fn *run; /* NULL: help itself */
};

static const struct verb verbs[] = {
    {"help", "[VERB]", "show the verbs, or how one is called", NULL},
    {"migrate", "[--dry-run] [--no-grants] [--sql DIR]",
     "bring the database's schema, and the accounts' rights, to this version", ctl_migrate},
    {"grants", "[--sql DIR]", "give the accounts their rights", ctl_grants},
    {"ca",
     "init\nshow [--json]\ntrust FILE\nuntrust SHA256\nbundle\n"
     "status [--json]\nnext\nswitch\nretire GENERATION [--force]\ncrl [FILE]",
     "the device CA: init makes the signer's keys, trust accepts devices of another CA, next makes "
     "its successor, to which switch changes; retire ends one that was; crl takes the revocation "
     "list of a trusted CA, or makes those of Drover's own anew; what changes who is believed "
     "rewrites the bundle that the web server reads",
     ctl_ca},
    {"pushcert",
     "add FILE [KEY-FILE] [--force]\nrenew FILE [KEY-FILE] [--force]\nlist [--json]\n"
     "csr [--name TEXT] [--topic TOPIC | --vendor]\ncsr --key FILE [--name TEXT]\n"
     "requests [--json]\nsign NUMBER|FILE [--sha1]\nvendor [FILE [KEY-FILE]] [--json]",
     "push certificates: csr has the signer make a key and a request, sign signs a request as the "
     "MDM vendor, add and renew take what Apple gives (PEM); renew refuses another topic than the "
     "devices have",
     ctl_pushcert},
    {"admin",
     "add NAME [--role ROLE] [--password-file FILE]\n"
     "set NAME [--role ROLE] [--password-file FILE]\nrole NAME ROLE\nreset NAME\ndisable NAME\n"
     "enable NAME\nlist [--json]",
     "administrators of the console; set adds one or gives another password", ctl_admin},
    {"sessions", "list [ADMIN] [--json]\nend ADMIN [SESSION]",
     "who is signed in to the console; end those of an administrator, or one", ctl_sessions},
    {"throttles", "list [--json]\nclear SUBJECT",
     "wrong passwords, of administrators and users, that slow those down that follow; forget them",
     ctl_throttles},
    {"audit",
     "verify [--link NUMBER:DIGEST]\nlist [--actor NAME] [--action BEGINNING] [--subject TEXT] "
     "[--from DAY] [--until DAY] [--limit N] [--before ID] [--json]",
     "verify goes through the chain of the audit log (--link: one that was noted earlier); list "
     "searches it",
     ctl_audit},
    {"users",
     "add NAME [--full-name TEXT] [--password-file FILE]\npassword NAME [--password-file FILE]\n"
     "managed NAME ACCOUNT\nfull-name NAME TEXT\ndisable NAME\nenable NAME\nremove NAME\n"
     "list [--search TEXT] [--json]",
     "people who enrol devices and log in on managed Macs; managed tells a person's Managed Apple "
     "Account, where it is not the name",
     ctl_users},
    {"assigned",
     "add SERIAL... [--note TEXT]\nadd --file FILE [--note TEXT]\nremove SERIAL\nlist [--json]",
     "devices that are assigned to this server: with assigned_only in its enrolment profile nobody "
     "else comes by the configuration URL",
     ctl_assigned},
    {"apikey",
     "add NAME [--scopes WORDS] [--expires TIME]\n"
     "set NAME --key-file FILE [--scopes WORDS] [--expires TIME]\nrevoke NAME\nlist [--json]",
     "keys of the HTTP API; add makes a key and prints it, set stores one of yours", ctl_apikey},
    {"invite",
     "[--profile NAME] [--uses N] [--expires TIME] [--note TEXT] [--over-the-air]\n"
     "list [--json]\nrevoke NUMBER",
     "make a link to an enrolment profile (default, once, 7d); over the air the device proves "
     "first "
     "that it is one of Apple's",
     ctl_invite},
    {"enroll-profile",
     "list [--json]\nshow NAME [--version N]\nnew NAME [--from NAME] [--note TEXT] "
     "[FIELD=VALUE...]\n"
     "set NAME [--if-version N] [--note TEXT] FIELD=VALUE...\nhistory NAME [--json]\n"
     "revert NAME VERSION [--note TEXT]\nremove NAME\nfields",
     "what devices enrol with: objects with versions; a value of @FILE is read from there, and "
     "secrets take no other",
     ctl_enrollprofile},
    {"enqueue",
     "ID... --request-type NAME [--keys JSON|@FILE] [--reason TEXT] [--force] [OPTION...]\n"
     "ID... --file FILE [OPTION...]\n"
     "... [--priority N] [--not-before TIME] [--expires TIME] [--no-push] [--json]\n"
     "... [--dedupe-key KEY [--supersede]] [--idempotency-key KEY] [--ids-file FILE]",
     "queue a command for enrollments and push them; by its name it is checked against the "
     "catalogue and what is known of the devices; called again with the same idempotency key it "
     "queues nothing more",
     ctl_enqueue},
    {"approvals",
     "list [--all] [--json]\nshow NUMBER [--json]\ntargets NUMBER [--json]\n"
     "approve NUMBER --why TEXT [--json]\n"
     "refuse NUMBER --why TEXT [--json]",
     "sensitive commands that wait for a second person, where [command] approval asks for one; "
     "nobody "
     "approves what was asked for under the same name",
     ctl_approvals},
    {"push", "ID... [--json]", "wake enrollments", ctl_push},
    {"devices",
     "[ID...] [--search TEXT] [--serial TEXT] [--user SHORT-NAME] [--state STATE] [--devices-only] "
     "[--inactive] [--push-dead] [--json]",
     "list enrollments: devices and the users on them", ctl_devices},
    {"inventory", "ID [PART] [--limit N] [--cursor TEXT]",
     "what a device told, as JSON: facts, profiles, provisioning-profiles, certificates, apps, "
     "managed-apps, app-data, restrictions, users, os-updates, os-update-status, settings, "
     "answers, "
     "events, queue, results, secrets",
     ctl_inventory},
    {"reports", "[--retry] [--json]",
     "reports of devices that could not be read; --retry reads them again", ctl_reports},
    {"certs",
     "[--within TIME] [--json]\n"
     "list [--state STATE] [--device ID] [--search TEXT] [--issued] [--json]\nshow SHA256",
     "device identities: those that expire within that time ([renewal] days) and their renewal; "
     "all that are known; one as PEM",
     ctl_certs},
    {"calendar", "[--within TIME] [--json]\nfeed NAME\nrevoke NAME\nfeeds [--json]",
     "everything with an end on which management hangs, the first to end first; feed makes an "
     "address at which a calendar program reads it",
     ctl_calendar},
    {"scep",
     "list [--state STATE] [--json]\napprove NUMBER --why TEXT\ndeny NUMBER --why TEXT\n"
     "challenge [--expires TIME] [--note TEXT] [--common-name NAME] [--san NAMES] [--approve]",
     "SCEP requests that wait for a person, and one-time challenges for other clients", ctl_scep},
    {"queue", "ID [--json]", "list the open commands of an enrollment", ctl_queue},
    {"results", "ID [--limit N] [--json]\nID UUID",
     "list the closed commands of an enrollment, newest first, or print one report", ctl_results},
    {"failed", "[--within TIME] [--request-type NAME] [--limit N] [--json]",
     "list the commands of all devices that ended with an error (within 7d), newest first",
     ctl_failed_list},
    {"retry",
     "ID UUID [--reason TEXT] [--no-push] [--dry-run] [--json]\n"
     "--failed [--within TIME] [--request-type NAME] [--reason TEXT] [--no-push] "
     "[--dry-run|--wait] [--json]",
     "sends commands that failed again, each as another command, checked anew: one, or all of the "
     "list of failed, as a job",
     ctl_retry},
    {"job", "list [--json]\nshow NUMBER [--wait] [--json]\nstop NUMBER [--json]",
     "what the agent does for many devices in the background, and how far it is", ctl_job},
    {"cancel", "ID UUID|--all [--why TEXT]", "cancel open commands", ctl_cancel},
    {"decide",
     "list [--json]\naccept ID|NUMBER --why TEXT\nend ID|NUMBER --why TEXT\n"
     "hold ID|NUMBER --why TEXT",
     "devices with a valid certificate that the database does not know", ctl_decide},
    {"end", "ID --why TEXT [--remove-profile [--within TIME]]",
     "end an enrollment: the device removes its MDM profile", ctl_end},
    {"revoke", "ID|SHA256 --why TEXT",
     "believe identities no longer: all of a device, or one by the first digits of its SHA-256",
     ctl_revoke},
    {"restored", "[--why TEXT]\n--settled [--why TEXT]",
     "after a backup was restored: let no rule end unknown devices until all is settled",
     ctl_restored},
    {"settings", "list [--json]\nset NAME VALUE\nreset NAME",
     "settings that take effect while the programs run, where drover.conf does not name them",
     ctl_settings},
    {"status", "[--json]", "the site in numbers", ctl_status},
    {"doctor", "[--tls-ca FILE] [--json]",
     "check the installation and say how to mend it; status 1 when a check fails", ctl_doctor},
    {"app",
     "list [--search TEXT] [--json]\nshow APP\n"
     "add IDENTIFIER [--manifest-url URL] [--version TEXT] [OPTION...]\n"
     "add - --file FILE [OPTION...]\nupdate APP [--file FILE] [--manifest-url URL] [--stage]\n"
     "set APP --keys JSON\nremove APP --why TEXT\ncodes APP [--file FILE] [--json]\n"
     "codes APP --release CODE --why TEXT\nfeedback APP [--json]\n"
     "... [--name TEXT] [--settings JSON|@FILE]",
     "apps of the library: of the App Store, by a manifest, or by a file of your own (.ipa, .pkg)",
     ctl_app},
    {"group",
     "list [--json]\nfacts [--json]\nadd NAME [--filter JSON|@FILE] [--note TEXT]\n"
     "set GROUP [--filter JSON|@FILE] [--note TEXT]\ndevices GROUP [--json]\nput GROUP ID...\n"
     "take GROUP ID...\nassign GROUP ITEM\nunassign GROUP ITEM --why TEXT\n"
     "offer GROUP ITEM\nwithdraw GROUP ITEM --why TEXT\nremove GROUP --why TEXT",
     "groups of devices, by a filter or by hand, and what of the library their devices are to have",
     ctl_group},
    {"wanted",
     "device ID [--json]\nitem ITEM [--state STATE] [--json]\ngive DEVICE ITEM\n"
     "take DEVICE ITEM --why TEXT",
     "how far a device and its users are with what they are to have, or all devices with an item "
     "of the library; give assigns an item to one device",
     ctl_wanted},
    {"blueprint",
     "show GROUP [--json]\nversions GROUP [--json]\n"
     "command GROUP NAME [--policy join|enrol|every] [--days N] [--keys JSON] [--why TEXT]\n"
     "drop GROUP ID --why TEXT\nrestore GROUP VERSION --why TEXT\n"
     "devices GROUP ID [--state STATE] [--json]",
     "all that is assigned to a group: its commands, its versions, how far its devices are",
     ctl_blueprint},
    {"rollout",
     "list [--json]\nstop ITEM --why TEXT\nresume ITEM --why TEXT\nretry ITEM "
     "[ID|--wait]",
     "how far profiles and apps are on the devices that are to have them (wanted item: on which); "
     "to "
     "stop one, go on with one that was halted, and try again where it failed",
     ctl_rollout},
    {"scope", "admin|apikey NAME [GROUP...] [--all]",
     "limits an account or a key to the devices of groups, or to nothing", ctl_scope},
    {"tag", "list\nadd TAG ID...\nremove TAG ID...", "tags of devices, for filters", ctl_tag},
    {"profile",
     "list [--search TEXT] [--json]\nshow ID\nadd FILE [--name TEXT] [--signing WORD]\n"
     "update ID FILE [--stage]\nset ID --keys JSON\nget ID [--version N]\n"
     "remove ID --why TEXT\ntypes",
     "configuration profiles and provisioning profiles of the library; types lists the payload "
     "types "
     "there are",
     ctl_profile},
    {"reveal", "ID KIND [--about TEXT] --reason TEXT",
     "open a secret that a device told or was given, as inventory ID secrets lists them; on record",
     ctl_reveal},
    {"webhook",
     "list [--json]\nadd NAME URL --topics LIST [--payload WORD] [--secret-file FILE]\n"
     "set NAME [--name TEXT] [--url URL] [--topics LIST] [--payload WORD]\n"
     "secret NAME [--secret-file FILE] [--overlap TIME]\ntest NAME\n"
     "pause NAME --why TEXT\nresume NAME\nremove NAME --why TEXT\n"
     "log NAME [--state WORD] [--topic TOPIC] [--enrollment ID] [--json]\n"
     "attempts NAME EVENT [--json]\nreplay NAME --event ID | --dead | --from TIME --to TIME",
     "addresses that are told what happens, what became of it, and sending it again", ctl_webhook},
    {"catalogue", "[REQUEST-TYPE [KEY]]",
     "print, as JSON, what devices can be told and what they answer", ctl_catalogue},
};
#define VERBS (sizeof verbs / sizeof *verbs)

static void usage_print(FILE *f, const struct verb *v)
{
    for (const char *s = v->usage; s;) {
        int n = (int)strcspn(s, "\n");
        fprintf(f, "%s droverctl [-c FILE] %s %.*s\n", s == v->usage ? "usage:" : "      ", v->name,
                n, s);
        s = s[n] ? s + n + 1 : NULL;
    }
}

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int help(const char *name)
{
    const struct verb *v = name ? verb_find(name) : NULL;
    if (name && !v)
        return ctl_wrong("there is no verb \"%s\"; see droverctl help", name);
    if (v) {
        usage_print(stdout, v);
        printf("%s\n", v->help);
        return CTL_OK;
    }
    printf("usage: droverctl [-c FILE] VERB [ARGUMENT...]\n\n");
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-10s %s\n", verbs[i].name, verbs[i].help);
    printf("\nThe configuration is FILE, else $DROVER_CONF, else %s.\n", conf_path(NULL));
    return CTL_OK;
}

static bool is_help(const char *word)
{
    return word && (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0);
}

/* Who logged in, as the kernel keeps it through su and sudo; (uid_t)-1: nobody knows. */
static uid_t login_uid(void)
{
    unsigned uid = (unsigned)-1;
    FILE *f = fopen("/proc/self/loginuid", "r");
    if (!f)
        return (uid_t)-1;
    if (fscanf(f, "%u", &uid) != 1)
        uid = (unsigned)-1;
    fclose(f);
    return (uid_t)uid;
}

/* "droverctl:" and the name of who is at the shell: who logged in, else whom sudo names, else whose
 * process it is. *anonymous: root, and nothing tells who that is. */
static const char *actor(struct arena *a, bool *anonymous)
{
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
    uid_t login = login_uid(), uid = login != (uid_t)-1 && login != 0 ? login : getuid();
    if (uid == 0 && sudo && *sudo) {
        *anonymous = strcmp(sudo, "root") == 0;
        return arena_fmt(a, "droverctl:%s", sudo);
    }
    const struct passwd *pw = getpwuid(uid);
    *anonymous = uid == 0;
    return pw ? arena_fmt(a, "droverctl:%s", pw->pw_name)
              : arena_fmt(a, "droverctl:uid %u", (unsigned)uid);
}

static int verb_run(const struct verb *v, const char *file, int argc, char **argv)
{
    struct ctl c = {.arena = arena_new(256 * LIM_MB)};
    struct conf *conf = NULL;
    struct err err;
    int status = CTL_FAILED;
    if (!c.arena || !(c.actor = actor(c.arena, &c.anonymous))) {
        fputs("droverctl: out of memory\n", stderr);
        goto out;
    }
    if (log_open("stderr", LOG_LEVEL_WARNING, "droverctl", &err) != OK ||
        (v->run != ctl_catalogue && /* which needs none */
         conf_load(conf_path(file), &conf, &err) != OK)) {
        ctl_failed(&err);
        goto out;
    }
    c.conf = conf;
    status = v->run(&c, argc, argv);
    if (status == CTL_USAGE)
        usage_print(stderr, v);
    if (fflush(stdout) != 0 && status == CTL_OK) {
        perror("droverctl: standard output");
        status = CTL_FAILED;
    }
out:
    db_free(&c.db);
    conf_free(&conf);
    if (c.arena)
        arena_wipe(c.arena);
    arena_free(&c.arena);
    return status;
}

int main(int argc, char **argv)
{
    const char *file = NULL;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (is_help(argv[i]))
            return help(NULL);
        if (strcmp(argv[i], "--version") == 0) {
            puts("droverctl " DROVER_VERSION);
            return CTL_OK;
        }
        if ((strcmp(argv[i], "-c") != 0 && strcmp(argv[i], "--config") != 0) || i + 1 == argc)
            return ctl_wrong("\"%s\" is no option, or lacks its value; see droverctl help",
                             argv[i]);
        file = argv[++i];
    }
    if (i == argc) {
        help(NULL);
        return CTL_USAGE;
    }
    const struct verb *v = verb_find(argv[i]);
    if (!v)
        return ctl_wrong("there is no verb \"%s\"; see droverctl help", argv[i]);
    /* droverctl VERB --help, and behind one of its own words; further on it may be a value */
    if (is_help(argv[i + 1]) || (argv[i + 1] && is_help(argv[i + 2])))
        return help(v->name);
    return v->run ? verb_run(v, file, argc - i, argv + i) : help(argv[i + 1]);
}
