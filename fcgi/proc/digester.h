/* digester.h: the agent's chore that reads reports into the inventory (command/digest.h). */
#ifndef DROVER_PROC_DIGESTER_H
#define DROVER_PROC_DIGESTER_H

#include "proc/chore.h"

extern const struct chore_kind digester;

#endif
