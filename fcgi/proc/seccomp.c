/*
 * seccomp.c: a filter in the kernel's own language. It names what is forbidden and not what is
 * allowed: what libraries call changes with every release of theirs, and a worker that dies of a
 * new and harmless call costs more than it saves. The verdicts depend on the number alone (but for
 * clone), so that the kernel remembers them and an allowed call costs next to nothing.
 */
#include "proc/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define OTHER_ABI 0x40000000u /* x32 */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH
static const unsigned EXEC[] = {SYS_execve, SYS_execveat};

static const unsigned FORBIDDEN[] = {
/* other processes; a leak detector looks into its own */
#ifndef __SANITIZE_ADDRESS__
    SYS_ptrace,
#endif
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
#ifdef SYS_process_madvise
    SYS_process_madvise,
#endif
    /* namespaces and mounts */
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
#ifdef SYS_move_mount
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsmount,
    SYS_fsconfig,
    SYS_fspick,
#endif
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    /* the machine */
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_syslog,
    SYS_vhangup,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
    SYS_personality,
    /* large and seldom used parts of the kernel */
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
#endif
#ifdef SYS_fanotify_init
    SYS_fanotify_init,
#endif
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NAMESPACES                                                                                 \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)
#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define NO(error) ANSWER(SECCOMP_RET_ERRNO | ((error)&SECCOMP_RET_DATA))
/* Skips the next statement unless the word loaded last is n. */
#define UNLESS(n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (n), 0, 1)

#define PROGRAM_MAX (2 * (COUNT(EXEC) + COUNT(FORBIDDEN)) + 16)

struct program {
    struct sock_filter f[PROGRAM_MAX];
    unsigned short n;
};

static void put(struct program *p, struct sock_filter f)
{
    p->f[p->n++] = f;
}

static void forbid(struct program *p, const unsigned *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put(p, (struct sock_filter)UNLESS(list[i]));
        put(p, (struct sock_filter)NO(EPERM));
    }
}

static void program_make(struct program *p, bool may_exec)
{
    p->n = 0;
    put(p, (struct sock_filter)LOAD(arch));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
    put(p, (struct sock_filter)NO(EPERM));
    put(p, (struct sock_filter)LOAD(nr));
#ifdef OTHER_ABI
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_ABI, 0, 1));
    put(p, (struct sock_filter)NO(EPERM));
#endif
    if (!may_exec)
        forbid(p, EXEC, COUNT(EXEC));
    forbid(p, FORBIDDEN, COUNT(FORBIDDEN));
    /* clone3 has its flags in memory, where a filter cannot look: libraries then use clone */
#ifdef SYS_clone3
    put(p, (struct sock_filter)UNLESS(SYS_clone3));
    put(p, (struct sock_filter)NO(ENOSYS));
#endif
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0));
    put(p, (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW));
    put(p, (struct sock_filter)LOAD(args[0])); /* the low word on both processors */
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1));
    put(p, (struct sock_filter)NO(EPERM));
    put(p, (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW));
}

/* A process that runs itself anew has kept the filter. To read nothing of oneself is forbidden by
 * it and by hardly anybody else. */
static bool is_in_force(void)
{
    return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0) < 0 && errno == EPERM;
}

bool seccomp_enter(bool may_exec)
{
    struct program p;
    if (may_exec && is_in_force())
        return true;
    program_make(&p, may_exec);
    struct sock_fprog prog = {.len = p.n, .filter = p.f};
    /* without that flag older kernels turn off speculation for the whole process, at a third of
     * its speed; it runs nobody's code but its own */
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) ==
           0;
}
#else
bool seccomp_enter(bool may_exec)
{
    (void)may_exec;
    errno = ENOSYS;
    return false;
}
#endif
