/*
 * signer_ticket.c: leave to open an UnlockToken.
 *
 * The console (or droverctl) asks for a ticket at the moment a command that needs the secret is
 * approved; the ticket is stored with the command, and the worker that delivers the command shows
 * it. So a worker that was taken over opens only what somebody approved, and a console that was
 * taken over opens nothing by itself.
 *
 * A ticket is bound to purpose, owner and CommandUUID. It is single-use in the sense that counts:
 * one command. The same command may have to be delivered again under its UUID, since a device
 * that lost the answer asks anew, and refusing would lose the command; so the ticket holds until
 * the command has a final status (sign_ticket_end) or the ticket expires. Each opening is a line
 * in the signer's log.
 *
 * A ticket is 32 random octets. What the signer keeps is a file in tickets/, named by the ticket's
 * SHA-256, so that neither a restart loses a ticket nor a copy of the folder gives one away. A file
 * holds the fields of struct signer_ticket as sign_proto.h writes them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/uuid.h"
#include "proc/signer_int.h"
#include "wire/encode.h"

#define TICKETS_MAX 50000
#define TICKET_DAYS_MAX 90
#define TICKET_FILE_MAX 2048u

struct signer_tickets {
    pthread_mutex_t lock; /* of count, and makes sweep and make take turns */
    int dir;
    size_t count;
};

static bool name_is_ticket(const char *name)
{
    return strlen(name) == SHA256_HEX_LEN && strspn(name, "0123456789abcdef") == SHA256_HEX_LEN;
}

/* Reads the fields of a ticket's file into a. */
static enum outcome ticket_read(struct signer_tickets *t, const char *name, struct arena *a,
                                struct signer_ticket *out, struct err *err)
{
    uint8_t text[TICKET_FILE_MAX];
    int fd = openat(t->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT
                   ? err_set(err, NOT_FOUND, "there is no such ticket (ended, expired or invented)")
                   : err_set(err, ERROR, "ticket %s: %m", name);
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    struct sign_reader r = {.rest = bytes_of(text, n > 0 ? (size_t)n : 0)};
    out->purpose = sign_get_str(&r, a);
    out->owner = sign_get_str(&r, a);
    out->command_uuid = sign_get_str(&r, a);
    out->expires = sign_get_int(&r);
    if (!sign_read_done(&r))
        return err_set(err, ERROR, "ticket %s is damaged", name);
    return OK;
}

static void ticket_remove(struct signer_tickets *t, const char *name)
{
    if (unlinkat(t->dir, name, 0) == 0) {
        pthread_mutex_lock(&t->lock);
        if (t->count)
            t->count--;
        pthread_mutex_unlock(&t->lock);
    }
}

static bool ticket_is_over(struct signer_tickets *t, const char *name, int64_t now)
{
    struct arena *a = arena_new(8 * LIM_KB);
    struct signer_ticket ticket;
    bool over = a && ticket_read(t, name, a, &ticket, NULL) == OK && ticket.expires <= now;
    arena_free(&a);
    return over;
}

/* Removes the expired and half-written files; returns how many tickets are left. */
static size_t sweep(struct signer_tickets *t)
{
    size_t left = 0;
    int64_t now = clock_now();
    int fd = openat(t->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return t->count;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        if (!name_is_ticket(e->d_name) || ticket_is_over(t, e->d_name, now))
            unlinkat(t->dir, e->d_name, 0);
        else
            left++;
    }
    closedir(d);
    return left;
}

void signer_tickets_sweep(struct signer_tickets *t)
{
    pthread_mutex_lock(&t->lock);
    t->count = sweep(t);
    pthread_mutex_unlock(&t->lock);
}

enum outcome signer_tickets_open(const char *dir, struct signer_tickets **out, struct err *err)
{
    *out = NULL;
    char path[4096];
    snprintf(path, sizeof path, "%s/tickets", dir);
    struct signer_tickets *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERROR, "out of memory");
    t->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->dir < 0) {
        free(t);
        return err_set(err, ERROR, "%s: %m (\"droverctl ca init\" makes it)", path);
    }
    pthread_mutex_init(&t->lock, NULL);
    signer_tickets_sweep(t);
    *out = t;
    return OK;
}

