//! What a workflow can say beside an order: conditions, lists, other workflows, typed inputs, secrets, keys.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde_json::{Value, json};
use skillery_runner::{
    Document, EventKind, LoadedWorkflow, RunReport, Secrets, Status, StepReport, WorkflowLoader,
};

use crate::harness::{Harness, Meeting};

const ECHO: &str = "def echo(**values): return values";
const DOUBLE: &str =
    "def double(n):\n    if n == 'bad': raise ValueError('not a number')\n    return n * 2\n";

fn basics() -> Harness {
    Harness::new()
        .skill("echo", ECHO)
        .skill("double", DOUBLE)
        .skill("fails", "def fails(): raise ValueError('no')")
}

fn statuses(steps: &[StepReport]) -> Vec<String> {
    steps.iter().map(|step| format!("{} {}", step.name, step.outcome.status)).collect()
}

fn output<'r>(report: &'r RunReport, step: &str) -> &'r Value {
    let outcome = report.step(step).unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    &outcome.output
}

/// Workflows by name, as a folder of files would give them.
fn loader(files: &[(&str, &str)]) -> WorkflowLoader {
    let files: BTreeMap<String, String> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    WorkflowLoader::new(move |name, _| {
        let text = files.get(name).ok_or("there is no such file")?;
        let document = Document::parse(text).map_err(|error| error.to_string())?;
        Ok(LoadedWorkflow { document, file: name.to_owned(), folder: None })
    })
}

#[tokio::test]
async fn a_condition_decides_whether_a_step_runs() {
    let workflow = json!({"name": "w", "steps": [
        {"name": "n", "skill": "double", "inputs": {"n": "${n}"}},
        {"name": "many", "skill": "echo", "when": "${n_output} > 10 and not ${quiet}"},
        {"name": "few", "skill": "echo", "when": "${n_output} <= 10"},
        {"name": "after", "skill": "echo", "needs": ["many"]},
        {"name": "rescue", "skill": "echo", "when": "${n.status} != 'success'"},
        {"name": "broken", "skill": "echo", "when": "${n_output.deep} > 1", "on_error": "continue"},
        {"name": "typed", "skill": "echo", "when": "${n_output} + 'x' == 1", "on_error": "continue"},
    ]});
    let report = basics().run(workflow, json!({"n": 3, "quiet": false})).await;
    assert_eq!(
        statuses(&report.steps),
        [
            "n success",
            "many skipped",
            "few success",
            "after skipped",
            "rescue skipped",
            "broken failed",
            "typed failed"
        ]
    );
    let many = report.step("many").unwrap();
    assert_eq!(many.reason.as_deref(), Some("its condition is not true"));
    let error = |name: &str| report.step(name).unwrap().error.clone().unwrap();
    assert_eq!(error("broken").kind, "missing-value");
    assert_eq!(error("typed").kind, "bad-condition");
}

#[tokio::test]
async fn a_step_runs_for_each_item_with_a_bound() {
    let harness = basics();
    let workflow = json!({"name": "w", "steps": [
        {"name": "each", "skill": "double", "foreach": "${rows}", "inputs": {"n": "${item.n}"}},
        {"name": "indexed", "skill": "echo", "foreach": ["a", "${each_output}"], "inputs": {"at": "${index}", "it": "${item}"}},
        {"name": "sum", "skill": "echo", "inputs": {"all": "${each_output}", "last": "${each.items.2.output}"}},
        {"name": "none", "skill": "echo", "foreach": []},
    ]});
    let report = harness.run(workflow, json!({"rows": [{"n": 1}, {"n": 2}, {"n": "x"}]})).await;
    assert_eq!(output(&report, "each"), &json!([2, 4, "xx"]));
    assert_eq!(output(&report, "indexed"), &json!([{"at": 0, "it": "a"}, {"at": 1, "it": [2, 4, "xx"]}]));
    assert_eq!(output(&report, "sum"), &json!({"all": [2, 4, "xx"], "last": "xx"}));
    assert_eq!(output(&report, "none"), &json!([]));
    assert_eq!(report.step("each").unwrap().items.len(), 3);
    let told: Vec<String> = harness.story().into_iter().filter(|line| line.contains("each[1]")).collect();
    assert_eq!(told, ["each[1] started (1)", "each[1] finished: success"]);
}

