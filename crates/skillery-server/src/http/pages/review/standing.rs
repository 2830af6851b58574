//! How far a version is, in words.

use std::collections::BTreeMap;

use skillery_core::api::{ApprovalsResponse, GroupSummary, StageStanding};
use skillery_core::approval::HeldFor;
use skillery_core::event::Event;
use skillery_core::time::Time;
use skillery_core::{Role, VersionStatus};

use super::super::show;
use crate::app::App;
use crate::approvals::key_of;
use crate::db::log;
use crate::failure::{Failure, Result};

/// A stage, as people read it.
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The namespace whose policy has it.
    pub namespace: String,
    /// What it needs.
    pub needs: String,
    /// Who are in its group.
    pub members: Option<String>,
    /// Who counts for it.
    pub given: String,
    /// What is missing, and why.
    pub missing: String,
    /// `done`, `open` or `later`.
    pub state: &'static str,
}

/// The stages, in order.
pub fn stages(standing: &ApprovalsResponse, groups: &[GroupSummary]) -> Vec<Stage> {
    let waits = standing.status == VersionStatus::Pending;
    standing
        .stages
        .iter()
        .enumerate()
        .map(|(place, stage)| told(&standing.stages[..place], stage, groups, waits))
        .collect()
}

fn told(before: &[StageStanding], stage: &StageStanding, groups: &[GroupSummary], waits: bool) -> Stage {
    let given = stage.given.len();
    let missing = (stage.approvals as usize).saturating_sub(given);
    // Groups and policies of a namespace may have written it otherwise.
    let place = key_of(&stage.namespace);
    let blocker = before.iter().find(|other| key_of(&other.namespace) == place && !other.is_complete);
    let (state, missing) = match (stage.is_complete, stage.is_open) {
        (true, _) => ("done", String::new()),
        (false, true) if missing == 0 => {
            ("open", "It has enough approvals, and one of them has to be given again.".to_owned())
        }
        (false, true) => {
            ("open", format!("{} missing.", show::plural(missing, "approval is", "approvals are")))
        }
        (false, false) => match blocker.filter(|_| waits) {
            Some(blocker) => ("later", format!("It opens when {} is complete.", blocker.name)),
            None => ("later", "It is not open.".to_owned()),
        },
    };
    let members = stage.group.as_ref().and_then(|group| {
        let found = groups.iter().find(|known| key_of(&known.namespace) == place && known.group == *group)?;
        Some(few(&found.users))
    });
    Stage {
        name: stage.name.to_string(),
        namespace: stage.namespace.clone(),
        needs: needs(
            stage.approvals,
            stage.role,
            stage.group.as_ref().map(ToString::to_string),
            stage.signed,
        ),
        members,
        given: stage.given.join(", "),
        missing,
        state,
    }
}

/// Some names of many.
pub fn few(names: &[String]) -> String {
    const MOST: usize = 12;
    match names {
        [] => "nobody".to_owned(),
        names if names.len() > MOST => {
            format!("{} and {} more", names[..MOST].join(", "), names.len() - MOST)
        }
        names => names.join(", "),
    }
}

/// What a stage needs.
pub fn needs(approvals: u32, role: Role, group: Option<String>, signed: bool) -> String {
    let who = match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        _ => "reviewer",
    };
    let more = if approvals == 1 { "" } else { "s" };
    let above = if role == Role::Owner { "" } else { " or above" };
    let mut text = format!("{approvals} {who}{more}{above}");
    if let Some(group) = group {
        text += &format!(" of the group {group}");
    }
    if signed {
        text += ", by signed reviews";
    }
    text
}

/// Why it waits again.
pub fn held(why: HeldFor) -> &'static str {
    match why {
        HeldFor::Public => "It was handed out before, and waits again since the skill was made public.",
        HeldFor::Review => "It was handed out before, and waits again since nobody looked at it in time.",
    }
}

/// Something that happened to a version.
pub struct Step {
    /// When.
    pub at: Time,
    /// Who did it.
    pub who: String,
    /// What.
    pub what: &'static str,
    /// Why, as far as it was said.
    pub said: String,
    /// Whether it is an approval, and whether that counts now.
    pub counts: Option<bool>,
    /// Whether the reviewer has signed it.
    pub signed: bool,
    /// The number of its entry in the log.
    pub index: u64,
}

impl Step {
    /// Bytes of HTML that it takes, at most nearly.
    pub fn weight(&self) -> usize {
        AROUND + show::weight(&self.said)
    }
}

/// Entries that are told.
const STEPS: usize = 60;
/// Characters of what was said with one.
const SAID: usize = 600;
/// Bytes of HTML of one, without what was said.
const AROUND: usize = 200;

/// What happened to a version, the last first, and what was said with it as far as so many bytes of HTML have room for.
pub async fn history(app: &App, standing: &ApprovalsResponse, room: usize) -> Result<Vec<Step>> {
    let decisions: BTreeMap<u64, _> =
        standing.decisions.iter().map(|decision| (decision.log_index, decision)).collect();
    let entries = log::of_version(&app.db, &standing.id.key(), &standing.version, STEPS).await?;
    let (mut steps, mut room) = (Vec::new(), room.saturating_sub(AROUND * entries.len()));
    for (index, opening, name) in entries {
        let entry = opening.parse().map_err(Failure::internal)?;
        if entry.event.version() != Some(&standing.version) {
            continue;
        }
        let decision = decisions.get(&index);
        let is_approval = matches!(entry.event, Event::VersionApproved { .. });
        let forced = standing.forced.as_ref().filter(|forced| forced.log_index == index);
        let said = decision.map(|decision| decision.comment.clone());
        let said = said.or_else(|| forced.map(|forced| forced.reason.clone())).unwrap_or_default();
        let said = match show::cut(&said, SAID) {
            Some((start, _)) => format!("{start} …"),
            None => said,
        };
        let said = match room.checked_sub(show::weight(&said)) {
            Some(left) => {
                room = left;
                said
            }
            None => "…".to_owned(),
        };
        steps.push(Step {
            at: entry.time,
            who: name.unwrap_or_else(|| "The registry".to_owned()),
            what: words(&entry.event),
            said,
            // An earlier approval of the same reviewer has a later one in its place.
            counts: is_approval.then(|| decision.is_some_and(|decision| decision.counts)),
            signed: decision.is_some_and(|decision| decision.signed),
            index,
        });
    }
    Ok(steps)
}

fn words(event: &Event) -> &'static str {
    match event {
        Event::VersionPublished { policies, .. } if policies.is_empty() => "published it",
        Event::VersionPublished { .. } => "published it, and it waits for approval",
        Event::VersionSigned { .. } => "signed it",
        Event::VersionApproved { .. } => "approved it",
        Event::VersionRejected { .. } => "rejected it",
        Event::VersionChangesRequested { .. } => "asked for changes",
        Event::VersionYanked { .. } => "yanked it",
        Event::VersionUnyanked { .. } => "took the yank back",
        Event::VersionQuarantined { .. } => "quarantined it",
        Event::VersionReleased { .. } => "released it",
        Event::VersionForced { .. } => "released it without the approvals that it waited for",
        Event::VersionHeld { .. } => "has it wait again",
        Event::VersionDue { .. } => "wants it looked at again",
        Event::VersionReviewed { .. } => "completed another look at it",
        _ => "changed something about it",
    }
}
