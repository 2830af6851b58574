//! Runs that are kept: resumed, listed, cancelled, forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use skillery_runner::{EventKind, History, HistoryError, RunError, RunState, Status};

use crate::harness::{Harness, Meeting};

const ECHO: &str = "def echo(**values): return values";
/// Leaves a mark each time it runs.
const MARKS: &str = "\
def marks(folder, name, fail=False):
    with open(folder + '/marks', 'a') as file:
        file.write(name + ' ')
    if fail:
        import os
        if not os.path.exists(folder + '/mended'):
            raise ValueError('not mended')
    return name
";

struct Kept {
    meeting: Meeting,
    harness: Harness,
    _folder: tempfile::TempDir,
}

fn kept() -> Kept {
    let meeting = Meeting::new();
    let folder = tempfile::tempdir().unwrap();
    let mut harness = Harness::new().skill("marks", MARKS).skill("echo", ECHO).granted(meeting.grants());
    harness.options.history = Some(History::at(folder.path().join("runs")));
    harness.options.jobs = std::num::NonZeroUsize::MIN;
    Kept { meeting, harness, _folder: folder }
}

impl Kept {
    fn history(&self) -> &History {
        self.harness.options.history.as_ref().unwrap()
    }

    fn marks(&self) -> String {
        std::fs::read_to_string(self.meeting.path("marks")).unwrap_or_default()
    }
}

fn step(name: &str) -> Value {
    json!({"name": name, "skill": "marks", "inputs": {"folder": "${folder}", "name": name}})
}

fn flow() -> Value {
    let failing = json!({"name": "b", "skill": "marks", "inputs": {"folder": "${folder}", "name": "b", "fail": true}, "needs": ["a"]});
    json!({"name": "flow", "steps": [
        step("a"), failing,
        {"name": "each", "skill": "marks", "foreach": ["x", "y"], "needs": ["a"],
         "inputs": {"folder": "${folder}", "name": "${item}"}},
        {"name": "c", "skill": "echo", "inputs": {"b": "${b_output}", "each": "${each_output}"}},
    ]})
}

#[tokio::test]
async fn a_run_that_failed_goes_on_where_it_failed() {
    let mut kept = kept();
    let mut workflow = flow();
    workflow["steps"].as_array_mut().unwrap().swap(1, 2);
    let report = kept.harness.run(workflow, kept.meeting.inputs()).await;
    assert_eq!(report.status, Status::Failed);
    assert_eq!(kept.marks(), "a x y b ");
    std::fs::write(kept.meeting.path("mended"), "").unwrap();
    let again = kept.harness.resume(&report.run_id).await.unwrap();
    assert_eq!(again.status, Status::Success);
    assert_eq!(kept.marks(), "a x y b b ");
    assert_eq!(again.step("c").unwrap().output, json!({"b": "b", "each": ["x", "y"]}));
    assert_eq!(again.run_id, report.run_id);

    let history = kept.history().read(&report.run_id).unwrap();
    assert_eq!(history.state, RunState::Success);
    // What stands in events once is put together again.
    for step in ["each", "c"] {
        assert_eq!(history.report().step(step).unwrap().output, again.step(step).unwrap().output);
    }
    let items = history.report().step("each").unwrap().items.clone();
    assert_eq!(items.iter().map(|item| &item.output).collect::<Vec<_>>(), ["x", "y"]);
    let told = kept.harness.events().into_iter().filter_map(|event| match event.kind {
        EventKind::StepFinished { step, outcome } if step == "each" => Some(outcome.items.len()),
        _ => None,
    });
    assert!(told.eq([0, 0]));
    let error = kept.harness.resume(&report.run_id).await.unwrap_err();
    assert!(matches!(error, RunError::History(HistoryError::Ended(_))), "{error}");
    // What is not what the run began with is not run.
    kept.harness.skills.insert("echo".to_owned(), "def echo(**values): return 1".to_owned());
}

