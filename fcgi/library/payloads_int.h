/* payloads_int.h: reading the texts of the library: payloads.txt and forms.txt. */
#ifndef DROVER_LIBRARY_PAYLOADS_INT_H
#define DROVER_LIBRARY_PAYLOADS_INT_H

#include "library/payloads.h"

#define PAYLOAD_WORD_MAX 200

/* The texts are Drover's own: what is wrong in one is a fault of the program, found by its tests.
 */
_Noreturn void payload_wrong(const char *line);
/* The next word before the end of the line, ':' or ';'. False: there is none. */
bool payload_word(const char **p, char out[PAYLOAD_WORD_MAX]);
/* Reads "PLATFORM VERSION|- [WORD...]" into that platform's place. */
void payload_os_next(const char **p, struct payload_os os_of[PLATFORM__MAX]);

#endif
