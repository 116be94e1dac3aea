/* order.c: see order.h. */
#include "command/order.h"

#include "base/limits.h"
#include "command/secrets.h"
#include "store/inventory.h"
#include "wire/encode.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

struct running {
    struct db *db;
    const struct conf *conf;
    struct arena *a;
    const char *actor;
    int64_t now;
    struct order *o;
    struct err *err;
};

bool order_sensitive(struct db *db, const struct conf *conf, struct arena *a, const struct order *o)
{
    return command_sensitive(db, conf, a, o->request_type,
                             command_removes(o->request_type, o->keys));
}

static enum outcome admit(struct db *db, const struct conf *conf, struct arena *a, struct order *o,
                          struct err *err)
{
    o->sensitive = order_sensitive(db, conf, a, o);
    if (o->n == 0 || o->n > ORDER_IDS_MAX)
        return err_set(err, INVALID, "a command goes to 1 to %u enrollments at once",
                       ORDER_IDS_MAX);
    if (!o->force && catalogue_find(o->request_type) == NULL)
        return err_set(err, INVALID, "there is no request type \"%.64s\"", o->request_type);
    if (o->reason != NULL && strlen(o->reason) > ORDER_REASON_MAX)
        return err_set(err, INVALID, "a reason has at most %u octets", ORDER_REASON_MAX);
    if (!o->sensitive)
        return OK;
    if (o->reason == NULL || o->reason[0] == '\0')
        return err_set(err, INVALID, "%.64s is a sensitive command: say the reason",
                       o->request_type);
    if (o->n > ORDER_SENSITIVE_MAX)
        return err_set(err, INVALID, "a sensitive command goes to at most %u enrollments at once",
                       ORDER_SENSITIVE_MAX);
    return OK;
}

/* ---- CommandUUIDs ---- */

static void seeded_uuid(const char *seed, size_t part, char out[UUID_LEN + 1])
{
    char hex[SHA256_HEX_LEN + 1], text[32];
    struct buf b = BUF_INIT(4096);

    snprintf(text, sizeof text, "\n%zu", part);
    buf_str(&b, seed);
    buf_str(&b, text);
    sha256_hex(buf_bytes(&b), hex);
    buf_free(&b);
    hex[12] = '8'; /* RFC 9562, version 8: made as the program likes */
    hex[16] = 'a';
    snprintf(out, UUID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
    for (char *p = out; *p != '\0'; p++)
        *p = (char)toupper((unsigned char)*p);
}

/* Puts another CommandUUID into the command: it stands there once, and has the same length. */
static enum outcome rename_command(struct running *r, struct raw_command *c, const char *uuid)
{
    char *xml = arena_strndup(r->a, (const char *)c->xml.p, c->xml.n), *at;

    at = xml != NULL ? strstr(xml, c->uuid) : NULL;
    if (at == NULL || strlen(c->uuid) != UUID_LEN)
        return err_set(r->err, ERROR, "out of memory");
    memcpy(at, uuid, UUID_LEN);
    c->xml = bytes_of(xml, c->xml.n);
    c->uuid = arena_strdup(r->a, uuid);
    return c->uuid != NULL ? OK : err_set(r->err, ERROR, "out of memory");
}

static enum outcome name_parts(struct running *r)
{
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < r->o->nparts; i++) {
        char uuid[UUID_LEN + 1];

        if (r->o->seed != NULL)
            seeded_uuid(r->o->seed, i, uuid);
        else if (i > 0)
            uuid_v4(uuid);
        else
            continue;
        o = rename_command(r, &r->o->parts[i].command, uuid);
    }
    return o;
}

/* ---- parts ---- */

static struct order_part *part_of(struct order *o, const struct checked_group *g)
{
    for (size_t i = 0; i < o->nparts; i++)
        if (bytes_equal(o->parts[i].command.xml, g->command.xml))
            return &o->parts[i];
    o->parts[o->nparts] = (struct order_part){.command = g->command, .dropped = g->dropped};
    return &o->parts[o->nparts++];
}

static enum outcome make_parts(struct running *r)
{
    struct order *o = r->o;

    o->nparts = 0;
    o->parts = arena_array(r->a, o->checked.n + 1, sizeof *o->parts);
    for (size_t i = 0; o->parts != NULL && i < o->checked.n; i++) {
        const struct checked_group *g = o->checked.groups[i];
        struct order_part *p;
        const char **more;

        if (g->found.errors > 0 && !o->force)
            continue;
        p = part_of(o, g);
        if (g->found.errors > 0) {
            p->forced += g->enrollments;
            p->forced_first = g->example;
        }
        if (p->n == 0) {
            p->idents = g->idents;
            p->n = g->enrollments;
            continue;
        }
        more = arena_array(r->a, p->n + g->enrollments, sizeof *more);
        if (more == NULL)
            return err_set(r->err, ERROR, "out of memory");
        memcpy(more, p->idents, p->n * sizeof *more);
        memcpy(more + p->n, g->idents, g->enrollments * sizeof *more);
        p->idents = more;
        p->n += g->enrollments;
    }
    return o->parts != NULL ? name_parts(r) : err_set(r->err, ERROR, "out of memory");
}

enum outcome order_parts(struct db *db, struct arena *a, struct order *o, struct err *err)
{
    struct running r = {.db = db, .a = a, .o = o, .err = err};
    enum outcome out =
        command_checked(db, a, o->request_type, o->keys, o->ids, o->n, &o->checked, err);

    return out == OK ? make_parts(&r) : out;
}

/* ---- what is put on record ---- */

