/*
 * archive.h: looking into archives that somebody else made (zip, xar), the only user of libarchive.
 * It is done in a process of its own, under ceilings of memory, time and octets: what unpacks to
 * more than it should ends that process and nothing else.
 */
#ifndef DROVER_WIRE_ARCHIVE_H
#define DROVER_WIRE_ARCHIVE_H

#include "base/arena.h"

#define ARCHIVE_ENTRIES_MAX 200000u
#define ARCHIVE_NAME_MAX 4096u
#define ARCHIVE_FOUND_MAX (4u * 1024u * 1024u) /* octets of what is looked for */
#define ARCHIVE_FILES_MAX 16u

struct archive_file {
    const char *name;
    struct bytes content;
};

/* Finds the files whose names match one of the patterns of fnmatch(3) (a '/' is matched by a '/'
 * alone; the list ends with NULL), at most ARCHIVE_FILES_MAX, in the arena. INVALID: no archive,
 * one that is damaged, a name that leads out of it ("..", absolute), too many entries, or more
 * memory, time or octets than is good; NOT_FOUND: none matches, or the file is not there; ERROR. */
enum outcome archive_find(struct arena *a, const char *path, const char *const *patterns,
                          struct archive_file *out, size_t *n, struct err *err) MUST_USE;

#endif
