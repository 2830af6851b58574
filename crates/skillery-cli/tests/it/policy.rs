//! What skills ask for and may do: shown, granted, revoked, and asked about before the first run.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use skillery_client::library::LocalSkill;
use skillery_client::{Home, Library};

use crate::support::{Place, Run, snapshot};

const ASKS: &str = "\
# /// script
# [tool.skillery.permissions]
# read = ['/usr/share']
# hosts = ['api.example.com:443']
# subprocess = true
# ///
def fetcher():
    import subprocess
    return subprocess.run(['true']).returncode
";

pub(crate) fn save(place: &Place, id: &str, code: &str) {
    let skill = LocalSkill::new(id.parse().unwrap(), "1.0.0".parse().unwrap(), code);
    Library::new(Home::at(place.home())).save(skill).unwrap();
}

fn with_skills() -> Place {
    let place = Place::new();
    save(&place, "acme/fetcher", ASKS);
    save(&place, "acme/quiet", "def quiet(): return 1\n");
    save(
        &place,
        "local/broken",
        "# /// script\n# [tool.skillery]\n# permission = 1\n# ///\ndef broken(): ...\n",
    );
    place.write(
        "fetch.json",
        r#"{"name": "fetch", "steps": [{"name": "one", "skill": "quiet"}, {"name": "two", "skill": "fetcher"}]}"#,
    );
    place
}

#[test]
fn what_is_granted_and_asked_for_is_shown() {
    let place = with_skills();
    snapshot!("show-nothing", place.run(["policy", "show"]).ok());
    std::fs::write(place.home().join("policy.toml"), "# Mine.\n[default]\nseconds = 30\n").unwrap();
    let data =
        ["policy", "grant", "acme/data/", "--write", "out", "--memory", "1073741824", "--env", "TITLE"];
    snapshot!("grant-namespace", place.run(data).ok());
    snapshot!("grant-asked", place.run(["policy", "grant", "acme/fetcher", "--asked"]).ok());
    let more = [
        "policy",
        "grant",
        "quiet",
        "--host",
        "localhost:80",
        "--read",
        "/srv",
        "--packages",
        "--seconds",
        "9",
    ];
    snapshot!("grant-more", place.run(more).ok());
    snapshot!("show", place.run(["policy", "show"]).ok());
    snapshot!("show-json", place.run(["policy", "show", "fetcher", "--json"]).ok());
    let file = place.home().join("policy.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# Mine.\n[default]\nseconds = 30\n"), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    snapshot!("revoke", place.run(["policy", "revoke", "acme/fetcher", "acme/data/"]).ok());
    snapshot!("revoke-again", place.run(["policy", "revoke", "acme/fetcher"]).fails(4));
    // Another file than that of the home.
    place.run(["policy", "grant", "acme/quiet", "--subprocess", "--policy", "other.toml"]).ok();
    assert_eq!(place.read("other.toml"), "[skills.\"acme/quiet\"]\nsubprocess = true\n");
}

#[test]
fn what_cannot_be_granted_is_refused() {
    let place = with_skills();
    let grant = |arguments: &[&str]| place.run(["policy", "grant"].iter().chain(arguments));
    snapshot!("nothing-named", grant(&["acme/quiet"]).fails(2));
    snapshot!("namespace-asks", grant(&["acme/", "--asked"]).fails(2));
    snapshot!("does-not-say", grant(&["quiet", "--asked"]).fails(2));
    snapshot!("cannot-be-read", grant(&["broken", "--asked"]).fails(1));
    snapshot!("bad-host", grant(&["acme/quiet", "--host", "*.example.com:443"]).fails(2));
    snapshot!("reserved", grant(&["acme/quiet", "--read", "/proc"]).fails(2));
    snapshot!("too-little", grant(&["acme/quiet", "--memory", "1"]).fails(2));
    snapshot!("not-installed", grant(&["missing", "--subprocess"]).fails(4));
    assert_eq!(grant(&["Acme//x", "--subprocess"]).fails(2).code, Some(2));
    assert!(!place.home().join("policy.toml").exists());
    std::fs::write(place.home().join("policy.toml"), "[skills").unwrap();
    assert_eq!(grant(&["acme/quiet", "--subprocess", "--json"]).fails(2).error()["code"], "invalid-policy");
    assert_eq!(std::fs::read_to_string(place.home().join("policy.toml")).unwrap(), "[skills");
}

