/* plist_json.h: a device's answer as JSON. */
#ifndef DROVER_COMMAND_PLIST_JSON_H
#define DROVER_COMMAND_PLIST_JSON_H

#include "base/arena.h"
#include "wire/json.h"
#include "wire/plist.h"

/* The value as JSON: data becomes base64, a date RFC 3339. Keys stand in the order of their octets,
 * so that two answers that say the same give the same text. Data of more than
 * PLIST_JSON_DATA_MAX octets becomes {"octets": n, "sha256": "..."}. a: scratch memory. The caller
 * frees it. */
#define PLIST_JSON_DATA_MAX (64u * 1024u)
js plist_json(pl node, struct arena *a);
/* The same in the form that command_build() takes, whatever the catalogue says of a key: data and
 * dates as {"$data": ...} and {"$date": ...}, and data whole. */
js plist_json_keys(pl node, struct arena *a);
/* plist_json() as compact text in a; NULL: no memory, or longer than max. */
const char *plist_json_text(pl node, size_t max, struct arena *a);

#endif
