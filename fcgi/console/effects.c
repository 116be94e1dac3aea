/* effects.c: see effects.h. */
#include "console/effects.h"

#include "base/limits.h"
#include "console/groupdraft.h"
#include "wire/encode.h"

void effects_set(struct page *p, struct value *dict, const char *key, const struct preview_set *s)
{
    struct value *d = value_set_dict(dict, key), *list = value_set_list(d, "some");
    value_set_int(d, "n", (int64_t)s->n);
    value_set_bool(d, "has", s->n > 0);
    value_set_text(d, "users", NULL);
    if (s->for_users && s->n > 0)
        value_set_text(d, "users",
                       words_fill(p->w, p->a, "reach_users", arena_fmt(p->a, "%zu", s->users),
                                  arena_fmt(p->a, "%zu", s->waiting)));
    for (size_t i = 0; i < s->nsample; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "device", s->name[i]);
        value_set_text(v, "link", page_link(p, "/device", "id", s->sample[i]));
    }
    value_set_bool(d, "more_devices", s->n > s->nsample);
}

/* The commands that are in force. */
static enum outcome orders_of(struct page *p, int64_t group, const struct blueprint *b,
                              struct preview *x)
{
    enum outcome o = OK;
    x->orders = arena_array(p->a, b->norders + 1, sizeof *x->orders);
    if (!x->orders)
        return err_set(&p->err, ERROR, "out of memory");
    for (size_t i = 0; o == OK && i < b->norders; i++) {
        struct standing s;
        o = standing_get(p->db, group, b->orders[i], p->a, &s, &p->err);
        if (o == OK)
            x->orders[x->norders++] = (struct preview_order){
                .order_id = s.id, .request_type = s.request_type, .policy = s.policy};
    }
    return o;
}

void effects_row(struct page *p, struct value *row, const struct preview_set *in,
                 const struct preview_set *out)
{
    value_set_bool(row, "is_command", out == NULL);
    value_set_bool(row, "nobody", in->n + (out ? out->n : 0) == 0);
    effects_set(p, row, "in", in);
    if (out)
        effects_set(p, row, "out", out);
    else
        value_set_bool(row, "out", false);
}

/* One thing, where it changes something. */
static bool row(struct page *p, struct value *list, const char *name, const struct preview_set *in,
                const struct preview_set *out)
{
    if (in->n + (out ? out->n : 0) == 0)
        return false;
    struct value *v = value_append_dict(list);
    value_set_text(v, "name", name);
    effects_row(p, v, in, out);
    return true;
}

enum outcome effects_run(struct page *p, struct preview *x, bool ends, bool *any)
{
    struct blueprint b;
    enum outcome o = blueprint_now(p->db, x->group_id, p->a, &b, &p->err);
    x->keep_items = !ends;
    *any = false;
    if (o == OK && !ends)
        o = orders_of(p, x->group_id, &b, x);
    if (o == OK)
        o = preview_run(p->db, x, p->a, &p->err);
    if (o != OK)
        return o;
    struct value *list = value_set_list(p->root, "effects");
    for (size_t i = 0; i < x->nchanges; i++)
        *any |= row(p, list, x->changes[i].name, &x->changes[i].install, &x->changes[i].remove);
    for (size_t i = 0; i < x->norders; i++)
        *any |= row(p, list, x->orders[i].request_type, &x->orders[i].send, NULL);
    value_set_bool(p->root, "some_effects", *any);
    effects_set(p, p->root, "join", &x->join);
    effects_set(p, p->root, "leave", &x->leave);
    return OK;
}

const char *effects_seal(struct page *p, const struct device_group *g, const char *what)
{
    char hex[SHA256_HEX_LEN + 1];
    struct blueprint b;
    if (blueprint_now(p->db, g->id, p->a, &b, &p->err) != OK)
        return NULL;
    sha256_hex(bytes_str(what), hex);
    return arena_fmt(p->a, "%lld.%d.%.16s", (long long)g->changed_at, b.number, hex);
}

bool effects_seen(struct page *p, const char *seal)
{
    const char *given = page_field(p, "seen");
    value_set_text(p->root, "seen", seal);
    if (*given && strcmp(given, seal) != 0)
        page_bad(p, page_text(p, "effects_changed"));
    return strcmp(given, seal) == 0;
}

/* ---- asking ---- */

static bool carry(const char *name, const char *value, void *arg)
{
    static const char *const own[] = {"csrf", "seen", "id"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    if (strncmp(name, "proof", 5) == 0)
        return true;
    struct value *v = value_append_dict(arg);
    value_set_text(v, "name", name);
    value_set_text(v, "value", value);
    return true;
}

static void ask(struct page *p, const struct device_group *g, const char *question, bool ends)
{
    req_form_each(p->req, carry, value_set_list(p->root, "carried"));
    value_set_text(p->root, "question", question);
    value_set_text(p->root, "action", p->req->path);
    value_set_text(p->root, "back", page_link_id(p, "/group", g->id));
    value_set_bool(p->root, "grave", ends);
    page_show(p, 200, "groupask");
}

enum outcome effects_agreed(struct page *p, const struct device_group *g, struct preview *x,
                            bool ends, const char *question, bool *yes)
{
    enum outcome o = effects_run(p, x, ends, yes);
    if (o != OK)
        return o;
    const char *seal = effects_seal(p, g, "");
    if (!seal)
        return p->err.outcome != OK ? p->err.outcome : err_set(&p->err, ERROR, "out of memory");
    *yes = !*yes || effects_seen(p, seal);
    size_t n = ends ? x->devices : x->join.n + x->leave.n;
    if (!*yes)
        ask(p, g, words_fill(p->w, p->a, question, g->name, arena_fmt(p->a, "%zu", n)), ends);
    return OK;
}
