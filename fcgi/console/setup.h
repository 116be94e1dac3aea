/* setup.h: what the files of the set-up share. */
#ifndef DROVER_CONSOLE_SETUP_H
#define DROVER_CONSOLE_SETUP_H

#include "console/page.h"
#include "doctor/doctor.h"
#include "store/checkrun.h"
#include "store/enrollprofile.h"

enum setup_step {
    SETUP_ORGANISATION,
    SETUP_ADDRESS,
    SETUP_CA,
    SETUP_PUSH,
    SETUP_PROFILE,
    SETUP_DEVICE,
    SETUP_STEPS
};
extern const char *const setup_names[];

/* How the site stands. */
struct setup {
    struct page *p;
    enum setup_step step; /* the one that is shown */
    const char *organisation;
    struct doctor here, network; /* what this process finds, and what the agent found last */
    struct checkrun run;
    bool agent;             /* one is running */
    bool done[SETUP_STEPS]; /* what the step is there for exists */
    bool bad[SETUP_STEPS];  /* a check of it fails */
    bool tried;      /* the web server took a certificate of the CA, when it was tried last */
    struct bytes ca; /* DER; empty: none */
    struct enrollprofile profile;
};

/* Looks at everything. False: page_fail() has answered. */
bool setup_look(struct page *p, struct setup **out);
/* Shows the step that the query names, or the first that is not done; and gives the connection
 * back. */
void setup_show(struct page *p, int status);
/* Which step a finding belongs to. */
enum setup_step setup_step_of(const char *check);
/* The parts of the page that one step has (setup_parts.c). False: p->err says why. */
bool setup_part(struct setup *s);

#endif
