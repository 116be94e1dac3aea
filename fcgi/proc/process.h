/* process.h: the struct app of a worker process, and the thread that keeps its trust set fresh. */
#ifndef DROVER_PROC_PROCESS_H
#define DROVER_PROC_PROCESS_H

#include "http/app.h"
#include "route/route.h"

struct process;

/* Makes what the threads of a worker share. Database and signer are not needed for that: while they
 * are away, requests are answered 503. For mdm it waits up to two seconds for the first trust set,
 * so that a fresh worker does not refuse what the old one would have taken. */
enum outcome process_open(const struct conf *conf, enum program program, struct process **out,
                          struct err *err) MUST_USE;
struct app *process_app(struct process *p);
/* Ends the thread and frees; not to be called while a handler runs. */
void process_close(struct process **p);

#endif
