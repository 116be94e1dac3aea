/* app_form.c: how an app is installed, its settings, as a form and back: every flag in words, the
 * Configuration as rows of key, type and value, or as a property list. */
#include "console/apps.h"

#include "base/limits.h"
#include "command/build.h"
#include "command/plist_json.h"
#include "wire/plist.h"

#include <errno.h>
#include <stdlib.h>

#define ROWS_MAX 200
#define RAW_MAX (256u * LIM_KB)

enum form { FORM_TEXT, FORM_LINES, FORM_CHOICE };
/* Attributes of a managed app, by their keys; a choice is none, yes or no. */
static const struct {
    const char *key;
    enum form form;
} ATTRIBUTES[] = {{"VPNUUID", FORM_TEXT},
                  {"ContentFilterUUID", FORM_TEXT},
                  {"DNSProxyUUID", FORM_TEXT},
                  {"RelayUUID", FORM_TEXT},
                  {"CellularSliceUUID", FORM_TEXT},
                  {"AssociatedDomains", FORM_LINES},
                  {"AssociatedDomainsEnableDirectDownloads", FORM_CHOICE},
                  {"Removable", FORM_CHOICE},
                  {"Hideable", FORM_CHOICE},
                  {"Lockable", FORM_CHOICE},
                  {"TapToPayScreenLock", FORM_CHOICE}};
#define NATTRIBUTES (sizeof ATTRIBUTES / sizeof *ATTRIBUTES)
static const char *const TYPES[] = {"string", "integer", "real", "boolean", "list", "kept"};

static bool ticked(struct page *p, const char *field)
{
    return strcmp(page_field(p, field), "yes") == 0;
}

static const char *text_copy(struct page *p, const char *s)
{
    const char *copy = arena_strdup(p->a, s ? s : "");
    return copy ? copy : "";
}

/* ---- values as texts ---- */

/* The texts of an array, one a line; NULL: not all of them are texts of one line. */
static const char *lines_of(struct page *p, js list)
{
    struct buf b = BUF_INIT(RAW_MAX);
    bool good = js_type_of(list) == JS_ARRAY && js_size(list) > 0;
    for (size_t i = 0; good && i < js_size(list); i++) {
        const char *s = js_str(js_at(list, i));
        good = s && *s && !strpbrk(s, "\r\n");
        buf_fmt(&b, "%s%s", i ? "\n" : "", good ? s : "");
    }
    const char *text = good && !buf_failed(&b) ? text_copy(p, buf_cstr(&b)) : NULL;
    buf_free(&b);
    return text;
}

static js lines_read(const char *text)
{
    js list = js_array();
    while (*text) {
        size_t n = strcspn(text, "\r\n"), len = n;
        while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
            len--;
        if (len) {
            char *line = strndup(text, len);
            js_append(list, js_new_str(line ? line : ""));
            free(line);
        }
        text += n + strspn(text + n, "\r\n");
    }
    return list;
}

/* A value of the Configuration: its type's word and its text. What has no form is "kept". */
static const char *value_form(struct page *p, js v, const char **text)
{
    struct buf b = BUF_INIT(RAW_MAX);
    const char *type = "kept";
    bool yes = false;
    *text = "";
    switch (js_type_of(v)) {
    case JS_STRING:
        type = "string";
        *text = text_copy(p, js_str(v));
        break;
    case JS_BOOL:
        js_bool(v, &yes);
        type = "boolean";
        *text = yes ? "yes" : "no";
        break;
    case JS_ARRAY:
        if ((*text = lines_of(p, v)) != NULL)
            return "list";
        /* fall through */
    default:
        type = js_type_of(v) == JS_INT ? "integer" : js_type_of(v) == JS_REAL ? "real" : "kept";
        *text = js_write(v, false, &b) == OK ? text_copy(p, buf_cstr(&b)) : "";
    }
    buf_free(&b);
    return type;
}

/* ---- showing ---- */

static void options(struct page *p, struct value *dict, const char *const *words, size_t n,
                    const char *prefix, const char *chosen)
{
    struct value *list = value_set_list(dict, "options");
    for (size_t i = 0; i < n; i++) {
        struct value *v = value_append_dict(list);
        const char *key = arena_fmt(p->a, "%s_%s", prefix, *words[i] ? words[i] : "none");
        value_set_text(v, "value", words[i]);
        value_set_text(v, "text", key ? page_text(p, key) : NULL);
        value_set_bool(v, "chosen", strcmp(words[i], chosen) == 0);
    }
}

