//! Reports of usage: counted once, for what the caller sees, within limits.

use serde_json::{Value, json};

use super::{ADMIN, TestApp, skill};

const REPORT: &str = "/api/v1/usage";
const USAGE: &str = "/api/v1/skills/acme/tool/usage";
const BATCH: &str = "0195f7a4-0000-7000-8000-00000000000";

fn report(batch: u64, entries: Value) -> Value {
    json!({ "batch": format!("{BATCH}{batch}"), "entries": entries })
}

fn entry(skill: &str, version: &str, runs: u64, succeeded: u64, failed: u64) -> Value {
    json!({ "skill": skill, "version": version, "runs": runs, "succeeded": succeeded, "failed": failed })
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_add_up_by_version_and_a_retry_counts_once() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.10.0").await;
    app.publish("acme/tool", "1.9.0").await;
    assert_eq!(app.get(USAGE).await.is(200), json!({ "id": "acme/tool", "total": 0, "versions": [] }));
    let anna = app.user("anna", &["read"]).await;
    let mut timed = entry("acme/tool", "1.10.0", 10, 8, 1);
    timed["latency_ms_total"] = json!(900);
    let first = report(1, json!([timed, entry("acme/tool", "1.0.0", 3, 3, 0)]));
    app.post(REPORT, &anna, first.clone()).await.is(204);
    app.post(REPORT, &anna, first.clone()).await.is(204);
    // Another spelling of an id.
    app.publish("acme/my_tool", "1.0.0").await;
    let spelled = json!([entry("acme/my-tool", "1.0.0", 1, 1, 0), entry("acme/my.tool", "1.0.0", 1, 1, 0)]);
    app.post(REPORT, &anna, report(2, spelled)).await.is(204);
    let my_tool = app.get("/api/v1/skills/acme/my_tool/usage").await.is(200);
    assert_eq!(my_tool["versions"][0]["runs"], 2);
    // Twice in one report, on another day.
    app.app.environment.advance_seconds(86_400);
    let other = entry("acme/tool", "1.10.0", 5, 0, 5);
    app.post(REPORT, &anna, report(3, json!([other.clone(), other]))).await.is(204);
    // The same number from another user is another report.
    app.post(REPORT, ADMIN, report(1, json!([entry("acme/tool", "1.0.0", 1, 0, 0)]))).await.is(204);
    let usage = app.get(USAGE).await.is(200);
    insta::assert_json_snapshot!(usage);
    let page = app.get(&format!("{USAGE}?limit=1&offset=1")).await.is(200);
    assert_eq!((&page["total"], &page["versions"][0]["version"]), (&json!(2), &json!("1.0.0")));
    // A record has the attributes that it always had, and a report is no change.
    let record = app.get("/api/v1/skills/acme/tool").await.is(200);
    assert!(record.get("usage").is_none() && record.as_object().unwrap().len() == 17, "{record}");
    assert!(app.log().await.iter().all(|entry| entry["event"]["kind"] != "usage"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_does_not_see_is_passed_over_without_a_word() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut body = skill("acme/secret", "1.0.0");
    body["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let stranger = app.user("sam", &["read"]).await;
    let entries = json!([
        entry("acme/secret", "1.0.0", 2, 2, 0),
        entry("acme/nothing", "1.0.0", 2, 2, 0),
        entry("acme/tool", "9.9.9", 2, 2, 0),
        entry("acme/tool", "1.0.0", 1, 1, 0),
    ]);
    let answer = app.post(REPORT, &stranger, report(1, entries)).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    assert_eq!(app.get(USAGE).await.is(200)["total"], 1);
    let secret = "/api/v1/skills/acme/secret/usage";
    assert_eq!(app.get_as(ADMIN, secret).await.is(200)["total"], 0);
    app.get_as(&stranger, secret).await.fails(404, "skill-not-found");
    app.get_as(&stranger, "/api/v1/skills/acme/nothing/usage").await.fails(404, "skill-not-found");
    // A member's report counts.
    let mia = app.user("mia", &["read"]).await;
    app.member("acme", "mia", "reader").await;
    app.post(REPORT, &mia, report(1, json!([entry("acme/secret", "1.0.0", 2, 1, 1)]))).await.is(204);
    let usage = app.get_as(&mia, secret).await.is(200);
    assert_eq!((&usage["versions"][0]["runs"], &usage["versions"][0]["failed"]), (&json!(2), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_report_is_refused_whole() {
    let app = TestApp::with(|settings| settings.limits.usage_entries = 2).await;
    app.publish("acme/tool", "1.0.0").await;
    let good = entry("acme/tool", "1.0.0", 1, 1, 0);
    let mut slow = good.clone();
    slow["latency_ms_total"] = json!(86_400_001);
    let mut negative = good.clone();
    negative["runs"] = json!(-1);
    for bad in [
        entry("acme/tool", "1.0.0", 1_000_001, 0, 0),
        entry("acme/tool", "1.0.0", 1, 1, 1),
        entry("acme/tool", "1.0.0", 1, u64::MAX, u64::MAX),
        entry("acme", "1.0.0", 1, 1, 0),
        entry("acme/tool", "one", 1, 1, 0),
        slow,
        negative,
    ] {
        let problem =
            app.post(REPORT, ADMIN, report(1, json!([good, bad]))).await.fails(422, "invalid-field");
        assert!(problem["detail"].is_string(), "{problem}");
    }
    let three = json!([good, good, good]);
    app.post(REPORT, ADMIN, report(1, three)).await.fails(422, "invalid-field");
    let mut more = good.clone();
    more["machine"] = json!("mine");
    app.post(REPORT, ADMIN, report(1, json!([more]))).await.fails(422, "unknown-field");
    app.post(REPORT, ADMIN, json!({ "batch": "one", "entries": [] })).await.fails(422, "invalid-field");
    app.post(REPORT, "", report(1, json!([good]))).await.fails(401, "unauthenticated");
    let narrow = app.user("nora", &["publish", "rate"]).await;
    app.post(REPORT, &narrow, report(1, json!([good]))).await.fails(403, "insufficient-scope");
    assert_eq!(app.get(USAGE).await.is(200)["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_stay_within_what_the_database_holds() {
    let app = TestApp::with(|settings| settings.limits.usage_runs = u64::MAX).await;
    app.publish("acme/tool", "1.0.0").await;
    for batch in 0..3 {
        let most = 1_000_000_000_000_000;
        app.post(REPORT, ADMIN, report(batch, json!([entry("acme/tool", "1.0.0", most, most, 0)])))
            .await
            .is(204);
    }
    assert_eq!(app.get(USAGE).await.is(200)["versions"][0]["runs"], json!(1_000_000_000_000_000_u64));
    let endless = entry("acme/tool", "1.0.0", u64::MAX, 0, 0);
    app.post(REPORT, ADMIN, report(9, json!([endless]))).await.fails(422, "invalid-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_send_at_once_and_each_counts() {
    let app = std::sync::Arc::new(TestApp::new().await);
    app.publish("acme/tool", "1.0.0").await;
    let mut tasks = Vec::new();
    for number in 0..20 {
        let app = std::sync::Arc::clone(&app);
        tasks.push(tokio::spawn(async move {
            // Each report twice.
            let body = report(number / 2, json!([entry("acme/tool", "1.0.0", 1, 1, 0)]));
            app.post(REPORT, ADMIN, body).await.is(204);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(app.get(USAGE).await.is(200)["versions"][0]["runs"], 10);
}
