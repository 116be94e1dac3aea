/* signer_ops.c: what the signer does, for whom, and the line it writes about it. */
#include <stdio.h>
#include "base/clock.h"
#include "proc/signer_int.h"
#include "wire/cms.h"
#include "wire/encode.h"
#include "wire/scepmsg.h"
#include "wire/totp.h"

#define ROLE(r) (1u << (r))
#define MDM ROLE(SIGN_MDM)
#define CONSOLE ROLE(SIGN_CONSOLE)
#define AGENT ROLE(SIGN_AGENT)
#define CTL ROLE(SIGN_CTL)
#define EVERYBODY (MDM | CONSOLE | AGENT | CTL)

static enum outcome op_ping(struct call *c, struct err *err)
{
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    sign_put_str(c->out, DROVER_VERSION);
    return OK;
}

static enum outcome op_certificate(struct call *c, struct err *err)
{
    const char *which = sign_get_str(&c->in, c->a);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    const struct signer_keys *k = &c->s->keys;
    const struct {
        const char *name;
        struct bytes cert;
    } known[] = {{"ca", k->ca.cert}, {"ra", k->ra.cert}, {"profile", k->profile.cert}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(which, known[i].name) == 0) {
            sign_put_bytes(c->out, known[i].cert);
            return OK;
        }
    return err_set(err, NOT_FOUND, "there is no certificate of that name");
}

static enum outcome op_scep_open(struct call *c, struct err *err)
{
    struct bytes enveloped = sign_get_bytes(&c->in);
    const char *cipher = "";
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    struct buf plain = BUF_INIT(LIM_BODY_SCEP);
    /* a client that has asked for the RA before the CA was changed knows the one before */
    const struct signer_keys *k = &c->s->keys;
    int generation = k->auth[k->now].generation;
    enum outcome o =
        scep_envelope_open(enveloped, k->ra.cert, k->ra.key, c->s->des, &plain, &cipher, err);
    for (size_t i = k->nauth; i-- > 0 && o == DENIED;) {
        if (i == k->now)
            continue;
        buf_wipe(&plain);
        o = scep_envelope_open(enveloped, k->auth[i].ra.cert, k->auth[i].ra.key, c->s->des, &plain,
                               &cipher, err);
        generation = k->auth[i].generation;
    }
    if (o == OK) {
        c->detail = cipher;
        sign_put_bytes(c->out, buf_bytes(&plain));
        sign_put_str(c->out, cipher);
        sign_put_int(c->out, generation);
    }
    buf_wipe(&plain);
    return o;
}

static enum outcome op_scep_reply(struct call *c, struct err *err)
{
    struct scep_reply r = {0};
    r.transaction_id = sign_get_str(&c->in, c->a);
    r.recipient_nonce = sign_get_bytes(&c->in);
    int64_t status = sign_get_int(&c->in);
    int64_t fail = sign_get_int(&c->in);
    r.issued_der = sign_get_bytes(&c->in);
    r.recipient_der = sign_get_bytes(&c->in);
    r.cipher = sign_get_str(&c->in, c->a);
    r.digest = sign_get_str(&c->in, c->a);
    r.generation = sign_get_int(&c->in);
    r.is_crl = sign_get_int(&c->in) != 0;
    const struct signer_pair *ra = &c->s->keys.ra;
    for (size_t i = 0; i < c->s->keys.nauth; i++)
        if (c->s->keys.auth[i].generation == r.generation)
            ra = &c->s->keys.auth[i].ra;
    if (!sign_read_done(&c->in) || status < 0 || status > 9 || fail < 0 || fail > 9)
        return signer_bad_fields(err);
    c->owner = r.transaction_id;
    c->purpose = status == SCEP_SUCCESS ? "scep-success" : "scep-refusal";
    r.pki_status = (int)status;
    r.fail_info = (int)fail;
    struct buf der = BUF_INIT(SIGN_SCEP_MAX);
    enum outcome o = scep_reply_write(&r, ra->cert, ra->key, &der, err);
    if (o == OK)
        sign_put_bytes(c->out, buf_bytes(&der));
    buf_free(&der);
    return o;
}

