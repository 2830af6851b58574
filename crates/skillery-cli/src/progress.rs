//! Spinners and bars. They go to stderr, only on a terminal, and vanish when they are done: nothing that a program
//! or a person must read later is ever said here.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{Output, safe};

/// How often a spinner turns while nothing is reported.
const TURN: Duration = Duration::from_millis(100);

/// What an upload may take without a bar.
const LONG: Duration = Duration::from_secs(1);

/// One line on stderr that says what is being waited for.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A spinner for work of unknown length.
    pub(crate) fn spinner(output: &Output, message: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(output));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_message(safe(message));
        bar.enable_steady_tick(TURN);
        Self(bar)
    }

    /// A bar for so many steps.
    pub(crate) fn bar(output: &Output, steps: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target(output));
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(TURN);
        Self(bar)
    }

    /// Is told how an upload gets on: what takes over a second gets a bar.
    pub(crate) fn upload(&self) -> skillery_client::Progress {
        let (bar, started) = (self.0.clone(), Instant::now());
        skillery_client::Progress::new(move |sent, total| {
            if bar.length().is_none() && started.elapsed() > LONG {
                bar.set_length(total);
                if let Ok(style) =
                    ProgressStyle::with_template("{bar:24} {binary_bytes}/{binary_total_bytes} {wide_msg}")
                {
                    bar.set_style(style.progress_chars("=> "));
                }
            }
            bar.inc(sent);
        })
    }

    /// Says what is being done now.
    pub(crate) fn message(&self, message: &str) {
        self.0.set_message(safe(message));
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn target(output: &Output) -> ProgressDrawTarget {
    if output.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
