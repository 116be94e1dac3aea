/* libkeys.c: see libkeys.h. */
#include "libkeys.h"

#include <errno.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREADS_MAX 16

struct wish {
    unsigned bits;
    EVP_PKEY *key;
    void (*fn)(void *arg, EVP_PKEY *key);
    void *arg;
    struct wish *next;
};

struct list {
    struct wish *head, **tail;
};

struct keys {
    struct loop *loop;
    struct loop_watch watch; /* an eventfd: something is in `done` */
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list asked, done;
    bool stop;
    pthread_t thread[THREADS_MAX];
    unsigned nthreads;
};

static void push(struct list *l, struct wish *w)
{
    w->next = NULL;
    *l->tail = w;
    l->tail = &w->next;
}

static struct wish *pop(struct list *l)
{
    struct wish *w = l->head;
    if (w && !(l->head = w->next))
        l->tail = &l->head;
    return w;
}

static void *work(void *arg)
{
    struct keys *k = arg;
    pthread_mutex_lock(&k->lock);
    while (!k->stop) {
        struct wish *w = pop(&k->asked);
        if (!w) {
            pthread_cond_wait(&k->more, &k->lock);
            continue;
        }
        pthread_mutex_unlock(&k->lock);
        w->key = EVP_RSA_gen(w->bits);
        pthread_mutex_lock(&k->lock);
        push(&k->done, w);
        eventfd_write(k->watch.fd, 1);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

static void on_done(void *arg, int events)
{
    struct keys *k = arg;
    eventfd_t n;
    (void)events;
    eventfd_read(k->watch.fd, &n);
    for (;;) {
        pthread_mutex_lock(&k->lock);
        struct wish *w = pop(&k->done);
        pthread_mutex_unlock(&k->lock);
        if (!w)
            return;
        w->fn(w->arg, w->key);
        free(w);
    }
}

enum outcome keys_new(struct loop *l, unsigned threads, struct keys **out, struct err *err)
{
    struct keys *k = calloc(1, sizeof *k);
    if (!k)
        return err_set(err, ERROR, "out of memory");
    k->loop = l;
    k->asked.tail = &k->asked.head;
    k->done.tail = &k->done.head;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->more, NULL);
    k->watch.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    k->watch.fn = on_done;
    k->watch.arg = k;
    enum outcome o = k->watch.fd < 0 ? err_set(err, ERROR, "eventfd: %s", strerror(errno))
                                     : loop_watch_set(l, &k->watch, LOOP_READ, err);
    for (unsigned i = 0; o == OK && i < threads && i < THREADS_MAX; i++) {
        if (pthread_create(&k->thread[i], NULL, work, k) != 0)
            o = err_set(err, ERROR, "a thread cannot be started");
        else
            k->nthreads++;
    }
    if (o != OK)
        keys_free(&k);
    *out = k;
    return o;
}

void keys_free(struct keys **kp)
{
    struct keys *k = *kp;
    struct wish *w;
    if (!k)
        return;
    *kp = NULL;
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_broadcast(&k->more);
    pthread_mutex_unlock(&k->lock);
    for (unsigned i = 0; i < k->nthreads; i++)
        pthread_join(k->thread[i], NULL);
    while ((w = pop(&k->asked)) || (w = pop(&k->done))) {
        EVP_PKEY_free(w->key);
        free(w);
    }
    if (k->watch.fd >= 0) {
        loop_watch_end(k->loop, &k->watch);
        close(k->watch.fd);
    }
    pthread_cond_destroy(&k->more);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

void keys_ask(struct keys *k, unsigned bits, void (*fn)(void *arg, EVP_PKEY *key), void *arg)
{
    struct wish *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->bits = bits;
    w->fn = fn;
    w->arg = arg;
    pthread_mutex_lock(&k->lock);
    push(&k->asked, w);
    pthread_cond_signal(&k->more);
    pthread_mutex_unlock(&k->lock);
}
