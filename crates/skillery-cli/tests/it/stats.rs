//! How installed skills do: counted by real runs, shown for people and programs, told to the registry where wanted.

use std::process::{Command, Stdio};
use std::time::Duration;

use skillery_client::library::{LocalSkill, local_id};
use skillery_client::metrics::{Execution, ExecutionStatus};
use skillery_client::{Home, Library, Metrics};
use skillery_core::Rating;

use crate::support::{PROGRAM, Place, Server, snapshot};

/// A place in which skills ran for times that are known.
fn with_numbers() -> Place {
    let place = Place::new();
    let home = Home::at(place.home());
    let (metrics, library) = (Metrics::new(&home), Library::new(home));
    let record = |id: &str, version: &str, status, milliseconds| {
        let execution = Execution {
            id: local_id(id).unwrap(),
            version: version.parse().unwrap(),
            status,
            latency: Some(Duration::from_millis(milliseconds)),
            share_with: None,
        };
        metrics.record(&execution).unwrap();
    };
    for _ in 0..19 {
        record("acme/often", "1.0.0", ExecutionStatus::Success, 20);
    }
    record("acme/often", "1.0.0", ExecutionStatus::TimedOut, 60_000);
    for _ in 0..9 {
        record("acme/often", "2.0.0", ExecutionStatus::Success, 10);
    }
    record("acme/often", "2.0.0", ExecutionStatus::Cancelled, 10);
    record("double", "0.1.0", ExecutionStatus::Success, 14);
    let code = "def double(number):\n    return 2 * number\n";
    library.save(LocalSkill::new(local_id("double").unwrap(), "0.1.0".parse().unwrap(), code)).unwrap();
    metrics.rate(&library, "double", Rating::try_from(4.5).unwrap(), Some("does\u{1b}[31m it")).unwrap();
    place
}

/// What the program prints where it thinks that a person looks.
fn on_a_terminal(place: &Place, arguments: &[&str]) -> String {
    const TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
process, terminal = pty.fork()
if process == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 130, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
output = b""
while True:
    try:
        output += os.read(terminal, 65536) or sys.exit(2)
    except OSError:
        break
os.waitpid(process, 0)
sys.stdout.buffer.write(output.replace(b"\r\n", b"\n"))
"#;
    let output = Command::new("python3")
        .args(["-c", TERMINAL, PROGRAM])
        .args(arguments)
        .current_dir(place.work())
        .env("SKILLERY_HOME", place.home())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn numbers_are_shown_and_bars_on_a_terminal() {
    let place = with_numbers();
    snapshot!("stats", place.run(["stats"]).ok());
    snapshot!("stats-one", place.run(["stats", "often"]).ok());
    snapshot!("stats-version", place.run(["stats", "acme/often@1.0.0"]).ok());
    snapshot!("stats-rating", place.run(["stats", "--top", "rating"]).ok());
    snapshot!("stats-latency-json", place.run(["stats", "--top", "latency", "--limit", "1", "--json"]).ok());
    let settings = || {
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d", "[MOMENT]");
        settings
    };
    settings().bind(|| {
        insta::assert_snapshot!("terminal-stats", on_a_terminal(&place, &["stats"]));
        insta::assert_snapshot!("terminal-stats-one", on_a_terminal(&place, &["stats", "often"]));
    });
}

#[test]
fn what_is_not_there_says_what_to_do() {
    let place = Place::new();
    snapshot!("stats-nothing", place.run(["stats"]).ok());
    snapshot!("stats-nothing-rated", place.run(["stats", "--top", "rating"]).ok());
    snapshot!("stats-nothing-often", place.run(["stats", "--top", "success_rate"]).ok());
    snapshot!("stats-unknown", place.run(["stats", "acme/nothing"]).fails(4));
    snapshot!("stats-bad-metric", place.run(["stats", "--top", "speed"]).fails(2));
    snapshot!("stats-range", place.run(["stats", "acme/nothing@^1"]).fails(2));
    place.run(["stats", "Bad Name"]).fails(2);
    place.run(["stats", "--limit", "0"]).fails(2);
    snapshot!("stats-upload-not-shared", place.run(["stats", "upload"]).fails(2));
    place.run(["stats", "reset", "--yes"]).ok();
    assert!(!place.home().exists(), "looking makes nothing");
}

#[test]
fn what_was_counted_is_forgotten_when_that_is_meant() {
    let place = with_numbers();
    snapshot!("stats-reset-not-meant", place.run(["stats", "reset"]).fails(2));
    snapshot!("stats-reset-one", place.run(["stats", "reset", "often", "--yes"]).ok());
    place.run(["stats", "reset", "acme/often@1.0.0", "--yes"]).fails(2);
    place.run(["stats", "reset", "acme/often", "--yes"]).fails(4);
    assert_eq!(place.run(["stats", "--json"]).ok().json()["skills"].as_array().unwrap().len(), 1);
    assert_eq!(place.run(["stats", "reset", "--yes", "--json"]).ok().json()["forgotten_runs"], 1);
    let double = place.run(["stats", "double", "--json"]).ok().json();
    assert_eq!((&double["runs"], &double["rating"]["rating"]), (&0.into(), &4.5.into()));
}

#[test]
fn damage_is_told_and_keeps_no_run_from_going_on() {
    let server = Server::start();
    let place = with_skill(&server);
    std::fs::create_dir_all(place.home()).unwrap();
    std::fs::write(place.home().join("metrics"), "no folder").unwrap();
    place.run(["workflow", "run", "flow.json"]).fails(1);
    place.run(["stats"]).fails(1);
    let verbose = place.run(["workflow", "run", "flow.json", "--verbose"]).fails(1);
    assert!(verbose.stderr.contains("executions are not recorded"), "{}", verbose.stderr);
}

/// A place with a skill that came from the registry, one that was made here, and a workflow of both.
fn with_skill(server: &Server) -> Place {
    let place = server.place();
    place.publish_code("acme/shout", "1.0.0", "def shout(text):\n    return text.upper()\n");
    place.run(["install", "acme/shout"]).ok();
    let code = "def broken():\n    raise ValueError('it does not work')\n";
    Library::new(Home::at(place.home()))
        .save(LocalSkill::new(local_id("broken").unwrap(), "0.1.0".parse().unwrap(), code))
        .unwrap();
    place.write(
        "flow.json",
        r#"{"name": "flow", "steps": [
            {"name": "shout", "skill": "shout", "inputs": {"text": "a"}},
            {"name": "broken", "skill": "broken", "needs": ["shout"]},
            {"name": "never", "skill": "shout", "inputs": {"text": "b"}, "parallel": false}]}"#,
    );
    place
}

