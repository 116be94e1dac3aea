/* audit.c: droverctl audit. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/audit_chain.h"

/* "SEQ:DIGEST", as verify prints it and the agent logs it. */
static bool known_read(struct ctl *c, const char *text, struct audit_head *out)
{
    char *end;
    struct bytes digest;
    out->seq = strtoll(text, &end, 10);
    if (out->seq <= 0 || *end != ':' || hex_decode(c->arena, end + 1, &digest) != OK ||
        digest.n != SHA256_LEN)
        return false;
    memcpy(out->digest, digest.p, SHA256_LEN);
    return true;
}

static int verdict(const struct audit_check *k, const struct audit_head *known)
{
    char hex[SHA256_HEX_LEN + 1];
    if (k->bad_seq) {
        printf("The audit log is broken at link %lld: %s.\n", (long long)k->bad_seq, k->bad);
        return CTL_FAILED;
    }
    if (known && !k->known_found) {
        printf("The audit log is another one: link %lld has not the digest that was noted.\n",
               (long long)known->seq);
        return CTL_FAILED;
    }
    hex_encode(bytes_of(k->head.digest, SHA256_LEN), hex);
    printf("%lld entries are as they were written; %lld have no link yet.\n", (long long)k->links,
           (long long)k->unlinked);
    if (k->head.seq)
        printf("Newest link: %lld:%s\n", (long long)k->head.seq, hex);
    return CTL_OK;
}

int ctl_audit(struct ctl *c, int argc, char **argv)
{
    const char *rest[1], *text = NULL;
    const struct ctl_option options[] = {{.name = "link", .value = &text}};
    struct audit_head known;
    struct audit_check k;
    struct db *db;
    struct err err;
    if (ctl_args(argc, argv, options, 1, rest, 1, 1) < 0)
        return CTL_USAGE;
    if (strcmp(rest[0], "verify") != 0)
        return ctl_wrong("audit: there is no \"%s\"", rest[0]);
    if (text && !known_read(c, text, &known))
        return ctl_wrong("--link: \"%s\" is no NUMBER:DIGEST", text);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (audit_chain_verify(db, text ? &known : NULL, &k, &err) != OK)
        return ctl_failed(&err);
    return verdict(&k, text ? &known : NULL);
}
