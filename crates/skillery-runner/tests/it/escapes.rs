//! Skills that try to get out, or to harm who runs them. Each is kept from it, and the outcome says by which rule.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use skillery_runner::{
    EventKind, Grants, Interpreter, Outcome, Rule, RunError, RunOptions, Sandbox, SkillSource, Status,
    run_skill,
};

use crate::harness::{Harness, Meeting, run, run_granted, run_with, source, values};

const MEBIBYTE: u64 = 1024 * 1024;

#[track_caller]
fn denied(outcome: &Outcome, rule: Rule) {
    let found = outcome.error.as_ref().and_then(|error| error.rule);
    assert_eq!((outcome.status, found), (Status::Denied, Some(rule)), "{outcome:#?}");
    let message = &outcome.error.as_ref().unwrap().message;
    assert!(message.contains(&format!("the sandbox denies {rule}: ")), "{message}");
}

/// Runs `body` with the usual modules, and `LIBC` for calls that Python has no words for.
async fn attempt(body: &str) -> Outcome {
    run(&skill(body), json!({})).await
}

fn skill(body: &str) -> String {
    format!(
        "import ctypes, os, signal, socket, subprocess, sys, time\n\
         LIBC = ctypes.CDLL(None, use_errno=True)\n\
         def call(number, *arguments):\n    \
             if LIBC.syscall(number, *arguments) == -1:\n        \
                 raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n\
         def subject():\n    {}\n",
        body.replace('\n', "\n    ")
    )
}

#[tokio::test]
async fn files_outside_cannot_be_read() {
    let home = tempfile::tempdir_in(std::env::var("HOME").unwrap()).unwrap();
    let secret = home.path().join("id_ed25519");
    std::fs::write(&secret, "secret").unwrap();
    for path in [secret.to_str().unwrap(), "/etc/shadow", "/etc/hostname", "/sys/kernel/vmcoreinfo"] {
        denied(&attempt(&format!("return open({path:?}).read()")).await, Rule::Read);
    }
    let home = home.path().to_str().unwrap();
    denied(&attempt(&format!("return os.listdir({home:?})")).await, Rule::Read);
    denied(&attempt(&format!("return os.stat({home:?}).st_mode")).await, Rule::Read);
    let missing = attempt("return open('/etc/no-such-file').read()").await;
    assert_eq!(missing.status, Status::Failed, "{missing:#?}");
    // A link to it leads nowhere, and so does the way up.
    let link = format!("os.symlink({home:?} + '/id_ed25519', 'link')\nreturn open('link').read()");
    assert_eq!(attempt(&link).await.error.unwrap().kind, "FileNotFoundError");
    let hard = format!("os.link({home:?} + '/id_ed25519', 'link')");
    denied(&attempt(&hard).await, Rule::Read);
    let up = "return open('../../../../../../../../..' + '/etc/shadow').read()";
    denied(&attempt(up).await, Rule::Read);
}

#[tokio::test]
async fn files_outside_cannot_be_written() {
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("new");
    denied(&attempt(&format!("open({:?}, 'w')", path.to_str().unwrap())).await, Rule::Write);
    for place in ["/usr/lib/x", "/x", "/etc/passwd", "/skill/scripts/subject.py", "/dev/x"] {
        denied(&attempt(&format!("open({place:?}, 'w')")).await, Rule::Write);
    }
    denied(&attempt("os.chmod('/usr/bin', 0o777)").await, Rule::Write);
    denied(&attempt("os.rename('/etc/passwd', '/etc/other')").await, Rule::Write);
    denied(&attempt("os.unlink(__file__)").await, Rule::Write);
    assert!(!path.exists());
}

