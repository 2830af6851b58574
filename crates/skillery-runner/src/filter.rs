//! Which system calls a skill's process may make: a list of those that are allowed, and names for those that are refused
//! on purpose. What is in neither list is answered as if the kernel did not have it.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition as Condition,
    SeccompFilter, SeccompRule, TargetArch,
};

use crate::policy::Rule;

/// Returned by the kernel's filter where the parent is to be asked; the library has no name for it.
const USER_NOTIF: u32 = 0x7FC0_0000;
/// What the library is told instead, and what is then replaced.
const STAND_IN: u32 = libc::SECCOMP_RET_TRACE | 0x7A11;

const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541C;
/// Of the flags of `clone`: those that begin namespaces.
const NAMESPACES: u64 = 0x7E02_0080;

macro_rules! calls {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

type Calls = &'static [(i64, &'static str)];

const ALLOWED: Calls = calls! {
    SYS_read SYS_write SYS_close SYS_fstat SYS_lseek SYS_mmap SYS_mprotect SYS_munmap SYS_brk SYS_rt_sigaction
    SYS_rt_sigprocmask SYS_rt_sigreturn SYS_pread64 SYS_pwrite64 SYS_readv SYS_writev SYS_preadv SYS_pwritev
    SYS_preadv2 SYS_pwritev2 SYS_sched_yield SYS_mremap SYS_msync SYS_mincore SYS_madvise SYS_shmget SYS_shmat SYS_shmctl
    SYS_shmdt SYS_semget SYS_semop SYS_semctl SYS_semtimedop SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_dup SYS_dup3
    SYS_nanosleep SYS_getitimer SYS_setitimer SYS_getpid SYS_sendfile SYS_socketpair SYS_connect SYS_accept SYS_accept4
    SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_sendmmsg SYS_recvmmsg SYS_shutdown SYS_bind SYS_listen
    SYS_getsockname SYS_getpeername SYS_setsockopt SYS_getsockopt SYS_exit SYS_exit_group SYS_wait4 SYS_waitid SYS_uname
    SYS_fcntl SYS_flock SYS_fsync SYS_fdatasync SYS_sync_file_range SYS_truncate SYS_ftruncate SYS_getdents64 SYS_getcwd
    SYS_chdir SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat SYS_umask SYS_gettimeofday SYS_getrlimit
    SYS_setrlimit SYS_prlimit64 SYS_getrusage SYS_sysinfo SYS_times SYS_getuid SYS_getgid SYS_geteuid SYS_getegid
    SYS_setuid SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid SYS_getresuid SYS_setresgid SYS_getresgid SYS_getgroups
    SYS_setgroups SYS_setpgid SYS_getpgid SYS_getppid SYS_setsid SYS_getsid SYS_capget SYS_capset SYS_rt_sigpending
    SYS_rt_sigtimedwait SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo SYS_rt_sigsuspend SYS_sigaltstack SYS_statfs SYS_fstatfs
    SYS_getpriority SYS_setpriority SYS_sched_setparam SYS_sched_getparam SYS_sched_setscheduler SYS_sched_getscheduler
    SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_rr_get_interval SYS_sched_setaffinity
    SYS_sched_getaffinity SYS_sched_setattr SYS_sched_getattr SYS_mlock SYS_munlock SYS_mlock2 SYS_mlockall SYS_munlockall
    SYS_prctl SYS_sync SYS_syncfs SYS_gettid SYS_readahead SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_getxattr
    SYS_lgetxattr SYS_fgetxattr SYS_listxattr SYS_llistxattr SYS_flistxattr SYS_removexattr SYS_lremovexattr
    SYS_fremovexattr SYS_tkill SYS_tgkill SYS_futex SYS_futex_waitv SYS_set_tid_address SYS_set_robust_list
    SYS_get_robust_list SYS_restart_syscall SYS_fadvise64 SYS_timer_create SYS_timer_settime SYS_timer_gettime
    SYS_timer_getoverrun SYS_timer_delete SYS_clock_gettime SYS_clock_getres SYS_clock_nanosleep SYS_epoll_create1
    SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_openat SYS_openat2 SYS_mkdirat SYS_mknodat SYS_newfstatat SYS_unlinkat
    SYS_renameat2 SYS_linkat SYS_symlinkat SYS_readlinkat SYS_faccessat SYS_faccessat2 SYS_statx SYS_pselect6 SYS_ppoll
    SYS_splice SYS_tee SYS_vmsplice SYS_utimensat SYS_signalfd4 SYS_timerfd_create SYS_timerfd_settime
    SYS_timerfd_gettime SYS_eventfd2 SYS_fallocate SYS_pipe2 SYS_inotify_init1 SYS_inotify_add_watch SYS_inotify_rm_watch
    SYS_getcpu SYS_get_mempolicy SYS_set_mempolicy SYS_mbind SYS_getrandom SYS_memfd_create SYS_membarrier SYS_copy_file_range SYS_pkey_mprotect
    SYS_pkey_alloc SYS_pkey_free SYS_rseq SYS_pidfd_open SYS_pidfd_send_signal SYS_close_range SYS_landlock_create_ruleset
    SYS_landlock_add_rule SYS_landlock_restrict_self SYS_mq_open SYS_mq_unlink SYS_mq_timedsend SYS_mq_timedreceive
    SYS_mq_notify SYS_mq_getsetattr SYS_ioprio_get SYS_ioprio_set
};

