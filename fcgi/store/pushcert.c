/* pushcert.c: push certificates: see pushcert.h. */
#include "store/pushcert.h"

#include "store/audit.h"

#define NOW_US "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
#define WHY_MAX 128

#define LIGHT                                                                                      \
    "topic, version, not_before, not_after, suspended_at, suspended_why, added_at, added_by, "     \
    "sha256, IF(suspended_at IS NULL, 0, " NOW_US " - suspended_at)"

static const struct sql SOLE_TOPIC = {.name = "pushcert_sole_topic",
                                      .text = "SELECT topic FROM push_cert LIMIT 2"};
static const struct sql LIST = {"pushcert_list",
                                "SELECT " LIGHT " FROM push_cert ORDER BY topic LIMIT 1000", 0};
static const struct sql GET = {
    "pushcert_get", "SELECT " LIGHT ", cert_pem, key_sealed FROM push_cert WHERE topic = ?", 0};
static const struct sql PUT = {
    "pushcert_put",
    "INSERT INTO push_cert (topic, cert_pem, key_sealed, sha256, not_before, not_after, version, "
    "added_at, added_by) VALUES (?, ?, ?, ?, ?, ?, 1, " NOW_US ", ?) "
    "ON DUPLICATE KEY UPDATE cert_pem = VALUES(cert_pem), key_sealed = VALUES(key_sealed), "
    "sha256 = VALUES(sha256), not_before = VALUES(not_before), not_after = VALUES(not_after), "
    "version = version + 1, suspended_at = NULL, suspended_why = NULL, "
    "added_at = VALUES(added_at), added_by = VALUES(added_by)",
    0};
static const struct sql NOTICE = {
    "pushcert_notice", "UPDATE site SET version = version + 1 WHERE name = 'pushcert'", 0};
static const struct sql SUSPEND = {"pushcert_suspend",
                                   "UPDATE push_cert SET suspended_at = " NOW_US
                                   ", suspended_why = ? WHERE topic = ? AND version = ?",
                                   0};
static const struct sql UNSUSPEND = {
    "pushcert_unsuspend",
    "UPDATE push_cert SET suspended_at = NULL, suspended_why = NULL "
    "WHERE topic = ? AND version = ? AND suspended_at IS NOT NULL",
    0};
#define COUNTED                                                                                    \
    "SELECT topic, COUNT(*) AS channels FROM life FORCE INDEX (topic) WHERE state = 2 AND topic "  \
    "<> '' GROUP BY topic "
static const struct sql HOW_MANY = {
    "pushcert_topics_many",
    "SELECT COUNT(*) FROM (SELECT 1 FROM life FORCE INDEX (topic) WHERE topic <> '' LIMIT ?) AS "
    "some",
    0};
static const struct sql TOPICS = {"pushcert_topics_used",
                                  COUNTED "ORDER BY channels DESC, topic LIMIT 100", 0};
static const struct sql TOPICS_READ = {
    "pushcert_topics_read",
    "SELECT topic, channels FROM topic_count ORDER BY channels DESC, topic LIMIT 100", 0};
static const struct sql TOPICS_DROP = {"pushcert_topics_drop", "DELETE FROM topic_count", 0};
static const struct sql TOPICS_STORE = {"pushcert_topics_store",
                                        "INSERT INTO topic_count (topic, channels) " COUNTED, 0};

static struct pushcert_row row_of(const struct val *v)
{
    return (struct pushcert_row){.topic = val_text(&v[0]),
                                 .version = v[1].i,
                                 .not_before = v[2].i,
                                 .not_after = v[3].i,
                                 .suspended_at = val_or_0(&v[4]),
                                 .suspended_why = val_text(&v[5]),
                                 .added_at = v[6].i,
                                 .added_by = val_text(&v[7]),
                                 .sha256 = val_bytes(&v[8]),
                                 .suspended_for_us = v[9].i};
}

enum outcome pushcert_list(struct db *db, struct arena *a, struct pushcert_row **out, size_t *n,
                           struct err *err)
{
    struct rows r;
    *n = 0;
    *out = NULL;
    enum outcome o = db_select(db, &LIST, NULL, 0, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "pushcert_list: out of memory");
    for (size_t i = 0; i < r.n; i++)
        (*out)[i] = row_of(row_at(&r, i, 0));
    *n = r.n;
    return OK;
}

