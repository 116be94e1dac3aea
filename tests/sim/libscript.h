/*
 * libscript.h: how devices answer when they are told to misbehave. A rule is a line:
 *
 *   MATCH [device=N] [count=K] ACTION
 *
 * MATCH is a RequestType, a CommandUUID or "*"; the newest rule that fits decides, for K
 * deliveries at most (absent: all). ACTION is one of
 *   acknowledge              as if there were no rule
 *   notnow [K]               NotNow for the first K deliveries (absent: always), then as usual
 *   error [CODE [DOMAIN [TEXT]]]   Error with that chain (12021, MCMDMErrorDomain)
 *   formaterror              CommandFormatError
 *   twice                    reports the result, and then the same again
 *   late SECONDS             reports only after so long; polls and pushes meanwhile change nothing
 *   never                    takes the command and never reports
 *   disconnect before        breaks the connection when the command came; reports later
 *   disconnect during        breaks it half way through the report; reports again later
 *   disconnect after         breaks it when the report was sent, before the answer; reports again
 *   disconnect download      of InstallApplication with a ManifestURL: breaks the connection once,
 *                            when half of the package is there
 */
#ifndef DROVER_SIM_LIBSCRIPT_H
#define DROVER_SIM_LIBSCRIPT_H

#include "base/bytes.h"
#include "base/err.h"

enum action {
    ACT_ACKNOWLEDGE,
    ACT_NOTNOW,
    ACT_ERROR,
    ACT_FORMAT_ERROR,
    ACT_TWICE,
    ACT_LATE,
    ACT_NEVER,
    ACT_CUT_BEFORE,
    ACT_CUT_DURING,
    ACT_CUT_AFTER,
    ACT_CUT_DOWNLOAD,
};

struct behaviour {
    enum action action;
    int64_t n; /* NotNow: how often (-1: always); late: microseconds; error: code */
    char domain[64];
    char text[128];
};

struct script;
enum outcome script_new(struct script **out, struct err *err) MUST_USE;
void script_free(struct script **s);
/* Adds one rule. INVALID says what is wrong with it. Empty lines and "# comments" add nothing. */
enum outcome script_add(struct script *s, const char *line, struct err *err) MUST_USE;
enum outcome script_load(struct script *s, const char *path, struct err *err) MUST_USE;
void script_clear(struct script *s);
/* What a device does with a delivery of a command; deliveries counts from 1. */
void script_find(struct script *s, unsigned device, const char *type, const char *uuid,
                 unsigned deliveries, struct behaviour *out);

#endif
