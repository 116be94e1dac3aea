/* checked.c: see checked.h. */
#include "command/checked.h"

#include "command/build.h"
#include "store/enrollprofile.h"
#include "store/ident.h"

struct device_facts device_facts_of(const struct enrollment *e)
{
    struct device_facts f = {.platform = platform_of(e->product_name),
                             .version = version_read(e->os_version),
                             .rights = (int)e->access_rights,
                             .user_enrolment = SAYS_NO};

    switch (e->kind) {
    case IDENT_USER: /* only Macs have them */
        f.platform = PLATFORM_MACOS;
        f.user_channel = true;
        break;
    case IDENT_SHARED_IPAD:
        f.platform = PLATFORM_IOS;
        f.shared_ipad = SAYS_YES;
        f.user_channel = true;
        break;
    case IDENT_USER_ENROLLMENT:
        f.user_channel = true;
        f.user_enrolment = SAYS_YES;
        break;
    case IDENT_USER_ENROLLMENT_DEVICE:
        f.user_enrolment = SAYS_YES;
        break;
    default:
        break;
    }
    if (f.user_enrolment == SAYS_YES)
        f.rights = ENROLLPROFILE_RIGHTS_ALL; /* AccessRights is ignored there: the mode limits */
    return f;
}

static bool same_facts(const struct device_facts *a, const struct device_facts *b)
{
    return a->platform == b->platform && a->version == b->version && a->rights == b->rights &&
           a->supervised == b->supervised && a->dep == b->dep && a->shared_ipad == b->shared_ipad &&
           a->user_enrolment == b->user_enrolment && a->user_channel == b->user_channel;
}

/* The group of these facts; a new one is checked. */
static enum outcome group_of(struct arena *a, pl root, const struct device_facts *f,
                             struct checked *out, struct checked_group **g, struct err *err)
{
    enum outcome o;

    for (size_t i = 0; i < out->n; i++)
        if (same_facts(&out->groups[i]->facts, f)) {
            *g = out->groups[i];
            return OK;
        }
    *g = out->n < CHECKED_GROUPS_MAX ? arena_alloc(a, sizeof **g) : NULL;
    if (*g == NULL)
        return err_set(err, ERROR, "more than %u kinds of devices at once, or out of memory",
                       CHECKED_GROUPS_MAX);
    (*g)->facts = *f;
    o = command_validate(a, root, f, &(*g)->found, err);
    if (o != OK && o != INVALID)
        return o;
    out->groups[out->n++] = *g;
    return OK;
}

static enum outcome check_page(struct db *db, struct arena *a, pl root, const char *const *idents,
                               size_t n, struct checked *out, struct err *err)
{
    const struct enrollment_filter filter = {.idents = idents, .nidents = n};
    struct enrollment *e;
    size_t found;
    enum outcome o = enrollment_list(db, &filter, ENROLLMENT_BY_ID, (struct enrollment_cursor){0},
                                     0, LIM_PAGE, false, a, &e, &found, err);

    for (size_t i = 0; o == OK && i < found; i++) {
        struct device_facts f = device_facts_of(&e[i]);
        struct checked_group *g;

        o = group_of(a, root, &f, out, &g, err);
        if (o != OK)
            break;
        if (g->enrollments++ == 0)
            g->example = e[i].ident;
        out->refused += g->found.errors != 0;
    }
    return o;
}

/* The plist as what is queued. */
static enum outcome command_raw(struct arena *a, pl root, struct raw_command *out, struct err *err)
{
    struct buf xml = BUF_INIT(RAW_COMMAND_MAX);
    enum outcome o =
        pl_to_xml(root, &xml) == OK
            ? raw_command_read(a, buf_bytes(&xml), out, err)
            : err_set(err, INVALID, "the command is longer than %u octets", RAW_COMMAND_MAX);

    buf_wipe(&xml);
    return o;
}

enum outcome command_checked(struct db *db, struct arena *a, const char *request_type, js keys,
                             const char *const *idents, size_t n, struct checked *out,
                             struct err *err)
{
    char uuid[UUID_LEN + 1];
    pl root = NULL;
    enum outcome o;

    *out = (struct checked){0};
    out->groups = arena_array(a, CHECKED_GROUPS_MAX, sizeof *out->groups);
    if (out->groups == NULL)
        return err_set(err, ERROR, "out of memory");
    o = command_build(a, request_type, keys, &root, uuid, &out->built, err);
    if (o == OK)
        o = command_raw(a, root, &out->command, err);
    for (size_t i = 0; o == OK && i < n; i += LIM_PAGE)
        o = check_page(db, a, root, idents + i, n - i < LIM_PAGE ? n - i : LIM_PAGE, out, err);
    pl_free(&root);
    return o;
}
