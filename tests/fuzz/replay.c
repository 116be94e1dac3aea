/* replay.c: runs a harness over the files named, without libFuzzer. Each file is also run cut short
 * at up to 200 places. */
#include "fuzz.h"

static void run(const uint8_t *p, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1); /* so that AddressSanitizer sees an octet too far */
    if (!exact)
        abort();
    memcpy(exact, p, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

int main(int argc, char **argv)
{
    static uint8_t octets[1 << 22];
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        size_t n = fread(octets, 1, sizeof octets, f);
        fclose(f);
        run(octets, n);
        for (size_t cut = 0; cut < n; cut += n / 200 + 1)
            run(octets, cut);
    }
    if (argc < 2) {
        fprintf(stderr, "replay: no seeds\n");
        return 1;
    }
    printf("%d seeds\n", argc - 1);
    return 0;
}
