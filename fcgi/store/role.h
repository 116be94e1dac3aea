/* role.h: what an administrator may. A role is a word in admin.role; a permission is a word that
 * rows of route/routes.c and pages ask for. */
#ifndef DROVER_STORE_ROLE_H
#define DROVER_STORE_ROLE_H

#include <stdbool.h>

#define ROLE_NAME_MAX 32

/* Permissions:
 *   self        the own account: everybody who is signed in
 *   view        read everything but the audit log, accounts and keys
 *   assist      wake a device, ask it something, lock it, cancel what waits
 *   operate     any command, invitations, decisions about unknown devices
 *   administer  accounts, API keys, push certificates, settings
 *   audit       read and export the audit log */

/* The roles, least first, ended by NULL: viewer, auditor, helpdesk, operator, administrator. */
extern const char *const role_names[];
/* Is it one of them? */
bool role_known(const char *role);
/* An unknown role, or a permission that nobody has, is false. */
bool role_allows(const char *role, const char *permission);
/* The scopes of an API key that does what the role may (store/account.h); "*": everything. NULL:
 * there is no such role. */
const char *role_scopes(const char *role);
/* Every permission, ended by NULL. */
extern const char *const role_permissions[];

#endif
