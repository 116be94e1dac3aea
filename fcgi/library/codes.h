/* codes.h: redemption codes as people bring them: a text with one code a line. */
#ifndef DROVER_LIBRARY_CODES_H
#define DROVER_LIBRARY_CODES_H

#include "base/conf.h"
#include "store/db.h"

#define CODES_MAX 10000u /* of one upload */

/* Reads the codes, seals each, and adds them to an app: the first column of each line, where
 * columns are parted by tab, comma or semicolon; empty lines, lines that begin with #, and a title
 * "code" are passed over. A code that is there already, or twice in the text, is counted in *known,
 * the others in *added. INVALID, with the number of the line: no code, too many; NOT_FOUND: no such
 * app; ERROR: the key to seal with cannot be read. */
enum outcome codes_add(struct db *db, const struct conf *conf, struct arena *a, int64_t item_id,
                       struct bytes text, const char *actor, int64_t now, size_t *added,
                       size_t *known, struct err *err) MUST_USE;

#endif