static void row_show(struct page *p, struct value *list, size_t at, const char *key,
                     const char *type, const char *text)
{
    struct value *v = value_append_dict(list);
    value_set_int(v, "at", (int64_t)at);
    value_set_int(v, "number", (int64_t)at + 1);
    value_set_text(v, "key", key);
    value_set_text(v, "text", text);
    value_set_bool(v, "kept", strcmp(type, "kept") == 0);
    options(p, v, TYPES, 5, "cfg", type);
}

struct showing {
    struct page *p;
    struct value *list;
    size_t n;
};

static bool row_stored(const char *key, js value, void *arg)
{
    struct showing *s = arg;
    const char *text, *type = value_form(s->p, value, &text);
    if (s->n < ROWS_MAX)
        row_show(s->p, s->list, s->n++, text_copy(s->p, key), type, text);
    return true;
}

static const char *field_at(struct page *p, const char *name, size_t i)
{
    const char *field = arena_fmt(p->a, "%s%zu", name, i);
    const char *s = field ? req_form(p->req, field) : NULL;
    return s ? s : "";
}

static size_t rows_given(struct page *p)
{
    int64_t n = page_number(page_field(p, "rows"));
    return n < 0 || n > ROWS_MAX ? ROWS_MAX : (size_t)n;
}

/* Rows as they are stored, or as they came with a form, and empty ones. */
static void rows_show(struct page *p, js settings, bool given)
{
    struct showing s = {p, value_set_list(p->root, "rows"), 0};
    size_t empty = given && ticked(p, "more") ? 3 : 1;
    if (given)
        for (size_t i = 0; i < rows_given(p); i++) {
            if (*field_at(p, "key", i))
                row_show(p, s.list, s.n++, field_at(p, "key", i), field_at(p, "type", i),
                         field_at(p, "value", i));
        }
    else
        js_each(js_get(settings, "Configuration"), row_stored, &s);
    for (size_t i = 0; i < empty && s.n < ROWS_MAX; i++)
        row_show(p, s.list, s.n++, "", "string", "");
    value_set_int(p->root, "nrows", (int64_t)s.n);
}

static void attributes_show(struct page *p, js settings, bool given)
{
    static const char *const choices[] = {"", "yes", "no"};
    struct value *list = value_set_list(p->root, "attributes");
    js a = js_get(settings, "Attributes");
    for (size_t i = 0; i < NATTRIBUTES; i++) {
        struct value *v = value_append_dict(list);
        const char *key = ATTRIBUTES[i].key, *about = arena_fmt(p->a, "attr_%s", key), *text = "";
        bool yes;
        if (given)
            text = page_field(p, key);
        else if (ATTRIBUTES[i].form == FORM_TEXT)
            text = text_copy(p, js_get_str(a, key));
        else if (ATTRIBUTES[i].form == FORM_LINES)
            text = lines_of(p, js_get(a, key));
        else if (js_get_bool(a, key, &yes))
            text = yes ? "yes" : "no";
        value_set_text(v, "key", key);
        value_set_text(v, "about", about ? page_text(p, about) : NULL);
        value_set_text(v, "given", text ? text : "");
        value_set_bool(v, "is_text", ATTRIBUTES[i].form == FORM_TEXT);
        value_set_bool(v, "is_lines", ATTRIBUTES[i].form == FORM_LINES);
        value_set_bool(v, "is_choice", ATTRIBUTES[i].form == FORM_CHOICE);
        if (ATTRIBUTES[i].form == FORM_CHOICE)
            options(p, v, choices, 3, "tri", text ? text : "");
    }
}

