/* doctor.h: what the parts of droverctl doctor share. */
#ifndef DROVER_CTL_DOCTOR_H
#define DROVER_CTL_DOCTOR_H

#include "ctl/ctl.h"

#define FINDINGS_MAX 128

enum finding_result { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct doctor {
    struct ctl *c;
    const char *tls_ca; /* of the web server's certificates; "": the system's store */
    struct {
        const char *check, *detail, *fix;
        enum finding_result result;
    } f[FINDINGS_MAX];
    size_t n, fails;
};

/* Notes what a check has found. fix: what to do; NULL with FINDING_OK. */
void doctor_note(struct doctor *d, enum finding_result result, const char *check, const char *fix,
                 const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Notes how long a certificate is still good. */
void doctor_note_expiry(struct doctor *d, const char *check, const char *what, int64_t not_after,
                        const char *fix);

/* The checks, in their order. */
void doctor_files(struct doctor *d);    /* doctor_files.c */
void doctor_database(struct doctor *d); /* doctor_db.c */
void doctor_network(struct doctor *d);  /* doctor_net.c */
/* doctor_ways.c: for doctor_db.c. */
void doctor_ways(struct doctor *d, struct db *db);

#endif
