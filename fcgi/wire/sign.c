/* sign.c: asking the signer; see sign.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "wire/sign.h"
#include "wire/sign_proto.h"

#define CHANGE_US (120 * SECOND_US) /* the keys of a CA take their time */
#define DEADLINE_US (10 * SECOND_US)

static struct sockaddr_un address;

void sign_client_setup(const char *run_dir, enum sign_role role)
{
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/signer-%s.sock", run_dir,
                     sign_role_name(role));
    if (n < 0 || (size_t)n >= sizeof address.sun_path)
        address.sun_path[0] = '\0'; /* refused at the first call, with words */
}

static enum outcome wait_for(int fd, short events, int64_t deadline, struct err *err)
{
    for (;;) {
        int64_t left = deadline - clock_mono();
        struct pollfd p = {.fd = fd, .events = events};
        int n = left > 0 ? poll(&p, 1, (int)(left / 1000) + 1) : 0;
        if (n > 0)
            return OK;
        if (n == 0)
            return err_set(err, UNAVAILABLE, "the signer did not answer within %d s",
                           (int)(DEADLINE_US / SECOND_US));
        if (errno != EINTR)
            return err_set(err, ERROR, "poll: %m");
    }
}

static enum outcome connect_to(int *fd, int64_t deadline, struct err *err)
{
    if (!address.sun_path[0])
        return err_set(err, ERROR, "the path of the signer's socket is unset or too long");
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return err_set(err, ERROR, "socket: %m");
    /* A full backlog answers EAGAIN at once: there is nothing to poll for, so wait and ask again */
    while (connect(*fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return err_set(err, UNAVAILABLE, "the signer's socket %s: %m", address.sun_path);
        if (clock_mono() > deadline)
            return err_set(err, UNAVAILABLE, "the signer takes no more callers");
        usleep(5000);
    }
    return OK;
}

static enum outcome send_all(int fd, struct bytes b, int64_t deadline, struct err *err)
{
    while (b.n) {
        ssize_t n = send(fd, b.p, b.n, MSG_NOSIGNAL);
        if (n >= 0) {
            b = bytes_of(b.p + n, b.n - (size_t)n);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EPIPE || errno == ECONNRESET)
            return OK; /* refused early: its answer says why */
        if (errno != EAGAIN)
            return err_set(err, UNAVAILABLE, "sending to the signer: %m");
        enum outcome o = wait_for(fd, POLLOUT, deadline, err);
        if (o != OK)
            return o;
    }
    return OK;
}

/* Reads until the signer closes the connection. */
static enum outcome read_all(int fd, struct buf *in, int64_t deadline, struct err *err)
{
    for (;;) {
        char *room = buf_room(in, 16384);
        if (!room)
            return err_set(err, ERROR, "the signer's answer is past its ceiling");
        ssize_t n = recv(fd, room, 16384, 0);
        if (n > 0) {
            buf_grew(in, (size_t)n);
            continue;
        }
        if (n == 0 || errno == ECONNRESET)
            return OK;
        if (errno != EAGAIN && errno != EINTR)
            return err_set(err, UNAVAILABLE, "reading from the signer: %m");
        enum outcome o = wait_for(fd, POLLIN, deadline, err);
        if (o != OK)
            return o;
    }
}

/* Takes an answer's head off; r stands at its fields when OK. */
static enum outcome answer_read(const struct buf *in, struct sign_reader *r, struct err *err)
{
    struct bytes b = buf_bytes(in);
    uint32_t n = b.n < SIGN_HEAD ? 0
                                 : (uint32_t)b.p[0] << 24 | (uint32_t)b.p[1] << 16 |
                                       (uint32_t)b.p[2] << 8 | b.p[3];
    if (b.n < SIGN_HEAD || n != b.n - SIGN_HEAD)
        return err_set(err, UNAVAILABLE, "the signer closed the connection without an answer");
    enum outcome o = (enum outcome)sign_read_begin(r, bytes_of(b.p + SIGN_HEAD, n));
    if (r->bad || (int)o > (int)ERROR)
        return err_set(err, ERROR, "the signer's answer is of another version");
    if (o == OK)
        return OK;
    struct bytes why = sign_get_bytes(r);
    return err_set(err, o, "signer: %.*s", (int)(why.n < 300 ? why.n : 300), (const char *)why.p);
}

#define MSG_MAX (SIGN_MSG_MAX + SIGN_HEAD + 16384u)

/* One question, and its answer: r stands at its fields. Both may hold secrets. */
struct question {
    int64_t wait_us; /* so long for the answer */
    struct buf msg, in;
    struct sign_reader r;
};

static void question_begin(struct question *q, enum sign_op op)
{
    q->wait_us = DEADLINE_US;
    buf_init(&q->msg, MSG_MAX);
    buf_init(&q->in, MSG_MAX);
    q->r = (struct sign_reader){0};
    sign_msg_begin(&q->msg, op);
}

static enum outcome ask(struct question *q, struct err *err)
{
    int fd = -1;
    enum outcome o = OK;
    int64_t deadline = clock_mono() + q->wait_us;
    if (!sign_msg_end(&q->msg))
        o = err_set(err, INVALID, "more than %u octets for the signer", SIGN_MSG_MAX);
    if (o == OK)
        o = connect_to(&fd, deadline, err);
    if (o == OK)
        o = send_all(fd, buf_bytes(&q->msg), deadline, err);
    if (o == OK)
        o = read_all(fd, &q->in, deadline, err);
    if (o == OK)
        o = answer_read(&q->in, &q->r, err);
    if (fd >= 0)
        close(fd);
    return o;
}

/* o: of ask(); kept: all fields were as long as they should be, and there was room for them. */
static enum outcome question_end(struct question *q, enum outcome o, bool kept, struct err *err)
{
    if (o == OK && (!sign_read_done(&q->r) || !kept))
        o = err_set(err, ERROR,
                    "the signer's answer has other fields than were asked for, or no room");
    buf_wipe(&q->in);
    buf_wipe(&q->msg);
    return o;
}

/* Asks and copies an answer of one field into a. */
static enum outcome ask_bytes(struct question *q, struct arena *a, struct bytes *out,
                              struct err *err)
{
    enum outcome o = ask(q, err);
    if (o == OK)
        *out = arena_bytes(a, sign_get_bytes(&q->r));
    return question_end(q, o, o != OK || out->p, err);
}

enum outcome sign_ping(struct arena *a, const char **version, struct err *err)
{
    struct bytes b = {0};
    struct question q;
    question_begin(&q, SIGN_OP_PING);
    enum outcome o = ask_bytes(&q, a, &b, err);
    *version = o == OK ? (const char *)b.p : ""; /* arena_bytes ends it with a NUL */
    return o;
}

enum outcome sign_certificate(struct arena *a, const char *which, struct bytes *der,
                              struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_CERTIFICATE);
    sign_put_str(&q.msg, which);
    return ask_bytes(&q, a, der, err);
}

