//! Workflows of installed skills, run for real.

use skillery_client::library::{LocalSkill, local_id};
use skillery_client::{Home, Library};

use crate::support::{Place, Server, snapshot};

const TWO_STEPS: &str = r#"{
    "name": "greetings",
    "steps": [
        {"name": "shout", "skill": "shout", "inputs": {"text": "${text}", "times": "${times}"}},
        {"name": "count", "skill": "acme/count@^1", "inputs": {"text": "${shout_output}"}}
    ]
}"#;

fn with_skills(server: &Server) -> Place {
    let place = server.place();
    place.publish_code(
        "acme/shout",
        "1.0.0",
        "def shout(text, times=1):\n    print('shouting')\n    return text.upper() * times\n",
    );
    place.publish_code("acme/count", "1.0.0", "def count(text):\n    return {'length': len(text)}\n");
    place.publish_code("acme/broken", "1.0.0", "def broken():\n    raise ValueError('it does not work')\n");
    place.run(["install", "acme/shout", "acme/count", "acme/broken"]).ok();
    place.write("two-steps.json", TWO_STEPS);
    place
}

#[test]
fn steps_pass_values_on() {
    let server = Server::start();
    let place = with_skills(&server);
    let run = ["workflow", "run", "two-steps.json"];
    let inputs = ["--input", "text=hey", "--input", "times:=2"];
    snapshot!("two-steps", place.run(run.iter().chain(&inputs)).ok());
    let report = place.run(run.iter().chain(&inputs).chain(&["--json"])).ok().json();
    assert_eq!(report["steps"][1]["output"], serde_json::json!({"length": 6}));

    place.write("inputs.json", r#"{"text": "from a file", "times": 1}"#);
    let report = place
        .run(run.iter().chain(&["--inputs-file", "inputs.json", "-i", "text=abc", "--json"]))
        .ok()
        .json();
    assert_eq!(report["steps"][0]["output"], "ABC");
}

#[test]
fn a_step_that_fails_is_1() {
    let server = Server::start();
    let place = with_skills(&server);
    place.write(
        "failing.json",
        r#"{"name": "failing", "steps": [
            {"name": "first", "skill": "broken"},
            {"name": "second", "skill": "count", "inputs": {"text": "${first_output}"}}]}"#,
    );
    snapshot!("failing", place.run(["workflow", "run", "failing.json"]).fails(1));
    snapshot!("validate-good", place.run(["workflow", "validate", "failing.json"]).ok());
}

#[test]
fn what_cannot_run_says_why() {
    let server = Server::start();
    let place = with_skills(&server);
    place.write("not-json.json", "{");
    place.write("not-a-workflow.json", r#"{"name": "x", "stages": []}"#);
    place.write(
        "bad.json",
        r#"{"name": "bad", "steps": [
            {"name": "one", "skill": "Not A Skill", "inputs": {"a": "${two_output}"}},
            {"name": "two", "skill": "shout", "inputs": {"a": "${"}},
            {"name": "two", "skill": "shout"}]}"#,
    );
    place
        .write("missing.json", r#"{"name": "missing", "steps": [{"name": "one", "skill": "acme/missing"}]}"#);
    snapshot!("not-json", place.run(["workflow", "run", "not-json.json"]).fails(2));
    snapshot!("not-a-workflow", place.run(["workflow", "validate", "not-a-workflow.json"]).fails(2));
    snapshot!("bad", place.run(["workflow", "run", "bad.json"]).fails(2));
    snapshot!("validate-bad", place.run(["workflow", "validate", "bad.json"]).fails(1));
    snapshot!("missing", place.run(["workflow", "run", "missing.json"]).fails(4));
    snapshot!("missing-input", place.run(["workflow", "run", "two-steps.json"]).fails(2));
    snapshot!("bad-input", place.run(["workflow", "run", "two-steps.json", "-i", "text"]).fails(2));
    snapshot!(
        "no-python",
        place
            .run([
                "workflow",
                "run",
                "two-steps.json",
                "-i",
                "text=a",
                "-i",
                "times:=1",
                "--python",
                "/no/such/python"
            ])
            .fails(1)
    );
}

