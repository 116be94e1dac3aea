/* probe.c: see probe.h. */
#include "route/probe.h"

#include "http/client_cert.h"
#include "route/gate_state.h"
#include "wire/encode.h"
#include "wire/json.h"

static void set_certificate(struct req *req, js o, const char *key, const char *text)
{
    struct bytes der[CLIENT_CERT_MAX];
    char hex[SHA256_HEX_LEN + 1];
    struct err err = {.outcome = OK};
    size_t n;

    if (text == NULL || text[0] == '\0')
        return;
    if (client_cert_decode(req->arena, bytes_str(text), der, &n, &err) == OK)
        sha256_hex(der[0], hex);
    js_set_str(o, key, err.outcome == OK ? hex : "unreadable");
}

void probe_handle(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    const struct gatekeeper *g = app->gate;
    const char *signature = req_var(req, "HTTP_MDM_SIGNATURE");
    char hex[SHA256_HEX_LEN + 1];
    js o = js_object();

    (void)caller;
    js_set_str(o, "verify", req_var(req, "SSL_CLIENT_VERIFY"));
    set_certificate(req, o, "variable", req_var(req, "SSL_CLIENT_CERT"));
    set_certificate(req, o, "proxy", g->proxy_var[0] ? req_var(req, g->proxy_var) : NULL);
    if (signature != NULL && signature[0] != '\0') {
        sha256_hex(bytes_str(signature), hex);
        js_set_str(o, "signature", hex);
    }
    js_set_str(o, "address", req->remote_addr);
    js_set_bool(o, "proxy_trusted", net_match(g->proxies, g->nproxies, req->remote_addr));
    js_set_bool(o, "https", req->https);
    resp->content_type = "application/json";
    if (js_write(o, false, &resp->body) != OK)
        resp->body.failed = true;
    buf_char(&resp->body, '\n');
    js_free(&o);
}