enum outcome sign_profile(struct arena *a, struct bytes profile, struct bytes *der, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_PROFILE);
    sign_put_bytes(&q.msg, profile);
    return ask_bytes(&q, a, der, err);
}

enum outcome sign_scep_open(struct arena *a, struct bytes enveloped, struct bytes *plain,
                            const char **cipher, int64_t *generation, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_SCEP_OPEN);
    sign_put_bytes(&q.msg, enveloped);
    enum outcome o = ask(&q, err);
    if (o == OK) {
        *plain = arena_bytes(a, sign_get_bytes(&q.r));
        *cipher = sign_get_str(&q.r, a);
        *generation = sign_get_int(&q.r);
    }
    return question_end(&q, o, o != OK || plain->p, err);
}

enum outcome sign_issue_identity(struct arena *a, const struct sign_issue *issue,
                                 struct bytes *cert_der, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_ISSUE);
    sign_put_bytes(&q.msg, issue->csr_der);
    sign_put_str(&q.msg, issue->sealed_label ? issue->sealed_label : "");
    sign_put_str(&q.msg, issue->common_name);
    sign_put_str(&q.msg, issue->san ? issue->san : "");
    sign_put_int(&q.msg, issue->not_before);
    sign_put_int(&q.msg, issue->not_after);
    return ask_bytes(&q, a, cert_der, err);
}