#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: Calls = calls! {
    SYS_open SYS_stat SYS_lstat SYS_poll SYS_access SYS_pipe SYS_select SYS_dup2 SYS_pause SYS_alarm SYS_getdents SYS_rename
    SYS_mkdir SYS_rmdir SYS_creat SYS_link SYS_unlink SYS_symlink SYS_readlink SYS_chmod SYS_chown SYS_lchown SYS_getpgrp
    SYS_utime SYS_mknod SYS_arch_prctl SYS_time SYS_epoll_create SYS_epoll_wait SYS_utimes SYS_futimesat SYS_signalfd
    SYS_eventfd SYS_inotify_init SYS_renameat
};
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: Calls = calls! { SYS_renameat };

const OTHER_PROCESSES: Calls = calls! {
    SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_pidfd_getfd SYS_kcmp SYS_process_madvise
};
const NETWORK: Calls = calls! { SYS_socket };
const SIGNALS: Calls = calls! { SYS_kill };
const SUBPROCESS: Calls = calls! { SYS_clone SYS_execve SYS_execveat };
#[cfg(target_arch = "x86_64")]
const SUBPROCESS_HERE: Calls = calls! { SYS_fork SYS_vfork };
#[cfg(not(target_arch = "x86_64"))]
const SUBPROCESS_HERE: Calls = &[];
const KERNEL: Calls = calls! {
    SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_unshare SYS_setns SYS_mount_setattr SYS_open_tree SYS_move_mount
    SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick SYS_bpf SYS_perf_event_open SYS_userfaultfd SYS_io_uring_setup
    SYS_io_uring_enter SYS_io_uring_register SYS_keyctl SYS_add_key SYS_request_key SYS_open_by_handle_at
    SYS_name_to_handle_at SYS_kexec_load SYS_kexec_file_load SYS_init_module SYS_finit_module SYS_delete_module SYS_reboot
    SYS_swapon SYS_swapoff SYS_acct SYS_quotactl SYS_quotactl_fd SYS_settimeofday SYS_clock_settime SYS_clock_adjtime SYS_adjtimex
    SYS_sethostname SYS_setdomainname SYS_syslog SYS_personality SYS_fanotify_init SYS_fanotify_mark SYS_seccomp
    SYS_ioctl SYS_move_pages SYS_migrate_pages SYS_memfd_secret SYS_vhangup SYS_lookup_dcookie SYS_nfsservctl
    SYS_setfsuid SYS_setfsgid
};

