//! Telling a registry of usage: counts alone, of what came from there, since that is wanted, and each once.

use std::time::Duration;

use skillery_client::metrics::{Execution, ExecutionStatus, Recorder};
use skillery_client::publish::publish;
use skillery_client::{Home, Library, Metrics, Page, SignWith};
use skillery_core::{Problem, ProblemCode, Scope, SkillId, VersionRequest};

use crate::TestHome;
use crate::registry::{PLAIN, Registry, draft};
use crate::scripted::{Reply, Request, Scripted};

#[tokio::test]
async fn counts_are_told_once_and_only_of_what_came_from_there() {
    let registry = Registry::start().await;
    let (admin, home) = (registry.admin(), registry.home("a"));
    let hello: SkillId = "acme/hello".parse().unwrap();
    for version in ["1.0.0", "1.1.0"] {
        publish(&admin, &home, draft("acme/hello", version), SignWith::default()).await.unwrap();
    }
    let (library, metrics) = (Library::new(home.clone()), Metrics::new(&home));
    for version in ["1.0.0", "1.1.0"] {
        library.install(&admin, &hello, &version.parse::<VersionRequest>().unwrap(), PLAIN).await.unwrap();
    }
    // Before it was wanted, and of a skill that was made here.
    Recorder::new(&home, false).record("acme/hello", "1.0.0", "success", 5.0);
    let recorder = Recorder::new(&home, true);
    let code = "def run():\n    return 1\n";
    let local = skillery_client::library::LocalSkill::new(
        "acme/mine".parse().unwrap(),
        "1.0.0".parse().unwrap(),
        code,
    );
    library.save(local).unwrap();
    recorder.record("acme/mine", "1.0.0", "success", 5.0);
    assert_eq!(metrics.share(&admin).await.unwrap().runs, 0);

    recorder.record("acme/hello", "1.1.0", "success", 10.0);
    recorder.record("acme/hello", "1.1.0", "success", 30.0);
    recorder.record("acme/hello", "1.1.0", "denied", 20.0);
    recorder.record("acme/hello", "1.1.0", "cancelled", 9_000.0);
    recorder.record("acme/hello", "1.0.0", "failed", 1.0);
    let unsigned = registry.stranger();
    assert_eq!(metrics.share(&unsigned).await.unwrap_err().code(), "token-required");

    // Not within the hour since the attempt above, which found nothing to tell.
    metrics.share_now_and_then(&admin).await;
    assert_eq!(admin.usage(&hello, Page::default()).await.unwrap().total, 0);

    let reader = registry.user("ann", &[Scope::Read]).await;
    let shared = metrics.share(&reader).await.unwrap();
    assert_eq!((shared.runs, shared.versions), (5, 2));
    assert_eq!(metrics.share(&reader).await.unwrap().runs, 0);
    let usage = unsigned.usage(&hello, Page::default()).await.unwrap();
    let told: Vec<_> = usage
        .versions
        .iter()
        .map(|told| (told.version.to_string(), told.runs, told.succeeded, told.failed, told.latency_ms_mean))
        .collect();
    assert_eq!(told, [("1.1.0".to_owned(), 4, 2, 1, Some(20.0)), ("1.0.0".to_owned(), 1, 0, 1, Some(1.0))]);
    // What was told is still known here.
    assert_eq!(metrics.get(&library, "acme/hello", None).unwrap().unwrap().usage.runs, 6);
}

#[tokio::test]
async fn a_report_whose_answer_was_lost_is_sent_again_and_counts_once() {
    let registry = Registry::start().await;
    let (admin, home) = (registry.admin(), registry.home("a"));
    let hello: SkillId = "acme/hello".parse().unwrap();
    publish(&admin, &home, draft("acme/hello", "1.0.0"), SignWith::default()).await.unwrap();
    let metrics = Metrics::new(&home);
    Library::new(home.clone()).install(&admin, &hello, &VersionRequest::Latest, PLAIN).await.unwrap();
    let recorder = Recorder::new(&home, true);
    recorder.record("acme/hello", "1.0.0", "success", 1.0);
    // The program ends between the registry's answer and noting it: the report is still on the disk.
    let before = home.metrics_folder().join("before.json");
    let summary = home.metrics_folder().join("summary.json");
    let wrong = registry.with_wrong_token();
    assert_eq!(metrics.share(&wrong).await.unwrap_err().code(), "invalid-token");
    std::fs::copy(&summary, &before).unwrap();
    assert!(std::fs::read_to_string(&before).unwrap().contains("\"batch\""));
    assert_eq!(metrics.share(&admin).await.unwrap().runs, 1);
    std::fs::rename(&before, &summary).unwrap();
    recorder.record("acme/hello", "1.0.0", "success", 1.0);
    assert_eq!(metrics.share(&admin).await.unwrap().runs, 2, "the old report once more, and a new one");
    assert_eq!(admin.usage(&hello, Page::default()).await.unwrap().versions[0].runs, 2);
}

