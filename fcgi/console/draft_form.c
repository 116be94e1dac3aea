/* draft_form.c: a draft with forms: the profile itself, and one page for each payload. What the
 * forms do not know stays as it is. */
#include "console/draft.h"

#include "base/limits.h"
#include "base/uuid.h"
#include "console/draft_field.h"
#include "library/config_profile.h"
#include "library/form_edit.h"
#include "library/variables.h"

/* A draft that is open, as a tree. */
struct edited {
    struct page *p;
    struct draft d;
    struct library_item *item;
    struct buf file;
    pl root;
    const char *signed_by;
};

static enum outcome edit_open(struct edited *e, struct page *p, int64_t id)
{
    struct bytes plist;
    *e = (struct edited){.p = p, .file = BUF_INIT(LIM_PROFILE)};
    if (!draft_open(p, id, &e->d, &e->file, &e->item))
        return p->err.outcome;
    enum outcome o =
        config_profile_unwrap(p->a, buf_bytes(&e->file), &plist, &e->signed_by, &p->err);
    if (o == OK)
        o = pl_parse(plist, &e->root, &p->err);
    if (o == OK && pl_type_of(pl_get(e->root, "PayloadContent")) != PL_ARRAY)
        o = err_set(&p->err, INVALID, "%s", page_text(p, "draft_no_form"));
    return o;
}

static void edit_close(struct edited *e)
{
    pl_free(&e->root);
    buf_wipe(&e->file);
}

static pl payloads(const struct edited *e)
{
    return pl_get(e->root, "PayloadContent");
}

/* The payload of that UUID and its place. */
static pl payload_find_uuid(const struct edited *e, const char *uuid, size_t *at)
{
    for (size_t i = 0; i < pl_size(payloads(e)); i++) {
        const char *u = pl_get_str(pl_at(payloads(e), i), "PayloadUUID");
        if (u && *uuid && strcmp(u, uuid) == 0) {
            *at = i;
            return pl_at(payloads(e), i);
        }
    }
    err_set(&e->p->err, NOT_FOUND, "%s", page_text(e->p, "draft_no_payload"));
    return NULL;
}

/* Stores the tree. Whoever has the profile takes the new version by its new UUID. */
static enum outcome edit_store(struct edited *e)
{
    struct page *p = e->p;
    struct buf xml = BUF_INIT(LIM_PROFILE);
    const char *uuid = pl_get_str(e->root, "PayloadUUID");
    char new[UUID_LEN + 1];
    if (e->item && uuid && strcmp(uuid, e->item->current.uuid) == 0) {
        uuid_v4(new);
        pl_set_str(e->root, "PayloadUUID", new);
    }
    enum outcome o = pl_to_xml(e->root, &xml);
    if (o != OK)
        o = err_set(&p->err, INVALID, "%s", page_text(p, "draft_too_long"));
    if (o == OK)
        o = profile_draft_keep(p->db, p->app->conf, p->a, &e->d, buf_bytes(&xml), p->caller->admin,
                               p->req->now, &p->err);
    buf_wipe(&xml);
    return o;
}

static const char *form_link(struct page *p, int64_t id, const char *uuid)
{
    const char *link = profile_link(p, "/draft/form", id);
    return uuid ? page_link(p, link, "payload", uuid) : link;
}

/* ---- the profile itself ---- */

static const struct {
    const char *field, *key;
    size_t max;
} GENERAL[] = {{"name", "PayloadDisplayName", 255},
               {"identifier", "PayloadIdentifier", LIM_IDENT},
               {"description", "PayloadDescription", 2000},
               {"organization", "PayloadOrganization", 255}};

static void general_show(struct edited *e, bool refused)
{
    struct page *p = e->p;
    bool locked = false;
    for (size_t i = 0; i < sizeof GENERAL / sizeof *GENERAL; i++) {
        const char *s = pl_get_str(e->root, GENERAL[i].key);
        value_set_text(p->root, arena_fmt(p->a, "set_%s", GENERAL[i].field),
                       refused ? page_field(p, GENERAL[i].field)
                       : s     ? arena_strdup(p->a, s)
                               : "");
    }
    pl_get_bool(e->root, "PayloadRemovalDisallowed", &locked);
    value_set_bool(p->root, "set_locked",
                   refused ? strcmp(page_field(p, "locked"), "yes") == 0 : locked);
}

