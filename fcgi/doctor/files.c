/* files.c: who may read and write what is on the disk, and whether there is room. */
#include "doctor/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/limits.h"
#include "enrollment/apple.h"

#define FREE_MIN (512ull * LIM_MB)
#define FREE_PERCENT 5
#define PEM_CERTS_MAX 1024 /* a system's whole store has some 150 */

/* Nobody but owner and group may do what `bits` say. */
static void check_secret(struct doctor *d, const char *path, mode_t bits, const char *fix)
{
    struct stat st;
    if (!path[0])
        return;
    if (stat(path, &st) != 0)
        doctor_note(d, FINDING_FAIL, "files",
                    "mend the path in the configuration, or make the file", "%s: %s", path,
                    strerror(errno));
    else if (st.st_mode & bits)
        doctor_note(d, FINDING_FAIL, "files", fix,
                    "%s may be read or written by others (mode %03o)", path,
                    (unsigned)(st.st_mode & 0777));
    else
        doctor_note(d, FINDING_OK, "files", NULL, "%s is kept from others", path);
}

/* The certificates in a file that a key of the configuration names; "" names none. */
static void check_pem(struct doctor *d, const char *key, const char *path)
{
    struct bytes pem, der[PEM_CERTS_MAX];
    struct err err = {.outcome = OK};
    size_t n;
    if (!path[0])
        return;
    enum outcome o = file_read(path, 4 * LIM_MB, d->arena, &pem, &err);
    if (o == OK && (o = cert_from_pem(d->arena, pem, der, PEM_CERTS_MAX, &n, &err)) != OK)
        err_prefix(&err, "%s", path);
    if (o == OK)
        doctor_note(d, FINDING_OK, "files", NULL, "%s: %s can be read", key, path);
    else
        doctor_note(d, FINDING_FAIL, "files",
                    "put the certificates there (PEM), mend the path, or take the key out of the "
                    "configuration",
                    "%s: %s", key, err.msg);
}

static void check_public(struct doctor *d, const char *path, const char *fix)
{
    struct stat st;
    if (stat(path, &st) != 0)
        doctor_note(d, FINDING_FAIL, "files", fix, "%s: %s", path, strerror(errno));
    else if (!(st.st_mode & S_IROTH) || (st.st_mode & S_IWOTH))
        doctor_note(d, FINDING_FAIL, "files", "chmod 644 on it",
                    "%s must be readable, and not writable, by everybody (mode %03o)", path,
                    (unsigned)(st.st_mode & 0777));
    else
        doctor_note(d, FINDING_OK, "files", NULL, "%s can be read", path);
}

static void check_room(struct doctor *d, const char *path)
{
    struct statvfs fs;
    if (statvfs(path, &fs) != 0) {
        doctor_note(d, FINDING_FAIL, "disk", "make the folder, or mend its path in [server]",
                    "%s: %s", path, strerror(errno));
        return;
    }
    unsigned long long left = (unsigned long long)fs.f_bavail * fs.f_frsize;
    unsigned percent = fs.f_blocks ? (unsigned)(100 * fs.f_bavail / fs.f_blocks) : 100;
    bool bad = left < FREE_MIN || percent < FREE_PERCENT;
    doctor_note(d, bad ? FINDING_FAIL : FINDING_OK, "disk",
                "make room: a full disk stops the logs and the database",
                "%s has %llu MB free (%u %%)", path, left / LIM_MB, percent);
}

/* Are the CAs that devices' built-in identities are checked with Apple's own? */
static void check_apple(struct doctor *d)
{
    struct bytes der[APPLE_ROOTS_MAX];
    struct cert_info info;
    struct err err = {.outcome = OK};
    size_t n = 0;
    if (!d->conf->apple_roots[0])
        return; /* devices enrol without signed attributes */
    enum outcome o = apple_roots_read(d->conf, d->arena, der, &n, &err);
    if (o != OK)
        doctor_note(d, FINDING_FAIL, "apple",
                    "put Apple's CA certificates there; INSTALL names them", "%s", err.msg);
    for (size_t i = 0; i < n; i++) {
        if (cert_info_read(d->arena, der[i], &info, &err) != OK) {
            doctor_note(d, FINDING_FAIL, "apple", "take it out of the file", "%s", err.msg);
            continue;
        }
        const struct apple_ca *known = apple_ca_find(info.sha256);
        if (known)
            doctor_note(d, FINDING_OK, "apple", NULL, "[apple] roots holds %s", known->name);
        else
            doctor_note(d, FINDING_WARN, "apple",
                        "compare its fingerprint with https://www.apple.com/certificateauthority/",
                        "[apple] roots holds \"%s\", which is none of the CAs that INSTALL names",
                        info.subject);
    }
}

static char *folder_of(struct doctor *d, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash > path ? arena_strndup(d->arena, path, (size_t)(slash - path)) : NULL;
}

void doctor_files(struct doctor *d)
{
    const struct conf *conf = d->conf;
    const char *const passwords[] = {conf->db_mdm_password_file, conf->db_console_password_file,
                                     conf->db_agent_password_file, conf->db_owner_password_file};
    static const char *const keys[] = {"ca.key", "ra.key", "profile.key", "seal.key"};
    check_secret(d, conf->path, S_IWOTH, "chmod o-w on it");
    for (size_t i = 0; i < sizeof passwords / sizeof *passwords; i++)
        check_secret(d, passwords[i], S_IRWXO, "chmod o-rwx on it, and change the password");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char *path = arena_fmt(d->arena, "%s/%s", conf->signer_dir, keys[i]);
        if (path)
            check_secret(d, path, S_IRWXG | S_IRWXO,
                         "chmod 600 on it; if others may have read it, make new keys");
    }
    char *seal = arena_fmt(d->arena, "%s/seal.pub", conf->signer_dir);
    if (seal)
        check_public(d, seal, "run droverctl ca init");
    check_public(d, conf->ca_bundle, "run droverctl ca bundle");
    const struct {
        const char *key, *path;
    } named[] = {
        {"[server] tls_ca", conf->tls_ca},
        {"[database] tls_ca", conf->db_tls_ca},
        {"[apns] ca", conf->apns_ca},
        {"[enroll] profile_chain", conf->profile_chain},
        {"[enroll] certificates", conf->enroll_certificates},
        {"[webhook] ca", conf->webhook_ca},
        {"[api] escrow_ca", conf->escrow_ca},
    };
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        check_pem(d, named[i].key, named[i].path);
    check_secret(d, conf->scep_challenge_file, S_IRWXO,
                 "chmod o-rwx on it, and write another challenge into it");
    check_apple(d);
    check_room(d, conf->state_dir);
    char *logs = conf->log[0] == '/' ? folder_of(d, conf->log) : NULL;
    if (logs && strcmp(logs, conf->state_dir) != 0)
        check_room(d, logs);
}
