/* fuzz_conf.c: drover.conf. */
#include "base/conf.h"
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static int fd = -1;
    static char path[40];
    struct conf *c;
    struct err err = {0};
    if (fd < 0) {
        fd = memfd_create("drover.conf", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    FUZZ_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, p, n, 0) == (ssize_t)n);
    if (conf_load(path, &c, &err) == OK) {
        FUZZ_CHECK(c->mdm.threads >= 1 && c->mdm.socket[0] == '/' && c->log_level[0]);
        FUZZ_CHECK(c->db_hosts.n <= CONF_LIST_MAX && c->proxy_trust.n <= CONF_LIST_MAX);
        FUZZ_CHECK(c->enroll_access_rights > 0);
        conf_free(&c);
    } else {
        FUZZ_CHECK(!c && strncmp(err.msg, path, strlen(path)) == 0);
    }
    FUZZ_CHECK(c == NULL);
    return 0;
}