static enum outcome op_profile(struct call *c, struct err *err)
{
    struct bytes profile = sign_get_bytes(&c->in);
    if (!sign_read_done(&c->in) || profile.n == 0)
        return signer_bad_fields(err);
    char hex[SHA256_HEX_LEN + 1];
    sha256_hex(profile, hex);
    c->purpose = "profile";
    c->detail = arena_strdup(c->a, hex);
    struct buf der = BUF_INIT(SIGN_MSG_MAX);
    enum outcome o = cms_sign(profile, c->s->keys.profile.cert, c->s->keys.profile.key,
                              c->s->keys.chain, c->s->keys.nchain, false, &der, err);
    if (o == OK)
        sign_put_bytes(c->out, buf_bytes(&der));
    buf_free(&der);
    return o;
}

/* Which role may open what. */
static const struct {
    const char *purpose;
    unsigned roles;
    bool ticket;
    size_t max; /* octets of the secret */
} secrets[] = {{"BootstrapToken", MDM, false, LIM_SECRET},
               {"UnlockToken", MDM, true, LIM_SECRET},
               {"PushKey", AGENT, false, LIM_SECRET},
               {"WebhookSecret", AGENT, false, LIM_SECRET},
               {"EventPayload", AGENT, false, LIM_PROFILE},
               {"EscrowKey", AGENT, false, LIM_SECRET},
               {"ScepChallenge", MDM | AGENT, false, LIM_SECRET},
               {"RemovalPassword", MDM | AGENT, false, LIM_SECRET},
               {"Command", MDM, false, LIM_PROFILE},
               {"RedemptionCode", MDM, false, LIM_SECRET},
               {"Secret", CONSOLE | CTL, false, LIM_SECRET},
               {"Order", CONSOLE | CTL, false, LIM_BODY_API},
               {"StandingOrder", AGENT, false, LIM_MB},
               {"LibraryFile", MDM | CONSOLE | CTL, false, LIM_PROFILE},
               {"LibraryDraft", CONSOLE, false, LIM_PROFILE}};

static enum outcome secret_allowed(const struct call *c, struct bytes ticket, size_t *max,
                                   struct err *err)
{
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        if (strcmp(secrets[i].purpose, c->purpose) != 0)
            continue;
        if (!(secrets[i].roles & ROLE(c->peer->role)))
            return err_set(err, DENIED, "the role %s may not open a %s",
                           sign_role_name(c->peer->role), c->purpose);
        *max = secrets[i].max;
        return secrets[i].ticket ? signer_ticket_check(c->s->tickets, ticket, c->purpose, c->owner,
                                                       c->command, err)
                                 : OK;
    }
    return err_set(err, DENIED, "nobody may open a secret of this purpose");
}

static enum outcome op_unseal(struct call *c, struct err *err)
{
    c->purpose = sign_get_str(&c->in, c->a);
    c->owner = sign_get_str(&c->in, c->a);
    struct bytes sealed = sign_get_bytes(&c->in);
    struct bytes ticket = sign_get_bytes(&c->in);
    c->command = sign_get_str(&c->in, c->a);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    size_t max = 0;
    enum outcome o = secret_allowed(c, ticket, &max, err);
    if (o != OK)
        return o;
    const char *label = arena_fmt(c->a, "%s:%s", c->purpose, c->owner);
    if (!label)
        return err_set(err, ERROR, "out of memory");
    struct buf secret = BUF_INIT(max + SEAL_OVERHEAD);
    o = seal_open(&c->s->keys.seal, label, sealed, &secret, err);
    if (o == OK)
        sign_put_bytes(c->out, buf_bytes(&secret));
    buf_wipe(&secret);
    return o;
}

static enum outcome op_ticket(struct call *c, struct err *err)
{
    struct signer_ticket t = {0};
    uint8_t out[SIGN_TICKET_LEN];
    c->purpose = t.purpose = sign_get_str(&c->in, c->a);
    c->owner = t.owner = sign_get_str(&c->in, c->a);
    c->command = t.command_uuid = sign_get_str(&c->in, c->a);
    c->detail = sign_get_str(&c->in, c->a);
    t.expires = sign_get_int(&c->in);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    if (!c->detail[0])
        return err_set(err, INVALID, "a ticket needs a reason: who approved the command");
    bool takes_ticket = false;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        takes_ticket |= secrets[i].ticket && strcmp(secrets[i].purpose, t.purpose) == 0;
    if (!takes_ticket)
        return err_set(err, INVALID, "there are no tickets for this purpose");
    enum outcome o = signer_ticket_make(c->s->tickets, &t, out, err);
    if (o == OK)
        sign_put_bytes(c->out, bytes_of(out, sizeof out));
    secret_wipe(out, sizeof out);
    return o;
}

