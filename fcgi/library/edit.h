/* edit.h: what people change of an item of the library: for the HTTP API and droverctl. */
#ifndef DROVER_LIBRARY_EDIT_H
#define DROVER_LIBRARY_EDIT_H

#include "store/library.h"
#include "wire/json.h"

/* Reads an id as it stands in JSON and on command lines: a decimal number. False: it is none. */
bool library_id_read(const char *s, int64_t *out);

/* Changes an item by an object: name, version, after (an id as a string, or null), after_passcode,
 * wave_first, halt_percent, of a profile signing and encrypt, of an app settings
 * (library/apps.h), feedback_hours, feedback_delete, update_hours and codes_low. Devices that have
 * an app get its changed Configuration, Attributes and ManagementFlags; the other settings count
 * where it is installed from then on. What is not there stays. On
 * success *item is as it is stored now. INVALID: an unknown key, a value that cannot be;
 * otherwise as library_change(). */
enum outcome library_edit(struct db *db, struct arena *a, struct library_item *item, js changes,
                          const char *actor, int64_t now, struct err *err) MUST_USE;

#endif