/* Why it is sent, of a sensitive command, and for whom it is sent by force: with the command
 * itself, so that an order that is repeated is on record once. */
static enum outcome notes_of(struct running *r, const struct order_part *p, struct enqueue_note *to,
                             size_t *n)
{
    const struct order *o = r->o;

    *n = 0;
    if (o->sensitive)
        to[(*n)++] = (struct enqueue_note){
            "command.sensitive", p->command.uuid,
            arena_fmt(r->a, "request_type=%s enrollments=%zu first=%s reason=%s", o->request_type,
                      p->n, p->idents[0], o->reason)};
    if (p->forced > 0)
        to[(*n)++] = (struct enqueue_note){"command.force", o->request_type,
                                           arena_fmt(r->a, "uuid=%s enrollments=%zu first=%s",
                                                     p->command.uuid, p->forced, p->forced_first)};
    for (size_t i = 0; i < *n; i++)
        if (to[i].detail == NULL)
            return err_set(r->err, ERROR, "out of memory");
    return OK;
}

enum outcome order_keep_pin(struct db *db, const struct conf *conf, struct arena *a,
                            const struct order *o, int64_t enrollment_id, const char *ident,
                            int64_t now, struct err *err)
{
    const char *pin = js_get_str(o->keys, "PIN");
    struct inv_source s = {.enrollment_id = enrollment_id, .reported_at = now};
    struct bytes sealed;
    enum outcome out;

    if (pin == NULL)
        return OK;
    out = secrets_seal_one(conf->signer_dir, ident, bytes_str(pin), a, &sealed, err);
    return out == OK
               ? inv_secret_put(db, &s, arena_fmt(a, "%s.PIN", o->request_type), "", sealed, err)
               : out;
}

static enum outcome keep_pins(struct running *r, const struct order_part *p)
{
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < p->send.n; i++) {
        const struct target *t = &p->send.targets[i];

        if (t->command_error == NULL)
            o = order_keep_pin(r->db, r->conf, r->a, r->o, t->enrollment_id, t->id, r->now, r->err);
    }
    return o;
}

/* ---- sending ---- */

static enum outcome send_part(struct running *r, struct order_part *p)
{
    const struct order *o = r->o;
    struct enqueue_note notes[2];
    size_t nnotes;
    enum outcome out = notes_of(r, p, notes, &nnotes);

    if (out != OK)
        return out;
    p->send = (struct sending){.command = &p->command,
                               .push = o->push,
                               .no_wait = o->no_wait,
                               .priority = o->priority,
                               .not_before = o->not_before,
                               .expires_at = o->expires_at,
                               .dedupe_key = o->dedupe_key,
                               .dedupe = o->dedupe,
                               .approved = o->approved,
                               .dropped = p->dropped,
                               .reason = o->reason,
                               .retry_of = o->retry_of,
                               .notes = notes,
                               .nnotes = nnotes};
    out = send_targets(r->a, p->idents, p->n, &p->send, r->err);
    if (out != OK)
        return out;
    send_run(r->db, r->conf, r->a, r->actor, r->now, &p->send);
    p->send.notes = NULL; /* which are this function's */
    if (p->send.used_before && o->seed != NULL) {
        r->o->repeated = true;
        p->send.command_error = NULL;
    }
    if (p->send.away)
        return err_set(r->err, UNAVAILABLE, "%s", p->send.command_error);
    return keep_pins(r, p);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool order_unknown(struct arena *a, const struct order *o, const char ***out, size_t *n)
{
    const char **known = arena_array(a, o->n + 1, sizeof *known);
    size_t all = 0;

    *n = 0;
    *out = arena_array(a, o->n + 1, sizeof **out);
    if (known == NULL || *out == NULL)
        return false;
    for (size_t i = 0; i < o->checked.n; i++) {
        const struct checked_group *g = o->checked.groups[i];

        memcpy(known + all, g->idents, g->enrollments * sizeof *known);
        all += g->enrollments;
    }
    qsort(known, all, sizeof *known, by_text);
    for (size_t i = 0; i < o->n; i++)
        if (bsearch(&o->ids[i], known, all, sizeof *known, by_text) == NULL)
            (*out)[(*n)++] = o->ids[i];
    return true;
}

enum outcome order_check(struct db *db, const struct conf *conf, struct arena *a, struct order *o,
                         struct err *err)
{
    enum outcome out = admit(db, conf, a, o, err);

    if (out == OK)
        out = command_checked(db, a, o->request_type, o->keys, o->ids, o->n, &o->checked, err);
    if (out == OK && o->checked.n == 0)
        return err_set(err, INVALID, "%.64s: " ORDER_UNKNOWN_ID, o->n > 0 ? o->ids[0] : "");
    if (out != OK || o->force)
        return out;
    for (size_t i = 0; i < o->checked.n; i++)
        if (o->checked.groups[i]->found.errors == 0)
            return OK;
    return err_set(err, INVALID, "the command is right for none of the enrollments");
}

enum outcome order_run(struct db *db, const struct conf *conf, struct arena *a, const char *actor,
                       int64_t now, struct order *o, struct err *err)
{
    struct running r = {db, conf, a, actor, now, o, err};
    enum outcome out = admit(db, conf, a, o, err);

    if (out == OK)
        out = command_checked(db, a, o->request_type, o->keys, o->ids, o->n, &o->checked, err);
    if (out == OK)
        out = make_parts(&r);
    for (size_t i = 0; out == OK && i < o->nparts; i++)
        out = send_part(&r, &o->parts[i]);
    return out;
}
