/* form.h: the token that a form carries back, so that no other site can send it. */
#ifndef DROVER_HTML_FORM_H
#define DROVER_HTML_FORM_H

#include "base/bytes.h"

#define FORM_TOKEN_LEN 64

/* The token of a session's forms, lower-case hexadecimal. */
void form_token(struct bytes secret, char out[FORM_TOKEN_LEN + 1]);
/* Is what came (NULL: nothing did) that token? In constant time. */
bool form_token_valid(struct bytes secret, const char *given);

#endif