#[tokio::test]
async fn other_processes_are_out_of_sight_and_reach() {
    let listed = attempt("return sorted(name for name in os.listdir('/proc') if name.isdigit())").await;
    assert_eq!(listed.output, json!(["1", "2"]), "{listed:#?}");
    denied(&attempt("return open('/proc/1/environ').read()").await, Rule::Processes);
    denied(&attempt("return open('/proc/1/mem', 'rb').read(1)").await, Rule::Processes);
    // What is not there says nothing of whether the machine has it.
    for process in [std::process::id(), 4_000_000] {
        let outcome = attempt(&format!("return open('/proc/{process}/environ').read()")).await;
        denied(&outcome, Rule::Processes);
    }
    let absent = attempt("return open('/proc/self/fd/77').read()").await;
    assert_eq!(absent.status, Status::Failed, "{absent:?}");
    assert_eq!(attempt("return os.getppid()").await.output, json!(0));
    denied(&attempt("os.kill(1, signal.SIGTERM)").await, Rule::Signal);
    let gone = attempt(&format!("os.kill({}, 9)", std::process::id())).await;
    assert_eq!(gone.error.unwrap().kind, "ProcessLookupError");
    for number in [libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_pidfd_getfd] {
        denied(&attempt(&format!("call({number}, 16, 1, 0, 0, 0, 0)")).await, Rule::Processes);
    }
}

#[tokio::test]
async fn there_is_no_network() {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    denied(&attempt(&format!("socket.create_connection(('127.0.0.1', {port}), 1)")).await, Rule::Network);
    for family in
        ["AF_INET, socket.SOCK_DGRAM", "AF_INET6", "AF_NETLINK, socket.SOCK_RAW", "AF_UNIX", "AF_VSOCK"]
    {
        denied(&attempt(&format!("socket.socket(socket.{family})")).await, Rule::Network);
    }
    let meeting = Meeting::new();
    let path = meeting.path("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    let connect = format!("socket.socket(socket.AF_UNIX).connect({:?})", path.to_str().unwrap());
    denied(&attempt(&connect).await, Rule::Network);
    // A socket that takes an address could reach one in a folder that may be read.
    denied(&attempt("socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)").await, Rule::Network);
    // What programs use among themselves is there.
    let pair = "left, right = socket.socketpair()\nleft.send(b'x')\nreturn right.recv(1).decode()";
    assert_eq!(attempt(pair).await.output, json!("x"));
}

#[tokio::test]
async fn the_kernel_offers_no_more_than_skills_need() {
    for number in [
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_open_by_handle_at,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_personality,
        libc::SYS_seccomp,
        // Memory that no limit would count.
        libc::SYS_memfd_create,
        libc::SYS_shmget,
        libc::SYS_msgget,
    ] {
        denied(&attempt(&format!("call({number}, 0, 0, 0, 0, 0)")).await, Rule::Kernel);
    }
    // Typing into a terminal, and a system call by the numbers of another architecture.
    denied(&attempt("call(16, 0, 0x5412, b'x')").await, Rule::Kernel);
    let x32 = attempt("call(0x40000000 + 39)").await;
    assert_eq!(x32.error.unwrap().message, "[Errno 38] Function not implemented");
    let unknown = attempt("call(100000)").await;
    assert_eq!(unknown.error.unwrap().message, "[Errno 38] Function not implemented");
    let identity = "return [os.getuid(), os.geteuid()]";
    assert_eq!(attempt(identity).await.output, json!([65_534, 65_534]));
    // Not every no is the sandbox's.
    assert_eq!(
        attempt("os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))").await.status,
        Status::Failed
    );
    let become_root = attempt("os.setuid(0)").await;
    assert_ne!(become_root.status, Status::Success);
    // The bounding set says what could be gained, and nothing can.
    let capabilities = "return [line.split()[1] for line in open('/proc/self/status')
        if line.startswith('Cap') and not line.startswith('CapBnd')]";
    assert_eq!(attempt(capabilities).await.output, json!(vec!["0000000000000000"; 4]));
}

