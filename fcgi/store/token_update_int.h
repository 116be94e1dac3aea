/* token_update_int.h: what the files of token_update.h share. */
#ifndef DROVER_STORE_TOKEN_UPDATE_INT_H
#define DROVER_STORE_TOKEN_UPDATE_INT_H

#include "store/token_update.h"

static inline struct token_update *token_update_of(struct unit *u)
{
    return (struct token_update *)u;
}

static inline bool token_update_is_user(const struct token_update *x)
{
    return ident_is_user(x->id);
}

/* Reads and decides (token_update_read.c); see struct unit_kind. */
enum outcome token_update_prepare(struct db *db, struct unit **u, size_t n, struct arena *a,
                                  struct err *err) MUST_USE;

#endif
