/*
 * forms.h: the payloads that can be made with a form, field by field, as data: forms.txt says them.
 * It is part of the program and read once; many threads may look. How a form becomes a payload and
 * back: form_edit.h.
 */
#ifndef DROVER_LIBRARY_FORMS_H
#define DROVER_LIBRARY_FORMS_H

#include "library/payloads.h"

enum form_kind {
    FORM_TEXT,
    FORM_URL,
    FORM_EMAIL,
    FORM_HOST,
    FORM_LINES,
    FORM_SECRET,
    FORM_SECRETDATA, /* a secret that stands as data */
    FORM_NUMBER,
    FORM_FLAG, /* true or false */
    FORM_BIT,  /* 1 or 0 */
    FORM_CHOICE,
    FORM_ENUM,     /* a choice of numbers */
    FORM_NUMBERS,  /* an array of them */
    FORM_PAYLOAD,  /* the PayloadUUID of another payload of the profile */
    FORM_PAYLOADS, /* an array of them */
    FORM_CERTIFICATE,
    FORM_PKCS12,
    FORM_IMAGE,
    FORM__KINDS
};

struct form_field {
    const char *key; /* "IKEv2.RemoteAddress" */
    enum form_kind kind;
    bool required, ranged;
    const char *def; /* what holds without it; NULL: nothing is said */
    int64_t low, high;
    size_t max;                /* characters */
    const char *const *values; /* of a choice; payload types */
    size_t nvalues;
    struct payload_os os[PLATFORM__MAX];
};

struct form_group {
    const char *name;
    bool more, optional;
    const char *when_key, *when_value; /* NULL: always */
    const struct form_field *fields;
    size_t n;
};

struct form {
    const char *name; /* a short word: "wifi" */
    const struct payload_type *type;
    const struct form_group *groups;
    size_t n;
};

/* The form of a payload type, or NULL. */
const struct form *form_of(const char *type);
/* By its word, or NULL. */
const struct form *form_named(const char *name);
/* All of them, in the order in which they are offered. */
size_t form_count(void);
const struct form *form_at(size_t i);

/* "text", "url" and so on, as forms.txt says them. */
const char *form_kind_name(enum form_kind k);
/* Is the value never shown again? */
bool form_secret(const struct form_field *f);
/* Is it given as a file? */
bool form_file(const struct form_field *f);

/* A form as JSON, as it stands in forms.txt; the caller frees it. */
js form_json(const struct form *f);

#endif
