/* cms_ossl.h: the pieces of cms.c that scepmsg.c is made of too. Nobody outside wire/ includes
 * it. */
#ifndef DROVER_WIRE_CMS_OSSL_H
#define DROVER_WIRE_CMS_OSSL_H

#include "wire/ossl.h"

/* Decodes a whole ContentInfo of type nid; NULL (INVALID in err) otherwise. */
CMS_ContentInfo *cms_parse(struct bytes der, int nid, struct err *err) MUST_USE;
/* Checks the one signature of c over body, or over its own content (body NULL), which goes to out
 * when that is not NULL. Results and outcomes as cms_verify_detached(). */
enum outcome cms_check(struct arena *a, CMS_ContentInfo *c, BIO *body, BIO *out,
                       struct bytes *signer, struct bytes *chain, size_t *nchain,
                       struct err *err) MUST_USE;
enum outcome cms_write(CMS_ContentInfo *c, struct buf *der, struct err *err) MUST_USE;
enum outcome cms_encrypt_with(const EVP_CIPHER *cipher, struct bytes content,
                              struct bytes recipient_der, struct buf *der,
                              struct err *err) MUST_USE;

#endif