enum outcome sign_pkcs12(struct arena *a, const struct sign_pkcs12 *p, struct bytes *cert_der,
                         struct bytes *pkcs12, const char **password, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_PKCS12);
    sign_put_str(&q.msg, p->key_type);
    sign_put_int(&q.msg, p->key_size);
    sign_put_str(&q.msg, p->common_name);
    sign_put_int(&q.msg, p->not_before);
    sign_put_int(&q.msg, p->not_after);
    enum outcome o = ask(&q, err);
    if (o == OK) {
        *cert_der = arena_bytes(a, sign_get_bytes(&q.r));
        *pkcs12 = arena_bytes(a, sign_get_bytes(&q.r));
        *password = sign_get_str(&q.r, a);
    }
    return question_end(&q, o, o != OK || (cert_der->p && pkcs12->p), err);
}

enum outcome sign_scep_reply(struct arena *a, const struct scep_reply *reply, struct bytes *der,
                             struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_SCEP_REPLY);
    sign_put_str(&q.msg, reply->transaction_id);
    sign_put_bytes(&q.msg, reply->recipient_nonce);
    sign_put_int(&q.msg, reply->pki_status);
    sign_put_int(&q.msg, reply->fail_info);
    sign_put_bytes(&q.msg, reply->issued_der);
    sign_put_bytes(&q.msg, reply->recipient_der);
    sign_put_str(&q.msg, reply->cipher);
    sign_put_str(&q.msg, reply->digest);
    sign_put_int(&q.msg, reply->generation);
    sign_put_int(&q.msg, reply->is_crl);
    return ask_bytes(&q, a, der, err);
}

enum outcome sign_unseal(const char *purpose, const char *owner, struct bytes sealed,
                         struct bytes ticket, const char *command_uuid, struct buf *out,
                         struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_UNSEAL);
    sign_put_str(&q.msg, purpose);
    sign_put_str(&q.msg, owner);
    sign_put_bytes(&q.msg, sealed);
    sign_put_bytes(&q.msg, ticket);
    sign_put_str(&q.msg, command_uuid);
    enum outcome o = ask(&q, err);
    struct bytes secret = o == OK ? sign_get_bytes(&q.r) : bytes_of(NULL, 0);
    if (o == OK && sign_read_done(&q.r))
        buf_add(out, secret.p, secret.n);
    return question_end(&q, o, !buf_failed(out), err);
}

enum outcome sign_ticket(const char *purpose, const char *owner, const char *command_uuid,
                         const char *reason, int64_t expires, uint8_t ticket[SIGN_TICKET_LEN],
                         struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_TICKET);
    sign_put_str(&q.msg, purpose);
    sign_put_str(&q.msg, owner);
    sign_put_str(&q.msg, command_uuid);
    sign_put_str(&q.msg, reason);
    sign_put_int(&q.msg, expires);
    enum outcome o = ask(&q, err);
    struct bytes b = o == OK ? sign_get_bytes(&q.r) : bytes_of(NULL, 0);
    bool fits = b.n == SIGN_TICKET_LEN;
    if (fits)
        memcpy(ticket, b.p, SIGN_TICKET_LEN);
    return question_end(&q, o, fits, err);
}

enum outcome sign_ticket_end(struct bytes ticket, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_TICKET_END);
    sign_put_bytes(&q.msg, ticket);
    return question_end(&q, ask(&q, err), true, err);
}

enum outcome sign_digest_check(const struct digest_answer *d, struct bytes ha1_sealed,
                               const char *method, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_DIGEST_CHECK);
    sign_put_str(&q.msg, digest_algorithm_name(d->algorithm));
    sign_put_bytes(&q.msg, ha1_sealed);
    sign_put_str(&q.msg, method);
    const char *const fields[] = {d->username, d->uri, d->nonce,   d->nc,
                                  d->cnonce,   d->qop, d->response};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        sign_put_str(&q.msg, fields[i]);
    return question_end(&q, ask(&q, err), true, err);
}

