/* role.c: see role.h. */
#include "store/role.h"

#include <string.h>

const char *const role_names[] = {"viewer", "auditor", "helpdesk", "operator", "administrator", 0};
const char *const role_permissions[] = {"self",       "view",  "assist", "operate",
                                        "administer", "audit", 0};

/* One row for each role, one bit for each permission, in the order of the lists above. */
static const unsigned ALLOWED[] = {
    /* viewer        */ 1u << 0 | 1u << 1,
    /* auditor       */ 1u << 0 | 1u << 1 | 1u << 5,
    /* helpdesk      */ 1u << 0 | 1u << 1 | 1u << 2,
    /* operator      */ 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3,
    /* administrator */ 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5,
};

/* In the order of role_names. Some pages of a role have no scope to themselves: the next larger one
 * counts. */
static const char *const SCOPES[] = {
    "read",
    "read audit",
    "read push command sensitive",
    "read push command sensitive approve reveal library enroll users identity decide",
    "*",
};

static int place(const char *const *list, const char *word)
{
    for (int i = 0; word && list[i]; i++)
        if (strcmp(list[i], word) == 0)
            return i;
    return -1;
}

bool role_known(const char *role)
{
    return place(role_names, role) >= 0;
}

const char *role_scopes(const char *role)
{
    int r = place(role_names, role);
    return r >= 0 ? SCOPES[r] : NULL;
}

bool role_allows(const char *role, const char *permission)
{
    int r = place(role_names, role), p = place(role_permissions, permission);
    return r >= 0 && p >= 0 && (ALLOWED[r] >> p & 1u);
}
