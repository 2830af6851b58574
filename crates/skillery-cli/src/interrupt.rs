//! Signals that ask the program to stop.

/// Completes when the program is asked to stop: Ctrl-C, or `SIGTERM` from a service manager.
///
/// Until this is first polled the signals keep what the system does by default, so that a prompt before it is
/// ended by Ctrl-C as the terminal expects.
pub(crate) async fn requested() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler the system's default ends the program, so there is nothing to wait for.
        std::future::pending::<()>().await;
    }
}
