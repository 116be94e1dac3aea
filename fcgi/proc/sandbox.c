/* sandbox.c: user, no_new_privs, limits, system calls. */
#include "proc/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "proc/seccomp.h"

#define FILES_WANTED 4096u

static enum outcome become(const char *user, struct err *err)
{
    int death_signal = 0;
    if (!user[0] || geteuid() != 0)
        return OK;
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (!pw)
        return err_set(err, INVALID, "there is no user \"%s\"%s%s", user, errno ? ": " : "",
                       errno ? strerror(errno) : "");
    uid_t uid = pw->pw_uid;
    gid_t gid = pw->pw_gid;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return err_set(err, ERROR, "cannot become user \"%s\": %s", user, strerror(errno));
    if (uid != 0 && setuid(0) == 0)
        return err_set(err, ERROR, "user \"%s\" can become root again", user);
    if (death_signal) /* the kernel forgets it when the user changes */
        prctl(PR_SET_PDEATHSIG, death_signal);
    return OK;
}

enum outcome sandbox_enter(const char *user, bool may_exec, struct err *err)
{
    struct rlimit core = {0, 0}, files;
    enum outcome o = become(user, err);
    if (o != OK)
        return o;
    umask(0027);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set(err, ERROR, "cannot set no_new_privs: %s", strerror(errno));
    if (setrlimit(RLIMIT_CORE, &core) != 0)
        return err_set(err, ERROR, "cannot forbid core dumps: %s", strerror(errno));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_WANTED) {
        files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            return err_set(err, ERROR, "cannot set the limit of open files: %s", strerror(errno));
    }
    bool filter = seccomp_enter(may_exec);
    const char *why = filter ? NULL : strerror(errno);
    log_event(LOG_LEVEL_INFO, "sandbox", "user", user[0] ? user : "unchanged", "done",
              filter ? "no_new_privs core nofile umask seccomp" : "no_new_privs core nofile umask",
              "seccomp", why, NULL);
    if (geteuid() == 0)
        log_msg(LOG_LEVEL_WARNING, "sandbox", "running as root: set a user in the configuration");
    return OK;
}
