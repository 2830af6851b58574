//! How far a version is, for people.

use skillery_core::VersionStatus;
use skillery_core::api::{ApprovalsResponse, StageStanding};

use crate::output::{Line, Page, Tone, moment};

/// Writes what is demanded of it, what there is of that, and what else is to be known.
pub(super) fn describe_standing(page: &mut Page, approvals: &ApprovalsResponse) {
    page.field("digest", approvals.digest.to_string());
    page.field("status", approvals.status.as_str());
    let given = approvals.given;
    page.field(
        "approvals",
        match &approvals.demanded {
            _ if approvals.stages.len() > 1 => format!("{given} count"),
            Some(policy) if approvals.status == VersionStatus::Pending => {
                format!("{given} of {}, each by a {} or above", policy.approvals, policy.role)
            }
            _ => given.to_string(),
        },
    );
    let is_special = |stage: &StageStanding| stage.group.is_some() || stage.signed;
    if approvals.stages.len() > 1 || approvals.stages.iter().any(is_special) {
        for stage in &approvals.stages {
            let group =
                stage.group.as_ref().map_or_else(String::new, |group| format!(" in the group {group}"));
            let signed = if stage.signed { ", signed" } else { "" };
            let state = match (stage.is_complete, stage.is_open) {
                (true, _) => "complete",
                (false, true) => "open",
                (false, false) => "not yet open",
            };
            let given = stage.given.len();
            let asked =
                format!("{given} of {}, each a {} or above{group}{signed}", stage.approvals, stage.role);
            page.field(&format!("stage {}", stage.name), format!("{state}; {asked}"));
        }
    }
    if let Some(facts) = approvals.facts.as_ref().filter(|facts| !facts.is_empty()) {
        page.field("facts", facts.iter().map(|fact| fact.as_str()).collect::<Vec<_>>().join(", "));
    }
    if let Some(since) = approvals.due_since {
        page.field("to be reviewed", format!("since {}", moment(since)));
    }
    if let Some(why) = approvals.held_for {
        page.field("waits again", why.as_str());
    }
    if let Some(forced) = &approvals.forced {
        page.field(
            "released by force",
            format!("by {}, entry {}: {}", forced.by, forced.log_index, forced.reason),
        );
    }
    if approvals.threads > 0 {
        page.field("threads", format!("{}, {} open", approvals.threads, approvals.unresolved));
    }
    if let Some(newer) = &approvals.newer {
        page.field("newer", format!("{newer} was published since, and is reviewed for itself"));
    }
}

/// Says that it was released by force.
pub(super) fn describe_forced(page: &mut Page, standing: &ApprovalsResponse) {
    let line = Line::default().toned(Tone::Bad, "released by force ").name(standing.id.as_str());
    page.line(line.plain(format!(" {}", standing.version)));
    if let Some(forced) = &standing.forced {
        page.field("log entry", forced.log_index.to_string());
    }
    page.field(
        "approvals",
        format!("{} of those that are demanded; reviewers may still give them", standing.given),
    );
}