void app_form_show(struct page *p, js settings)
{
    static const char *const purchases[] = {"", "0", "1"};
    bool given = strcmp(page_field(p, "what"), "settings") == 0 && !*page_field(p, "settings");
    js opts = js_get(settings, "Options");
    const char *change = js_get_str(settings, "ChangeManagementState"), *purchase = "";
    int64_t number = 0, flags = 0, method;
    struct value *v = value_set_dict(p->root, "purchase");
    bool yes;
    js_get_int(settings, "iTunesStoreID", &number);
    js_get_int(settings, "ManagementFlags", &flags);
    if (js_get_int(opts, "PurchaseMethod", &method))
        purchase = method ? "1" : "0";
    const struct {
        const char *field;
        bool stored;
    } ticks[] = {{"flag_remove", flags & 1},
                 {"flag_nobackup", flags & 4},
                 {"not_managed", js_get_bool(opts, "NotManaged", &yes) && yes},
                 {"take_over", change != NULL},
                 {"as_managed", js_get_bool(settings, "InstallAsManaged", &yes) && yes},
                 {"ios_app", js_get_bool(settings, "iOSApp", &yes) && yes}};
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++)
        value_set_bool(p->root, ticks[i].field,
                       given ? ticked(p, ticks[i].field) : ticks[i].stored);
    options(p, v, purchases, 3, "purchase", given ? page_field(p, "purchase") : purchase);
    value_set_text(p->root, "number",
                   given    ? page_field(p, "number")
                   : number ? arena_fmt(p->a, "%lld", (long long)number)
                            : "");
    attributes_show(p, settings, given);
    rows_show(p, settings, given);
    const char *raw = req_form(p->req, "raw");
    value_set_text(p->root, "raw", raw ? raw : app_raw_text(p, settings));
}

/* ---- reading ---- */

static bool wrong(struct page *p, const char *key, const char *what)
{
    err_set(&p->err, INVALID, "%s", words_fill(p->w, p->a, key, what, NULL));
    return false;
}

/* A form ends lines with CR LF. */
static const char *newlines(struct page *p, const char *text)
{
    char *copy = arena_strdup(p->a, text), *to = copy;
    for (const char *s = copy; s && *s; s++)
        if (s[0] != '\r' || s[1] != '\n')
            *to++ = *s;
    if (to)
        *to = '\0';
    return copy ? copy : "";
}

