//! A wire between a registry and its database that can be cut exactly where it hurts most: at a commit.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;

/// How the next commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    /// The database never gets it.
    Before = 1,
    /// The database does it, and nobody is told.
    After = 2,
}

/// Passes connections on. It listens as long as the task runs.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    wanted: AtomicU8,
    cuts: AtomicUsize,
}

impl Wire {
    /// One that leads there.
    pub(crate) fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || TcpStream::connect(to).map(|server| pass(&state, client, server)));
            }
        });
        Ok(Self { address, state })
    }

    /// Lets the next commit fail.
    pub(crate) fn cut(&self, cut: Cut) {
        self.state.wanted.store(cut as u8, Ordering::SeqCst);
    }

    /// How many have failed.
    pub(crate) fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

fn pass(state: &State, mut client: TcpStream, mut server: TcpStream) {
    let is_mute = Arc::new(AtomicBool::new(false));
    let (Ok(mut from), Ok(mut to)) = (server.try_clone(), client.try_clone()) else { return };
    let silence = Arc::clone(&is_mute);
    let back = thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            // The first bytes after the commit are its answer: it is done, and they go no further.
            if silence.load(Ordering::SeqCst) || to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        for stream in [&from, &to] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        // The writer sends a commit with the statement before it, in one small message.
        let is_commit = buffer[..count].windows(6).any(|word| word == b"COMMIT");
        let wanted = if is_commit { state.wanted.swap(0, Ordering::SeqCst) } else { 0 };
        if wanted != 0 {
            state.cuts.fetch_add(1, Ordering::SeqCst);
        }
        if wanted == Cut::Before as u8 {
            break;
        }
        is_mute.store(wanted == Cut::After as u8, Ordering::SeqCst);
        if server.write_all(&buffer[..count]).is_err() || wanted != 0 {
            break;
        }
    }
    if is_mute.load(Ordering::SeqCst) {
        let _ = back.join();
    }
    for stream in [&client, &server] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
