/* doctor.c: droverctl doctor: looks at everything an installation needs, and says how to mend it.
 * Exit status 1 when a check fails; warnings do not count. */
#include "ctl/doctor.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "wire/json.h"
#include "wire/sign.h"

static const char *const words[] = {"ok", "warn", "FAIL"};

static void doctor_signer(struct doctor *d)
{
    static const struct {
        const char *name, *what, *fix;
    } certs[] = {
        {"ca", "the device CA",
         "make a new CA in another folder and trust both (droverctl ca trust) while devices renew"},
        {"ra", "the SCEP authority's certificate",
         "remove ra.key and ra.pem from [signer] dir, run droverctl ca init, restart the signer"},
        {"profile", "the profile signing certificate",
         "remove profile.key and profile.pem from [signer] dir, run droverctl ca init, restart the "
         "signer"}};
    const char *version;
    struct err err;
    sign_client_setup(d->c->conf->run_dir, SIGN_CTL);
    if (sign_ping(d->c->arena, &version, &err) != OK) {
        doctor_note(d, FINDING_FAIL, "signer",
                    "start it: drover serve, or drover signer; droverctl must run as root or as "
                    "the account of [signer] user",
                    "%s", err.msg);
        return;
    }
    if (strcmp(version, DROVER_VERSION) != 0)
        doctor_note(d, FINDING_WARN, "signer", "restart all programs after an upgrade",
                    "the signer is of version %s, droverctl of " DROVER_VERSION, version);
    else
        doctor_note(d, FINDING_OK, "signer", NULL, "answers, version %s", version);
    for (size_t i = 0; i < sizeof certs / sizeof *certs; i++) {
        struct cert_info info;
        struct bytes der;
        if (sign_certificate(d->c->arena, certs[i].name, &der, &err) != OK ||
            cert_info_read(d->c->arena, der, &info, &err) != OK)
            doctor_note(d, FINDING_FAIL, "signer", "run droverctl ca init", "%s: %s", certs[i].what,
                        err.msg);
        else
            doctor_note_expiry(d, "expiry", certs[i].what, info.not_after, certs[i].fix);
    }
}

static int tell_json(const struct doctor *d)
{
    struct buf b = BUF_INIT(LIM_MB);
    js list = js_array();
    for (size_t i = 0; i < d->n; i++) {
        js o = js_object();
        js_set_str(o, "check", d->f[i].check);
        js_set_str(o, "result",
                   i < d->n && d->f[i].result == FINDING_FAIL ? "fail" : words[d->f[i].result]);
        js_set_str(o, "detail", d->f[i].detail);
        js_set_str(o, "fix", d->f[i].fix);
        js_append(list, o);
    }
    bool good = js_write(list, true, &b) == OK;
    puts(buf_cstr(&b));
    js_free(&list);
    buf_free(&b);
    return good ? CTL_OK : CTL_FAILED;
}

static int tell_text(const struct doctor *d)
{
    size_t warns = 0;
    for (size_t i = 0; i < d->n; i++) {
        printf("%-5s %-12s %s\n", words[d->f[i].result], d->f[i].check, d->f[i].detail);
        if (d->f[i].fix)
            printf("%-5s %-12s -> %s\n", "", "", d->f[i].fix);
        warns += d->f[i].result == FINDING_WARN;
    }
    printf("%zu checks, %zu failed, %zu warnings\n", d->n, d->fails, warns);
    return CTL_OK;
}

int ctl_doctor(struct ctl *c, int argc, char **argv)
{
    const char *tls_ca = "";
    bool json = false;
    const struct ctl_option options[] = {{.name = "tls-ca", .value = &tls_ca},
                                         {.name = "json", .flag = &json}};
    if (ctl_args(argc, argv, options, 2, NULL, 0, 0) < 0)
        return CTL_USAGE;
    struct doctor *d = arena_alloc(c->arena, sizeof *d);
    if (!d)
        return CTL_FAILED;
    d->c = c;
    d->tls_ca = tls_ca;
    doctor_note(d, FINDING_OK, "configuration", NULL, "%s", c->conf->path);
    doctor_files(d);
    doctor_database(d);
    doctor_signer(d);
    doctor_network(d);
    if ((json ? tell_json(d) : tell_text(d)) != CTL_OK)
        return CTL_FAILED;
    return d->fails ? CTL_FAILED : CTL_OK;
}