#[test]
fn runs_are_counted_and_the_registry_is_told_where_that_is_wanted() {
    let server = Server::start();
    let mut place = with_skill(&server);
    place.run(["workflow", "run", "flow.json"]).fails(1);
    let counted = place.run(["stats", "--json"]).ok().json();
    let ids: Vec<_> = counted["skills"].as_array().unwrap().iter().map(|skill| &skill["id"]).collect();
    assert_eq!(ids, ["local/broken", "acme/shout"], "{counted}");
    let (broken, shout) = (&counted["skills"][0], &counted["skills"][1]);
    assert_eq!((&broken["failed"], &shout["succeeded"]), (&1.into(), &1.into()));
    assert_eq!(shout["runs"], 1, "a step that was skipped is none");
    assert!(shout["latency"]["p50_ms"].as_f64() > Some(0.0), "{counted}");

    // Nothing is told before that is wanted, and nothing of before.
    let usage = |place: &Place| place.run(["info", "acme/shout", "--json"]).ok().json()["usage"].clone();
    assert_eq!(usage(&place), serde_json::json!([]));
    place.set("SKILLERY_SHARE_USAGE", "true");
    snapshot!("stats-upload-nothing", place.run(["stats", "upload"]).ok());
    let fresh = with_skill(&server);
    fresh.run(["config", "set", "share_usage", "true"]).ok();
    fresh.run(["workflow", "run", "flow.json"]).fails(1);
    let told = usage(&place);
    assert_eq!(
        (&told[0]["version"], &told[0]["runs"], &told[0]["failed"]),
        (&"1.0.0".into(), &1.into(), &0.into())
    );
    // A second run within the hour waits for the next time, or for the user.
    fresh.run(["workflow", "run", "flow.json"]).fails(1);
    assert_eq!(usage(&place)[0]["runs"], 1);
    snapshot!("stats-upload", fresh.run(["stats", "upload"]).ok());
    assert_eq!(usage(&place)[0]["runs"], 2);
    assert_eq!(fresh.run(["stats", "upload", "--json"]).ok().json()["runs"], 0);
    place.wait_for_installs("acme/shout", 2);
    let info = place.run(["info", "acme/shout"]).ok().stdout.clone();
    assert!(info.contains("usage, as users told") && info.contains("SUCCEEDED"), "{info}");
}

#[test]
fn a_registry_that_is_away_does_not_change_how_a_run_ends() {
    let mut server = Server::start();
    let place = with_skill(&server);
    place.run(["config", "set", "share_usage", "true"]).ok();
    assert!(server.stop());
    let run = place.run(["workflow", "run", "flow.json"]).fails(1);
    assert!(!run.stderr.contains("registry"), "{}", run.stderr);
    assert_eq!(place.run(["stats", "upload", "--json"]).fails(5).error()["code"], "registry-unreachable");
}
