/* page.h: what the pages share. */
#ifndef DROVER_CONSOLE_PAGE_H
#define DROVER_CONSOLE_PAGE_H

#include "console/console.h"
#include "html/asset.h"
#include "html/template.h"
#include "html/words.h"

#define PAGE_ROWS 50

enum asset_name { ASSET_CSS, ASSET_JS, ASSET_ICON, ASSETS };

struct console {
    struct templates *templates;
    struct words_all *words;
    struct asset asset[ASSETS];
};

/* A page that is being made. */
struct page {
    struct app *app;
    struct req *req;
    const struct caller *caller;
    struct resp *resp;
    struct db *db;
    struct arena *a;
    const struct words *w;
    struct value *root;
    struct err err;
};

/* Fills p and sets what every page shows; nav: the page's word, of "nav_WORD" in the catalogue. */
void page_begin(struct page *p, struct app *app, struct req *req, const struct caller *caller,
                struct resp *resp, const char *nav);
/* The same, with a connection. False: the failure was answered. */
bool page_open(struct page *p, struct app *app, struct req *req, const struct caller *caller,
               struct resp *resp, const char *nav);
/* Answers with the template, with another page, or with the failure in p->err; and gives the
 * connection back. */
void page_show(struct page *p, int status, const char *name);
void page_go(struct page *p, const char *path);
void page_fail(struct page *p);

/* Gives the connection back and answers nothing. */
void page_leave(struct page *p);
/* Has the person the permission (store/role.h)? */
bool page_may(const struct page *p, const char *permission);
/* Has the person proved within SESSION_FRESH_MIN minutes who they are? If not they are asked, with
 * the form they sent, and false is returned: for a sensitive action whose row alone does not say so
 * (rows of the permission "administer" do). */
bool page_confirmed(struct page *p);

/* The text of a key. */
const char *page_text(const struct page *p, const char *key);
/* The same, NULL where the catalogue has none under that key. */
const char *page_named(const struct page *p, const char *key);
/* What the program said in English, an error or a reason that was stored, in the page's language.
 */
const char *page_said(const struct page *p, const char *english);
/* A notice above the page: what went wrong, in words; those of the program are said in the page's
 * language. */
void page_bad(struct page *p, const char *text);
/* The HTTP status of a failure. */
int page_status(enum outcome o);
/* May the person see why, and mend it? Then it is shown in the form, else page_fail(). */
bool page_mendable(enum outcome o);

/* A time under key, as {iso, text, ago}; nothing for 0. */
void page_time(struct page *p, struct value *dict, const char *key, int64_t us);
/* {name, text} of a state: text is "PREFIX_NAME" of the catalogue. */
void page_state(struct page *p, struct value *dict, const char *prefix, const char *name);
/* A size in octets for people: "120 KB". */
const char *page_size(struct page *p, int64_t octets);
struct inv_column;
struct val;
/* A value of the inventory as {text}, or {time: ...}. */
void page_cell(struct page *p, struct value *v, const struct inv_column *c, const struct val *x);
/* A number in the query or the form, 0 when there is none. */
int64_t page_number(const char *s);
/* A number from 0 to max in a field of the form, where 0 means something. False: it is none, or
 * more; an empty field is none. */
bool page_count(struct page *p, const char *name, int64_t max, int64_t *out);
/* "PATH?name=value", value percent-encoded; in the arena. */
const char *page_link(struct page *p, const char *path, const char *name, const char *value);
/* "PATH?id=N". */
const char *page_link_id(struct page *p, const char *path, int64_t id);
/* The device that the query ("id") or the form ("device") names; "" for none. */
const char *page_id(struct page *p);
/* A field of the form without the blanks around it, "" when absent. */
const char *page_field(struct page *p, const char *name);

#endif
