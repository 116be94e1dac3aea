/* idset.h: sets of ids as ascending arrays. */
#ifndef DROVER_STORE_IDSET_H
#define DROVER_STORE_IDSET_H

#include <stddef.h>
#include <stdint.h>

/* What of a is not in b; out has room for na. Returns how many. */
static inline size_t idset_without(const int64_t *a, size_t na, const int64_t *b, size_t nb,
                                   int64_t *out)
{
    size_t n = 0, j = 0;

    for (size_t i = 0; i < na; i++) {
        while (j < nb && b[j] < a[i])
            j++;
        if (j == nb || b[j] != a[i])
            out[n++] = a[i];
    }
    return n;
}

/* What is in a or b; out has room for na + nb. Returns how many. */
static inline size_t idset_union(const int64_t *a, size_t na, const int64_t *b, size_t nb,
                                 int64_t *out)
{
    size_t n = 0, i = 0, j = 0;

    while (i < na || j < nb) {
        int64_t next = j == nb || (i < na && a[i] <= b[j]) ? a[i] : b[j];

        i += i < na && a[i] == next;
        j += j < nb && b[j] == next;
        out[n++] = next;
    }
    return n;
}

#endif
