/*
 * token_update.h: a TokenUpdate: the first one makes a pending life the current one; later ones
 * bring a new push token; one that comes with an earlier identity, or after a CheckOut, is a
 * restored backup (reference, "Dealing with Restores").
 */
#ifndef DROVER_STORE_TOKEN_UPDATE_H
#define DROVER_STORE_TOKEN_UPDATE_H

#include "store/batch.h"
#include "store/who.h"

struct token_update {
    struct unit unit;
    /* in */
    const struct ident *id;
    const uint8_t *sha256; /* of the certificate; NULL: moved in from another server */
    const char *topic, *push_magic;
    struct bytes push_token;
    struct bytes unlock_token;  /* sealed; empty keeps the stored one */
    struct bytes unlock_sha256; /* of what is sealed: the stored one stays if it has the same */
    bool awaiting_configuration, not_on_console;
    int64_t push_keep_s; /* how long a push for waiting commands is kept */
    bool accept_restore; /* else WHO_OLD and WHO_LEFT are not accepted */
    /* out, with outcome OK */
    struct who who; /* verdict WHO_GOOD, WHO_PENDING, WHO_NO_CHANNEL: accepted; WHO_OLD
                     * and WHO_LEFT: restored, if accept_restore; begun, if the life had not */
    bool accepted;
    bool overtaken; /* WHO_OLD or WHO_LEFT: it came before what made it so, and restores nothing */
    bool has_queue; /* commands wait for it */
    /* private to token_update*.c */
    int64_t id_, life_;  /* channel and life that are written */
    int64_t settled_at_; /* the last TokenUpdate of the current life, or its end */
    bool new_channel_, new_life_, renewal_, push_open_, has_users_, moves_cert_, began_;
};

/* Makes the unit ready for batch_do(); everything else of `in` is the caller's to set. */
void token_update_init(struct token_update *x, struct arena *arena, int64_t now,
                       const uint8_t *sha256, const struct ident *id);

#endif
