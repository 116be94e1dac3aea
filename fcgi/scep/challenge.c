/* challenge.c: who may have an identity: one-time challenges, and the static one of a file. */
#include <fcntl.h>
#include <unistd.h>
#include "scep/scep.h"

#define STATIC_MIN 12
#define STATIC_MAX 256

/* Compares with the first line of the file, read each time: changing it needs no reload. DENIED
 * leaves err as it is: why the one-time challenge was refused. */
static enum outcome static_check(const char *path, const char *challenge, struct err *err)
{
    char line[STATIC_MAX + 2];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    enum outcome o = OK;
    if (n < 0)
        o = err_set(err, ERROR, "[scep] challenge_file %s: %m", path);
    if (fd >= 0)
        close(fd);
    if (o != OK)
        return o;
    line[n] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    size_t len = strlen(line);
    if (len < STATIC_MIN || len > STATIC_MAX)
        o = err_set(err, ERROR, "[scep] challenge_file %s: the challenge has %d to %d characters",
                    path, STATIC_MIN, STATIC_MAX);
    else if (!secret_equal(bytes_str(line), bytes_str(challenge)))
        o = DENIED;
    secret_wipe(line, sizeof line);
    return o;
}

enum outcome challenge_check(const struct conf *conf, struct db *db, const char *challenge,
                             const char *transaction_id, struct arena *a, bool *one_time,
                             struct err *err)
{
    *one_time = false;
    if (!challenge[0])
        return err_set(err, DENIED, "the request carries no challengePassword");
    enum outcome o = scep_challenge_check(db, challenge, transaction_id, a, err);
    *one_time = o == OK;
    if (o == DENIED && conf->scep_challenge_file[0])
        o = static_check(conf->scep_challenge_file, challenge, err);
    return o;
}
