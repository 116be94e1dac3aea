/* signer_ops.c: what the signer does, for whom, and the line it writes about it. */
#include <stdio.h>
#include "base/clock.h"
#include "proc/signer_int.h"
#include "wire/cms.h"
#include "wire/encode.h"
#include "wire/pkcs12.h"
#include "wire/scepmsg.h"
#include "wire/totp.h"

#define ROLE(r) (1u << (r))
#define MDM ROLE(SIGN_MDM)
#define CONSOLE ROLE(SIGN_CONSOLE)
#define AGENT ROLE(SIGN_AGENT)
#define CTL ROLE(SIGN_CTL)
#define EVERYBODY (MDM | CONSOLE | AGENT | CTL)

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define COMMON_NAME_MAX 64u /* X.520 ub-common-name */
#define PKCS12_PASSWORD_OCTETS 20
#define NAMES_MAX 32 /* subjectAltNames of an identity */
#define SEALED_REQUEST "ScepRequest:"

enum outcome signer_bad_fields(struct err *err)
{
    return err_set(err, INVALID, "the request has other fields than this operation takes");
}

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

/* Is this a key we certify? */
static enum outcome key_allowed(const struct signer *s, const struct csr_info *csr, struct err *err)
{
    int64_t least = s->conf->scep_min_rsa > RSA_BITS_MIN ? s->conf->scep_min_rsa : RSA_BITS_MIN;
    if (strcmp(csr->key_type, "RSA") == 0) {
        if (csr->key_bits < least || csr->key_bits > RSA_BITS_MAX)
            return err_set(err, INVALID, "an RSA key of %d bits; %d to %d are certified",
                           csr->key_bits, (int)least, RSA_BITS_MAX);
        return OK;
    }
    if (strcmp(csr->key_type, "EC") == 0 && (csr->key_bits == 256 || csr->key_bits == 384))
        return OK;
    return err_set(err, INVALID,
                   "a key of type %s with %d bits; RSA, P-256 and P-384 are "
                   "certified",
                   csr->key_type, csr->key_bits);
}

static enum outcome validity_allowed(const struct signer *s, int64_t not_before, int64_t *not_after,
                                     struct err *err)
{
    int64_t now = clock_now();
    int64_t days = s->conf->scep_validity_days;
    if (not_before < now - DAY_US || not_before > now + DAY_US || *not_after <= not_before)
        return err_set(err, INVALID, "a certificate begins within a day of now and ends later");
    if (*not_after > now + (days + 1) * DAY_US)
        return err_set(err, INVALID, "a certificate for more than %d days ([scep] validity_days)",
                       (int)days);
    if (s->keys.ca_not_after <= now)
        return err_set(err, ERROR, "the device CA has expired");
    if (*not_after > s->keys.ca_not_after)
        *not_after = s->keys.ca_not_after;
    return OK;
}

/* The request itself, opened where it waited sealed for a person's approval. */
static enum outcome issue_request(struct call *c, struct bytes given, const char *label,
                                  struct bytes *der, struct err *err)
{
    *der = given;
    if (!label[0])
        return OK;
    if (strncmp(label, SEALED_REQUEST, sizeof SEALED_REQUEST - 1) != 0)
        return err_set(err, DENIED, "a request is sealed as " SEALED_REQUEST "...");
    struct buf plain = BUF_INIT(LIM_BODY_SCEP);
    enum outcome o = seal_open(&c->s->keys.seal, label, given, &plain, err);
    if (o == OK) {
        *der = arena_bytes(c->a, buf_bytes(&plain));
        if (!der->p)
            o = err_set(err, ERROR, "out of memory");
    }
    buf_wipe(&plain);
    return o;
}

/* Splits lines into p->san. */
static enum outcome issue_names(struct call *c, const char *san, struct cert_profile *p,
                                struct err *err)
{
    const char **list = arena_array(c->a, NAMES_MAX, sizeof *list);
    if (!list)
        return err_set(err, ERROR, "out of memory");
    for (const char *s = san; *s;) {
        size_t n = strcspn(s, "\n");
        if (p->nsan == NAMES_MAX)
            return err_set(err, INVALID, "more than %d subjectAltNames", NAMES_MAX);
        list[p->nsan] = arena_strndup(c->a, s, n);
        if (!list[p->nsan++])
            return err_set(err, ERROR, "out of memory");
        s += n + (s[n] == '\n');
    }
    p->san = list;
    return OK;
}

