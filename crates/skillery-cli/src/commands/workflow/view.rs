//! A run as it goes, on a terminal: a bar for all of it, and a line for each step that runs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use skillery_runner::{Event, EventKind};

use crate::output::{Output, safe};

const TURN: Duration = Duration::from_millis(100);
/// Steps that have a line; more would push the terminal's text away.
const MOST_LINES: usize = 8;

/// Lines on stderr that vanish when the run has ended.
pub(super) struct View {
    all: MultiProgress,
    bar: ProgressBar,
    running: Mutex<HashMap<String, ProgressBar>>,
}

impl View {
    pub(super) fn new(output: &Output, steps: usize) -> Self {
        let target =
            if output.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let bar = all.add(ProgressBar::new(steps as u64));
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} steps, {elapsed}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(TURN);
        Self { all, bar, running: Mutex::default() }
    }

    /// Shows what has changed.
    pub(super) fn see(&self, event: &Event) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.kind {
            EventKind::StepStarted { step, attempt, .. } if running.len() < MOST_LINES => {
                let line = running.entry(step.clone()).or_insert_with(|| self.line());
                let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                line.set_message(safe(&format!("{step}{again}")));
            }
            EventKind::StepOutput { step, text, .. } => {
                if let (Some(line), Some(last)) = (running.get(step), text.lines().last()) {
                    line.set_message(safe(&format!("{step}: {last}")));
                }
            }
            EventKind::StepRetrying { step, delay_ms, .. } => {
                if let Some(line) = running.get(step) {
                    line.set_message(safe(&format!("{step}: again in {:.1} s", delay_ms / 1_000.0)));
                }
            }
            EventKind::StepFinished { step, .. } => {
                if let Some(line) = running.remove(step) {
                    line.finish_and_clear();
                }
                self.count(step);
            }
            EventKind::StepKept { step } => self.count(step),
            _ => {}
        }
    }

    /// Items and inner steps are parts of a step that counts when it has ended.
    fn count(&self, step: &str) {
        if !step.contains(['[', '/']) {
            self.bar.inc(1);
        }
    }

    fn line(&self) -> ProgressBar {
        let line = self.all.insert_before(&self.bar, ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}") {
            line.set_style(style);
        }
        line.enable_steady_tick(TURN);
        line
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        running.values().for_each(ProgressBar::finish_and_clear);
        self.bar.finish_and_clear();
    }
}
