//! Skills that call skills, and steps on other machines, from the command line.

use skillery_client::library::{LocalSkill, local_id};
use skillery_client::{Home, Library};

use crate::support::{Place, snapshot};

fn save(place: &Place, name: &str, code: &str) {
    let library = Library::new(Home::at(place.home()));
    library.save(LocalSkill::new(local_id(name).unwrap(), "1.0.0".parse().unwrap(), code)).unwrap();
}

const QUADRUPLE: &str = "\
# /// script
# [tool.skillery]
# skills = [\"local/double@^1\"]
# ///
from orchestrator.execution import execute_skill

def quadruple(number):
    return execute_skill('double', number=execute_skill('double', number=number))
";
const WORKFLOW: &str =
    r#"{"name": "w", "steps": [{"name": "four", "skill": "local/quadruple", "inputs": {"number": 5}}]}"#;

#[test]
fn a_skill_calls_another_one() {
    let place = Place::new();
    place.write("w.json", WORKFLOW);
    save(&place, "quadruple", QUADRUPLE);
    snapshot!("not-there", place.run(["workflow", "run", "w.json"]).fails(4));
    save(&place, "double", "def double(number):\n    return number * 2\n");
    let report = place.run(["workflow", "run", "w.json", "--json"]).ok().json();
    assert_eq!(report["steps"][0]["output"], 20);
    save(&place, "wrong", &QUADRUPLE.replace("local/double@^1", "local/other"));
    place.write("wrong.json", WORKFLOW.replace("quadruple", "wrong"));
    save(&place, "other", "def other(): ...\n");
    let report = place.run(["workflow", "run", "wrong.json", "--json"]).fails(1).json();
    assert_eq!(report["steps"][0]["status"], "denied");
    assert_eq!(report["steps"][0]["error"]["rule"], "skills");
}

#[test]
fn an_executor_that_cannot_be_used_is_said() {
    let place = Place::new();
    place.write("w.json", WORKFLOW.replace("quadruple", "double"));
    save(&place, "double", "def double(number):\n    return number * 2\n");
    let run = ["workflow", "run", "w.json", "--executor"];
    snapshot!("no-executor", place.run(run.iter().chain(&["ray://127.0.0.1:1"])).fails(2));
    let told = |python| {
        let python = ["dask://127.0.0.1:1", "--executor-python", python, "--json"];
        place.run(run.iter().chain(&python)).fails(1).error()
    };
    let error = told("true");
    assert_eq!(error["code"], "no-executor");
    assert!(error["message"].as_str().unwrap().contains("the bridge to Dask does not start with"), "{error}");
    assert_eq!(told("./no-such-python")["code"], "no-python");
}
