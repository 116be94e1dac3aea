/* apps.h: what the pages about apps share. */
#ifndef DROVER_CONSOLE_APPS_H
#define DROVER_CONSOLE_APPS_H

#include "console/page.h"
#include "store/library.h"
#include "wire/json.h"

/* The app of that id; NULL: p->err says why not. */
struct library_item *app_item(struct page *p, int64_t id);
/* Where an app comes from: "store", "file", "manifest". */
const char *app_source(const struct library_item *i);
/* Sets "uploads": what comes through the browser, and came lately; item 0: of any app. */
enum outcome app_uploads(struct page *p, int64_t item);
/* Takes the file of the form as an upload, whole; item 0: of the app that the file is. 0: p->err
 * says why not; else the app that it became. */
int64_t app_file_take(struct page *p, int64_t item);

/* ---- app_form.c: how it is installed, as a form ---- */

/* Sets "form": what the settings say, or what came with a form that was refused. */
void app_form_show(struct page *p, js settings);
/* The settings that the form makes of those there are, the caller's to free; NULL: p->err says
 * which field is wrong. *more: a button asks for another row, nothing is to be saved. */
js app_form_read(struct page *p, js settings, bool *more);
/* The same of a Configuration as a property list. */
js app_raw_read(struct page *p, js settings);
/* A value of the settings as a property list in XML, "" for none. */
const char *app_raw_text(struct page *p, js settings);

/* ---- app_page.c ---- */

/* Answers with the page of an app; tab: "settings", "devices", "versions", "codes", "feedback". */
void app_show(struct page *p, struct library_item *i, const char *tab, int status);
void app_head(struct page *p, const struct library_item *i);

#endif
