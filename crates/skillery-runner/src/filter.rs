//! Which system calls a skill's process may make: a list of those that are allowed, and names for those that are refused
//! on purpose. What is in neither list is answered as if the kernel did not have it.
//!
//! The programs are put together here and not by a library: each worker loads one, and the kernel tries it with every
//! call there is. It takes a millisecond for what compares with each call in turn, and a twentieth of that for a search in
//! the bounds of ranges.

use std::collections::{BTreeMap, BTreeSet};

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
    SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS,
};

use crate::policy::Rule;

const USER_NOTIF: u32 = 0x7FC0_0000;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;
// No process gets past the first check there.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: u32 = 0;

/// Where the kernel puts things: the number, the architecture, the lower half of an argument.
const NUMBER: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const fn argument(position: u32) -> u32 {
    16 + 8 * position
}

const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541C;
/// Of the flags of `clone`: those that begin namespaces, and the one that makes a child of somebody else.
const NAMESPACES: u32 = 0x7E02_0080 | libc::CLONE_PARENT.unsigned_abs();
const SOCKET_TYPE: u32 = 0xF;
const STREAM: u32 = libc::SOCK_STREAM.unsigned_abs();
/// Of the flags of `sendto` and its likes: connects with the first bytes, and the kernel forgets to ask Landlock.
const FASTOPEN: u32 = libc::MSG_FASTOPEN.unsigned_abs();

macro_rules! calls {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

type Calls = &'static [(i64, &'static str)];

const ALLOWED: Calls = calls! {
    SYS_read SYS_write SYS_close SYS_fstat SYS_lseek SYS_mmap SYS_mprotect SYS_munmap SYS_brk SYS_rt_sigaction
    SYS_rt_sigprocmask SYS_rt_sigreturn SYS_pread64 SYS_pwrite64 SYS_readv SYS_writev SYS_preadv SYS_pwritev
    SYS_preadv2 SYS_pwritev2 SYS_sched_yield SYS_mremap SYS_msync SYS_mincore SYS_madvise SYS_dup SYS_dup3
    SYS_nanosleep SYS_getitimer SYS_setitimer SYS_getpid SYS_sendfile
    SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_sendmmsg SYS_recvmmsg SYS_shutdown
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
    SYS_getcpu SYS_get_mempolicy SYS_set_mempolicy SYS_mbind SYS_getrandom SYS_membarrier SYS_copy_file_range SYS_pkey_mprotect
    SYS_pkey_alloc SYS_pkey_free SYS_rseq SYS_pidfd_open SYS_pidfd_send_signal SYS_close_range SYS_landlock_create_ruleset
    SYS_landlock_add_rule SYS_landlock_restrict_self SYS_ioprio_get SYS_ioprio_set
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
const NETWORK: Calls = calls! {
    SYS_socket SYS_socketpair SYS_connect SYS_bind SYS_listen SYS_accept SYS_accept4
};
/// Memory that no limit counts, and what workers of one parent could otherwise share, as they have one IPC namespace.
const MEMORY: Calls = calls! {
    SYS_memfd_create SYS_shmget SYS_shmat SYS_shmctl SYS_shmdt SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl
    SYS_semget SYS_semop SYS_semctl SYS_semtimedop SYS_mq_open SYS_mq_unlink SYS_mq_timedsend SYS_mq_timedreceive
    SYS_mq_notify SYS_mq_getsetattr
};
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
        (MEMORY, Rule::Kernel),
    ];
    all.into_iter()
        .flat_map(|(calls, rule)| {
            calls.iter().map(move |(number, name)| (*number, (rule, name.trim_start_matches("SYS_"))))
        })
        .collect()
}

/// The filter that is added first, where asking the parent would take too long: `clone3`, whose flags no filter can see,
/// is not there, so that libraries use `clone`.
pub(crate) fn before() -> Vec<u8> {
    let absent = SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let mut program = vec![load(NUMBER)];
    program.extend(one_of(&[number(libc::SYS_clone3)], absent));
    program.push(end(SECCOMP_RET_ALLOW));
    bytes(&program)
}