#[tokio::test]
async fn a_run_that_was_cut_short_repeats_only_what_had_not_finished() {
    let mut kept = kept();
    // The process is gone in the middle of the last item: nothing of what it does is finished, or told.
    let seen = std::sync::Arc::new(tokio::sync::Notify::new());
    let told = std::sync::Arc::clone(&seen);
    let count = AtomicUsize::new(0);
    kept.harness.on_event = Box::new(move |event| {
        if let EventKind::StepStarted { step, .. } = &event.kind
            && step == "each[1]"
        {
            count.fetch_add(1, Ordering::Relaxed);
            told.notify_one();
        }
    });
    let mut workflow = flow();
    workflow["steps"][1]["inputs"]["fail"] = json!(false);
    tokio::select! {
        report = kept.harness.run(workflow, kept.meeting.inputs()) => panic!("{report:?}"),
        () = seen.notified() => {}
    }
    let history = kept.history().clone();
    let id = history.find("last").unwrap();
    assert_eq!(history.read(&id).unwrap().state, RunState::Interrupted);
    // A crash may cut a line off.
    let events = kept._folder.path().join("runs").join(&id).join("events.jsonl");
    let mut text = std::fs::read(&events).unwrap();
    text.extend(b"{\"run_id\": \"half a li");
    std::fs::write(&events, text).unwrap();

    let before = kept.marks();
    let report = kept.harness.resume(&id).await.unwrap();
    assert_eq!(report.status, Status::Success, "{report:#?}");
    let after = kept.marks();
    let new = after.strip_prefix(&before).unwrap().to_owned();
    // The process that was cut short may have come to its mark, too.
    assert!(!new.is_empty() && new.replace("y ", "").is_empty(), "{before} then {new}");
    let story = kept.harness.story();
    for line in ["a kept", "b kept", "each[0] kept"] {
        assert!(story.iter().any(|told| told == line), "{story:?}");
    }
    assert_eq!(history.read(&id).unwrap().state, RunState::Success);
}

#[tokio::test]
async fn a_run_is_resumed_with_the_skills_that_it_began_with() {
    let mut kept = kept();
    let report = kept.harness.run(flow(), kept.meeting.inputs()).await;
    assert_eq!(report.status, Status::Failed);
    kept.harness.skills.insert("echo".to_owned(), "def echo(**values): return 1".to_owned());
    let error = kept.harness.resume(&report.run_id).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    workflow `flow` cannot run
    - step `c`: skill `acme/echo@1.0.0`: its code is not what the run began with
    ");
    kept.harness.skills.remove("echo");
    let error = kept.harness.resume(&report.run_id).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    workflow `flow` cannot run
    - step `c`: skill `acme/echo@1.0.0`: it is not installed
    ");
}

#[tokio::test]
async fn inputs_that_changed_make_a_step_run_again() {
    let mut kept = kept();
    let clock = "import time\ndef clock(): return time.time_ns()";
    kept.harness = kept.harness.skill("clock", clock);
    let workflow = json!({"name": "flow", "steps": [
        {"name": "now", "skill": "clock", "needs": ["b"]},
        {"name": "uses", "skill": "marks", "inputs": {"folder": "${folder}", "name": "at ${now_output}"}},
        {"name": "b", "skill": "marks", "inputs": {"folder": "${folder}", "name": "b"}},
        {"name": "last", "skill": "marks", "needs": ["uses"], "inputs": {"folder": "${folder}", "name": "last", "fail": true}},
    ]});
    let report = kept.harness.run(workflow, kept.meeting.inputs()).await;
    assert_eq!(report.status, Status::Failed);
    // As if the first step had not finished: what it returns is another time.
    let events = kept._folder.path().join("runs").join(&report.run_id).join("events.jsonl");
    let text = std::fs::read_to_string(&events).unwrap();
    let rest: Vec<&str> =
        text.lines().filter(|line| !(line.contains("step-finished") && line.contains("\"now\""))).collect();
    std::fs::write(&events, rest.join("\n")).unwrap();
    std::fs::write(kept.meeting.path("mended"), "").unwrap();
    kept.harness.resume(&report.run_id).await.unwrap();
    let marks = kept.marks();
    assert_eq!(marks.matches("at ").count(), 2, "{marks}");
    assert_eq!(marks.matches("b ").count(), 1, "{marks}");
}

