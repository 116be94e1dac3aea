/* setup_parts.c: what each step of the set-up shows. */
#include "console/setup.h"

#include "base/limits.h"
#include "enrollment/rights.h"
#include "push/vendor.h"
#include "store/device.h"
#include "store/setting.h"
#include "wire/encode.h"
#include "wire/x509.h"

#define ARRIVED_MAX 5

/* The request that waits for its certificate, so that one may come back for it. */
static enum outcome request(struct setup *s)
{
    struct page *p = s->p;
    struct push_request *r;
    struct vendor_cert *v;
    size_t n, k;
    enum outcome o = push_request_list(p->db, p->a, &r, &n, &p->err);
    if (o == OK)
        o = vendor_cert_list(p->db, p->a, &v, &k, &p->err);
    if (o != OK)
        return o;
    if (k > 0)
        value_set_text(p->root, "vendor",
                       words_fill(p->w, p->a, "setup_push_2_own", v[0].subject, NULL));
    for (size_t i = 0; i < n; i++) {
        if (r[i].purpose != PUSH_PURPOSE_PUSH || r[i].done_at)
            continue;
        struct buf pem = BUF_INIT(VENDOR_PEM_MAX);
        struct value *at = value_set_dict(p->root, "request");
        const char *id = arena_fmt(p->a, "%lld", (long long)r[i].id);
        csr_to_pem(r[i].csr, &pem);
        value_set_text(at, "pem", arena_strdup(p->a, buf_cstr(&pem)));
        value_set_text(at, "title", words_fill(p->w, p->a, "setup_push_request", r[i].name, NULL));
        value_set_text(at, "link", page_link(p, "/setup/request", "id", id ? id : ""));
        page_time(p, at, "created", r[i].created_at);
        buf_free(&pem);
        return OK;
    }
    return OK;
}

static enum outcome profile(struct setup *s)
{
    struct page *p = s->p;
    const struct enroll_content *c = &s->profile.c;
    bool posted = p->req->method == METHOD_POST;
    struct value *list = value_set_list(p->root, "rights");
    for (size_t i = 0; i < enroll_rights_n; i++) {
        const char *name = arena_fmt(p->a, "right_%lld", (long long)enroll_rights[i].right);
        struct value *v = value_append_dict(list);
        value_set_text(v, "name", name);
        value_set_text(v, "text", page_text(p, enroll_rights[i].key));
        value_set_bool(v, "chosen",
                       posted && name ? *page_field(p, name) != '\0'
                                      : (c->access_rights & enroll_rights[i].right) != 0);
    }
    value_set_text(p->root, "profile_title", posted ? page_field(p, "title") : c->title);
    value_set_text(p->root, "profile_note", posted ? page_field(p, "description") : c->description);
    value_set_bool(p->root, "removal",
                   posted ? *page_field(p, "removal") != '\0'
                          : c->removal == ENROLL_REMOVAL_ALLOWED);
    value_set_int(p->root, "expected", s->profile.version);
    if (s->done[SETUP_PROFILE])
        value_set_text(p->root, "profile_now",
                       words_fill(p->w, p->a, "setup_profile_now",
                                  arena_fmt(p->a, "%lld", (long long)s->profile.version),
                                  s->profile.made_by));
    return OK;
}

static enum outcome arrived(struct setup *s)
{
    struct page *p = s->p;
    struct device_filter f = {
        .text = "", .platform = "", .os = "", .states = 1u << ENROLLMENT_ENROLLED};
    const struct device_order latest = {.by = DEVICE_BY_ENROLLED};
    struct device_brief *d;
    size_t n;
    enum outcome o = device_list(p->db, &f, latest, NULL, 0, ARRIVED_MAX, p->a, &d, &n, &p->err);
    struct value *list = value_set_list(p->root, "arrived");
    for (size_t i = 0; o == OK && i < n; i++) {
        struct value *v = value_append_dict(list);
        value_set_text(v, "name",
                       d[i].name[0]     ? d[i].name
                       : d[i].serial[0] ? d[i].serial
                                        : d[i].ident);
        value_set_text(v, "model", d[i].model_name[0] ? d[i].model_name : d[i].product_name);
        value_set_text(v, "link", page_link(p, "/device", "id", d[i].ident));
        page_time(p, v, "seen", d[i].enrolled_at);
    }
    list = value_set_list(p->root, "missing");
    for (int i = 0; i < SETUP_DEVICE; i++) {
        if (s->done[i] && !s->bad[i])
            continue;
        struct value *v = value_append_dict(list);
        value_set_text(v, "title", page_text(p, arena_fmt(p->a, "setup_%s", setup_names[i])));
        value_set_text(v, "link", page_link(p, "/setup", "step", setup_names[i]));
    }
    value_set_bool(p->root, "ready", value_first(list) == NULL);
    return o;
}

/* The web server's file of CAs is root's, and so is having the server read it: what to type, on
 * which host, what it does, and what is left to do after it. */
static void bundle(struct page *p, struct value *v)
{
    const struct conf *conf = p->app->conf;
    value_set_text(v, "file", words_fill(p->w, p->a, "setup_ca_bundle", conf->ca_bundle, NULL));
    value_set_text(v, "command", arena_fmt(p->a, "sudo droverctl -c %s ca bundle", conf->path));
    value_set_text(v, "then",
                   *conf->reload_command
                       ? words_fill(p->w, p->a, "setup_ca_reloads", conf->reload_command, NULL)
                       : page_text(p, "setup_ca_reload"));
}

static enum outcome ca(struct setup *s)
{
    struct page *p = s->p;
    struct cert_info info;
    if (!s->ca.n)
        return OK;
    enum outcome o = cert_info_read(p->a, s->ca, &info, &p->err);
    if (o != OK)
        return o;
    struct value *v = value_set_dict(p->root, "authority");
    value_set_text(v, "name", info.subject);
    page_time(p, v, "until", info.not_after);
    value_set_text(v, "backup",
                   words_fill(p->w, p->a, "setup_ca_backup", p->app->conf->signer_dir, NULL));
    for (size_t i = 0; i < s->here.n; i++)
        if (strcmp(s->here.f[i].check, "bundle") == 0 && s->here.f[i].result != FINDING_OK)
            bundle(p, value_set_dict(v, "bundle"));
    return OK;
}

bool setup_part(struct setup *s)
{
    struct page *p = s->p;
    const struct conf *conf = p->app->conf;
    switch (s->step) {
    case SETUP_ORGANISATION:
        value_set_text(p->root, "name",
                       p->req->method == METHOD_POST ? page_field(p, "name") : s->organisation);
        value_set_bool(p->root, "given",
                       conf_key_given(conf, conf_key_find("server.organization")));
        value_set_text(p->root, "given_text",
                       words_fill(p->w, p->a, "setup_organisation_file", conf->path, NULL));
        return true;
    case SETUP_ADDRESS:
        value_set_text(p->root, "device_url", conf->device_url);
        value_set_text(p->root, "console_url", conf->console_url);
        return true;
    case SETUP_CA:
        return ca(s) == OK;
    case SETUP_PUSH:
        return request(s) == OK;
    case SETUP_PROFILE:
        return profile(s) == OK;
    default:
        return arrived(s) == OK;
    }
}
