/* result.h: the ids of a path, and NanoMDM's APIResult, which tells what became of each. */
#ifndef DROVER_API_RESULT_H
#define DROVER_API_RESULT_H

#include "api/api.h"
#include "command/send.h"

/* The ids of a path: what follows prefix, split at commas, escaped ones too, each decoded. No id at
 * all is an error that concerns all (s->command_error, s->push_error). False: resp holds the
 * refusal. */
bool result_targets_path(struct req *req, struct resp *resp, const char *prefix, struct sending *s);
/* The ids of a JSON list, of which there must be one. */
bool result_targets_list(struct req *req, struct resp *resp, js body, struct sending *s);

/* The particulars of the queue in a body: priority, push, not_before, expires_at, dedupe_key,
 * dedupe. False: resp holds the refusal. */
bool result_particulars(struct req *req, struct resp *resp, js body, struct sending *s);

/* send_run(), then result_answer(); reasoned: a sensitive command without a reason is refused. */
void result_run(struct app *app, struct req *req, const struct caller *caller, struct resp *resp,
                struct sending *s, bool reasoned);
/* 200 without errors, 207 when some ids have one, 500 when all do or something concerns them all
 * (503 when the database is away). */
void result_answer(struct resp *resp, const struct sending *s);

#endif
