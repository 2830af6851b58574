//! What remembers how the steps of a run went, and tells the registry of it where that is wanted. Neither keeps a run
//! from going on.

use skillery_client::Metrics;
use skillery_client::metrics::Recorder;
use skillery_runner::{Event, EventKind};

use crate::failure::Failure;
use crate::session::Session;

/// A recorder for one run.
pub(crate) fn recorder(session: &Session) -> Result<Recorder, Failure> {
    Ok(Recorder::new(&session.home()?, session.config()?.share_usage))
}

/// Remembers a step that was started and came to an end.
pub(crate) fn record(recorder: &Recorder, event: &Event) {
    if let EventKind::StepFinished { outcome, .. } = &event.kind
        && outcome.attempts > 0
    {
        recorder.record(&outcome.skill, &outcome.version, outcome.status.as_str(), outcome.latency_ms);
    }
}

/// Tells the registry of runs, where the user wants that; at most once an hour, and not for long.
pub(crate) async fn share(session: &Session) {
    let (Ok(home), Ok(config)) = (session.home(), session.config()) else { return };
    if !config.share_usage || config.token.is_none() {
        return;
    }
    if let Ok(client) = session.client() {
        Metrics::new(&home).share_now_and_then(&client).await;
    }
}
