/* static.c: style, script and icon: what pages need beside themselves (html/asset.h). */
#include "console/remote.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

static const struct {
    const char *stem, *extension, *type;
} FILES[ASSETS] = {{"console", "css", "text/css; charset=utf-8"},
                   {"console", "js", "text/javascript; charset=utf-8"},
                   {"icon", "svg", "image/svg+xml"}};

enum outcome console_new(const struct conf *conf, struct console **out, struct err *err)
{
    char path[4096];
    struct console *c = calloc(1, sizeof *c);
    enum outcome o;
    *out = NULL;
    if (!c)
        return err_set(err, ERROR, "out of memory");
    snprintf(path, sizeof path, "%s/templates", conf->share_dir);
    o = remote_check(conf, err);
    if (o == OK)
        o = templates_new(path, &c->templates, err);
    if (o == OK)
        o = words_load(path, &c->words, err);
    for (enum asset_name i = 0; o == OK && i < ASSETS; i++)
        o = asset_read(conf->share_dir, FILES[i].stem, FILES[i].extension, FILES[i].type, "/static",
                       &c->asset[i], err);
    if (o == OK)
        *out = c;
    else
        console_free(&c);
    return o;
}

const struct words_all *console_words(const struct console *c)
{
    return c->words;
}

void console_free(struct console **cp)
{
    struct console *c = *cp;
    if (!c)
        return;
    templates_free(&c->templates);
    words_free(&c->words);
    for (int i = 0; i < ASSETS; i++)
        asset_free(&c->asset[i]);
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
        bool packed;
        struct bytes b = asset_body(a, req_var(req, "HTTP_ACCEPT_ENCODING"), &packed);
        resp_asset(resp, a->type, b, packed);
        return;
    }
    resp_text(resp, 404, "Not found");
}
