/* hooks.h: the agent's chore that sends events to webhooks (webhook/sender.h). */
#ifndef DROVER_PROC_HOOKS_H
#define DROVER_PROC_HOOKS_H

#include "proc/chore.h"

extern const struct chore_kind hooks;

#endif
