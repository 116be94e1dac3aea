/* queries.c: see queries.h. */
#include "command/queries.h"

#include "base/limits.h"

static cat query_row(const char *name)
{
    cat item = catalogue_path(catalogue_find("DeviceInformation"), "Queries[]");

    return name != NULL ? catalogue_value(item, name) : NULL;
}

bool queries_unsaid(pl root)
{
    pl command = pl_get(root, "Command"), list = pl_get(command, "Queries");
    const char *type = pl_get_str(command, "RequestType");

    return type != NULL && strcmp(type, "DeviceInformation") == 0 &&
           (list == NULL || (pl_type_of(list) == PL_ARRAY && pl_size(list) == 0));
}

static bool answered(cat row, const struct device_facts *f)
{
    struct catalogue_support s;

    if (row == NULL || f->platform == PLATFORM_UNKNOWN)
        return true;
    s = catalogue_support(row, f->platform);
    if (s.introduced == VERSION_NEVER ||
        (f->version != 0 &&
         (f->version < s.introduced || (s.removed != 0 && f->version >= s.removed))))
        return false;
    if (f->rights >= 0 && !right_held((unsigned)f->rights, s.right))
        return false;
    if ((s.supervised && f->supervised == SAYS_NO) ||
        (s.user_enrolment == MODE_FORBIDDEN && f->user_enrolment == SAYS_YES) ||
        (s.shared == MODE_REQUIRED && f->shared_ipad == SAYS_NO))
        return false;
    return f->user_channel ? f->platform == PLATFORM_IOS ? s.shared_user : s.user : s.device;
}

static void ask_for_all(pl command, const struct device_facts *f)
{
    cat item = catalogue_path(catalogue_find("DeviceInformation"), "Queries[]");
    pl list = pl_new_array();

    for (cat row = catalogue_first(item); row != NULL; row = catalogue_next(row)) {
        /* one wants a nonce, and takes the device a while and Apple's servers */
        bool costly = strcmp(catalogue_name(row), "DevicePropertiesAttestation") == 0;

        if (catalogue_kind(row) == CATALOGUE_VALUE && !costly && answered(row, f))
            pl_append(list, pl_new_str(catalogue_name(row)));
    }
    pl_remove(command, "Queries");
    pl_set(command, "Queries", list);
}

enum outcome queries_choose(pl root, const struct device_facts *facts, bool all, struct arena *a,
                            const char **dropped, struct err *err)
{
    pl command = pl_get(root, "Command"), asked = pl_get(command, "Queries"), kept;
    struct buf text = BUF_INIT(LIM_BODY_FORM);
    js left_out;
    enum outcome o = OK;

    *dropped = NULL;
    if (all) {
        ask_for_all(command, facts);
        return OK;
    }
    if (pl_type_of(asked) != PL_ARRAY)
        return OK;
    kept = pl_new_array();
    left_out = js_array();
    for (size_t i = 0; i < pl_size(asked); i++) {
        const char *name = pl_str(pl_at(asked, i));

        if (answered(query_row(name), facts))
            pl_append(kept, pl_copy(pl_at(asked, i)));
        else
            js_append(left_out, js_new_str(name));
    }
    if (js_size(left_out) > 0 && js_size(left_out) < pl_size(asked)) {
        o = js_write(left_out, false, &text);
        *dropped = o == OK ? arena_strdup(a, buf_cstr(&text)) : NULL;
        if (*dropped == NULL)
            o = err_set(err, ERROR, "out of memory");
        pl_remove(command, "Queries");
        pl_set(command, "Queries", kept);
    } else {
        pl_free(&kept); /* all or nothing: the check tells why */
    }
    js_free(&left_out);
    buf_free(&text);
    return o;
}
