/* ident.c: see ident.h. */
#include "store/ident.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

#define SHARED_IPAD_USER "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"

/* A name part that can stand in a column, a URL and a log line. */
static enum outcome part_check(const char *key, const char *s, bool colon, size_t max,
                               struct err *err)
{
    size_t n = strlen(s);

    if (n == 0 || n > max)
        return err_set(err, INVALID, "%s has %zu octets; 1 to %zu are allowed", key, n, max);
    if (!utf8_valid(bytes_str(s)))
        return err_set(err, INVALID, "%s is not valid UTF-8", key);
    for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f || (*p == ':' && !colon))
            return err_set(err, INVALID, "%s holds a character that is not allowed (0x%02x)", key,
                           *p);
    /* the database compares texts as if blanks at their end were not there */
    if (s[0] == ' ' || s[n - 1] == ' ')
        return err_set(err, INVALID, "%s begins or ends with a blank", key);
    return OK;
}

/* A name of another type is not a name that is missing: it would turn the message of a user into
 * one of the device. */
static enum outcome types_check(pl message, struct err *err)
{
    static const char *const keys[] = {"UDID",   "EnrollmentID",  "EnrollmentUserID",
                                       "UserID", "UserShortName", "UserLongName"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        pl node = pl_get(message, keys[i]);

        if (node != NULL && pl_str(node) == NULL)
            return err_set(err, INVALID, "%s is no string", keys[i]);
    }
    return OK;
}

/* Nor is half of a user's name. */
static enum outcome halves_check(const struct ident *id, const char *enrollment_user,
                                 struct err *err)
{
    if (id->udid != NULL && id->user_id == NULL && enrollment_user != NULL)
        return err_set(err, INVALID, "EnrollmentUserID and UDID came without UserID");
    if (id->udid == NULL && id->user_id != NULL && enrollment_user == NULL)
        return err_set(err, INVALID, "UserID and EnrollmentID came without EnrollmentUserID");
    return OK;
}

static enum outcome join(struct ident *out, const char *key, const char *user, struct err *err)
{
    enum outcome o;

    if (user == NULL)
        return err_set(err, INVALID, "%s is missing in a message of a user channel", key);
    o = part_check(key, user, true, LIM_IDENT - strlen(out->device) - 1, err);
    if (o == OK && (size_t)snprintf(out->name, sizeof(out->name), "%s:%s", out->device, user) >=
                       sizeof(out->name))
        o = err_set(err, INVALID, "UDID and %s together are too long", key);
    return o;
}

enum outcome ident_read(pl message, struct ident *out, struct err *err)
{
    const char *enrollment = pl_get_str(message, "EnrollmentID");
    const char *user = pl_get_str(message, "EnrollmentUserID");
    const char *device;
    enum outcome o = types_check(message, err);

    memset(out, 0, sizeof(*out));
    if (o != OK)
        return o;
    out->udid = pl_get_str(message, "UDID");
    out->user_id = pl_get_str(message, "UserID");
    out->user_short_name = pl_get_str(message, "UserShortName");
    out->user_long_name = pl_get_str(message, "UserLongName");
    device = out->udid != NULL ? out->udid : enrollment;
    if (device == NULL)
        return err_set(err, INVALID, "the message has neither UDID nor EnrollmentID");
    if ((o = halves_check(out, user, err)) != OK)
        return o;
    o = part_check(out->udid != NULL ? "UDID" : "EnrollmentID", device, false, LIM_UDID, err);
    if (o != OK)
        return o;
    snprintf(out->device, sizeof(out->device), "%s", device);
    snprintf(out->name, sizeof(out->name), "%s", device);
    if (out->udid == NULL) {
        out->kind = user != NULL ? IDENT_USER_ENROLLMENT : IDENT_USER_ENROLLMENT_DEVICE;
        out->user_id = user;
        return user != NULL ? join(out, "EnrollmentUserID", user, err) : OK;
    }
    if (out->user_id == NULL) {
        out->kind = IDENT_DEVICE;
        return OK;
    }
    if (strcmp(out->user_id, SHARED_IPAD_USER) == 0) {
        out->kind = IDENT_SHARED_IPAD;
        return join(out, "UserShortName", out->user_short_name, err);
    }
    out->kind = IDENT_USER;
    return join(out, "UserID", out->user_id, err);
}

const char *ident_kind_name(int kind)
{
    static const char *const name[] = {
        "?", "Device", "User", "Shared iPad", "User Enrollment (Device)", "User Enrollment"};

    return kind >= 1 && kind <= 5 ? name[kind] : name[0];
}
