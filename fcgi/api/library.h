/* library.h: what profiles.c and apps.c share: an item of the library as the API tells it, and the
 * requests that are the same for all kinds. */
#ifndef DROVER_API_LIBRARY_H
#define DROVER_API_LIBRARY_H

#include "api/api.h"
#include "command/validate.h"
#include "store/library.h"

/* An item with its current version. */
js library_item_json(const struct library_item *i);
js library_version_json(const struct library_version *v, int kind);
/* The refusal of a file: 400 with {"error", "findings"}. */
void api_findings_fail(struct resp *resp, const struct err *err, const struct findings *f);

/* Compiles a filter of a body, and gives its text, in the request's arena. False: refused. */
struct filter;
bool api_filter(struct req *req, struct resp *resp, js expression, struct filter *out,
                const char **text);
/* How far a device is with an item: of_item: as one of the item's devices. */
struct wanted_row;
js wanted_json(const struct wanted_row *x, bool of_item);
/* GET of {id}/devices; POST of {id}/stop, {id}/resume and {id}/retry: false: word is none of these.
 */
void library_devices_answer(struct app *app, struct req *req, struct resp *resp, unsigned kinds,
                            int64_t id);
bool library_rollout(struct app *app, struct req *req, const struct caller *caller,
                     struct resp *resp, unsigned kinds, int64_t id, const char *word);

/* The id behind prefix in the path, and what follows it ("" or one word). False: resp holds the
 * refusal. */
bool library_path(struct req *req, struct resp *resp, const char *prefix, int64_t *id,
                  const char **word);
/* The same where nothing may follow the id: what asks for a part of a thing never does it to the
 * whole. */
bool library_path_whole(struct req *req, struct resp *resp, const char *prefix, int64_t *id);
/* An id under a key of the body. False: resp holds the refusal. */
bool library_id_body(struct resp *resp, js body, const char *key, int64_t *out);
/* What GET of a list of pairs of group and item asks for: of which, and from where on. */
struct library_pairs {
    int64_t group, item, after;
    size_t limit;
};
/* Appends them to out; *last: the id of the last one. */
typedef enum outcome pairs_list_fn(struct db *db, struct req *req, const struct library_pairs *ask,
                                   js out, int64_t *last, size_t *n, struct err *err);
/* GET: {key: [...], "next_cursor"}. */
void library_pairs_answer(struct app *app, struct req *req, struct resp *resp, const char *key,
                          pairs_list_fn *list);
/* Sets "item", "item_name", "identifier", "kind". */
void library_pair_item(js o, int64_t id, const char *name, const char *identifier, int kind);
/* POST {"group": ID, "item": ID} (give not NULL: or "device" in the place of "group"), and DELETE
 * of PREFIX{id}: as store/assignment.h and offer.h do. */
typedef enum outcome pair_add_fn(struct db *db, int64_t group_id, int64_t item_id,
                                 const char *actor, int64_t now, int64_t *id, struct err *err);
typedef enum outcome pair_give_fn(struct db *db, const char *device, int64_t item_id,
                                  const char *actor, int64_t now, int64_t *id, struct err *err);
typedef enum outcome pair_delete_fn(struct db *db, int64_t id, const char *actor, const char *why,
                                    struct err *err);
void library_pair(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                  pair_add_fn *add, pair_give_fn *give);
void library_unpair(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp, const char *prefix, pair_delete_fn *remove);
/* GET of the list. kinds: bits 1 << enum library_kind. */
void library_list_answer(struct app *app, struct req *req, struct resp *resp, unsigned kinds);
/* GET of {id}, {id}/versions. */
void library_item_answer(struct app *app, struct req *req, struct resp *resp, unsigned kinds,
                         int64_t id);
void library_versions_answer(struct app *app, struct req *req, struct resp *resp, unsigned kinds,
                             int64_t id);
/* PATCH of {id}: the body's keys that are there are changed. */
void library_patch(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                   unsigned kinds, int64_t id);
/* DELETE of {id}. */
void library_remove(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp, unsigned kinds, int64_t id);

/* app_codes.c: redemption codes and feedback of the app of that id. */
void app_codes_answer(struct app *app, struct req *req, struct resp *resp, int64_t id);
void app_codes_post(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp, int64_t id);
void app_code_release(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp, int64_t id);
void app_codes_remove(struct app *app, struct req *req, const struct caller *caller,
                      struct resp *resp, int64_t id);
void app_feedback_answer(struct app *app, struct req *req, struct resp *resp, int64_t id);

#endif
