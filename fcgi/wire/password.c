/* password.c: see password.h. */
#include "wire/password.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "wire/encode.h"

#define AT_ONCE 2
#define WAIT_S 3

static sem_t places;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void places_make(void)
{
    sem_init(&places, 0, AT_ONCE);
}

enum outcome password_judge(const char *password, const char *hash, struct err *err)
{
    char unused[PASSWORD_HASH_MAX];
    struct timespec until;
    pthread_once(&once, places_make);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    if (sem_timedwait(&places, &until) != 0)
        return err_set(err, UNAVAILABLE, "too many passwords are checked at this moment");
    enum outcome o =
        *hash ? password_check(password, hash, err) : password_hash(password, unused, err);
    sem_post(&places);
    return o == OK && !*hash ? err_set(err, DENIED, "there is no such account") : o;
}
