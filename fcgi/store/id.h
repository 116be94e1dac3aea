/* id.h: internal names of rows. */
#ifndef DROVER_STORE_ID_H
#define DROVER_STORE_ID_H

#include <stdint.h>

/* A new positive 63-bit id: microseconds since 2024 in the upper 51 bits (never twice in one
 * process), 12 random bits below. Made here and not by AUTO_INCREMENT so that rows which name each
 * other can be written without reading ids back, on any host of a cluster. Two processes can make
 * the same one in the same microsecond with a chance of 1 in 4096: the insert is then refused as a
 * duplicate and the unit of work is run again. */
int64_t id_new(void);
/* The first id of that moment: ids that are less were made before. */
int64_t id_at(int64_t us);

#endif
