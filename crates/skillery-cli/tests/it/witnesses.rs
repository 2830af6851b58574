//! Witnesses as processes, and logs that ask them: what a test of `skillery witness` needs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use skillery_core::Digest;
use skillery_core::tlog::{
    AddCheckpoint, Checkpoint, Edge, KeyKind, Node, Note, SigningKey, VerifierKey, consistency_proof,
    leaf_hash,
};
use tempfile::TempDir;

use crate::support::{PROGRAM, Place, Server};

/// A running witness, killed when dropped.
pub(crate) struct WitnessServer {
    pub(crate) child: Child,
    pub(crate) url: String,
    pub(crate) key: VerifierKey,
    pub(crate) data: PathBuf,
    folder: Option<TempDir>,
}

impl WitnessServer {
    /// Starts one that follows the logs with these keys, on a free port and in a folder of its own.
    pub(crate) fn start(logs: &[&VerifierKey]) -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("witness");
        let mut witness = Self::start_in(&data, "127.0.0.1:0", logs);
        witness.folder = Some(folder);
        witness
    }

    /// Starts one on this folder.
    pub(crate) fn start_in(data: &Path, listen: &str, logs: &[&VerifierKey]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["witness", "serve", "--json", "--log-level", "error", "--listen", listen, "--data"]);
        command.arg(data);
        for log in logs {
            command.args(["--log", &log.to_string()]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self {
            child,
            url: started["url"].as_str().unwrap().to_owned(),
            key: started["key"].as_str().unwrap().parse().unwrap(),
            data: data.to_owned(),
            folder: None,
        }
    }

    /// Kills it, and starts it again on what is on disk, at the same address.
    pub(crate) fn kill_and_start(mut self, logs: &[&VerifierKey]) -> Self {
        self.kill();
        let listen = self.url.trim_start_matches("http://").to_owned();
        let mut witness = Self::start_in(&self.data, &listen, logs);
        witness.folder = self.folder.take();
        witness
    }

    /// Ends it without any goodbye.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks for a cosignature.
    pub(crate) fn add(&self, request: &AddCheckpoint) -> Option<Answer> {
        exchange(&self.url, "POST", "/add-checkpoint", &request.to_string())
    }

    /// The leaves of the checkpoint that it has cosigned last.
    pub(crate) fn size(&self, log: &TestLog) -> u64 {
        match self.add(&log.request(40, 40)).unwrap() {
            answer if answer.status == 409 => answer.text.trim().parse().unwrap(),
            answer => {
                assert_eq!(answer.status, 200, "{}", answer.text);
                40
            }
        }
    }
}

impl Drop for WitnessServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A registry with witnesses.
pub(crate) struct Witnessed {
    pub(crate) server: Server,
    pub(crate) log: VerifierKey,
    pub(crate) witnesses: Vec<WitnessServer>,
}

impl Witnessed {
    /// Starts a registry with so many witnesses, and a quorum of them.
    pub(crate) fn start(count: usize, quorum: usize) -> Self {
        let mut server = Server::start();
        let log = log_key(&server.url);
        let witnesses: Vec<_> = (0..count).map(|_| WitnessServer::start(&[&log])).collect();
        let mut settings = format!("witness_quorum = {quorum}\n");
        for WitnessServer { url, key, .. } in &witnesses {
            settings += &format!("[[witnesses]]\nurl = \"{url}\"\nkey = \"{key}\"\n");
        }
        std::fs::write(server.data.join("skillery.toml"), settings).unwrap();
        server.restart();
        Self { server, log, witnesses }
    }

    /// The lines of a policy that name all witnesses, `w0`, `w1`, and so on.
    pub(crate) fn policy(&self) -> String {
        let line =
            |(number, witness): (usize, &WitnessServer)| format!("witness w{number} {}\n", witness.key);
        self.witnesses.iter().enumerate().map(line).collect()
    }

    /// A place whose user is the admin, and wants this of witnesses.
    pub(crate) fn place(&self, policy: &str) -> Place {
        let mut place = self.server.place();
        std::fs::create_dir_all(place.home()).unwrap();
        std::fs::write(place.home().join("witnesses.policy"), policy).unwrap();
        place.set("SKILLERY_REQUIRE", "witnessed");
        place.run(["config", "set", "timeout", "10"]).ok();
        place
    }
}

/// The key of the log of a registry that everybody may read.
pub(crate) fn log_key(url: &str) -> VerifierKey {
    let answer = exchange(url, "GET", "/api/v1/log/key", "").unwrap();
    let answer: Value = serde_json::from_str(&answer.text).unwrap();
    answer["key"].as_str().unwrap().parse().unwrap()
}

/// What a request was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// Sends a request; none where the connection breaks before the answer is there.
pub(crate) fn exchange(url: &str, method: &str, path: &str, body: &str) -> Option<Answer> {
    let mut stream = send(url, method, path, body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, text: text.to_owned() })
}

/// Sends a request and reads nothing.
pub(crate) fn send(url: &str, method: &str, path: &str, body: &str) -> Option<TcpStream> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
    Some(stream)
}

/// A log that is nothing but its key and forty leaves.
pub(crate) struct TestLog {
    key: SigningKey,
    edges: Vec<Edge>,
    nodes: HashMap<Node, Digest>,
}

impl TestLog {
    /// The leaves are the same for each fork up to its number.
    pub(crate) fn forked_at(fork: u64) -> Self {
        let key = SigningKey::from_seed("log.example", KeyKind::Ed25519, &[7; 32]).unwrap();
        let (mut edge, mut nodes) = (Edge::default(), HashMap::new());
        let mut edges = vec![edge.clone()];
        for index in 0..40 {
            let leaf = format!("{} {index}", if index < fork { "leaf" } else { "fork" });
            edge.append(leaf_hash(leaf.as_bytes()), |node, hash| {
                nodes.insert(node, hash);
            });
            edges.push(edge.clone());
        }
        Self { key, edges, nodes }
    }

    pub(crate) fn honest() -> Self {
        Self::forked_at(40)
    }

    pub(crate) fn key(&self) -> &VerifierKey {
        self.key.verifier()
    }

    pub(crate) fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let root = self.edges[new as usize].root();
        let origin = self.key.verifier().name().to_owned();
        let text = Checkpoint { origin, size: new, root, extensions: Vec::new() }.to_string();
        let signatures = vec![self.key.sign(&text).unwrap()];
        let proof = consistency_proof(old, new, |node| Ok::<_, Infallible>(self.nodes[&node])).unwrap();
        AddCheckpoint { old_size: old, proof, checkpoint: Note { text, signatures } }
    }
}

/// Answers as the registry at `url`, but with this text at one path, and gives its own address.
pub(crate) fn lying_registry(url: &str, path: &'static str, text: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let address = url.trim_start_matches("http://").to_owned();
    // It ends with the process of the test.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            if head.split(' ').nth(1) == Some(path) {
                let length = text.len();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}");
                let _ = stream.write_all(answer.as_bytes());
                continue;
            }
            let mut upstream = TcpStream::connect(&address).unwrap();
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            upstream.write_all(head.as_bytes()).unwrap();
            let mut answer = Vec::new();
            let _ = upstream.read_to_end(&mut answer);
            let _ = stream.write_all(&answer);
        }
    });
    own
}