#[tokio::test]
async fn programs_and_processes_are_started_only_where_granted() {
    denied(&attempt("subprocess.run(['true'])").await, Rule::Subprocess);
    let hidden = attempt("os.system('true') and sys.exit(1)").await;
    assert!(hidden.error.unwrap().message.contains("before that, the sandbox denies subprocess"));
    denied(&attempt("os.fork()").await, Rule::Subprocess);
    denied(&attempt("os.execv('/usr/bin/true', ['true'])").await, Rule::Subprocess);
    let grants = Grants { subprocess: true, ..Grants::default() };
    let run = skill("return subprocess.run(['echo', 'x'], stdout=subprocess.PIPE).stdout.decode()");
    let outcome = run_granted(&run, json!({}), &RunOptions::default(), grants).await;
    assert_eq!(outcome.output, json!("x\n"), "{outcome:#?}");
    // Threads are no processes.
    let thread = "import threading\nfound = []\nthread = threading.Thread(target=found.append, args=(1,))\nthread.start()\nthread.join()\nreturn found";
    assert_eq!(attempt(thread).await.output, json!([1]));
}

#[tokio::test]
async fn a_fork_bomb_ends_at_a_bound() {
    let grants = Grants { subprocess: true, ..Grants::default() };
    let bomb = skill(
        "count = 0\ntry:\n    while True:\n        if os.fork() == 0:\n            time.sleep(3600)\n        count += 1\nexcept BlockingIOError:\n    return count",
    );
    let outcome = run_granted(&bomb, json!({}), &RunOptions::default(), grants).await;
    assert!(outcome.output.as_u64().is_some_and(|count| count < 100), "{outcome:#?}");
    let threads = attempt(
        "import threading\nwhile True:\n    threading.Thread(target=time.sleep, args=(3600,)).start()",
    )
    .await;
    assert_eq!(threads.status, Status::Failed);
}

#[tokio::test]
async fn a_skill_does_no_harm_to_those_that_share_its_parent() {
    let grants = Grants { subprocess: true, ..Grants::default() };
    let options = RunOptions::default();
    let run = async |body: &str| run_granted(&skill(body), json!({}), &options, grants.clone()).await;
    // A child of the parent's, which nobody would wait for.
    let sibling = format!("call({}, 0x8000 | 17, 0, 0, 0, 0)", libc::SYS_clone);
    denied(&run(&sibling).await, Rule::Subprocess);
    // A name that is no text, while the parent looks at what processes have.
    let named = run("LIBC.prctl(15, b'\\xff\\xfe) 1 (', 0, 0, 0)\ntime.sleep(0.5)\nreturn 1").await;
    assert_eq!(named.output, json!(1), "{named:#?}");
    for signal in ["tkill(1, 2)", "tgkill(1, 1, 2)"] {
        let (name, arguments) = signal.split_once('(').unwrap();
        let number = if name == "tkill" { libc::SYS_tkill } else { libc::SYS_tgkill };
        run(&format!("LIBC.syscall({number}, {arguments}")).await;
    }
    assert_eq!(run("return 2").await.output, json!(2));
}

#[tokio::test]
async fn memory_ends_at_what_is_granted() {
    for bomb in
        ["return len(bytearray(1 << 30))", "found = []\nwhile True:\n    found.append(' ' * (1 << 20))"]
    {
        let outcome = attempt(bomb).await;
        assert_eq!(outcome.status, Status::OutOfMemory, "{outcome:#?}");
    }
    let grants = Grants { memory_bytes: 2048 * MEBIBYTE, ..Grants::default() };
    let outcome =
        run_granted(&skill("return len(bytearray(1 << 30))"), json!({}), &RunOptions::default(), grants)
            .await;
    assert_eq!(outcome.output, json!(1 << 30));
    // Several processes that are each within the bound.
    let grants = Grants { subprocess: true, memory_bytes: 300 * MEBIBYTE, ..Grants::default() };
    let many = skill(
        "for _ in range(8):\n    if os.fork() == 0:\n        held = bytearray(100 << 20)\n        time.sleep(3600)\ntime.sleep(3600)",
    );
    let outcome = run_granted(&many, json!({}), &RunOptions::default(), grants).await;
    assert_eq!(outcome.status, Status::OutOfMemory, "{outcome:#?}");
}

#[tokio::test]
async fn disk_and_output_end_at_a_bound() {
    let fill = "with open('x', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))";
    assert_eq!(attempt(fill).await.error.unwrap().kind, "OSError");
    let files = "for number in range(100000):\n    open(str(number), 'w').close()";
    assert_eq!(attempt(files).await.error.unwrap().kind, "OSError");
    let flood = attempt("while True:\n    print('x' * 1000000)").await;
    assert_eq!(flood.error.unwrap().kind, "log-too-large");
}

