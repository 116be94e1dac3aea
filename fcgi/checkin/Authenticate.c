/* Authenticate.c: a device asks whether it may enrol; a pending life is opened. */
#include "checkin/checkin.h"

#include "store/authenticate.h"
#include "store/handout.h"
#include "wire/x509.h"

bool checkin_facts(struct message *m, struct device_facts *f)
{
    return checkin_text(m, "SerialNumber", &f->serial) &&
           checkin_text(m, "DeviceName", &f->device_name) &&
           checkin_text(m, "ProductName", &f->product_name) &&
           checkin_text(m, "Model", &f->model) && checkin_text(m, "ModelName", &f->model_name) &&
           checkin_text(m, "OSVersion", &f->os_version) &&
           checkin_text(m, "BuildVersion", &f->build_version) &&
           checkin_text(m, "IMEI", &f->imei) && checkin_text(m, "MEID", &f->meid);
}

static bool cert_read(struct message *m, struct authenticate *x)
{
    struct err err = {0};
    struct cert_info info;
    enum outcome o = caller_cert(m->caller, m->req, &x->cert_der, &err);

    if (o == OK)
        o = cert_info_read(m->req->arena, x->cert_der, &info, &err);
    if (o != OK) {
        device_fail(m, &err);
        return false;
    }
    x->cert_subject = info.subject;
    x->cert_serial = info.serial;
    x->cert_not_before = info.not_before;
    x->cert_not_after = info.not_after;
    return true;
}

/* The word by which a profile of a static challenge or of another SCEP server is known again. */
static const char *handout_token(struct message *m)
{
    const char *t = req_query(m->req, HANDOUT_TOKEN_QUERY);
    bool good = t != NULL && strlen(t) == HANDOUT_TOKEN_LEN &&
                strspn(t, "0123456789abcdef") == HANDOUT_TOKEN_LEN;

    return good ? t : NULL;
}

void checkin_Authenticate(struct message *m)
{
    struct authenticate x;

    authenticate_init(&x, m->req->arena, m->req->now, m->caller->cert_sha256, &m->id);
    if (!checkin_topic(m, &x.topic) || !checkin_facts(m, &x.facts) || !cert_read(m, &x))
        return;
    x.token = handout_token(m);
    x.unit.event = checkin_event(m, EVENT_AUTHENTICATE);
    if (batch_do(m->app->batch, &x.unit) != OK) {
        device_fail(m, &x.unit.err);
        return;
    }
    if (x.verdict != WHO_GOOD) {
        device_turn_away(m, &(struct who){.verdict = x.verdict});
        return;
    }
    resp_note(m->resp, "Authenticate, %s device, serial %s", x.is_new ? "new" : "known",
              x.facts.serial != NULL ? x.facts.serial : "not told");
}