/// The list of what is allowed; for all else the parent is asked. With `hosts`, connections over TCP may be made: what they
/// reach is for the network to say that the process is in.
pub(crate) fn main(subprocess: bool, hosts: bool) -> Vec<u8> {
    let mut allowed: BTreeSet<u32> =
        [ALLOWED, ALLOWED_HERE].into_iter().flatten().map(|(call, _)| number(*call)).collect();
    if hosts {
        allowed.insert(number(libc::SYS_connect));
    }
    if subprocess {
        let more = SUBPROCESS.iter().chain(SUBPROCESS_HERE).map(|(call, _)| number(*call));
        allowed.extend(more.filter(|call| *call != number(libc::SYS_clone)));
    }
    let thread = libc::CLONE_THREAD.unsigned_abs();
    let (mask, wanted) = if subprocess { (NAMESPACES, 0) } else { (NAMESPACES | thread, thread) };

    let mut program =
        vec![load(ARCHITECTURE_AT), jump(BPF_JEQ, ARCHITECTURE, 1, 0), end(SECCOMP_RET_KILL_PROCESS)];
    program.push(load(NUMBER));
    program.extend(for_call(
        libc::SYS_clone,
        [
            load(argument(0)),
            instruction(BPF_ALU | BPF_AND | BPF_K, mask),
            jump(BPF_JEQ, wanted, 1, 0),
            end(USER_NOTIF),
        ],
    ));
    // Process 1 is not the skill's.
    program.extend(for_call(libc::SYS_kill, [load(argument(0)), jump(BPF_JEQ, 1, 0, 1), end(USER_NOTIF)]));
    // Others would take an address, also that of a socket which lies in a folder that may be read.
    program.extend(for_call(
        libc::SYS_socketpair,
        [
            load(argument(0)),
            jump(BPF_JEQ, libc::AF_UNIX.unsigned_abs(), 1, 0),
            end(USER_NOTIF),
            load(argument(1)),
            instruction(BPF_ALU | BPF_AND | BPF_K, SOCKET_TYPE),
            jump(BPF_JEQ, STREAM, 1, 0),
            end(USER_NOTIF),
        ],
    ));
    if hosts {
        program.extend(for_call(libc::SYS_socket, stream_over_ip()));
        program.extend(for_call(libc::SYS_setsockopt, plain_options()));
        for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            program.extend(for_call(call, without_connecting(flags)));
        }
    }
    // Nobody types into a terminal.
    let typing = one_of(&[TIOCSTI, TIOCLINUX], USER_NOTIF);
    program.extend(for_call(libc::SYS_ioctl, [vec![load(argument(1))], typing].concat()));
    program.extend(ranges(&allowed));
    bytes(&program)
}

/// Whether a socket is one for TCP, and not for its likes that other rules do not know. All others fail, and nobody is told:
/// the C library itself tries some when it looks for a name.
fn stream_over_ip() -> Vec<Instruction> {
    let (four, six) = (libc::AF_INET.unsigned_abs(), libc::AF_INET6.unsigned_abs());
    let refused = end(SECCOMP_RET_ERRNO | libc::EACCES.unsigned_abs());
    vec![
        load(argument(0)),
        jump(BPF_JEQ, four, 2, 0),
        jump(BPF_JEQ, six, 1, 0),
        refused,
        load(argument(1)),
        instruction(BPF_ALU | BPF_AND | BPF_K, SOCKET_TYPE),
        jump(BPF_JEQ, STREAM, 1, 0),
        refused,
        load(argument(2)),
        jump(BPF_JEQ, 0, 2, 0),
        jump(BPF_JEQ, libc::IPPROTO_TCP.unsigned_abs(), 1, 0),
        refused,
    ]
}