static enum outcome op_ticket_end(struct call *c, struct err *err)
{
    struct bytes ticket = sign_get_bytes(&c->in);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    return signer_ticket_end(c->s->tickets, ticket, err);
}

static enum outcome op_digest_check(struct call *c, struct err *err)
{
    struct digest_answer d = {0};
    const char *algorithm = sign_get_str(&c->in, c->a);
    struct bytes sealed = sign_get_bytes(&c->in);
    const char *method = sign_get_str(&c->in, c->a);
    const char **const fields[] = {&d.username, &d.uri, &d.nonce,   &d.nc,
                                   &d.cnonce,   &d.qop, &d.response};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        *fields[i] = sign_get_str(&c->in, c->a);
    if (!sign_read_done(&c->in) || !digest_algorithm_read(algorithm, &d.algorithm))
        return signer_bad_fields(err);
    c->purpose = "DigestHA1";
    c->owner = d.username;
    const char *label =
        arena_fmt(c->a, SIGN_DIGEST_LABEL, digest_algorithm_name(d.algorithm), d.username);
    struct buf ha1 = BUF_INIT(DIGEST_HEX_MAX + SEAL_OVERHEAD);
    enum outcome o = label ? seal_open(&c->s->keys.seal, label, sealed, &ha1, err)
                           : err_set(err, ERROR, "out of memory");
    if (o == DENIED)
        o = err_set(err, INVALID, "the HA1 was not sealed here for this account");
    if (o == OK)
        o = digest_check(&d, buf_cstr(&ha1), method, err);
    buf_wipe(&ha1);
    return o;
}

static enum outcome op_totp_check(struct call *c, struct err *err)
{
    c->purpose = "TotpSecret";
    c->owner = sign_get_str(&c->in, c->a);
    struct bytes sealed = sign_get_bytes(&c->in);
    const char *code = sign_get_str(&c->in, c->a);
    int64_t now = sign_get_int(&c->in);
    int64_t here = clock_now();
    if (!sign_read_done(&c->in) || now < here - MINUTE_US || now > here + MINUTE_US)
        return signer_bad_fields(err);
    const char *label = arena_fmt(c->a, SIGN_TOTP_LABEL, c->owner);
    struct buf secret = BUF_INIT(TOTP_SECRET_LEN + SEAL_OVERHEAD);
    enum outcome o = label ? seal_open(&c->s->keys.seal, label, sealed, &secret, err)
                           : err_set(err, ERROR, "out of memory");
    if (o == DENIED || (o == OK && secret.len != TOTP_SECRET_LEN))
        o = err_set(err, INVALID, "the secret was not sealed here for this account");
    int64_t step = o == OK ? totp_match(buf_bytes(&secret), code, now) : -1;
    if (o == OK && step < 0)
        o = err_set(err, DENIED, "another code");
    if (o == OK)
        sign_put_int(c->out, step);
    buf_wipe(&secret);
    return o;
}

/* THE table: operation, who may, whether a line is written (every use of a key and every change
 * of a right is one). */
