/*
 * authenticate.h: an Authenticate opens a pending life. Nothing of the current life changes: if
 * the installation fails, the device goes on with what it had (reference, "Updating Expired
 * Profiles").
 */
#ifndef DROVER_STORE_AUTHENTICATE_H
#define DROVER_STORE_AUTHENTICATE_H

#include "store/batch.h"
#include "store/who.h"

/* What an Authenticate says of the device; NULL where it says nothing. Valid UTF-8; longer texts
 * than the column holds are cut. */
struct device_facts {
    const char *serial, *device_name, *product_name, *model, *model_name, *os_version,
        *build_version, *imei, *meid;
};

struct authenticate {
    struct unit unit;
    /* in */
    const struct ident *id; /* a device channel */
    const uint8_t *sha256;  /* of the certificate; NULL: moved in from another server */
    struct bytes cert_der;
    const char *cert_subject, *cert_serial;
    int64_t cert_not_before, cert_not_after;
    const char *topic;
    const char *token; /* of a handout, from the CheckInURL's query; NULL: none */
    struct device_facts facts;
    /* out, with outcome OK */
    enum verdict verdict; /* WHO_GOOD: done; WHO_MISMATCH, WHO_REVOKED, WHO_ENDED: refused */
    bool is_new;          /* the device was not known */
    /* private to authenticate*.c */
    int64_t id_, life_, pending_, pending_old_, current_, state_, handout_, seen_at_;
    bool cert_moves_, renewal_, sent_, same_;
};

/* Makes the unit ready for batch_do(); everything else of `in` is the caller's to set. */
void authenticate_init(struct authenticate *x, struct arena *arena, int64_t now,
                       const uint8_t *sha256, const struct ident *id);

#endif
