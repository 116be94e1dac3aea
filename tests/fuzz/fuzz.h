/*
 * fuzz.h: a harness is tests/fuzz/fuzz_NAME.c with libFuzzer's one function; its first inputs are
 * the files of tests/fuzz/seeds/NAME/. scripts/fuzz looks for new faults, scripts/fuzz --replay
 * runs the seeds only.
 */
#ifndef DROVER_TESTS_FUZZ_FUZZ_H
#define DROVER_TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One input. Returns 0; ends the process when it finds a fault. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define FUZZ_CHECK(what)                                                                           \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
