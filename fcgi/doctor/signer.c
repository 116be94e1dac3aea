/* signer.c: the signer answers, and its certificates are good. */
#include "doctor/doctor.h"

#include "wire/sign.h"

void doctor_signer(struct doctor *d)
{
    static const struct {
        const char *name, *what, *fix;
    } certs[] = {
        {"ca", "the device CA",
         "make a new CA in another folder and trust both (droverctl ca trust) while devices renew"},
        {"ra", "the SCEP authority's certificate",
         "remove ra.key and ra.pem from [signer] dir, run droverctl ca init, restart the signer"},
        {"profile", "the profile signing certificate",
         "remove profile.key and profile.pem from [signer] dir, run droverctl ca init, restart the "
         "signer"}};
    const char *version;
    struct err err;
    if (sign_ping(d->arena, &version, &err) != OK) {
        doctor_note(d, FINDING_FAIL, "signer",
                    "start it: drover serve, or drover signer; droverctl must run as root or as "
                    "the account of [signer] user",
                    "%s", err.msg);
        return;
    }
    if (strcmp(version, DROVER_VERSION) != 0)
        doctor_note(d, FINDING_WARN, "signer", "restart all programs after an upgrade",
                    "the signer is of version %s, this program of %s", version, DROVER_VERSION);
    else
        doctor_note(d, FINDING_OK, "signer", NULL, "answers, version %s", version);
    for (size_t i = 0; i < sizeof certs / sizeof *certs; i++) {
        struct cert_info info;
        struct bytes der;
        enum outcome o = sign_certificate(d->arena, certs[i].name, &der, &err);
        if (o == NOT_FOUND) {
            doctor_note(d, FINDING_FAIL, "signer", "run droverctl ca init", "%s", err.msg);
            return; /* it has none of them */
        }
        if (o != OK || cert_info_read(d->arena, der, &info, &err) != OK)
            doctor_note(d, FINDING_FAIL, "signer", "run droverctl ca init", "%s: %s", certs[i].what,
                        err.msg);
        else
            doctor_note_expiry(d, "expiry", certs[i].what, info.not_after, certs[i].fix);
    }
}
