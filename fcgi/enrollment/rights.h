/* rights.h: the access rights of an enrolment, for people. */
#ifndef DROVER_ENROLLMENT_RIGHTS_H
#define DROVER_ENROLLMENT_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct enroll_right {
    int64_t right;   /* its bit in AccessRights */
    bool does;       /* lets the organisation do something; else see something */
    const char *key; /* its words in the catalogue of texts */
};
/* In the order in which they are told: what is seen, then what is done. */
extern const struct enroll_right enroll_rights[];
extern const size_t enroll_rights_n;

#endif
