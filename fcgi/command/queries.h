/* queries.h: which facts a DeviceInformation asks a device for. */
#ifndef DROVER_COMMAND_QUERIES_H
#define DROVER_COMMAND_QUERIES_H

#include "command/validate.h"

/* Whether the command is a DeviceInformation that does not say what to ask for. */
bool queries_unsaid(pl root);
/* Leaves out of a DeviceInformation (a dictionary with Command) the queries that these devices do
 * not answer: another platform, an older or newer system, not supervised, or access rights that
 * their profile lacks. A query that the catalogue does not know stays. all: it asks for everything
 * that is left. *dropped: the names that were left out as a JSON array in a, or NULL; with `all`
 * none are. Where the platform is not known, nothing is left out.
 * ERROR: memory. */
enum outcome queries_choose(pl root, const struct device_facts *facts, bool all, struct arena *a,
                            const char **dropped, struct err *err) MUST_USE;

#endif