void signer_tickets_free(struct signer_tickets **t)
{
    if (!*t)
        return;
    close((*t)->dir);
    pthread_mutex_destroy(&(*t)->lock);
    free(*t);
    *t = NULL;
}

static enum outcome ticket_write(struct signer_tickets *t, const char *name, struct bytes b,
                                 struct err *err)
{
    char tmp[SHA256_HEX_LEN + 8];
    snprintf(tmp, sizeof tmp, "%s.new", name);
    int fd = openat(t->dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERROR, "tickets/%s: %m", tmp);
    bool ok = write(fd, b.p, b.n) == (ssize_t)b.n && fsync(fd) == 0;
    close(fd);
    if (!ok || renameat(t->dir, tmp, t->dir, name) != 0 || fsync(t->dir) != 0) {
        enum outcome o = err_set(err, ERROR, "tickets/%s: %m", name);
        unlinkat(t->dir, tmp, 0);
        return o;
    }
    return OK;
}

enum outcome signer_ticket_make(struct signer_tickets *t, const struct signer_ticket *ticket,
                                uint8_t out[SIGN_TICKET_LEN], struct err *err)
{
    int64_t now = clock_now();
    if (ticket->expires <= now || ticket->expires > now + TICKET_DAYS_MAX * DAY_US)
        return err_set(err, INVALID, "a ticket expires within %d days from now", TICKET_DAYS_MAX);
    if (!ticket->owner[0] || strlen(ticket->owner) > LIM_IDENT || !ticket->command_uuid[0] ||
        strlen(ticket->command_uuid) > LIM_COMMAND_UUID)
        return err_set(err, INVALID, "a ticket names an owner and a CommandUUID");
    char name[SHA256_HEX_LEN + 1];
    random_bytes(out, SIGN_TICKET_LEN);
    sha256_hex(bytes_of(out, SIGN_TICKET_LEN), name);
    struct buf b = BUF_INIT(TICKET_FILE_MAX);
    sign_put_str(&b, ticket->purpose);
    sign_put_str(&b, ticket->owner);
    sign_put_str(&b, ticket->command_uuid);
    sign_put_int(&b, ticket->expires);
    pthread_mutex_lock(&t->lock);
    if (t->count >= TICKETS_MAX)
        t->count = sweep(t);
    enum outcome o =
        buf_failed(&b) ? err_set(err, INVALID, "the ticket's fields are too long") : OK;
    if (o == OK && t->count >= TICKETS_MAX)
        o = err_set(err, UNAVAILABLE, "%d tickets are open", TICKETS_MAX);
    if (o == OK)
        o = ticket_write(t, name, buf_bytes(&b), err);
    if (o == OK)
        t->count++;
    pthread_mutex_unlock(&t->lock);
    buf_free(&b);
    return o;
}

enum outcome signer_ticket_check(struct signer_tickets *t, struct bytes ticket, const char *purpose,
                                 const char *owner, const char *command_uuid, struct err *err)
{
    char name[SHA256_HEX_LEN + 1];
    struct signer_ticket is = {0};
    if (ticket.n != SIGN_TICKET_LEN)
        return err_set(err, NOT_FOUND, "%zu octets are no ticket", ticket.n);
    struct arena *a = arena_new(8 * LIM_KB);
    if (!a)
        return err_set(err, ERROR, "out of memory");
    sha256_hex(ticket, name);
    enum outcome o = ticket_read(t, name, a, &is, err);
    if (o == OK && is.expires <= clock_now()) {
        ticket_remove(t, name);
        o = err_set(err, NOT_FOUND, "the ticket has expired");
    } else if (o == OK && (strcmp(is.purpose, purpose) != 0 || strcmp(is.owner, owner) != 0 ||
                           strcmp(is.command_uuid, command_uuid) != 0)) {
        o = err_set(err, DENIED, "the ticket was made for another purpose, owner or command");
    }
    arena_free(&a);
    return o;
}

enum outcome signer_ticket_end(struct signer_tickets *t, struct bytes ticket, struct err *err)
{
    char name[SHA256_HEX_LEN + 1];
    if (ticket.n != SIGN_TICKET_LEN)
        return err_set(err, INVALID, "%zu octets are no ticket", ticket.n);
    sha256_hex(ticket, name);
    ticket_remove(t, name);
    return OK;
}
