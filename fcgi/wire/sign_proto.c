/* sign_proto.c: the messages of the signer's sockets. */
#include "wire/sign_proto.h"

const char *sign_role_name(enum sign_role role)
{
    static const char *const names[SIGN_ROLES] = {
        [SIGN_MDM] = "mdm", [SIGN_CONSOLE] = "console", [SIGN_AGENT] = "agent", [SIGN_CTL] = "ctl"};
    return names[role];
}

static void put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void sign_msg_begin(struct buf *b, uint8_t code)
{
    uint8_t head[SIGN_HEAD + 2] = {0, 0, 0, 0, SIGN_PROTO, code};
    buf_add(b, head, sizeof head);
}

void sign_put_bytes(struct buf *b, struct bytes v)
{
    uint8_t n[4];
    if (v.n > SIGN_MSG_MAX) {
        b->failed = true;
        return;
    }
    put_u32(n, (uint32_t)v.n);
    buf_add(b, n, sizeof n);
    buf_add(b, v.p, v.n);
}

void sign_put_str(struct buf *b, const char *s)
{
    sign_put_bytes(b, bytes_str(s));
}

void sign_put_int(struct buf *b, int64_t v)
{
    uint8_t n[8];
    put_u32(n, (uint32_t)((uint64_t)v >> 32));
    put_u32(n + 4, (uint32_t)v);
    sign_put_bytes(b, bytes_of(n, sizeof n));
}

bool sign_msg_end(struct buf *b)
{
    if (buf_failed(b) || b->len < SIGN_HEAD + 2 || b->len - SIGN_HEAD > SIGN_MSG_MAX)
        return false;
    put_u32((uint8_t *)b->data, (uint32_t)(b->len - SIGN_HEAD));
    return true;
}

uint8_t sign_read_begin(struct sign_reader *r, struct bytes msg)
{
    *r = (struct sign_reader){.bad = msg.n < 2 || msg.p[0] != SIGN_PROTO};
    if (r->bad)
        return 0;
    r->rest = bytes_of(msg.p + 2, msg.n - 2);
    return msg.p[1];
}

struct bytes sign_get_bytes(struct sign_reader *r)
{
    uint32_t n = r->rest.n >= 4 ? get_u32(r->rest.p) : UINT32_MAX;
    if (r->bad || r->rest.n < 4 || n > r->rest.n - 4) {
        r->bad = true;
        r->rest = bytes_of(NULL, 0);
        return bytes_of("", 0);
    }
    struct bytes v = bytes_of(r->rest.p + 4, n);
    r->rest = bytes_of(r->rest.p + 4 + n, r->rest.n - 4 - n);
    return v;
}

const char *sign_get_str(struct sign_reader *r, struct arena *a)
{
    struct bytes v = sign_get_bytes(r);
    char *s = v.n && memchr(v.p, 0, v.n) ? NULL : arena_strndup(a, (const char *)v.p, v.n);
    if (!s)
        r->bad = true;
    return s ? s : "";
}

int64_t sign_get_int(struct sign_reader *r)
{
    struct bytes v = sign_get_bytes(r);
    if (v.n != 8) {
        r->bad = true;
        return 0;
    }
    return (int64_t)((uint64_t)get_u32(v.p) << 32 | get_u32(v.p + 4));
}

bool sign_read_done(const struct sign_reader *r)
{
    return !r->bad && r->rest.n == 0;
}
