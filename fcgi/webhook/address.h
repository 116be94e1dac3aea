/*
 * address.h: where events may be sent: https alone, and no address of the own network, unless the
 * configuration says so. An administrator's word must not make the agent, which stands inside, ask
 * what only the inside may ask (a metadata service, another machine's status page).
 */
#ifndef DROVER_WEBHOOK_ADDRESS_H
#define DROVER_WEBHOOK_ADDRESS_H

#include "base/conf.h"

/* An address as it is given: scheme, host, no user, no fragment, no character that does not belong
 * there. INVALID says what is wrong. */
enum outcome webhook_url_check(const struct conf *conf, const char *url, struct err *err) MUST_USE;
/* Is this numeric address public, or in [webhook] private_networks? Asked for each connection that
 * is made, after the name was looked up. */
bool webhook_address_allowed(const struct conf *conf, const char *address);

#endif
