/*
 * raw_edit.h: a profile as the text that people edit. Secrets are not in it: a mark stands in their
 * place, and where the mark is still there afterwards the secret is put back.
 */
#ifndef DROVER_LIBRARY_RAW_EDIT_H
#define DROVER_LIBRARY_RAW_EDIT_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/plist.h"

#define RAW_KEPT "[[secret kept]]" /* the mark */

/* Adds a profile, signed or not, as XML without its secrets. *kept: how many there are. INVALID: it
 * is no property list; ERROR: memory. */
enum outcome raw_text(struct arena *a, struct bytes file, struct buf *out, size_t *kept,
                      struct err *err) MUST_USE;
/* The profile that a text is, as XML; old: the file whose secrets are put back. The caller wipes
 * out. INVALID: the text is no property list (the message tells the line), or there is a mark where
 * old has no secret. */
enum outcome raw_apply(struct arena *a, struct bytes text, struct bytes old, struct buf *out,
                       struct err *err) MUST_USE;
/* The line on which what a path names begins ("PayloadContent[0].SSID_STR"), or the next above it
 * that is there; 0: none. The text must be one that raw_apply() took. */
size_t raw_line(struct bytes text, const char *path);

#endif
