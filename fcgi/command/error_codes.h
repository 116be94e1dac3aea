/* error_codes.h: what the errors of devices mean, in words for people: the domains and codes of the
 * protocol reference ("Error Codes"). Devices may report others, and Apple changes them: nothing
 * depends on these. */
#ifndef DROVER_COMMAND_ERROR_CODES_H
#define DROVER_COMMAND_ERROR_CODES_H

#include "wire/json.h"

#include <stddef.h>
#include <stdint.h>

/* The meanings of a code, at most max: some stand twice in the reference, with different ones, and
 * nobody but the device knows which of them it means. Returns how many; 0: it is not known. */
#define ERROR_MEANINGS_MAX 2
size_t error_meanings(const char *domain, int64_t code, const char *out[], size_t max);
/* The whole table: [{"domain", "code", "meanings": [..]}], sorted as the reference is. The caller
 * frees it. */
js error_codes_json(void);

#endif
