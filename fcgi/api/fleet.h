/* fleet.h: the parts of a device in the HTTP API. */
#ifndef DROVER_API_FLEET_H
#define DROVER_API_FLEET_H

#include "api/queue.h"
#include "store/fleet.h"

struct part_call {
    struct req *req;
    struct onlooker by;
    struct db *db;
    struct fleet_device device;
    size_t limit;
};

/* The whole device (word NULL), or a part by its word: "facts", "apps", "events", ... */
enum outcome fleet_part(struct part_call *c, const char *word, js *root, struct err *err) MUST_USE;
/* Each makes the answer, which the caller frees. INVALID: a parameter is wrong. */
enum outcome part_facts(struct part_call *c, js *root, struct err *err) MUST_USE;
enum outcome part_list(struct part_call *c, const struct inv_table *t, js *root,
                       struct err *err) MUST_USE;
enum outcome part_apps(struct part_call *c, js *root, struct err *err) MUST_USE;
enum outcome part_certificates(struct part_call *c, js *root, struct err *err) MUST_USE;
enum outcome part_app_data(struct part_call *c, js *root, struct err *err) MUST_USE;
enum outcome part_answers(struct part_call *c, js *root, struct err *err) MUST_USE;
enum outcome part_events(struct part_call *c, js *root, struct err *err) MUST_USE;
enum outcome part_secrets(struct part_call *c, js *root, struct err *err) MUST_USE;
enum outcome part_results(struct part_call *c, js *root, struct err *err) MUST_USE;
enum outcome part_result(struct part_call *c, const char *uuid, js *root, struct err *err) MUST_USE;

#endif
