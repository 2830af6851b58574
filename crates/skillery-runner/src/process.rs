//! A child with a session of its own, and its end: nothing of the group is left, however the end comes about.
//!
//! The order matters. A process id may be used again once its process is waited for, so the group is killed
//! first, while the dead leader still holds the id.

use std::io;
use std::process::{Child, Command, ExitStatus};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A running worker and its folder. Dropping it kills the group, and clears up in the background.
pub(crate) struct Group {
    /// Taken by whoever waits for it.
    remains: Option<(Child, TempDir)>,
    leader: Pid,
}

impl Group {
    /// Starts the command. The child is expected to begin a session, before it runs anything foreign.
    pub(crate) fn spawn(mut command: Command, folder: TempDir) -> io::Result<(Self, Pipes)> {
        let mut child = command.spawn()?;
        let leader = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        let pipes = Pipes { stdout: child.stdout.take(), stderr: child.stderr.take() };
        Ok((Self { remains: Some((child, folder)), leader }, pipes))
    }

    /// A future that ends when the leader has, and leaves its id taken.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + use<> {
        let leader = self.leader;
        async move {
            // The thread ends with the process, and every way out of an attempt ends the process.
            let waited = tokio::task::spawn_blocking(move || wait_without_reaping(leader)).await;
            if let Ok(Err(error)) = waited {
                tracing::warn!(%error, "cannot wait for a worker");
            }
        }
    }

    /// Asks every process of the group to end.
    pub(crate) fn ask_to_end(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Kills every process of the group, reaps the leader and removes the folder.
    pub(crate) async fn bury(mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGKILL);
        let Some((child, folder)) = self.remains.take() else {
            return Err(io::Error::other("the worker was buried before"));
        };
        tokio::task::spawn_blocking(move || reap(child, folder)).await.map_err(io::Error::other)?
    }

    fn signal(&self, signal: Signal) {
        // Both, as the session may not have begun yet. A group or process that is gone needs no signal.
        let _ = killpg(self.leader, signal);
        let _ = kill(self.leader, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some((child, folder)) = self.remains.take() {
            self.signal(Signal::SIGKILL);
            // A process that hangs in the kernel must not hold up who drops.
            std::thread::spawn(move || reap(child, folder));
        }
    }
}

/// The ends that the child writes to.
pub(crate) struct Pipes {
    pub(crate) stdout: Option<std::process::ChildStdout>,
    pub(crate) stderr: Option<std::process::ChildStderr>,
}

fn reap(mut child: Child, folder: TempDir) -> io::Result<ExitStatus> {
    let status = child.wait();
    if let Err(error) = folder.close() {
        // A process that left the group may still write there; the folder is in the system's temporary folder.
        tracing::debug!(%error, "cannot remove the folder of a worker");
    }
    status
}

fn wait_without_reaping(leader: Pid) -> nix::Result<()> {
    loop {
        match waitid(Id::Pid(leader), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
            Err(Errno::EINTR) => {}
            other => return other.map(|_| ()),
        }
    }
}
