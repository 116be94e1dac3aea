/* challenge.c: who may have an identity: one-time challenges, and the static one of a file. */
#include "base/secretfile.h"
#include "scep/scep.h"

/* Compares with the first line of the file. DENIED leaves err as it is: why the one-time challenge
 * was refused. */
static enum outcome static_check(const char *path, const char *challenge, struct err *err)
{
    char line[SCEP_STATIC_MAX + 1];
    enum outcome o = secretfile_read(path, SCEP_STATIC_MIN, SCEP_STATIC_MAX, line, err);
    if (o != OK)
        return err_prefix(err, "[scep] challenge_file");
    if (!secret_equal(bytes_str(line), bytes_str(challenge)))
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
