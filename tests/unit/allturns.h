/*
 * allturns.h: the convergence at once: everything that is otherwise done by the clock (filters,
 * drift), until nothing is left to do. For test programs only.
 */
#ifndef DROVER_TESTS_UNIT_ALLTURNS_H
#define DROVER_TESTS_UNIT_ALLTURNS_H

#include "library/converge_int.h"

#define ALL_TURNS 1000

static inline enum outcome converge_all(struct converge *c, int64_t at, struct err *e)
{
    enum outcome o = converge_groups(c, at, true, e);

    c->next_drift = c->next_overdue = c->next_plan = c->next_ask = 0;
    for (int i = 0; o == OK && i < ALL_TURNS; i++) {
        c->did = 0;
        o = converge_turn(c, at, e);
        if (c->did == 0 && !c->planning)
            break;
    }
    return o;
}

#endif