#[test]
fn altered_code_does_not_run() {
    let server = Server::start();
    let place = with_skills(&server);
    let listed = place.run(["list", "--json"]).ok().json();
    for skill in listed["skills"].as_array().unwrap() {
        let code = skill["code_path"].as_str().unwrap();
        let mut permissions = std::fs::metadata(code).unwrap().permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "the library may write-protect its files")]
        permissions.set_readonly(false);
        std::fs::set_permissions(code, permissions).unwrap();
        std::fs::write(code, "def shout(text, times):\n    return 'evil'\n").unwrap();
    }
    let run = ["workflow", "run", "two-steps.json", "-i", "text=a", "-i", "times:=1"];
    snapshot!("altered", place.run(run).fails(1));
    assert_eq!(place.run(run.iter().chain(&["--json"])).fails(1).error()["code"], "code-hash-mismatch");
}

#[test]
fn where_signatures_are_wanted_what_was_made_here_needs_none() {
    let server = Server::start();
    let mut place = with_skills(&server);
    place.set("REGISTRY_VERIFY_SIGNATURE", "true");
    let code = "def double(number):\n    return 2 * number\n";
    let double = LocalSkill::new(local_id("double").unwrap(), "1.0.0".parse().unwrap(), code);
    Library::new(Home::at(place.home())).save(double).unwrap();
    place.write(
        "local.json",
        r#"{"name": "local", "steps": [{"name": "double", "skill": "double", "inputs": {"number": 4}}]}"#,
    );
    let report = place.run(["workflow", "run", "local.json", "--json"]).ok().json();
    assert_eq!(report["steps"][0]["output"], 8);

    let run = ["workflow", "run", "two-steps.json", "-i", "text=a", "-i", "times:=1"];
    snapshot!("unsigned", place.run(run).fails(1));
    assert_eq!(place.run(run.iter().chain(&["--json"])).fails(1).error()["code"], "signature-missing");
}

#[test]
fn what_a_skill_may_do_stands_in_the_policy() {
    let server = Server::start();
    let place = server.place();
    place.publish_code("acme/reader", "1.0.0", "def reader(path):\n    return open(path).read()\n");
    place.run(["install", "acme/reader"]).ok();
    place.write("data.txt", "granted");
    place.write(
        "read.json",
        r#"{"name": "read", "steps": [{"name": "read", "skill": "reader", "inputs": {"path": "${path}"}}]}"#,
    );
    let path = place.work().join("data.txt");
    let input = format!("path={}", path.display());
    let run = ["workflow", "run", "read.json", "--json", "--input", &input];
    let report = place.run(run).fails(1).json();
    assert_eq!(report["steps"][0]["status"], "denied");
    assert_eq!(report["steps"][0]["error"]["rule"], "read");

    place.write("policy.toml", format!("[namespaces.acme]\nread = ['{}']\n", path.display()));
    let report = place.run(run.iter().chain(&["--policy", "policy.toml"])).ok().json();
    assert_eq!(report["steps"][0]["output"], "granted");

    place.write("policy.toml", "[default]\nread = ['data.txt']\n");
    snapshot!("invalid-policy", place.run(run.iter().chain(&["--policy", "policy.toml"])).fails(2));
    snapshot!("no-policy", place.run(run.iter().chain(&["--policy", "missing.toml"])).fails(4));
}

#[test]
fn the_doctor_tries_the_sandbox() {
    let place = Place::new();
    let report = place.run(["doctor", "--json"]).ok().json();
    assert_eq!(report["ok"], true);
    for layer in ["namespaces", "seccomp"] {
        assert_eq!(report[layer], true, "{report}");
    }
    assert!(report["landlock"].as_u64().is_some_and(|version| version >= 5), "{report}");
    let report = place.run(["doctor", "--json", "--python", "/no/such/python"]).fails(1).json();
    assert_eq!(report["ok"], false);
}
