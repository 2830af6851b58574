//! What a skill asks for, beside what it is granted.

use std::time::Duration;

use serde_json::json;
use skillery_runner::{Grants, ProblemKind, RunError, RunOptions, Status};

use crate::harness::{Harness, Meeting, described, run_granted};

fn manifest(lines: &str, body: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("# {line}\n")).collect();
    format!("# /// script\n# [tool.skillery.permissions]\n{lines}# ///\n{body}")
}

#[tokio::test]
async fn what_is_asked_for_and_not_granted_keeps_everything_from_running() {
    let harness = Harness::new()
        .skill("one", &manifest("hosts = ['a:1']\nsubprocess = true", "def one(): return 1\n"))
        .skill("two", &manifest("memory_bytes = 2147483648", "def two(): return 1\n"))
        .skill("three", &manifest("read = ['relative']", "def three(): return 1\n"))
        .skill("four", "def four(): return 1\n");
    let steps: Vec<_> = ["four", "one", "two", "one", "three"]
        .iter()
        .enumerate()
        .map(|(at, skill)| json!({"name": format!("step{at}"), "skill": skill}))
        .collect();
    let error = harness.try_run(json!({"name": "w", "steps": steps}), json!({})).await.unwrap_err();
    let RunError::Invalid(problems) = &error else { panic!("{error}") };
    let kinds: Vec<_> = problems.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::NotGranted, ProblemKind::NotGranted, ProblemKind::BadManifest]);
    assert!(harness.events().is_empty());
    insta::assert_snapshot!(error, @r#"
    workflow `w` cannot run
    - step `step1`: skill `one`: it asks for what the policy does not grant: connect to `a:1`, start other programs; with this in the policy it has that:
    [skills."acme/one"]
    hosts = ["a:1"]
    subprocess = true
    - step `step2`: skill `two`: it asks for what the policy does not grant: have 2147483648 bytes of memory; with this in the policy it has that:
    [skills."acme/two"]
    memory_bytes = 2147483648
    - step `step4`: skill `three`: what it says of itself cannot be read: line 3: `relative` is not an absolute path without `..`
    "#);
    assert!(error.hint().unwrap().contains("skillery policy grant"));
}

#[tokio::test]
async fn what_is_put_in_the_place_of_what_is_granted_is_seen() {
    let meeting = Meeting::new();
    let granted = meeting.path("granted");
    for (name, text) in [("one", "one"), ("two", "two"), ("three", "three")] {
        std::fs::write(meeting.path(name), text).unwrap();
    }
    let code = format!("def subject(): return open({granted:?}).read()\n");
    let grants = Grants { read: vec![granted.clone()], ..Grants::default() };
    let options = RunOptions::default();
    let read = async || run_granted(&code, json!({}), &options, grants.clone()).await.output;
    std::fs::rename(meeting.path("one"), &granted).unwrap();
    assert_eq!((read().await, read().await), (json!("one"), json!("one")));
    std::fs::rename(meeting.path("two"), &granted).unwrap();
    assert_eq!(read().await, json!("two"));
    std::fs::remove_file(&granted).unwrap();
    std::os::unix::fs::symlink(meeting.path("three"), &granted).unwrap();
    assert_eq!(read().await, json!("three"));
    std::fs::write(meeting.path("four"), "four").unwrap();
    std::fs::remove_file(&granted).unwrap();
    std::os::unix::fs::symlink(meeting.path("four"), &granted).unwrap();
    assert_eq!(read().await, json!("four"));
}

#[tokio::test]
async fn a_link_that_is_put_there_meanwhile_leads_nowhere() {
    let (meeting, outside) = (Meeting::new(), Meeting::new());
    std::fs::write(meeting.path("data"), "data").unwrap();
    std::fs::write(outside.path("secret"), "secret").unwrap();
    let (data, secret) = (meeting.path("data"), outside.path("secret"));
    let switch =
        format!("import os\ndef switch():\n    os.remove({data:?})\n    os.symlink({secret:?}, {data:?})\n");
    let read = format!("def read(): return open({data:?}).read()\n");
    let read = manifest(&format!("read = ['{}']", data.display()), &read);
    let grants = Grants { read: vec![meeting.path("")], ..Grants::default() };
    let harness = Harness::new().skill("switch", &switch).skill("read", &read);
    let harness = harness.granted_to("switch", meeting.grants()).granted_to("read", grants);
    let workflow = json!({"name": "w", "steps": [
        {"name": "before", "skill": "read"},
        {"name": "switch", "skill": "switch", "needs": ["before"]},
        {"name": "after", "skill": "read", "needs": ["switch"]},
    ]});
    let report = harness.run(workflow, json!({})).await;
    assert_eq!(report.step("before").unwrap().output, json!("data"));
    assert_eq!(report.step("switch").unwrap().status, Status::Success);
    let told = described(report.step("after").unwrap());
    assert!(told.starts_with("failed: not-granted: "), "{told}");
    assert!(told.ends_with("leads out of what the policy grants by now"), "{told}");
}