#[tokio::test]
async fn a_registry_that_is_away_keeps_nothing_from_going_on() {
    let mut registry = Registry::start().await;
    let (admin, home) = (registry.admin(), registry.home("a"));
    let hello: SkillId = "acme/hello".parse().unwrap();
    publish(&admin, &home, draft("acme/hello", "1.0.0"), SignWith::default()).await.unwrap();
    Library::new(home.clone()).install(&admin, &hello, &VersionRequest::Latest, PLAIN).await.unwrap();
    Recorder::new(&home, true).record("acme/hello", "1.0.0", "success", 1.0);
    registry.stop();
    let metrics = Metrics::new(&home);
    metrics.share_now_and_then(&admin).await;
    assert_eq!(metrics.share(&admin).await.unwrap_err().code(), "registry-unreachable");
    let summary = std::fs::read_to_string(home.metrics_folder().join("summary.json")).unwrap();
    assert!(summary.contains("\"batch\"") && summary.contains("\"runs\":1"), "{summary}");
}

/// Executions of so many versions that this registry is to be told of.
fn aside(home: &Home, registry: &str, versions: usize) -> Metrics {
    let metrics = Metrics::new(home);
    for number in 0..versions {
        let execution = Execution {
            id: "acme/hello".parse().unwrap(),
            version: format!("1.0.{number}").parse().unwrap(),
            status: ExecutionStatus::Success,
            latency: Some(Duration::from_micros(2_600)),
            share_with: Some(registry.to_owned()),
        };
        metrics.record(&execution).unwrap();
    }
    metrics
}

#[tokio::test]
async fn many_versions_make_several_reports_of_counts_and_nothing_else() {
    let test = TestHome::new();
    let server = Scripted::start(|_, _| Some(Reply::json(503, "{}").with("retry-after", "0"))).await;
    let metrics = aside(&test.home(), server.client().registry(), 450);
    metrics.share(&server.client()).await.unwrap_err();
    let summary = std::fs::read(test.home().metrics_folder().join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    let report = &summary["sent"][server.client().registry()];
    let names =
        |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(names(report), "batch entries");
    assert_eq!(names(&report["entries"][0]), "failed latency_ms_total runs skill succeeded version");
    assert_eq!(
        (report["entries"].as_array().unwrap().len(), &report["entries"][0]["latency_ms_total"]),
        (200, &2.into())
    );

    let working = Scripted::start(|_, _| Some(Reply::json(204, ""))).await;
    let test = TestHome::new();
    let metrics = aside(&test.home(), working.client().registry(), 450);
    assert_eq!(metrics.share(&working.client()).await.unwrap().versions, 450);
    assert_eq!(working.lines(), ["POST /api/v1/usage"; 3]);
}

#[tokio::test]
async fn a_report_that_is_refused_for_good_is_not_sent_for_ever() {
    let refuse = |_: &Request, before: usize| {
        let problem = Problem::new(ProblemCode::InvalidField, "`entries[0]`: too many");
        Some(if before == 0 {
            Reply::json(422, serde_json::to_string(&problem).unwrap())
        } else {
            Reply::json(204, "")
        })
    };
    let server = Scripted::start(refuse).await;
    let test = TestHome::new();
    let metrics = aside(&test.home(), server.client().registry(), 1);
    assert_eq!(metrics.share(&server.client()).await.unwrap_err().code(), "invalid-field");
    assert_eq!(metrics.share(&server.client()).await.unwrap().runs, 0);
    assert_eq!(server.lines().len(), 1);
    // What was put aside for one registry is not told to another.
    let other = Scripted::start(|_, _| Some(Reply::json(204, ""))).await;
    aside(&test.home(), server.client().registry(), 1);
    assert_eq!(metrics.share(&other.client()).await.unwrap().runs, 0);
    assert!(other.lines().is_empty());
}

#[tokio::test]
async fn one_version_that_is_refused_takes_no_others_with_it() {
    // Takes no more than 50 versions at once, and one of them never.
    let answer = |request: &Request, _: usize| {
        let is_refused =
            request.body.matches("\"version\"").count() > 50 || request.body.contains("\"1.0.7\"");
        let problem = Problem::new(ProblemCode::InvalidField, "`entries[0]`: not this one");
        Some(match is_refused {
            true => Reply::json(422, serde_json::to_string(&problem).unwrap()),
            false => Reply::json(204, ""),
        })
    };
    let server = Scripted::start(answer).await;
    let test = TestHome::new();
    let metrics = aside(&test.home(), server.client().registry(), 60);
    let mut refusals = 0;
    // What is too much for one go is told in the next.
    while let Err(error) = metrics.share(&server.client()).await {
        assert_eq!(error.code(), "invalid-field");
        refusals += 1;
    }
    assert_eq!(refusals, 1, "told of once");
    assert_eq!(metrics.share(&server.client()).await.unwrap().runs, 0);
    let mut told: Vec<String> = Vec::new();
    for request in server.requests() {
        let report: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let entries = report["entries"].as_array().unwrap();
        if entries.len() <= 50 && entries.iter().all(|entry| entry["version"] != "1.0.7") {
            assert!(entries.iter().all(|entry| entry["runs"] == 1 && entry["latency_ms_total"] == 2));
            told.extend(entries.iter().map(|entry| entry["version"].to_string()));
        }
    }
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 59);
}
