/* audit.c: droverctl audit. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/audit.h"
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

#define LIST_MAX 100000 /* entries; an export of more is made in parts, by --before */
#define COLUMNS 6

static int list(struct ctl *c, struct db *db, const struct audit_filter *f, int64_t before,
                size_t max, bool json)
{
    static const struct ctl_column cols[COLUMNS] = {{"id", CTL_INT},       {"at", CTL_TIME},
                                                    {"actor", CTL_TEXT},   {"action", CTL_TEXT},
                                                    {"subject", CTL_TEXT}, {"detail", CTL_TEXT}};
    struct val *cells = arena_array(c->arena, max * COLUMNS + 1, sizeof *cells);
    size_t n = 0, got = LIM_PAGE;
    struct err err;
    while (cells && got == LIM_PAGE && n < max) {
        size_t want = max - n < LIM_PAGE ? max - n : LIM_PAGE;
        struct audit_entry *e;
        if (audit_list(db, f, before, want, c->arena, &e, &got, &err) != OK)
            return ctl_failed(&err);
        for (size_t i = 0; i < got; i++)
            memcpy(&cells[n++ * COLUMNS],
                   (struct val[]){val_int(e[i].id), val_int(e[i].at), val_str(e[i].actor),
                                  val_str(e[i].action), val_str(e[i].subject),
                                  ctl_text(e[i].detail)},
                   COLUMNS * sizeof *cells);
        before = got ? e[got - 1].id : before;
    }
    return cells ? ctl_list(c, json, cols, COLUMNS, cells, n) : CTL_FAILED;
}

/* A number from 1 to max; absent leaves *out as it is. */
static bool number_read(const char *text, int64_t max, int64_t *out)
{
    char *end;
    if (!text)
        return true;
    *out = strtoll(text, &end, 10);
    return *out > 0 && *out <= max && !*end;
}

int ctl_audit(struct ctl *c, int argc, char **argv)
{
    const char *rest[1], *text = NULL, *limit = NULL, *from = NULL;
    const char *first = NULL, *last = NULL;
    struct audit_filter f = {0};
    bool json = false;
    const struct ctl_option options[] = {
        {.name = "link", .value = &text},       {.name = "actor", .value = &f.actor},
        {.name = "action", .value = &f.action}, {.name = "subject", .value = &f.subject},
        {.name = "limit", .value = &limit},     {.name = "before", .value = &from},
        {.name = "from", .value = &first},      {.name = "until", .value = &last},
        {.name = "json", .flag = &json}};
    int64_t max = LIM_PAGE, before = 0;
    struct audit_head known;
    struct audit_check k;
    struct db *db;
    struct err err;
    if (ctl_args(argc, argv, options, 9, rest, 1, 1) < 0)
        return CTL_USAGE;
    bool lists = strcmp(rest[0], "list") == 0;
    if (!lists && strcmp(rest[0], "verify") != 0)
        return ctl_wrong("audit: there is no \"%s\"", rest[0]);
    if (!number_read(limit, LIST_MAX, &max) || !number_read(from, INT64_MAX, &before))
        return ctl_wrong("--limit is a number up to %d, --before an entry's id", LIST_MAX);
    if ((first && !clock_parse_day(first, false, &f.since)) ||
        (last && !clock_parse_day(last, true, &f.until)))
        return ctl_wrong("--from, --until: a day like 2026-11-22, in UTC, or a time like "
                         "2026-11-22T08:15:30Z");
    if (f.until && f.until <= f.since)
        return ctl_wrong("--until is not later than --from");
    if (!lists && (first || last))
        return ctl_wrong("--from and --until belong to audit list");
    if (text && (lists || !known_read(c, text, &known)))
        return ctl_wrong("--link: \"%s\" is no NUMBER:DIGEST, or nothing for audit list", text);
    if (!ctl_db(c, &db))
        return CTL_FAILED;
    if (lists)
        return list(c, db, &f, before, (size_t)max, json);
    if (audit_chain_verify(db, text ? &known : NULL, &k, &err) != OK)
        return ctl_failed(&err);
    return verdict(&k, text ? &known : NULL);
}
