//! Pages of review: what changed, what was found, what is said, and deciding.

use serde_json::{Value, json};
use skillery_core::bundle::BundleFile;

use super::super::audit::denied;
use super::super::folders::{asked, file};
use super::super::{ADMIN, Answer, SCOPES, TestApp};
use super::{Browser, text};

const EVIL: &str =
    "<script>window.ran=1</script><img src=x onerror=\"window.ran=2\">\"' onfocus=window.ran=3 x=\"";
const EVIL_NAME: &str = "assets/'onfocus='window.ran=1'.txt";

/// Everybody of acme: who publishes, reviews, only reads, owns; and a stranger.
struct People {
    author: String,
    rita: String,
    rob: String,
    reader: String,
    owner: String,
    stranger: String,
}

fn skill_file(description: &str, more: &str) -> BundleFile {
    let text = format!(
        "---\nname: tool\ndescription: {description} Use it for forms.\nlicense: MIT\n---\n\n# Tool\n\nRead it.\n{more}"
    );
    file("SKILL.md", text)
}

fn first() -> Vec<BundleFile> {
    vec![
        skill_file("Fills.", ""),
        file("scripts/tool.py", (1..=40).map(|line| format!("line_{line} = {line}\n")).collect::<String>()),
        file("picture.bin", [0, 159, 146, 150]),
        file("gone.txt", "no more\n"),
        file("same.txt", "same\n"),
    ]
}

fn second() -> Vec<BundleFile> {
    let code: String = (1..=40)
        .map(|line| match line {
            20 => "line_20 = 'x\u{202e}y'\n".to_owned(),
            line => format!("line_{line} = {line}\n"),
        })
        .collect();
    vec![
        skill_file("Fills in.", "\nSee [more](references/none.md).\n"),
        file(
            "scripts/tool.py",
            format!(
                "# /// script\n# [tool.skillery.permissions]\n# hosts = [\"example.org:443\"]\n# ///\n{code}"
            ),
        ),
        file("picture.bin", [0, 1, 2]),
        file("same.txt", "same\n"),
        file(EVIL_NAME, format!("{EVIL}\n")),
    ]
}

impl TestApp {
    /// A public skill with a released version, and one that waits.
    async fn reviewed(&self) -> People {
        let people = [
            ("author", "publisher"),
            ("rita", "reviewer"),
            ("rob", "reviewer"),
            ("reader", "reader"),
            ("owner", "owner"),
        ];
        let [author, rita, rob, reader, owner] = self.staff(people).await;
        let stranger = self.user("stranger", SCOPES).await;
        self.send_folder(&author, &asked("acme/tool", "1.0.0"), first()).await.is(201);
        self.demands(json!({ "approvals": 2 })).await;
        self.send_folder(&author, &asked("acme/tool", "1.1.0"), second()).await.is(202);
        People { author, rita, rob, reader, owner, stranger }
    }

    async fn demands(&self, policy: Value) {
        self.put("/api/v1/orgs/acme/policy", ADMIN, policy).await.is(200);
    }

    async fn status(&self, version: &str) -> String {
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/approvals");
        self.get_as(ADMIN, &path).await.is(200)["status"].as_str().unwrap().to_owned()
    }

    async fn digest(&self, version: &str) -> String {
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/approvals");
        self.get_as(ADMIN, &path).await.is(200)["digest"].as_str().unwrap().to_owned()
    }
}

const REVIEW: &str = "/acme/tool/versions/1.1.0/review";
const DIFF: &str = "/acme/tool/versions/1.1.0/diff";

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", text(answer));
    answer.headers["location"].to_str().unwrap().to_owned()
}

