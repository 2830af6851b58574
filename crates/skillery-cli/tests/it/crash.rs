//! `kill -9` at any moment: what was acknowledged stays, and nothing else is half there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skillery_client::{Client, Config, SearchQuery, Secret};
use skillery_core::Digest;
use skillery_core::api::PublishRequest;
use skillery_core::version::VersionRequest;
use tempfile::TempDir;

use crate::support::{signal, spawn_server};

const ROUNDS: usize = 5;
const PUBLISHERS: usize = 8;

fn client(url: &str, token: &str) -> Client {
    let config = Config {
        url: url.parse().unwrap(),
        token: Some(Secret::new(token)),
        timeout: Duration::from_secs(10),
        ..Config::default()
    };
    Client::new(&config).unwrap()
}

fn request(round: usize, publisher: usize, number: usize) -> PublishRequest {
    let name = format!("skill-{round}-{publisher}-{number}");
    PublishRequest {
        id: format!("acme/{name}"),
        version: "1.0.0".to_owned(),
        description: "survives".to_owned(),
        code: format!("def main():\n    return {name:?}\n{}", "# padding\n".repeat(200)),
        ..PublishRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut acknowledged: BTreeMap<String, Digest> = BTreeMap::new();
    let mut token = String::new();
    for round in 0..ROUNDS {
        let (mut child, started) = spawn_server(&data, &[]);
        if let Some(made) = started["admin_token"].as_str() {
            token = made.to_owned();
        }
        let url = started["url"].as_str().unwrap().to_owned();
        let (done, answered) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let mut publishers = Vec::new();
        for publisher in 0..PUBLISHERS {
            let (client, done, answered) = (client(&url, &token), Arc::clone(&done), Arc::clone(&answered));
            publishers.push(tokio::spawn(async move {
                for number in 0.. {
                    let request = request(round, publisher, number);
                    if client.publish(&request).await.is_err() {
                        return;
                    }
                    done.lock().unwrap().push((request.id, Digest::of(request.code.as_bytes())));
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
        // Another moment of the work in each round.
        while answered.load(Ordering::SeqCst) < 20 + 17 * round {
            tokio::task::yield_now().await;
        }
        signal(child.id(), "KILL");
        child.wait().unwrap();
        for publisher in publishers {
            publisher.await.unwrap();
        }
        acknowledged.extend(done.lock().unwrap().drain(..));
    }

    let (mut child, started) = spawn_server(&data, &[]);
    let client = client(started["url"].as_str().unwrap(), &token);
    for (id, code_hash) in &acknowledged {
        let download = client.download(&id.parse().unwrap(), &VersionRequest::Latest).await.unwrap();
        assert_eq!(Digest::of(download.code.as_bytes()), *code_hash, "{id}");
    }
    let mut published = 0;
    let mut next = 0;
    loop {
        let page = client.log(next, Some(200)).await.unwrap();
        for entry in &page.entries {
            assert_eq!(entry.index, next, "a number is missing from the log");
            next += 1;
            // Every entry has its row: the version that it speaks of is there, acknowledged or not.
            if let skillery_core::event::Event::VersionPublished { skill, version, digest, .. } = &entry.event
            {
                published += 1;
                assert_eq!(client.version(skill, version).await.unwrap().summary.digest, *digest);
            }
        }
        if page.entries.is_empty() {
            assert_eq!(page.size, next);
            break;
        }
    }
    assert!(published >= acknowledged.len() as u64);
    let found = client.search(&SearchQuery::default()).await.unwrap();
    assert_eq!(found.total, published, "the search index has what the log has");
    signal(child.id(), "TERM");
    assert!(child.wait().unwrap().success());
}