#[tokio::test]
async fn items_that_fail_are_told_apart() {
    let mut harness = basics();
    harness.options.jobs = NonZeroUsize::MIN;
    let step = |name: &str, on_error: &str| {
        json!({"name": name, "skill": "double", "foreach": [1, "bad", 3], "inputs": {"n": "${item}"},
               "on_error": on_error})
    };
    let workflow = json!({"name": "w", "steps": [
        step("goes_on", "continue"),
        {"name": "partly", "skill": "echo", "inputs": {"status": "${goes_on.status}", "first": "${goes_on.items.0.output}"}},
        {"name": "long", "skill": "echo", "foreach": {"items": [1, 2, 3], "max_items": 2}, "on_error": "continue"},
        {"name": "text", "skill": "echo", "foreach": "${goes_on.status}", "on_error": "continue"},
        {"needs": ["partly"], "name": "stops", "skill": "double", "foreach": [1, "bad", 3], "inputs": {"n": "${item}"}},
    ]});
    let report = harness.run(workflow, json!({})).await;
    let items = |name: &str| -> Vec<_> {
        report.step(name).unwrap().items.iter().map(|item| item.status.as_str()).collect()
    };
    assert_eq!(items("goes_on"), ["success", "failed", "success"]);
    assert_eq!(items("stops"), ["success", "failed", "skipped"]);
    assert_eq!(output(&report, "partly"), &json!({"status": "failed", "first": 2}));
    let said = |name: &str| {
        let error = report.step(name).unwrap().error.clone().unwrap();
        format!("{}: {}", error.kind, error.message)
    };
    insta::assert_snapshot!(["goes_on", "long", "text"].map(said).join("\n"), @"
    items-failed: 1 of 3 items failed; item 1: ValueError: not a number
    bad-items: there are 3 items, and `max_items` is 2
    bad-items: what `foreach` refers to is not a list
    ");
    assert_eq!(report.status, Status::Failed);
}

#[tokio::test]
async fn a_workflow_can_be_a_step() {
    let mut harness = basics();
    harness.options.workflows = loader(&[
        (
            "twice.yaml",
            "name: twice\ninputs: {n: integer, label: {type: string, default: none}}\nsteps:\n  - {name: first, skill: double, \
             inputs: {n: \"${n}\"}}\n  - {name: second, skill: double, inputs: {n: \"${first_output}\"}}\noutputs: \
             {total: \"${second_output}\", label: \"${label}\"}\n",
        ),
        ("outer.yaml", "name: outer\nsteps:\n  - {name: in, workflow: twice.yaml, inputs: {n: 5}}\n"),
        (
            "failing.yaml",
            "name: failing\nsteps:\n  - {name: no, skill: fails}\n  - {name: late, skill: echo, needs: [no]}\n",
        ),
    ]);
    let workflow = json!({"name": "w", "steps": [
        {"name": "sub", "workflow": "twice.yaml", "inputs": {"n": "${n}"}},
        {"name": "each", "workflow": "twice.yaml", "foreach": [1, 2], "inputs": {"n": "${item}", "label": "x"}},
        {"name": "deep", "workflow": "outer.yaml"},
        {"name": "bad", "workflow": "failing.yaml", "on_error": "continue"},
        {"name": "typed", "workflow": "twice.yaml", "inputs": {"n": "${sub.output.label}"}, "on_error": "continue"},
    ]});
    let report = harness.run(workflow, json!({"n": 3})).await;
    assert_eq!(output(&report, "sub"), &json!({"total": 12, "label": "none"}));
    assert_eq!(output(&report, "each"), &json!([{"total": 4, "label": "x"}, {"total": 8, "label": "x"}]));
    assert_eq!(output(&report, "deep"), &json!({"in": {"total": 20, "label": "none"}}));
    let bad = report.step("bad").unwrap();
    assert_eq!(statuses(&bad.steps), ["no failed", "late skipped"]);
    assert_eq!(bad.error.as_ref().unwrap().message, "step `no` is `failed`");
    let typed = report.step("typed").unwrap().error.clone().unwrap();
    assert_eq!(typed.message, "the input `n` is an integer, and not a string");
    assert_eq!(report.status, Status::Success);
    let names: Vec<String> = harness
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::StepStarted { step, .. } => Some(step),
            _ => None,
        })
        .collect();
    for name in ["sub/first", "sub/second", "each[1]/first", "deep/in/second"] {
        assert!(names.iter().any(|told| told == name), "{names:?}");
    }
}