/// Nothing that somebody wrote is markup.
#[track_caller]
fn is_harmless(page: &str) {
    for part in ["<script>window", "<img src=x", "onfocus=window.ran=3 x=\"\"", "\"'onfocus='"] {
        assert!(!page.contains(part), "{part}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_shown_to_who_may_have_both_versions() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let page = rita.page(DIFF).await;
    is_harmless(&page);
    for part in [
        "5 files changed",
        "1 file is the same",
        "<mark>⟨U+202E⟩</mark>",
        "1 hidden character",
        "reach hosts",
        "<ins class=\"mono\">example.org:443</ins>",
        "It is no text",
        "<option value=\"1.0.0\" selected>1.0.0</option>",
        "<option value=\"1.1.0\" selected>1.1.0 (pending)</option>",
        "href=\"/acme/tool/versions/1.1.0/diff?format=patch&#38;from=1.0.0\"",
        "are the same</a>",
        "href=\"/acme/tool/versions/1.1.0/review\"",
        "window.ran=1&lt;/script&gt;",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // The patch is for whoever sees the page, by the same cookie.
    let one = rita.page(&format!("{DIFF}?file=gone.txt")).await;
    assert!(one.contains("format=patch&#38;from=1.0.0&#38;path=gone.txt\""), "{one}");
    let patch = rita.get(&format!("{DIFF}?format=patch&from=1.0.0")).await;
    assert_eq!(
        (patch.status.as_u16(), patch.headers["content-type"].to_str().ok()),
        (200, Some("text/x-diff; charset=utf-8"))
    );
    assert!(text(&patch).contains("\ndiff --git a/"), "{patch:?}");
    assert_eq!(rita.get(&format!("{DIFF}?format=x")).await.status, 400);
    // A file that is new has lines, and one that is gone had some.
    assert!(page.contains("gone.txt") && page.contains(">removed</span>"), "{page}");
    // What anybody may see, and what not.
    let mut anybody = Browser::new(&app);
    let all = anybody.page("/acme/tool/versions/1.0.0/diff").await;
    assert!(all.contains("<option value=\"none\" selected>") && !all.contains("1.1.0"), "{all}");
    assert!(
        anybody
            .page("/acme/tool/versions/1.0.0/diff?from=1.0.0")
            .await
            .contains("Both versions are the same")
    );
    for (browser, status) in
        [(&mut anybody, 404), (&mut Browser::signed_in(&app, &people.stranger).await, 404)]
    {
        assert_eq!(browser.get(DIFF).await.status, status);
        assert_eq!(browser.get("/acme/tool/versions/1.0.0/diff?from=1.1.0").await.status, status);
        assert_eq!(browser.get("/acme/tool/versions/9.9.9/diff").await.status, status);
    }
    // Both are chosen by a form.
    let chosen = rita.get("/acme/tool/versions/1.0.0/diff?from=1.0.0&to=1.1.0").await;
    assert_eq!(location(&chosen), "/acme/tool/versions/1.1.0/diff?from=1.0.0");
    for (query, status) in [
        ("?from=x", 400),
        ("?to=x", 400),
        ("?file=none.txt", 404),
        ("?from=9.9.9", 404),
        ("?row=-1", 400),
        ("?at=x", 400),
    ] {
        assert_eq!(rita.get(&format!("{DIFF}{query}")).await.status, status, "{query}");
    }
    let one = rita.page(&format!("{DIFF}?file=scripts/tool.py")).await;
    assert!(one.contains("← All files") && !one.contains("gone.txt"), "{one}");
    // Bounds of a token hold for its session.
    let bound = json!({ "user": "rita", "scopes": ["read", "review"], "namespaces": ["beta"] });
    let mut bound = Browser::signed_in(&app, &app.token(bound).await).await;
    assert_eq!(bound.get(DIFF).await.status, 404);
    assert_eq!(bound.get(REVIEW).await.status, 404);
}

/// The files of a page, each with its lines and what stands between them.
fn files(page: &str) -> Vec<&str> {
    let parts = page.split("<section class=\"file\"").skip(1);
    parts.map(|part| part.split("</section>").next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_compared_is_shown_again_and_hides_nothing_that_came_since() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let mut rob = Browser::signed_in(&app, &people.rob).await;
    // What a busy machine has no time to colour is plain, and not kept: it is asked for until it is.
    let (mut diff, mut review) = (String::new(), String::new());
    while app.app.diffs.len() < 2 {
        (diff, review) = (rita.page(DIFF).await, rita.page(REVIEW).await);
    }
    assert!(diff.contains("gone.txt") && !diff.contains("same.txt"), "{diff}");
    assert_eq!((files(&diff).len(), files(&review).len()), (5, 5));
    assert_eq!(files(&rita.page(DIFF).await), files(&diff));
    assert_eq!(files(&rob.page(&format!("{DIFF}?from=1.0.0")).await), files(&diff));
    assert_eq!(files(&rob.page(REVIEW).await), files(&review));
    let said = [
        ("action", "say"),
        ("text", "Why this host?"),
        ("path", "scripts/tool.py"),
        ("line", "3"),
        ("side", "new"),
        ("against", "1.0.0"),
    ];
    location(&rita.post(REVIEW, &said).await);
    for browser in [&mut rita, &mut rob] {
        let page = browser.page(REVIEW).await;
        let (before, _) = page.split_once("Why this host?").unwrap();
        assert!(before.rsplit("<tr class=\"added\">").next().unwrap().contains("at=new:3:"), "{page}");
    }
    // All of that was laid out once for each kind of page.
    assert_eq!(app.app.diffs.len(), 2);
    // Forms stand where they were asked for.
    for line in [2, 3] {
        let page = rita.page(&format!("{REVIEW}?at=new:{line}:scripts/tool.py")).await;
        assert!(page.contains(&format!("name=\"line\" value=\"{line}\"")), "{page}");
    }
    // Whatever else is compared is something else.
    let all = rita.page(&format!("{DIFF}?from=none")).await;
    assert!(all.contains("same.txt") && !all.contains("gone.txt"), "{all}");
    let back = rita.page("/acme/tool/versions/1.0.0/diff?from=1.1.0").await;
    assert!(back.contains("gone.txt") && files(&back) != files(&diff), "{back}");
    for name in ["gone.txt", "picture.bin"] {
        let one = rita.page(&format!("{DIFF}?file={name}")).await;
        assert_eq!(files(&one).len(), 1, "{one}");
        assert!(files(&one)[0].contains(name), "{one}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ready_is_for_who_may_have_both_versions_now() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let mut anybody = Browser::new(&app);
    let (first, named) = ("/acme/tool/versions/1.0.0/diff", format!("{DIFF}?from=1.0.0"));
    let back = format!("{first}?from=1.1.0");
    for path in [DIFF, REVIEW, &*named, &*back] {
        rita.page(path).await;
    }
    for token in [None, Some(&people.stranger), Some(&people.reader)] {
        let mut browser = match token {
            Some(token) => Browser::signed_in(&app, token).await,
            None => Browser::new(&app),
        };
        for path in [DIFF, &*named, &*back] {
            let answer = browser.get(path).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(!text(&answer).contains("example.org:443"), "{path}");
        }
    }
    // What is not for everybody any more, and then for nobody, is so at once.
    anybody.page(first).await;
    let private = json!({ "visibility": "private" });
    app.put("/api/v1/skills/acme/tool/visibility", ADMIN, private).await.is(204);
    assert_eq!(anybody.get(first).await.status, 404);
    rita.page(first).await;
    let quarantine = "/api/v1/skills/acme/tool/versions/1.0.0/quarantine";
    app.put(quarantine, ADMIN, json!({ "reason": "harms" })).await.is(200);
    for path in [first, &*named, &*back] {
        assert_eq!(rita.get(path).await.status, 403, "{path}");
    }
    // With nothing before it, all of the newer version is new; once that is compared, its bytes are not read again.
    let page = rita.page(DIFF).await;
    assert!(page.contains("<option value=\"none\" selected>") && page.contains("same.txt"), "{page}");
    let digest = app.digest("1.1.0").await;
    let content = app.app.settings.blob_folder().join("sha256").join(&digest[..2]).join(&digest);
    fs_err::remove_file(content).unwrap();
    assert_eq!(files(&rita.page(DIFF).await), files(&page));
    assert_eq!(rita.get(&format!("{DIFF}?file=SKILL.md")).await.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_diff_comes_in_pages_and_loses_nothing() {
    let app = TestApp::new().await;
    let mut files = vec![skill_file("Is large.", "")];
    let line = "x = '<&\">' # words that make a line long enough to be one\n";
    files.extend((0..120).map(|number| file(&format!("scripts/part_{number:03}.py"), line.repeat(60))));
    files.push(file("long.txt", "<".repeat(200_000)));
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "acme" })).await.is(201);
    app.send_folder(ADMIN, &asked("acme/tool", "1.0.0"), files).await.is(201);
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for start in ["/acme/tool/versions/1.0.0/diff", "/acme/tool/versions/1.0.0/review"] {
        let (mut path, mut seen, mut pages) = (start.to_owned(), Vec::new(), 0);
        loop {
            let page = browser.page(&path).await;
            assert!(page.len() < 70_000, "{path} has {} bytes", page.len());
            for part in page.split("-name\">").skip(1) {
                seen.push(part.split('<').next().unwrap().to_owned());
            }
            pages += 1;
            let Some((_, rest)) = page.split_once("<nav class=\"pages\" aria-label=\"Files\">") else {
                break;
            };
            let Some((_, next)) = rest.split_once("rel=\"next\" href=\"") else { break };
            path = next.split('"').next().unwrap().replace("&#38;", "&");
        }
        seen.retain(|name| name.starts_with("scripts/") || name == "SKILL.md" || name == "long.txt");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 122, "{start}: {pages} pages, {seen:?}");
        assert!(pages > 2, "{pages}");
        let (mut path, mut lines) = (format!("{start}?file=scripts/part_007.py"), 0);
        loop {
            let page = browser.page(&path).await;
            lines += page.matches("<tr class=\"added\">").count();
            let Some((_, next)) = page.split_once("<a class=\"button small\" href=\"") else { break };
            path = next.split('"').next().unwrap().replace("&#38;", "&");
        }
        assert_eq!(lines, 60);
        let long = browser.page(&format!("{start}?file=long.txt")).await;
        assert!(long.contains("… 199\u{202f}000 more characters"), "{long}");
    }
    // Long versions to choose from leave less room for files.
    let columns = "skill, status, digest, size, code_hash, description, tags, author, license, files, words, publisher, \
        created_at, log_position";
    app.tamper(format!(
        "INSERT INTO versions (version, {columns}) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) \
         SELECT '1.0.' || n.i || '-{}', {columns} FROM versions, n WHERE version = '1.0.0'",
        "v".repeat(115)
    ))
    .await;
    let page = browser.page("/acme/tool/versions/1.0.0/diff").await;
    assert!(page.contains(" highest of 151 versions are suggested"), "{page}");
    assert!(page.len() < 70_000, "{}", page.len());
}

/// What a browser sends of a control of this name: what is typed in a field; of a menu what is selected, else its first choice.
fn sent(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!(" id=\"{name}\" name=\"{name}\"")).unwrap();
    let (tag, rest) = rest.split_once('>').unwrap();
    let value = |text: &str| {
        let (_, value) = text.split_once("value=\"").unwrap();
        value.split_once('"').unwrap().0.to_owned()
    };
    if tag.contains("value=") {
        return value(tag);
    }
    let (menu, _) = rest.split_once("</select>").unwrap();
    value(menu.split("<option ").find(|option| option.contains("\" selected>")).unwrap_or(menu))
}

#[tokio::test(flavor = "multi_thread")]
async fn any_two_of_very_many_versions_are_compared_by_the_form() {
    let app = TestApp::new().await;
    for id in ["acme/tool", "long/tool"] {
        app.send_folder(ADMIN, &asked(id, "1.0.0"), first()).await.is(201);
    }
    let more = async |id: &str, numbers: (u32, u32), end: &str| {
        let columns = "skill, status, digest, size, code_hash, description, tags, author, license, files, words, publisher, \
            created_at, log_position";
        let (from, to) = numbers;
        app.tamper(format!(
            "INSERT INTO versions (version, {columns}) \
             WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}) \
             SELECT '1.0.' || n.i || '{end}', {columns} FROM versions, n WHERE skill = '{id}' AND version = '1.0.0'"
        ))
        .await;
    };
    let mut browser = Browser::new(&app);
    let diff = |version: &str| format!("/acme/tool/versions/{version}/diff");
    // The form, sent as it comes, leads to what is shown, whichever versions these are.
    let compared = async |browser: &mut Browser<'_>, versions: [&str; 3]| {
        let mut last = String::new();
        for from in versions.into_iter().chain(["none"]) {
            for to in versions {
                last = browser.page(&format!("{}?from={from}", diff(to))).await;
                let chosen = (sent(&last, "from"), sent(&last, "to"));
                assert_eq!(chosen, (from.to_owned(), to.to_owned()), "{last}");
            }
        }
        last
    };
    more("acme/tool", (1, 199), "").await;
    let page = compared(&mut browser, ["1.0.199", "1.0.100", "1.0.0"]).await;
    assert_eq!(page.matches("<option value=\"1.0.").count(), 2 * 200, "{page}");
    assert!(!page.contains(" highest of "), "{page}");
    more("acme/tool", (200, 999), "").await;
    let page = compared(&mut browser, ["1.0.999", "1.0.500", "1.0.0"]).await;
    assert_eq!(page.matches("<option value=\"1.0.").count(), 200, "{page}");
    for part in [
        "The 200 highest of 1\u{202f}000 versions are suggested in an empty field; any other is compared when it is typed.",
        "<option value=\"1.0.999\">",
        "<option value=\"1.0.800\">",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<option value=\"1.0.799\""), "{page}");
    // What nothing was published before is compared with nothing.
    let page = browser.page(&diff("1.0.0")).await;
    assert_eq!((sent(&page, "from"), sent(&page, "to")), ("none".to_owned(), "1.0.0".to_owned()), "{page}");
    // Others are typed, and what there is none of is told.
    let answer = browser.get(&format!("{}?from=1.0.3&to=1.0.4", diff("1.0.999"))).await;
    assert_eq!(location(&answer), "/acme/tool/versions/1.0.4/diff?from=1.0.3");
    let answer = browser.get(&format!("{}?from=1.0.3&to=7.7.7", diff("1.0.999"))).await;
    assert_eq!(location(&answer), "/acme/tool/versions/7.7.7/diff?from=1.0.3");
    for path in [location(&answer), format!("{}?from=7.7.7&to=1.0.999", diff("1.0.999"))] {
        let missing = browser.get(&path).await;
        assert_eq!(missing.status, 404, "{path}");
        assert!(text(&missing).contains("has no version 7.7.7"), "{}", text(&missing));
    }
    for typed in ["from=latest&to=1.0.999", "from=1.0.3&to=latest"] {
        assert_eq!(browser.get(&format!("{}?{typed}", diff("1.0.999"))).await.status, 400, "{typed}");
    }
    // Long ones have room in no menu, and not all are suggested.
    more("long/tool", (1, 150), &format!("-{}", "v".repeat(115))).await;
    let page = browser.page("/long/tool/versions/1.0.0/diff?from=none").await;
    assert_eq!((sent(&page, "from"), sent(&page, "to")), ("none".to_owned(), "1.0.0".to_owned()), "{page}");
    assert!(page.contains(" highest of 151 versions are suggested"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_told_in_words_and_where_they_are() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let path = "/acme/tool/versions/1.1.0/findings";
    let page = rita.page(path).await;
    is_harmless(&page);
    let told = app.get_as(&people.rita, &format!("/api/v1/skills{path}")).await.is(200);
    let findings = told["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    for finding in findings {
        let rule = finding["rule"].as_str().unwrap();
        assert!(page.contains(&format!("Rule <code>{rule}</code>")), "{rule}: {page}");
    }
    let found = findings.iter().find(|finding| finding["path"] == "SKILL.md" && finding["line"].is_number());
    let line = &found.unwrap()["line"];
    let place = format!("/acme/tool/versions/1.1.0/files/SKILL.md?line={line}#L{line}");
    assert!(page.contains(&place), "{place}: {page}");
    for browser in [&mut Browser::new(&app), &mut Browser::signed_in(&app, &people.stranger).await] {
        assert_eq!(browser.get(path).await.status, 404);
    }
    // Where nothing was found it is said what was looked at; the version tells how much was found.
    let clean = vec![skill_file("Is clean.", "")];
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "beta" })).await.is(201);
    app.send_folder(ADMIN, &asked("beta/tool", "1.0.0"), clean).await.is(201);
    let mut anybody = Browser::new(&app);
    let page = anybody.page("/beta/tool/versions/1.0.0/findings").await;
    assert!(page.contains("Nothing was found") && page.contains("rules looked at 1 file:"), "{page}");
    assert!(
        anybody
            .page("/beta/tool/versions/1.0.0")
            .await
            .contains("/beta/tool/versions/1.0.0/findings\">none</a>")
    );
    for _ in 0..2 {
        let page = rita.page("/acme/tool/versions/1.1.0").await;
        assert!(page.contains("/findings\">") && page.contains("warning"), "{page}");
        assert!(page.contains("/acme/tool/versions/1.1.0/review\">Review it</a>"), "{page}");
    }
    let mut author = Browser::signed_in(&app, &people.author).await;
    assert!(author.page("/acme/tool/versions").await.contains("aria-label=\"Review 1.1.0\""));
    assert!(!anybody.page("/acme/tool/versions").await.contains("aria-label=\"Review"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_leads_to_its_line_however_long_the_lines_are() {
    const FILE: &str = "/acme/tool/versions/1.0.0/files/SKILL.md?line=";
    let app = TestApp::new().await;
    let lines = (1..=190).map(|number| match number {
        10 | 180 => "x\u{202e}y\n".to_owned(),
        number if number < 100 => "Short.\n".to_owned(),
        _ => "<".repeat(600) + "\n",
    });
    let files = vec![skill_file("Is long.", &lines.collect::<String>())];
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "acme" })).await.is(201);
    app.send_folder(ADMIN, &asked("acme/tool", "1.0.0"), files).await.is(201);
    let mut browser = Browser::new(&app);
    let findings = browser.page("/acme/tool/versions/1.0.0/findings").await;
    let mut seen = Vec::new();
    for place in findings.split(FILE).skip(1) {
        let (line, rest) = place.split_once("#L").unwrap();
        assert!(rest.starts_with(&format!("{line}\"")), "{findings}");
        let line: usize = line.parse().unwrap();
        let page = browser.page(&format!("{FILE}{line}")).await;
        let has = |line: usize| page.contains(&format!("id=\"L{line}\""));
        assert!(has(line) && has(line - 1), "{line}: {page}");
        seen.push((line, has(1), has(line.saturating_sub(20))));
    }
    // All from the beginning, all that is before it as far as there is room.
    let [(first, true, _), (second, false, false)] = seen[..] else { panic!("{seen:?}: {findings}") };
    assert_eq!(second - first, 170);
    // A line that the file has no more leads to its end.
    let end = browser.page(&format!("{FILE}9999")).await;
    assert!(end.contains(&format!("id=\"L{}\"", second + 10)), "{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_for_who_reviews_and_who_published() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    for token in [&people.rita, &people.author, &people.owner, ADMIN] {
        let page = Browser::signed_in(&app, token).await.page(REVIEW).await;
        assert!(
            page.contains("1.1.0 waits for approval") && page.contains("2 approvals are missing."),
            "{page}"
        );
        is_harmless(&page);
    }
    for token in [&people.reader, &people.stranger] {
        let mut browser = Browser::signed_in(&app, token).await;
        // Of a version that waits, and of one that everybody sees.
        for path in [REVIEW, "/acme/tool/versions/1.0.0/review", "/acme/tool/versions/9.9.9/review"] {
            assert_eq!(browser.get(path).await.status, 404, "{path}");
            for action in ["approve", "say", "reject", "force", "hide", "x"] {
                let fields = [
                    ("action", action),
                    ("comment", "no"),
                    ("text", "no"),
                    ("reason", "no"),
                    ("confirm", "yes"),
                ];
                assert_eq!(browser.post(path, &fields).await.status, 404, "{path} {action}");
            }
        }
    }
    let anybody = Browser::new(&app).get(REVIEW).await;
    assert!(location(&anybody).starts_with("/login?next="), "{anybody:?}");
    assert_eq!(app.status("1.1.0").await, "pending");
    // The publisher decides nothing about it.
    let mut author = Browser::signed_in(&app, &people.author).await;
    let page = author.page(REVIEW).await;
    assert!(!page.contains("value=\"approve\"") && page.contains("Say what changed"), "{page}");
    let change = [("action", "changelog"), ("changelog", EVIL)];
    location(&author.post(REVIEW, &change).await);
    let page = author.page(REVIEW).await;
    assert!(page.contains("Say otherwise what changed"), "{page}");
    is_harmless(&page);
    // Forms of other sites, and without the word of the session, do nothing.
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let digest = app.digest("1.1.0").await;
    let fields = [("action", "approve"), ("digest", digest.as_str()), ("csrf", "x")];
    assert_eq!(rita.post_from("same-origin", REVIEW, &fields).await.status, 403);
    assert_eq!(rita.post_from("cross-site", REVIEW, &fields).await.status, 403);
    assert!(!rita.page(REVIEW).await.contains("Approved by"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_spoken_about_and_threads_resolved() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let page = rita.page(REVIEW).await;
    assert!(page.contains("?at=new:24:scripts/tool.py#form"), "{page}");
    let form = rita.page(&format!("{REVIEW}?at=new:24:scripts/tool.py")).await;
    assert!(form.contains("name=\"line\" value=\"24\"") && form.contains("id=\"form\""), "{form}");
    let say = |text: &'static str, line: &'static str, side: &'static str| {
        [
            ("action", "say"),
            ("text", text),
            ("path", "scripts/tool.py"),
            ("line", line),
            ("side", side),
            ("against", "1.0.0"),
        ]
    };
    let next = location(&rita.post(REVIEW, &say(EVIL, "24", "new")).await);
    assert!(next.starts_with(&format!("{REVIEW}?notice=thread-said#t-")), "{next}");
    let id = next.split("#t-").nth(1).unwrap().to_owned();
    location(&rita.post(REVIEW, &say("It was better.", "20", "old")).await);
    location(&rita.post(REVIEW, &[("action", "say"), ("text", "About all of it.\n\nReally.")]).await);
    let page = rita.page(REVIEW).await;
    is_harmless(&page);
    for part in [
        &*format!("id=\"t-{id}\""),
        "It was better.",
        "About all of it.",
        "3 threads are open",
        "scripts/tool.py, line 24",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // It stands below its line.
    let (before, _) = page.split_once(&format!("id=\"t-{id}\"")).unwrap();
    assert!(before.rsplit("<tr class=\"added\">").next().unwrap().contains("at=new:24:"), "{before}");
    // What is refused comes back, where it was typed.
    for (fields, says) in [
        (say("  ", "24", "new"), "a comment says something"),
        (say("a \u{202e} b", "24", "new"), "which is not allowed"),
        (say("kept as typed", "999", "new"), "the file has the lines 1 to 44"),
        (say("kept as typed", "x", "new"), "a line is a whole number"),
    ] {
        let answer = rita.post(REVIEW, &fields).await;
        let page = text(&answer);
        assert_eq!(answer.status, 422, "{page}");
        assert!(page.contains(says) && page.contains("role=\"alert\""), "{says}: {page}");
        assert!(fields[1].1 != "kept as typed" || page.contains("kept as typed"), "{page}");
    }
    // The publisher answers and resolves.
    let mut author = Browser::signed_in(&app, &people.author).await;
    let answer = [
        ("action", "answer"),
        ("thread", id.as_str()),
        ("text", "As it is wanted."),
        ("next", "//evil.example"),
    ];
    assert!(location(&author.post(REVIEW, &answer).await).starts_with(REVIEW));
    location(&author.post(REVIEW, &[("action", "resolve"), ("thread", &id)]).await);
    let page = rita.page(REVIEW).await;
    assert!(page.contains("resolved by author") && page.contains("As it is wanted."), "{page}");
    location(&rita.post(REVIEW, &[("action", "reopen"), ("thread", &id)]).await);
    // A thread has a page of its own, where one's own words are changed and taken away.
    let thread = format!("{REVIEW}?thread={id}");
    let page = rita.page(&thread).await;
    assert!(page.contains("About scripts/tool.py, line 24") && page.contains("As it is wanted."), "{page}");
    is_harmless(&page);
    assert_eq!(page.matches("value=\"edit\"").count(), 1, "{page}");
    let edit = [
        ("action", "edit"),
        ("comment", id.as_str()),
        ("thread", id.as_str()),
        ("text", "Said better."),
        ("next", thread.as_str()),
    ];
    assert_eq!(location(&rita.post(REVIEW, &edit).await), format!("{thread}&notice=saved#t-{id}"));
    let page = rita.page(&thread).await;
    assert!(page.contains("Said better.") && page.contains("Changed 1 time"), "{page}");
    // Not what others said.
    let foreign = author.post(REVIEW, &edit).await;
    assert_eq!(foreign.status, 403);
    assert!(text(&foreign).contains("a comment is changed by who wrote it"), "{}", text(&foreign));
    let hide = [("action", "hide"), ("comment", id.as_str()), ("thread", id.as_str()), ("confirm", "yes")];
    assert!(text(&rita.post(REVIEW, &hide[..3]).await).contains("Take this comment away?"));
    location(&rita.post(REVIEW, &hide).await);
    let page = rita.page(REVIEW).await;
    assert!(!page.contains("Said better.") && page.contains("It was taken away."), "{page}");
    for wrong in ["nothing", "00000000-0000-0000-0000-000000000000", "%3Cscript%3E"] {
        assert_eq!(rita.get(&format!("{REVIEW}?thread={wrong}")).await.status, 404);
    }
    // A reader of the namespace is told nothing of it.
    assert_eq!(Browser::signed_in(&app, &people.reader).await.get(&thread).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_threads_and_many_of_them_have_pages() {
    let app = TestApp::with(|settings| settings.limits.review_comments = 2_000).await;
    let people = app.reviewed().await;
    let path = "/api/v1/skills/acme/tool/versions/1.1.0/approvals/comments";
    let say = async |body: Value| app.post(path, &people.rita, body).await.is(201);
    let long = "<&\"".repeat(1_300);
    let thread = say(json!({ "text": "first", "path": "SKILL.md", "line": 3 })).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for number in 0..12 {
        say(json!({ "text": format!("{long}{number}"), "thread": thread })).await;
    }
    for number in 0..45 {
        say(json!({ "text": format!("{long}{number}"), "path": "scripts/tool.py", "line": 24 })).await;
    }
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let page = rita.page(REVIEW).await;
    assert!(page.len() < 75_000, "{}", page.len());
    assert!(page.contains("?threads=20#threads") && page.contains("more comment"), "{page}");
    let (mut address, mut seen) = (format!("{REVIEW}?thread={thread}"), 0);
    loop {
        let page = rita.page(&address).await;
        assert!(page.len() < 80_000, "{}", page.len());
        seen += page.matches("<article class=\"said\">").count();
        let Some((_, next)) = page.split_once("rel=\"next\" href=\"") else { break };
        address = next.split('"').next().unwrap().replace("&#38;", "&");
    }
    assert_eq!(seen, 13);
    assert!(rita.page(&format!("{REVIEW}?threads=40")).await.contains("← Previous"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_approved_refused_and_released_by_force() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    let digest = app.digest("1.1.0").await;
    let fields = |action: &'static str, comment: &'static str| {
        [("action", action), ("digest", digest.as_str()), ("comment", comment)]
    };
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    // What needs a reason has one; what was looked at is named.
    for action in ["reject", "request-changes"] {
        let answer = rita.post(REVIEW, &fields(action, " ")).await;
        assert_eq!(answer.status, 422, "{action}");
        assert!(text(&answer).contains("role=\"alert\""), "{}", text(&answer));
    }
    let other = app.digest("1.0.0").await;
    let answer =
        rita.post(REVIEW, &[("action", "approve"), ("digest", &other), ("comment", "kept as typed")]).await;
    assert_eq!(answer.status, 409);
    assert!(
        text(&answer).contains("was looked at") && text(&answer).contains("kept as typed"),
        "{}",
        text(&answer)
    );
    location(&rita.post(REVIEW, &fields("request-changes", EVIL)).await);
    let page = rita.page(REVIEW).await;
    assert!(page.contains("asked for changes"), "{page}");
    is_harmless(&page);
    location(&rita.post(REVIEW, &fields("approve", "Now I see.")).await);
    let page = rita.page(REVIEW).await;
    for part in ["Approved by rita.", "1 approval is missing.", "Your approval counts.", "Now I see."] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("value=\"approve\""), "{page}");
    // Nobody releases by force but owners, and they say why, and are asked.
    let force = [("action", "force"), ("reason", "The fix is urgent."), ("confirm", "yes")];
    let refused = rita.post(REVIEW, &force).await;
    assert_eq!(refused.status, 403);
    assert_eq!(app.status("1.1.0").await, "pending");
    assert!(!page.contains("Break the glass"));
    let mut owner = Browser::signed_in(&app, &people.owner).await;
    assert!(owner.page(REVIEW).await.contains("Break the glass"));
    assert_eq!(owner.post(REVIEW, &[("action", "force"), ("reason", "")]).await.status, 422);
    assert!(text(&owner.post(REVIEW, &force[..2]).await).contains("without approvals?"));
    assert_eq!(app.status("1.1.0").await, "pending");
    location(&owner.post(REVIEW, &force).await);
    assert_eq!(app.status("1.1.0").await, "published");
    let page = rita.page(REVIEW).await;
    assert!(page.contains("released without approvals") && page.contains("The fix is urgent."), "{page}");
    // Whoever comes by is told.
    let mut anybody = Browser::new(&app);
    assert!(
        anybody.page("/acme/tool").await.contains("1.1.0 was released by an owner, without the approvals")
    );
    assert!(anybody.page("/acme/tool/versions").await.contains("<span class=\"pill warn\">forced</span>"));
    // The second of two looks at it, and that is noted.
    let mut rob = Browser::signed_in(&app, &people.rob).await;
    assert!(rob.page(REVIEW).await.contains("value=\"approve\""));
    location(&rob.post(REVIEW, &fields("approve", "")).await);
    assert!(rob.page(REVIEW).await.contains("completed another look at it"));
    // What is rejected is asked for again, and is for ever.
    app.send_folder(&people.author, &asked("acme/tool", "1.2.0"), first()).await.is(202);
    let path = "/acme/tool/versions/1.2.0/review";
    let digest = app.digest("1.2.0").await;
    let reject = [("action", "reject"), ("digest", digest.as_str()), ("comment", EVIL), ("confirm", "yes")];
    let asked = text(&rita.post(path, &reject[..3]).await);
    assert!(asked.contains("Reject acme/tool 1.2.0?"), "{asked}");
    is_harmless(&asked);
    assert_eq!(app.status("1.2.0").await, "pending");
    location(&rita.post(path, &reject).await);
    assert_eq!(app.status("1.2.0").await, "rejected");
    let page = rita.page(path).await;
    assert!(page.contains("1.2.0 was rejected") && page.contains("handed out to nobody"), "{page}");
    is_harmless(&page);
    assert_eq!(rita.get("/acme/tool/versions/1.2.0/diff").await.status, 404);
    // Its own page says what became of it, without links to files that nobody gets.
    let page = rita.page("/acme/tool/versions/1.2.0").await;
    assert!(page.contains("1.2.0 was rejected") && page.contains(">SKILL.md</span>"), "{page}");
    assert!(!page.contains("/versions/1.2.0/files"), "{page}");
    is_harmless(&page);
    assert_eq!(Browser::new(&app).get("/acme/tool/versions/1.2.0").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_say_who_is_missing_and_signatures_are_not_pretended() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    app.put("/api/v1/orgs/acme/policy/groups/security", ADMIN, json!({ "users": ["rob"] })).await.is(200);
    app.demands(json!({
        "signed_reviews": true,
        "stages": [
            { "name": "look", "approvals": 1 },
            { "name": "security", "approvals": 1, "group": "security", "when": ["new-permissions"] },
        ],
    }))
    .await;
    app.send_folder(&people.author, &asked("acme/tool", "1.3.0"), second()).await.is(202);
    let path = "/acme/tool/versions/1.3.0/review";
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let page = rita.page(path).await;
    for part in [
        "1 reviewer or above, by signed reviews",
        "of the group security",
        "In the group: rob",
        "It opens when look is complete.",
        "it asks for new permissions",
        "<code>skillery approve accept acme/tool 1.3.0 --sign</code>",
        "Policy of acme",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("value=\"approve\"") && page.contains("value=\"reject\""), "{page}");
    // Whoever sends it after all is told why not.
    let digest = app.digest("1.3.0").await;
    let answer = rita.post(path, &[("action", "approve"), ("digest", &digest)]).await;
    assert!(answer.status == 403 || answer.status == 422, "{}", text(&answer));
    assert!(text(&answer).contains("counts signed approvals only"), "{}", text(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_listed_for_who_decides_and_who_asked() {
    let app = TestApp::with(|settings| settings.limits.default_page_rows = 2).await;
    let people = app.reviewed().await;
    for version in ["1.2.0", "1.3.0"] {
        app.send_folder(&people.author, &asked("acme/tool", version), second()).await.is(202);
    }
    let path = "/account/approvals";
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let page = rita.page(path).await;
    assert!(
        page.contains("href=\"/acme/tool/versions/1.1.0/review\"") && page.contains("offset=2"),
        "{page}"
    );
    assert!(rita.page("/account").await.contains("href=\"/account/approvals\""));
    assert!(rita.page("/orgs/acme").await.contains("/account/approvals?show=all&amp;namespace=acme"));
    let mut author = Browser::signed_in(&app, &people.author).await;
    assert!(author.page(path).await.contains("Nothing waits for you"));
    assert!(author.page(&format!("{path}?show=mine")).await.contains("/acme/tool/versions/1.1.0/review"));
    let mut stranger = Browser::signed_in(&app, &people.stranger).await;
    for list in ["needs-me", "all", "due", "mine", "decided", "mine-decided"] {
        let page = stranger.page(&format!("{path}?show={list}")).await;
        assert!(page.contains("class=\"empty\"") && !page.contains("acme"), "{page}");
    }
    assert_eq!(stranger.get(&format!("{path}?show=all&namespace=acme")).await.status, 404);
    assert_eq!(stranger.get(&format!("{path}?show=x")).await.status, 400);
    assert_eq!(location(&Browser::new(&app).get(path).await), "/login?next=%2Faccount%2Fapprovals");
    let digest = app.digest("1.1.0").await;
    let fields = [("action", "approve"), ("digest", digest.as_str())];
    location(&rita.post(REVIEW, &fields).await);
    assert!(!rita.page(path).await.contains("/1.1.0/review"));
    assert!(rita.page(&format!("{path}?show=all&namespace=acme")).await.contains("you approved it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_buttons_that_are_always_refused() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    let has = |page: &str, words: [&str; 3]| words.map(|word| page.contains(&format!("value=\"{word}\"")));
    const ALL: [&str; 3] = ["approve", "reject", "force"];
    // One ladder counts signed approvals alone, another takes any: an unsigned one is refused.
    app.demands(json!({ "approvals": 1 })).await;
    let signed = json!({ "signed_reviews": true, "stages": [{ "name": "look" }, { "name": "late", "role": "admin" }] });
    app.put("/api/v1/orgs/acme/team/policy", ADMIN, signed).await.is(200);
    app.send_folder(&people.author, &asked("acme/team/tool", "1.0.0"), first()).await.is(202);
    let path = "/acme/team/tool/versions/1.0.0/review";
    let mut rita = Browser::signed_in(&app, &people.rita).await;
    let page = rita.page(path).await;
    assert_eq!(has(&page, ALL), [false, true, false], "{page}");
    assert!(page.contains("skillery approve accept acme/team/tool 1.0.0 --sign"), "{page}");
    // Namespaces that are written otherwise are the same.
    app.put("/api/v1/orgs/acme/my-team/policy/groups/security", ADMIN, json!({ "users": ["rob"] }))
        .await
        .is(200);
    let asks = json!({ "stages": [{ "name": "security", "group": "security" }] });
    app.put("/api/v1/orgs/acme/my_team/policy", ADMIN, asks).await.is(200);
    app.send_folder(&people.author, &asked("acme/my-team/tool", "1.0.0"), first()).await.is(202);
    let page = rita.page("/acme/my-team/tool/versions/1.0.0/review").await;
    assert!(page.contains("In the group: rob"), "{page}");
    // Where an admin decides, a reviewer does not.
    app.demands(json!({ "approvals": 1, "role": "admin" })).await;
    let page = rita.page(REVIEW).await;
    assert_eq!(has(&page, ALL), [false, false, false], "{page}");
    assert!(page.contains("`admin` or above"), "{page}");
    let digest = app.digest("1.1.0").await;
    let digest = ("digest", digest.as_str());
    let reject = [("action", "reject"), ("comment", "no"), digest, ("confirm", "yes")];
    assert_eq!(rita.post(REVIEW, &reject).await.status, 403);
    // The audit has the code of a form that was given back, as of all that is refused.
    let refused = denied(&app).await;
    let is_form = |row: &&Value| row["action"] == "POST /{id}/versions/{version}/review";
    let codes: Vec<&Value> = refused.iter().filter(is_form).map(|row| &row["code"]).collect();
    assert_eq!(codes, [&json!("forbidden")], "{refused:?}");
    let page = Browser::signed_in(&app, &people.owner).await.page(REVIEW).await;
    assert_eq!(has(&page, ALL), [true, true, true], "{page}");
    // An admin of the registry decides by a role of their own alone.
    app.delete("/api/v1/orgs/acme/members/admin", ADMIN).await.is(204);
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    assert_eq!(has(&admin.page(REVIEW).await, ALL), [false, false, false]);
    assert_eq!(admin.post(REVIEW, &reject).await.status, 403);
    app.member("acme", "admin", "admin").await;
    assert_eq!(has(&admin.page(REVIEW).await, ALL), [true, true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_approvals_link_to_what_is_there() {
    let app = TestApp::new().await;
    let people = app.reviewed().await;
    let mut author = Browser::signed_in(&app, &people.author).await;
    let list = "/account/approvals?show=mine-decided";
    app.put("/api/v1/skills/acme/tool/visibility", ADMIN, json!({ "visibility": "public" })).await.is(204);
    let mine = author.page("/account/approvals?show=mine").await;
    assert!(
        mine.contains("/acme/tool/versions/1.1.0/review") && mine.contains("/versions/1.1.0/diff"),
        "{mine}"
    );
    let rejected = json!({ "decision": "rejected", "comment": "no" });
    app.post("/api/v1/skills/acme/tool/versions/1.1.0/approvals", &people.rita, rejected).await.is(200);
    let page = author.page(list).await;
    assert!(page.contains("/acme/tool/versions/1.1.0/review") && !page.contains("/1.1.0/diff"), "{page}");
    // Who left has no review to look at.
    app.delete("/api/v1/orgs/acme/members/author", ADMIN).await.is(204);
    let page = author.page(list).await;
    assert!(page.contains("href=\"/acme/tool/versions/1.1.0\"") && !page.contains("/1.1.0/review"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_take_as_much_as_the_registry_does() {
    let app = TestApp::with(|settings| {
        settings.limits.review_comment_length = 9_001;
        settings.limits.reason_length = 5_002;
        settings.limits.changelog_length = 7_003;
    })
    .await;
    let people = app.reviewed().await;
    let page = Browser::signed_in(&app, &people.owner).await.page(REVIEW).await;
    assert!(page.contains("maxlength=\"9001\"") && page.contains("maxlength=\"5002\""), "{page}");
    let page = Browser::signed_in(&app, &people.author).await.page(REVIEW).await;
    assert!(page.contains("maxlength=\"7003\""), "{page}");
    // What is said stands without blanks around it, whichever way it was said.
    let path = "/api/v1/skills/acme/tool/versions/1.1.0/approvals";
    let reject = json!({ "decision": "rejected", "comment": "  no\n" });
    let said = app.post(path, &people.rita, reject).await.is(200);
    assert_eq!(said["decisions"][0]["comment"], "no");
}