#[test]
fn nothing_runs_before_what_is_asked_for_is_granted() {
    let place = with_skills();
    let run = ["workflow", "run", "fetch.json"];
    snapshot!("refused", place.run(run).fails(3));
    let error = place.run(run.iter().chain(&["--json"])).fails(3).error();
    assert_eq!(error["code"], "not-granted");
    place.run(["policy", "grant", "acme/fetcher", "--asked"]).ok();
    let report = place.run(run.iter().chain(&["--json"])).ok().json();
    assert_eq!(report["steps"][1]["output"], 0);
    place.write("broken.json", r#"{"name": "broken", "steps": [{"name": "one", "skill": "broken"}]}"#);
    snapshot!("bad-manifest", place.run(["workflow", "run", "broken.json"]).fails(2));
}

#[test]
fn on_a_terminal_the_person_is_asked_once() {
    let place = with_skills();
    let run = ["workflow", "run", "fetch.json"];
    for answer in ["", "n", "what?"] {
        let denied = on_terminal(&place, answer, &run).fails(3);
        for said in [
            "acme/fetcher 1.0.0 asks to",
            "  - read `/usr/share`",
            "  - connect to `api.example.com:443`",
            "  - start other programs",
            "nothing was run",
            "skillery policy grant acme/fetcher --asked",
        ] {
            assert!(denied.stdout.contains(said), "{}", denied.stdout);
        }
        assert!(!place.home().join("policy.toml").exists());
    }
    let granted = on_terminal(&place, "y", &run).ok();
    assert!(granted.stdout.contains("succeeded"), "{}", granted.stdout);
    let again = on_terminal(&place, "n", &run).ok();
    assert!(!again.stdout.contains("asks to"), "{}", again.stdout);
    // A program that reads the result is not asked, wherever it is.
    place.run(["policy", "revoke", "acme/fetcher"]).ok();
    let json = on_terminal(&place, "y", &["workflow", "run", "fetch.json", "--json"]).fails(3);
    assert!(!json.stdout.contains("[y/N]"), "{}", json.stdout);
}

/// Runs the program on a terminal of its own, and answers what it asks.
fn on_terminal(place: &Place, answer: &str, arguments: &[&str]) -> Run {
    const TERMINAL: &str = "\
import os, pty, sys
answer, program = sys.argv[1], sys.argv[2:]
process, terminal = pty.fork()
if process == 0:
    os.execv(program[0], program)
seen, answered = b'', False
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if not answered and b'[y/N] ' in seen:
        answered = True
        os.write(terminal, answer.encode() + b'\\n')
_, status = os.waitpid(process, 0)
sys.stdout.buffer.write(seen)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(status))";
    let program = place.command(arguments);
    let mut command = Command::new("python3");
    command
        .args(["-c", TERMINAL, answer])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(place.work())
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("TERM", "dumb")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    place.finish(command.spawn().unwrap())
}

const LENDS: &str = "\
# /// script
# [tool.skillery]
# skills = ['acme/fetcher', 'quiet']
# ///
from orchestrator.execution import execute_skill

def borrower():
    return execute_skill('fetcher'), execute_skill('quiet')
";

#[test]
fn who_would_gain_by_a_call_is_granted_it_or_does_not_run() {
    let place = with_skills();
    save(&place, "acme/borrower", LENDS);
    place.write("borrow.json", r#"{"name": "borrow", "steps": [{"name": "one", "skill": "borrower"}]}"#);
    let run = ["workflow", "run", "borrow.json"];
    place.run(["policy", "grant", "acme/fetcher", "--asked"]).ok();
    snapshot!("call-shown", place.run(["policy", "show", "borrower"]).ok());
    snapshot!("call-refused", place.run(run).fails(3));
    let denied = on_terminal(&place, "n", &run).fails(3);
    assert!(denied.stdout.contains("acme/borrower 1.0.0 asks to"), "{}", denied.stdout);
    assert!(denied.stdout.contains("  - call the skill `acme/fetcher`"), "{}", denied.stdout);
    assert!(!denied.stdout.contains("acme/quiet"), "{}", denied.stdout);
    place.run(["policy", "grant", "borrower", "--asked"]).ok();
    let text = std::fs::read_to_string(place.home().join("policy.toml")).unwrap();
    assert!(text.contains("[skills.\"acme/borrower\"]\nskills = [\"acme/fetcher\"]\n"), "{text}");
    let report = place.run(run.iter().chain(&["--json"])).ok().json();
    assert_eq!(report["steps"][0]["output"], serde_json::json!([0, 1]));

    // One answer is enough for it and for what it calls.
    place.run(["policy", "revoke", "borrower", "fetcher"]).ok();
    let granted = on_terminal(&place, "y", &run).ok();
    assert!(granted.stdout.contains("acme/fetcher 1.0.0 asks to"), "{}", granted.stdout);
    place.run(["policy", "revoke", "borrower"]).ok();
    snapshot!("call-granted", place.run(["policy", "grant", "borrower", "--skill", "acme/"]).ok());
    place.run(run).ok();
}
