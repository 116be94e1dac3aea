/*
 * signer.h: the one process that holds keys: the device CA's, the SCEP registration authority's,
 * the profile signing key and the key that opens secrets at rest. Others ask it through
 * wire/sign.h; it knows them by the socket and by SO_PEERCRED and does for each role what the table
 * in signer_ops.c allows.
 */
#ifndef DROVER_PROC_SIGNER_H
#define DROVER_PROC_SIGNER_H

#include "base/conf.h"

/* Makes what is missing in conf->signer_dir and overwrites nothing: ca.key and ca.pem (RSA 3072,
 * 10 years), ra.key and ra.pem, profile.key and profile.pem (RSA 2048, 5 years, issued by the CA),
 * seal.key and seal.pub (X25519), tickets/. The folder is 0711 and *.pem and seal.pub are 0644, so
 * that others can read these and list nothing; keys are 0600. Run by root with [signer] user set,
 * the files are given to that account. To renew ra or profile: remove its two files, run this
 * again, restart the signer. organization: the O of the certificates and "ORGANIZATION Device CA"
 * their issuer's name. INVALID: a file is there and its counterpart is not. */
enum outcome signer_setup(const struct conf *conf, const char *organization,
                          struct err *err) MUST_USE;

/* Opens sockets and log, becomes [signer] user when root started it, and runs until SIGTERM or
 * SIGINT; SIGHUP and SIGUSR1 open its logs again. Returns the exit status: 0 after a signal, 1 when
 * it could not start (logged). Wants the log to be open. Call it in a process of its own and
 * without other threads: it blocks signals, drops rights for good and, with [scep] des, loads
 * OpenSSL's legacy provider. */
int signer_main(const struct conf *conf);

#endif
