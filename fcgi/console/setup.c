/*
 * setup.c: from nothing to the first managed device, and the check of all of it later. Each step is
 * done when what it is for exists; nothing of its progress is kept besides, so that one may leave
 * and come back, or do a step at the shell. The checks are those of doctor/: what a worker may not
 * do, the agent does for it.
 */
#include "console/setup.h"

#include "base/clock.h"
#include "base/limits.h"
#include "store/checkup.h"
#include "store/device.h"
#include "store/ident.h"
#include "store/pushcert.h"
#include "store/setting.h"
#include "wire/sign.h"

const char *const setup_names[] = {"organisation", "address", "ca", "push", "profile", "device"};

enum setup_step setup_step_of(const char *check)
{
    static const struct {
        const char *check;
        enum setup_step step;
    } known[] = {{"device", SETUP_ADDRESS}, {"console", SETUP_ADDRESS}, {"network", SETUP_ADDRESS},
                 {"agent", SETUP_ADDRESS},  {"clock", SETUP_ADDRESS},   {"schema", SETUP_ADDRESS},
                 {"signer", SETUP_CA},      {"expiry", SETUP_CA},       {"bundle", SETUP_CA},
                 {"revocation", SETUP_CA},  {"identity", SETUP_CA},     {"push", SETUP_PUSH},
                 {"apns", SETUP_PUSH},      {"pushes", SETUP_PUSH},     {"ways", SETUP_PROFILE},
                 {"enroll", SETUP_PROFILE}, {"calendar", SETUP_DEVICE}, {"unknown", SETUP_DEVICE},
                 {"restored", SETUP_DEVICE}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].check, check) == 0)
            return known[i].step;
    return SETUP_DEVICE;
}

/* As the table has it at this moment: this process hears of a change within seconds only. */
static enum outcome organisation(struct setup *s)
{
    static const char name[] = "server.organization";
    struct page *p = s->p;
    struct setting *list;
    int64_t version;
    size_t n;
    s->organisation = p->app->conf->organization;
    if (conf_key_given(p->app->conf, conf_key_find(name)))
        return OK;
    enum outcome o = setting_list(p->db, p->a, &list, &n, &version, &p->err);
    s->organisation = "";
    for (size_t i = 0; o == OK && i < n; i++)
        if (strcmp(list[i].name, name) == 0)
            s->organisation = list[i].value;
    return o;
}

static enum outcome checks(struct setup *s)
{
    struct page *p = s->p;
    const char *holder;
    int64_t left = 0;
    s->here = s->network =
        (struct doctor){.conf = p->app->conf, .arena = p->a, .tls_ca = p->app->conf->tls_ca};
    enum outcome o = checkrun_get(p->db, CHECKRUN_NETWORK, p->req->now, p->a, &s->run, &p->err);
    if (o == OK && s->run.findings.n)
        o = doctor_read(&s->network, s->run.findings, &p->err);
    if (o == OK && doctor_schema(&s->here, p->db))
        doctor_state(&s->here, p->db);
    doctor_signer(&s->here);
    s->agent = o == OK && checkup_agent(p->db, p->a, &holder, &left, &p->err) == OK && left > 0;
    return o;
}

static void judge(struct setup *s, const struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct finding *f = &d->f[i];
        if (f->result == FINDING_FAIL)
            s->bad[setup_step_of(f->check)] = true;
        s->tried |= f->result == FINDING_OK && strcmp(f->check, "identity") == 0;
    }
}

static enum outcome facts(struct setup *s)
{
    struct page *p = s->p;
    struct pushcert_row *certs;
    struct device_filter enrolled = {
        .text = "", .platform = "", .os = "", .states = 1u << ENROLLMENT_ENROLLED};
    struct err ignored;
    int64_t devices = 0;
    size_t n;
    if (sign_certificate(p->a, "ca", &s->ca, &ignored) != OK)
        s->ca = bytes_of(NULL, 0);
    enum outcome o = pushcert_list(p->db, p->a, &certs, &n, &p->err);
    if (o == OK)
        o = enrollprofile_find(p->db, p->app->conf, ENROLLPROFILE_DEFAULT, p->a, &s->profile,
                               &p->err);
    if (o == OK)
        o = device_count(p->db, &enrolled, p->a, &devices, &p->err);
    if (o != OK)
        return o;
    /* `droverctl migrate` makes the profile's first version, which nobody has looked at */
    bool looked = s->profile.id &&
                  (s->profile.version > 1 || strncmp(s->profile.made_by, "droverctl", 9) != 0);
    s->done[SETUP_ORGANISATION] = s->organisation[0] != '\0';
    s->done[SETUP_ADDRESS] = s->run.done_at != 0;
    s->done[SETUP_CA] = s->ca.n != 0;
    s->done[SETUP_PUSH] = n > 0;
    s->done[SETUP_PROFILE] = looked;
    s->done[SETUP_DEVICE] = devices > 0;
    return OK;
}

/* A check that fails because its step is still to be done says nothing new; what has stood in the
 * way of an earlier look of the agent's is looked at again. A CA that no web server was seen to
 * take is not done: where the device host does not answer, nothing was tried. */
static const char *state_of(const struct setup *s, enum setup_step i)
{
    bool looks = i == SETUP_ADDRESS || (i == SETUP_CA && s->done[i]);
    if (looks && s->run.waits && s->agent)
        return "checking";
    if (!s->done[i])
        return "todo";
    return s->bad[i] ? "problem" : i == SETUP_CA && !s->tried ? "untried" : "done";
}