/// Other protocols on top of TCP are parts of the kernel that no client needs. A socket that lingers keeps whoever closes it
/// waiting, and that may be somebody else: a skill can send it away.
fn plain_options() -> Vec<Instruction> {
    let without = |level: i32, option: i32| {
        [
            load(argument(1)),
            jump(BPF_JEQ, level.unsigned_abs(), 0, 3),
            load(argument(2)),
            jump(BPF_JEQ, option.unsigned_abs(), 0, 1),
            end(SECCOMP_RET_ERRNO | libc::ENOPROTOOPT.unsigned_abs()),
        ]
    };
    [without(libc::IPPROTO_TCP, libc::TCP_ULP), without(libc::SOL_SOCKET, libc::SO_LINGER)].concat()
}

/// Who sends, sends to whom it has connected to. Libraries go on without, as where the kernel cannot do it.
fn without_connecting(flags: u32) -> Vec<Instruction> {
    vec![
        load(argument(flags)),
        instruction(BPF_ALU | BPF_AND | BPF_K, FASTOPEN),
        jump(BPF_JEQ, 0, 1, 0),
        end(SECCOMP_RET_ERRNO | libc::EOPNOTSUPP.unsigned_abs()),
    ]
}

/// A search in the bounds of what is allowed: each test halves what is left.
fn ranges(allowed: &BTreeSet<u32>) -> Vec<Instruction> {
    let mut bounds = Vec::new();
    for call in allowed {
        if call.checked_sub(1).is_none_or(|before| !allowed.contains(&before)) {
            bounds.push((*call, SECCOMP_RET_ALLOW));
        }
        if !allowed.contains(&(call + 1)) {
            bounds.push((call + 1, USER_NOTIF));
        }
    }
    search(&bounds, USER_NOTIF)
}

/// Ends with the answer of the last bound that the number is not below, and with the one of `below` when it is below all.
fn search(bounds: &[(u32, u32)], below: u32) -> Vec<Instruction> {
    let middle = bounds.len() / 2;
    let Some((bound, answer)) = bounds.get(middle) else { return vec![end(below)] };
    let lower = search(&bounds[..middle], below);
    let upper = search(&bounds[middle + 1..], *answer);
    // Conditions skip at most 255 instructions, so a longer way goes by a jump without one.
    let skipped = u8::try_from(lower.len());
    let test = match skipped {
        Ok(skipped) => vec![jump(BPF_JGE, *bound, skipped, 0)],
        Err(_) => {
            let all = u32::try_from(lower.len()).unwrap_or(u32::MAX);
            vec![jump(BPF_JGE, *bound, 0, 1), instruction(BPF_JMP | BPF_JA, all)]
        }
    };
    [test, lower, upper].concat()
}

/// What is asked of one call alone, with its arguments; it is allowed in the end.
fn for_call(call: i64, questions: impl IntoIterator<Item = Instruction>) -> Vec<Instruction> {
    let mut block: Vec<Instruction> = questions.into_iter().collect();
    block.push(end(SECCOMP_RET_ALLOW));
    let length = u8::try_from(block.len()).unwrap_or(u8::MAX);
    [vec![jump(BPF_JEQ, number(call), 0, length)], block].concat()
}

/// This answer for one of these values.
fn one_of(values: &[u32], answer: u32) -> Vec<Instruction> {
    values.iter().flat_map(|value| [jump(BPF_JEQ, *value, 0, 1), end(answer)]).collect()
}

fn number(call: i64) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// One step of a program: a code, two jumps, a value.
type Instruction = (u16, u8, u8, u32);

fn instruction(code: u32, value: u32) -> Instruction {
    (u16::try_from(code).unwrap_or_default(), 0, 0, value)
}

fn load(offset: u32) -> Instruction {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset)
}

/// Skips so many instructions where the test is true, and so many where it is not.
fn jump(test: u32, value: u32, yes: u8, no: u8) -> Instruction {
    let (code, _, _, value) = instruction(BPF_JMP | test | BPF_K, value);
    (code, yes, no, value)
}

