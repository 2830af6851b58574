//! Installs by program, version and time.

use serde_json::{Value, json};

use super::super::{ADMIN, TestApp};
use super::DAY;
use crate::insight::roll_up;

const INSTALLS: &str = "/api/v1/skills/acme/tool/usage/installs";
const DOWNLOAD: &str = "/api/v1/skills/acme/tool/download";

async fn count(app: &TestApp, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {table}")))
        .fetch_one(app.app.db.reader())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn installs_are_told_by_day_version_and_program() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "2.0.0").await;
    for _ in 0..3 {
        app.download_with("", DOWNLOAD, "curl/8.5.0").await.is(200);
    }
    app.install("", "acme/tool", "1.0.0").await;
    app.days(2).await;
    // Whatever callers call themselves makes no new row.
    for number in 0..20 {
        app.download_with("", DOWNLOAD, &format!("evil-{number}/1")).await.is(200);
    }
    let zip = "/.well-known/agent-skills/acme/tool";
    assert_ne!(app.download_with("", zip, "skillery/1").await.status.as_u16(), 500);
    app.settle().await;
    let installs = app.get(&format!("{INSTALLS}?days=4")).await.is(200);
    insta::assert_json_snapshot!(installs);
    assert_eq!(count(&app, "program_installs").await, 3);
    // A head is no install, and what is not answered is none.
    app.call(axum::http::Method::HEAD, DOWNLOAD, "", None).await;
    app.get("/api/v1/skills/acme/none/download").await.fails(404, "skill-not-found");
    app.settle().await;
    assert_eq!(app.get(INSTALLS).await.is(200)["total"], 24);
    let record = app.get("/api/v1/skills/acme/tool").await.is(200);
    assert_eq!(record["install_count"], 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_and_months_are_the_sums_of_their_days_before_and_after_these_are_removed() {
    let app = TestApp::with(|settings| settings.insight.keep_days = 62).await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/deep/other", "1.0.0").await;
    for day in 0..40 {
        for _ in 0..=day % 3 {
            app.install("", "acme/tool", "1.0.0").await;
        }
        if day % 10 == 0 {
            app.install("", "acme/deep/other", "1.0.0").await;
        }
        app.days(1).await;
    }
    let sums = async |by: &str| {
        let path = |of: &str| format!("/api/v1/{of}?by={by}&days=365");
        let of_skill = app.get(&path("skills/acme/tool/usage/installs")).await.is(200);
        let of_org = app.get_as(ADMIN, &path("orgs/acme/usage")).await.is(200);
        let of_deep = app.get_as(ADMIN, &path("orgs/acme/deep/usage")).await.is(200);
        for installs in [&of_skill, &of_org, &of_deep] {
            let periods = installs["periods"].as_array().unwrap();
            let sum: u64 = periods.iter().map(|period| period["installs"].as_u64().unwrap()).sum();
            assert_eq!(installs["total"], sum);
            let programs = installs["programs"].as_array().unwrap();
            let sum: u64 = programs.iter().map(|program| program["installs"].as_u64().unwrap()).sum();
            assert_eq!(installs["total"], sum);
        }
        assert_eq!(
            (of_skill["total"].as_u64(), of_org["total"].as_u64(), of_deep["total"].as_u64()),
            (Some(79), Some(83), Some(4))
        );
        (of_skill, of_org)
    };
    sums("day").await;
    let (weeks, org_weeks) = sums("week").await;
    let (months, _) = sums("month").await;
    // Another run changes nothing, nor does one on another server.
    roll_up(&app.app).await.unwrap();
    roll_up(&app.another().await.app).await.unwrap();
    assert_eq!(sums("week").await.0, weeks);
    let rows = count(&app, "installs").await;
    app.days(80).await;
    assert_eq!((count(&app, "installs").await, rows), (0, 44));
    assert_eq!(count(&app, "program_installs").await, 0);
    let told = |installs: &Value| {
        let periods = installs["periods"].as_array().unwrap().iter();
        periods.filter(|period| period["installs"] != 0).cloned().collect::<Vec<_>>()
    };
    for (by, before, path) in [
        ("week", &weeks, INSTALLS.to_owned()),
        ("month", &months, INSTALLS.to_owned()),
        ("week", &org_weeks, "/api/v1/orgs/acme/usage".to_owned()),
    ] {
        let after = app.get_as(ADMIN, &format!("{path}?by={by}&days=365")).await.is(200);
        assert_eq!(told(&after), told(before), "{by}");
        assert_eq!(after["total"], before["total"]);
    }
    assert_eq!(app.get(&format!("{INSTALLS}?days=365")).await.is(200)["total"], 0);
    // The count of a skill is of all time.
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["install_count"], 79);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_adds_no_day_twice() {
    let app = TestApp::new().await;
    for number in 0..5 {
        app.publish(&format!("acme/tool{number}"), "1.0.0").await;
        app.install("", &format!("acme/tool{number}"), "1.0.0").await;
    }
    app.settle().await;
    app.app.environment.advance_seconds(3 * DAY);
    roll_up(&app.app).await.unwrap();
    let app = app.crash_and_reopen().await;
    roll_up(&app.app).await.unwrap();
    // A day whose sums are not committed is added again as a whole.
    app.tamper(
        "DELETE FROM install_periods; DELETE FROM program_periods; DELETE FROM namespace_periods".to_owned(),
    )
    .await;
    app.tamper("DELETE FROM settings WHERE name = 'rollup-day'".to_owned()).await;
    roll_up(&app.app).await.unwrap();
    let org = app.get_as(ADMIN, "/api/v1/orgs/acme/usage?by=week").await.is(200);
    assert_eq!(
        (&org["total"], &org["programs"]),
        (&json!(5), &json!([{ "program": "skillery", "installs": 5 }]))
    );
    let days = app.get_as(ADMIN, "/api/v1/orgs/acme/usage").await.is(200);
    assert_eq!(days["total"], 5);
    assert_eq!(days["skills"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn trends_compare_with_as_much_before() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    assert_eq!(app.get(INSTALLS).await.is(200)["trend"], Value::Null);
    for _ in 0..4 {
        app.install("", "acme/tool", "1.0.0").await;
    }
    app.days(7).await;
    for _ in 0..3 {
        app.install("", "acme/tool", "1.0.0").await;
    }
    app.settle().await;
    let week = app.get(&format!("{INSTALLS}?days=7")).await.is(200);
    assert_eq!((&week["total"], &week["before"], &week["trend"]), (&json!(3), &json!(4), &json!(-0.25)));
    // A year is kept, and none before it: there is nothing to compare with.
    let year = app.get(&format!("{INSTALLS}?days=366")).await.is(200);
    assert_eq!((&year["total"], &year["before"], &year["trend"]), (&json!(7), &Value::Null, &Value::Null));
    let months = app.get(&format!("{INSTALLS}?by=month&days=366")).await.is(200);
    assert_eq!(months["before"], 0);
    for wrong in ["days=0", "days=367", "by=year", "by=month&days=3661", "days=-1", "days=x"] {
        app.get(&format!("{INSTALLS}?{wrong}")).await.fails(400, "invalid-parameter");
    }
    app.get(&format!("{INSTALLS}?by=month&days=3660")).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_of_a_namespace_are_for_those_who_see_all_of_it() {
    let app = TestApp::new().await;
    app.publish_seen("acme/deep/secret", "1.0.0", &[], "private").await;
    app.install(ADMIN, "acme/deep/secret", "1.0.0").await;
    app.settle().await;
    let anna = app.user("anna", &["read"]).await;
    let path = "/api/v1/orgs/acme/deep/usage";
    app.get(path).await.fails(401, "unauthenticated");
    app.get_as(&anna, path).await.fails(404, "org-not-found");
    app.member("acme/deep", "anna", "reader").await;
    let deep = app.get_as(&anna, path).await.is(200);
    assert_eq!((&deep["total"], &deep["skills"][0]["id"]), (&json!(1), &json!("acme/deep/secret")));
    // What lies above has more than she sees.
    app.get_as(&anna, "/api/v1/orgs/acme/usage").await.fails(404, "org-not-found");
    app.get_as(ADMIN, "/api/v1/orgs/nobody/usage").await.fails(404, "org-not-found");
    let bound = app.token(json!({ "user": "anna", "scopes": ["read"], "namespaces": ["other"] })).await;
    app.get_as(&bound, path).await.fails(404, "org-not-found");
    app.get("/api/v1/skills/acme/deep/secret/usage/installs").await.fails(404, "skill-not-found");
    app.get("/api/v1/skills/acme/deep/secret/usage/adoption").await.fails(404, "skill-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn few_are_not_told_by_program() {
    let app = TestApp::with(|settings| settings.insight.k = 5).await;
    app.publish("acme/tool", "1.0.0").await;
    for (program, times) in [("curl/8", 9), ("skillery/1", 6), ("git/2", 1)] {
        for _ in 0..times {
            app.download_with("", DOWNLOAD, program).await.is(200);
        }
    }
    app.settle().await;
    let installs = app.get(INSTALLS).await.is(200);
    // The one of git would be what the others lack of the whole, so that the next goes with it.
    let programs = json!([
        { "program": "curl", "installs": 9 },
        { "program": "skillery", "installs": null },
        { "program": "git", "installs": null },
    ]);
    assert_eq!(
        (&installs["total"], &installs["programs"], &installs["k"]),
        (&json!(16), &programs, &json!(5))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_no_difference_of_two_spans_where_few_are_withheld() {
    let app = TestApp::with(|settings| settings.insight.k = 5).await;
    app.publish("acme/tool", "1.0.0").await;
    let download = async |times: usize| {
        for _ in 0..times {
            app.download_with("", DOWNLOAD, "git/2").await.is(200);
        }
    };
    // One on a day by itself, which 28 days have and 27 have not.
    download(1).await;
    app.days(27).await;
    download(5).await;
    app.settle().await;
    let anna = app.user("anna", &["read"]).await;
    app.member("acme", "anna", "reviewer").await;
    let asked = async |query: &str| {
        let mut answers = Vec::new();
        for path in [INSTALLS, "/api/v1/orgs/acme/usage"] {
            let told = app.get_as(&anna, &format!("{path}?{query}")).await.is(200);
            answers.push((told["total"].clone(), told["programs"].clone()));
        }
        answers
    };
    let git = |installs: u64| json!([{ "program": "git", "installs": installs }]);
    for usual in ["by=day", "days=28"] {
        assert_eq!(asked(usual).await, vec![(json!(6), git(6)); 2], "{usual}");
    }
    // Totals are told of any span.
    assert_eq!(asked("days=27").await, vec![(json!(5), json!([])); 2]);
    for other in ["days=29", "by=week", "by=month&days=60"] {
        assert_eq!(asked(other).await, vec![(json!(6), json!([])); 2], "{other}");
    }
    // Admins of the namespace are told all.
    app.member("acme", "anna", "admin").await;
    assert_eq!(asked("days=27").await, vec![(json!(5), git(5)); 2]);
    assert_eq!(asked("by=month&days=60").await, vec![(json!(6), git(6)); 2]);
}

/// Installs of the units that have any.
fn units(installs: &Value) -> Vec<u64> {
    let periods = installs["periods"].as_array().unwrap().iter();
    periods.filter_map(|period| period["installs"].as_u64().filter(|installs| *installs > 0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_and_a_program_have_figures_of_their_own() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "2.0.0+build.1"] {
        app.publish("acme/tool", version).await;
    }
    let download = async |version: &str, program: &str, times: usize| {
        for _ in 0..times {
            let path = format!("{DOWNLOAD}?version={}", version.replace('+', "%2B"));
            app.download_with("", &path, program).await.is(200);
        }
    };
    download("1.0.0", "curl/8", 2).await;
    download("2.0.0+build.1", "git/2", 5).await;
    app.days(1).await;
    download("1.0.0", "curl/8", 3).await;
    download("1.0.0", "git/2", 1).await;
    app.settle().await;
    let asked = async |query: &str| app.get(&format!("{INSTALLS}?{query}")).await.is(200);
    let one = asked("version=1.0.0").await;
    assert_eq!((&one["version"], one.get("program")), (&json!("1.0.0"), None));
    assert_eq!((&one["total"], units(&one)), (&json!(6), vec![2, 4]));
    assert_eq!(one["versions"], json!([{ "version": "1.0.0", "installs": 6 }]));
    assert_eq!(
        one["programs"],
        json!([{ "program": "curl", "installs": 5 }, { "program": "git", "installs": 1 }])
    );
    let git = asked("program=git").await;
    assert_eq!((git.get("version"), &git["program"]), (None, &json!("git")));
    assert_eq!((&git["total"], units(&git)), (&json!(6), vec![5, 1]));
    assert_eq!(
        git["versions"],
        json!([{ "version": "2.0.0+build.1", "installs": 5 }, { "version": "1.0.0", "installs": 1 }])
    );
    assert_eq!(git["programs"], json!([{ "program": "git", "installs": 6 }]));
    let both = asked("version=2.0.0%2Bbuild.1&program=git").await;
    assert_eq!((&both["total"], units(&both)), (&json!(5), vec![5]));
    assert_eq!(asked("version=2.0.0%2Bbuild.1&program=curl").await["total"], 0);
    // Days that are over and the one that is not are in the same sums; those of a version with a program have none.
    let weeks = asked("by=month&days=60&version=1.0.0").await;
    assert_eq!((&weeks["total"], &weeks["programs"]), (&json!(6), &json!([])));
    let weeks = asked("by=month&days=60&program=git").await;
    assert_eq!((&weeks["total"], weeks.get("versions")), (&json!(6), None));
    let refused = app.get(&format!("{INSTALLS}?by=week&version=1.0.0&program=git")).await;
    assert_eq!(refused.fails(400, "invalid-parameter")["parameter"], "by");
    app.get(&format!("{INSTALLS}?version=3.0.0")).await.fails(404, "version-not-found");
    app.get(&format!("{INSTALLS}?version=one")).await.fails(400, "invalid-version");
    app.get(&format!("{INSTALLS}?program=evil")).await.fails(400, "invalid-parameter");
    for by in ["day", "month"] {
        let org = format!("/api/v1/orgs/acme/usage?by={by}&program");
        let git = app.get_as(ADMIN, &format!("{org}=git")).await.is(200);
        assert_eq!((&git["total"], &git["program"]), (&json!(6), &json!("git")), "{by}");
        assert_eq!(git["programs"], json!([{ "program": "git", "installs": 6 }]), "{by}");
        assert_eq!(app.get_as(ADMIN, &format!("{org}=mcp")).await.is(200)["total"], 0, "{by}");
    }
    let of_org = app.get_as(ADMIN, "/api/v1/orgs/acme/usage?version=1.0.0").await;
    assert_eq!(of_org.fails(400, "invalid-parameter")["parameter"], "version");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_one_version_or_program_tell_no_more_of_few() {
    let app = TestApp::with(|settings| settings.insight.k = 5).await;
    app.publish("acme/tool", "1.0.0").await;
    for (program, times) in [("curl/8", 9), ("git/2", 6)] {
        for _ in 0..times {
            app.download_with("", DOWNLOAD, program).await.is(200);
        }
    }
    app.settle().await;
    let one = app.get(&format!("{INSTALLS}?version=1.0.0")).await.is(200);
    assert_eq!((&one["total"], &one["programs"]), (&json!(15), &json!([])));
    let anna = app.user("anna", &["read"]).await;
    app.member("acme", "anna", "reviewer").await;
    for path in [INSTALLS, "/api/v1/orgs/acme/usage"] {
        let refused = app.get_as(&anna, &format!("{path}?program=git")).await;
        assert_eq!(refused.fails(400, "invalid-parameter")["parameter"], "program", "{path}");
    }
    // Admins of the namespace are told all.
    app.member("acme", "anna", "admin").await;
    let curl = json!({ "program": "curl", "installs": 9 });
    for path in [INSTALLS, "/api/v1/orgs/acme/usage"] {
        let git = app.get_as(&anna, &format!("{path}?program=git")).await.is(200);
        assert_eq!((&git["total"], &git["k"]), (&json!(6), &json!(5)), "{path}");
    }
    let one = app.get_as(&anna, &format!("{INSTALLS}?version=1.0.0")).await.is(200);
    assert_eq!(one["programs"], json!([curl, { "program": "git", "installs": 6 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_waits_has_no_figures_for_others() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "2.0.0").await;
    app.tamper("UPDATE versions SET status = 'pending' WHERE version = '2.0.0'".to_owned()).await;
    let path = format!("{INSTALLS}?version=2.0.0");
    app.get(&path).await.fails(404, "version-not-found");
    assert_eq!(app.get_as(ADMIN, &path).await.is(200)["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_right_while_a_day_is_being_added() {
    let app = TestApp::new().await;
    app.publish("acme/tool0001", "1.0.0").await;
    app.install("", "acme/tool0001", "1.0.0").await;
    app.settle().await;
    // As many skills as one step does not add.
    let columns = "namespace, org, visibility, latest, created_at, updated_at, rating_sum, rating_count, stars_1, stars_2, \
                   stars_3, stars_4, stars_5, install_position, star_count, install_count";
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1002 UNION ALL SELECT i + 1 FROM n WHERE i < 1300)";
    app.tamper(format!(
        "INSERT INTO skills (key, number, id, {columns}) {numbers} \
         SELECT 'acme/tool' || n.i, n.i, 'acme/tool' || n.i, {columns} FROM skills, n WHERE key = 'acme/tool0001'"
    ))
    .await;
    for (table, more) in [("installs", ""), ("program_installs", ", program")] {
        app.tamper(format!(
            "INSERT INTO {table} (skill, version, day, downloads{more}) {numbers} \
             SELECT 'acme/tool' || n.i, version, day, 1{more} FROM {table}, n WHERE skill = 'acme/tool0001'"
        ))
        .await;
    }
    app.app.environment.advance_seconds(2 * DAY);
    let today = crate::counters::day_of(app.app.environment.now());
    let totals = async || {
        let mut totals = Vec::new();
        for path in [
            "orgs/acme/usage?by=week",
            "orgs/acme/usage?by=day",
            "skills/acme/tool0001/usage/installs?by=month",
            "skills/acme/tool1300/usage/installs?by=month",
        ] {
            let installs = app.get_as(ADMIN, &format!("/api/v1/{path}")).await.is(200);
            totals.push((installs["total"].as_u64().unwrap(), installs["programs"][0]["installs"].clone()));
        }
        totals
    };
    let before = totals().await;
    assert_eq!(before[0], (300, json!(300)));
    let step = || app.app.db.write(move |tx| Box::pin(crate::db::rollups::step(tx, today - 1)));
    let mut steps = 0;
    while step().await.unwrap() {
        steps += 1;
        assert_eq!(totals().await, before, "after step {steps}");
    }
    assert!(steps >= 2);
}
