//! Pages, as a browser asks for them.

mod account;
mod admin;
mod audit;
mod changelog;
mod facts;
mod feeds;
mod insight;
mod policies;
mod provider;
mod reviewing;
mod settings;
mod sign_in;
mod skills;
mod talk;
mod texts;
mod told;
mod webhooks;
mod weight;
mod weight_desk;
mod weight_needs;

use axum::body::Body;
use axum::http::{Method, Request};

use super::{Answer, TestApp};

/// A browser: it keeps cookies and says where its requests come from.
pub(crate) struct Browser<'app> {
    app: &'app TestApp,
    pub(crate) cookies: Vec<(String, String)>,
}

impl<'app> Browser<'app> {
    pub(crate) fn new(app: &'app TestApp) -> Self {
        Self { app, cookies: Vec::new() }
    }

    /// One that has signed in with this token.
    pub(crate) async fn signed_in(app: &'app TestApp, token: &str) -> Self {
        let mut browser = Self::new(app);
        let answer = browser.post("/login", &[("token", token)]).await;
        assert_eq!(answer.status, 303, "{}", text(&answer));
        browser
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:8700")
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        request
    }

    /// A request for a page with one more header.
    pub(crate) fn request_with(&self, path: &str, name: &str, value: &str) -> Request<Body> {
        self.request(Method::GET, path).header(name, value).body(Body::empty()).unwrap()
    }

    async fn send(&mut self, request: Request<Body>) -> Answer {
        let answer = self.app.send(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !rest.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = self.request(Method::GET, path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// A page; it must be there, and with all that it loads from the registry be light.
    pub(crate) async fn page(&mut self, path: &str) -> String {
        let answer = self.get(path).await;
        let weight = answer.body.len() + ASSETS;
        assert!(weight <= 100_000, "{path} weighs {weight} bytes");
        assert_eq!(answer.status, 200, "{path}: {}", text(&answer));
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8", "{path}");
        text(&answer)
    }

    /// What is in the forms of a page against those of other sites.
    pub(crate) async fn csrf(&mut self) -> String {
        let page = self.page("/search").await;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// Sends a form as a page of the registry does.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf().await;
        let mut fields = fields.to_vec();
        fields.push(("csrf", &csrf));
        self.post_from("same-origin", path, &fields).await
    }

    /// Sends a form as a page of this site does, with these fields only.
    pub(crate) async fn post_from(&mut self, site: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }
}

/// Bytes of what each page loads.
const ASSETS: usize = include_bytes!("../../../assets/style.css").len()
    + include_bytes!("../../../assets/app.js").len()
    + include_bytes!("../../../assets/mark.svg").len();

pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}
