/* raw.c: see raw.h. */
#include "command/raw.h"

#include "base/limits.h"
#include "base/uuid.h"
#include "store/queue_state.h"
#include "wire/plist.h"

#include <ctype.h>

static enum outcome uuid_check(pl root, const char **out, struct err *err)
{
    pl node = pl_get(root, "CommandUUID");
    const char *s = pl_str(node);
    size_t n = s != NULL ? strlen(s) : 0;

    *out = s;
    if (node == NULL)
        return err_set(err, INVALID, "the command has no CommandUUID");
    if (s == NULL)
        return err_set(err, INVALID, "CommandUUID is of type %s; it must be a string",
                       pl_type_name(pl_type_of(node)));
    if (n == 0)
        return err_set(err, INVALID, "empty CommandUUID");
    if (n > LIM_COMMAND_UUID)
        return err_set(err, INVALID, "CommandUUID has %zu octets; at most %u are allowed", n,
                       LIM_COMMAND_UUID);
    for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return err_set(err, INVALID, "CommandUUID holds a control character (0x%02x)", *p);
    return OK;
}

static enum outcome type_check(pl command, const char **out, struct err *err)
{
    pl node = pl_get(command, "RequestType");
    const char *s = pl_str(node);
    size_t n = s != NULL ? strlen(s) : 0;

    *out = s;
    if (node == NULL)
        return err_set(err, INVALID, "the command has no RequestType");
    if (s == NULL)
        return err_set(err, INVALID, "RequestType is of type %s; it must be a string",
                       pl_type_name(pl_type_of(node)));
    if (n == 0)
        return err_set(err, INVALID, "empty RequestType");
    if (n > RAW_REQUEST_TYPE_MAX)
        return err_set(err, INVALID, "RequestType has %zu octets; at most %u are allowed", n,
                       RAW_REQUEST_TYPE_MAX);
    for (const char *p = s; *p != '\0'; p++)
        if (!isascii((unsigned char)*p) ||
            (!isalnum((unsigned char)*p) && strchr(".-_", *p) == NULL))
            return err_set(err, INVALID,
                           "RequestType holds other characters than letters, digits, "
                           "'.', '-' and '_'");
    return OK;
}

/* Characters that the XML form cannot hold: the device would be sent U+FFFD in their place. */
static bool text_changes(const char *s)
{
    for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++)
        if ((*p < 0x20 && strchr("\t\n\r", *p) == NULL) ||
            (*p == 0xef && p[1] == 0xbf && p[2] >= 0xbe)) /* U+FFFE, U+FFFF */
            return true;
    return false;
}

struct fitting {
    enum outcome o;
    struct err *err;
};

/* False: it was found, and said in err. */
static bool text_fits(const char *key, pl node, void *arg)
{
    struct fitting *f = arg;

    if (text_changes(key) || (pl_str(node) != NULL && text_changes(pl_str(node))))
        f->o = err_set(f->err, INVALID, "%.64s holds control characters", key);
    else if (pl_type_of(node) == PL_DICT)
        pl_each(node, text_fits, f);
    else if (pl_type_of(node) == PL_ARRAY)
        for (size_t i = 0; f->o == OK && i < pl_size(node); i++)
            text_fits(key, pl_at(node, i), f);
    return f->o == OK;
}

static enum outcome texts_check(pl root, struct err *err)
{
    struct fitting f = {OK, err};

    pl_each(root, text_fits, &f);
    return f.o;
}

static enum outcome finish(struct arena *a, pl root, struct raw_command *out, struct err *err)
{
    struct buf xml = BUF_INIT(RAW_COMMAND_MAX);
    pl command = pl_get(root, "Command");
    struct bytes copy;
    enum outcome o;

    out->fill =
        strcmp(out->request_type, "ClearPasscode") == 0 && pl_get(command, "UnlockToken") == NULL
            ? COMMAND_FILL_UNLOCK_TOKEN
            : 0;
    o = pl_to_xml(root, &xml);
    if (o != OK) {
        buf_wipe(&xml);
        return err_set(err, INVALID, "the command is longer than %u octets in its XML form",
                       RAW_COMMAND_MAX);
    }
    copy = arena_bytes(a, buf_bytes(&xml));
    buf_wipe(&xml); /* it may hold an UnlockToken, a PIN, a password */
    out->xml = copy;
    if (strcmp(out->request_type, "RemoveProfile") == 0 &&
        pl_get_str(command, "Identifier") != NULL &&
        (out->removes = arena_strdup(a, pl_get_str(command, "Identifier"))) == NULL)
        return err_set(err, ERROR, "out of memory");
    out->uuid = arena_strdup(a, out->uuid);
    out->request_type = arena_strdup(a, out->request_type);
    if (copy.p == NULL || out->uuid == NULL || out->request_type == NULL)
        return err_set(err, ERROR, "out of memory");
    return OK;
}

enum outcome raw_command_read(struct arena *a, struct bytes body, struct raw_command *out,
                              struct err *err)
{
    pl root = NULL;
    enum outcome o;

    memset(out, 0, sizeof(*out));
    if (body.n == 0)
        return err_set(err, INVALID, "the command is empty");
    o = pl_parse(body, &root, err);
    if (o == OK && pl_type_of(root) != PL_DICT)
        o = err_set(err, INVALID, "the command is of type %s; it must be a dictionary",
                    pl_type_name(pl_type_of(root)));
    if (o == OK)
        o = uuid_check(root, &out->uuid, err);
    if (o == OK && pl_type_of(pl_get(root, "Command")) != PL_DICT)
        o = err_set(err, INVALID, "the command has no dictionary Command");
    if (o == OK)
        o = type_check(pl_get(root, "Command"), &out->request_type, err);
    if (o == OK)
        o = texts_check(root, err);
    if (o == OK)
        o = finish(a, root, out, err);
    pl_free(&root);
    return o;
}

enum outcome raw_command_simple(struct arena *a, const char *request_type, struct raw_command *out,
                                struct err *err)
{
    pl root = pl_new_dict(), command = pl_new_dict();
    char uuid[UUID_LEN + 1];
    enum outcome o;

    memset(out, 0, sizeof(*out));
    uuid_v4(uuid);
    pl_set_str(root, "CommandUUID", uuid);
    pl_set_str(command, "RequestType", request_type);
    pl_set(root, "Command", command);
    out->uuid = uuid;
    o = type_check(command, &out->request_type, err);
    if (o == OK)
        o = finish(a, root, out, err);
    pl_free(&root);
    return o;
}
