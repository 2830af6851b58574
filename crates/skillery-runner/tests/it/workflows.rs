//! Steps together: order, values between them, failures, retries, parallel steps.

use std::num::NonZeroUsize;

use serde_json::{Value, json};
use skillery_runner::{EventKind, RunError, Status};

use crate::harness::{Harness, Meeting};

const VALIDATOR: &str = "\
def validator(email):
    user, _, domain = email.partition('@')
    return {'valid': bool(user and domain), 'domain': domain, 'parts': [user, domain]}
";
const ECHO: &str = "def echo(**values): return values";
const FAILS: &str = "def fails(): raise ValueError('as it must')";

fn basics() -> Harness {
    Harness::new().skill("validator", VALIDATOR).skill("echo", ECHO).skill("fails", FAILS)
}

fn statuses(report: &skillery_runner::RunReport) -> Vec<String> {
    report.steps.iter().map(|step| format!("{} {}", step.name, step.outcome.status)).collect()
}

#[tokio::test]
async fn values_flow_with_their_types() {
    let harness = basics();
    let workflow = json!({"name": "email_validation", "steps": [
        {"name": "validate", "skill": "validator", "inputs": {"email": "${email_input}"}},
        {"name": "use", "skill": "echo", "inputs": {
            "whole": "${validate_output}",
            "key": "${validate_valid}",
            "long": "${validate.output.parts.1}",
            "status": "${validate.status}",
            "text": "valid=${validate_valid} parts=${validate_parts} n=${n}",
            "deep": [{"n": "${n}"}],
            "plain": "$${n}",
        }},
    ]});
    let report = harness.run(workflow, json!({"email_input": "ada@example.com", "n": 3})).await;
    assert_eq!(report.status, Status::Success);
    let whole = json!({"valid": true, "domain": "example.com", "parts": ["ada", "example.com"]});
    assert_eq!(
        report.step("use").unwrap().output,
        json!({
            "whole": whole, "key": true, "long": "example.com", "status": "success",
            "text": "valid=true parts=[\"ada\",\"example.com\"] n=3", "deep": [{"n": 3}], "plain": "${n}",
        })
    );
    let step = report.step("validate").unwrap();
    assert_eq!(Value::Object(step.inputs.clone()), json!({"email": "ada@example.com"}));
    assert_eq!((step.version.as_str(), step.attempts), ("1.0.0", 1));
    assert!(step.latency_ms > 0.0);
    insta::assert_snapshot!(harness.story().join("\n"), @"
        run started
        validate started (1)
        validate finished: success
        use started (1)
        use finished: success
        run finished: success
        ");
}

#[tokio::test]
async fn a_failure_stops_the_rest() {
    let report = basics()
        .run(
            json!({"name": "w", "steps": [
                {"name": "one", "skill": "fails"},
                {"name": "two", "skill": "echo", "parallel": false},
                {"name": "three", "skill": "echo", "on_error": "continue"},
            ]}),
            json!({}),
        )
        .await;
    assert_eq!(report.status, Status::Failed);
    assert_eq!(statuses(&report), ["one failed", "two skipped", "three skipped"]);
    assert_eq!(report.step("two").unwrap().reason.as_deref(), Some("step `one` is `failed`"));
    assert_eq!(report.step("two").unwrap().attempts, 0);
}

#[tokio::test]
async fn with_continue_only_dependents_are_skipped() {
    let report = basics()
        .run(
            json!({"name": "w", "steps": [
                {"name": "one", "skill": "fails", "on_error": "continue"},
                {"name": "free", "skill": "echo", "inputs": {"status": "${one.status}", "why": "${one.error.message}"}},
                {"name": "reads", "skill": "echo", "inputs": {"x": ["${one_output}"]}},
                {"name": "needs", "skill": "echo", "needs": ["reads"]},
            ]}),
            json!({}),
        )
        .await;
    assert_eq!(report.status, Status::Success);
    assert_eq!(statuses(&report), ["one failed", "free success", "reads skipped", "needs skipped"]);
    assert_eq!(report.step("free").unwrap().output, json!({"status": "failed", "why": "as it must"}));
    let reason = |name: &str| report.step(name).unwrap().reason.clone().unwrap();
    assert_eq!(reason("reads"), "it refers to `${one_output}`, and step `one` is `failed`");
    assert_eq!(reason("needs"), "it needs `reads`, and step `reads` is `skipped`");
}

#[tokio::test]
async fn a_value_that_is_not_there_fails_the_step() {
    let report = basics()
        .run(
            json!({"name": "w", "steps": [
                {"name": "validate", "skill": "validator", "inputs": {"email": "x"}},
                {"name": "use", "skill": "echo", "inputs": {"x": "${validate_valib}"}},
            ]}),
            json!({}),
        )
        .await;
    assert_eq!(statuses(&report), ["validate success", "use failed"]);
    let error = report.step("use").unwrap().error.clone().unwrap();
    assert_eq!(error.kind, "missing-value");
}

#[tokio::test]
async fn retries_until_it_succeeds() {
    let meeting = Meeting::new();
    let code = "\
import os
def flaky(folder):
    with open(os.path.join(folder, 'tries'), 'a+') as file:
        file.write('x')
        file.seek(0)
        tries = len(file.read())
    if tries < 3:
        raise ConnectionError('try %d' % tries)
    return tries
";
    let harness = Harness::new().skill("flaky", code).granted(meeting.grants());
    let workflow = json!({"name": "w", "steps": [
        {"name": "one", "skill": "flaky", "inputs": {"folder": "${folder}"}, "on_error": "retry",
         "retry": {"delay_seconds": 0.001}},
    ]});
    let report = harness.run(workflow, meeting.inputs()).await;
    assert_eq!(report.step("one").unwrap().output, json!(3));
    assert_eq!(report.step("one").unwrap().attempts, 3);
    insta::assert_snapshot!(harness.story().join("\n"), @"
        run started
        one started (1)
        one failed (1), again
        one started (2)
        one failed (2), again
        one started (3)
        one finished: success
        run finished: success
        ");
}

#[tokio::test]
async fn retries_end_and_then_the_workflow_stops() {
    let harness = basics();
    let report = harness
        .run(
            json!({"name": "w", "steps": [
                {"name": "one", "skill": "fails", "retry": {"limit": 1, "delay_seconds": 0}},
                {"name": "two", "skill": "echo", "parallel": false},
            ]}),
            json!({}),
        )
        .await;
    assert_eq!(statuses(&report), ["one failed", "two skipped"]);
    assert_eq!(report.step("one").unwrap().attempts, 2);
}

#[tokio::test]
async fn what_cannot_get_better_is_not_retried() {
    let report = basics()
        .run(
            json!({"name": "w", "steps": [
                {"name": "one", "skill": "validator", "inputs": {"mail": 1}, "on_error": "retry"},
            ]}),
            json!({}),
        )
        .await;
    assert_eq!(report.step("one").unwrap().attempts, 1);
    assert_eq!(report.step("one").unwrap().error.as_ref().unwrap().kind, "bad-inputs");
}

/// Each step waits until it has seen the other, so that they end only if they run at once.
const RENDEZVOUS: &str = "\
import os, time
def rendezvous(folder, me, other):
    open(os.path.join(folder, me), 'w').close()
    while not os.path.exists(os.path.join(folder, other)):
        time.sleep(0.001)
    return me
";

#[tokio::test]
async fn independent_steps_run_side_by_side() {
    let meeting = Meeting::new();
    let mut harness =
        Harness::new().skill("rendezvous", RENDEZVOUS).skill("echo", ECHO).granted(meeting.grants());
    harness.options.jobs = NonZeroUsize::new(2).unwrap();
    let step = |name: &str, other: &str| {
        json!({"name": name, "skill": "rendezvous",
               "inputs": {"folder": "${folder}", "me": name, "other": other}})
    };
    let workflow = json!({"name": "w", "steps": [
        step("a", "b"), step("b", "a"),
        {"name": "both", "skill": "echo", "inputs": {"a": "${a_output}", "b": "${b_output}"}},
    ]});
    let report = harness.run(workflow, meeting.inputs()).await;
    assert_eq!(report.step("both").unwrap().output, json!({"a": "a", "b": "b"}));
}

#[tokio::test]
async fn many_steps_at_once_do_not_get_in_each_others_way() {
    let mut harness = Harness::new().skill("echo", ECHO);
    harness.options.jobs = NonZeroUsize::new(8).unwrap();
    let steps: Vec<_> = (0..60)
        .map(|number| json!({"name": format!("s{number}"), "skill": "echo", "inputs": {"n": number}}))
        .collect();
    let report = harness.run(json!({"name": "w", "steps": steps}), json!({})).await;
    for (number, step) in report.steps.iter().enumerate() {
        assert_eq!(step.outcome.output, json!({"n": number}), "{:#?}", step.outcome);
    }
}

#[tokio::test]
async fn a_step_waits_for_what_it_refers_to_in_any_order_and_one_that_is_alone_for_all() {
    let mut harness = Harness::new().skill("echo", ECHO);
    harness.options.jobs = NonZeroUsize::new(4).unwrap();
    let workflow = json!({"name": "w", "steps": [
        {"name": "c", "skill": "echo", "needs": ["b"]},
        {"name": "b", "skill": "echo", "inputs": {"n": "${a.output.n}"}},
        {"name": "a", "skill": "echo", "inputs": {"n": 1}},
        {"name": "d", "skill": "echo", "parallel": false},
    ]});
    let report = harness.run(workflow, json!({})).await;
    assert_eq!(report.status, Status::Success);
    insta::assert_snapshot!(harness.story().join("\n"), @"
        run started
        a started (1)
        a finished: success
        b started (1)
        b finished: success
        c started (1)
        c finished: success
        d started (1)
        d finished: success
        run finished: success
        ");
}

#[tokio::test]
async fn a_failure_lets_its_neighbours_finish_and_starts_nothing_new() {
    let meeting = Meeting::new();
    let waits = "\
import os, time
def waits(folder):
    while not os.path.exists(os.path.join(folder, 'failed')):
        time.sleep(0.001)
";
    let mut harness = basics().skill("waits", waits).granted(meeting.grants());
    harness.options.jobs = NonZeroUsize::new(2).unwrap();
    let failed = meeting.path("failed");
    harness.on_event = Box::new(move |event| {
        if matches!(&event.kind, EventKind::StepFinished { step, .. } if step == "fails") {
            std::fs::write(&failed, "").unwrap();
        }
    });
    let workflow = json!({"name": "w", "steps": [
        {"name": "waits", "skill": "waits", "inputs": {"folder": "${folder}"}},
        {"name": "fails", "skill": "fails"},
        {"name": "late", "skill": "echo", "needs": ["waits"]},
    ]});
    let report = harness.run(workflow, meeting.inputs()).await;
    assert_eq!(statuses(&report), ["waits success", "fails failed", "late skipped"]);
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_and_nothing_runs() {
    let harness = basics();
    let workflow = json!({"name": "bad", "steps": [
        {"name": "a", "skill": "echo", "inputs": {"x": "${b_output}", "y": "${nobody.output}", "z": "${unclosed"}},
        {"name": "b", "skill": "echo", "needs": ["a", "ghost"]},
        {"name": "b", "skill": "Echo!", "retry": {"limit": 1000, "delay_seconds": -1, "backoff": 0.5, "jitter": 2},
         "timeout_seconds": 0},
        {"name": "not a name", "skill": "missing@^2", "inputs": {"x": "${emial}", "y": "${a b}"}},
        {"name": "c", "skill": "echo", "inputs": {"x": "${d.status}", "y": "${a}", "z": "${a.result}", "self": "${c_output}"}},
        {"name": "d", "skill": "echo"},
    ]});
    let error = harness.try_run(workflow, json!({"email": "x"})).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    workflow `bad` cannot run
    - steps 2 and 3 are both called `b`
    - the name of step 4 is `not a name`: use 1 to 128 letters, digits, `_` and `-`
    - step `a`: `${nobody.output}` is neither an input nor a part of a step: the inputs are `email`
    - step `a`: `${unclosed` has a `${` without its `}`; write `$${` for a plain one
    - step `b`: there is no step `ghost`
    - step `b`: `Echo!` is not a skill: segment `Echo!` has the capital `E`; use a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit
    - step `b`: `retry` is at most 100
    - step `b`: `retry.delay_seconds` is from 0 to 3600
    - step `b`: `retry.backoff` is from 1 to 100
    - step `b`: `retry.jitter` is from 0 to 1
    - step `b`: `timeout_seconds` is above 0 and at most 604800
    - step `not a name`: `${emial}` is neither an input nor a part of a step: the inputs are `email`
    - step `not a name`: `${a b}` is not a reference: use letters, digits, `_`, `-` and `.`, or write `$${` for a plain `${`
    - step `c`: `${a}` is no input; write `${a_output}` for what the step returns
    - step `c`: `${a.result}`: a step has `output`, `status`, `error`, `version` and `items`; write `${a.output.result}`
    - step `a`: steps wait for each other: a -> b -> a
    - step `c`: it waits for itself
    - step `not a name`: skill `missing@^2`: it is not installed
    ");
    assert!(harness.story().is_empty());
    let RunError::Invalid(problems) = error else { panic!("{error:?}") };
    insta::assert_snapshot!(serde_json::to_string(&problems.problems[0]).unwrap(), @r#"{"kind":"duplicate-step","message":"steps 2 and 3 are both called `b`"}"#);
}

#[tokio::test]
async fn cycles_are_told_with_their_way() {
    let harness = basics();
    let workflow = json!({"name": "round", "steps": [
        {"name": "a", "skill": "echo", "inputs": {"x": "${c_output}"}},
        {"name": "b", "skill": "echo", "needs": ["a"]},
        {"name": "c", "skill": "echo", "inputs": {"x": "is ${b.output.x}"}},
    ]});
    insta::assert_snapshot!(harness.try_run(workflow, json!({})).await.unwrap_err(), @"
        workflow `round` cannot run
        - step `a`: steps wait for each other: a -> c -> b -> a
        ");
}

#[tokio::test]
async fn the_size_of_a_workflow_has_a_limit() {
    let harness = basics();
    let empty = harness.try_run(json!({"name": "none"}), json!({})).await.unwrap_err();
    insta::assert_snapshot!(empty, @"
        workflow `none` cannot run
        - there are no steps
        ");
    let steps: Vec<_> = (0..10_001).map(|n| json!({"name": format!("s{n}"), "skill": "echo"})).collect();
    let many = harness.try_run(json!({"name": "many", "steps": steps}), json!({})).await.unwrap_err();
    insta::assert_snapshot!(many, @"
        workflow `many` cannot run
        - there are 10001 steps, and 10000 is the most
        ");
}

#[tokio::test]
async fn fields_that_do_not_exist_are_refused_by_name() {
    let text = r#"{"name": "w", "steps": [{"name": "a", "skill": "echo", "input": {}}]}"#;
    let error = serde_json::from_str::<skillery_runner::Workflow>(text).unwrap_err();
    assert!(error.to_string().contains("unknown field `input`"), "{error}");
}

#[tokio::test]
async fn reports_and_events_are_json() {
    let harness = basics();
    let workflow = json!({"name": "w", "steps": [{"name": "one", "skill": "echo", "inputs": {"n": 1}}]});
    let mut report = serde_json::to_value(harness.run(workflow, json!({})).await).unwrap();
    report["run_id"] = json!("…");
    report["latency_ms"] = json!(1.5);
    report["steps"][0]["latency_ms"] = json!(1.0);
    assert_eq!(
        report,
        json!({
            "run_id": "…", "workflow": "w", "status": "success", "latency_ms": 1.5,
            "steps": [{
                "name": "one", "status": "success", "output": {"n": 1}, "error": null, "skill": "acme/echo",
                "version": "1.0.0", "inputs": {"n": 1}, "latency_ms": 1.0, "attempts": 1, "stdout": "", "stderr": "",
            }],
        })
    );
    let lines: Vec<Value> =
        harness.events().iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["run-started", "step-started", "step-finished", "run-finished"]);
    let code_hash = skillery_core::Digest::of(ECHO.as_bytes());
    let planned = json!({"name": "one", "skill": "acme/echo", "version": "1.0.0", "code_hash": code_hash});
    assert_eq!(lines[0]["steps"], json!([planned]));
    assert!(lines.iter().all(|line| line["run_id"] == lines[0]["run_id"] && line["time"].is_string()));
    for (line, event) in lines.into_iter().zip(harness.events()) {
        assert_eq!(serde_json::from_value::<skillery_runner::Event>(line).unwrap(), event);
    }
}
