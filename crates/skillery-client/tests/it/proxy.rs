//! Somebody between a client and a real registry, who alters answers.

use std::sync::{Arc, Mutex};

use skillery_client::{Client, Config};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::scripted::read_request;

/// What to make of an answer: the path with its query, the status and the body.
type Alter = dyn Fn(&str, u16, Vec<u8>) -> (u16, Vec<u8>) + Send + Sync;

/// Passes requests on to a registry that may be exchanged, until the test's runtime ends.
pub(crate) struct Proxy {
    pub(crate) config: Config,
    upstream: Arc<Mutex<String>>,
    alter: Arc<Mutex<Arc<Alter>>>,
}

impl Proxy {
    /// Stands before the registry of this configuration, and alters nothing yet.
    pub(crate) async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = Arc::new(Mutex::new(config.url.to_string()));
        let alter: Arc<Mutex<Arc<Alter>>> =
            Arc::new(Mutex::new(Arc::new(|_: &str, status, body| (status, body))));
        let (to, by) = (Arc::clone(&upstream), Arc::clone(&alter));
        tokio::spawn(async move {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (http, to, by) = (http.clone(), Arc::clone(&to), Arc::clone(&by));
                tokio::spawn(async move {
                    let Some((request, mut stream)) = read_request(stream).await else { return };
                    let (method, path) = request.line.split_once(' ').unwrap();
                    let address = format!("{}{path}", to.lock().unwrap().trim_end_matches('/'));
                    let mut forwarded =
                        http.request(method.parse().unwrap(), address).body(request.body.clone());
                    for header in request.head.lines() {
                        let (name, value) = header.split_once(": ").unwrap();
                        // Of a token, capitals matter.
                        if name == "content-type" {
                            forwarded = forwarded.header(name, value);
                        }
                    }
                    let token = "the-admin-token-of-these-tests-0123456789";
                    if request.head.contains("authorization") {
                        forwarded = forwarded.bearer_auth(token);
                    }
                    let Ok(answer) = forwarded.send().await else { return };
                    let status = answer.status().as_u16();
                    let body = answer.bytes().await.unwrap().to_vec();
                    let alter = Arc::clone(&by.lock().unwrap());
                    let (status, body) = alter(path, status, body);
                    let head = format!(
                        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(&body).await;
                });
            }
        });
        Self { config: Config { url: url.parse().unwrap(), ..config }, upstream, alter }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.config).unwrap()
    }

    /// Passes on to another registry from now on.
    pub(crate) fn passes_to(&self, url: String) {
        *self.upstream.lock().unwrap() = url;
    }

    /// Alters answers like this from now on.
    pub(crate) fn alters(
        &self,
        alter: impl Fn(&str, u16, Vec<u8>) -> (u16, Vec<u8>) + Send + Sync + 'static,
    ) {
        *self.alter.lock().unwrap() = Arc::new(alter);
    }
}
