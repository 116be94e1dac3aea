/* groupdraft.h: the draft of a group's blueprint, on its pages. */
#ifndef DROVER_CONSOLE_GROUPDRAFT_H
#define DROVER_CONSOLE_GROUPDRAFT_H

#include "console/groups.h"
#include "store/blueprint.h"

/* What is in force and what the draft says; without a draft they are the same. */
struct group_draft {
    struct blueprint now, next;
    bool has_draft;
};

enum outcome draft_read(struct page *p, int64_t group, struct group_draft *d) MUST_USE;
/* Does the draft differ from what is in force? */
bool draft_differs(const struct group_draft *d);
/* Is it in the list? */
bool draft_holds(const int64_t *ids, size_t n, int64_t id);
/* "added", "taken", or NULL: it stays as it is. */
const char *draft_mark(bool now, bool next);
/* When a command is sent, in words. */
const char *standing_when(struct page *p, const struct standing *s);

#endif