#[tokio::test]
async fn workflows_that_cannot_be_steps_say_where() {
    let mut harness = basics();
    harness.options.workflows = loader(&[
        ("round.yaml", "name: round\nsteps:\n  - {name: again, workflow: round.yaml}\n"),
        ("typo.yaml", "name: typo\nsteps:\n  - name: one\n    skil: echo\n"),
        (
            "bad.yaml",
            "name: bad\ninputs: {n: integer}\nsteps:\n  - name: one\n    skill: missing\n    inputs: {x: \"${m}\"}\n",
        ),
    ]);
    let workflow = json!({"name": "w", "steps": [
        {"name": "a", "workflow": "round.yaml"},
        {"name": "b", "workflow": "typo.yaml"},
        {"name": "c", "workflow": "bad.yaml", "inputs": {"k": 1}},
        {"name": "d", "workflow": "nowhere.yaml"},
        {"name": "e", "workflow": "bad.yaml", "skill": "echo"},
        {"name": "f"},
        {"name": "g", "workflow": "bad.yaml", "retry": 1, "inputs": {"n": 1}},
    ]});
    insta::assert_snapshot!(harness.try_run(workflow, json!({})).await.unwrap_err(), @"
    workflow `w` cannot run
    - step `e`: it has `skill` and `workflow`, and can be only one of them
    - step `f`: it has neither `skill` nor `workflow`
    - step `g`: `retry` is for a skill; set it in the steps of the workflow
    - `round.yaml`: line 3, column 29: step `again`: workflow `round.yaml`: workflows lie in themselves: round.yaml > round.yaml
    - step `b`: workflow `typo.yaml`: line 4, column 5: unknown field `skil`, expected one of name, skill, workflow, inputs, needs, when, foreach, on_error, retry, timeout_seconds, parallel, idempotency_key
    - `bad.yaml`: line 2, column 13: the step does not give the input `n`
    - `bad.yaml`: line 2, column 9: the step gives `k`, and the workflow has no such input
    - `bad.yaml`: line 6, column 17: step `one`: `${m}` is neither an input nor a part of a step: the inputs are `n`
    - `bad.yaml`: line 5, column 12: step `one`: skill `missing`: it is not installed
    - step `d`: workflow `nowhere.yaml`: there is no such file
    ");
}

#[tokio::test]
async fn inputs_have_types_and_defaults() {
    let harness = basics();
    let workflow = json!({"name": "w",
        "inputs": {"count": "integer", "title": {"type": "string", "default": "none", "description": "on top"}},
        "steps": [{"name": "one", "skill": "echo", "inputs": {"c": "${count}", "t": "${title}"}}]});
    let report = harness.run(workflow.clone(), json!({"count": 3})).await;
    assert_eq!(output(&report, "one"), &json!({"c": 3, "t": "none"}));
    insta::assert_snapshot!(
        harness.try_run(workflow, json!({"titel": "x", "title": 1})).await.unwrap_err(), @"
    workflow `w` cannot run
    - the input `count` is missing: it is an integer
    - the input `title` is a string, and not an integer
    - there is no input `titel`; the inputs are `count`, `title`
    "
    );
    let workflow = json!({"name": "w", "inputs": {"n": {"type": "integer", "default": "x"}},
        "steps": [{"name": "one", "skill": "echo", "inputs": {"c": "${m}"}}]});
    insta::assert_snapshot!(harness.try_run(workflow, json!({})).await.unwrap_err(), @r#"
    workflow `w` cannot run
    - the default of the input `n` is an integer, and not `"x"`
    - step `one`: `${m}` is neither an input nor a part of a step: the inputs are `n`
    "#);
}

#[tokio::test]
async fn inputs_that_are_too_large_are_refused_before_anything_runs() {
    let harness = basics();
    let workflow = json!({"name": "w", "steps": [{"name": "one", "skill": "echo", "inputs": {"x": "${x}"}}]});
    let large = "x".repeat(100 * 1024 * 1024);
    let error = harness.try_run(workflow, json!({"x": large})).await.unwrap_err().to_string();
    assert!(error.contains("the inputs are 104857608 bytes of JSON, and 16777216 is the most"), "{error}");
    assert!(harness.events().is_empty());
}

#[tokio::test]
async fn secrets_are_given_and_shown_nowhere() {
    let meeting = Meeting::new();
    let code = "\
import sys
def uses(key, folder):
    with open(folder + '/seen', 'w') as file:
        file.write(key + chr(10))
    print('the key is', key)
    sys.stderr.write(repr({'key': key}))
    return {'key': key, key: [key]}
";
    let leaks = "def leaks(key): raise ValueError('bad key ' + key)";
    let mut harness = basics().skill("uses", code).skill("leaks", leaks).granted(meeting.grants());
    let secret = "correct horse \"battery\"";
    harness.options.secrets = Secrets::new(BTreeMap::from([
        ("API_KEY".to_owned(), secret.to_owned()),
        ("OTHER".to_owned(), "not for this workflow".to_owned()),
    ]));
    let workflow = json!({"name": "w", "secrets": ["API_KEY"], "steps": [
        {"name": "one", "skill": "uses", "inputs": {"key": "${secrets.API_KEY}", "folder": "${folder}"}},
        {"name": "two", "skill": "leaks", "inputs": {"key": "Bearer ${one.output.key}"}, "retry": {"limit": 1, "delay_seconds": 0}},
    ]});
    let report = harness.run(workflow, meeting.inputs()).await;
    assert_eq!(meeting.arrival("seen").await, secret);
    let one = report.step("one").unwrap();
    assert_eq!(one.output, json!({"key": "***", "***": ["***"]}));
    assert!(one.redacted);
    assert_eq!(one.stdout, "the key is ***\n");
    assert_eq!(report.step("two").unwrap().error.as_ref().unwrap().message, "bad key Bearer ***");
    let told = format!("{} {}", json!(report), json!(harness.events()));
    assert!(!told.contains("horse") && !told.contains("battery"), "{told}");
}

#[tokio::test]
async fn no_part_of_a_secret_is_left_where_texts_are_cut() {
    let code = "\
def cuts(key):
    print('a' * 8150 + key)
    print('b' * 16350 + key + 'c' * 16350)
    raise ValueError('d' * 8170 + key)
";
    let mut harness = basics().skill("cuts", code);
    let secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    harness.options.secrets = Secrets::new(BTreeMap::from([("KEY".to_owned(), secret.to_owned())]));
    harness.options.workflows =
        loader(&[("typed.yaml", "name: t\ninputs: {key: integer}\nsteps:\n  - {name: one, skill: echo}\n")]);
    let workflow = json!({"name": "w", "secrets": ["KEY"], "steps": [
        {"name": "one", "skill": "cuts", "inputs": {"key": "${secrets.KEY}"}, "on_error": "continue"},
        {"name": "two", "workflow": "typed.yaml", "inputs": {"key": "${secrets.KEY}"}, "on_error": "continue"},
    ]});
    let report = harness.run(workflow, json!({})).await;
    let told = format!("{} {}", json!(report), json!(harness.events()));
    for at in 0..secret.len() - 6 {
        assert!(!told.contains(&secret[at..at + 6]), "{}", &secret[at..at + 6]);
    }
}

#[tokio::test]
async fn numbers_are_passed_on_to_the_last_bit() {
    let code = "\
import random
def floats():
    random.seed(7)
    numbers = [random.random() * 10 ** random.randint(-30, 30) for _ in range(2000)]
    return {'numbers': numbers, 'written': [repr(number) for number in numbers]}
";
    let check = "def check(numbers, written): return [repr(number) for number in numbers] == written";
    let harness = Harness::new().skill("floats", code).skill("check", check);
    let workflow = json!({"name": "w", "steps": [
        {"name": "one", "skill": "floats"},
        {"name": "two", "skill": "check", "inputs": {"numbers": "${one_numbers}", "written": "${one_written}"}},
    ]});
    assert_eq!(output(&harness.run(workflow, json!({})).await, "two"), &json!(true));
}

#[tokio::test]
async fn secrets_that_are_missing_or_no_secrets_are_refused() {
    let mut harness = basics();
    harness.options.secrets = Secrets::new(BTreeMap::from([
        ("PIN".to_owned(), "1234".to_owned()),
        ("KEY".to_owned(), "abcdefgh".to_owned()),
    ]));
    let workflow = json!({"name": "w", "secrets": ["PIN", "GONE", "KEY"], "steps": [
        {"name": "one", "skill": "echo", "inputs": {"a": "${secrets.NAMELESS}"}},
    ]});
    insta::assert_snapshot!(harness.try_run(workflow, json!({"x": "it is abcdefgh"})).await.unwrap_err(), @"
    workflow `w` cannot run
    - step `one`: `${secrets.NAMELESS}`: the workflow has no secret `NAMELESS`; name it under `secrets`
    - the secret `GONE` was not given
    - the secret `PIN` has a line of less than 6 characters, which cannot be kept out of texts
    - an input holds a secret; refer to it as `${secrets.NAME}` instead
    ");
}

#[tokio::test]
async fn a_step_is_given_its_idempotency_key_in_each_attempt() {
    let meeting = Meeting::new();
    let code = "\
def pays(idempotency_key, folder):
    with open(folder + '/keys', 'a+') as file:
        file.write(idempotency_key + '|')
        file.seek(0)
        keys = file.read()
    if keys.count('|') < 2:
        raise ConnectionError('again')
    return keys
";
    let harness = Harness::new().skill("pays", code).granted(meeting.grants());
    let workflow = json!({"name": "w", "steps": [
        {"name": "pay", "skill": "pays", "inputs": {"folder": "${folder}"}, "idempotency_key": "${run.id}-order-7",
         "retry": {"limit": 2, "delay_seconds": 0}},
    ]});
    let report = harness.run(workflow, meeting.inputs()).await;
    let id = &report.run_id;
    assert_eq!(output(&report, "pay"), &json!(format!("{id}-order-7|{id}-order-7|")));
}

#[tokio::test]
async fn ten_thousand_steps_are_planned_and_stop_at_the_first_failure() {
    let mut steps = vec![json!({"name": "s0", "skill": "fails"})];
    steps.extend((1..10_000).map(|number| {
        json!({"name": format!("s{number}"), "skill": "echo", "inputs": {"before": format!("${{s{}_output}}", number - 1)}})
    }));
    let report = basics().run(json!({"name": "long", "steps": steps}), json!({})).await;
    assert_eq!(report.steps.len(), 10_000);
    assert_eq!(report.steps[9_999].outcome.status, Status::Skipped);
}
