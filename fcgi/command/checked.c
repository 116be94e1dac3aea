/* checked.c: see checked.h. */
#include "command/checked.h"

#include "command/build.h"
#include "command/queries.h"
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

static enum says says_of(int known)
{
    return known < 0 ? SAYS_NOTHING : known ? SAYS_YES : SAYS_NO;
}

struct device_facts device_facts_told(const struct fleet_target *t)
{
    const struct enrollment e = {.kind = t->kind,
                                 .product_name = t->product_name,
                                 .os_version = t->os_version,
                                 .access_rights = t->rights};
    struct device_facts f = device_facts_of(&e);

    f.supervised = says_of(t->supervised);
    f.dep = says_of(t->dep);
    if (f.shared_ipad == SAYS_NOTHING)
        f.shared_ipad = says_of(t->shared_ipad);
    if (t->user_enrolment > 0)
        f.user_enrolment = SAYS_YES;
    return f;
}

static bool same_facts(const struct device_facts *a, const struct device_facts *b)
{
    return a->platform == b->platform && a->version == b->version && a->rights == b->rights &&
           a->supervised == b->supervised && a->dep == b->dep && a->shared_ipad == b->shared_ipad &&
           a->user_enrolment == b->user_enrolment && a->user_channel == b->user_channel;
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

struct checking {
    struct db *db;
    struct arena *a;
    pl root;
    bool all_queries; /* DeviceInformation without Queries */
    struct checked *out;
    struct err *err;
};

/* The command for devices of these facts; a copy only where it differs. */
static enum outcome tailor(struct checking *c, struct checked_group *g, pl *root)
{
    const char *dropped = NULL;
    enum outcome o;

    *root = pl_copy(c->root);
    o = queries_choose(*root, &g->facts, c->all_queries, c->a, &dropped, c->err);
    g->dropped = dropped;
    return o;
}

static enum outcome group_check(struct checking *c, struct checked_group *g)
{
    bool asks = strcmp(c->out->command.request_type, "DeviceInformation") == 0;
    pl root = c->root, own = NULL;
    enum outcome o = OK;

    if (asks) {
        o = tailor(c, g, &own);
        root = own;
    }
    if (o == OK)
        o = command_validate(c->a, root, &g->facts, &g->found, c->err);
    if (o == INVALID)
        o = OK;
    g->command = c->out->command;
    if (o == OK && asks && (g->dropped != NULL || c->all_queries))
        o = command_raw(c->a, root, &g->command, c->err);
    pl_free(&own);
    return o;
}

/* The group of these facts; a new one is checked. */
static enum outcome group_of(struct checking *c, const struct device_facts *f,
                             struct checked_group **g)
{
    struct checked *out = c->out;
    enum outcome o;

    for (size_t i = 0; i < out->n; i++)
        if (same_facts(&out->groups[i]->facts, f)) {
            *g = out->groups[i];
            return OK;
        }
    *g = out->n < CHECKED_GROUPS_MAX ? arena_alloc(c->a, sizeof **g) : NULL;
    if (*g == NULL)
        return err_set(c->err, ERROR, "more than %u kinds of devices at once, or out of memory",
                       CHECKED_GROUPS_MAX);
    (*g)->facts = *f;
    o = group_check(c, *g);
    if (o == OK)
        out->groups[out->n++] = *g;
    return o;
}

/* Lists grow by doubling: most groups are small, some have everybody. */
static bool group_add(struct checking *c, struct checked_group *g, const char *ident)
{
    size_t n = g->enrollments;

    if ((n & (n - 1)) == 0) {
        const char **more = arena_array(c->a, n > 0 ? 2 * n : 1, sizeof *more);

        if (more == NULL)
            return false;
        if (n > 0)
            memcpy(more, g->idents, n * sizeof *more);
        g->idents = more;
    }
    g->idents[g->enrollments++] = ident;
    return true;
}

static enum outcome check_all(struct checking *c, const char *const *idents, size_t n)
{
    struct fleet_target *t;
    size_t found;
    enum outcome o = fleet_targets(c->db, idents, n, c->a, &t, &found, c->err);

    for (size_t i = 0; o == OK && i < found; i++) {
        struct device_facts f = device_facts_told(&t[i]);
        struct checked_group *g;

        o = group_of(c, &f, &g);
        if (o == OK && !group_add(c, g, t[i].ident))
            o = err_set(c->err, ERROR, "out of memory");
        if (o != OK)
            break;
        g->example = g->idents[0];
        c->out->refused += g->found.errors != 0;
    }
    return o;
}

enum outcome command_checked(struct db *db, struct arena *a, const char *request_type, js keys,
                             const char *const *idents, size_t n, struct checked *out,
                             struct err *err)
{
    struct checking c = {.db = db, .a = a, .out = out, .err = err};
    char uuid[UUID_LEN + 1];
    enum outcome o;

    *out = (struct checked){0};
    out->groups = arena_array(a, CHECKED_GROUPS_MAX, sizeof *out->groups);
    if (out->groups == NULL)
        return err_set(err, ERROR, "out of memory");
    o = command_build(a, request_type, keys, &c.root, uuid, &out->built, err);
    if (o == OK)
        c.all_queries = queries_unsaid(c.root);
    if (o == OK)
        o = command_raw(a, c.root, &out->command, err);
    if (o == OK)
        o = check_all(&c, idents, n);
    pl_free(&c.root);
    return o;
}
