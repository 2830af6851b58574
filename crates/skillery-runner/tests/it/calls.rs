//! Skills that call skills: what they get, what they are kept from, and that nothing of them is left.

use serde_json::{Value, json};
use skillery_runner::{
    EventKind, Grants, History, Outcome, ProblemKind, Rule, RunError, Secrets, Status, is_call,
};

use crate::ends::HANGS;
use crate::harness::{Harness, Meeting, described, unlocked};

/// A skill that calls these, and begins with the import that it takes.
fn caller(skills: &[&str], body: &str) -> String {
    let skills = json!(skills);
    format!(
        "# /// script\n# [tool.skillery]\n# skills = {skills}\n# ///\n\
         from orchestrator.execution import SkillError, execute_skill\n{body}"
    )
}

const DOUBLE: &str = "def double(number):\n    print(number)\n    return number * 2\n";

/// To call a skill, or those of a namespace, that may do more.
fn calls(granted: &str) -> Grants {
    Grants { skills: vec![granted.to_owned()], ..Grants::default() }
}

/// Runs `outer` alone.
async fn outer(harness: &Harness, inputs: Value) -> Outcome {
    let given: Value = inputs
        .as_object()
        .unwrap()
        .keys()
        .map(|name| (name.clone(), json!(format!("${{{name}}}"))))
        .collect();
    let workflow = json!({"name": "w", "steps": [{"name": "outer", "skill": "outer", "inputs": given}]});
    harness.run(workflow, inputs).await.step("outer").unwrap().clone()
}

async fn output(harness: &Harness, inputs: Value) -> Value {
    let outcome = outer(harness, inputs).await;
    assert_eq!(outcome.status, Status::Success, "{outcome:#?}");
    outcome.output
}

