/* app_file.c: see app_file.h. */
#include "library/app_file.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "command/platform.h"
#include "wire/archive.h"
#include "wire/plist.h"

#include <stdio.h>

static const char *copy(struct arena *a, const char *s)
{
    return arena_strdup(a, s != NULL ? s : "");
}

/* An identifier or version as it may stand in commands and lists. */
static bool word_valid(const char *s)
{
    if (s == NULL || s[0] == '\0' || strlen(s) > LIM_IDENT || !utf8_valid(bytes_str(s)))
        return false;
    for (; *s != '\0'; s++)
        if ((unsigned char)*s <= 0x20 || *s == 0x7f || strchr("&<>", *s))
            return false;
    return true;
}

static unsigned platforms_of(pl info)
{
    static const struct {
        const char *word;
        enum platform platform;
    } known[] = {{"iPhoneOS", PLATFORM_IOS},
                 {"AppleTVOS", PLATFORM_TVOS},
                 {"XROS", PLATFORM_VISIONOS},
                 {"WatchOS", PLATFORM_WATCHOS},
                 {"MacOSX", PLATFORM_MACOS}};
    pl list = pl_get(info, "CFBundleSupportedPlatforms");
    unsigned bits = 0;

    for (size_t i = 0; i < pl_size(list); i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (pl_str(pl_at(list, i)) && strcmp(pl_str(pl_at(list, i)), known[k].word) == 0)
                bits |= 1u << known[k].platform;
    return bits != 0 ? bits : 1u << PLATFORM_IOS;
}

static enum outcome info_read(struct arena *a, struct bytes text, struct app_file *out,
                              struct err *err)
{
    pl info = NULL;
    enum outcome o = pl_parse(text, &info, err);

    if (o != OK)
        return err_prefix(err, "Info.plist");
    const char *name = pl_get_str(info, "CFBundleDisplayName");
    *out =
        (struct app_file){.bundle_id = copy(a, pl_get_str(info, "CFBundleIdentifier")),
                          .version = copy(a, pl_get_str(info, "CFBundleVersion")),
                          .short_version = copy(a, pl_get_str(info, "CFBundleShortVersionString")),
                          .name = copy(a, name ? name : pl_get_str(info, "CFBundleName")),
                          .minimum_os = copy(a, pl_get_str(info, "MinimumOSVersion")),
                          .platforms = platforms_of(info)};
    pl_free(&info);
    return OK;
}

/* The value of an attribute in the tag that begins at `tag`, in the arena; NULL: it has none. Only
 * what stands between the tag's angle brackets is looked at. */
static const char *attribute(struct arena *a, const char *tag, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = tag; *p != '\0' && *p != '>'; p++) {
        if (*p == '"' || *p == '\'') { /* a value: skip it */
            const char *end = strchr(p + 1, *p);

            if (end == NULL)
                return NULL;
            p = end;
            continue;
        }
        if ((p == tag || strchr(" \t\r\n", p[-1])) && strncmp(p, name, n) == 0 && p[n] == '=' &&
            (p[n + 1] == '"' || p[n + 1] == '\'')) {
            const char *from = p + n + 2, *end = strchr(from, p[n + 1]);

            return end != NULL ? arena_strndup(a, from, (size_t)(end - from)) : NULL;
        }
    }
    return NULL;
}

/* The first tag of that name that is not in a comment. */
static const char *tag_find(const char *xml, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = strchr(xml, '<'); p != NULL; p = strchr(p + 1, '<')) {
        if (strncmp(p, "<!--", 4) == 0 && (p = strstr(p + 4, "-->")) == NULL)
            return NULL;
        if (strncmp(p + 1, name, n) == 0 && strchr(" \t\r\n", p[1 + n]) && p[1 + n] != '\0')
            return p + 1;
    }
    return NULL;
}

static enum outcome package_read(struct arena *a, struct bytes text, struct app_file *out,
                                 struct err *err)
{
    const char *xml = arena_strndup(a, (const char *)text.p, text.n), *tag;
    const char *id = NULL, *version = NULL;

    if (xml == NULL)
        return err_set(err, ERROR, "out of memory");
    if ((tag = tag_find(xml, "pkg-info")) != NULL) {
        id = attribute(a, tag, "identifier");
        version = attribute(a, tag, "version");
    } else if ((tag = tag_find(xml, "product")) != NULL ||
               (tag = tag_find(xml, "pkg-ref")) != NULL) {
        id = attribute(a, tag, "id");
        version = attribute(a, tag, "version");
    }
    *out = (struct app_file){.pkg = true,
                             .bundle_id = copy(a, id),
                             .version = copy(a, version),
                             .short_version = "",
                             .name = copy(a, id),
                             .minimum_os = "",
                             .platforms = 1u << PLATFORM_MACOS};
    return OK;
}

enum outcome app_file_judge(struct arena *a, const struct archive_file *f, size_t n,
                            struct app_file *out, struct err *err)
{
    const struct archive_file *best = NULL;
    enum outcome o;

    for (size_t i = 0; i < n; i++) /* a product archive's Distribution names the whole */
        if (best == NULL || strcmp(f[i].name, "Distribution") == 0)
            best = &f[i];
    if (best == NULL)
        return err_set(err, INVALID,
                       "neither Payload/NAME.app/Info.plist nor PackageInfo is in it");
    if (n > 1 && strncmp(f[0].name, "Payload/", 8) == 0)
        return err_set(err, INVALID, "there are several apps in it");
    o = strncmp(best->name, "Payload/", 8) == 0 ? info_read(a, best->content, out, err)
                                                : package_read(a, best->content, out, err);
    if (o != OK)
        return o;
    if (out->version == NULL || out->bundle_id == NULL || out->name == NULL)
        return err_set(err, ERROR, "out of memory");
    if (out->version[0] == '\0')
        out->version = out->short_version;
    if (!word_valid(out->bundle_id) || !word_valid(out->version))
        return err_set(err, INVALID, "%s names no bundle identifier or version of the app",
                       best->name);
    if (out->name[0] == '\0' || strlen(out->name) > LIM_IDENT)
        out->name = out->bundle_id;
    return OK;
}

enum outcome app_file_read(struct arena *a, const char *path, struct app_file *out, struct err *err)
{
    static const char *const patterns[] = {"Payload/*.app/Info.plist", "PackageInfo",
                                           "*.pkg/PackageInfo", "Distribution", NULL};
    struct archive_file f[ARCHIVE_FILES_MAX];
    size_t n = 0;
    enum outcome o = archive_find(a, path, patterns, f, &n, err);

    if (o == NOT_FOUND && n == 0 && err->outcome == NOT_FOUND)
        err->outcome = o = INVALID;
    return o == OK ? app_file_judge(a, f, n, out, err) : o;
}
