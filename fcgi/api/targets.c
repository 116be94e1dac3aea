/* targets.c: the enrollments that a call names. */
#include "api/send.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "wire/encode.h"

#include <stdlib.h>
#include <strings.h>

#define NO_ID "not an enrollment id: empty, too long, badly escaped or with control characters"

static bool id_valid(const char *id)
{
    size_t n = strlen(id);

    if (n == 0 || n > LIM_IDENT || !utf8_valid(bytes_str(id)))
        return false;
    for (const unsigned char *p = (const unsigned char *)id; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

/* What an answer can hold, of an id that is not UTF-8. */
static const char *cleaned(struct req *req, const char *id)
{
    struct buf b = BUF_INIT(LIM_PATH * 3);
    char *copy;

    if (utf8_valid(bytes_str(id)))
        return id;
    utf8_clean_add(&b, bytes_str(id));
    copy = arena_strdup(req->arena, buf_cstr(&b));
    buf_free(&b);
    return copy != NULL ? copy : "";
}

static void add(struct req *req, struct send *s, const char *id)
{
    struct target *t = &s->targets[s->n++];

    *t = (struct target){.id = cleaned(req, id)};
    if (!id_valid(id))
        t->push_error = t->command_error = NO_ID;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct target *)a)->id, ((const struct target *)b)->id);
}

/* In the order of the answer, each once. */
static void sort(struct send *s)
{
    size_t k = 0;

    qsort(s->targets, s->n, sizeof(s->targets[0]), by_id);
    for (size_t i = 0; i < s->n; i++)
        if (k == 0 || strcmp(s->targets[k - 1].id, s->targets[i].id) != 0)
            s->targets[k++] = s->targets[i];
    s->n = k;
}

static bool make_room(struct req *req, struct resp *resp, size_t n, struct send *s)
{
    s->n = 0;
    s->targets = arena_array(req->arena, n + 1, sizeof(s->targets[0]));
    if (s->targets == NULL)
        resp_json_error(resp, 500, "no memory for %zu ids", n);
    return s->targets != NULL;
}

/* The length of the separator at p, 0 for none. */
static size_t separator(const char *p)
{
    return *p == ',' ? 1 : strncasecmp(p, "%2c", 3) == 0 ? 3 : 0;
}

bool send_targets_path(struct req *req, struct resp *resp, const char *prefix, struct send *s)
{
    const char *p = req->path + strlen(prefix), *from;
    size_t n = 1;

    for (const char *q = p; *q != '\0'; q++)
        n += separator(q) > 0;
    if (!make_room(req, resp, n, s))
        return false;
    if (*p == '\0') { /* no id at all */
        s->push_error = s->command_error = "no enrollment ids in the path";
        return true;
    }
    for (size_t sep; p != NULL; p = from) {
        size_t len = 0;
        char *id;

        while (p[len] != '\0' && separator(p + len) == 0)
            len++;
        sep = separator(p + len);
        from = p[len] != '\0' ? p + len + sep : NULL;
        if (url_decode(req->arena, bytes_of(p, len), false, &id) != OK)
            id = arena_strndup(req->arena, p, len); /* its '%' makes it no id: see id_valid() */
        add(req, s, id != NULL ? id : "");
    }
    sort(s);
    return true;
}

bool send_targets_list(struct req *req, struct resp *resp, const char *const *ids, size_t n,
                       struct send *s)
{
    if (!make_room(req, resp, n, s))
        return false;
    for (size_t i = 0; i < n; i++)
        add(req, s, ids[i]);
    sort(s);
    return true;
}
