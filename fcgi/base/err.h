/*
 * err.h: how every function says what became of it. A function that can fail returns an
 * `enum outcome` and, where it has something to add, fills a `struct err` the caller lends it.
 */
#ifndef DROVER_BASE_ERR_H
#define DROVER_BASE_ERR_H

enum outcome {
    OK = 0,
    NOT_FOUND,   /* the thing named does not exist */
    DENIED,      /* the caller may not */
    CONFLICT,    /* it collides with what is stored */
    INVALID,     /* the input is wrong; the message says where */
    UNAVAILABLE, /* a service that is needed is away; trying again later may help */
    ERROR        /* a fault of this program or its machine */
};

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* What went wrong, in words for the person who can mend it. */
struct err {
    enum outcome outcome;
    char msg[400];
    const char *file; /* where it was noticed */
    int line;
};

/* Fills e (which may be NULL) and returns o, so that a caller writes
 * `return err_set(e, INVALID, "..."); */
#define err_set(e, o, ...) err_set_at((e), (o), __FILE__, __LINE__, __VA_ARGS__)
enum outcome err_set_at(struct err *e, enum outcome o, const char *file, int line, const char *fmt,
                        ...) PRINTF_LIKE(5, 6);

/* Puts "prefix: " before the message already in e. Returns e's outcome. */
enum outcome err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The outcome's name in lower case ("not_found"), for logs. Never NULL. */
const char *outcome_name(enum outcome o);

#endif
