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

/* One question; in holds the answer (wiped by the caller), r stands at its fields. */
static enum outcome ask(struct buf *msg, struct buf *in, struct sign_reader *r, struct err *err)
{
    int fd = -1;
    enum outcome o = OK;
    int64_t deadline = clock_mono() + DEADLINE_US;
    if (!sign_msg_end(msg))
        o = err_set(err, INVALID, "more than %u octets for the signer", SIGN_MSG_MAX);
    if (o == OK)
        o = connect_to(&fd, deadline, err);
    if (o == OK)
        o = send_all(fd, buf_bytes(msg), deadline, err);
    if (o == OK)
        o = read_all(fd, in, deadline, err);
    if (o == OK)
        o = answer_read(in, r, err);
    if (fd >= 0)
        close(fd);
    return o;
}

#define MSG_INIT BUF_INIT(SIGN_MSG_MAX + SIGN_HEAD + 16384u)

static enum outcome bad_answer(struct err *err)
{
    return err_set(err, ERROR, "the signer's answer has other fields than were asked for");
}

/* Asks and copies an answer of one field into a. */
static enum outcome ask_bytes(struct buf *msg, struct arena *a, struct bytes *out, struct err *err)
{
    struct buf in = MSG_INIT;
    struct sign_reader r = {0};
    enum outcome o = ask(msg, &in, &r, err);
    if (o == OK) {
        *out = arena_bytes(a, sign_get_bytes(&r));
        if (!sign_read_done(&r))
            o = bad_answer(err);
        else if (!out->p)
            o = err_set(err, ERROR, "no room for the signer's answer");
    }
    buf_wipe(&in);
    buf_wipe(msg);
    return o;
}

enum outcome sign_ping(struct arena *a, const char **version, struct err *err)
{
    struct bytes b = {0};
    struct buf msg = MSG_INIT;
    sign_msg_begin(&msg, SIGN_OP_PING);
    enum outcome o = ask_bytes(&msg, a, &b, err);
    *version = o == OK ? (const char *)b.p : ""; /* arena_bytes ends it with a NUL */
    return o;
}

enum outcome sign_certificate(struct arena *a, const char *which, struct bytes *der,
                              struct err *err)
{
    struct buf msg = MSG_INIT;
    sign_msg_begin(&msg, SIGN_OP_CERTIFICATE);
    sign_put_str(&msg, which);
    return ask_bytes(&msg, a, der, err);
}

enum outcome sign_profile(struct arena *a, struct bytes profile, struct bytes *der, struct err *err)
{
    struct buf msg = MSG_INIT;
    sign_msg_begin(&msg, SIGN_OP_PROFILE);
    sign_put_bytes(&msg, profile);
    return ask_bytes(&msg, a, der, err);
}

enum outcome sign_scep_open(struct arena *a, struct bytes enveloped, struct bytes *plain,
                            const char **cipher, struct err *err)
{
    struct buf msg = MSG_INIT;
    struct buf in = MSG_INIT;
    struct sign_reader r = {0};
    sign_msg_begin(&msg, SIGN_OP_SCEP_OPEN);
    sign_put_bytes(&msg, enveloped);
    enum outcome o = ask(&msg, &in, &r, err);
    if (o == OK) {
        *plain = arena_bytes(a, sign_get_bytes(&r));
        *cipher = sign_get_str(&r, a);
        if (!sign_read_done(&r) || !plain->p)
            o = bad_answer(err);
    }
    buf_wipe(&in);
    buf_free(&msg);
    return o;
}

enum outcome sign_issue_identity(struct arena *a, const struct sign_issue *issue,
                                 struct bytes *cert_der, struct err *err)
{
    struct buf msg = MSG_INIT;
    sign_msg_begin(&msg, SIGN_OP_ISSUE);
    sign_put_bytes(&msg, issue->csr_der);
    sign_put_str(&msg, issue->sealed_label ? issue->sealed_label : "");
    sign_put_str(&msg, issue->common_name);
    sign_put_str(&msg, issue->san ? issue->san : "");
    sign_put_int(&msg, issue->not_before);
    sign_put_int(&msg, issue->not_after);
    return ask_bytes(&msg, a, cert_der, err);
}

