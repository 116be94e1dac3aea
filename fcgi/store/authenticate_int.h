/* authenticate_int.h: what the files of authenticate.h share. */
#ifndef DROVER_STORE_AUTHENTICATE_INT_H
#define DROVER_STORE_AUTHENTICATE_INT_H

#include "store/authenticate.h"

static inline struct authenticate *authenticate_of(struct unit *u)
{
    return (struct authenticate *)u;
}

#define AUTHENTICATE_FACTS 9
/* As the columns take them, in the order of struct device_facts. */
void authenticate_facts(const struct device_facts *f, struct val v[AUTHENTICATE_FACTS]);

/* Reads and decides (authenticate_read.c); see struct unit_kind. */
enum outcome authenticate_prepare(struct db *db, struct unit **u, size_t n, struct arena *a,
                                  struct err *err) MUST_USE;

#endif
