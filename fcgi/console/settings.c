/* settings.c: what the programs go by, and where it comes from; what may be changed here. */
#include "store/setting.h"

#include "base/limits.h"
#include "console/page.h"

/* What was sent back with a fault, and which setting it is of. */
struct sent {
    bool posted;
    const char *wrong_key, *wrong;
};

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
static void field(struct page *p, struct value *list, const struct setting_now *s,
                  const struct sent *sent)
{
    const struct conf_key *k = s->key;
    const char *now = s->value;
    bool given = strcmp(s->origin, "file") == 0;
    struct value *v = value_append_dict(list);
    if (sent->posted && !given)
        now = page_field(p, s->name);
    value_set_text(v, "key", s->name);
    value_set_text(v, "label", word(p, "setting", s->name, ""));
    value_set_text(v, "about", word(p, "setting", s->name, "_about"));
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
    if (s->changed_at) {
        value_set_text(v, "by", words_fill(p->w, p->a, "settings_by", s->changed_by, NULL));
        page_time(p, v, "changed", s->changed_at);
    }
    if (sent->wrong_key && strcmp(sent->wrong_key, s->name) == 0)
        value_set_text(v, "wrong", sent->wrong);
}

static void row(struct page *p, struct value *keys, const struct setting_now *s)
{
    struct value *v = value_append_dict(keys);
    value_set_text(v, "name", s->key->name);
    value_set_text(v, "help", page_said(p, s->key->help));
    value_set_text(v, "value", s->value);
    value_set_text(v, "origin", s->origin);
    value_set_text(v, "origin_text", word(p, "origin", s->origin, ""));
}

static void show(struct page *p, int status, const struct sent *sent)
{
    struct setting_now *s;
    int64_t version;
    if (setting_now(p->db, p->app->conf, p->a, &s, &version, &p->err) != OK) {
        page_fail(p);
        return;
    }
    struct value *settings = value_set_list(p->root, "settings");
    struct value *sections = value_set_list(p->root, "sections"), *keys = NULL;
    for (size_t i = 0; i < conf_keys_n; i++) {
        const struct conf_key *k = s[i].key;
        if (i == 0 || strcmp(k->section, s[i - 1].key->section) != 0) {
            struct value *section = value_append_dict(sections);
            value_set_text(section, "name", k->section);
            keys = value_set_list(section, "keys");
        }
        row(p, keys, &s[i]);
        if (k->live)
            field(p, settings, &s[i], sent);
    }
    value_set_int(p->root, "version", version);
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
    struct setting_now *s;
    int64_t version;
    enum outcome o = setting_now(p->db, p->app->conf, p->a, &s, &version, &p->err);
    struct conf scratch = *p->app->conf;
    *n = 0;
    for (size_t i = 0; o == OK && i < conf_keys_n; i++) {
        const struct conf_key *k = s[i].key;
        if (!k->live || strcmp(s[i].origin, "file") == 0 || !req_form(p->req, s[i].name))
            continue;
        const char *value = page_field(p, s[i].name);
        if (strcmp(value, s[i].value) == 0)
            continue;
        o = conf_key_set(&scratch, p->a, k, value, &p->err);
        if (o != OK) {
            sent->wrong_key = s[i].name;
            sent->wrong = arena_strdup(p->a, page_said(p, p->err.msg));
        }
        x[(*n)++] = (struct setting_change){s[i].name, strcmp(value, k->def) == 0 ? NULL : value};
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
