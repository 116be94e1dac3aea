/* event.c: see event.h. */
#include "store/event.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/audit.h"
#include "store/id.h"
#include "wire/json.h"

#include <stdio.h>

#define FACTS_MAX (16u * LIM_KB)

const struct event_name event_names[] = {
    {EVENT_AUTHENTICATE, "mdm.Authenticate", "mdm.Authenticate"},
    {EVENT_TOKEN_UPDATE, "mdm.TokenUpdate", "mdm.TokenUpdate"},
    {EVENT_CHECK_OUT, "mdm.CheckOut", "mdm.CheckOut"},
    {EVENT_USER_AUTHENTICATE, "mdm.UserAuthenticate", "mdm.UserAuthenticate"},
    {EVENT_SET_BOOTSTRAP_TOKEN, "mdm.SetBootstrapToken", "mdm.SetBootstrapToken"},
    {EVENT_GET_BOOTSTRAP_TOKEN, "mdm.GetBootstrapToken", "mdm.GetBootstrapToken"},
    {EVENT_CONNECT, "mdm.Connect", "mdm.Connect"},
    {EVENT_CONNECT_IDLE, "mdm.Connect", "mdm.Connect/Idle"},
    {EVENT_COMMAND_FINISHED, "drover.CommandFinished", "drover.CommandFinished"},
    {EVENT_DEVICE_INACTIVE, "drover.DeviceInactive", "drover.DeviceInactive"},
    {EVENT_DEVICE_RETURNED, "drover.DeviceReturned", "drover.DeviceReturned"},
    {EVENT_DEVICE_UNKNOWN, "drover.DeviceUnknown", "drover.DeviceUnknown"},
    {EVENT_CERTIFICATE_EXPIRING, "drover.CertificateExpiring", "drover.CertificateExpiring"},
    {EVENT_ALARM, "drover.Alarm", "drover.Alarm"},
    {EVENT_PING, "drover.Ping", "drover.Ping"},
};
const size_t event_names_n = sizeof event_names / sizeof *event_names;

/* A bit that is no topic of this program is one of a later program's: no bit is lost by editing. */
static const struct sql WANTS = {
    "event_wants",
    "SELECT COALESCE(BIT_OR(wants), 0), COALESCE(BIT_OR(IF(payload > 0, wants, 0)), 0), "
    "COALESCE(BIT_OR(IF(payload = 2, wants, 0)), 0) FROM webhook",
    0};

#define COLUMNS                                                                                    \
    "id, topic, at, enrollment_id, ident, kind, status, command_uuid, query, facts, raw, sealed"
#define ARGS 12
static const struct sql ADD = {
    "event_add", "INSERT INTO webhook_event (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", 0};
static const struct sql TALLY = {
    "event_tally",
    "UPDATE webhook_event SET tally = (SELECT token_update_tally FROM life WHERE id = ?) "
    "WHERE id = ?",
    0};
static const struct sql ADD_WANTED = {"event_add_wanted",
                                      "INSERT INTO webhook_event (" COLUMNS
                                      ") SELECT ?,?,?,?,?,?,?,?,?,?,?,? FROM DUAL WHERE EXISTS "
                                      "(SELECT 1 FROM webhook WHERE wants & ? <> 0)",
                                      0};

const struct event_name *event_name_of(int topic)
{
    for (size_t i = 0; i < event_names_n; i++)
        if ((int)event_names[i].topic == topic)
            return &event_names[i];
    return NULL;
}

const struct event_name *event_name_find(const char *filter)
{
    for (size_t i = 0; i < event_names_n; i++)
        if (strcmp(event_names[i].filter, filter) == 0)
            return &event_names[i];
    return NULL;
}

enum outcome event_wants_read(struct db *db, struct event_wants *out, struct err *err)
{
    struct arena *a = arena_new(4096);
    struct rows r;
    enum outcome o;

    if (a == NULL)
        return err_set(err, ERROR, "out of memory");
    o = db_select(db, &WANTS, NULL, 0, a, &r, err);
    if (o == OK) {
        atomic_store(&out->payload, row_at(&r, 0, 1)->i);
        atomic_store(&out->whole, row_at(&r, 0, 2)->i);
        atomic_store(&out->told, row_at(&r, 0, 0)->i);
    }
    arena_free(&a);
    return o;
}

static void args_of(const struct event *e, int64_t id, struct val *v)
{
    v[0] = val_int(id);
    v[1] = val_int(e->topic);
    v[2] = val_int(e->at);
    v[3] = val_int(e->enrollment_id);
    v[4] = val_cut(e->ident != NULL ? e->ident : "", 255);
    v[5] = val_int(e->kind);
    v[6] = val_cut(e->status, 32);
    v[7] = val_cut(e->command_uuid, 128);
    v[8] = val_cut(e->query, 1024);
    v[9] = val_str(e->facts);
    v[10] = e->raw.n > 0 ? val_bin(e->raw) : val_null();
    v[11] = e->sealed.n > 0 ? val_bin(e->sealed) : val_null();
}

enum outcome event_add(struct db *db, const struct event *const *e, size_t n, struct err *err)
{
    struct val args[LIM_BATCH * ARGS], tally[LIM_BATCH * 2];
    size_t k = 0;
    enum outcome o;

    if (n > LIM_BATCH)
        return err_set(err, INVALID, "event_add: %zu events at once", n);
    for (size_t i = 0; i < n; i++) {
        int64_t id = id_new();

        args_of(e[i], id, args + i * ARGS);
        if (e[i]->tally_life_id == 0)
            continue;
        tally[k * 2] = val_int(e[i]->tally_life_id);
        tally[k++ * 2 + 1] = val_int(id);
    }
    o = db_exec_many(db, &ADD, args, ARGS, n, NULL, err);
    return o == OK ? db_exec_many(db, &TALLY, tally, 2, k, NULL, err) : o;
}

enum outcome event_add_wanted(struct db *db, const struct event *e, struct err *err)
{
    struct val args[ARGS + 1];

    args_of(e, id_new(), args);
    args[ARGS] = val_int(event_bit(e->topic));
    return db_exec(db, &ADD_WANTED, args, ARGS + 1, NULL, err);
}

enum outcome event_alarm_tell(struct db *db, const char *kind, const char *about, const char *text,
                              int64_t now, struct err *err)
{
    struct buf facts = BUF_INIT(FACTS_MAX);
    js root = js_object();
    enum outcome o;

    js_set_str(root, "kind", kind);
    js_set_str(root, "about", about);
    js_set_str(root, "text", text);
    o = js_write(root, false, &facts);
    js_free(&root);
    if (o == OK)
        o = event_add_wanted(
            db, &(struct event){.topic = EVENT_ALARM, .at = now, .facts = buf_cstr(&facts)}, err);
    else
        err_set(err, o, "an alarm about %s cannot be written", about);
    buf_free(&facts);
    return o;
}

enum outcome event_alarm(struct db *db, const char *by, const char *kind, const char *about,
                         const char *text, int64_t now, struct err *err)
{
    enum outcome o = event_alarm_tell(db, kind, about, text, now, err);
    char action[64];

    snprintf(action, sizeof action, "alarm.%s", kind);
    if (o == OK)
        o = audit_add(db, by, action, about, text, err);
    if (o == OK)
        log_event(LOG_LEVEL_ERROR, "alarm", "kind", kind, "about", about, "text", text, NULL);
    return o;
}
