/*
 * cms_certs.h: the certificates of signed messages, decoded once. OpenSSL 3.0 spends 106 µs on
 * each certificate it decodes (it looks for a decoder of the public key anew), more than on the
 * signature; and a device's messages carry the same certificate each time. Only wire/cms.c
 * includes this.
 */
#ifndef DROVER_WIRE_CMS_CERTS_H
#define DROVER_WIRE_CMS_CERTS_H

#include "wire/ossl.h"

/* The octets of the certificates field of a SignedData, and the message without that field. */
struct cms_split {
    struct bytes certs; /* inside the message */
    struct buf rest;    /* the caller frees it */
};

/* Splits a signed message. False: it has no such field, or is encoded in a way this does not
 * follow (indefinite lengths): decode it whole. */
bool cms_certs_split(struct bytes der, struct cms_split *out);

/* The decoded certificates of these octets, or NULL when they are not remembered. The caller frees
 * the stack with sk_X509_pop_free(..., X509_free). Any thread. */
STACK_OF(X509) * cms_certs_find(struct bytes certs);

/* Remembers the certificates (their references are counted up). At most 512 messages' (about
 * 6 kB each), the less recently used make room. Any thread. */
void cms_certs_keep(struct bytes certs, STACK_OF(X509) * stack);

#endif
