/* conf_keys.h: the table of keys, between conf.c, which holds it, and conf_read.c. */
#ifndef DROVER_BASE_CONF_KEYS_H
#define DROVER_BASE_CONF_KEYS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"

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
    bool live; /* may be set while the programs run (store/setting.h), where the file is silent */
};

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_n;

/* The key "section.name"; NULL: there is none. */
const struct conf_key *conf_key_find(const char *key);
/* Does the file of c name this key? */
bool conf_key_given(const struct conf *c, const struct conf_key *k);
/* Sets one value as the file would, its strings in a. INVALID says what is wanted; c is as it was.
 */
enum outcome conf_key_set(struct conf *c, struct arena *a, const struct conf_key *k,
                          const char *text, struct err *err) MUST_USE;
/* Takes one value over from another configuration, whose strings must outlive c. */
void conf_key_copy(struct conf *c, const struct conf *from, const struct conf_key *k);
/* The value as the file would have it, and what kind of value it is ("number", "yes/no", ...). */
void conf_key_text(const struct conf *c, const struct conf_key *k, struct buf *out);
const char *conf_key_kind(const struct conf_key *k);

#endif
