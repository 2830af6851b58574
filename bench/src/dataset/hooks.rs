//! Webhooks that something was sent to. What has arrived is kept for a week: where a registry was filled before, it is sent anew.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::furnish::Door;
use crate::registry::Registry;

const ALL: &str = "notifications/webhooks";
/// Deliveries of each. Nobody tries webhooks more than ten times in a minute.
const DELIVERIES: u64 = 5;
/// For one test, and for a request to come whole.
const PATIENCE: Duration = Duration::from_secs(60);

/// The ids of a webhook of the first admin, and of one of the namespace `handbook`.
pub struct Hooks {
    /// Of the admin.
    pub own: String,
    /// Of the namespace.
    pub handbook: String,
}

impl Hooks {
    /// Makes them where they are not there, and waits for what was sent to them.
    pub fn of(registry: &Registry) -> Result<Self> {
        let url = format!("http://{}/hook", receiver()?);
        let mut door = Door::open(registry)?;
        let mut hook = |namespace| one(&mut door, &registry.token, &url, namespace);
        Ok(Self { own: hook(None)?, handbook: hook(Some("handbook"))? })
    }
}

fn one(door: &mut Door, token: &str, url: &str, namespace: Option<&str>) -> Result<String> {
    let asked = namespace.map_or_else(|| ALL.to_owned(), |name| format!("{ALL}?namespace={name}"));
    let known = door.ask(&asked, token)?;
    let id = match known["webhooks"][0]["id"].as_str() {
        Some(id) => {
            // The receiver of an earlier run is gone.
            door.change("PATCH", &format!("{ALL}/{id}"), token, &json!({"url": url, "enabled": true}))?;
            id.to_owned()
        }
        None => {
            let made = door.change("POST", ALL, token, &json!({"url": url, "namespace": namespace}))?;
            made["id"].as_str().context("a webhook has no id")?.to_owned()
        }
    };
    for number in arrived(door, token, &id)?..DELIVERIES {
        // While one waits, a test is that one.
        door.change("POST", &format!("{ALL}/{id}/test"), token, &json!({}))?;
        let began = Instant::now();
        while arrived(door, token, &id)? <= number {
            ensure!(began.elapsed() < PATIENCE, "a test of the webhook {id} does not arrive");
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(id)
}

/// How many deliveries have arrived.
fn arrived(door: &mut Door, token: &str, id: &str) -> Result<u64> {
    let found = door.ask(&format!("{ALL}/{id}/deliveries?state=done&limit=1"), token)?;
    found["total"].as_u64().context("deliveries are not counted")
}

/// Where somebody takes all that comes, for as long as this program runs.
fn receiver() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            // What did not come whole is sent again.
            let _ = take(&stream);
        }
    });
    Ok(address)
}

/// Takes one request.
fn take(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0_u64);
    // An empty line ends the head.
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    io::copy(&mut reader.take(length), &mut io::sink())?;
    let mut writer = stream;
    writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}