/// The calls that are refused with a word: what the parent tells by number, and what that means.
pub(crate) fn refused() -> BTreeMap<i64, (Rule, &'static str)> {
    let all = [
        (OTHER_PROCESSES, Rule::Processes),
        (NETWORK, Rule::Network),
        (SIGNALS, Rule::Signal),
        (SUBPROCESS, Rule::Subprocess),
        (SUBPROCESS_HERE, Rule::Subprocess),
        (KERNEL, Rule::Kernel),
    ];
    all.into_iter()
        .flat_map(|(calls, rule)| {
            calls.iter().map(move |(number, name)| (*number, (rule, name.trim_start_matches("SYS_"))))
        })
        .collect()
}

/// The filter that is added first, where asking the parent would take too long: `clone3`, whose flags no filter can see,
/// is not there, so that libraries use `clone`; and nobody types into a terminal.
pub(crate) fn before() -> Result<Vec<u8>, seccompiler::Error> {
    let absent = filter([(libc::SYS_clone3, vec![])], SeccompAction::Allow, errno(libc::ENOSYS))?;
    Ok(bytes(&absent))
}

/// The list of what is allowed; for all else the parent is asked.
pub(crate) fn main(subprocess: bool) -> Result<Vec<u8>, seccompiler::Error> {
    let condition = |argument, width, operator, value| {
        Condition::new(argument, width, operator, value).map_err(seccompiler::Error::from)
    };
    let mut rules: Vec<(i64, Vec<SeccompRule>)> =
        [ALLOWED, ALLOWED_HERE].into_iter().flatten().map(|(number, _)| (*number, vec![])).collect();
    let rule = |conditions| SeccompRule::new(conditions).map_err(seccompiler::Error::from);
    rules.push((
        libc::SYS_ioctl,
        vec![rule(vec![
            condition(1, Width::Dword, Is::Ne, TIOCSTI)?,
            condition(1, Width::Dword, Is::Ne, TIOCLINUX)?,
        ])?],
    ));
    // Process 1 is not the skill's.
    rules.push((libc::SYS_kill, vec![rule(vec![condition(0, Width::Dword, Is::Ne, 1)?])?]));
    if subprocess {
        rules.push((
            libc::SYS_clone,
            vec![rule(vec![condition(0, Width::Qword, Is::MaskedEq(NAMESPACES), 0)?])?],
        ));
        rules.extend([libc::SYS_execve, libc::SYS_execveat].map(|number| (number, vec![])));
        rules.extend(SUBPROCESS_HERE.iter().map(|(number, _)| (*number, vec![])));
    } else {
        let thread = libc::CLONE_THREAD as u64;
        let is_thread = condition(0, Width::Qword, Is::MaskedEq(thread | NAMESPACES), thread)?;
        rules.push((libc::SYS_clone, vec![rule(vec![is_thread])?]));
    }
    let mut program = filter(rules, SeccompAction::Trace(STAND_IN & 0xFFFF), SeccompAction::Allow)?;
    for instruction in &mut program {
        if instruction.k == STAND_IN {
            instruction.k = USER_NOTIF;
        }
    }
    Ok(bytes(&program))
}

fn errno(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

fn filter(
    rules: impl IntoIterator<Item = (i64, Vec<SeccompRule>)>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, seccompiler::Error> {
    let target: TargetArch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules.into_iter().collect(), otherwise, matched, target)?;
    Ok(filter.try_into()?)
}

/// As the kernel reads it: in each eight bytes a code, two jumps and a value.
fn bytes(program: &BpfProgram) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend(instruction.code.to_ne_bytes());
        bytes.extend([instruction.jt, instruction.jf]);
        bytes.extend(instruction.k.to_ne_bytes());
    }
    bytes
}