enum outcome sign_key_new(struct arena *a, const char *common_name, const char *organization,
                          struct sign_request *out, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_KEY_NEW);
    sign_put_str(&q.msg, common_name);
    sign_put_str(&q.msg, organization);
    enum outcome o = ask(&q, err);
    if (o == OK) {
        out->csr_der = arena_bytes(a, sign_get_bytes(&q.r));
        out->key_sealed = arena_bytes(a, sign_get_bytes(&q.r));
    }
    return question_end(&q, o, o != OK || (out->csr_der.p && out->key_sealed.p), err);
}

enum outcome sign_key_adopt(struct arena *a, const char *purpose, struct bytes key_sealed,
                            struct bytes cert_der, struct bytes *sealed, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_KEY_ADOPT);
    sign_put_str(&q.msg, purpose);
    sign_put_bytes(&q.msg, key_sealed);
    sign_put_bytes(&q.msg, cert_der);
    return ask_bytes(&q, a, sealed, err);
}

enum outcome sign_vendor(struct arena *a, struct bytes key_sealed, struct bytes cert_der,
                         struct bytes csr_der, const char *digest, struct bytes *signature,
                         struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_VENDOR_SIGN);
    sign_put_bytes(&q.msg, key_sealed);
    sign_put_bytes(&q.msg, cert_der);
    sign_put_bytes(&q.msg, csr_der);
    sign_put_str(&q.msg, digest);
    return ask_bytes(&q, a, signature, err);
}

enum outcome sign_totp_check(const char *name, struct bytes sealed, const char *code, int64_t now,
                             int64_t *step, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_TOTP_CHECK);
    sign_put_str(&q.msg, name);
    sign_put_bytes(&q.msg, sealed);
    sign_put_str(&q.msg, code);
    sign_put_int(&q.msg, now);
    enum outcome o = ask(&q, err);
    if (o == OK)
        *step = sign_get_int(&q.r);
    return question_end(&q, o, true, err);
}

enum outcome sign_authorities(struct arena *a, struct sign_authority *out, size_t *n,
                              struct err *err)
{
    struct question q;
    bool kept = true;
    *n = 0;
    question_begin(&q, SIGN_OP_AUTHORITIES);
    enum outcome o = ask(&q, err);
    int64_t count = o == OK ? sign_get_int(&q.r) : 0;
    if (o == OK)
        kept = count >= 1 && count <= SIGN_AUTHORITIES_MAX;
    for (; o == OK && kept && *n < (size_t)count; ++*n) {
        out[*n] = (struct sign_authority){.generation = sign_get_int(&q.r)};
        out[*n].state = sign_get_int(&q.r);
        out[*n].ca_der = arena_bytes(a, sign_get_bytes(&q.r));
        out[*n].ra_der = arena_bytes(a, sign_get_bytes(&q.r));
        kept = out[*n].ca_der.p && out[*n].ra_der.p;
    }
    return question_end(&q, o, kept, err);
}

enum outcome sign_ca_change(const char *change, int64_t generation, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_CA_CHANGE);
    q.wait_us = CHANGE_US;
    sign_put_str(&q.msg, change);
    sign_put_int(&q.msg, generation);
    return question_end(&q, ask(&q, err), true, err);
}

enum outcome sign_ca_init(const char *organization, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_CA_INIT);
    q.wait_us = CHANGE_US;
    sign_put_str(&q.msg, organization);
    return question_end(&q, ask(&q, err), true, err);
}

enum outcome sign_next_ca(struct arena *a, struct bytes *der, struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_NEXT_CA);
    return ask_bytes(&q, a, der, err);
}

enum outcome sign_crl(struct arena *a, const struct sign_crl *crl, struct bytes *der,
                      struct err *err)
{
    struct question q;
    question_begin(&q, SIGN_OP_CRL);
    sign_put_int(&q.msg, crl->generation);
    sign_put_int(&q.msg, crl->number);
    sign_put_int(&q.msg, crl->this_update);
    sign_put_int(&q.msg, crl->next_update);
    sign_put_int(&q.msg, (int64_t)crl->n);
    for (size_t i = 0; i < crl->n; i++) {
        sign_put_str(&q.msg, crl->entries[i].serial);
        sign_put_int(&q.msg, crl->entries[i].revoked_at);
    }
    return ask_bytes(&q, a, der, err);
}
