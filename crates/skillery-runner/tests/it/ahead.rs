//! What is done ahead for all workers, or once for several, to make steps cheap: it changes nothing of what they see, and
//! opens no way from one to another.

use std::collections::BTreeSet;

use serde_json::json;
use skillery_runner::{Rule, RunOptions, Status};

use crate::harness::{run, run_with};

/// Workers of one parent share its IPC namespace, so nothing that lives there can be called.
#[tokio::test]
async fn what_workers_share_cannot_be_called() {
    for number in [
        libc::SYS_semget,
        libc::SYS_semop,
        libc::SYS_semctl,
        libc::SYS_shmget,
        libc::SYS_msgget,
        libc::SYS_mq_open,
        libc::SYS_mq_unlink,
        libc::SYS_mq_timedsend,
    ] {
        let code = format!(
            "import ctypes, os\ndef subject():\n    libc = ctypes.CDLL(None, use_errno=True)\n    \
             if libc.syscall({number}, 1, 1, 0o1666, 0, 0) == -1:\n        \
                 raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n"
        );
        let outcome = run(&code, json!({})).await;
        assert_eq!(outcome.error.as_ref().and_then(|error| error.rule), Some(Rule::Kernel), "{outcome:#?}");
    }
}

/// Runs it with one parent until it returns `true`: what is done ahead is done when there is time.
async fn becomes_true(code: &str, options: &RunOptions) -> bool {
    for _ in 0..1_000 {
        if run_with(code, json!({}), options).await.output == json!(true) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn modules_that_skills_use_are_there_for_those_that_come() {
    let options = RunOptions::default();
    let code = "import sys\nbefore = 'hmac' in sys.modules\nimport hmac\ndef subject():\n    return before\n";
    assert_eq!(run_with(code, json!({}), &options).await.output, json!(false));
    assert!(becomes_true(code, &options).await);
    let other = "import sys\ndef subject():\n    return 'hmac' in sys.modules\n";
    assert!(becomes_true(other, &options).await);
    // What nobody uses, nobody carries.
    let unused = "import sys\ndef subject():\n    return 'decimal' in sys.modules\n";
    assert_eq!(run_with(unused, json!({}), &options).await.output, json!(false));
}

#[tokio::test]
async fn chance_is_another_one_in_each_worker() {
    let options = RunOptions::default();
    let loaded =
        "import sys\nbefore = 'random' in sys.modules\nimport random\ndef subject():\n    return before\n";
    assert!(becomes_true(loaded, &options).await);
    let code = "import random\ndef subject():\n    return random.random()\n";
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        seen.insert(run_with(code, json!({}), &options).await.output.to_string());
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[tokio::test]
async fn every_worker_has_its_limits_outputs_and_places() {
    let code = "import gc, os, resource, sys\ndef subject():\n    \
                names = ('AS', 'NPROC', 'FSIZE', 'NOFILE', 'CORE', 'MEMLOCK')\n    \
                limits = [resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in names]\n    \
                outputs = [(one.fileno(), one.isatty(), one.seekable()) for one in (sys.stdout, sys.stderr)]\n    \
                opened = sorted(name for name in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/' + name))\n    \
                return [limits, outputs, opened, os.getcwd(), gc.isenabled(), sorted(name for name in sys.modules if 'rehears' in name)]\n";
    let options = RunOptions::default();
    for _ in 0..6 {
        let outcome = run_with(code, json!({}), &options).await;
        let (mebi, files) = (1024 * 1024, 256);
        let limits = json!([
            [512 * mebi, 512 * mebi],
            [64, 64],
            [64 * mebi, 64 * mebi],
            [files, files],
            [0, 0],
            [0, 0]
        ]);
        let outputs = json!([[1, false, false], [2, false, false]]);
        let expected = json!([limits, outputs, ["0", "1", "2", "3", "4"], "/tmp", true, []]);
        assert_eq!(outcome.output, expected, "{outcome:#?}");
    }
}

/// Who has replied is waited for, and killed where it stays.
#[tokio::test]
async fn a_skill_that_stays_behind_its_reply_is_killed() {
    let options = RunOptions::default();
    let code = "import os\ndef subject():\n    os.write(3, b'\\0\\0\\0\\x0c{\"output\":1}')\n    while True:\n        pass\n";
    for _ in 0..3 {
        let outcome = run_with(code, json!({}), &options).await;
        assert_eq!((outcome.status, outcome.output), (Status::Success, json!(1)));
    }
}

#[tokio::test]
async fn null_bytes_and_odd_paths_are_no_trouble() {
    let outcome = run("def subject():\n    return 1\n\0", json!({})).await;
    assert_eq!(outcome.status, Status::Failed, "{outcome:#?}");
    let file = run("def subject():\n    return [__file__, open(__file__).read()[:3]]\n", json!({})).await;
    assert_eq!(file.output, json!(["/skill/scripts/subject.py", "def"]), "{file:#?}");
}
