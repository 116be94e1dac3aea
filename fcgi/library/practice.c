/* practice.c: see practice.h. */
#include "library/practice.h"

#include "library/payloads.h"
#include "library/variables.h"

#include <ctype.h>

bool practice_like_password(const char *key)
{
    static const char *const words[] = {"password",   "passwd", "passphrase",
                                        "passcode",   "secret", "credential",
                                        "privatekey", "apikey", "token"};
    char plain[128];
    size_t n = 0;

    for (const char *p = key; *p != '\0' && n + 1 < sizeof plain; p++)
        if (isalnum((unsigned char)*p))
            plain[n++] = (char)tolower((unsigned char)*p);
    plain[n] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(plain, words[i]) != NULL)
            return true;
    return false;
}

static bool password_entry(const char *key, pl value, void *arg)
{
    struct check *c = arg;
    enum pl_type type = pl_type_of(value);
    size_t was = check_key(c, key);

    if ((type == PL_DATA || (type == PL_STRING && pl_str(value)[0] != '\0')) &&
        practice_like_password(key))
        check_warn(c, "looks like a password or key: what an app is configured with is not kept "
                      "secret on the device");
    practice_passwords(c, value);
    check_up(c, was);
    return true;
}

void practice_passwords(struct check *c, pl node)
{
    if (pl_type_of(node) == PL_DICT)
        pl_each(node, password_entry, c);
    for (size_t i = 0; pl_type_of(node) == PL_ARRAY && i < pl_size(node); i++) {
        size_t was = check_index(c, i);

        practice_passwords(c, pl_at(node, i));
        check_up(c, was);
    }
}

static bool app_settings(const char *type, const struct payload_type *t)
{
    return (t == NULL && type[0] != '\0') ||
           strcmp(type, "com.apple.ManagedClient.preferences") == 0;
}

/* More than one of a type that no platform of it takes twice. */
static void once_check(struct check *c, const char *const *types, size_t i,
                       const struct payload_type *t)
{
    for (enum platform p = PLATFORM_IOS; p < PLATFORM__MAX; p++)
        if (t->os[p].introduced != 0 && (t->os[p].flags & PAYLOAD_MANY))
            return;
    for (size_t k = 0; k < i; k++)
        if (strcmp(types[k], types[i]) == 0) {
            check_warn(c, "there is another payload of type %s; a device takes one", types[i]);
            return;
        }
}

void practice_payloads(struct check *c, pl list, const char *const *types, size_t n)
{
    size_t accounts = 0, restrictions = 0, gives = 0;

    for (size_t i = 0; i < n; i++) {
        const struct payload_type *t = payload_find(types[i]);
        size_t was = check_index(c, i);

        if (app_settings(types[i], t))
            practice_passwords(c, pl_at(list, i));
        if (t != NULL) {
            accounts += (t->flags & PAYLOAD_ACCOUNT) != 0;
            restrictions += (t->flags & PAYLOAD_RESTRICTION) != 0;
            gives += (t->flags & (PAYLOAD_GIVES | PAYLOAD_ACCOUNT)) != 0;
            once_check(c, types, i, t);
        }
        check_up(c, was);
    }
    if (accounts > 1)
        check_warn(c,
                   "sets up %zu accounts: with a profile for each, one can be replaced or "
                   "removed without the others",
                   accounts);
    if (restrictions > 0 && gives == 0)
        check_warn(c, "has restrictions and gives nothing for them: together with an account or a "
                      "network, who removes the one loses the other");
}

static void strangers(struct check *c, pl node);

static bool stranger_entry(const char *key, pl value, void *arg)
{
    struct check *c = arg;
    size_t was = check_key(c, key);

    strangers(c, value);
    check_up(c, was);
    return true;
}

/* Texts that look like a variable and are none. */
static void strangers(struct check *c, pl node)
{
    char word[64];

    switch (pl_type_of(node)) {
    case PL_STRING:
        variables_in(pl_str(node), word, sizeof word);
        if (word[0] != '\0')
            check_warn(c, "%s is not a variable that is filled in; it stays as it is", word);
        break;
    case PL_DICT:
        pl_each(node, stranger_entry, c);
        break;
    case PL_ARRAY:
        for (size_t i = 0; i < pl_size(node); i++) {
            size_t was = check_index(c, i);

            strangers(c, pl_at(node, i));
            check_up(c, was);
        }
        break;
    default:
        break;
    }
}

void practice_profile(struct check *c, pl root, const struct config_profile *p)
{
    if (p->removal_disallowed) {
        size_t was = check_key(c, "PayloadRemovalDisallowed");

        check_warn(c, "locks the profile: users cannot remove what they do not need; it takes a "
                      "supervised device");
        check_up(c, was);
    }
    strangers(c, root);
    if (p->signed_by[0] != '\0' && variables_used(root) != 0)
        check_warn(c, "is signed and holds variables: its own signature cannot be kept once they "
                      "are filled in");
}