enum outcome sign_pkcs12(struct arena *a, const struct sign_pkcs12 *p, struct bytes *cert_der,
                         struct bytes *pkcs12, const char **password, struct err *err)
{
    struct buf msg = MSG_INIT;
    struct buf in = MSG_INIT;
    struct sign_reader r = {0};
    sign_msg_begin(&msg, SIGN_OP_PKCS12);
    sign_put_str(&msg, p->key_type);
    sign_put_int(&msg, p->key_size);
    sign_put_str(&msg, p->common_name);
    sign_put_int(&msg, p->not_before);
    sign_put_int(&msg, p->not_after);
    enum outcome o = ask(&msg, &in, &r, err);
    if (o == OK) {
        *cert_der = arena_bytes(a, sign_get_bytes(&r));
        *pkcs12 = arena_bytes(a, sign_get_bytes(&r));
        *password = sign_get_str(&r, a);
        if (!sign_read_done(&r) || !cert_der->p || !pkcs12->p)
            o = bad_answer(err);
    }
    buf_wipe(&in);
    buf_free(&msg);
    return o;
}

enum outcome sign_scep_reply(struct arena *a, const struct scep_reply *reply, struct bytes *der,
                             struct err *err)
{
    struct buf msg = MSG_INIT;
    sign_msg_begin(&msg, SIGN_OP_SCEP_REPLY);
    sign_put_str(&msg, reply->transaction_id);
    sign_put_bytes(&msg, reply->recipient_nonce);
    sign_put_int(&msg, reply->pki_status);
    sign_put_int(&msg, reply->fail_info);
    sign_put_bytes(&msg, reply->issued_der);
    sign_put_bytes(&msg, reply->recipient_der);
    sign_put_str(&msg, reply->cipher);
    sign_put_str(&msg, reply->digest);
    return ask_bytes(&msg, a, der, err);
}

enum outcome sign_unseal(const char *purpose, const char *owner, struct bytes sealed,
                         struct bytes ticket, const char *command_uuid, struct buf *out,
                         struct err *err)
{
    struct buf msg = MSG_INIT;
    struct buf in = MSG_INIT;
    struct sign_reader r = {0};
    sign_msg_begin(&msg, SIGN_OP_UNSEAL);
    sign_put_str(&msg, purpose);
    sign_put_str(&msg, owner);
    sign_put_bytes(&msg, sealed);
    sign_put_bytes(&msg, ticket);
    sign_put_str(&msg, command_uuid);
    enum outcome o = ask(&msg, &in, &r, err);
    if (o == OK) {
        struct bytes secret = sign_get_bytes(&r);
        if (!sign_read_done(&r)) {
            o = bad_answer(err);
        } else {
            buf_add(out, secret.p, secret.n);
            if (buf_failed(out))
                o = err_set(err, ERROR, "no room for a secret of %zu octets", secret.n);
        }
    }
    buf_wipe(&in);
    buf_wipe(&msg);
    return o;
}

enum outcome sign_ticket(const char *purpose, const char *owner, const char *command_uuid,
                         const char *reason, int64_t expires, uint8_t ticket[SIGN_TICKET_LEN],
                         struct err *err)
{
    struct buf msg = MSG_INIT;
    struct buf in = MSG_INIT;
    struct sign_reader r = {0};
    sign_msg_begin(&msg, SIGN_OP_TICKET);
    sign_put_str(&msg, purpose);
    sign_put_str(&msg, owner);
    sign_put_str(&msg, command_uuid);
    sign_put_str(&msg, reason);
    sign_put_int(&msg, expires);
    enum outcome o = ask(&msg, &in, &r, err);
    if (o == OK) {
        struct bytes b = sign_get_bytes(&r);
        if (!sign_read_done(&r) || b.n != SIGN_TICKET_LEN)
            o = bad_answer(err);
        else
            memcpy(ticket, b.p, SIGN_TICKET_LEN);
    }
    buf_wipe(&in);
    buf_free(&msg);
    return o;
}

