/*
 * form_edit.h: from a form to a payload and back. What the form does not know stays in the payload
 * as it is; a secret that is not given anew stays too, and is never told.
 */
#ifndef DROVER_LIBRARY_FORM_EDIT_H
#define DROVER_LIBRARY_FORM_EDIT_H

#include "library/forms.h"
#include "wire/plist.h"

#define FORM_FAULTS_MAX 64u
#define FORM_PICTURE_MAX (1024u * 1024u)

/* Where a field stands in its form: its key, behind its group's name where the group has a
 * condition, as two of these may have the same key. In a. */
const char *form_place(struct arena *a, const struct form_group *g, const struct form_field *f);

/* What was given, asked for by form_place(). */
struct form_input {
    /* A text, NULL: the form did not have the field. */
    const char *(*text)(void *arg, const char *place);
    /* Is that value of several ticked? */
    bool (*ticked)(void *arg, const char *place, const char *value);
    /* A file; false: none was chosen. */
    bool (*file)(void *arg, const char *place, struct bytes *out, const char **filename);
    /* Is what is stored to go? */
    bool (*drop)(void *arg, const char *place);
    void *arg;
};

enum form_fault {
    FORM_GOOD,
    FORM_MISSING,   /* it is required */
    FORM_NO_NUMBER, /* or out of range */
    FORM_NO_VALUE,  /* not one of the values */
    FORM_TOO_LONG,
    FORM_CONTROL, /* control characters, or no UTF-8 */
    FORM_NO_URL,
    FORM_NO_EMAIL,
    FORM_NO_HOST,
    FORM_NO_CERTIFICATE,
    FORM_NO_PKCS12,
    FORM_NO_IMAGE,
    FORM_PASSWORD, /* does not open the PKCS#12 */
    FORM__FAULTS
};

struct form_faults {
    struct {
        const struct form_field *field;
        enum form_fault fault;
    } list[FORM_FAULTS_MAX];
    size_t n;
};

/* Puts what was given into a payload. root: the profile it is in, for what names other payloads.
 * With faults the payload is not to be used. INVALID: there are faults; ERROR: memory. */
enum outcome form_apply(struct arena *a, const struct form *f, pl payload, pl root,
                        const struct form_input *in, struct form_faults *out,
                        struct err *err) MUST_USE;

/* The value of a field; NULL: there is none. */
pl form_get(pl payload, const char *key);
/* It as a text for a form, "" when there is none: lines one under the other, nothing of a secret or
 * a file. In a. */
const char *form_text(struct arena *a, const struct form_field *f, pl payload);
/* Is that value one of those it has? */
bool form_has(const struct form_field *f, pl payload, const char *value);
/* Does a group's condition hold? */
bool form_applies(const struct form_group *g, const char *chosen);

/* A new payload of a form for a profile: its frame. ERROR: memory. */
enum outcome form_new(struct arena *a, const struct form *f, const char *profile_identifier,
                      const char *name, pl *out, struct err *err) MUST_USE;

#endif
