/* app_file.h: what an app's file says of itself: an .ipa (zip with Payload/NAME.app/Info.plist) or
 * a .pkg (xar with PackageInfo or Distribution). */
#ifndef DROVER_LIBRARY_APP_FILE_H
#define DROVER_LIBRARY_APP_FILE_H

#include "base/arena.h"

struct app_file {
    bool pkg;
    const char *bundle_id, *version; /* CFBundleVersion, or the package's */
    const char *short_version;       /* CFBundleShortVersionString; "" */
    const char *name;                /* for people */
    const char *minimum_os;          /* MinimumOSVersion; "" */
    unsigned platforms;              /* bits 1 << enum platform */
};
/* Reads the file at path. INVALID: neither of the two, or it lacks identifier or version;
 * NOT_FOUND: no such file; ERROR. Texts are in the arena. */
enum outcome app_file_read(struct arena *a, const char *path, struct app_file *out,
                           struct err *err) MUST_USE;
/* The same of files that were taken out of the archive. */
struct archive_file;
enum outcome app_file_judge(struct arena *a, const struct archive_file *f, size_t n,
                            struct app_file *out, struct err *err) MUST_USE;

#endif
