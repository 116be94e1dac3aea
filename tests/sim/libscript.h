/*
 * libscript.h: how devices answer when they are told to misbehave, by rules; mdmsim.1 has their
 * form and what each does.
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
