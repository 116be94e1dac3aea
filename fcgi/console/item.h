/*
 * item.h: what the pages of one item of the library share: the devices that are to have it, its
 * groups, its versions, and what is done about them. What reaches devices is shown first: which of
 * them, and what would change; it is done by the form of that page.
 */
#ifndef DROVER_CONSOLE_ITEM_H
#define DROVER_CONSOLE_ITEM_H

#include "console/page.h"
#include "library/edit.h"
#include "store/preview.h"

#define ITEM_REASON_MAX 255

/* The page of an item. */
struct item_page {
    struct page *p;
    struct library_item *item;
    const char *path;  /* "/app": "?id=" goes on from there, and so does "&tab=" */
    const char *list;  /* "/apps" */
    const char *lists; /* word of its title: "nav_apps" */
    /* of a form */
    bool sure;        /* the person has seen what it would do */
    const char *why;  /* the reason, "" */
    const char *tab;  /* where it leads */
    const char *done; /* what the page says then; NULL: it was answered already */
};

/* "PATH?id=ID&tab=TAB". */
const char *item_link(const struct item_page *x, const char *tab);
/* Sets what every page about the item shows: id, self, name, identifier, current, list, lists. */
void item_head(const struct item_page *x);
/* Sets what itemdevices.html and itemversions.html show. */
enum outcome item_devices(const struct item_page *x);
enum outcome item_versions(const struct item_page *x);
/* Sets "reach" of reach.html: how many devices, and some of them. */
void item_reach(struct page *p, const struct preview_set *s);
/* Shows what would happen (itemask.html), with a form that says yes. fields: names and values that
 * go along, ended by NULL; changed_at goes along always. */
enum outcome item_ask(struct item_page *x, const char *what, const char *text,
                      const char *const *fields, bool reason);
/* The reason of the form into x->why. INVALID: it has none, or too long a one. */
enum outcome item_reason(struct item_page *x);
/* Changes the item by an object, unless somebody else did since the form was made. */
enum outcome item_edit(struct item_page *x, js object);
/* Does what every item has: "give" and "take" (one device), "use", "assign", "unassign", "retry",
 * "resume", "delete". False: `what` is something else. */
bool item_do(struct item_page *x, const char *what, enum outcome *o);
/* Sets a number of the form; what is none is told by the library. */
void item_number(struct page *p, js object, const char *name);

/* What a form asks for by its field "what". */
struct item_deed {
    const char *what;
    enum outcome (*run)(struct item_page *x);
};
/* Does what the form asks for, one of the page's own deeds or one that every item has, and leads
 * to what it brought; or shows the page again and says what is wrong. */
void item_post(struct item_page *x, const struct item_deed *own, size_t n,
               void (*show)(struct page *p, struct library_item *i, const char *tab, int status));

#endif
