//! Which step waits for which, and that none waits for itself.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::Checker;
use crate::problems::ProblemKind;
use crate::workflow::Step;

/// A step that is not parallel waits for all above it, and all below wait for it. Only the edges that others do not
/// imply are added, so that there are no more of them than steps.
pub(super) fn add_barriers(edges: &mut [BTreeSet<usize>], steps: &[Step]) {
    let mut barrier = None;
    for (at, step) in steps.iter().enumerate().take(edges.len()) {
        if step.parallel == Some(false) {
            edges[at].extend(barrier.map_or(0, |barrier| barrier)..at);
            barrier = Some(at);
        } else {
            edges[at].extend(barrier);
        }
    }
}

impl Checker<'_> {
    /// Tells every cycle that has no step in common with one that was told.
    pub(super) fn check_order(&mut self) {
        let edges = std::mem::take(&mut self.edges);
        let mut is_left = vec![true; edges.len()];
        loop {
            peel(&edges, &mut is_left);
            // From any that is left, the edges lead into a cycle.
            let Some(start) = is_left.iter().position(|left| *left) else { break };
            let cycle = cycle_from(start, &edges, &is_left);
            for position in &cycle {
                is_left[*position] = false;
            }
            let first = cycle[0];
            let name = |position: &usize| self.workflow.steps[*position].name.as_str();
            let message = match cycle.len() {
                1 => "it waits for itself".to_owned(),
                _ => {
                    let way: Vec<&str> = cycle.iter().chain([&first]).map(name).collect();
                    format!("steps wait for each other: {}", way.join(" -> "))
                }
            };
            self.step_problem(first, ProblemKind::Cycle, &[], message);
        }
        self.edges = edges;
    }
}

/// Takes away whatever waits for nothing that is left.
fn peel(edges: &[BTreeSet<usize>], is_left: &mut [bool]) {
    let mut waiting_for = vec![0_usize; edges.len()];
    let mut dependents: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, before) in edges.iter().enumerate().filter(|(at, _)| is_left[*at]) {
        for position in before.iter().filter(|position| is_left[**position]) {
            waiting_for[at] += 1;
            dependents.entry(*position).or_default().push(at);
        }
    }
    let mut free: VecDeque<usize> =
        (0..edges.len()).filter(|at| is_left[*at] && waiting_for[*at] == 0).collect();
    while let Some(at) = free.pop_front() {
        is_left[at] = false;
        for dependent in dependents.remove(&at).unwrap_or_default() {
            waiting_for[dependent] -= 1;
            if waiting_for[dependent] == 0 {
                free.push_back(dependent);
            }
        }
    }
}

/// Follows what is waited for until a step comes again; the cycle begins with its first step in the document, and goes
/// from each to one that it waits for.
fn cycle_from(start: usize, edges: &[BTreeSet<usize>], is_left: &[bool]) -> Vec<usize> {
    let mut way: Vec<usize> = Vec::new();
    let mut seen: HashMap<usize, usize> = HashMap::new();
    let mut here = start;
    loop {
        if let Some(at) = seen.get(&here) {
            let mut cycle = way.split_off(*at);
            let first = cycle.iter().enumerate().min_by_key(|(_, position)| **position);
            let turn = first.map_or(0, |(turn, _)| turn);
            cycle.rotate_left(turn);
            return cycle;
        }
        seen.insert(here, way.len());
        way.push(here);
        match edges[here].iter().find(|position| is_left[**position]) {
            Some(next) => here = *next,
            // What is left waits for something that is left, as the rest was peeled away.
            None => return way,
        }
    }
}