fn end(answer: u32) -> Instruction {
    instruction(BPF_RET | BPF_K, answer)
}

fn bytes(program: &[Instruction]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for (code, yes, no, value) in program {
        bytes.extend(code.to_ne_bytes());
        bytes.extend([*yes, *no]);
        bytes.extend(value.to_ne_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer.
    fn answer<const N: usize>(program: &[u8], call: u32, arguments: [u32; N]) -> u32 {
        let (mut at, mut held) = (0, 0_u32);
        loop {
            let step = &program[at * 8..at * 8 + 8];
            let code = u32::from(u16::from_ne_bytes([step[0], step[1]]));
            let value = u32::from_ne_bytes(step[4..].try_into().unwrap());
            at += 1;
            let is_true = match code {
                0x20 => {
                    held = match value {
                        NUMBER => call,
                        ARCHITECTURE_AT => ARCHITECTURE,
                        16 => arguments[0],
                        24 => arguments[1],
                        32 => arguments[2],
                        40 => arguments[3],
                        other => panic!("{other}"),
                    };
                    continue;
                }
                0x54 => {
                    held &= value;
                    continue;
                }
                0x05 => {
                    at += value as usize;
                    continue;
                }
                0x06 => return value,
                0x15 => held == value,
                0x35 => held >= value,
                other => panic!("{other:#x}"),
            };
            at += usize::from(step[if is_true { 2 } else { 3 }]);
        }
    }

    #[test]
    fn every_number_has_the_answer_of_its_list() {
        let conditional =
            [libc::SYS_clone, libc::SYS_kill, libc::SYS_ioctl, libc::SYS_socketpair].map(number);
        for subprocess in [false, true] {
            let program = main(subprocess, false);
            let mut allowed: BTreeSet<u32> =
                [ALLOWED, ALLOWED_HERE].into_iter().flatten().map(|(call, _)| number(*call)).collect();
            if subprocess {
                allowed.extend([libc::SYS_execve, libc::SYS_execveat].map(number));
                allowed.extend(SUBPROCESS_HERE.iter().map(|(call, _)| number(*call)));
            }
            for call in (0..1_000).chain([0x4000_0000, 0x4000_0001, u32::MAX]) {
                if !conditional.contains(&call) {
                    let expected = if allowed.contains(&call) { SECCOMP_RET_ALLOW } else { USER_NOTIF };
                    assert_eq!(answer(&program, call, [0, 0, 0]), expected, "{call}");
                }
            }
        }
    }

    #[test]
    fn some_calls_depend_on_their_arguments() {
        let thread = libc::CLONE_THREAD.unsigned_abs();
        let (strict, granted) = (main(false, false), main(true, false));
        let clone = |program: &[u8], flags| answer(program, number(libc::SYS_clone), [flags, 0, 0]);
        assert_eq!(clone(&strict, thread | 0x11), SECCOMP_RET_ALLOW);
        assert_eq!(clone(&strict, 0x11), USER_NOTIF);
        assert_eq!(clone(&granted, 0x11), SECCOMP_RET_ALLOW);
        for namespace in
            [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWPID, libc::CLONE_NEWNET, 0x80]
        {
            let flags = namespace.unsigned_abs();
            assert_eq!(clone(&strict, thread | flags), USER_NOTIF);
            assert_eq!(clone(&granted, flags), USER_NOTIF);
        }
        let kill = |process| answer(&strict, number(libc::SYS_kill), [process, 9, 0]);
        assert_eq!((kill(1), kill(2), kill(u32::MAX)), (USER_NOTIF, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW));
        assert_eq!(clone(&granted, libc::CLONE_PARENT.unsigned_abs() | 0x11), USER_NOTIF);
        let pair = |kind: i32| answer(&strict, number(libc::SYS_socketpair), [1, kind.unsigned_abs(), 0]);
        assert_eq!(pair(libc::SOCK_STREAM | libc::SOCK_CLOEXEC), SECCOMP_RET_ALLOW);
        for family in [libc::AF_INET, libc::AF_TIPC, libc::AF_VSOCK] {
            let arguments = [family.unsigned_abs(), STREAM, 0];
            assert_eq!(answer(&strict, number(libc::SYS_socketpair), arguments), USER_NOTIF);
        }
        assert_eq!((pair(libc::SOCK_DGRAM), pair(libc::SOCK_SEQPACKET)), (USER_NOTIF, USER_NOTIF));
        let ioctl = |request| answer(&strict, number(libc::SYS_ioctl), [0, request, 0]);
        assert_eq!((ioctl(TIOCSTI), ioctl(0x5401)), (USER_NOTIF, SECCOMP_RET_ALLOW));
        assert_ne!(answer(&before(), number(libc::SYS_clone3), [0, 0, 0]), SECCOMP_RET_ALLOW);
    }

    #[test]
    fn with_hosts_there_is_tcp_and_nothing_else() {
        let (without, with) = (main(false, false), main(false, true));
        let socket = |program: &[u8], family: i32, kind: i32, protocol: i32| {
            let arguments = [family, kind, protocol].map(i32::unsigned_abs);
            answer(program, number(libc::SYS_socket), arguments)
        };
        let refused = SECCOMP_RET_ERRNO | libc::EACCES.unsigned_abs();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            for protocol in [0, libc::IPPROTO_TCP] {
                assert_eq!(socket(&with, family, kind, protocol), SECCOMP_RET_ALLOW);
                assert_eq!(socket(&without, family, kind, protocol), USER_NOTIF);
            }
            for (kind, protocol) in [
                (kind, libc::IPPROTO_MPTCP),
                (kind, libc::IPPROTO_SCTP),
                (libc::SOCK_DGRAM, 0),
                (libc::SOCK_RAW, libc::IPPROTO_TCP),
            ] {
                assert_eq!(socket(&with, family, kind, protocol), refused);
            }
        }
        for family in [libc::AF_UNIX, libc::AF_NETLINK, libc::AF_VSOCK, libc::AF_PACKET] {
            assert_eq!(socket(&with, family, libc::SOCK_STREAM, 0), refused);
        }
        let option = |level: i32, option: i32| {
            let arguments = [0, level.unsigned_abs(), option.unsigned_abs()];
            answer(&with, number(libc::SYS_setsockopt), arguments)
        };
        assert_eq!(option(libc::IPPROTO_TCP, libc::TCP_NODELAY), SECCOMP_RET_ALLOW);
        assert_eq!(option(libc::SOL_SOCKET, libc::TCP_ULP), SECCOMP_RET_ALLOW);
        assert_eq!(
            option(libc::IPPROTO_TCP, libc::TCP_ULP),
            SECCOMP_RET_ERRNO | libc::ENOPROTOOPT.unsigned_abs()
        );
        for (call, at) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            let with_flags = |flags: i32| {
                let mut arguments = [0; 4];
                arguments[at] = flags.unsigned_abs();
                answer(&with, number(call), arguments)
            };
            assert_eq!(with_flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT), SECCOMP_RET_ALLOW);
            let unknown = SECCOMP_RET_ERRNO | libc::EOPNOTSUPP.unsigned_abs();
            assert_eq!(with_flags(libc::MSG_NOSIGNAL | libc::MSG_FASTOPEN), unknown);
        }
        let plain = |program: &[u8], call| answer(program, number(call), [0, 0, 0]);
        assert_eq!(plain(&without, libc::SYS_connect), USER_NOTIF);
        assert_eq!(plain(&with, libc::SYS_connect), SECCOMP_RET_ALLOW);
        for call in [libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4] {
            assert_eq!(plain(&with, call), USER_NOTIF);
        }
    }
}
