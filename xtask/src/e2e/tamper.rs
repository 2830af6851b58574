//! What somebody between a log and its readers could do: a proxy that passes everything on, and changes one thing.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use skillery_core::tlog::{Checkpoint, Note};

use super::http::{Message, exchange, host};

/// Turns what a server answered into what a reader gets.
pub(crate) type Change = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>> + Send + Sync>;

/// The same for whatever is asked for; nothing where a resource is to stay as it is.
pub(crate) type AnyChange = Arc<dyn Fn(&str, &[u8]) -> Result<Option<Vec<u8>>> + Send + Sync>;

/// One change to one resource.
#[derive(Clone)]
pub(crate) struct Tampering {
    /// The path of the resource.
    pub(crate) target: String,
    /// What is changed in it, for people.
    pub(crate) name: String,
    pub(crate) change: Change,
}

impl Tampering {
    /// Flips the lowest bit of one byte of a resource.
    pub(crate) fn byte(target: &str, at: usize) -> Self {
        let flip = move |body: &[u8]| flipped(body, at);
        let short = target.trim_start_matches("/log/v1/");
        Self { target: target.to_owned(), name: format!("{short}, byte {at}"), change: Arc::new(flip) }
    }
}

/// The bytes with the lowest bit of one of them flipped.
pub(crate) fn flipped(bytes: &[u8], at: usize) -> Result<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    *bytes.get_mut(at).with_context(|| format!("there is no byte {at} to flip"))? ^= 1;
    Ok(bytes)
}

/// The changes to a signed checkpoint that leave it well-formed, each of one byte of what it encodes.
pub(crate) fn of_checkpoint() -> Vec<(&'static str, Change)> {
    fn note(change: fn(&mut Note) -> Result<()>) -> Change {
        Arc::new(move |bytes| {
            let mut note = Note::parse(bytes)?;
            change(&mut note)?;
            Ok(note.to_string().into_bytes())
        })
    }
    fn text(note: &mut Note, change: fn(&mut Checkpoint) -> Result<()>) -> Result<()> {
        let mut checkpoint: Checkpoint = note.text.parse()?;
        change(&mut checkpoint)?;
        note.text = checkpoint.to_string();
        Ok(())
    }
    vec![
        (
            "its root",
            note(|note| {
                text(note, |checkpoint| {
                    let mut root = *checkpoint.root.bytes();
                    root[7] ^= 1;
                    checkpoint.root = skillery_core::Digest::from_bytes(root);
                    Ok(())
                })
            }),
        ),
        (
            "its size",
            note(|note| {
                text(note, |checkpoint| {
                    checkpoint.size ^= 1;
                    Ok(())
                })
            }),
        ),
        (
            "its origin",
            note(|note| {
                text(note, |checkpoint| {
                    checkpoint.origin = String::from_utf8(flipped(checkpoint.origin.as_bytes(), 0)?)?;
                    Ok(())
                })
            }),
        ),
        (
            "its signature",
            note(|note| {
                note.signatures[0].signature = flipped(&note.signatures[0].signature, 20)?;
                Ok(())
            }),
        ),
        (
            "the id of its key",
            note(|note| {
                note.signatures[0].id[2] ^= 1;
                Ok(())
            }),
        ),
    ]
}

/// A proxy on a port of its own, for as long as the task runs.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    upstream: SocketAddr,
    tampering: Option<Tampering>,
    any: Option<AnyChange>,
    /// How often it was changed, which must be told from a resource that nobody asked for.
    changed: usize,
}

