/* standing.h: commands of groups and whole blueprints, from what people write to what is stored:
 * for the HTTP API, the console and droverctl. */
#ifndef DROVER_LIBRARY_STANDING_H
#define DROVER_LIBRARY_STANDING_H

#include "base/conf.h"
#include "command/validate.h"
#include "store/blueprint.h"
#include "wire/json.h"

#define STANDING_SECRET "(secret)" /* stands for one in the keys that are shown */

/* A command as it is written. */
struct standing_put {
    int64_t group_id;
    const char *request_type;
    js keys; /* an object; NULL: none */
    const char *policy;
    int64_t every_days;
    const char *reason; /* NULL: none */
};
/* Checks it as far as that can be done for devices that are not known yet, and makes *out of it, in
 * the arena, with its secrets sealed. INVALID says what is wrong, found->list of the keys; among
 * that: ClearPasscode, which needs a leave for each device, and a sensitive command without a
 * reason. ERROR: the key to seal with cannot be read. */
enum outcome standing_make(struct db *db, const struct conf *conf, struct arena *a,
                           const struct standing_put *p, struct standing *out,
                           struct findings *found, struct err *err) MUST_USE;
/* Whether it is a sensitive command: command_sensitive(). */
bool standing_sensitive(struct db *db, const struct conf *conf, struct arena *a,
                        const struct standing *s);

/* blueprint_save(), and where two persons are asked for, a second one is asked about each sensitive
 * command that is put in force, brought back among them. */
enum outcome blueprint_put(struct db *db, const struct conf *conf, struct arena *a,
                           struct blueprint_save *s, struct err *err) MUST_USE;

/* Whether a blueprint has sensitive commands that are not in force yet: what asks for more rights.
 */
enum outcome blueprint_sensitive(struct db *db, const struct conf *conf, struct arena *a,
                                 const struct blueprint *b, const struct standing *add, size_t nadd,
                                 bool *sensitive, struct err *err) MUST_USE;
/* Whether a device that comes into the group (or, group_id 0, into those that find their devices by
 * that tag) gets a sensitive command by that: who brings it there sends it. */
enum outcome standing_harms(struct db *db, const struct conf *conf, struct arena *a,
                            int64_t group_id, const char *tag, bool *harms,
                            struct err *err) MUST_USE;

#endif
