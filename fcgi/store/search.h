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

#include "store/inventory.h"

#define SEARCH_MAX 100      /* octets of what is searched for */
#define SEARCH_PIECES_MAX 6 /* what stands beyond is left aside */

/* What is searched for: every piece must begin or end a word of the device. */
struct search {
    size_t n;
    bool nothing; /* it has no letter and no digit: no device is found */
    struct search_piece {
        const char *begins, *ends,
            *contains; /* patterns for LIKE; ends: NULL when it is too short */
    } piece[SEARCH_PIECES_MAX];
};
/* "" and blanks: n is 0, every device fits. INVALID: longer than SEARCH_MAX. */
enum outcome search_read(const char *text, struct arena *a, struct search *out,
                         struct err *err) MUST_USE;

/* The piece that the fewest devices have, if they are less than `many`; else -1: then going through
 * the list until a page is full is quicker than collecting all. */
enum outcome search_rarest(struct db *db, const struct search *s, int64_t many, struct arena *a,
                           int *out, struct err *err) MUST_USE;
#define SEARCH_MANY 5000 /* for a page of a list: a page is soon full of what so many have */
#define SEARCH_ARGS_MAX (3 * SEARCH_PIECES_MAX)
/* Adds "(SELECT ...)", a table with the column id, of the devices that have piece i. */
void search_table(const struct search *s, int i, struct buf *sql, struct val *args, size_t *n);
/* Adds "AND ... " for the device e.id, for all pieces but i. */
void search_conditions(const struct search *s, int i, struct buf *sql, struct val *args, size_t *n);

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
