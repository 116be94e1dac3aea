/* conf_keys.h: the table of keys, between conf.c, which holds it, and conf_read.c. */
#ifndef DROVER_BASE_CONF_KEYS_H
#define DROVER_BASE_CONF_KEYS_H

#include "base/conf.h"

#define CONF_KEYS_MAX 256

enum conf_type {
    TEXT,
    PATH,
    SOCKET,
    URL,
    ENUM,
    LOG,
    MODE,
    BOOL,
    INT,
    SIZE,
    TIME,
    HOSTS,
    NETS,
    WORDS
};

struct conf_key {
    const char *section, *name;
    enum conf_type type;
    size_t offset;
    const char *def;     /* may begin with {run_dir} or {state_dir} */
    int64_t min, max;    /* INT; SIZE in bytes; TIME in seconds */
    const char *choices; /* ENUM: words between spaces */
    const char *help;
};

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_n;

#endif