/* What every identity holds. The list of a later CA has an address of its own. */
static struct cert_profile identity_profile(const struct call *c)
{
    const struct conf *conf = c->s->conf;
    int generation = c->s->keys.auth[c->s->keys.now].generation;
    struct cert_profile p = {.client_auth = true,
                             .organization = conf->organization,
                             .purposes = conf->scep_purposes.item,
                             .npurposes = conf->scep_purposes.n,
                             .crl_url = conf->scep_crl_url};
    if (p.crl_url && p.crl_url[0] && generation > 1)
        p.crl_url = arena_fmt(c->a, "%s/%d", conf->scep_crl_url, generation);
    return p;
}

static enum outcome op_issue(struct call *c, struct err *err)
{
    struct csr_info csr;
    struct bytes given = sign_get_bytes(&c->in), der = {0};
    const char *label = sign_get_str(&c->in, c->a);
    struct cert_profile p = identity_profile(c);
    p.common_name = sign_get_str(&c->in, c->a);
    const char *san = sign_get_str(&c->in, c->a);
    p.not_before = sign_get_int(&c->in);
    p.not_after = sign_get_int(&c->in);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    c->purpose = "identity";
    c->owner = p.common_name;
    if (!p.common_name[0] || strlen(p.common_name) > COMMON_NAME_MAX)
        return err_set(err, INVALID, "a common name has 1 to %u octets", COMMON_NAME_MAX);
    enum outcome o = issue_names(c, san, &p, err);
    if (o == OK)
        o = issue_request(c, given, label, &der, err);
    if (o == OK)
        o = csr_read(c->a, der, &csr, err);
    if (o == OK)
        o = key_allowed(c->s, &csr, err);
    if (o == OK)
        o = validity_allowed(c->s, p.not_before, &p.not_after, err);
    if (o != OK)
        return o;
    struct buf cert = BUF_INIT(LIM_BODY_SCEP);
    o = cert_issue(&p, der, NULL, c->s->keys.ca.cert, c->s->keys.ca.key, &cert, err);
    if (o == OK) {
        char hex[SHA256_HEX_LEN + 1];
        sha256_hex(buf_bytes(&cert), hex);
        c->detail = arena_strdup(c->a, hex);
        sign_put_bytes(c->out, buf_bytes(&cert));
    }
    buf_free(&cert);
    return o;
}

static enum outcome key_make(const char *type, int64_t size, struct pkey **key, struct err *err)
{
    if (strcmp(type, "RSA") == 0 && (size == 2048 || size == 3072 || size == 4096))
        return pkey_new_rsa((int)size, key, err);
    if (strcmp(type, "EC") == 0 && size == 256)
        return pkey_new_p256(key, err);
    return err_set(err, INVALID, "a key is RSA of 2048, 3072 or 4096 bits, or EC of 256");
}

/* Issues for the key and packs both; the answer is written when all of it is there. */
static enum outcome pkcs12_issue(struct call *c, const struct cert_profile *p,
                                 const struct pkey *key, struct err *err)
{
    char password[PKCS12_PASSWORD_OCTETS * 2 + 1], hex[SHA256_HEX_LEN + 1];
    struct buf cert = BUF_INIT(LIM_BODY_SCEP), file = BUF_INIT(LIM_BODY_SCEP);
    secret_new(PKCS12_PASSWORD_OCTETS, password);
    enum outcome o =
        cert_issue(p, bytes_of("", 0), key, c->s->keys.ca.cert, c->s->keys.ca.key, &cert, err);
    if (o == OK)
        o = pkcs12_write(key, buf_bytes(&cert), p->common_name, password, &file, err);
    if (o == OK) {
        sha256_hex(buf_bytes(&cert), hex);
        c->detail = arena_strdup(c->a, hex);
        sign_put_bytes(c->out, buf_bytes(&cert));
        sign_put_bytes(c->out, buf_bytes(&file));
        sign_put_str(c->out, password);
    }
    secret_wipe(password, sizeof password);
    buf_free(&cert);
    buf_wipe(&file);
    return o;
}