#[tokio::test]
async fn secrets_of_the_environment_are_not_inherited() {
    let outcome = attempt("return sorted(os.environ)").await;
    assert_eq!(outcome.output, json!(["HOME", "LANG", "PATH", "TMPDIR"]));
    let grants =
        Grants { environment: vec!["HOME".to_owned(), "CARGO_PKG_NAME".to_owned()], ..Grants::default() };
    let outcome =
        run_granted(&skill("return dict(os.environ)"), json!({}), &RunOptions::default(), grants).await;
    assert_eq!(outcome.output["CARGO_PKG_NAME"], json!("skillery-runner"));
    assert_eq!(outcome.output["HOME"], json!("/tmp"));
}

#[tokio::test]
async fn what_is_granted_may_lie_in_what_is_shown_already() {
    let path = "/usr/lib/os-release";
    let grants = Grants { read: vec![path.into()], ..Grants::default() };
    let code = skill(&format!("return len(open({path:?}).read())"));
    let outcome = run_granted(&code, json!({}), &RunOptions::default(), grants).await;
    assert_eq!(outcome.status, Status::Success, "{outcome:#?}");
    let missing = Grants { read: vec!["/no/such/file".into()], ..Grants::default() };
    let skill = SkillSource { grants: missing, ..source("subject", "def subject(): return 1") };
    let error = run_skill(&skill, values(json!({})), &RunOptions::default(), &|_| ()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "what is granted cannot be given: `/no/such/file` is granted, and is not there"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("policy show")), "{error:?}");
}

