/* scep.h: the SCEP service (RFC 8894): how a device gets its identity and renews it. */
#ifndef DROVER_SCEP_SCEP_H
#define DROVER_SCEP_SCEP_H

#include "http/app.h"

/* GET and POST of the SCEP path: operation=GetCACaps, GetCACert or PKIOperation. A request that
 * can be understood is answered with a CertRep, also when it is refused; 400: it cannot; 503, 500:
 * the database or the signer is away, and the client comes again. */
handler_fn scep_handle;

#endif