/* One row into the Configuration. */
static bool row_read(struct page *p, size_t i, js stored, js out)
{
    const char *key = field_at(p, "key", i), *type = field_at(p, "type", i);
    const char *text = field_at(p, "value", i);
    char *end;
    if (!*key)
        return true;
    if (js_get(out, key))
        return wrong(p, "cfg_twice", key);
    if (strcmp(type, "kept") == 0) {
        if (js_get(stored, key))
            js_set(out, key, js_copy(js_get(stored, key)));
        return true;
    }
    errno = 0;
    if (strcmp(type, "integer") == 0) {
        long long n = strtoll(text, &end, 10);
        if (!*text || *end || errno)
            return wrong(p, "cfg_bad_integer", key);
        js_set_int(out, key, n);
    } else if (strcmp(type, "real") == 0) {
        double d = strtod(text, &end);
        if (!*text || *end || errno)
            return wrong(p, "cfg_bad_real", key);
        js_set(out, key, js_new_real(d));
    } else if (strcmp(type, "boolean") == 0) {
        bool yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
        if (!yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
            return wrong(p, "cfg_bad_boolean", key);
        js_set_bool(out, key, yes);
    } else if (strcmp(type, "list") == 0) {
        js_set(out, key, lines_read(text));
    } else {
        js_set_str(out, key, newlines(p, text));
    }
    return true;
}

static bool configuration_read(struct page *p, js settings, js out)
{
    js stored = js_get(settings, "Configuration"), c = js_object();
    for (size_t i = 0; i < rows_given(p); i++)
        if (!row_read(p, i, stored, c)) {
            js_free(&c);
            return false;
        }
    if (js_size(c))
        js_set(out, "Configuration", c);
    else
        js_free(&c);
    return true;
}

static void attributes_read(struct page *p, js out)
{
    js a = js_object();
    for (size_t i = 0; i < NATTRIBUTES; i++) {
        const char *key = ATTRIBUTES[i].key, *text = page_field(p, key);
        if (!*text)
            continue;
        if (ATTRIBUTES[i].form == FORM_TEXT)
            js_set_str(a, key, text);
        else if (ATTRIBUTES[i].form == FORM_LINES)
            js_set(a, key, lines_read(text));
        else
            js_set_bool(a, key, strcmp(text, "yes") == 0);
    }
    if (js_size(a))
        js_set(out, "Attributes", a);
    else
        js_free(&a);
}

static void flags_read(struct page *p, js out)
{
    js o = js_object();
    const char *purchase = page_field(p, "purchase");
    int flags = (ticked(p, "flag_remove") ? 1 : 0) | (ticked(p, "flag_nobackup") ? 4 : 0);
    if (flags)
        js_set_int(out, "ManagementFlags", flags);
    if (*purchase)
        js_set_int(o, "PurchaseMethod", *purchase == '1');
    if (ticked(p, "not_managed"))
        js_set_bool(o, "NotManaged", true);
    if (js_size(o))
        js_set(out, "Options", o);
    else
        js_free(&o);
    if (ticked(p, "take_over"))
        js_set_str(out, "ChangeManagementState", "Managed");
    if (ticked(p, "as_managed"))
        js_set_bool(out, "InstallAsManaged", true);
    if (ticked(p, "ios_app"))
        js_set_bool(out, "iOSApp", true);
}

js app_form_read(struct page *p, js settings, bool *more)
{
    js out = js_object();
    const char *number = page_field(p, "number");
    *more = ticked(p, "more");
    bool good = true;
    if (*number && !page_number(number))
        good = wrong(p, "app_number_wrong", NULL);
    else if (*number)
        js_set_int(out, "iTunesStoreID", page_number(number));
    flags_read(p, out);
    attributes_read(p, out);
    if (good && !configuration_read(p, settings, out))
        good = false;
    if (!good)
        js_free(&out);
    return out;
}

/* ---- the Configuration as a property list ---- */

const char *app_raw_text(struct page *p, js settings)
{
    struct buf xml = BUF_INIT(RAW_MAX * 2);
    struct findings *found = arena_alloc(p->a, sizeof *found);
    char uuid[UUID_LEN + 1];
    struct err ignored;
    const char *text = "";
    js keys = js_object();
    pl root = NULL, c = NULL;
    if (js_get(settings, "Configuration"))
        js_set(keys, "Configuration", js_copy(js_get(settings, "Configuration")));
    if (found &&
        command_build(p->a, "InstallApplication", keys, &root, uuid, found, &ignored) == OK)
        c = pl_get(pl_get(root, "Command"), "Configuration");
    if (c && pl_to_xml(c, &xml) == OK)
        text = text_copy(p, buf_cstr(&xml));
    pl_free(&root);
    js_free(&keys);
    buf_free(&xml);
    return text;
}

struct copying {
    js out;
};

static bool copy_key(const char *key, js value, void *arg)
{
    struct copying *c = arg;
    if (strcmp(key, "Configuration") != 0)
        js_set(c->out, key, js_copy(value));
    return true;
}

/* Data and dates have a form of their own in the settings (command/build.h). */
static js wrapped(pl node, struct arena *a);

struct wrapping {
    js out;
    struct arena *a;
};

static bool wrap_key(const char *key, pl value, void *arg)
{
    struct wrapping *w = arg;
    js_set(w->out, key, wrapped(value, w->a));
    return true;
}

static js wrapped(pl node, struct arena *a)
{
    js out;
    switch (pl_type_of(node)) {
    case PL_DATA:
    case PL_DATE:
        out = js_object();
        js_set(out, pl_type_of(node) == PL_DATA ? "$data" : "$date", plist_json(node, a));
        return out;
    case PL_ARRAY:
        out = js_array();
        for (size_t i = 0; i < pl_size(node); i++)
            js_append(out, wrapped(pl_at(node, i), a));
        return out;
    case PL_DICT: {
        struct wrapping w = {js_object(), a};
        pl_each(node, wrap_key, &w);
        return w.out;
    }
    default:
        return plist_json(node, a);
    }
}

js app_raw_read(struct page *p, js settings)
{
    struct copying c = {js_object()};
    const char *text = page_field(p, "raw");
    pl root = NULL;
    js_each(settings, copy_key, &c);
    if (!*text)
        return c.out;
    enum outcome o = pl_parse(bytes_str(text), &root, &p->err);
    if (o == OK && pl_type_of(root) != PL_DICT)
        o = err_set(&p->err, INVALID, "%s", page_text(p, "cfg_no_dict"));
    if (o == OK)
        js_set(c.out, "Configuration", wrapped(root, p->a));
    pl_free(&root);
    if (o != OK)
        js_free(&c.out);
    return c.out;
}
