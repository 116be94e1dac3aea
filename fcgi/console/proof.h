/* proof.h: proving who one is: at sign-in, before a sensitive action, before a new password. */
#ifndef DROVER_CONSOLE_PROOF_H
#define DROVER_CONSOLE_PROOF_H

#include "console/page.h"
#include "store/admin.h"

/* Is it the password of that administrator? Throttled with all other attempts at the account and
 * from the address; one that does not exist costs the same time. OK: *out is the administrator, and
 * the attempt is to be taken back with signin_succeeded() once all is proved. DENIED: p->err says
 * it for the person, and *wait_s after how long it may be tried again (0: at once). */
enum outcome proof_password(struct page *p, const char *name, const char *password,
                            struct admin *out, int64_t *wait_s) MUST_USE;
/* The proof that came with the form ("proof", and "proof_code" where there is a second factor) of
 * the person who is signed in, whose attempt is taken back when it is right. */
enum outcome proof_again(struct page *p) MUST_USE;

#endif
