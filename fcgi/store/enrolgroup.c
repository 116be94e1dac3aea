/* enrolgroup.c: see enrolgroup.h. */
#include "store/enrolgroup.h"

#include "base/limits.h"
#include "store/assignment.h"
#include "store/group.h"
#include "wire/json.h"

#define ACTOR "rule:enrolment"
#define PREFIX "enrolment:"
#define SOME 200

#define IN_FORCE                                                                                   \
    "enroll_profile p JOIN enroll_profile_item i ON i.profile_id = p.id AND i.version = "          \
    "p.version "
#define ITS_GROUP "JOIN device_group g ON g.name = CONCAT('" PREFIX "', p.name) "
#define ITS_ITEM                                                                                   \
    "JOIN library_item l ON l.deleted_at = 0 AND l.kind = IF(i.kind = 1, 1, 3) AND "               \
    "(l.identifier = i.name OR l.name = i.name) "
static const struct sql NO_GROUP = {"enrolgroup_lacking",
                                    "SELECT DISTINCT p.name FROM " IN_FORCE
                                    "WHERE NOT EXISTS (SELECT 1 FROM device_group g WHERE "
                                    "g.name = CONCAT('" PREFIX "', p.name)) LIMIT ?",
                                    0};
static const struct sql MISSING = {
    "enrolgroup_missing",
    "SELECT DISTINCT g.id, l.id FROM " IN_FORCE ITS_GROUP ITS_ITEM
    "LEFT JOIN assignment a ON a.group_id = g.id AND a.item_id = l.id WHERE a.id IS NULL LIMIT ?",
    0};
static const struct sql EXTRA = {
    "enrolgroup_extra",
    "SELECT a.id FROM assignment a JOIN device_group g ON g.id = a.group_id WHERE a.created_by = "
    "'" ACTOR "' AND NOT EXISTS (SELECT 1 FROM " IN_FORCE ITS_ITEM "WHERE g.name = CONCAT('" PREFIX
    "', p.name) AND l.id = a.item_id) LIMIT ?",
    0};

static enum outcome make_group(struct db *db, const char *name, int64_t now, struct arena *a,
                               struct err *err)
{
    struct buf text = BUF_INIT(LIM_KB);
    struct device_group g = {.name = arena_fmt(a, PREFIX "%s", name),
                             .note =
                                 "devices that enrolled with the enrolment profile of that name"};
    js filter = js_object();
    enum outcome o = OK;

    js_set_str(filter, "fact", "enrolment_profile");
    js_set_str(filter, "is", name);
    if (js_write(filter, false, &text) != OK || g.name == NULL)
        o = err_set(err, ERROR, "out of memory");
    g.filter = buf_cstr(&text);
    if (o == OK)
        o = group_save(db, &g, ACTOR, now, err);
    js_free(&filter);
    buf_free(&text);
    return o == CONFLICT ? OK : o;
}

enum outcome enrolgroup_sync(struct db *db, int64_t now, struct err *err)
{
    struct arena *a = arena_new(LIM_MB);
    struct val some = val_int(SOME);
    struct rows r = {0};
    int64_t id;
    enum outcome o = a != NULL ? db_select(db, &NO_GROUP, &some, 1, a, &r, err)
                               : err_set(err, ERROR, "out of memory");

    for (size_t i = 0; o == OK && i < r.n; i++)
        o = make_group(db, row_at(&r, i, 0)->s, now, a, err);
    if (o == OK)
        o = db_select(db, &MISSING, &some, 1, a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        o = assignment_add(db, row_at(&r, i, 0)->i, row_at(&r, i, 1)->i, ACTOR, now, &id, err);
        o = o == CONFLICT || o == NOT_FOUND ? OK : o; /* somebody was quicker */
    }
    if (o == OK)
        o = db_select(db, &EXTRA, &some, 1, a, &r, err);
    for (size_t i = 0; o == OK && i < r.n; i++) {
        o = assignment_delete(db, row_at(&r, i, 0)->i, ACTOR,
                              "the enrolment profile does not have it any more", err);
        o = o == NOT_FOUND ? OK : o;
    }
    arena_free(&a);
    return o;
}
