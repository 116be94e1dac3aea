/*
 * search.h: finding devices by what is told of them, without reading every device: an index of
 * words (table device_word), and the columns that lists sort by (enrollment.list_*).
 *
 * A device's message does nothing for it but leave search_due = 1 in the row that it writes anyway.
 * The agent makes the index follow (search_turn()); until it has, the names and
 * numbers of such a device are looked through where they stand, so that they are found at once.
 */
#ifndef DROVER_STORE_SEARCH_H
#define DROVER_STORE_SEARCH_H

#include "store/inventory_tables.h"

#define SEARCH_MAX 100      /* octets of what is searched for */
#define SEARCH_PIECES_MAX 6 /* what stands beyond is left aside */

#define SEARCH_MANY 7000 /* so many devices are more than a page of a list collects */

/* What is searched for: every piece must begin or end a word of the device. */
struct search {
    size_t n;
    bool nothing; /* it has no letter and no digit: no device is found */
    struct search_piece {
        const char *begins, *ends,
            *contains;   /* patterns for LIKE; ends: NULL when it is too short */
        int64_t devices; /* about how many have it; SEARCH_MANY: that many, or more */
    } piece[SEARCH_PIECES_MAX];
    int rarest; /* the piece that the fewest devices have; -1: none is asked for */
    bool due;   /* the words of some devices do not follow yet */
};
/* "" and blanks: n is 0, every device fits. Asks how common the pieces are. INVALID: longer than
 * SEARCH_MAX. */
enum outcome search_read(struct db *db, const char *text, struct arena *a, struct search *out,
                         struct err *err) MUST_USE;

/* How a statement finds out whether a device has a piece: it looks at the device, which is quick
 * for few devices; or it collects all that have it, once, which is quick when many are looked at;
 * or whichever is right for as many devices as have the rarest. */
enum search_way { SEARCH_EACH, SEARCH_COLLECT, SEARCH_BY_SIZE };
#define SEARCH_ARGS_MAX (3 * SEARCH_PIECES_MAX)
/* Adds "(SELECT ...)", a table with the column id, of the devices that have the rarest piece. */
void search_table(const struct search *s, struct buf *sql, struct val *args, size_t *n);
/* Adds "AND ... " for the device e.id, for all pieces, or all but the rarest. */
void search_conditions(const struct search *s, enum search_way way, bool but_rarest,
                       struct buf *sql, struct val *args, size_t *n);

/* Makes the index follow for at most max devices; *done tells for how many. 0: none is due. */
enum outcome search_turn(struct db *db, size_t max, size_t *done, struct err *err) MUST_USE;
/* Are devices found by what stands in this column of the tables of their facts? */
bool search_column(const struct inv_column *c);
/* Inside a unit: what is told of the device has changed. */
enum outcome search_mark(struct db *db, int64_t device_id, struct err *err) MUST_USE;

/* "%text%" for LIKE, with what has a meaning there escaped; in a. NULL: no memory. */
const char *search_pattern(const char *before, const char *text, const char *after,
                           struct arena *a);

#endif