enum outcome pushcert_get(struct db *db, const char *topic, struct arena *a,
                          struct pushcert_row *out, struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &GET, (struct val[]){val_str(topic)}, 1, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "no push certificate for topic %s", topic);
    const struct val *v = row_at(&r, 0, 0);
    *out = row_of(v);
    out->cert_pem = val_bytes(&v[10]);
    out->key_sealed = val_bytes(&v[11]);
    return OK;
}

static enum outcome put_unit(struct db *db, void *arg, struct err *err)
{
    const struct pushcert_row *p = arg;
    struct val v[] = {val_str(p->topic),   val_bin(p->cert_pem),   val_secret(p->key_sealed),
                      val_bin(p->sha256),  val_int(p->not_before), val_int(p->not_after),
                      val_str(p->added_by)};
    enum outcome o = db_exec(db, &PUT, v, 7, NULL, err);
    if (o == OK)
        o = db_exec(db, &NOTICE, NULL, 0, NULL, err);
    return o == OK ? audit_add(db, p->added_by, "pushcert.store", p->topic, NULL, err) : o;
}

enum outcome pushcert_put(struct db *db, const struct pushcert_row *row, struct err *err)
{
    struct pushcert_row copy = *row;
    return db_unit(db, put_unit, &copy, err);
}

enum outcome pushcert_suspend(struct db *db, const char *topic, int64_t version, const char *why,
                              struct err *err)
{
    return db_exec(
        db, &SUSPEND,
        (struct val[]){val_strn(why, strnlen(why, WHY_MAX)), val_str(topic), val_int(version)}, 3,
        NULL, err);
}

enum outcome pushcert_unsuspend(struct db *db, const char *topic, int64_t version, struct err *err)
{
    return db_exec(db, &UNSUSPEND, (struct val[]){val_str(topic), val_int(version)}, 2, NULL, err);
}

enum outcome pushcert_topics_used(struct db *db, struct arena *a, struct topic_use **out, size_t *n,
                                  struct err *err)
{
    struct rows r;
    *n = 0;
    *out = NULL;
    enum outcome o =
        db_select(db, &HOW_MANY, (struct val[]){val_int(TOPIC_COUNT_NOW + 1)}, 1, a, &r, err);
    bool many = o == OK && row_at(&r, 0, 0)->i > TOPIC_COUNT_NOW;
    if (o == OK && many)
        o = db_select(db, &TOPICS_READ, NULL, 0, a, &r, err);
    if (o == OK && (!many || r.n == 0)) /* or the agent has not counted them yet */
        o = db_select(db, &TOPICS, NULL, 0, a, &r, err);
    if (o != OK)
        return o;
    *out = arena_array(a, r.n, sizeof **out);
    if (!*out)
        return err_set(err, ERROR, "pushcert_topics_used: out of memory");
    for (size_t i = 0; i < r.n; i++)
        (*out)[i] = (struct topic_use){val_text(row_at(&r, i, 0)), row_at(&r, i, 1)->i};
    *n = r.n;
    return OK;
}

static enum outcome topics_unit(struct db *db, void *arg, struct err *err)
{
    (void)arg;
    enum outcome o = db_exec(db, &TOPICS_DROP, NULL, 0, NULL, err);
    return o == OK ? db_exec(db, &TOPICS_STORE, NULL, 0, NULL, err) : o;
}

enum outcome pushcert_topics_count(struct db *db, struct err *err)
{
    return db_unit(db, topics_unit, NULL, err);
}

enum outcome pushcert_sole_topic(struct db *db, struct arena *a, const char **topic,
                                 struct err *err)
{
    struct rows r;
    enum outcome o = db_select(db, &SOLE_TOPIC, NULL, 0, a, &r, err);
    if (o != OK)
        return o;
    if (r.n == 0)
        return err_set(err, NOT_FOUND, "no push certificate is stored (droverctl pushcert)");
    if (r.n > 1)
        return err_set(err, CONFLICT, "there are several push certificates");
    *topic = row_at(&r, 0, 0)->s;
    return OK;
}
