//! Workflows as files: YAML, pictures, history, and what survives `kill -9`.

use std::io::{BufRead, BufReader};

use serde_json::Value;
use skillery_client::library::{LocalSkill, local_id};
use skillery_client::{Home, Library};

use crate::support::{Place, Server, signal, snapshot};

const FLOW: &str = "\
# yaml-language-server: $schema=workflow.schema.json
name: report
description: Doubles numbers and adds them up
inputs:
  numbers: list
  title: {type: string, default: Sums}
  limit: {type: integer, default: 100}
steps:
  - name: double
    skill: double
    foreach: {items: \"${numbers}\", max_items: 10}
    inputs: {number: \"${item}\"}
  - name: total
    skill: total
    inputs: {numbers: \"${double_output}\", title: \"${title}\"}
  - name: warn
    skill: total
    when: ${total.output.sum} > ${limit}
    inputs: {numbers: [], title: too much}
";

fn save(place: &Place, name: &str, code: &str) {
    let skill = LocalSkill::new(local_id(name).unwrap(), "1.0.0".parse().unwrap(), code);
    Library::new(Home::at(place.home())).save(skill).unwrap();
}

fn with_skills() -> Place {
    let place = Place::new();
    save(&place, "double", "def double(number):\n    return 2 * number\n");
    save(&place, "total", "def total(numbers, title):\n    return {'title': title, 'sum': sum(numbers)}\n");
    place.write("flow.yaml", FLOW);
    place
}

#[test]
fn many_steps_at_once_have_the_files_that_they_need() {
    let place = Place::new();
    save(&place, "wait", "import time\ndef wait(number):\n    time.sleep(1)\n    return number\n");
    place.write(
        "flow.yaml",
        "name: many\ninputs: {numbers: list}\nsteps:\n  - name: wait\n    skill: wait\n    foreach: \"${numbers}\"\n    inputs: {number: \"${item}\"}\n",
    );
    let numbers = serde_json::to_string(&(0..40).collect::<Vec<_>>()).unwrap();
    let run = format!(
        "ulimit -S -n 100 && exec \"$0\" workflow run flow.yaml --jobs 40 --json -i 'numbers={numbers}'"
    );
    let whole = place.command(["version"]);
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", &run])
        .arg(whole.get_program())
        .current_dir(whole.get_current_dir().unwrap())
        .env_clear();
    command.envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_yaml_file_runs_with_typed_inputs() {
    let place = with_skills();
    snapshot!(
        "run",
        place.run(["workflow", "run", "flow.yaml", "--input", "numbers=[1, 2, 3]", "--jobs", "2"]).ok()
    );
    let run = ["workflow", "run", "flow.yaml", "-i", "numbers=[70]", "-i", "title=A title", "--json"];
    let report = place.run(run).ok().json();
    assert_eq!(report["steps"][1]["output"], serde_json::json!({"title": "A title", "sum": 140}));
    assert_eq!(report["steps"][2]["status"], "success");
    snapshot!("bad-type", place.run(["workflow", "run", "flow.yaml", "--input", "numbers=3"]).fails(2));
    snapshot!("unknown-input", place.run(["workflow", "run", "flow.yaml", "-i", "number:=[3]"]).fails(2));
}

#[test]
fn every_error_names_line_and_column() {
    let place = with_skills();
    place.write("typo.yaml", "name: x\nsteps:\n  - name: one\n    skil: double\n");
    place.write("cut.yaml", "name: x\nsteps: [\n");
    place.write(
        "wrong.yaml",
        "name: wrong\nsteps:\n  - name: one\n    skill: double\n    inputs:\n      number: ${two_output}\n  - name: two\n    \
         skill: double\n    inputs: {number: \"${one_output}\"}\n    when: ${one.status} = success\n  - name: three\n    \
         skill: missing\n    retry: {limit: 1000}\n",
    );
    snapshot!("typo", place.run(["workflow", "validate", "typo.yaml"]).fails(2));
    snapshot!("cut", place.run(["workflow", "run", "cut.yaml"]).fails(2));
    snapshot!("validate-wrong", place.run(["workflow", "validate", "wrong.yaml"]).fails(1));
    snapshot!("run-wrong", place.run(["workflow", "run", "wrong.yaml"]).fails(2));
    let problems = place.run(["workflow", "validate", "wrong.yaml", "--json"]).fails(1).json();
    let problems = problems["problems"].as_array().unwrap();
    assert!(
        problems.iter().all(|problem| problem["line"].is_u64() && problem["column"].is_u64()),
        "{problems:?}"
    );
    snapshot!("no-file", place.run(["workflow", "run", "nothing.yaml"]).fails(4));
    snapshot!("not-saved", place.run(["workflow", "run", "nothing"]).fails(4));
}

#[test]
fn pictures_and_the_schema() {
    let place = with_skills();
    snapshot!("mermaid", place.run(["workflow", "graph", "flow.yaml"]).ok());
    let svg = place.run(["workflow", "graph", "flow.yaml", "--format", "svg"]).ok().stdout.clone();
    assert!(svg.contains("<svg") && svg.contains("double") && svg.trim_end().ends_with("</svg>"), "{svg}");
    place.write("round.yaml", "name: round\nsteps:\n  - {name: a, skill: double, needs: [a]}\n");
    snapshot!("graph-round", place.run(["workflow", "graph", "round.yaml"]).fails(2));
    let schema = place.run(["workflow", "schema"]).ok().json();
    assert_eq!(schema["$defs"]["Step"]["required"], serde_json::json!(["name"]));
}

#[test]
fn workflows_are_kept_by_name_and_are_steps_of_others() {
    let place = with_skills();
    snapshot!("list-nothing", place.run(["workflow", "list"]).ok());
    snapshot!("save", place.run(["workflow", "save", "flow.yaml"]).ok());
    snapshot!("list", place.run(["workflow", "list"]).ok());
    place.run(["workflow", "run", "report", "-i", "numbers=[1]"]).ok();
    std::fs::create_dir(place.work().join("sub")).unwrap();
    place.write("sub/inner.yaml", "name: inner\ninputs: {n: integer}\nsteps:\n  - {name: one, skill: double, inputs: {number: \"${n}\"}}\n");
    place.write(
        "sub/outer.yaml",
        "name: outer\nsteps:\n  - {name: file, workflow: inner.yaml, inputs: {n: 4}}\n  - {name: saved, workflow: report, inputs: {numbers: [1, 2]}}\n",
    );
    let report = place.run(["workflow", "run", "sub/outer.yaml", "--json"]).ok().json();
    assert_eq!(report["steps"][0]["output"]["one"], 8);
    assert_eq!(report["steps"][1]["output"]["total"]["sum"], 6);
    snapshot!("delete", place.run(["workflow", "delete", "report"]).ok());
    snapshot!("delete-again", place.run(["workflow", "delete", "report"]).fails(4));
}

#[test]
fn events_are_lines_of_json() {
    let place = with_skills();
    let run = place.run(["workflow", "run", "flow.yaml", "-i", "numbers=[1]", "--events"]).ok();
    let events: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "run-started");
    assert_eq!(events.last().unwrap()["event"], "run-finished");
    let shown = place.run(["workflow", "show", "last", "--events"]).ok();
    assert_eq!(shown.stdout, run.stdout);
}

#[test]
fn secrets_come_from_the_environment_or_a_file_and_are_shown_nowhere() {
    let mut place = Place::new();
    save(&place, "shows", "def shows(key, other):\n    print(key, other)\n    return [key, other]\n");
    place.write(
        "flow.yaml",
        "name: w\nsecrets: [API_KEY, OTHER_KEY]\nsteps:\n  - name: one\n    skill: shows\n    inputs:\n      key: \
         ${secrets.API_KEY}\n      other: ${secrets.OTHER_KEY}\n",
    );
    snapshot!("no-secret", place.run(["workflow", "run", "flow.yaml"]).fails(2));
    place.set("API_KEY", "tr0ub4dor");
    place.write("other", "battery staple\n");
    let run = place.run(["workflow", "run", "flow.yaml", "--secret-file", "OTHER_KEY=other", "--json"]).ok();
    assert_eq!(run.json()["steps"][0]["output"], serde_json::json!(["***", "***"]));
    let shown = place.run(["workflow", "show", "last", "--events"]).ok();
    for text in [&run.stdout, &run.stderr, &shown.stdout] {
        assert!(!text.contains("tr0ub4dor") && !text.contains("battery"), "{text}");
    }
}

#[test]
fn runs_are_listed_shown_and_forgotten() {
    let place = with_skills();
    snapshot!("runs-nothing", place.run(["workflow", "runs"]).ok());
    snapshot!("show-nothing", place.run(["workflow", "show", "last"]).fails(4));
    place.run(["workflow", "run", "flow.yaml", "-i", "numbers=[1]"]).ok();
    place.run(["workflow", "run", "flow.yaml", "-i", "numbers=[\"x\"]"]).fails(1);
    let runs = place.run(["workflow", "runs", "--json"]).ok().json();
    assert_eq!(runs["runs"][0]["state"], "failed");
    assert_eq!(runs["runs"][1]["state"], "success");
    snapshot!("runs", place.run(["workflow", "runs"]).ok());
    snapshot!("show", place.run(["workflow", "show", "last"]).ok());
    snapshot!("cancel-ended", place.run(["workflow", "cancel", "last"]).fails(2));
    let first = runs["runs"][1]["run_id"].as_str().unwrap().to_owned();
    snapshot!("resume-ended", place.run(["workflow", "resume", &first]).fails(2));
    snapshot!("prune", place.run(["workflow", "prune", "--keep", "1"]).ok());
    snapshot!("show-pruned", place.run(["workflow", "show", &first]).fails(4));
}

/// Tells when it is in the middle of its work, by the line that it prints, and stays there until `go` is there.
const WAITS: &str = "\
import os, time
def waits(folder, name):
    with open(os.path.join(folder, 'marks'), 'a') as file:
        file.write(name + ' ')
    print('at work', flush=True)
    while name == 'slow' and not os.path.exists(os.path.join(folder, 'go')):
        time.sleep(0.002)
    return name
";

#[test]
fn a_killed_run_is_resumed_and_repeats_only_what_had_not_finished() {
    let place = Place::new();
    save(&place, "waits", WAITS);
    let folder = place.work().join("meeting");
    std::fs::create_dir(&folder).unwrap();
    // Skills are another user where the tests are root.
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    place.write("policy.toml", format!("[default]\nwrite = ['{}']\n", folder.display()));
    let step = |name: &str, needs: &str| {
        format!(
            "  - name: {name}\n    skill: waits\n    needs: [{needs}]\n    inputs: {{folder: \"${{folder}}\", name: {name}}}\n"
        )
    };
    place.write(
        "flow.yaml",
        format!("name: w\nsteps:\n{}{}{}", step("first", ""), step("slow", "first"), step("last", "slow")),
    );
    let input = format!("folder={}", folder.display());
    let run = ["workflow", "run", "flow.yaml", "--policy", "policy.toml", "-i", &input, "--events"];
    let mut child = place.command(run).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_there = |line: &String| line.contains("at work") && line.contains("\"slow\"");
    assert!(lines.map_while(Result::ok).any(|line| is_there(&line)));
    signal(child.id(), "KILL");
    child.wait().unwrap();

    let runs = place.run(["workflow", "runs", "--json"]).ok().json();
    assert_eq!(runs["runs"][0]["state"], "interrupted");
    std::fs::write(folder.join("go"), "").unwrap();
    let resume = ["workflow", "resume", "last", "--policy", "policy.toml", "--json"];
    let report = place.run(resume).ok().json();
    assert_eq!(report["status"], "success");
    assert_eq!(report["run_id"], runs["runs"][0]["run_id"]);
    let marks = std::fs::read_to_string(folder.join("marks")).unwrap();
    assert_eq!(marks, "first slow slow last ");
}

#[test]
fn a_run_is_cancelled_from_another_terminal() {
    let place = Place::new();
    save(
        &place,
        "sleeps",
        "import time\ndef sleeps():\n    print('at work', flush=True)\n    time.sleep(3600)\n",
    );
    place.write("flow.yaml", "name: w\nsteps:\n  - {name: one, skill: sleeps, timeout_seconds: 3600}\n");
    let mut child = place.command(["workflow", "run", "flow.yaml", "--events"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("at work")));
    snapshot!("cancel", place.run(["workflow", "cancel", "last"]).ok());
    let last = lines.last().unwrap();
    assert!(last.contains("run-finished") && last.contains("cancelled"), "{last}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn skills_that_are_missing_are_installed_and_a_registry_that_is_down_stops_nothing() {
    let mut server = Server::start();
    let place = server.place();
    place.publish_code("acme/double", "1.0.0", "def double(number):\n    return 2 * number\n");
    place
        .write("flow.yaml", "name: w\nsteps:\n  - {name: one, skill: acme/double@^1, inputs: {number: 4}}\n");
    snapshot!("not-installed", place.run(["workflow", "run", "flow.yaml"]).fails(4));
    let run = ["workflow", "run", "flow.yaml", "--install", "--json"];
    assert_eq!(place.run(run).ok().json()["steps"][0]["output"], 8);
    server.stop();
    assert_eq!(place.run(run).ok().json()["steps"][0]["output"], 8);
    // What was downloaded earlier is as good as what is installed.
    std::fs::remove_dir_all(place.home().join("library")).unwrap();
    assert_eq!(place.run(run).ok().json()["steps"][0]["output"], 8);
    place.write("other.yaml", "name: w\nsteps:\n  - {name: one, skill: acme/other, inputs: {}}\n");
    snapshot!("registry-down", place.run(["workflow", "run", "other.yaml", "--install"]).fails(5));
}

#[test]
fn what_a_workflow_in_a_workflow_and_a_called_skill_need_is_installed_and_asked_for() {
    let server = Server::start();
    let place = server.place();
    let calls = "\
# /// script
# [tool.skillery]
# skills = ['acme/asks']
# ///
def calls():
    return 1
";
    let asks = "# /// script\n# [tool.skillery.permissions]\n# subprocess = true\n# ///\ndef asks(): ...\n";
    place.publish_code("acme/calls", "1.0.0", calls);
    place.publish_code("acme/asks", "1.0.0", asks);
    place.write("outer.yaml", "name: outer\nsteps:\n  - {name: one, workflow: inner.yaml}\n");
    place.write("inner.yaml", "name: inner\nsteps:\n  - {name: two, skill: acme/calls}\n");
    let run = ["workflow", "run", "outer.yaml", "--install", "--json"];
    let refused = place.run(run).fails(3);
    let error = refused.error();
    assert_eq!(error["code"], "not-granted");
    // That the skill that asks is named shows that it was looked at before the run.
    assert!(error["hint"].as_str().unwrap().contains("grant acme/calls acme/asks --asked"), "{error}");
    place.run(["policy", "grant", "acme/calls", "acme/asks", "--asked"]).ok();
    assert_eq!(place.run(run).ok().json()["steps"][0]["output"]["two"], 1);
}

#[test]
fn validating_sees_the_workflows_that_are_steps() {
    let place = with_skills();
    place.write(
        "outer.yaml",
        "name: outer\nsteps:\n  - {name: gone, workflow: gone.yaml}\n  - {name: one, workflow: sub/inner.yaml}\n  - {name: \
         again, workflow: sub/inner.yaml}\n",
    );
    std::fs::create_dir(place.work().join("sub")).unwrap();
    place.write("sub/inner.yaml", "name: inner\nsteps:\n  - {name: two, skill: double, needs: [three]}\n");
    let report = place.run(["workflow", "validate", "outer.yaml", "--json"]).fails(1).json();
    let problems: Vec<_> = report["problems"].as_array().unwrap().iter().collect();
    assert_eq!(problems.len(), 2, "each once: {problems:?}");
    let place_of =
        |problem: &Value| (problem["step"].clone(), problem["line"].clone(), problem["column"].is_u64());
    assert_eq!(place_of(problems[0]), ("gone".into(), 3.into(), true));
    assert_eq!(problems[0]["kind"], "workflow-unreadable");
    assert_eq!(place_of(problems[1]), ("two".into(), 3.into(), true));
    assert_eq!(problems[1]["file"], "sub/inner.yaml");

    place.write(
        "round.yaml",
        "name: round\nsteps:\n  - {name: one, workflow: round.yaml}\n  - {name: two, workflow: round.yaml}\n",
    );
    let report = place.run(["workflow", "validate", "round.yaml", "--json"]).fails(1).json();
    assert!(report["problems"].to_string().contains("over 8 deep"), "{report}");
    let steps: String = (0..200).map(|at| format!("  - {{name: s{at}, workflow: many.yaml}}\n")).collect();
    place.write("many.yaml", format!("name: many\nsteps:\n{steps}"));
    let report = place.run(["workflow", "validate", "many.yaml", "--json"]).fails(1).json();
    assert!(report["problems"].to_string().contains("over 10000 steps"), "{report}");
}

#[test]
fn a_run_that_is_resumed_has_its_time_limit_and_its_secrets() {
    let place = Place::new();
    save(&place, "waits", "import time\ndef waits(key):\n    time.sleep(3600)\n");
    place.write(
        "flow.yaml",
        "name: w\nsecrets: [API_KEY]\nsteps:\n  - {name: one, skill: waits, inputs: {key: \"${secrets.API_KEY}\"}}\n",
    );
    place.write("key", "tr0ub4dor\n");
    let secret = ["--secret-file", "API_KEY=key", "--json"];
    let run = ["workflow", "run", "flow.yaml", "--timeout", "0.25"];
    let first = place.run(run.iter().chain(&secret)).fails(1).json();
    assert_eq!(first["steps"][0]["status"], "timed-out");
    let resume = ["workflow", "resume", "last"];
    let hint = place.run(resume.iter().chain(&["--json"])).fails(2).error()["hint"].to_string();
    assert!(hint.contains("--secret-file"), "{hint}");
    let again = place.run(resume.iter().chain(&secret)).fails(1).json();
    assert_eq!(again["steps"][0]["error"]["message"], first["steps"][0]["error"]["message"]);
    for seconds in ["1e19", "604801", "0", "-1", "nan"] {
        let timeout = format!("--timeout={seconds}");
        let refused = place.run(["workflow", "run", "flow.yaml", &timeout]).fails(2);
        assert!(refused.stderr.contains("above 0 and at most 604800"), "{}", refused.stderr);
    }
}

#[test]
fn files_without_an_end_are_refused() {
    let place = with_skills();
    for command in ["validate", "run"] {
        let error = place.run(["workflow", command, "/dev/zero", "--json"]).fails(2).error();
        assert!(error["message"].as_str().unwrap().contains("has over 16777216 bytes"), "{error}");
    }
    let run = ["workflow", "run", "flow.yaml", "--inputs-file", "/dev/zero", "--json"];
    let error = place.run(run).fails(2).error();
    assert!(error["message"].as_str().unwrap().contains("`/dev/zero` has over"), "{error}");
}

#[test]
fn saved_workflows_may_have_a_dot_in_their_name_and_name_no_files() {
    let place = with_skills();
    let steps = "steps:\n  - {name: one, skill: double, inputs: {number: 4}}\n";
    place.write("inner.yaml", format!("name: daily.report\n{steps}"));
    place.run(["workflow", "save", "inner.yaml"]).ok();
    assert_eq!(place.run(["workflow", "run", "daily.report", "--json"]).ok().json()["steps"][0]["output"], 8);
    place.write("outer.yaml", "name: outer\nsteps:\n  - {name: one, workflow: daily.report}\n");
    place.run(["workflow", "save", "outer.yaml"]).ok();
    let report = place.run(["workflow", "run", "outer", "--json"]).ok().json();
    assert_eq!(report["steps"][0]["output"]["one"], 8);
    place.write("files.yaml", "name: files\nsteps:\n  - {name: one, workflow: inner.yaml}\n");
    snapshot!("save-with-files", place.run(["workflow", "save", "files.yaml"]).fails(2));
    place.run(["workflow", "run", "files.yaml"]).ok();
}
