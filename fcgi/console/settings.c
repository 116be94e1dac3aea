/* settings.c: what the programs go by, and where it comes from; what may be changed here. */
#include "store/setting.h"

#include "base/limits.h"
#include "console/page.h"

/* What was sent back with a fault, and which setting it is of. */
struct sent {
    bool posted;
    const char *wrong_key, *wrong;
};

/* What the table says at this moment, of which this process hears within seconds only. */
struct looked {
    struct setting *s;
    size_t n;
    int64_t version;
    struct conf now;
};

static const struct setting *of_key(const struct looked *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->s[i].name, name) == 0)
            return &l->s[i];
    return NULL;
}

static const char *text_of(struct page *p, const struct conf *conf, const struct conf_key *k)
{
    struct buf b = BUF_INIT(16 * LIM_KB);
    conf_key_text(conf, k, &b);
    const char *s = arena_strdup(p->a, buf_cstr(&b));
    buf_free(&b);
    return s ? s : "";
}

static const char *name_of(struct page *p, const struct conf_key *k)
{
    const char *s = arena_fmt(p->a, "%s.%s", k->section, k->name);
    return s ? s : "";
}

static enum outcome look(struct page *p, struct looked *l)
{
    struct err ignored; /* a value that is not taken is as if it were not there */
    enum outcome o = setting_list(p->db, p->a, &l->s, &l->n, &l->version, &p->err);
    l->now = *p->app->conf;
    for (size_t i = 0; o == OK && i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        const struct setting *set = of_key(l, name_of(p, k));
        if (k->live && !conf_key_given(&l->now, k) &&
            (!set || conf_key_set(&l->now, p->a, k, set->value, &ignored) != OK))
            o = conf_key_set(&l->now, p->a, k, k->def, &p->err);
    }
    return o;
}

static const char *word(struct page *p, const char *prefix, const char *name, const char *suffix)
{
    const char *key = arena_fmt(p->a, "%s_%s%s", prefix, name, suffix);
    return key ? page_text(p, key) : NULL;
}

static void choices(struct page *p, struct value *v, const struct conf_key *k, const char *now)
{
    const char *list = k->type == BOOL ? "yes no" : k->choices;
    struct value *options = value_set_list(v, "options");
    for (size_t n; *list; list += n + strspn(list + n, " ")) {
        n = strcspn(list, " ");
        const char *one = arena_strndup(p->a, list, n);
        struct value *o = value_append_dict(options);
        value_set_text(o, "value", one);
        value_set_text(o, "text", one ? word(p, "choice", one, "") : NULL);
        value_set_bool(o, "chosen", one && strcmp(one, now) == 0);
    }
    value_set_bool(v, "choice", true);
}

/* One that may be changed here. */
static void field(struct page *p, struct value *list, const struct conf_key *k,
                  const struct looked *l, const struct sent *sent)
{
    const char *key = name_of(p, k), *now = text_of(p, &l->now, k);
    const struct setting *set = of_key(l, key);
    bool given = conf_key_given(&l->now, k);
    struct value *v = value_append_dict(list);
    if (sent->posted && !given)
        now = page_field(p, key);
    value_set_text(v, "key", key);
    value_set_text(v, "label", word(p, "setting", key, ""));
    value_set_text(v, "about", word(p, "setting", key, "_about"));
    value_set_text(v, "value", now);
    value_set_bool(v, "number", k->type == INT);
    value_set_bool(v, "given", given);
    value_set_text(v, "file", words_fill(p->w, p->a, "settings_file", p->app->conf->path, NULL));
    bool choice = k->type == ENUM || k->type == BOOL;
    const char *def = choice ? word(p, "choice", k->def, "") : k->def;
    value_set_text(v, "default",
                   *k->def ? words_fill(p->w, p->a, "settings_default", def, NULL)
                           : page_text(p, "settings_default_none"));
    if (choice)
        choices(p, v, k, now);
    if (set && !given) {
        value_set_text(v, "by", words_fill(p->w, p->a, "settings_by", set->changed_by, NULL));
        page_time(p, v, "changed", set->changed_at);
    }
    if (sent->wrong_key && strcmp(sent->wrong_key, key) == 0)
        value_set_text(v, "wrong", sent->wrong);
}

