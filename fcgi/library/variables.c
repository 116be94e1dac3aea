/* variables.c: see variables.h. */
#include "library/variables.h"

#include "base/limits.h"

#include <ctype.h>

static const struct {
    const char *name, *about;
    size_t at; /* in struct enrollment; 0 with the first: see value_of() */
} known[] = {
    {"SerialNumber", "serial number", offsetof(struct enrollment, serial)},
    {"UDID", "UDID", offsetof(struct enrollment, udid)},
    {"EnrollmentID", "enrollment id", offsetof(struct enrollment, ident)},
    {"DeviceName", "name of the device", offsetof(struct enrollment, device_name)},
    {"ProductName", "kind of device, as iPhone14,2", offsetof(struct enrollment, product_name)},
    {"Model", "model number", offsetof(struct enrollment, model)},
    {"ModelName", "kind of device, as iPhone", offsetof(struct enrollment, model_name)},
    {"OSVersion", "version of the system", offsetof(struct enrollment, os_version)},
    {"BuildVersion", "build of the system", offsetof(struct enrollment, build_version)},
    {"IMEI", "IMEI", offsetof(struct enrollment, imei)},
    {"MEID", "MEID", offsetof(struct enrollment, meid)},
    {"UserID", "identifier of the user", offsetof(struct enrollment, user_id)},
    {"UserShortName", "login name of the user", offsetof(struct enrollment, user_short_name)},
    {"UserLongName", "full name of the user", offsetof(struct enrollment, user_long_name)},
    {"Organization", "[server] organization of the configuration", SIZE_MAX},
};
#define NKNOWN (sizeof known / sizeof *known)

const char *variable_name(size_t i)
{
    return i < NKNOWN ? known[i].name : NULL;
}

const char *variable_about(size_t i)
{
    return i < NKNOWN ? known[i].about : NULL;
}

/* The variable that begins at text, which is a percent sign; -1: none. *n: its octets. */
static int variable_at(const char *text, size_t *n)
{
    size_t len = 1;

    while (isalpha((unsigned char)text[len]))
        len++;
    *n = len + 1;
    if (len == 1 || text[len] != '%')
        return -1;
    for (size_t i = 0; i < NKNOWN; i++)
        if (strlen(known[i].name) == len - 1 && memcmp(known[i].name, text + 1, len - 1) == 0)
            return (int)i;
    return -1;
}

static void note_stranger(const char *p, size_t len, char *stranger, size_t n)
{
    if (n == 0 || stranger[0] != '\0' || !isupper((unsigned char)p[1]) || p[len - 1] != '%' ||
        len < 4 || len >= n)
        return;
    memcpy(stranger, p, len);
    stranger[len] = '\0';
}

unsigned variables_in(const char *text, char *stranger, size_t n)
{
    unsigned found = 0;

    if (n > 0)
        stranger[0] = '\0';
    for (const char *p = strchr(text, '%'); p != NULL;) {
        size_t len;
        int i = variable_at(p, &len);

        if (i >= 0)
            found |= 1u << i;
        else
            note_stranger(p, len, stranger, n);
        p = strchr(p + (i >= 0 ? len : 1), '%');
    }
    return found;
}

static bool used_entry(const char *key, pl value, void *arg)
{
    (void)key;
    *(unsigned *)arg |= variables_used(value);
    return true;
}

unsigned variables_used(pl root)
{
    unsigned found = 0;

    switch (pl_type_of(root)) {
    case PL_STRING:
        return variables_in(pl_str(root), NULL, 0);
    case PL_ARRAY:
        for (size_t i = 0; i < pl_size(root); i++)
            found |= variables_used(pl_at(root, i));
        return found;
    case PL_DICT:
        pl_each(root, used_entry, &found);
        return found;
    default:
        return 0;
    }
}

void variables_of(const struct enrollment *e, const char *organization, struct variables *out)
{
    *out = (struct variables){0};
    for (size_t i = 0; i < NKNOWN; i++) {
        const char *s = known[i].at == SIZE_MAX
                            ? organization
                            : *(const char *const *)((const char *)e + known[i].at);

        out->value[i] = s != NULL ? s : "";
    }
}

struct fill {
    const struct variables *v;
    size_t left; /* octets of text that may still be written */
    struct err *err;
    enum outcome o;
    pl dict; /* being filled */
};

static pl fill_node(struct fill *f, pl node);

static pl fill_fail(struct fill *f, enum outcome o, const char *what)
{
    if (f->o == OK)
        f->o = err_set(f->err, o, "%s", what);
    return NULL;
}

static pl fill_string(struct fill *f, const char *text)
{
    struct buf b = BUF_INIT(f->left);
    pl node;

    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, "%"), len = 1;
        int i;

        buf_add(&b, p, n);
        p += n;
        if (*p == '\0')
            break;
        i = variable_at(p, &len);
        if (i >= 0 && f->v->value[i][0] == '\0') {
            if (f->o == OK)
                f->o = err_set(f->err, NOT_FOUND, "the device has no %s, which is needed here",
                               known[i].name);
            break;
        }
        if (i >= 0)
            buf_str(&b, f->v->value[i]);
        else
            buf_char(&b, '%');
        p += i >= 0 ? len : 1;
    }
    if (buf_failed(&b))
        fill_fail(f, INVALID, "the text is too long with this device's values");
    f->left -= f->o == OK ? b.len : 0;
    node = f->o == OK ? pl_new_str(buf_cstr(&b)) : NULL;
    buf_wipe(&b);
    return node;
}

static bool fill_entry(const char *key, pl value, void *arg)
{
    struct fill *f = arg;
    pl dict = f->dict, v = fill_node(f, value);

    f->dict = dict;
    if (v != NULL)
        pl_set(dict, key, v);
    return f->o == OK;
}

static pl fill_node(struct fill *f, pl node)
{
    pl out;

    switch (pl_type_of(node)) {
    case PL_STRING:
        return fill_string(f, pl_str(node));
    case PL_ARRAY:
        out = pl_new_array();
        for (size_t i = 0; f->o == OK && i < pl_size(node); i++) {
            pl v = fill_node(f, pl_at(node, i));

            if (v != NULL)
                pl_append(out, v);
        }
        return out;
    case PL_DICT:
        out = f->dict = pl_new_dict();
        pl_each(node, fill_entry, f);
        return out;
    default:
        out = pl_copy(node);
        return out != NULL ? out : fill_fail(f, ERROR, "out of memory");
    }
}

enum outcome variables_fill(pl root, const struct variables *v, size_t max, pl *out,
                            struct err *err)
{
    struct fill f = {.v = v, .left = max, .err = err};

    *out = fill_node(&f, root);
    if (f.o == OK && *out == NULL)
        fill_fail(&f, ERROR, "out of memory");
    if (f.o != OK)
        pl_free(out);
    return f.o;
}