static enum outcome general_apply(struct edited *e)
{
    struct page *p = e->p;
    for (size_t i = 0; i < sizeof GENERAL / sizeof *GENERAL; i++) {
        const char *s = page_field(p, GENERAL[i].field);
        bool must = i < 2;
        if (e->item && strcmp(GENERAL[i].field, "identifier") == 0)
            continue;
        for (const unsigned char *c = (const unsigned char *)s; *c; c++)
            if (*c < 0x20 && *c != '\n' && *c != '\r')
                s = must ? "" : " ";
        if ((must && !*s) || strlen(s) > GENERAL[i].max)
            return err_set(&p->err, INVALID, "%s",
                           words_fill(p->w, p->a, "draft_general_wrong",
                                      page_text(p, arena_fmt(p->a, "draft_%s", GENERAL[i].field)),
                                      arena_fmt(p->a, "%zu", GENERAL[i].max)));
        if (*s)
            pl_set_str(e->root, GENERAL[i].key, s);
        else
            pl_remove(e->root, GENERAL[i].key);
    }
    if (strcmp(page_field(p, "locked"), "yes") == 0)
        pl_set_bool(e->root, "PayloadRemovalDisallowed", true);
    else
        pl_remove(e->root, "PayloadRemovalDisallowed");
    return OK;
}

static void list_show(struct edited *e)
{
    struct page *p = e->p;
    struct value *list = value_set_list(p->root, "payloads"),
                 *add = value_set_list(p->root, "forms");
    for (size_t i = 0; i < pl_size(payloads(e)); i++) {
        pl payload = pl_at(payloads(e), i);
        const char *type = pl_get_str(payload, "PayloadType");
        const char *name = pl_get_str(payload, "PayloadDisplayName");
        const char *uuid = pl_get_str(payload, "PayloadUUID");
        struct value *v = value_append_dict(list);
        type = arena_strdup(p->a, type ? type : "?");
        uuid = arena_strdup(p->a, uuid ? uuid : "");
        const char *title = type ? profile_type_title(p, type) : "?";
        value_set_text(v, "title", title);
        value_set_text(v, "type", title == type ? "" : type);
        value_set_text(v, "name", name && strcmp(name, title) != 0 ? arena_strdup(p->a, name) : "");
        value_set_text(v, "uuid", uuid);
        value_set_text(v, "link",
                       type && form_of(type) && uuid && *uuid ? form_link(p, e->d.id, uuid) : "");
    }
    value_set_bool(p->root, "some_payloads", pl_size(payloads(e)) > 0);
    for (size_t i = 0; i < form_count(); i++) {
        struct value *v = value_append_dict(add);
        const char *key = arena_fmt(p->a, "formabout_%s", form_at(i)->name);
        value_set_text(v, "form", form_at(i)->name);
        value_set_text(v, "title", profile_type_title(p, form_at(i)->type->name));
        value_set_text(v, "about", key ? page_text(p, key) : "");
    }
}

static void head_show(struct edited *e)
{
    draft_head(e->p, &e->d, e->item);
    value_set_text(e->p->root, "signed_by", e->signed_by ? e->signed_by : "");
}

static void draft_show(struct edited *e, bool refused, int status)
{
    head_show(e);
    general_show(e, refused);
    list_show(e);
    page_show(e->p, status, "draftform");
}

/* ---- one payload ---- */

static void payload_show(struct edited *e, pl payload, const struct form *f,
                         const struct form_faults *faults, bool refused, int status)
{
    struct page *p = e->p;
    const char *uuid = pl_get_str(payload, "PayloadUUID");
    const char *name = pl_get_str(payload, "PayloadDisplayName");
    struct value *list = value_set_list(p->root, "variables");
    head_show(e);
    value_set_text(p->root, "payload", uuid ? arena_strdup(p->a, uuid) : "");
    value_set_text(p->root, "title", profile_type_title(p, f->type->name));
    value_set_text(p->root, "form_title", profile_type_title(p, f->type->name));
    value_set_text(p->root, "form_about", page_text(p, arena_fmt(p->a, "formabout_%s", f->name)));
    value_set_text(p->root, "set_name",
                   refused ? page_field(p, "name")
                   : name  ? arena_strdup(p->a, name)
                           : "");
    for (size_t i = 0; variable_name(i); i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "variable", arena_fmt(p->a, "%%%s%%", variable_name(i)));
        value_set_text(v, "about", page_said(p, variable_about(i)));
    }
    draft_fields_show(p, f, payload, e->root, faults, refused);
    page_show(p, status, "draftpayload");
}

static enum outcome payload_save(struct edited *e, pl payload, const struct form *f,
                                 struct form_faults *faults)
{
    struct page *p = e->p;
    const char *name = page_field(p, "name");
    struct form_input in = draft_fields_input(p);
    enum outcome o = form_apply(p->a, f, payload, e->root, &in, faults, &p->err);
    if (o == INVALID)
        o = err_set(&p->err, INVALID, "%s", page_text(p, "draft_faults"));
    if (o == OK && *name && strlen(name) <= 4 * LIM_IDENT)
        pl_set_str(payload, "PayloadDisplayName", name);
    else if (o == OK)
        pl_remove(payload, "PayloadDisplayName");
    return o;
}

/* ---- requests ---- */

