/* escrow.c: POST /v1/escrowkeyunlock: Apple's answer is passed on; the agent makes the call. */
#include "api/order.h"

#include "base/clock.h"
#include "base/limits.h"
#include "command/consent.h"
#include "push/escrow.h"
#include "store/account.h"
#include "store/audit.h"
#include "store/enrollment.h"
#include "store/id.h"
#include "store/outcall.h"
#include "store/pushcert.h"
#include "wire/encode.h"
#include "wire/seal.h"

#include <stdio.h>

#define WAIT_MS 20000
#define FIELD_MAX 512

static const struct {
    const char *name;
    bool required, query;
} fields[] = {{"serial", true, true}, {"productType", true, true}, {"imei", false, true},
              {"imei2", false, true}, {"meid", false, true},       {"orgName", true, false},
              {"guid", true, false},  {"escrowKey", true, false}};

/* The fields of the form as Apple wants them: some in the query, some in the body. */
static bool read_fields(struct req *req, struct resp *resp, struct buf *query, struct buf *form)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *value = req_form(req, fields[i].name);
        struct buf *to = fields[i].query ? query : form;

        if (value == NULL || value[0] == '\0') {
            if (!fields[i].required)
                continue;
            resp_json_error(resp, 400, "missing field: %s", fields[i].name);
            return false;
        }
        if (strlen(value) > FIELD_MAX) {
            resp_json_error(resp, 400, "field too long: %s", fields[i].name);
            return false;
        }
        buf_fmt(to, "%s%s=", to->len > 0 ? "&" : "", fields[i].name);
        url_encode_add(to, value);
    }
    return true;
}

static enum outcome seal_request(struct app *app, int64_t id, struct buf *query, struct buf *form,
                                 struct buf *sealed, struct err *err)
{
    struct buf plain = BUF_INIT(16u * LIM_KB);
    uint8_t pub[SEAL_KEY_LEN];
    char label[48];
    enum outcome o;

    snprintf(label, sizeof(label), ESCROW_PURPOSE ":%lld", (long long)id);
    escrow_request_add(&plain, buf_cstr(query), buf_cstr(form));
    o = buf_failed(&plain) ? err_set(err, INVALID, "the fields are too long together")
                           : seal_public_load(app->conf->signer_dir, pub, err);
    if (o == OK)
        o = seal(pub, label, buf_bytes(&plain), sealed, err);
    buf_wipe(&plain);
    return o;
}

static enum outcome call(struct app *app, struct req *req, const struct caller *caller,
                         struct db *db, const char *topic, struct buf *query, struct buf *form,
                         struct outcall_answer *answer, struct err *err)
{
    struct buf sealed = BUF_INIT(16u * LIM_KB + SEAL_OVERHEAD);
    struct outcall c = {.id = id_new(), .service = ESCROW_SERVICE, .topic = topic};
    struct pushcert_row row;
    enum outcome o = pushcert_get(db, topic, req->arena, &row, err);

    if (o == OK)
        o = seal_request(app, c.id, query, form, &sealed, err);
    c.request = buf_bytes(&sealed);
    if (o == OK)
        o = audit_add(db, api_actor(req, caller), "escrow.unlock", req_form(req, "serial"), NULL,
                      err);
    if (o == OK)
        o = outcall_add(db, &c, req->now, err);
    if (o == OK)
        o = outcall_wait(db, c.id, WAIT_MS, req->arena, answer, err);
    buf_free(&sealed);
    return o;
}

/* Whether the call may be made now; false: resp says that a second person is asked, or that it
 * fails. The call is made anew once that has approved: the key is not kept meanwhile. */
static bool consented(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp, struct db *db)
{
    const char *serial = req_form(req, "serial"), *why = req_form(req, "reason");
    const struct enrollment_filter f = {.serials = &serial,
                                        .nserials = 1,
                                        .kinds = 1u << IDENT_DEVICE |
                                                 1u << IDENT_USER_ENROLLMENT_DEVICE};
    struct enrollment_cursor at = {0, 0};
    struct enrollment *e = NULL;
    struct approval asked;
    struct err err = {0};
    size_t n = 0;
    bool more;
    enum outcome o;

    if (strcmp(app->conf->command_approval, "sensitive") != 0)
        return true;
    o = enrollment_list(db, &f, ENROLLMENT_BY_ID, &at, 0, 1, false, req->arena, &e, &n, &more,
                        &err);
    if (o == OK && n == 0)
        o = err_set(
            &err, DENIED,
            "a second person must approve this, and no device of this serial number is known");
    if (o == OK)
        o = consent_deed(
            db, app->conf, req->arena, api_actor(req, caller), req->now, CONSENT_ESCROW, e[0].ident,
            why != NULL && why[0] != '\0' && strlen(why) <= CONSENT_WHY_MAX ? why
                                                                            : "no reason given",
            &asked, &err);
    if (o == OK && asked.state == APPROVAL_APPROVED)
        return true;
    if (o == OK)
        approval_asked(resp, &asked);
    else
        api_fail(resp, &err);
    return false;
}

static void pass_on(struct resp *resp, const struct outcall_answer *answer)
{
    if (answer->status < 200 || answer->status > 599) {
        resp_json_error(resp, 500, "%s", answer->error);
        return;
    }
    resp->status = answer->status;
    resp->content_type =
        answer->content_type[0] != '\0' ? answer->content_type : "application/octet-stream";
    buf_add(&resp->body, answer->body.p, answer->body.n);
}

void api_escrow(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    struct buf query = BUF_INIT(8u * LIM_KB), form = BUF_INIT(8u * LIM_KB);
    const char *topic = req_form(req, "topic");
    struct outcall_answer answer = {0};
    const struct apikey key = {.scopes = caller->scopes};
    struct err err = {0};
    struct db *db = NULL;

    if (!apikey_allows(&key, "sensitive"))
        resp_json_error(resp, 403,
                        "an Activation Lock is taken off with the scope \"sensitive\" too");
    else if (topic == NULL || topic[0] == '\0')
        resp_json_error(resp, 400, "missing field: topic");
    else if (read_fields(req, resp, &query, &form) && api_db(app, resp, &db) &&
             consented(app, req, caller, resp, db)) {
        if (call(app, req, caller, db, topic, &query, &form, &answer, &err) == OK)
            pass_on(resp, &answer);
        else if (err.outcome == ERROR)
            api_fail(resp, &err);
        else /* NanoMDM's status for whatever keeps the call from being made */
            resp_json_error(resp, 500, "%s", err.msg);
    }
    db_pool_give(app->pool, &db);
    buf_wipe(&query);
    buf_wipe(&form);
}
