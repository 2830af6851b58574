//! What a skill gives back: values, prints, exceptions.

use serde_json::{Value, json};
use skillery_runner::{EventKind, RunLimits, RunOptions, Status, Stream, run_skill};

use crate::harness::{Harness, described, failure, output, run, run_with, source, values};

#[tokio::test]
async fn values_of_json_come_back_as_they_are() {
    let inputs = json!({"x": {"text": "Grüße 🎈 \u{0}", "int": u64::MAX, "low": i64::MIN, "float": 0.1, "list": [true, null]}});
    assert_eq!(output("def subject(x): return x", inputs.clone()).await, inputs["x"]);
    assert_eq!(output("def subject(): return (1, (2, 3))", json!({})).await, json!([1, [2, 3]]));
    assert_eq!(output("def subject(): pass", json!({})).await, Value::Null);
}

#[tokio::test]
async fn what_json_cannot_hold_is_refused_by_its_place() {
    let cases = [
        "{'a': [1, {2}]}",
        "float('nan')",
        "[-float('inf')]",
        "{'counts': {1: 2}}",
        "2 ** 64",
        "object()",
        "(i for i in [])",
        "'\\ud800'",
        "b'bytes'",
    ];
    let mut messages = Vec::new();
    for case in cases {
        messages.push(failure(&format!("def subject(): return {case}"), json!({})).await);
    }
    let itself = failure("def subject():\n    x = []\n    x.append(x)\n    return x", json!({})).await;
    messages.push(itself.replace("[0]", ""));
    insta::assert_snapshot!(messages.join("\n"), @"
        failed: bad-result: what the skill returned is not JSON: `output.a[1]` is of type `set`; make it a list
        failed: bad-result: what the skill returned is not JSON: `output` is nan, which JSON cannot hold
        failed: bad-result: what the skill returned is not JSON: `output[0]` is -inf, which JSON cannot hold
        failed: bad-result: what the skill returned is not JSON: `output.counts` has the key 1 of type `int`; keys are texts
        failed: bad-result: what the skill returned is not JSON: `output` is an integer of more than 64 bits; return it as a text
        failed: bad-result: what the skill returned is not JSON: `output` is of type `object`
        failed: bad-result: what the skill returned is not JSON: `output` is of type `generator`
        failed: bad-result: what the skill returned is not JSON: `output` has a lone surrogate, which is not Unicode text
        failed: bad-result: what the skill returned is not JSON: `output` is of type `bytes`
        failed: bad-result: what the skill returned is not JSON: `output` is nested more than 100 deep, or contains itself
        ");
}

#[tokio::test]
async fn exceptions_come_with_the_skills_own_frames() {
    let code = "\
import json

def _inner(text):
    return json.loads(text)

def subject(text):
    try:
        return _inner(text)
    except ValueError as error:
        raise LookupError('no such thing') from error
";
    let outcome = run(code, json!({"text": "{"})).await;
    assert_eq!(described(&outcome), "failed: LookupError: no such thing");
    // Newer Pythons mark the place below the line.
    let traceback = outcome.error.unwrap().traceback.unwrap();
    let lines: Vec<_> = traceback.lines().filter(|line| !line.trim_start().starts_with(['^', '~'])).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
        Traceback (most recent call last):
          File "/skill/scripts/subject.py", line 8, in subject
            return _inner(text)
          File "/skill/scripts/subject.py", line 4, in _inner
            return json.loads(text)
        json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)

        The above exception was the direct cause of the following exception:

        Traceback (most recent call last):
          File "/skill/scripts/subject.py", line 10, in subject
            raise LookupError('no such thing') from error
        LookupError: no such thing
        "#);
}

#[tokio::test]
async fn exceptions_of_the_skill_and_of_packages_have_their_names() {
    let code = "class Odd(Exception):\n    def __str__(self): raise ValueError\ndef subject(): raise Odd";
    assert_eq!(failure(code, json!({})).await, "failed: Odd: (the exception's text cannot be made)");
    let code = "import json\ndef subject(): json.loads('{')";
    assert!(failure(code, json!({})).await.starts_with("failed: json.decoder.JSONDecodeError: "));
    let code = "def subject(): raise ValueError('x' * 1_000_000)";
    assert_eq!(failure(code, json!({})).await.len(), "failed: ValueError: ".len() + 8192);
}

#[tokio::test]
async fn leaving_early_is_a_failure_that_says_how() {
    assert_eq!(
        failure("import sys\ndef subject(): sys.exit(0)", json!({})).await,
        "failed: SystemExit: the skill called `sys.exit(0)`"
    );
    assert_eq!(
        failure("import os\ndef subject(): os._exit(3)", json!({})).await,
        "failed: exited: the process exited with status 3 before the function returned"
    );
    assert_eq!(
        failure("import ctypes\ndef subject(): ctypes.string_at(0)", json!({})).await,
        "failed: killed: the process was killed by SIGSEGV"
    );
    assert_eq!(
        failure("import os, signal\ndef subject(): os.kill(os.getpid(), signal.SIGKILL)", json!({})).await,
        "failed: killed: the process was killed by SIGKILL"
    );
}