#[tokio::test]
async fn a_call_is_a_step_below_the_one_that_calls() {
    let code = caller(
        &["acme/double@^1"],
        "def outer(number):\n    first = execute_skill('acme/double', {'number': number})\n    return execute_skill('double', number=first)\n",
    );
    let mut harness = Harness::new().skill("outer", &code).skill("double", DOUBLE);
    // A call that took one of the jobs would wait for ever.
    harness.options.jobs = std::num::NonZeroUsize::MIN;
    assert_eq!(output(&harness, json!({"number": 5})).await, json!(20));
    insta::assert_debug_snapshot!(harness.story(), @r#"
    [
        "run started",
        "outer started (1)",
        "outer/double#1 started (1)",
        "outer/double#1 Stdout \"5\\n\"",
        "outer/double#1 finished: success",
        "outer/double#2 started (1)",
        "outer/double#2 Stdout \"10\\n\"",
        "outer/double#2 finished: success",
        "outer finished: success",
        "run finished: success",
    ]
    "#);
    let finished = harness.events().into_iter().find_map(|event| match event.kind {
        EventKind::StepFinished { step, outcome } if is_call(&step) => Some(*outcome),
        _ => None,
    });
    let Some(Outcome { skill, version, inputs, output, stdout, .. }) = finished else { panic!() };
    assert_eq!((skill.as_str(), version.as_str(), stdout.as_str()), ("acme/double", "1.0.0", "5\n"));
    assert_eq!((json!(inputs), output), (json!({"number": 5}), json!(10)));
}

#[tokio::test]
async fn each_has_its_own_grants() {
    let meeting = Meeting::new();
    std::fs::write(meeting.path("secret"), "for the reader").unwrap();
    let read = "def reader(folder):\n    return open(folder + '/secret').read()\n";
    let code = caller(
        &["acme/reader"],
        "def outer(folder):\n    told = execute_skill('reader', folder=folder)\n    return told, open(folder + '/secret').read()\n",
    );
    let grants = Grants { read: vec![meeting.path("")], ..Grants::default() };
    let harness = Harness::new().skill("outer", &code).skill("reader", read);
    let harness = harness.granted_to("reader", grants.clone());
    // By calling, it would gain what the policy gives to another.
    let workflow = json!({"name": "w", "steps": [{"name": "outer", "skill": "outer"}]});
    let RunError::Invalid(problems) = harness.try_run(workflow, json!({})).await.unwrap_err() else {
        panic!()
    };
    insta::assert_snapshot!(problems, @r#"
    workflow `w` cannot run
    - step `outer`: skill `acme/outer`: it asks for what the policy does not grant: call the skill `acme/reader`; with this in the policy it has that:
    [skills."acme/outer"]
    skills = ["acme/reader"]
    "#);
    assert_eq!(problems.problems[0].kind, ProblemKind::NotGranted);
    let harness = harness.granted_to("outer", calls("acme/reader"));
    let outcome = outer(&harness, meeting.inputs()).await;
    assert_eq!(outcome.error.as_ref().and_then(|error| error.rule), Some(Rule::Read), "{outcome:#?}");
    assert!(harness.story().contains(&"outer/reader#1 finished: success".to_owned()));

    // The caller's grants are not the other's.
    let code = caller(
        &["acme/reader"],
        "def outer(folder):\n    try:\n        execute_skill('reader', folder=folder)\n    except SkillError as error:\n        return error.status, error.type, error.skill\n",
    );
    let harness = Harness::new().skill("outer", &code).skill("reader", read).granted_to("outer", grants);
    let told = output(&harness, meeting.inputs()).await;
    assert_eq!(told, json!(["failed", "FileNotFoundError", "reader"]));
}

#[tokio::test]
async fn a_failure_is_raised() {
    let breaks = "def breaks():\n    raise ValueError('it is broken')\n";
    let caught = caller(
        &["acme/breaks"],
        "def outer():\n    try:\n        execute_skill('acme/breaks')\n    except SkillError as error:\n        return [error.status, error.type, error.message, error.skill, str(error)]\n",
    );
    let harness = Harness::new().skill("outer", &caught).skill("breaks", breaks);
    assert_eq!(
        output(&harness, json!({})).await,
        json!([
            "failed",
            "ValueError",
            "it is broken",
            "acme/breaks",
            "skill `acme/breaks` is `failed`: ValueError: it is broken"
        ])
    );
    let uncaught = caller(&["acme/breaks"], "def outer():\n    execute_skill('breaks')\n");
    let harness = Harness::new().skill("outer", &uncaught).skill("breaks", breaks);
    assert_eq!(
        described(&outer(&harness, json!({})).await),
        "failed: orchestrator.execution.SkillError: skill `breaks` is `failed`: ValueError: it is broken"
    );
}

#[tokio::test]
async fn only_what_is_named_may_be_called() {
    for named in [&[][..], &["acme/other"]] {
        let code = caller(named, "def outer():\n    execute_skill('acme/double', number=1)\n");
        let harness = Harness::new().skill("outer", &code).skill("double", DOUBLE).skill("other", DOUBLE);
        let outcome = outer(&harness, json!({})).await;
        assert_eq!(outcome.status, Status::Denied);
        let error = outcome.error.unwrap();
        assert_eq!(error.rule, Some(Rule::Skills));
        let said = "the sandbox denies skills: `acme/double`; name it in `skills` of `[tool.skillery]` in the file of the caller to allow it";
        assert!(error.message.contains(said), "{}", error.message);
        assert!(harness.story().iter().any(|told| told.contains("rule: Skills, what: \"acme/double\"")));
        assert!(!harness.story().iter().any(|told| told.contains('#')), "{:?}", harness.story());
    }
    // Who asks again and again is told each time, and nobody else is after a while.
    let code = caller(
        &[],
        "def outer():\n    for _ in range(200):\n        try:\n            execute_skill('acme/double')\n        except SkillError as error:\n            last = error.status\n    return last\n",
    );
    let harness = Harness::new().skill("outer", &code);
    assert_eq!(output(&harness, json!({})).await, json!("denied"));
    assert_eq!(harness.story().iter().filter(|told| told.contains("rule: Skills")).count(), 64);
    // It may go on without.
    let code = caller(
        &["acme/other"],
        "def outer():\n    try:\n        execute_skill('acme/other@2.0.0')\n    except SkillError as error:\n        return error.status, error.type\n",
    );
    let harness = Harness::new().skill("outer", &code).skill("other", DOUBLE);
    assert_eq!(output(&harness, json!({})).await, json!(["denied", "undeclared-skill"]));
}

#[tokio::test]
async fn nothing_else_has_the_name() {
    let code = "\
import sys
def outer():
    import orchestrator, orchestrator.execution as execution
    try:
        import orchestrator.execution.workflows
    except ModuleNotFoundError as error:
        return sorted(execution.__all__), str(error), [name for name in sys.modules if 'skill' in name and name != 'skill_outer']
";
    let harness = Harness::new().skill("outer", code);
    let told = output(&harness, json!({})).await;
    assert_eq!(told[0], json!(["SkillError", "execute_skill"]));
    assert_eq!(told[1], json!("No module named 'orchestrator.execution.workflows'"));
}

#[tokio::test]
async fn skills_call_each_other_to_a_depth() {
    let code = caller(
        &["acme/outer"],
        "def outer(depth=0):\n    try:\n        return execute_skill('outer', depth=depth + 1)\n    except SkillError as error:\n        return [depth, error.type, error.message]\n",
    );
    let mut harness = Harness::new().skill("outer", &code);
    let said = "skills call each other at most 8 deep, and this would be deeper";
    assert_eq!(output(&harness, json!({})).await, json!([8, "too-deep", said]));
    harness.options.limits.call_depth = 0;
    let said = "skills call each other at most 0 deep, and this would be deeper";
    assert_eq!(output(&harness, json!({})).await, json!([0, "too-deep", said]));
}

#[tokio::test]
async fn threads_call_at_once_and_each_gets_its_own_answer() {
    // Two that wait for each other come to an end only side by side.
    let meets = "\
import os, time
def meets(folder, me, other):
    open(os.path.join(folder, me), 'w').close()
    while not os.path.exists(os.path.join(folder, other)):
        time.sleep(0.001)
    return me
";
    let code = caller(
        &["acme/meets"],
        "\
import concurrent.futures
def outer(folder):
    pairs = [('a%d' % at, 'b%d' % at) for at in range(6)]
    pairs = [pair for one in pairs for pair in (one, one[::-1])]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        called = [pool.submit(execute_skill, 'meets', folder=folder, me=me, other=other) for me, other in pairs]
        return [[pair[0], call.result()] for pair, call in zip(pairs, called)]
",
    );
    let meeting = Meeting::new();
    let mut harness = Harness::new().skill("outer", &code).skill("meets", meets).granted(meeting.grants());
    harness.options.limits.calls_at_once = 12;
    let told = output(&harness, meeting.inputs()).await;
    let told = told.as_array().unwrap();
    assert_eq!(told.len(), 12);
    assert!(told.iter().all(|pair| pair[0] == pair[1]), "{told:?}");
}

#[tokio::test]
async fn more_than_may_run_at_once_wait() {
    let code = caller(
        &["acme/middle"],
        "\
import concurrent.futures
def outer():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return sum(pool.map(lambda number: execute_skill('middle', number=number), range(4)))
",
    );
    let middle =
        caller(&["acme/double"], "def middle(number):\n    return execute_skill('double', number=number)\n");
    let mut harness = Harness::new().skill("outer", &code).skill("middle", &middle).skill("double", DOUBLE);
    harness.options.limits.calls_at_once = 1;
    assert_eq!(output(&harness, json!({})).await, json!(12));
    let mut running = 0;
    for told in
        harness.story().iter().filter(|told| told.starts_with("outer/middle#") && !told.contains("/double#"))
    {
        running += if told.contains("started") { 1 } else { -1 };
        assert!((0..=1).contains(&running), "{:#?}", harness.story());
    }
}

#[tokio::test]
async fn the_end_of_the_caller_is_the_end_of_the_called() {
    let code = caller(&["acme/hangs"], "def outer(folder):\n    execute_skill('hangs', folder=folder)\n");
    let workflow = json!({"name": "w", "steps": [
        {"name": "outer", "skill": "outer", "inputs": {"folder": "${folder}"}},
    ]});
    // Cancelled, timed out, or dropped.
    let meeting = Meeting::new();
    let harness = Harness::new().skill("outer", &code).skill("hangs", HANGS).granted(meeting.grants());
    let cancel = harness.options.cancel.clone();
    let (report, ()) = tokio::join!(harness.run(workflow.clone(), meeting.inputs()), async {
        meeting.arrival("lock").await;
        cancel.cancel();
    });
    assert_eq!(report.step("outer").unwrap().status, Status::Cancelled);
    assert_eq!(
        harness.story()[3..],
        ["outer/hangs#1 finished: cancelled", "outer finished: cancelled", "run finished: cancelled"]
    );
    unlocked(&meeting.path("lock")).await;

    let meeting = Meeting::new();
    let mut harness = Harness::new().skill("outer", &code).skill("hangs", HANGS).granted(meeting.grants());
    harness.options.timeout = std::time::Duration::from_secs(3);
    harness.options.grace = std::time::Duration::from_millis(50);
    let report = harness.run(workflow.clone(), meeting.inputs()).await;
    assert_eq!(report.step("outer").unwrap().status, Status::TimedOut);
    assert!(harness.story()[3].starts_with("outer/hangs#1 finished: "), "{:?}", harness.story());
    meeting.arrival("lock").await;
    unlocked(&meeting.path("lock")).await;

    let meeting = Meeting::new();
    let harness = Harness::new().skill("outer", &code).skill("hangs", HANGS).granted(meeting.grants());
    tokio::select! {
        _ = harness.run(workflow, meeting.inputs()) => panic!("it never ends by itself"),
        _ = meeting.arrival("lock") => {}
    };
    unlocked(&meeting.path("lock")).await;
}

#[tokio::test]
async fn a_caller_that_returns_ends_what_it_called_in_a_thread() {
    let meeting = Meeting::new();
    let code = caller(
        &["acme/hangs"],
        "\
import os, threading, time
def outer(folder):
    threading.Thread(target=execute_skill, args=('hangs', {'folder': folder}), daemon=True).start()
    while not os.path.exists(folder + '/lock') or not os.path.getsize(folder + '/lock'):
        time.sleep(0.001)
    return 'done'
",
    );
    let asks = format!(
        "# [tool.skillery.permissions]\n# read = ['{}']\n# ///\nfrom",
        meeting.grants().write[0].display()
    );
    let code = code.replacen("# ///\nfrom", &asks, 1);
    let harness = Harness::new().skill("outer", &code).skill("hangs", HANGS).granted(meeting.grants());
    assert_eq!(output(&harness, meeting.inputs()).await, json!("done"));
    unlocked(&meeting.path("lock")).await;
    let finished = harness.events().into_iter().find_map(|event| match event.kind {
        EventKind::StepFinished { step, outcome } if is_call(&step) => Some(described(&outcome)),
        _ => None,
    });
    assert_eq!(
        finished.as_deref(),
        Some("cancelled: cancelled: the skill that called it ended before, and it was killed")
    );
}

#[tokio::test]
async fn the_called_have_time_limits_of_their_own() {
    let forever = "def forever():\n    while True: pass\n";
    let code = caller(
        &["acme/forever"],
        "def outer(seconds=None):\n    try:\n        execute_skill('forever', timeout_seconds=seconds)\n    except SkillError as error:\n        return error.status, error.message\n",
    );
    let grants = Grants { seconds: Some(1), ..Grants::default() };
    let harness =
        Harness::new().skill("outer", &code).skill("forever", forever).granted_to("forever", grants);
    assert_eq!(
        output(&harness, json!({})).await,
        json!(["timed-out", "the skill did not end within 1 s, and was killed"])
    );
    assert_eq!(
        output(&harness, json!({"seconds": 0.25})).await,
        json!(["timed-out", "the skill did not end within 0.25 s, and was killed"])
    );
}

#[tokio::test]
async fn what_is_missing_is_a_problem_before_anything_runs() {
    let code = caller(&["acme/middle"], "def outer(): ...\n");
    let middle = caller(&["acme/gone@^2", "acme/Upper"], "def middle(): ...\n");
    let harness = Harness::new().skill("outer", &code).skill("middle", &middle);
    let workflow = json!({"name": "w", "steps": [{"name": "one", "skill": "outer"}]});
    let RunError::Invalid(problems) = harness.try_run(workflow.clone(), json!({})).await.unwrap_err() else {
        panic!()
    };
    insta::assert_snapshot!(problems, @"
    workflow `w` cannot run
    - step `one`: skill `acme/gone@^2`: it is not installed; it is called through `acme/outer` -> `acme/middle`
    - step `one`: `acme/Upper` is not a skill: segment `Upper` has the capital `U`; use a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit; it is called through `acme/outer` -> `acme/middle`
    ");
    assert_eq!(problems.problems[0].kind, ProblemKind::SkillNotFound);
    assert!(harness.events().is_empty());

    let harness = Harness::new().skill("outer", "# /// script\n# [tool.skillery]\n# skills = 1\n# ///\n");
    let RunError::Invalid(problems) = harness.try_run(workflow, json!({})).await.unwrap_err() else {
        panic!()
    };
    assert_eq!(problems.problems[0].kind, ProblemKind::BadManifest);
    assert!(problems.to_string().contains("what it says of itself cannot be read: line 3: "), "{problems}");
}

#[tokio::test]
async fn what_cannot_be_given_is_said() {
    let code = caller(
        &["acme/double"],
        "\
def outer(what):
    inputs = {'set': {'number': {1}}, 'large': {'number': 'x' * 2000}, 'huge': {'number': 'x' * 100_000}}[what]
    try:
        execute_skill('double', inputs)
    except SkillError as error:
        return error.type, error.message
",
    );
    let mut harness = Harness::new().skill("outer", &code).skill("double", DOUBLE);
    harness.options.limits.input_bytes = 1000;
    let set = "what the skill is given is not JSON: `inputs.number` is of type `set`; make it a list";
    assert_eq!(output(&harness, json!({"what": "set"})).await, json!(["bad-inputs", set]));
    for what in ["large", "huge"] {
        let told = output(&harness, json!({ "what": what })).await;
        assert_eq!(told[0], json!("inputs-too-large"), "{told}");
    }
    for (arguments, said) in [
        ("'double', {'number': 1}, number=2", "TypeError: the input `number` is given twice"),
        ("5", "TypeError: the name of a skill is a text"),
        ("'double', executor='dask://a:1'", "TypeError: `on_event`, `executor`"),
        ("'double', timeout_seconds=0", "ValueError: `timeout_seconds` is a number above 0"),
        ("'Not a skill'", "orchestrator.execution.SkillError: skill `Not a skill` is `failed`: bad-skill: "),
        (
            "'double'",
            "orchestrator.execution.SkillError: skill `double` is `failed`: bad-inputs: `double` needs `number`",
        ),
    ] {
        let code = caller(&["acme/double"], &format!("def outer():\n    execute_skill({arguments})\n"));
        let harness = Harness::new().skill("outer", &code).skill("double", DOUBLE);
        let told = described(&outer(&harness, json!({})).await);
        assert!(told.starts_with(&format!("failed: {said}")), "{told}");
    }
}

#[tokio::test]
async fn a_process_that_a_skill_has_started_calls_nobody() {
    // Before and after the skill itself has called.
    let code = caller(
        &["acme/double"],
        "\
import os
def child():
    reads, writes = os.pipe()
    if not os.fork():
        try:
            execute_skill('double', number=1)
        except SkillError as error:
            os.write(writes, error.type.encode())
        os._exit(0)
    os.close(writes)
    os.wait()
    return os.read(reads, 100).decode()
def outer():
    return child(), execute_skill('double', number=2), child()
",
    );
    let grants = Grants { subprocess: true, ..Grants::default() };
    let asks = "# [tool.skillery.permissions]\n# subprocess = true\n# ///\nfrom";
    let code = code.replacen("# ///\nfrom", asks, 1);
    let harness = Harness::new().skill("outer", &code).skill("double", DOUBLE).granted_to("outer", grants);
    assert_eq!(output(&harness, json!({})).await, json!(["bad-protocol", 4, "bad-protocol"]));
}

#[tokio::test]
async fn a_reply_is_read_behind_calls_that_wait() {
    let body = "\
import os
def outer(folder):
    for number in range(5):
        message = b'{\"call\":{\"id\":%d,\"skill\":\"hangs\",\"inputs\":{\"folder\":\"%s\"}}}' % (number, folder.encode())
        os.write(3, len(message).to_bytes(4, 'big') + message)
    return 'x' * 900_000
";
    let meeting = Meeting::new();
    let harness = Harness::new().skill("outer", &caller(&["acme/hangs"], body)).skill("hangs", HANGS);
    let mut harness = harness.granted_to("hangs", meeting.grants()).granted_to("outer", calls("acme"));
    harness.options.limits.calls_at_once = 1;
    let told = output(&harness, meeting.inputs()).await;
    assert_eq!(told.as_str().map(str::len), Some(900_000));
}

#[tokio::test]
async fn there_is_an_end_to_calls() {
    let code = caller(
        &["acme/double"],
        "def outer(text, times):\n    for _ in range(times):\n        execute_skill('double', number=text)\n    return 'done'\n",
    );
    let mut harness = Harness::new().skill("outer", &code).skill("double", "def double(number): ...\n");
    harness.options.limits.calls = 3;
    assert_eq!(output(&harness, json!({"text": "a", "times": 3})).await, json!("done"));
    assert_eq!(
        described(&outer(&harness, json!({"text": "a", "times": 4})).await),
        "failed: too-many-calls: the skill, and those that it called, called more than 3 times"
    );
    harness.options.limits.call_bytes = 1000;
    let text = "x".repeat(600);
    assert_eq!(output(&harness, json!({"text": text, "times": 1})).await, json!("done"));
    assert_eq!(
        described(&outer(&harness, json!({"text": text, "times": 2})).await),
        "failed: calls-too-large: what the skill called was told of in more than 1000 bytes"
    );
    // What is written counts.
    harness.skills.insert("double".to_owned(), "def double(number):\n    print('x' * 2000)\n".to_owned());
    assert_eq!(output(&harness, json!({"text": "a", "times": 1})).await, json!("done"));
    let told = described(&outer(&harness, json!({"text": "a", "times": 2})).await);
    assert!(told.starts_with("failed: calls-too-large: "), "{told}");
}

#[tokio::test]
async fn garbage_on_the_channel_ends_the_attempt() {
    for message in [
        "b'{\"call\":{}}'",
        "b'{\"call\":7'",
        "b'{\"call\":{\"id\":-1,\"skill\":\"double\",\"inputs\":{}}}'",
        "b'{\"call\":{\"id\":1,\"skill\":\"double\",\"inputs\":[]}}'",
        "b'{\"call\":{\"id\":1,\"skill\":\"double\",\"inputs\":{},\"more\":1}}'",
        "b'nothing that anybody knows'",
    ] {
        let body = format!(
            "import os, time\ndef outer():\n    message = {message}\n    os.write(3, len(message).to_bytes(4, 'big') + message)\n    time.sleep(3600)\n"
        );
        let harness = Harness::new().skill("outer", &caller(&["acme/double"], &body)).skill("double", DOUBLE);
        let outcome = outer(&harness, json!({})).await;
        assert_eq!(outcome.error.as_ref().unwrap().kind, "bad-protocol", "{message}: {outcome:#?}");
    }
    // Who asks and does not listen keeps nobody else waiting, and leaves nothing behind.
    let body = "\
import os
def outer():
    message = b'{\"call\":{\"id\":1,\"skill\":\"double\",\"inputs\":{\"number\":2}}}'
    for _ in range(20):
        os.write(3, len(message).to_bytes(4, 'big') + message)
    os._exit(3)
";
    let harness = Harness::new().skill("outer", &caller(&["acme/double"], body)).skill("double", DOUBLE);
    let told = described(&outer(&harness, json!({})).await);
    assert_eq!(told, "failed: exited: the process exited with status 3 before the function returned");
}

#[tokio::test]
async fn what_is_called_is_pinned_with_the_run_and_secrets_stay_out_of_what_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let code = caller(
        &["acme/double"],
        "def outer(key):\n    execute_skill('double', number=key)\n    raise ValueError('not yet')\n",
    );
    let mut harness = Harness::new().skill("outer", &code).skill("double", DOUBLE);
    harness.options.history = Some(History::at(folder.path().join("runs")));
    harness.options.secrets = Secrets::new([("KEY".to_owned(), "a-long-secret".to_owned())].into());
    let workflow = json!({"name": "w", "secrets": ["KEY"], "steps": [
        {"name": "outer", "skill": "outer", "inputs": {"key": "${secrets.KEY}"}},
    ]});
    let report = harness.run(workflow, json!({})).await;
    assert_eq!(report.status, Status::Failed);
    assert!(harness.story().contains(&"outer/double#1 finished: success".to_owned()));
    let told = serde_json::to_string(&harness.events()).unwrap();
    assert!(!told.contains("a-long-secret"), "{told}");
    harness.skills.insert("double".to_owned(), "def double(number): return 0".to_owned());
    let RunError::Invalid(problems) = harness.resume(&report.run_id).await.unwrap_err() else { panic!() };
    assert_eq!(problems.problems[0].kind, ProblemKind::SkillChanged, "{problems}");
}

#[tokio::test]
async fn nobody_learns_by_a_call_what_lies_outside() {
    let meeting = Meeting::new();
    std::fs::write(meeting.path("there"), "").unwrap();
    let looks = "def looks(path): return open(path).read()";
    let code = caller(
        &["acme/looks"],
        "def outer(paths):\n    told = []\n    for path in paths:\n        try:\n            execute_skill('looks', path=path)\n        \
         except SkillError as error:\n            told.append([error.status, error.type, error.message.replace(path, 'PATH')])\n    return told\n",
    );
    let harness = Harness::new().skill("outer", &code).skill("looks", looks);
    let paths = [meeting.path("there"), meeting.path("nowhere"), "/nowhere/at/all".into()];
    let told = output(&harness, json!({ "paths": paths })).await;
    let told = told.as_array().unwrap();
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|one| one == &told[0]), "{told:#?}");
    // For people it is told.
    let is_told = harness.events().iter().any(|event| {
        matches!(&event.kind,
        EventKind::StepFinished { outcome, .. } if outcome.status == Status::Denied)
    });
    assert!(is_told);
}
