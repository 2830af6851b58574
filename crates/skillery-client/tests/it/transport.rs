//! Requests and answers: what is sent, what is sent again, and what is never followed.

use std::ops::ControlFlow;
use std::time::Duration;

use skillery_client::{AuditQuery, Client, Config, Error, ExitClass, Page, SearchQuery, Sort};
use skillery_core::api::AuditFormat;
use skillery_core::{Problem, ProblemCode, SkillId, Version, VersionRequest};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::scripted::{Reply, Scripted, read_request};

fn id() -> SkillId {
    "acme/email/validator".parse().unwrap()
}

const EMPTY: &str = r#"{"total": 0, "skills": []}"#;

#[tokio::test]
async fn a_request_has_its_path_its_query_and_its_headers() {
    let server = Scripted::start(|_, _| Some(Reply::json(200, EMPTY))).await;
    let client = server.client();
    let query = SearchQuery {
        q: " e mail&x=1 ".into(),
        tags: vec!["a".into(), "b".into()],
        org: Some("acme/email".parse().unwrap()),
        publisher: Some("ada".into()),
        min_rating: Some(3.5),
        sort: Some(Sort::Rating),
        page: Page { limit: Some(10), offset: Some(20) },
    };
    client.search(&query).await.unwrap();
    let version: Version = "1.0.0+build.1".parse().unwrap();
    let _ = client.version(&id(), &version).await;
    let _ = client.download(&id(), &"^1.2".parse().unwrap()).await;
    let _ = client.download(&id(), &VersionRequest::Exact(version)).await;
    insta::assert_snapshot!(server.lines().join("\n"), @r"
    GET /api/v1/skills?q=e+mail%26x%3D1&tags=a%2Cb&org=acme%2Femail&publisher=ada&min_rating=3.5&sort=rating&limit=10&offset=20
    GET /api/v1/skills/acme/email/validator/versions/1.0.0+build.1
    GET /api/v1/skills/acme/email/validator/download?version=%5E1.2
    GET /api/v1/skills/acme/email/validator/download?version=1.0.0%2Bbuild.1
    ");
    let head = &server.requests()[0].head;
    assert!(head.contains("authorization: bearer a-token"), "{head}");
    assert!(head.contains(concat!("user-agent: skillery/", env!("CARGO_PKG_VERSION"))), "{head}");
}

#[tokio::test]
async fn what_may_pass_is_asked_again_and_what_may_not_is_not() {
    let server = Scripted::start(|_, before| match before {
        0 => Some(Reply::json(503, "{}").with("retry-after", "0")),
        1 => None,
        _ => Some(Reply::json(200, EMPTY)),
    })
    .await;
    server.client().search(&SearchQuery::default()).await.unwrap();
    assert_eq!(server.lines().len(), 3);

    let server = Scripted::start(|_, _| Some(Reply::json(503, "{}").with("retry-after", "0"))).await;
    let error = server.client().search(&SearchQuery::default()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.exit_class(), error.is_unreachable()),
        ("http-503", ExitClass::Unreachable, true)
    );
    assert_eq!(server.lines().len(), 3);

    let server = Scripted::start(|_, _| Some(Reply::json(503, "{}").with("retry-after", "0"))).await;
    server.client().create_token(&Default::default()).await.unwrap_err();
    assert_eq!(server.lines().len(), 1, "making a token twice would make two");
}

#[tokio::test]
async fn a_registry_that_wants_more_time_than_there_is_gets_no_second_request() {
    let server = Scripted::start(|_, _| Some(Reply::json(503, "{}").with("retry-after", "3600"))).await;
    let error = server.client().search(&SearchQuery::default()).await.unwrap_err();
    assert_eq!(error.code(), "http-503");
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Scripted::start(|_, _| Some(Reply::json(200, EMPTY))).await;
    let target = elsewhere.config.url.to_string();
    let server =
        Scripted::start(move |_, _| Some(Reply::json(307, "").with("location", target.clone()))).await;
    let error = server.client().search(&SearchQuery::default()).await.unwrap_err();
    assert_eq!(error.code(), "registry-redirects");
    assert!(elsewhere.lines().is_empty(), "the token went elsewhere");
}

