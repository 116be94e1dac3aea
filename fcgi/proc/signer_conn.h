/* signer_conn.h: the signer's connections and the threads that answer them. */
#ifndef DROVER_PROC_SIGNER_CONN_H
#define DROVER_PROC_SIGNER_CONN_H

#include <sys/un.h>
#include "proc/signer_int.h"

#define SIGNER_QUOTA_MDM 128
#define SIGNER_QUOTA_OTHER 32
#define SIGNER_CONNS_MAX (SIGNER_QUOTA_MDM + (SIGN_ROLES - 1) * SIGNER_QUOTA_OTHER)
#define SIGNER_THREADS_MAX 64

/* What an event of the epoll set is of: each thing that is waited for begins with its kind. */
enum kind { KIND_LISTENER, KIND_SIGNAL, KIND_WAKE, KIND_CONN };

/* A role's socket. */
struct listener {
    enum kind kind;
    int fd;
    enum sign_role role;
    uid_t uid; /* whom it serves */
    size_t count, quota;
    bool paused;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

struct conn;

struct server {
    struct signer signer;
    struct listener listeners[SIGN_ROLES];
    struct conn *conns[SIGNER_CONNS_MAX];
    size_t nconns;
    int epoll, signals, wake, lock_fd;
    enum kind signal_kind, wake_kind;
    pthread_t threads[SIGNER_THREADS_MAX];
    size_t nthreads;

    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t work;
    struct conn *todo, **todo_end;
    struct conn *done;
    bool stop;
};

/* Somebody is at the listener's socket: takes the connection, or refuses it and logs who it was. */
void conn_accept(struct server *v, struct listener *l);
/* The connection can be read or written. It may be gone afterwards. */
void conn_event(struct server *v, struct conn *c, uint32_t events);
/* Takes back what the threads have finished. */
void conns_done(struct server *v);
/* Closes those whose time is up. */
void conns_sweep(struct server *v);
/* Closes all; no thread may run any more. */
void conns_close(struct server *v);

/* [signer] threads of them. ERROR: one could not be started; those that were stay. */
enum outcome threads_start(struct server *v, struct err *err) MUST_USE;
/* Waits for the end of what each is doing. */
void threads_stop(struct server *v);

#endif
