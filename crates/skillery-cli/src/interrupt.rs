//! Signals that ask the program to stop.

use std::future::Future;

/// From now on Ctrl-C, and `SIGTERM` from a service manager, do not end the program but complete this future.
/// Must be called inside the runtime.
pub(crate) fn listen() -> impl Future<Output = ()> + Send {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};

        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    };
    async move {
        #[cfg(unix)]
        if let (Ok(mut interrupt), Ok(mut terminate)) = signals {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler the system's default ends the program, so there is nothing to wait for.
            std::future::pending::<()>().await;
        }
    }
}
