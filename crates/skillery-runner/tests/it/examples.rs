//! The skills and workflows in `examples/` do what they say.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use skillery_runner::{
    Document, Grants, RunOptions, RunReport, SkillCode, SkillReference, SkillSource, Status, run_skill,
    run_workflow,
};

use crate::harness::values;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn skill(name: &str) -> SkillSource {
    let code = SkillCode::File(examples().join("skills").join(format!("{name}.py")));
    SkillSource {
        id: format!("examples/{name}"),
        version: "1.0.0".parse().unwrap(),
        code,
        script: None,
        files: Vec::new(),
        grants: Grants::default(),
    }
}

async fn output(name: &str, inputs: Value) -> Value {
    let outcome = run_skill(&skill(name), values(inputs), &RunOptions::default(), &|_| ()).await.unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    outcome.output
}

async fn report(name: &str, inputs: Value) -> RunReport {
    let text = std::fs::read_to_string(examples().join("workflows").join(name)).unwrap();
    let workflow = Document::parse(&text).unwrap().workflow;
    workflow.validate().unwrap();
    let resolve = |reference: &SkillReference| Ok(skill(&reference.name.to_string()));
    run_workflow(&workflow, values(inputs), &resolve, &RunOptions::default(), &|_| ()).await.unwrap()
}

#[tokio::test]
async fn skills() {
    let found = output(
        "email_validator",
        json!({"email": " Ada@Mail.Example.COM ", "allowed_domains": ["example.com"]}),
    )
    .await;
    assert_eq!(found["valid"], json!(true));
    assert_eq!(found["email"], json!("Ada@mail.example.com"));
    let found = output("email_validator", json!({"email": "nobody"})).await;
    assert_eq!(found["reason"], json!("there is no `@`"));

    assert_eq!(
        output("slugify", json!({"text": "Grüße aus Łódź!", "max_length": 12})).await,
        json!("grusse-aus")
    );

    let found = output("text_statistics", json!({"text": "One two. Two!", "top": 1})).await;
    assert_eq!((&found["words"], &found["sentences"]), (&json!(3), &json!(2)));
    assert_eq!(found["top_words"], json!([{"word": "two", "count": 2}]));

    let found = output("csv_summary", json!({"data": "name;age\nAda;36\nAlan;41.5\n"})).await;
    assert_eq!(found["rows"], json!(2));
    assert_eq!(found["columns"][1]["mean"], json!(38.75));

    let found =
        output("redact_secrets", json!({"text": "postgres://u:hunter2@db and password=correct-horse"})).await;
    assert_eq!(
        found["text"],
        json!("postgres://u:[redacted url-password]@db and password=[redacted assignment]")
    );
}

#[tokio::test]
async fn workflows() {
    let run = report("validate_emails.json", json!({"email_input": "ada.lovelace@example.com"})).await;
    assert_eq!(run.step("user_name").unwrap().output, json!("ada.lovelace"));

    let run = report(
        "article_report.yaml",
        json!({"title": "On Engines", "article": "The token=abcdef123 stays. Here.", "sections": ["One.", "Two. Three."]}),
    )
    .await;
    assert_eq!(run.status, Status::Success);
    assert_eq!(run.step("measure").unwrap().output["sentences"], json!(2));
    assert_eq!(run.step("slug").unwrap().output, json!("on-engines"));
    assert_eq!(run.step("sections").unwrap().output[1]["sentences"], json!(2));
}
