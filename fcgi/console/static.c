/*
 * static.c: style, script and icon. Their addresses hold a digest of their content, so that a
 * browser keeps them for a year and still sees a new version at once.
 */
#include "console/remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "wire/encode.h"

#define ASSET_MAX (512u * LIM_KB)
#define DIGITS 12

static const struct {
    const char *stem, *extension, *type;
} FILES[ASSETS] = {{"console", "css", "text/css; charset=utf-8"},
                   {"console", "js", "text/javascript; charset=utf-8"},
                   {"icon", "svg", "image/svg+xml"}};

static enum outcome asset_read(const char *share, enum asset_name i, struct asset *a,
                               struct err *err)
{
    char path[4096], hex[SHA256_HEX_LEN + 1];
    snprintf(path, sizeof path, "%s/htdocs/%s.%s", share, FILES[i].stem, FILES[i].extension);
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, ERROR, "%s: %s; [server] share_dir names its folder", path,
                       strerror(errno));
    a->type = FILES[i].type;
    a->data = malloc(ASSET_MAX);
    a->n = a->data ? fread(a->data, 1, ASSET_MAX, f) : 0;
    bool whole = a->data && !ferror(f) && a->n < ASSET_MAX;
    fclose(f);
    if (!whole)
        return err_set(err, ERROR, "%s: cannot be read, or is too long", path);
    char *less = realloc(a->data, a->n ? a->n : 1);
    a->data = less ? less : a->data;
    sha256_hex(bytes_of(a->data, a->n), hex);
    snprintf(a->url, sizeof a->url, "/static/%s.%.*s.%s", FILES[i].stem, DIGITS, hex,
             FILES[i].extension);
    return OK;
}

enum outcome console_new(const struct conf *conf, struct console **out, struct err *err)
{
    char path[4096];
    struct console *c = calloc(1, sizeof *c);
    enum outcome o;
    *out = NULL;
    if (!c)
        return err_set(err, ERROR, "out of memory");
    sem_init(&c->checks, 0, CHECKS_AT_ONCE);
    snprintf(path, sizeof path, "%s/templates", conf->share_dir);
    o = remote_check(conf, err);
    if (o == OK)
        o = templates_new(path, &c->templates, err);
    if (o == OK)
        o = words_load(path, &c->words, err);
    for (enum asset_name i = 0; o == OK && i < ASSETS; i++)
        o = asset_read(conf->share_dir, i, &c->asset[i], err);
    if (o == OK)
        *out = c;
    else
        console_free(&c);
    return o;
}

void console_free(struct console **cp)
{
    struct console *c = *cp;
    if (!c)
        return;
    templates_free(&c->templates);
    words_free(&c->words);
    for (int i = 0; i < ASSETS; i++)
        free(c->asset[i].data);
    sem_destroy(&c->checks);
    free(c);
    *cp = NULL;
}

void console_static(struct app *app, struct req *req, const struct caller *caller,
                    struct resp *resp)
{
    (void)caller;
    for (int i = 0; i < ASSETS; i++) {
        const struct asset *a = &app->console->asset[i];
        if (strcmp(req->path, a->url) != 0)
            continue;
        resp->content_type = a->type;
        resp_header(resp, "Cache-Control", "public, max-age=31536000, immutable");
        resp_header(resp, "X-Content-Type-Options", "nosniff");
        buf_add(&resp->body, a->data, a->n);
        return;
    }
    resp_text(resp, 404, "Not found");
}