#[tokio::test]
async fn as_many_paths_as_may_be_granted_are_there() {
    // Not in `/tmp`, where the way to a path takes no room.
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in("/var/tmp")
        .unwrap();
    let path = |number: usize| {
        let path = folder.path().join(format!("{number}/a/b/c/d"));
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let grants = Grants {
        read: (0..256).map(path).collect(),
        write: (256..512).map(path).collect(),
        ..Grants::default()
    };
    let code = skill(&format!("return len(os.listdir({:?}))", folder.path()));
    let outcome = run_granted(&code, json!({}), &RunOptions::default(), grants).await;
    assert_eq!(outcome.output, json!(512), "{outcome:#?}");
}

#[tokio::test]
async fn what_is_granted_is_there() {
    let meeting = Meeting::new();
    std::fs::write(meeting.path("data"), "data").unwrap();
    let path = meeting.path("data");
    let code = skill(&format!("return open({path:?}).read()"));
    let read = Grants { read: vec![path.clone()], ..Grants::default() };
    assert_eq!(
        run_granted(&code, json!({}), &RunOptions::default(), read.clone()).await.output,
        json!("data")
    );
    let write = skill(&format!("open({path:?}, 'w').write('changed')"));
    denied(&run_granted(&write, json!({}), &RunOptions::default(), read).await, Rule::Write);
    let grants = Grants { write: vec![meeting.path("")], ..Grants::default() };
    let new = skill(&format!("open({:?}, 'w').write('new')", meeting.path("new")));
    let outcome = run_granted(&new, json!({}), &RunOptions::default(), grants).await;
    assert_eq!(outcome.status, Status::Success, "{outcome:#?}");
    assert_eq!(std::fs::read_to_string(meeting.path("new")).unwrap(), "new");
}

#[tokio::test]
async fn what_is_refused_is_told_even_where_the_skill_goes_on() {
    let harness = Harness::new();
    let code = skill("try:\n    socket.socket()\nexcept OSError:\n    return 'went on'");
    let outcome =
        run_skill(&source("subject", &code), values(json!({})), &harness.options, &harness.sink()).await;
    assert_eq!(outcome.unwrap().output, json!("went on"));
    let told = harness.events().into_iter().find_map(|event| match event.kind {
        EventKind::StepDenied { rule, what, .. } => Some((rule, what)),
        _ => None,
    });
    assert_eq!(told, Some((Rule::Network, "socket".to_owned())));
}

#[tokio::test]
async fn a_skill_that_answers_late_or_never_is_killed() {
    let options = RunOptions { timeout: Duration::from_millis(300), ..RunOptions::default() };
    for body in [
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\nwhile True: pass",
    ] {
        assert_eq!(run_with(&skill(body), json!({}), &options).await.status, Status::TimedOut);
    }
}

#[tokio::test]
async fn where_a_layer_is_missing_nothing_runs_unless_that_was_allowed() {
    for (name, sandbox) in [
        ("namespaces", Sandbox { namespaces: false, ..Sandbox::default() }),
        ("landlock", Sandbox { landlock: false, ..Sandbox::default() }),
        ("seccomp", Sandbox { seccomp: false, ..Sandbox::default() }),
    ] {
        let options = weaker(sandbox.clone()).await;
        let refused =
            run_skill(&source("subject", "def subject(): return 1"), values(json!({})), &options, &|_| ())
                .await;
        let error = refused.unwrap_err();
        assert!(matches!(&error, RunError::Sandbox(_)), "{error}");
        assert!(error.to_string().contains(&format!("missing {name} (switched off)")), "{error}");
        let options = weaker(Sandbox { allow_weaker: true, ..sandbox }).await;
        let outcome = run_with(&skill("return open('x', 'w').write('y')"), json!({}), &options).await;
        assert_eq!(outcome.output, json!(1), "{name}: {outcome:#?}");
    }
}

/// Without a root of its own, a skill reads its interpreter where that lies, so it must be for all to read.
async fn weaker(sandbox: Sandbox) -> RunOptions {
    let interpreter = Interpreter::at(Path::new("/usr/bin/python3")).await.unwrap();
    RunOptions { sandbox, interpreter: Some(interpreter), ..RunOptions::default() }
}

#[tokio::test]
async fn without_namespaces_the_other_layers_hold() {
    let sandbox = Sandbox { namespaces: false, allow_weaker: true, ..Sandbox::default() };
    let options = weaker(sandbox).await;
    let run = async |body: &str| run_with(&skill(body), json!({}), &options).await;
    denied(&run("return open('/etc/hostname').read()").await, Rule::Read);
    denied(&run("open('/var/tmp/x', 'w')").await, Rule::Write);
    denied(&run("socket.socket()").await, Rule::Network);
    denied(&run("subprocess.run(['true'])").await, Rule::Subprocess);
    let parent = run("os.kill(os.getppid(), signal.SIGTERM)").await;
    denied(&parent, Rule::Signal);
}

/// The other half of the next test.
#[tokio::test]
async fn helper_that_is_no_root() {
    if std::env::var_os("SKILLERY_TEST_UNPRIVILEGED").is_none() {
        return;
    }
    denied(&attempt("return open('/etc/hostname').read()").await, Rule::Read);
    denied(&attempt("open('/usr/x', 'w')").await, Rule::Write);
    denied(&attempt("socket.socket()").await, Rule::Network);
    denied(&attempt("os.fork()").await, Rule::Subprocess);
    denied(&attempt("os.kill(1, 9)").await, Rule::Signal);
    let listed = attempt("return sorted(name for name in os.listdir('/proc') if name.isdigit())").await;
    assert_eq!(listed.output, json!(["1", "2"]), "{listed:#?}");
}

#[tokio::test]
async fn the_same_holds_for_a_user_without_rights() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let program = std::env::current_exe().unwrap();
    let copy = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let place = copy.path().join("tests");
    std::fs::copy(program, &place).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65533", "--regid=65533", "--clear-groups"])
        .arg(&place)
        .args(["--exact", "escapes::helper_that_is_no_root"])
        .env("SKILLERY_TEST_UNPRIVILEGED", "1")
        .env("SKILLERY_PYTHON", "/usr/bin/python3")
        .current_dir("/")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn modules_of_the_worker_are_in_nobodys_way() {
    for name in ["kernel", "parent", "rooms", "worker"] {
        let outcome = run(&format!("import {name}"), json!({})).await;
        assert_eq!(outcome.error.unwrap().kind, "ModuleNotFoundError", "{name}");
    }
}