void console_draft_form(struct app *app, struct req *req, const struct caller *caller,
                        struct resp *resp)
{
    struct page p;
    struct edited e;
    const char *uuid = req_query(req, "payload");
    size_t at;
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    if (edit_open(&e, &p, page_number(req_query(req, "id"))) != OK) {
        page_fail(&p);
    } else if (!uuid) {
        draft_show(&e, false, 200);
    } else {
        pl payload = payload_find_uuid(&e, uuid, &at);
        const char *type = payload ? pl_get_str(payload, "PayloadType") : NULL;
        const struct form *f = type ? form_of(type) : NULL;
        if (f)
            payload_show(&e, payload, f, NULL, false, 200);
        else
            page_go(&p, form_link(&p, e.d.id, NULL));
    }
    edit_close(&e);
}

static void answer_bad(struct edited *e, bool refused, enum outcome o)
{
    if (page_mendable(o) && e->root) {
        page_bad(e->p, e->p->err.msg);
        draft_show(e, refused, page_status(o));
    } else {
        page_fail(e->p);
    }
}

static void save_post(struct edited *e)
{
    struct page *p = e->p;
    struct form_faults faults = {.n = 0};
    size_t at;
    pl payload = payload_find_uuid(e, page_field(p, "payload"), &at);
    const char *type = payload ? pl_get_str(payload, "PayloadType") : NULL;
    const struct form *f = type ? form_of(type) : NULL;
    if (!f) {
        err_set(&p->err, NOT_FOUND, "%s", page_text(p, "draft_no_payload"));
        answer_bad(e, false, NOT_FOUND);
        return;
    }
    pl before = pl_copy(payload); /* what is stored, for a form that is refused */
    bool stale = e->d.revision != page_number(page_field(p, "revision"));
    enum outcome o = stale ? err_set(&p->err, CONFLICT, "%s", page_text(p, "draft_form_stale"))
                           : payload_save(e, payload, f, &faults);
    if (o == OK)
        o = edit_store(e);
    if (o == OK) {
        page_go(p, page_link(p, form_link(p, e->d.id, NULL), "done", "draft_stored"));
    } else if (page_mendable(o)) {
        value_set_bool(p->root, "stale", stale);
        page_bad(p, p->err.msg);
        payload_show(e, before, f, &faults, true, page_status(o));
    } else {
        page_fail(p);
    }
    pl_free(&before);
}

static enum outcome add_post(struct edited *e, const char **uuid)
{
    struct page *p = e->p;
    const struct form *f = form_named(page_field(p, "form"));
    const char *identifier = pl_get_str(e->root, "PayloadIdentifier");
    pl payload = NULL;
    if (!f)
        return err_set(&p->err, INVALID, "%s", page_text(p, "form_unknown"));
    if (pl_size(payloads(e)) >= CONFIG_PROFILE_PAYLOADS_MAX)
        return err_set(&p->err, INVALID, "%s", page_text(p, "draft_too_long"));
    enum outcome o = form_new(p->a, f, identifier ? identifier : "profile",
                              profile_type_title(p, f->type->name), &payload, &p->err);
    if (o != OK)
        return o;
    *uuid = arena_strdup(p->a, pl_get_str(payload, "PayloadUUID"));
    pl_append(payloads(e), payload);
    return edit_store(e);
}

static enum outcome remove_post(struct edited *e)
{
    size_t at;
    pl list = pl_new_array();
    if (!payload_find_uuid(e, page_field(e->p, "payload"), &at)) {
        pl_free(&list);
        return e->p->err.outcome;
    }
    for (size_t i = 0; i < pl_size(payloads(e)); i++)
        if (i != at)
            pl_append(list, pl_copy(pl_at(payloads(e), i)));
    pl_set(e->root, "PayloadContent", list);
    return edit_store(e);
}

void console_draft_form_post(struct app *app, struct req *req, const struct caller *caller,
                             struct resp *resp)
{
    struct page p;
    struct edited e;
    const char *uuid = NULL;
    if (!page_open(&p, app, req, caller, resp, "profiles"))
        return;
    const char *what = page_field(&p, "what");
    bool general = strcmp(what, "general") == 0;
    enum outcome o = edit_open(&e, &p, page_number(page_field(&p, "id")));
    if (o == OK && strcmp(what, "save") == 0) {
        save_post(&e);
        edit_close(&e);
        return;
    }
    if (o == OK && e.d.revision != page_number(page_field(&p, "revision")))
        o = err_set(&p.err, CONFLICT, "%s", page_text(&p, "draft_form_stale"));
    if (o == OK && general) {
        o = general_apply(&e);
        if (o == OK)
            o = edit_store(&e);
    } else if (o == OK && strcmp(what, "add") == 0) {
        o = add_post(&e, &uuid);
    } else if (o == OK && strcmp(what, "remove") == 0) {
        o = remove_post(&e);
    } else if (o == OK) {
        o = err_set(&p.err, INVALID, "%s", page_text(&p, "form_unknown"));
    }
    if (o == OK)
        page_go(&p, uuid ? form_link(&p, e.d.id, uuid)
                         : page_link(&p, form_link(&p, e.d.id, NULL), "done", "draft_stored"));
    else
        answer_bad(&e, general, o);
    edit_close(&e);
}