impl Proxy {
    /// Starts one before this server.
    pub(crate) fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State { upstream, tampering: None, any: None, changed: 0 }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    // Whoever asked sees a connection that ends, and says so.
                    if let Err(error) = pass_on(&stream, &shared) {
                        eprintln!("the proxy could not pass on a request: {error:#}");
                    }
                });
            }
        });
        Ok(Self { address, state })
    }

    /// Its address, as one would type it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts it before another server.
    pub(crate) fn turn_to(&self, upstream: SocketAddr) {
        lock(&self.state).upstream = upstream;
    }

    /// Runs something while a resource is changed on its way. Fails if nobody asked for the resource, as then nothing was
    /// tried.
    pub(crate) fn with<T>(&self, tampering: &Tampering, run: impl FnOnce() -> Result<T>) -> Result<T> {
        {
            let mut state = lock(&self.state);
            state.tampering = Some(tampering.clone());
            state.changed = 0;
        }
        let result = run();
        let mut state = lock(&self.state);
        state.tampering = None;
        if state.changed == 0 {
            bail!("nobody asked for `{}`, so nothing was changed", tampering.target);
        }
        result
    }
}

impl Proxy {
    /// Runs something while this decides what is changed on its way.
    pub(crate) fn with_any<T>(&self, change: AnyChange, run: impl FnOnce() -> Result<T>) -> Result<T> {
        lock(&self.state).any = Some(change);
        let result = run();
        lock(&self.state).any = None;
        result
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass_on(stream: &TcpStream, state: &Mutex<State>) -> Result<()> {
    let mut request = Message::read(stream, true)?;
    let (upstream, tampering, any) = {
        let state = lock(state);
        (state.upstream, state.tampering.clone(), state.any.clone())
    };
    // Compressed bytes could not be changed one by one.
    request.headers.retain(|(name, _)| name != "accept-encoding" && name != "host");
    request.headers.extend(host(upstream));
    let mut answer = exchange(upstream, &request)?;
    let target = request.start.split(' ').nth(1).unwrap_or_default();
    if let Some(tampering) = tampering.filter(|tampering| tampering.target == target) {
        answer.body = (tampering.change)(&answer.body)?;
        lock(state).changed += 1;
    }
    if let Some(changed) = any.map(|change| change(target, &answer.body)).transpose()?.flatten() {
        answer.body = changed;
    }
    answer.write(stream)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::http::get;
    use super::*;

    /// A server that answers everything with the same body, and closes.
    fn server(body: &'static str) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let request = Message::read(&stream, true).unwrap();
                assert_eq!(request.header("accept-encoding"), None);
                write!(stream, "HTTP/1.1 200 OK\r\nx-kind: tile\r\n\r\n{body}").unwrap();
            }
        });
        address
    }

    #[test]
    fn everything_is_passed_on_and_one_resource_changed() {
        let proxy = Proxy::start(server("abc")).unwrap();
        let ask = |target: &str| get(proxy.address, target).and_then(|answer| answer.text());
        assert_eq!(ask("/tile").unwrap(), "abc");
        let tampering = Tampering::byte("/tile", 1);
        let both = proxy.with(&tampering, || Ok((ask("/tile")?, ask("/other")?)));
        assert_eq!(both.unwrap(), ("acc".to_owned(), "abc".to_owned()));
        assert_eq!(get(proxy.address, "/tile").unwrap().header("x-kind"), Some("tile"));
        assert_eq!(ask("/tile").unwrap(), "abc");
    }

    #[test]
    fn a_change_that_nobody_saw_is_no_test() {
        let proxy = Proxy::start(server("abc")).unwrap();
        let error = proxy.with(&Tampering::byte("/tile", 0), || get(proxy.address, "/other")).unwrap_err();
        assert_eq!(error.to_string(), "nobody asked for `/tile`, so nothing was changed");
    }

    #[test]
    fn every_change_of_a_checkpoint_leaves_a_checkpoint() {
        let note = "log.example\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} log.example "
            .to_owned();
        let note = note + &"A".repeat(88) + "AAA=\n";
        for (part, change) in of_checkpoint() {
            let changed = String::from_utf8(change(note.as_bytes()).unwrap()).unwrap();
            assert_ne!(changed, note, "{part}");
            Note::parse(&changed).unwrap().text.parse::<Checkpoint>().unwrap();
        }
    }
}