#[tokio::test]
async fn outputs_that_held_a_secret_are_made_again() {
    let mut kept = kept();
    let secret = "a long secret".to_owned();
    kept.harness.options.secrets =
        skillery_runner::Secrets::new(std::collections::BTreeMap::from([("KEY".to_owned(), secret.clone())]));
    let workflow = json!({"name": "flow", "secrets": ["KEY"], "steps": [
        {"name": "one", "skill": "echo", "inputs": {"key": "${secrets.KEY}"}},
        {"name": "two", "skill": "marks", "inputs": {"folder": "${folder}", "name": "${one.output.key}", "fail": true}},
    ]});
    let report = kept.harness.run(workflow, kept.meeting.inputs()).await;
    let folder = kept._folder.path().join("runs").join(&report.run_id);
    for file in ["run.json", "events.jsonl"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(!text.contains(&secret), "{text}");
    }
    std::fs::write(kept.meeting.path("mended"), "").unwrap();
    let again = kept.harness.resume(&report.run_id).await.unwrap();
    assert_eq!(again.status, Status::Success);
    assert_eq!(kept.marks(), format!("{secret} {secret} "));
}

#[tokio::test]
async fn somebody_else_can_cancel_a_run() {
    let kept = kept();
    let history = kept.history().clone();
    let sleeps = "import time\ndef sleeps():\n    while True: time.sleep(1)\n";
    let mut harness = Harness::new().skill("sleeps", sleeps).skill("echo", ECHO);
    harness.options.history = Some(history.clone());
    harness.on_event = Box::new(move |event| {
        if matches!(event.kind, EventKind::StepStarted { .. }) {
            assert!(matches!(history.list(1).unwrap()[0].state, RunState::Running));
            history.cancel(&event.run_id).unwrap();
        }
    });
    let report = harness
        .run(
            json!({"name": "w", "steps": [{"name": "a", "skill": "sleeps"}, {"name": "b", "skill": "echo", "needs": ["a"]}]}),
            json!({}),
        )
        .await;
    assert_eq!(report.status, Status::Cancelled);
    let history = kept.history();
    assert_eq!(history.list(9).unwrap()[0].state, RunState::Cancelled);
    let error = history.cancel(&report.run_id).unwrap_err();
    assert_eq!(error.to_string(), format!("the run `{}` has ended", report.run_id));
}

#[tokio::test]
async fn runs_are_found_listed_and_forgotten() {
    let kept = kept();
    let history = kept.history();
    assert_eq!(history.list(9).unwrap(), []);
    assert!(matches!(history.find("last"), Err(HistoryError::NotFound(_))));
    let workflow = json!({"name": "w", "steps": [{"name": "a", "skill": "echo"}]});
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(kept.harness.run(workflow.clone(), json!({})).await.run_id);
    }
    let listed: Vec<String> = history.list(2).unwrap().into_iter().map(|run| run.run_id).collect();
    assert_eq!(listed, [ids[2].clone(), ids[1].clone()]);
    assert_eq!(history.find("last").unwrap(), ids[2]);
    assert_eq!(history.find(&ids[0]).unwrap(), ids[0]);
    assert!(matches!(history.find(&ids[0][..8]), Err(HistoryError::Ambiguous(_))));
    assert_eq!(history.prune(1, None).unwrap(), [ids[1].clone(), ids[0].clone()]);
    assert_eq!(history.list(9).unwrap().len(), 1);
    assert!(matches!(history.read(&ids[0]), Err(HistoryError::NotFound(_))));
}

#[tokio::test]
async fn a_history_that_cannot_be_written_keeps_a_run_from_beginning() {
    let kept = kept();
    std::fs::write(kept._folder.path().join("runs"), "a file").unwrap();
    let workflow = json!({"name": "w", "steps": [{"name": "a", "skill": "echo"}]});
    let error = kept.harness.try_run(workflow, json!({})).await.unwrap_err();
    assert!(matches!(error, RunError::History(HistoryError::Disk { .. })), "{error}");
    assert!(kept.harness.events().is_empty());
}

#[tokio::test]
async fn what_cannot_be_kept_does_not_happen() {
    let mut kept = kept();
    // The journal of this run lies on a disk that is full.
    let folder = kept._folder.path().join("runs").join("full");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.join("events.jsonl")).unwrap();
    kept.harness.options.run_id = Some("full".to_owned());
    let report = kept.harness.run(flow(), kept.meeting.inputs()).await;
    assert_eq!(report.status, Status::Failed);
    let reason = report.reason.clone().unwrap();
    assert!(reason.contains("what happens cannot be kept: No space left on device"), "{reason}");
    assert!(report.steps.iter().all(|step| step.outcome.status == Status::Skipped), "{report:#?}");
    assert_eq!(kept.marks(), "");
}