static void row(struct page *p, struct value *keys, const struct conf_key *k,
                const struct looked *l)
{
    struct value *v = value_append_dict(keys);
    const char *origin = conf_key_given(&l->now, k)            ? "file"
                         : k->live && of_key(l, name_of(p, k)) ? "database"
                                                               : "default";
    value_set_text(v, "name", k->name);
    value_set_text(v, "help", k->help);
    value_set_text(v, "value", text_of(p, &l->now, k));
    value_set_text(v, "origin", origin);
    value_set_text(v, "origin_text", word(p, "origin", origin, ""));
}

static void show(struct page *p, int status, const struct sent *sent)
{
    struct looked l;
    if (look(p, &l) != OK) {
        page_fail(p);
        return;
    }
    struct value *settings = value_set_list(p->root, "settings");
    struct value *sections = value_set_list(p->root, "sections"), *keys = NULL;
    for (size_t i = 0; i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        if (i == 0 || strcmp(k->section, conf_keys[i - 1].section) != 0) {
            struct value *section = value_append_dict(sections);
            value_set_text(section, "name", k->section);
            keys = value_set_list(section, "keys");
        }
        row(p, keys, k, &l);
        if (k->live)
            field(p, settings, k, &l, sent);
    }
    value_set_int(p->root, "version", l.version);
    value_set_text(p->root, "all_lead",
                   words_fill(p->w, p->a, "settings_all_lead", p->app->conf->path, NULL));
    page_show(p, status, "settings");
}

void console_settings(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp)
{
    struct page p;
    const struct sent nothing = {.posted = false};
    if (page_open(&p, app, req, caller, resp, "settings"))
        show(&p, 200, &nothing);
}

/* What differs from what is in force: as the form shows the present values, the others are left
 * alone. The default is no setting. */
static enum outcome changes(struct page *p, struct setting_change *x, size_t *n, struct sent *sent)
{
    struct looked l;
    enum outcome o = look(p, &l);
    struct conf scratch = *p->app->conf;
    *n = 0;
    for (size_t i = 0; o == OK && i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        const char *key = k->live ? name_of(p, k) : "";
        if (!k->live || conf_key_given(&l.now, k) || !req_form(p->req, key))
            continue;
        const char *value = page_field(p, key);
        if (strcmp(value, text_of(p, &l.now, k)) == 0)
            continue;
        o = conf_key_set(&scratch, p->a, k, value, &p->err);
        if (o != OK) {
            sent->wrong_key = key;
            sent->wrong = arena_strdup(p->a, p->err.msg);
        }
        x[(*n)++] = (struct setting_change){key, strcmp(value, k->def) == 0 ? NULL : value};
    }
    return o;
}

void console_settings_post(struct app *app, struct req *req, const struct caller *caller,
                           struct resp *resp)
{
    struct page p;
    struct sent sent = {.posted = true};
    size_t n = 0;
    if (!page_open(&p, app, req, caller, resp, "settings"))
        return;
    struct setting_change *x = arena_array(p.a, conf_keys_n, sizeof *x);
    enum outcome o = x ? changes(&p, x, &n, &sent) : err_set(&p.err, ERROR, "out of memory");
    if (o == OK && n > 0)
        o = setting_save(p.db, app->conf, x, n, page_number(page_field(&p, "version")),
                         caller->admin, &p.err);
    if (o == OK) {
        page_go(&p, "/settings?done=saved");
    } else if (page_mendable(o)) {
        page_bad(&p, p.err.msg);
        sent.posted = o != CONFLICT;
        show(&p, page_status(o), &sent);
    } else {
        page_fail(&p);
    }
}
