//! A skill that is a folder: its scripts are steps, and find what lies beside them.

use serde_json::{Value, json};
use skillery_runner::{
    Grants, RunError, RunOptions, RunReport, SkillCode, SkillFile, SkillReference, SkillSource, Status,
    Workflow, run_skill, run_workflow,
};

use crate::harness::values;

const EXTRACT: &str = "\
from pathlib import Path
import helper
def extract(text):
    folder = Path(__file__).parent.parent
    return {
        'words': helper.words(text),
        'reference': (folder / 'references' / 'note.txt').read_text(),
        'executable': bool((folder / 'scripts' / 'tool.sh').stat().st_mode & 0o100),
        'plain': bool((folder / 'references' / 'note.txt').stat().st_mode & 0o100),
    }
";

fn files() -> Vec<SkillFile> {
    let file = |path: &str, executable, text: &str| SkillFile {
        path: path.to_owned(),
        executable,
        bytes: text.as_bytes().into(),
    };
    vec![
        file("SKILL.md", false, "---\nname: pdf\ndescription: x\n---\n"),
        file("references/note.txt", false, "a note\n"),
        file("scripts/extract.py", false, EXTRACT),
        file("scripts/helper.py", false, "def words(text):\n    return text.split()\n"),
        file("scripts/pdf.py", false, "def pdf(words):\n    return len(words)\n"),
        file("scripts/tool.sh", true, "#!/bin/sh\necho tool\n"),
    ]
}

/// The script that is asked for, with its folder.
fn resolve(reference: &SkillReference) -> Result<SkillSource, String> {
    let script = reference.script.clone();
    let path = format!("scripts/{}.py", script.as_deref().unwrap_or("pdf"));
    let files = files();
    let code = files.iter().find(|file| file.path == path).ok_or("it has no such script")?;
    Ok(SkillSource {
        id: "acme/pdf".to_owned(),
        version: "1.0.0".parse().unwrap(),
        code: SkillCode::Text(String::from_utf8(code.bytes.to_vec()).unwrap()),
        script,
        grants: Grants::default(),
        files,
    })
}

async fn run(workflow: Value) -> Result<RunReport, RunError> {
    let workflow: Workflow = serde_json::from_value(workflow).unwrap();
    run_workflow(&workflow, values(json!({})), &resolve, &RunOptions::default(), &|_| ()).await
}

#[tokio::test]
async fn scripts_of_a_folder_are_steps() {
    let report = run(json!({
        "name": "test",
        "steps": [
            {"name": "extract", "skill": "acme/pdf#extract", "inputs": {"text": "two words"}},
            {"name": "count", "skill": "acme/pdf", "inputs": {"words": "${extract.output.words}"}},
        ]
    }))
    .await
    .unwrap();
    assert_eq!(report.status, Status::Success, "{report:#?}");
    let step = |name: &str| report.step(name).unwrap().output.clone();
    assert_eq!(
        step("extract"),
        json!({"words": ["two", "words"], "reference": "a note\n", "executable": true, "plain": false})
    );
    assert_eq!(step("count"), json!(2));
}

#[tokio::test]
async fn a_script_that_is_not_there_is_told_before_anything_runs() {
    for (named, told) in [("acme/pdf#missing", "it has no such script"), ("acme/pdf#../x", "is no script")] {
        let error = run(json!({"name": "test", "steps": [{"name": "one", "skill": named, "inputs": {}}]}))
            .await
            .unwrap_err();
        let told_of = format!("{error} {error:?}");
        assert!(told_of.contains(told), "{told_of}");
    }
}

#[tokio::test]
async fn a_path_that_leaves_its_folder_is_refused() {
    let mut skill = resolve(&"acme/pdf".parse().unwrap()).unwrap();
    skill.files.push(SkillFile { path: "../outside".to_owned(), executable: false, bytes: [].into() });
    let error =
        run_skill(&skill, values(json!({"words": []})), &RunOptions::default(), &|_| ()).await.unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(told.contains("a path that is not allowed: `../outside`"), "{told}");
}

/// A skill with so many files, each in so many folders of its own.
fn deep(files: usize, folders: usize) -> SkillSource {
    let path = |number: usize| {
        let folders: Vec<String> = (0..folders).map(|depth| format!("{depth}-{number}")).collect();
        format!("{}/file", folders.join("/"))
    };
    let code = "import os\n\
                def deep():\n    return sum(len(files) for _, _, files in os.walk('/skill')) - 1\n";
    SkillSource {
        id: "acme/deep".to_owned(),
        version: "1.0.0".parse().unwrap(),
        code: SkillCode::Text(code.to_owned()),
        script: None,
        grants: Grants::default(),
        files: (0..files)
            .map(|number| SkillFile { path: path(number), executable: false, bytes: [b'x'].into() })
            .collect(),
    }
}

#[tokio::test]
async fn as_many_files_as_a_registry_takes_have_room_in_deep_folders() {
    let skill = deep(1_000, 14);
    let outcome = run_skill(&skill, values(json!({})), &RunOptions::default(), &|_| ()).await.unwrap();
    assert_eq!((outcome.status, &outcome.output), (Status::Success, &json!(1_000)), "{outcome:#?}");
    let error =
        run_skill(&deep(1_000, 16), values(json!({})), &RunOptions::default(), &|_| ()).await.unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(told.contains("its files and the folders that they lie in are over 16000"), "{told}");
}

#[tokio::test]
async fn what_was_written_down_is_not_in_memory_too() {
    let mut skill = resolve(&"acme/pdf".parse().unwrap()).unwrap();
    skill.code = SkillCode::Text(
        "import sys\n\
         def pdf():\n    frame, requests = sys._getframe(), []\n    while frame:\n        \
         requests += [value for value in frame.f_locals.values() if isinstance(value, dict) and 'code' in value]\n        \
         frame = frame.f_back\n    return [len(requests), any('files' in request for request in requests)]\n"
            .to_owned(),
    );
    let outcome = run_skill(&skill, values(json!({})), &RunOptions::default(), &|_| ()).await.unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:#?}");
    assert!(outcome.output[0].as_u64() > Some(0), "{outcome:#?}");
    assert_eq!(outcome.output[1], json!(false));
}

#[tokio::test]
async fn what_lies_beside_cannot_be_changed() {
    let mut skill = resolve(&"acme/pdf".parse().unwrap()).unwrap();
    skill.code =
        SkillCode::Text("def pdf():\n    open('/skill/references/note.txt', 'a').write('more')\n".to_owned());
    let outcome = run_skill(&skill, values(json!({})), &RunOptions::default(), &|_| ()).await.unwrap();
    assert_eq!(outcome.status, Status::Denied, "{outcome:#?}");
}
