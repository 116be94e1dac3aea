/* handout.c: see handout.h. */
#include "store/handout.h"

static const struct sql ADD = {
    "handout_add",
    "INSERT INTO handout (id, profile_id, profile_version, way, token, topic, server_url, "
    "checkin_url, access_rights, server_capabilities, managed_account, enrollment_mode, "
    "account_kind, account, invitation_id, address, made_at, udid, serial) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    0};
static const struct sql OF_DEVICE = {
    "handout_of_device",
    "SELECT h.id, h.profile_id, h.profile_version, h.way, h.topic, h.server_url, h.checkin_url, "
    "h.access_rights, h.server_capabilities, h.managed_account, h.enrollment_mode, "
    "IF(h.account_ended_at IS NULL, h.account_kind, 0), IF(h.account_ended_at IS NULL, h.account, "
    "NULL), h.invitation_id, h.address, h.made_at FROM enrollment e "
    "JOIN life l ON l.id = e.life_id JOIN handout h ON h.id = l.handout_id WHERE e.id = ?",
    0};

static const struct sql COUNT = {
    "handout_count",
    "SELECT COUNT(*) FROM handout WHERE account = ? AND account_kind = ? AND made_at > ? "
    "AND way <> 7",
    0};

enum outcome handout_add(struct db *db, const struct handout *h, struct err *err)
{
    struct val args[] = {val_int(h->id),
                         val_id(h->profile_id),
                         val_id(h->version),
                         val_int(h->way),
                         val_str(h->token),
                         val_str(h->topic),
                         val_str(h->server_url),
                         val_str(h->checkin_url),
                         val_int(h->access_rights),
                         val_str(h->server_capabilities),
                         val_str(h->managed_account),
                         val_str(h->enrollment_mode),
                         val_int(h->account_kind),
                         val_str(h->account),
                         val_id(h->invitation_id),
                         val_str(h->address),
                         val_int(h->made_at),
                         val_str(h->udid),
                         val_str(h->serial)};
    return db_exec(db, &ADD, args, sizeof args / sizeof *args, NULL, err);
}

enum outcome handout_of_device(struct db *db, int64_t device_id, struct arena *a,
                               struct handout *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &OF_DEVICE, (struct val[]){val_int(device_id)}, 1, a, &r, err);
    if (o == OK && r.n == 0)
        return err_set(err, NOT_FOUND, "what the device enrolled with is not known");
    if (o != OK)
        return o;
    const struct val *v = row_at(&r, 0, 0);
    *out = (struct handout){.id = v[0].i,
                            .profile_id = v[1].i,
                            .version = v[2].i,
                            .way = v[3].i,
                            .topic = v[4].s,
                            .server_url = v[5].s,
                            .checkin_url = v[6].s,
                            .access_rights = v[7].i,
                            .server_capabilities = v[8].s,
                            .managed_account = v[9].s,
                            .enrollment_mode = v[10].s,
                            .account_kind = v[11].i,
                            .account = v[12].s,
                            .invitation_id = v[13].i,
                            .address = v[14].s,
                            .made_at = v[15].i};
    return OK;
}

enum outcome handout_count(struct db *db, enum account_kind kind, const char *account,
                           int64_t since, int64_t *n, struct err *err)
{
    struct rows r;
    struct arena *a = arena_new(64 * 1024);
    if (!a)
        return err_set(err, ERROR, "out of memory");
    enum outcome o = db_select(
        db, &COUNT, (struct val[]){val_str(account), val_int(kind), val_int(since)}, 3, a, &r, err);
    *n = o == OK ? row_at(&r, 0, 0)->i : 0;
    arena_free(&a);
    return o;
}

const char *handout_way_name(int64_t way)
{
    static const char *const names[] = {"",
                                        "invitation",
                                        "open",
                                        "web",
                                        "configuration-url",
                                        "profile-service",
                                        "account-driven",
                                        "renewal"};
    return way > 0 && way <= WAY_RENEWAL ? names[way] : "";
}

const char *account_kind_name(int64_t kind)
{
    static const char *const names[] = {"", "local", "web-server", "managed"};
    return kind > 0 && kind <= ACCOUNT_MANAGED ? names[kind] : "";
}