static enum setup_step first_open(const struct setup *s)
{
    for (int i = 0; i < SETUP_STEPS; i++)
        if (!s->done[i] || s->bad[i])
            return (enum setup_step)i;
    return SETUP_DEVICE;
}

bool setup_look(struct page *p, struct setup **out)
{
    const char *wanted = req_query(p->req, "step");
    struct setup *s = arena_alloc(p->a, sizeof *s);
    *out = s;
    enum outcome o = s ? OK : err_set(&p->err, ERROR, "out of memory");
    if (s)
        *s = (struct setup){.p = p};
    if (o == OK)
        o = organisation(s);
    if (o == OK)
        o = checks(s);
    if (o == OK)
        o = facts(s);
    if (o != OK) {
        page_fail(p);
        return false;
    }
    judge(s, &s->here);
    judge(s, &s->network);
    s->step = first_open(s);
    for (int i = 0; i < SETUP_STEPS; i++)
        if (wanted && strcmp(wanted, setup_names[i]) == 0)
            s->step = (enum setup_step)i;
    return true;
}

/* ---- the page ---- */

static void list_steps(struct setup *s)
{
    struct page *p = s->p;
    struct value *list = value_set_list(p->root, "steps");
    bool all = true;
    for (int i = 0; i < SETUP_STEPS; i++) {
        struct value *v = value_append_dict(list);
        const char *key = arena_fmt(p->a, "setup_%s", setup_names[i]);
        const char *state = state_of(s, (enum setup_step)i);
        all &= strcmp(state, "done") == 0;
        value_set_text(v, "title", key ? page_text(p, key) : NULL);
        value_set_text(v, "link", page_link(p, "/setup", "step", setup_names[i]));
        value_set_bool(v, "here", (int)s->step == i);
        page_state(p, v, "setup", state);
    }
    value_set_bool(p->root, "all_done", all);
}

/* In the person's language; what has no text of its own stands as it was found. */
static const char *in_words(struct page *p, const char *key, const char *english,
                            const char *const *with, size_t n)
{
    const char *text = english ? page_text(p, key) : NULL, *own[FINDING_WITH];
    for (size_t i = 0; i < n; i++) { /* a part may be a phrase of the checks too */
        const char *phrase = doctor_key(p->a, with[i]), *said = page_text(p, phrase);
        own[i] = strcmp(said, phrase) != 0 ? said : with[i];
    }
    return text && strcmp(text, key) != 0 ? words_fill_all(p->w, p->a, key, own, n) : english;
}

/* Does the step itself mend it, and was it not taken yet? Then it is nothing wrong, it is to be
 * done. A signer that does not answer stays told. */
static bool by_the_step(const struct setup *s, const struct finding *f)
{
    bool answers = false;
    if (s->done[s->step] || f->result == FINDING_OK)
        return false;
    for (size_t i = 0; i < s->here.n; i++)
        answers |= s->here.f[i].result == FINDING_OK && strcmp(s->here.f[i].check, "signer") == 0;
    return s->step == SETUP_PUSH ? strcmp(f->check, "push") == 0 : s->step == SETUP_CA && answers;
}

/* False: there are none. */
static bool list_findings(struct setup *s, const struct doctor *d, struct value *list)
{
    struct page *p = s->p;
    bool any = false;
    for (size_t i = 0; i < d->n; i++) {
        if (setup_step_of(d->f[i].check) != s->step)
            continue;
        const struct finding *f = &d->f[i];
        if (by_the_step(s, f))
            continue;
        struct value *v = value_append_dict(list);
        const char *fix = f->fix ? doctor_key(p->a, f->fix) : "";
        value_set_text(v, "check", f->check);
        value_set_text(v, "detail", in_words(p, f->say, f->detail, f->with, f->nwith));
        value_set_text(v, "fix", in_words(p, fix, f->fix, NULL, 0));
        page_state(p, v, "finding", doctor_word(d->f[i].result));
        any = true;
    }
    return any;
}

void setup_show(struct page *p, int status)
{
    struct setup *s;
    if (!setup_look(p, &s))
        return;
    if (!setup_part(s)) {
        page_fail(p);
        return;
    }
    const char *name = setup_names[s->step];
    list_steps(s);
    struct value *list = value_set_list(p->root, "findings");
    bool any = list_findings(s, &s->here, list);
    any = list_findings(s, &s->network, list) || any;
    value_set_bool(p->root, name, true);
    value_set_text(p->root, "action", page_link(p, "/setup", "step", name));
    value_set_text(p->root, "step_title", page_text(p, arena_fmt(p->a, "setup_%s", name)));
    value_set_text(p->root, "step_lead", page_text(p, arena_fmt(p->a, "setup_%s_lead", name)));
    /* a step with a form of its own is left by that */
    bool done = strcmp(state_of(s, s->step), "done") == 0;
    bool form = s->step == SETUP_ORGANISATION || s->step == SETUP_PROFILE;
    value_set_bool(p->root, "here_done", done);
    if (s->step + 1 < SETUP_STEPS && (done || !form))
        value_set_text(p->root, "next", page_link(p, "/setup", "step", setup_names[s->step + 1]));
    bool network = s->step == SETUP_ADDRESS || s->step == SETUP_CA || s->step == SETUP_PUSH;
    value_set_bool(p->root, "network", network);
    value_set_bool(p->root, "some_findings", any || network);
    value_set_bool(p->root, "waits", s->run.waits && s->agent);
    value_set_bool(p->root, "no_agent", !s->agent);
    page_time(p, p->root, "checked", s->run.done_at);
    page_show(p, status, "setup");
}

void console_setup(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct page p;
    if (page_open(&p, app, req, caller, resp, "setup"))
        setup_show(&p, 200);
}
