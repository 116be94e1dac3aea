/* uuid.h: random identifiers (RFC 9562 version 4) from getrandom(2). */
#ifndef DROVER_BASE_UUID_H
#define DROVER_BASE_UUID_H

#include <stddef.h>
#include <stdbool.h>

#define UUID_LEN 36
/* Upper case with dashes, as Apple writes CommandUUID. Ends the process if the kernel has no
 * randomness to give. */
void uuid_v4(char out[UUID_LEN + 1]);
/* 8-4-4-4-12 hexadecimal digits of either case? */
bool uuid_valid(const char *s);
/* n random octets from getrandom(2). */
void random_bytes(void *p, size_t n);

#endif
