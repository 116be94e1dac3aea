/* challenge.c: who may have an identity: one-time challenges, and the static one of a file. */
#include "base/secretfile.h"
#include "scep/scep_int.h"

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

enum outcome scep_challenge_judge(struct operation *op, bool *none, struct err *err)
{
    const char *challenge = op->csr.challenge;
    *none = !challenge[0];
    if (*none)
        return err_set(err, DENIED, "the request carries no challengePassword");
    enum outcome o = scep_challenge_check(op->db, challenge, op->msg.transaction_id, op->req->arena,
                                          &op->bound, err);
    if (o == OK) {
        op->challenge = challenge;
        op->why = "challenge";
    }
    if (o != DENIED || !op->conf->scep_challenge_file[0])
        return o;
    o = static_check(op->conf->scep_challenge_file, challenge, err);
    op->why = o == OK ? "static-challenge" : op->why;
    return o;
}