static const struct signer_op {
    const char *name;
    enum outcome (*run)(struct call *c, struct err *err);
    unsigned roles;
    bool logged;
    bool locks; /* takes the lock of the keys itself */
} signer_ops[SIGN_OP__MAX] = {
    [SIGN_OP_PING] = {"ping", op_ping, EVERYBODY, false},
    [SIGN_OP_CERTIFICATE] = {"certificate", op_certificate, EVERYBODY, false},
    [SIGN_OP_SCEP_OPEN] = {"scep-open", op_scep_open, MDM, true},
    [SIGN_OP_ISSUE] = {"issue", signer_op_issue, MDM, true},
    [SIGN_OP_SCEP_REPLY] = {"scep-reply", op_scep_reply, MDM, true},
    [SIGN_OP_PROFILE] = {"profile", op_profile, EVERYBODY, true},
    [SIGN_OP_UNSEAL] = {"unseal", op_unseal, EVERYBODY, true},
    [SIGN_OP_TICKET] = {"ticket", op_ticket, CONSOLE | CTL, true},
    [SIGN_OP_TICKET_END] = {"ticket-end", op_ticket_end, MDM | CONSOLE | CTL, true},
    [SIGN_OP_DIGEST_CHECK] = {"digest-check", op_digest_check, MDM, true},
    [SIGN_OP_AUTHORITIES] = {"authorities", signer_op_authorities, EVERYBODY, false},
    [SIGN_OP_CA_CHANGE] = {"ca-change", signer_op_ca_change, CTL, true, .locks = true},
    [SIGN_OP_CA_INIT] = {"ca-init", signer_op_ca_init, CONSOLE | CTL, true, .locks = true},
    [SIGN_OP_NEXT_CA] = {"next-ca", signer_op_next_ca, MDM, true},
    [SIGN_OP_CRL] = {"crl", signer_op_crl, AGENT | CTL, true},
    [SIGN_OP_KEY_NEW] = {"key-new", signer_op_key_new, CONSOLE | CTL, true},
    [SIGN_OP_KEY_ADOPT] = {"key-adopt", signer_op_key_adopt, CONSOLE | CTL, true},
    [SIGN_OP_VENDOR_SIGN] = {"vendor-sign", signer_op_vendor_sign, CONSOLE | CTL, true},
    [SIGN_OP_PKCS12] = {"pkcs12", signer_op_pkcs12, MDM | AGENT | CTL, true},
    [SIGN_OP_TOTP_CHECK] = {"totp-check", op_totp_check, CONSOLE, true},
};

static enum outcome record(struct call *c, const struct signer_op *op, enum outcome o,
                           const struct err *err)
{
    char pid[24], uid[24];
    snprintf(pid, sizeof pid, "%ld", (long)c->peer->pid);
    snprintf(uid, sizeof uid, "%lu", (unsigned long)c->peer->uid);
    return journal_event(c->s->journal, "signer.use", "role", sign_role_name(c->peer->role), "pid",
                         pid, "uid", uid, "op", op ? op->name : "unknown", "purpose", c->purpose,
                         "owner", c->owner, "command",
                         c->command && c->command[0] ? c->command : NULL, "detail", c->detail,
                         "outcome", outcome_name(o), "why", o == OK ? NULL : err->msg, NULL);
}

static enum outcome run(struct call *c, const struct signer_op *op, struct err *err)
{
    if (!op)
        return err_set(err, INVALID, "there is no such operation, or another protocol version");
    if (!(op->roles & ROLE(c->peer->role)))
        return err_set(err, DENIED, "the role %s may not ask for %s", sign_role_name(c->peer->role),
                       op->name);
    if (!op->locks)
        pthread_rwlock_rdlock(&c->s->lock);
    bool able = op->locks || op->run == op_ping || c->s->keys.nauth;
    enum outcome o = able ? op->run(c, err) : signer_no_keys(err);
    if (!op->locks)
        pthread_rwlock_unlock(&c->s->lock);
    if (o == OK && !sign_msg_end(c->out))
        o = err_set(err, ERROR, "the answer is past its ceiling");
    return o;
}

void signer_answer(struct signer *s, const struct signer_peer *peer, struct bytes msg,
                   struct arena *arena, struct buf *out)
{
    struct err err = {0};
    struct call c = {.s = s, .peer = peer, .a = arena, .out = out};
    uint8_t code = sign_read_begin(&c.in, msg);
    const struct signer_op *op =
        code < SIGN_OP__MAX && signer_ops[code].run ? &signer_ops[code] : NULL;
    sign_msg_begin(out, OK);
    enum outcome o = run(&c, op, &err);
    /* Nothing leaves that is not on record. */
    if ((!op || op->logged || o != OK) && record(&c, op, o, &err) != OK)
        o = err_set(&err, ERROR, "the signer cannot write its log");
    if (o == OK)
        return;
    buf_wipe(out);
    sign_msg_begin(out, (uint8_t)o);
    sign_put_str(out, err.msg);
    if (!sign_msg_end(out))
        buf_wipe(out); /* no answer at all: the caller sees the connection end */
}