enum outcome sign_ticket_end(struct bytes ticket, struct err *err)
{
    struct buf msg = MSG_INIT;
    struct buf in = MSG_INIT;
    struct sign_reader r = {0};
    sign_msg_begin(&msg, SIGN_OP_TICKET_END);
    sign_put_bytes(&msg, ticket);
    enum outcome o = ask(&msg, &in, &r, err);
    if (o == OK && !sign_read_done(&r))
        o = bad_answer(err);
    buf_wipe(&in);
    buf_wipe(&msg);
    return o;
}

enum outcome sign_digest_check(const struct digest_answer *d, struct bytes ha1_sealed,
                               const char *method, struct err *err)
{
    struct buf msg = MSG_INIT;
    struct buf in = MSG_INIT;
    struct sign_reader r = {0};
    sign_msg_begin(&msg, SIGN_OP_DIGEST_CHECK);
    sign_put_str(&msg, digest_algorithm_name(d->algorithm));
    sign_put_bytes(&msg, ha1_sealed);
    sign_put_str(&msg, method);
    const char *const fields[] = {d->username, d->uri, d->nonce,   d->nc,
                                  d->cnonce,   d->qop, d->response};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        sign_put_str(&msg, fields[i]);
    enum outcome o = ask(&msg, &in, &r, err);
    if (o == OK && !sign_read_done(&r))
        o = bad_answer(err);
    buf_wipe(&in);
    buf_wipe(&msg);
    return o;
}

enum outcome sign_key_new(struct arena *a, const char *common_name, const char *organization,
                          struct sign_request *out, struct err *err)
{
    struct buf msg = MSG_INIT;
    struct buf in = MSG_INIT;
    struct sign_reader r = {0};
    sign_msg_begin(&msg, SIGN_OP_KEY_NEW);
    sign_put_str(&msg, common_name);
    sign_put_str(&msg, organization);
    enum outcome o = ask(&msg, &in, &r, err);
    if (o == OK) {
        out->csr_der = arena_bytes(a, sign_get_bytes(&r));
        out->key_sealed = arena_bytes(a, sign_get_bytes(&r));
        if (!sign_read_done(&r) || !out->csr_der.p || !out->key_sealed.p)
            o = bad_answer(err);
    }
    buf_free(&in);
    buf_free(&msg);
    return o;
}

enum outcome sign_key_adopt(struct arena *a, const char *purpose, struct bytes key_sealed,
                            struct bytes cert_der, struct bytes *sealed, struct err *err)
{
    struct buf msg = MSG_INIT;
    sign_msg_begin(&msg, SIGN_OP_KEY_ADOPT);
    sign_put_str(&msg, purpose);
    sign_put_bytes(&msg, key_sealed);
    sign_put_bytes(&msg, cert_der);
    return ask_bytes(&msg, a, sealed, err);
}

enum outcome sign_vendor(struct arena *a, struct bytes key_sealed, struct bytes cert_der,
                         struct bytes csr_der, const char *digest, struct bytes *signature,
                         struct err *err)
{
    struct buf msg = MSG_INIT;
    sign_msg_begin(&msg, SIGN_OP_VENDOR_SIGN);
    sign_put_bytes(&msg, key_sealed);
    sign_put_bytes(&msg, cert_der);
    sign_put_bytes(&msg, csr_der);
    sign_put_str(&msg, digest);
    return ask_bytes(&msg, a, signature, err);
}

enum outcome sign_totp_check(const char *name, struct bytes sealed, const char *code, int64_t now,
                             int64_t *step, struct err *err)
{
    struct buf msg = MSG_INIT;
    struct buf in = MSG_INIT;
    struct sign_reader r = {0};
    sign_msg_begin(&msg, SIGN_OP_TOTP_CHECK);
    sign_put_str(&msg, name);
    sign_put_bytes(&msg, sealed);
    sign_put_str(&msg, code);
    sign_put_int(&msg, now);
    enum outcome o = ask(&msg, &in, &r, err);
    if (o == OK) {
        *step = sign_get_int(&r);
        if (!sign_read_done(&r))
            o = bad_answer(err);
    }
    buf_wipe(&in);
    buf_wipe(&msg);
    return o;
}
