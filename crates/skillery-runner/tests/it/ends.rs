//! However an attempt ends, nothing of it is left running.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use skillery_runner::{Grants, Interpreter, InterpreterError, RunOptions, SkillSource, Status, run_skill};

use crate::harness::{Harness, Meeting, described, run_granted, run_with, source, unlocked, values};

/// Starts a grandchild that ignores polite requests, and never ends. Both hold a lock; the file is there when they do.
pub(crate) const HANGS: &str = "\
import fcntl, os, signal, subprocess, sys, time

CHILD = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(3600)'

def hangs(folder, stubborn=True):
    file = open(os.path.join(folder, 'lock'), 'w')
    fcntl.flock(file, fcntl.LOCK_EX)
    child = subprocess.Popen([sys.executable, '-c', CHILD], stdout=subprocess.PIPE, pass_fds=[file.fileno()], start_new_session=True)
    child.stdout.readline()
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    file.write('here\\n')
    file.flush()
    while True:
        time.sleep(3600)
";

/// `hangs`, with what it needs.
fn hangs(meeting: &Meeting) -> SkillSource {
    SkillSource { grants: meeting.grants(), ..source("hangs", HANGS) }
}

fn short(seconds: f64) -> RunOptions {
    RunOptions {
        timeout: Duration::from_secs_f64(seconds),
        grace: Duration::from_millis(50),
        ..RunOptions::default()
    }
}

#[tokio::test]
async fn an_endless_loop_is_timed_out() {
    let outcome = run_with("def subject():\n    while True: pass", json!({}), &short(0.5)).await;
    assert_eq!(
        described(&outcome),
        "timed-out: timed-out: the skill did not end within 0.5 s, and was killed"
    );
}

#[tokio::test]
async fn a_time_out_kills_what_the_skill_started() {
    let meeting = Meeting::new();
    let outcome = run_skill(&hangs(&meeting), values(meeting.inputs()), &short(5.0), &|_| ()).await.unwrap();
    assert_eq!(outcome.status, Status::TimedOut);
    meeting.arrival("lock").await;
    unlocked(&meeting.path("lock")).await;
}

#[tokio::test]
async fn children_do_not_outlive_a_skill_that_succeeds() {
    let meeting = Meeting::new();
    let code = "\
import fcntl, os, subprocess, sys, threading, time
def subject(folder):
    file = open(os.path.join(folder, 'lock'), 'w')
    fcntl.flock(file, fcntl.LOCK_EX)
    for session in (False, True):
        subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'], pass_fds=[file.fileno()], start_new_session=session)
    threading.Thread(target=time.sleep, args=(3600,)).start()
";
    let outcome = run_granted(code, meeting.inputs(), &RunOptions::default(), meeting.grants()).await;
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    unlocked(&meeting.path("lock")).await;
}

#[tokio::test]
async fn forked_children_cannot_answer_for_the_skill() {
    let code = "\
import os, time
def subject():
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(4)
";
    let grants = Grants { subprocess: true, ..Grants::default() };
    let outcome = run_granted(code, json!({}), &RunOptions::default(), grants).await;
    assert_eq!(
        described(&outcome),
        "failed: exited: the process exited with status 4 before the function returned"
    );
}

#[tokio::test]
async fn cancelling_kills_what_runs_and_skips_the_rest() {
    let meeting = Meeting::new();
    let harness = Harness::new().skill("hangs", HANGS).granted(meeting.grants());
    let workflow = json!({"name": "w", "steps": [
        {"name": "one", "skill": "hangs", "inputs": {"folder": "${folder}", "stubborn": false}},
        {"name": "two", "skill": "hangs", "inputs": {"folder": "${folder}"}, "needs": ["one"]},
    ]});
    let cancel = harness.options.cancel.clone();
    let (report, ()) = tokio::join!(harness.run(workflow, meeting.inputs()), async {
        meeting.arrival("lock").await;
        cancel.cancel();
    });
    unlocked(&meeting.path("lock")).await;
    assert_eq!(report.status, Status::Cancelled);
    assert_eq!(report.step("one").unwrap().status, Status::Cancelled);
    assert_eq!(report.step("two").unwrap().status, Status::Skipped);
    assert_eq!(report.step("two").unwrap().reason.as_deref(), Some("the run was cancelled"));
    assert_eq!(harness.story().last().unwrap(), "run finished: cancelled");
}

#[tokio::test]
async fn dropping_the_run_kills_and_clears_up() {
    let meeting = Meeting::new();
    let harness = Harness::new().skill("hangs", HANGS).granted(meeting.grants());
    let workflow = json!({"name": "w", "steps": [
        {"name": "one", "skill": "hangs", "inputs": {"folder": "${folder}"}},
    ]});
    tokio::select! {
        _ = harness.run(workflow, meeting.inputs()) => panic!("it never ends by itself"),
        _ = meeting.arrival("lock") => {}
    };
    unlocked(&meeting.path("lock")).await;
}

/// The other half of the next test: a process that runs a skill and is killed meanwhile.
#[tokio::test]
async fn helper_that_is_killed() {
    let Some(folder) = std::env::var_os("SKILLERY_TEST_MEETING") else { return };
    let folder = folder.into_string().unwrap();
    let grants = Grants { write: vec![folder.clone().into()], subprocess: true, ..Grants::default() };
    let skill = SkillSource { grants, ..source("hangs", HANGS) };
    run_skill(&skill, values(json!({ "folder": folder })), &RunOptions::default(), &|_| ()).await.unwrap();
}

#[tokio::test]
async fn a_killed_runner_takes_its_workers_with_it() {
    let meeting = Meeting::new();
    let mut runner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::helper_that_is_killed"])
        .env("SKILLERY_TEST_MEETING", meeting.path(""))
        // Nobody is left to remove the folder of the worker.
        .env("TMPDIR", meeting.path(""))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    meeting.arrival("lock").await;
    runner.kill().unwrap();
    runner.wait().unwrap();
    unlocked(&meeting.path("lock")).await;
}

#[tokio::test]
async fn nothing_is_left_in_the_folder_for_the_next_worker() {
    let code = "import os\ndef subject():\n    before = os.listdir('.')\n    open('x', 'w').close()\n    os.mkdir('y')\n    return before";
    let options = RunOptions::default();
    for _ in 0..4 {
        let outcome = run_with(code, json!({}), &options).await;
        assert_eq!(outcome.output, json!([]), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_interpreter_is_asked_for_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("python");
    let script = |text: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    assert!(matches!(Interpreter::at(&path).await, Err(InterpreterError::NotFound { .. })));
    script("echo 3.8.19");
    let error = Interpreter::at(&path).await.unwrap_err();
    assert!(error.to_string().ends_with("is Python 3.8.19, and skills need 3.9 or newer"), "{error}");
    script("echo hello");
    assert!(matches!(Interpreter::at(&path).await, Err(InterpreterError::NotPython { .. })));
    script("exit 7");
    assert!(matches!(Interpreter::at(&path).await, Err(InterpreterError::NotPython { .. })));
    let found = Interpreter::discover().await.unwrap();
    assert!(found.path().is_absolute(), "{found:?}");
}
