//! What a step leaves to those that come after it, and takes from those beside it: nothing.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use skillery_runner::{Grants, Interpreter, RunOptions, Sandbox, Status};

use crate::harness::{Harness, Meeting, run_granted, run_with};

/// Lists whom it sees beside itself and the first process.
const LOOKS: &str = "\
import os
def subject():
    own = ('1', str(os.getpid()))
    return sorted(name for name in os.listdir('/proc') if name.isdigit() and name not in own)
";

#[tokio::test]
async fn threads_end_with_their_step() {
    let options = RunOptions::default();
    let threads = "\
import threading, time
def subject():
    for _ in range(3):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
";
    for _ in 0..5 {
        assert_eq!(run_with(threads, json!({}), &options).await.status, Status::Success);
        assert_eq!(run_with(LOOKS, json!({}), &options).await.output, json!([]));
    }
}

#[tokio::test]
async fn processes_that_nothing_keeps_from_beginning_end_with_their_step() {
    let interpreter = Interpreter::at(Path::new("/usr/bin/python3")).await.unwrap();
    let sandbox = Sandbox { seccomp: false, allow_weaker: true, ..Sandbox::default() };
    let options = RunOptions { sandbox, interpreter: Some(interpreter), ..RunOptions::default() };
    let forks = "\
import os, time
def subject():
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
";
    for _ in 0..4 {
        let outcome = run_with(forks, json!({}), &options).await;
        assert_eq!(outcome.status, Status::Success, "{outcome:#?}");
        assert_eq!(run_with(LOOKS, json!({}), &options).await.output, json!([]));
    }
}

#[tokio::test]
async fn a_lock_is_free_when_its_step_is_over() {
    let (meeting, options) = (Meeting::new(), RunOptions::default());
    let grants = Grants { write: vec![meeting.path("")], ..Grants::default() };
    // Much memory takes the kernel a while to take away, and files come after it.
    let code = "\
import fcntl, os
def subject(folder):
    global kept
    kept = open(os.path.join(folder, 'lock'), 'w'), b'x' * (200 << 20)
    fcntl.flock(kept[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
";
    for _ in 0..4 {
        let outcome = run_granted(code, meeting.inputs(), &options, grants.clone()).await;
        assert_eq!(outcome.status, Status::Success, "{outcome:#?}");
    }
}

#[tokio::test]
async fn descriptors_that_are_held_back_keep_nobody_from_beginning() {
    // The kernel counts what all processes of a user have sent and nobody has received.
    let hoards = "\
import array, socket, time
def hoards():
    one, other = socket.socketpair()
    many = array.array('i', [one.fileno()] * 250)
    for _ in range(2):
        one.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, many)])
    time.sleep(1.5)
    return 'held'
";
    let quick = "import time\ndef quick(item):\n    time.sleep(0.05)\n    return item\n";
    let mut harness = Harness::new().skill("hoards", hoards).skill("quick", quick);
    harness.options.jobs = 2.try_into().unwrap();
    let items: Vec<u32> = (0..15).collect();
    let workflow = json!({"name": "w", "steps": [
        {"name": "hoards", "skill": "hoards"},
        {"name": "quick", "skill": "quick", "foreach": {"items": items}, "inputs": {"item": "${item}"}},
    ]});
    let report = harness.run(workflow, json!({})).await;
    assert_eq!(report.status, Status::Success, "{report:#?}");
    assert_eq!(report.step("hoards").unwrap().output, json!("held"));
}

/// Whether a test has its process for itself, as each has with nextest. Otherwise it is done in one of its own, and is done then.
fn is_alone(test: &str) -> bool {
    if ["NEXTEST", "SKILLERY_TEST_ALONE"].iter().any(|name| std::env::var_os(name).is_some()) {
        return true;
    }
    let mut itself = std::process::Command::new(std::env::current_exe().unwrap());
    let output = itself.args(["--exact", test]).env("SKILLERY_TEST_ALONE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    false
}

/// The processes below this one, by how deep they are.
fn below(process: i32) -> Vec<Vec<i32>> {
    let children = |process: &i32| -> Vec<i32> {
        let mut found = Vec::new();
        for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(text.split_whitespace().map(|child| child.parse::<i32>().unwrap()));
        }
        found
    };
    let mut levels = vec![vec![process]];
    while let Some(next) = levels.last().map(|last| last.iter().flat_map(children).collect::<Vec<_>>())
        && !next.is_empty()
    {
        levels.push(next);
    }
    levels
}

/// Whether it is the first of its namespace.
fn is_init(process: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
}

#[tokio::test]
async fn a_worker_that_was_killed_while_it_waited_is_not_used() {
    // It kills what is below the whole process, workers of other tests as well.
    if !is_alone("neighbours::a_worker_that_was_killed_while_it_waited_is_not_used") {
        return;
    }
    let options = RunOptions::default();
    let code = "def subject():\n    return 1\n";
    for _ in 0..5 {
        assert_eq!(run_with(code, json!({}), &options).await.status, Status::Success);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        // This process, the parent outside, the parent inside, and its workers with their inits.
        let levels = below(std::process::id().cast_signed());
        assert_eq!(levels.len(), 4, "{levels:?}");
        for process in levels[3].iter().filter(|process| !is_init(**process)) {
            let _ = kill(Pid::from_raw(*process), Signal::SIGKILL);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nothing_piles_up_over_many_steps() {
    // It counts what the whole process has.
    if !is_alone("neighbours::nothing_piles_up_over_many_steps") {
        return;
    }
    let options = RunOptions::default();
    let code = "def subject():\n    return 1\n";
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    for _ in 0..5 {
        run_with(code, json!({}), &options).await;
    }
    let before = descriptors();
    for _ in 0..100 {
        assert_eq!(run_with(code, json!({}), &options).await.status, Status::Success);
    }
    assert!(descriptors() <= before + 10, "{} after {before}", descriptors());
    // The parent sees to what has ended soon.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let levels = below(std::process::id().cast_signed());
    assert!(levels[3].len() <= 12, "{levels:?}");
}
