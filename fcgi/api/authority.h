/* authority.h: what /api/v1/administrators and /api/v1/keys share. */
#ifndef DROVER_API_AUTHORITY_H
#define DROVER_API_AUTHORITY_H

#include "api/api.h"
#include "store/authority.h"

/* What the key of a request has, to give to others. */
struct authority api_authority(struct req *req, const struct caller *caller);

/* "groups" of a body: the ids of the groups to which an account or key is limited, or null: it is
 * not. *out is *room, or NULL where the body does not say. False: refused (400). */
bool api_scope_read(struct req *req, struct resp *resp, js body, struct scope *room,
                    const struct scope **out);
/* Sets "groups" of one that is limited; others have none. The outcome of scope_get(). */
enum outcome api_scope_set(struct db *db, struct req *req, enum scope_kind kind, const char *name,
                           js o, struct err *err) MUST_USE;

/* "true" or "false" under key; absent leaves *out as it is. False: refused (400). */
bool api_truth_read(struct resp *resp, js body, const char *key, bool *there, bool *out);

#endif