#[tokio::test]
async fn prints_are_events_and_never_the_result() {
    let harness = Harness::new();
    let code = "\
import sys, os
print('module')
def subject():
    print('{\"output\": 1}', 'ü')
    print('warned', file=sys.stderr)
    os.write(1, b'raw \\xff no newline')
    return 2
";
    let outcome = run_skill(&source("subject", code), values(json!({})), &harness.options, &harness.sink())
        .await
        .unwrap();
    assert_eq!(outcome.output, json!(2));
    assert_eq!(outcome.stdout, "module\n{\"output\": 1} ü\nraw \u{fffd} no newline");
    assert_eq!(outcome.stderr, "warned\n");
    let told = |wanted: Stream| -> String {
        let texts = harness.events().into_iter().filter_map(|event| match event.kind {
            EventKind::StepOutput { stream, text, .. } if stream == wanted => Some(text),
            _ => None,
        });
        texts.collect()
    };
    assert_eq!(told(Stream::Stdout), outcome.stdout);
    assert_eq!(told(Stream::Stderr), outcome.stderr);
}

#[tokio::test]
async fn what_was_printed_before_a_crash_is_kept() {
    let outcome = run("import os\ndef subject():\n    print('last words')\n    os._exit(1)", json!({})).await;
    assert_eq!(outcome.stdout, "last words\n");
}

#[tokio::test]
async fn a_flood_of_prints_ends_the_skill() {
    let harness = Harness::new();
    let code = "def subject():\n    while True: print('x' * 1000)";
    let outcome = run_skill(&source("subject", code), values(json!({})), &harness.options, &harness.sink())
        .await
        .unwrap();
    assert_eq!(
        described(&outcome),
        "failed: log-too-large: the skill wrote more than 4194304 bytes to its outputs"
    );
    let limits = RunLimits::default();
    assert!(outcome.stdout.len() <= limits.tail_bytes, "{}", outcome.stdout.len());
    let told: usize = harness
        .events()
        .iter()
        .map(|event| if let EventKind::StepOutput { text, .. } = &event.kind { text.len() } else { 0 })
        .sum();
    assert!(told > limits.log_bytes / 2 && told < limits.log_bytes * 2, "{told}");
}

#[tokio::test]
async fn sizes_over_their_limit_are_outcomes() {
    let mut options = RunOptions::default();
    options.limits = RunLimits { input_bytes: 100, output_bytes: 1000, log_bytes: 10, ..options.limits };
    let code = "def subject(n, pad=''): return 'x' * n";
    assert_eq!(run_with(code, json!({"n": 998}), &options).await.status, Status::Success);
    insta::assert_snapshot!(described(&run_with(code, json!({"n": 999}), &options).await), @"failed: result-too-large: what the skill returned is 1001 bytes of JSON, and 1000 is the most");
    let outcome = run_with(code, json!({"n": 1, "pad": "x".repeat(100)}), &options).await;
    insta::assert_snapshot!(described(&outcome), @"failed: inputs-too-large: the inputs are 116 bytes of JSON, and 100 is the most");
    let outcome = run_with("def subject():\n    print('x' * 50)", json!({}), &options).await;
    insta::assert_snapshot!(described(&outcome), @"failed: log-too-large: the skill wrote more than 10 bytes to its outputs");
}

#[tokio::test]
async fn big_values_go_through() {
    let text = "0123456789".repeat(800_000);
    let outcome = run("def subject(text): return [text[::-1], len(text)]", json!({ "text": text })).await;
    assert_eq!(outcome.output[1], json!(8_000_000));
    assert!(outcome.output[0].as_str().unwrap().starts_with("9876543210"));
}

#[tokio::test]
async fn noise_on_the_channel_is_not_a_result() {
    let code = "import os\ndef subject():\n    os.write(3, b'\\xff\\xff\\xff\\xff garbage')\n    return 1";
    assert_eq!(
        failure(code, json!({})).await,
        "failed: bad-protocol: the process did not reply as it should"
    );
    let code = "import os\ndef subject():\n    os.close(3)\n    return 1";
    assert!(failure(code, json!({})).await.starts_with("failed: exited: "));
}

#[tokio::test]
async fn a_file_is_read_and_shown_by_its_place_in_the_skill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("code.py");
    std::fs::write(&path, "def subject():\n    raise KeyError(__file__)").unwrap();
    let mut skill = source("subject", "");
    skill.code = skillery_runner::SkillCode::File(path.clone());
    let outcome = run_skill(&skill, values(json!({})), &RunOptions::default(), &|_| ()).await.unwrap();
    assert_eq!(described(&outcome), "failed: KeyError: '/skill/scripts/subject.py'");
    std::fs::write(&path, b"\xff").unwrap();
    let error = run_skill(&skill, values(json!({})), &RunOptions::default(), &|_| ()).await.unwrap_err();
    assert!(error.to_string().contains("is not UTF-8"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = run_skill(&skill, values(json!({})), &RunOptions::default(), &|_| ()).await.unwrap_err();
    assert!(error.to_string().contains("cannot read"), "{error}");
}
