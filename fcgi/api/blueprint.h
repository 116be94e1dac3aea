/* blueprint.h: what blueprint.c answers below /api/v1/groups/{id}/. */
#ifndef DROVER_API_BLUEPRINT_H
#define DROVER_API_BLUEPRINT_H

#include "api/api.h"
#include "store/standing.h"

/* GET {id}/blueprint, and {id}/versions. */
void blueprint_answer(struct app *app, struct req *req, struct resp *resp, int64_t group);
void blueprint_versions(struct app *app, struct req *req, struct resp *resp, int64_t group);
/* POST {id}/blueprint: all of it; {id}/commands: one command more; {id}/restore: an older version.
 */
void blueprint_post(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp, int64_t group);
void blueprint_command(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp, int64_t group);
void blueprint_restore(struct app *app, struct req *req, const struct caller *caller,
                       struct resp *resp, int64_t group);
/* How far a device is with a command of a group; of_order: as one of the command's devices. */
js device_order_json(const struct standing_progress *x, bool of_order);

#endif