static enum outcome op_pkcs12(struct call *c, struct err *err)
{
    struct pkey *key = NULL;
    struct cert_profile p = identity_profile(c);
    const char *type = sign_get_str(&c->in, c->a);
    int64_t size = sign_get_int(&c->in);
    p.common_name = sign_get_str(&c->in, c->a);
    p.not_before = sign_get_int(&c->in);
    p.not_after = sign_get_int(&c->in);
    if (!sign_read_done(&c->in))
        return signer_bad_fields(err);
    c->purpose = "identity-with-key";
    c->owner = p.common_name;
    if (!p.common_name[0] || strlen(p.common_name) > COMMON_NAME_MAX)
        return err_set(err, INVALID, "a common name has 1 to %u octets", COMMON_NAME_MAX);
    enum outcome o = validity_allowed(c->s, p.not_before, &p.not_after, err);
    if (o == OK)
        o = key_make(type, size, &key, err);
    if (o == OK)
        o = pkcs12_issue(c, &p, key, err);
    pkey_free(&key);
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
               {"EscrowKey", AGENT, false, LIM_SECRET},
               {"ScepChallenge", MDM | AGENT, false, LIM_SECRET},
               {"RemovalPassword", MDM | AGENT, false, LIM_SECRET},
               {"Command", MDM, false, LIM_SECRET},
               {"Secret", CONSOLE | CTL, false, LIM_SECRET},
               {"Order", CONSOLE | CTL, false, LIM_BODY_API},
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
static const struct op {
    const char *name;
    enum outcome (*run)(struct call *c, struct err *err);
    unsigned roles;
    bool logged;
    bool locks; /* takes the lock of the keys itself */
} ops[SIGN_OP__MAX] = {
    [SIGN_OP_PING] = {"ping", op_ping, EVERYBODY, false},
    [SIGN_OP_CERTIFICATE] = {"certificate", op_certificate, EVERYBODY, false},
    [SIGN_OP_SCEP_OPEN] = {"scep-open", op_scep_open, MDM, true},
    [SIGN_OP_ISSUE] = {"issue", op_issue, MDM, true},
    [SIGN_OP_SCEP_REPLY] = {"scep-reply", op_scep_reply, MDM, true},
    [SIGN_OP_PROFILE] = {"profile", op_profile, EVERYBODY, true},
    [SIGN_OP_UNSEAL] = {"unseal", op_unseal, EVERYBODY, true},
    [SIGN_OP_TICKET] = {"ticket", op_ticket, CONSOLE | CTL, true},
    [SIGN_OP_TICKET_END] = {"ticket-end", op_ticket_end, MDM | CONSOLE | CTL, true},
    [SIGN_OP_DIGEST_CHECK] = {"digest-check", op_digest_check, MDM, true},
    [SIGN_OP_AUTHORITIES] = {"authorities", signer_op_authorities, EVERYBODY, false},
    [SIGN_OP_CA_CHANGE] = {"ca-change", signer_op_ca_change, CTL, true, .locks = true},
    [SIGN_OP_NEXT_CA] = {"next-ca", signer_op_next_ca, MDM, true},
    [SIGN_OP_CRL] = {"crl", signer_op_crl, AGENT | CTL, true},
    [SIGN_OP_KEY_NEW] = {"key-new", signer_op_key_new, CONSOLE | CTL, true},
    [SIGN_OP_KEY_ADOPT] = {"key-adopt", signer_op_key_adopt, CONSOLE | CTL, true},
    [SIGN_OP_VENDOR_SIGN] = {"vendor-sign", signer_op_vendor_sign, CONSOLE | CTL, true},
    [SIGN_OP_PKCS12] = {"pkcs12", op_pkcs12, MDM | AGENT | CTL, true},
    [SIGN_OP_TOTP_CHECK] = {"totp-check", op_totp_check, CONSOLE, true},
};

static enum outcome record(struct call *c, const struct op *op, enum outcome o,
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

static enum outcome run(struct call *c, const struct op *op, struct err *err)
{
    if (!op)
        return err_set(err, INVALID, "there is no such operation, or another protocol version");
    if (!(op->roles & ROLE(c->peer->role)))
        return err_set(err, DENIED, "the role %s may not ask for %s", sign_role_name(c->peer->role),
                       op->name);
    if (!op->locks)
        pthread_rwlock_rdlock(&c->s->lock);
    enum outcome o = op->run(c, err);
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
    const struct op *op = code < SIGN_OP__MAX && ops[code].run ? &ops[code] : NULL;
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
