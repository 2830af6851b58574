//! The audit: the pages.

use serde_json::json;

use super::super::{ADMIN, TestApp, skill};
use super::{Browser, text};
use crate::audit;

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_searched_paged_and_saved_as_a_file() {
    let app = TestApp::with(|settings| settings.limits.default_page_rows = 4).await;
    for version in ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"] {
        app.publish("acme/tool", version).await;
    }
    app.publish("beta/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "publish", "admin"]).await;
    let request = axum::http::Request::post("/api/v1/skills")
        .header("authorization", format!("Bearer {anna}"))
        .header("user-agent", "<script>alert(1)</script>")
        .header("content-type", "application/json")
        .body(skill("acme/evil", "1.0.0").to_string().into())
        .unwrap();
    app.send(request).await.fails(403, "forbidden");
    audit::flush(&app.app, true).await.unwrap();
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let page = browser.page("/admin/audit").await;
    assert_eq!(page.matches("<td class=\"nowrap\" data-name=\"When\"").count(), 4, "{page}");
    let next =
        page.split_once("rel=\"next\" href=\"").unwrap().1.split_once('"').unwrap().0.replace("&#38;", "&");
    assert!(browser.page(&next).await.contains("version.published"));
    let page = browser.page("/admin/audit?outcome=denied").await;
    assert!(page.contains("&#60;script&#62;alert(1)") && !page.contains("<script>alert"), "{page}");
    assert!(page.contains("<code class=\"small\">forbidden</code>") && page.contains(">anna</td>"), "{page}");
    let asked = "/admin/audit?actor=admin&subject=acme%2Ftool&action=version.";
    let page = browser.page(asked).await;
    assert!(page.contains("value=\"acme/tool\"") && !page.contains("beta/tool"), "{page}");
    let next =
        page.split_once("rel=\"next\" href=\"").unwrap().1.split_once('"').unwrap().0.replace("&#38;", "&");
    assert!(next.starts_with(asked), "{next}");
    let rest = browser.page(&next).await;
    assert_eq!(rest.matches("version.published").count(), 1, "{rest}");
    // The same as a file, all of it.
    let file = browser.get(&format!("{asked}&format=csv")).await;
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"audit.csv\"");
    assert_eq!(text(&file).lines().count(), 6);
    assert!(page.contains("format=csv") && page.contains("format=jsonl"));
    let file = browser.get(&format!("{asked}&format=jsonl")).await;
    assert_eq!(text(&file).lines().count(), 5);
    assert!(browser.page("/admin/audit?actor=%3Cb%3E").await.contains("Nothing was found"));
    for bad in ["outcome=maybe", "from=yesterday", "format=xml", "address=here", "before=x"] {
        let answer = browser.get(&format!("/admin/audit?{bad}")).await;
        assert_eq!((answer.status.as_u16(), text(&answer).contains("<b>")), (400, false), "{bad}");
    }
    // It is none of others'.
    for path in ["/admin/audit", "/admin/audit?format=csv", "/admin/audit?show=report"] {
        assert_eq!(Browser::signed_in(&app, &anna).await.get(path).await.status, 403, "{path}");
        assert_eq!(Browser::new(&app).get(path).await.status, 303, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_of_a_namespace_see_what_concerns_it() {
    let app = TestApp::with(|settings| settings.trust_forwarded = true).await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("beta/tool", "1.0.0").await;
    let all = ["read", "admin", "rate", "publish", "review"];
    let (ada, paul, zoe) =
        (app.user("ada", &all).await, app.user("paul", &all).await, app.user("zoe", &all).await);
    app.member("acme", "ada", "admin").await;
    app.member("acme", "paul", "reader").await;
    let request = axum::http::Request::post("/api/v1/skills/acme/tool/rate")
        .header("authorization", format!("Bearer {zoe}"))
        .header("x-forwarded-for", "192.0.2.66")
        .header("content-type", "application/json")
        .body(json!({ "rating": 1 }).to_string().into())
        .unwrap();
    app.send(request).await.is(200);
    let path = "/orgs/acme/audit";
    let mut browser = Browser::signed_in(&app, &ada).await;
    let page = browser.page(path).await;
    assert!(page.contains("skill.rated") && page.contains(">zoe</td>"), "{page}");
    assert!(
        !page.contains("beta/tool") && !page.contains("192.0.2.66") && !page.contains("name=\"address\"")
    );
    // Nor is another namespace's asked for by a word in the address.
    let page = browser.page(&format!("{path}?namespace=beta&subject=beta")).await;
    assert!(page.contains("Nothing was found") && !page.contains("beta/tool"), "{page}");
    let file = text(&browser.get(&format!("{path}?format=csv&namespace=beta")).await);
    assert!(file.contains("acme/tool") && !file.contains("beta") && !file.contains("192.0.2.66"), "{file}");
    assert_eq!(browser.get(&format!("{path}?address=192.0.2.66")).await.status, 403);
    for (token, status) in [(&paul, 403), (&zoe, 404)] {
        let mut browser = Browser::signed_in(&app, token).await;
        for query in ["", "?format=csv", "?show=report"] {
            assert_eq!(browser.get(&format!("{path}{query}")).await.status, status, "{query}");
        }
    }
    let page = browser.page(&format!("{path}?show=report&days=7")).await;
    assert!(page.contains("member.set") && page.contains("value=\"7\" selected"), "{page}");
    assert!(page.contains("for paul") && !page.contains("192.0.2.66"), "{page}");
    assert_eq!(browser.get(&format!("{path}?show=report&days=367")).await.status, 400);
    let page = Browser::signed_in(&app, ADMIN).await.page("/admin/audit?show=report").await;
    assert!(page.contains("Released after approval") && page.contains("By whom"), "{page}");
}