#[tokio::test]
async fn what_is_granted_and_not_asked_for_is_not_there() {
    let meeting = Meeting::new();
    std::fs::write(meeting.path("data"), "data").unwrap();
    let (inside, folder) = (meeting.path("data"), meeting.path(""));
    let read = format!("def subject(): return open({inside:?}).read()\n");
    let granted = Grants {
        environment: vec!["CARGO_PKG_NAME".to_owned(), "NO_SUCH_VARIABLE".to_owned()],
        ..meeting.grants()
    };
    let run = async |code: &str| run_granted(code, json!({}), &RunOptions::default(), granted.clone()).await;

    assert_eq!(run(&read).await.output, json!("data"));
    assert_eq!(run(&manifest("", &read)).await.status, Status::Denied);
    let asks = manifest(&format!("read = ['{}']", inside.display()), &read);
    assert_eq!(run(&asks).await.output, json!("data"));
    // It may write where it is granted that, and asks only to read.
    let write = format!("def subject(): open({inside:?}, 'w')\n");
    assert_eq!(
        run(&manifest(&format!("read = ['{}']", folder.display()), &write)).await.status,
        Status::Denied
    );

    let environment = "import os\ndef subject(): return sorted(os.environ)\n";
    let bare = json!(["HOME", "LANG", "PATH", "TMPDIR"]);
    assert_eq!(run(&manifest("", environment)).await.output, bare);
    let asks = manifest("environment = ['CARGO_PKG_NAME', 'NO_SUCH_VARIABLE']", environment);
    // What is granted and not set is not there.
    assert_eq!(run(&asks).await.output, json!(["CARGO_PKG_NAME", "HOME", "LANG", "PATH", "TMPDIR"]));

    let start = "import subprocess\ndef subject(): return subprocess.run(['true']).returncode\n";
    assert_eq!(run(&manifest("", start)).await.status, Status::Denied);
    assert_eq!(run(&manifest("subprocess = true", start)).await.output, json!(0));
}

#[tokio::test]
async fn a_block_counts_however_its_lines_end() {
    let environment = "import os\ndef subject(): return 'CARGO_PKG_NAME' in os.environ\n";
    let granted = Grants { environment: vec!["CARGO_PKG_NAME".into()], ..Grants::default() };
    let options = RunOptions::default();
    let code = manifest("", environment);
    for code in [code.replace('\n', "\r"), code.replace('\n', "\r\n"), format!("\u{feff}{code}")] {
        let outcome = run_granted(&code, json!({}), &options, granted.clone()).await;
        // It asks for nothing, so it has nothing of what is granted.
        assert_eq!(outcome.output, json!(false), "{outcome:#?}");
    }
}

#[tokio::test]
async fn memory_and_time_are_what_is_asked_for_below_what_is_granted() {
    let limit = "import resource\ndef subject(): return resource.getrlimit(resource.RLIMIT_AS)[0]\n";
    let granted = Grants { memory_bytes: 2 << 30, seconds: Some(120), ..Grants::default() };
    let options = RunOptions { timeout: Duration::from_millis(200), ..RunOptions::default() };
    let run = async |code: &str| run_granted(code, json!({}), &options, granted.clone()).await;
    // Longer than the run would let it take, as that is for those who ask for nothing.
    let asks = manifest("memory_bytes = 1073741824\nseconds = 90", limit);
    assert_eq!(run(&asks).await.output, json!(1 << 30));
    let slow = "import threading\ndef subject(): return threading.Event().wait(0.5)\n";
    assert_eq!(run(&manifest("seconds = 90", slow)).await.output, json!(false));
    assert_eq!(run(&manifest("", slow)).await.status, Status::TimedOut);

    // The longest that numbers can say.
    let forever = Grants { seconds: Some(u64::MAX), ..Grants::default() };
    let options = RunOptions { timeout: Duration::MAX, ..RunOptions::default() };
    let outcome = run_granted("def subject(): return 1\n", json!({}), &options, forever).await;
    assert_eq!(outcome.output, json!(1), "{outcome:#?}");
}
