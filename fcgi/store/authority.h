/*
 * authority.h: accounts and API keys in the hands of an API key, which gives no more than it has
 * and touches nobody who has more: a role counts as the scopes that do over the API what its pages
 * do. Whether it may is looked at in the same unit of work as the change.
 */
#ifndef DROVER_STORE_AUTHORITY_H
#define DROVER_STORE_AUTHORITY_H

#include "store/account.h"
#include "store/admin.h"
#include "store/scope.h"

/* What somebody has, who is not limited to groups. */
struct authority {
    const char *scopes; /* as of struct apikey */
    int64_t expires_at; /* 0: never; what is made lasts no longer */
    const char *by;     /* for the audit log */
};
/* Are all of these words (or "*") among the scopes? */
bool authority_covers(const char *scopes, const char *words);

/* An account that is made or changed. */
struct account_edit {
    const char *role; /* NULL: as it is */
    bool disable, enable;
    bool reset;                /* another password, no second factor; told in password */
    const struct scope *scope; /* NULL: as it is */
    char password[ADMIN_GIVEN_LEN + 1];
};
/* Adds an account as admin_invite() does; edit->role is needed. DENIED: the role, or the account as
 * it is, has more than a has; otherwise as admin_invite() and scope_set(). */
enum outcome authority_admin_add(struct db *db, const struct authority *a, const char *name,
                                 struct account_edit *edit, struct err *err) MUST_USE;
/* All of it or nothing. The same outcomes, and those of admin_reset() and admin_disable(). */
enum outcome authority_admin_change(struct db *db, const struct authority *a, const char *name,
                                    struct account_edit *edit, struct err *err) MUST_USE;

/* Makes a key as apikey_new() does, limited to scope (NULL: it is not). expires_at 0: when a
 * expires. DENIED: it would have more, or last longer. */
enum outcome authority_key_add(struct db *db, const struct authority *a, const char *name,
                               const char *scopes, int64_t expires_at, const struct scope *scope,
                               char key[APIKEY_LEN + 1], struct err *err) MUST_USE;
/* Limits a key, or (scope NULL) revokes it. DENIED: it has more than a; otherwise as scope_set()
 * and apikey_revoke(). */
enum outcome authority_key_change(struct db *db, const struct authority *a, const char *name,
                                  const struct scope *scope, struct err *err) MUST_USE;

#endif