#[tokio::test]
async fn an_answer_that_never_ends_is_cut_off() {
    let body = format!("2000000\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", " ".repeat(0x0200_0000));
    let server = Scripted::start(move |_, _| {
        Some(Reply::json(200, body.clone()).with("transfer-encoding", "chunked"))
    })
    .await;
    let error = server.client().search(&SearchQuery::default()).await.unwrap_err();
    assert_eq!(error.code(), "bad-answer");
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[tokio::test]
async fn a_silent_registry_times_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config =
        Config { url: url.parse().unwrap(), timeout: Duration::from_millis(50), ..Config::default() };
    let error = Client::new(&config).unwrap().search(&SearchQuery::default()).await.unwrap_err();
    assert_eq!((error.code(), error.exit_class()), ("registry-timed-out", ExitClass::Unreachable));
    assert_eq!(error.to_string(), format!("the registry at {url} did not answer within 0.05 s"));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = Config { url: url.parse().unwrap(), ..Config::default() };
    let error = Client::new(&config).unwrap().search(&SearchQuery::default()).await.unwrap_err();
    assert_eq!((error.code(), error.exit_class().code()), ("registry-unreachable", 5));
}

#[tokio::test]
async fn problems_keep_their_code_and_hint_and_strangers_get_one() {
    let problem = Problem::new(ProblemCode::SkillNotFound, "there is no `acme/x`");
    let text = serde_json::to_string(&problem).unwrap();
    let server = Scripted::start(move |_, _| Some(Reply::json(404, text.clone()))).await;
    let error = server.client().skill(&id()).await.unwrap_err();
    assert_eq!((error.code(), error.exit_class()), ("skill-not-found", ExitClass::NotFound));
    assert_eq!(error.to_string(), "there is no `acme/x`");
    assert_eq!(error.hint(), Some(ProblemCode::SkillNotFound.hint()));

    let server = Scripted::start(|_, _| {
        Some(Reply::json(403, r#"{"code": "from-the-future", "detail": "no", "hint": "wait"}"#))
    })
    .await;
    let error = server.client().skill(&id()).await.unwrap_err();
    assert_eq!((error.code(), error.hint(), error.exit_class().code()), ("from-the-future", Some("wait"), 3));

    let server = Scripted::start(|_, _| Some(Reply::json(404, "<html>\u{1b}[31mnginx</html>"))).await;
    let error = server.client().skill(&id()).await.unwrap_err();
    assert_eq!(error.code(), "http-404");
    assert!(error.to_string().ends_with(r"answered 404: <html>\u{1b}[31mnginx</html>"), "{error}");

    let server = Scripted::start(|_, _| Some(Reply::json(200, "<html>"))).await;
    let error = server.client().skill(&id()).await.unwrap_err();
    assert_eq!((error.code(), error.exit_class().code()), ("bad-answer", 5));
}

#[tokio::test]
async fn nothing_is_sent_without_the_token_that_it_needs() {
    let server = Scripted::start(|_, _| None).await;
    let config = Config { token: None, ..server.config.clone() };
    let client = Client::new(&config).unwrap();
    let error = client.publish(&Default::default()).await.unwrap_err();
    assert_eq!((error.code(), error.exit_class().code()), ("token-required", 3));
    assert_eq!(error.to_string(), "registry token required for publishing");
    assert!(server.lines().is_empty());
    assert!(!format!("{:?} {:?}", server.config, server.client()).contains("a-token"));
}

#[tokio::test]
async fn a_search_for_many_takes_as_many_pages_as_it_needs() {
    let server = Scripted::start(|request, _| {
        let number = |name: &str| {
            request.line.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)).map_or(0, |n| n.parse().unwrap())
        };
        let rows = number("limit=").min(450_usize.saturating_sub(number("offset=")));
        let record = r#"{"id":"a/b","name":"b","org":"a","version":"1.0.0","description":"","code_hash":"",
            "signature":null,"tags":[],"rating":0,"rating_count":0,"install_count":0,"created_at":"","updated_at":"",
            "author":"","license":"","homepage":null,"repository":null}"#;
        Some(Reply::json(200, format!(r#"{{"total": 450, "skills": [{}]}}"#, vec![record; rows].join(","))))
    })
    .await;
    let found = server.client().search_many(&SearchQuery::default(), 1_000).await.unwrap();
    assert_eq!((found.total, found.skills.len()), (450, 450));
    assert_eq!(server.client().search_many(&SearchQuery::default(), 0).await.unwrap().skills.len(), 0);
    assert_eq!(server.client().search_many(&SearchQuery::default(), 200).await.unwrap().skills.len(), 200);
    insta::assert_snapshot!(server.lines().join("\n"), @r"
    GET /api/v1/skills?limit=200
    GET /api/v1/skills?limit=200&offset=200
    GET /api/v1/skills?limit=200&offset=400
    GET /api/v1/skills?limit=1
    GET /api/v1/skills?limit=200
    ");
}

#[tokio::test]
async fn as_many_comments_come_as_are_wanted_though_pages_end_early() {
    // Each answer has two of five.
    let server = Scripted::start(|request, _| {
        let number = |name: &str| -> usize {
            request.line.split(['?', '&', ' ']).find_map(|pair| pair.strip_prefix(name)).map_or(0, |n| n.parse().unwrap())
        };
        let offset = number("offset=");
        let rows = number("limit=").min(2).min(5_usize.saturating_sub(offset));
        let comment = r#"{"id":"x","parent":null,"author":"x","text":"x","created_at":"2026-01-02T03:04:05Z","edited_at":null,
            "deleted_at":null,"hidden":false,"hidden_reason":null,"reply_count":0,"replies":[]}"#;
        let next = if offset + rows < 5 { (offset + rows).to_string() } else { "null".to_owned() };
        let comments = vec![comment; rows].join(",");
        Some(Reply::json(200, format!(r#"{{"total": 5, "comments": [{comments}], "next": {next}}}"#)))
    })
    .await;
    let client = server.client();
    for (limit, offset, got) in [(None, None, 5), (Some(3), Some(1), 3), (Some(0), None, 0)] {
        let found = client.comments_many(&id(), None, Page { limit, offset }).await.unwrap();
        assert_eq!(found.len(), got);
    }
    let lines: Vec<String> =
        server.lines().iter().filter_map(|line| Some(line.split_once('?')?.1.to_owned())).collect();
    assert_eq!(
        lines,
        [
            "limit=50&offset=0",
            "limit=50&offset=2",
            "limit=50&offset=4",
            "limit=3&offset=1",
            "limit=1&offset=3",
            "limit=0&offset=0"
        ]
    );
}

/// A registry that promises many bytes and sends these pieces, one after another, and then nothing.
async fn slow(pieces: usize, size: usize, pause: Duration, promised: usize) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (_, mut stream) = read_request(stream).await.unwrap();
                let head = format!("HTTP/1.1 200 x\r\ncontent-length: {promised}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                for _ in 0..pieces {
                    if stream.write_all(&vec![0; size]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
                tokio::time::sleep(Duration::from_secs(600)).await;
            });
        }
    });
    Client::new(&Config { url, timeout: Duration::from_secs(1), ..Config::default() }).unwrap()
}

#[tokio::test]
async fn a_bundle_has_time_for_what_comes_of_it_and_none_for_what_is_promised() {
    let number: Version = "1.0.0".parse().unwrap();
    let begun = std::time::Instant::now();
    let client = slow(1, 1_000, Duration::ZERO, 50 * 1024 * 1024).await;
    let error = client.bundle(&id(), &number).await.unwrap_err();
    assert_eq!(error.code(), "registry-timed-out", "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    // Longer than the usual time, and all of it comes.
    let (pieces, size) = (6, 64 * 1024);
    let client = slow(pieces, size, Duration::from_millis(400), pieces * size).await;
    assert_eq!(client.bundle(&id(), &number).await.unwrap().len(), pieces * size);
}

#[tokio::test]
async fn a_file_of_any_length_is_handed_on_as_it_comes() {
    // A cell may have a line feed, and a piece may end anywhere.
    let chunked = "5\r\nid,ti\r\n9\r\nme\r\n7,\"a\n\r\n3\r\nb\"\n\r\n0\r\n\r\n";
    let server = Scripted::start(move |_, before| match before {
        0 => Some(Reply::json(503, "{}").with("retry-after", "0")),
        1 => Some(Reply::json(200, chunked).with("transfer-encoding", "chunked")),
        2 => Some(Reply::json(403, "{}")),
        // It breaks off, so that nobody takes a part for the whole.
        _ => Some(Reply::json(200, &chunked[..20]).with("transfer-encoding", "chunked")),
    })
    .await;
    let client = server.client();
    let export = async || {
        let mut file = Vec::new();
        let written = client
            .audit_file(&AuditQuery::default(), AuditFormat::Csv, Some(7), |piece| {
                file.extend_from_slice(piece);
                Ok::<_, Error>(ControlFlow::Continue(()))
            })
            .await;
        written.map(|()| String::from_utf8(file).unwrap())
    };
    assert_eq!(export().await.unwrap(), "id,time\r\n7,\"a\nb\"\n");
    assert_eq!(export().await.unwrap_err().code(), "http-403");
    let cut = export().await.unwrap_err();
    assert!(cut.is_unreachable(), "{cut}");
    assert_eq!(server.lines()[1], "GET /api/v1/audit?format=csv&limit=7");
    assert_eq!(server.lines().len(), 4);
}
