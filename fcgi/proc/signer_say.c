/* signer_say.c: refusals that several operations of the signer have in common. */
#include "proc/signer_int.h"

enum outcome signer_bad_fields(struct err *err)
{
    return err_set(err, INVALID, "the request has other fields than this operation takes");
}

enum outcome signer_no_keys(struct err *err)
{
    return err_set(err, NOT_FOUND,
                   "the signer has no keys yet: droverctl ca init, or the console's page Set-up, "
                   "makes the device CA");
}
