/* watch.c: the main thread of a worker. Nothing here may wait for anything. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/lane.h"

#define TICK_MS 500

static int64_t resident_bytes(void)
{
    char text[128];
    long long size, resident;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    if (sscanf(text, "%lld %lld", &size, &resident) != 2)
        return 0;
    return resident * sysconf(_SC_PAGESIZE);
}

/* A request past the deadline loses its connection, so that the web server answers for it; past
 * twice the deadline its thread is given up and with it the process. True: that is so. */
static bool lane_stuck(struct lane *lane, int64_t now, int64_t deadline)
{
    bool stuck = false;
    pthread_mutex_lock(&lane->lock);
    int64_t age = lane->since ? now - lane->since : 0;
    if (age > deadline && lane->strikes == 0) {
        lane->strikes = 1;
        if (lane->fd >= 0)
            shutdown(lane->fd, SHUT_RDWR);
        log_msg(LOG_LEVEL_ERROR, "request.deadline", "request %s has run for %lld s and is cut off",
                lane->id, (long long)(age / SECOND_US));
    }
    if (age > 2 * deadline) {
        stuck = true;
        if (lane->strikes == 1)
            log_msg(LOG_LEVEL_ERROR, "request.stuck", "request %s has run for %lld s", lane->id,
                    (long long)(age / SECOND_US));
        lane->strikes = 2;
    }
    pthread_mutex_unlock(&lane->lock);
    return stuck;
}

/* Why the process should be replaced; NULL: it need not. */
static const char *reason_to_retire(struct worker *w, char text[96])
{
    int64_t now = clock_mono(), deadline = w->pool->deadline_s * SECOND_US;
    int64_t resident = resident_bytes();
    uint64_t served = atomic_load_explicit(&w->served, memory_order_relaxed);
    bool stuck = false;
    for (size_t i = 0; i < w->n; i++)
        stuck |= lane_stuck(&w->lanes[i], now, deadline);
    if (stuck)
        return "a request is stuck";
    if (w->pool->memory_max && resident > w->pool->memory_max) {
        snprintf(text, 96, "resident memory of %lld bytes", (long long)resident);
        return text;
    }
    if (w->pool->requests_max && served >= (uint64_t)w->pool->requests_max) {
        snprintf(text, 96, "%llu requests were served", (unsigned long long)served);
        return text;
    }
    return NULL;
}

static void drain_begin(struct worker *w, int64_t *until)
{
    if (*until)
        return;
    *until = clock_mono() + w->pool->deadline_s * SECOND_US;
    atomic_store(&w->draining, true);
}

static void take_signals(struct worker *w, int sigfd, int64_t *until, enum worker_end *end)
{
    struct signalfd_siginfo si;
    while (read(sigfd, &si, sizeof si) == (ssize_t)sizeof si) {
        switch ((int)si.ssi_signo) {
        case SIGUSR1:
            log_reopen();
            break;
        case SIGHUP:
            if (w->manager_fd >= 0 || *until)
                break; /* the manager replaces its workers by itself */
            *end = WORKER_AGAIN;
            drain_begin(w, until);
            break;
        default:
            *end = WORKER_DRAINED;
            drain_begin(w, until);
        }
    }
}

static void retire(struct worker *w, const char *why, int64_t *until, enum worker_end *end)
{
    char word = WORKER_RETIRE;
    log_event(LOG_LEVEL_INFO, "worker.retire", "why", why, NULL);
    if (w->manager_fd >= 0) {
        /* goes on serving until the manager, a successor being ready, ends it */
        if (send(w->manager_fd, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
            log_msg(LOG_LEVEL_ERROR, "worker.retire", "the manager does not listen: %s",
                    strerror(errno));
        return;
    }
    *end = WORKER_AGAIN;
    drain_begin(w, until);
}

void watch_run(struct worker *w, int sigfd, enum worker_end *end)
{
    int64_t until = 0; /* of the drain; 0: not draining */
    bool retired = false;
    char text[96];
    *end = WORKER_DRAINED;
    while (atomic_load(&w->alive) > 0 && !(until && clock_mono() > until)) {
        struct pollfd p[2] = {{.fd = sigfd, .events = POLLIN},
                              {.fd = w->done_fd, .events = POLLIN}};
        uint64_t ended;
        if (poll(p, 2, TICK_MS) > 0) {
            take_signals(w, sigfd, &until, end);
            if (p[1].revents && read(w->done_fd, &ended, sizeof ended) < 0 && errno != EAGAIN)
                log_msg(LOG_LEVEL_ERROR, "worker", "eventfd: %s", strerror(errno));
        }
        const char *why = reason_to_retire(w, text);
        if (why && !retired && !until) {
            retired = true;
            retire(w, why, &until, end);
        }
    }
}
