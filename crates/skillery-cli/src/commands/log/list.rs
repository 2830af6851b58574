//! `skillery log list`: shows what was changed in the registry, by whom and when.

use clap::Args;
use skillery_core::event::{Event, LogEntry, OfComment, OfReview};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Tone, counted, left, moment, right};
use crate::session::Session;

/// Arguments of `log list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log list                                  from the first entry on
  skillery log list --after 4711 --limit 200
  skillery log list --json | jq '.entries[] | select(.event.kind == \"version.published\")'

Every change appends one entry; none is altered or removed. An actor is the id of a user, as \
entries hold no names of people. For admins of the registry.")]
pub(super) struct ListArgs {
    /// Begin with the entry of this number; the first is 0
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,

    /// Show at most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=200))]
    limit: u64,
}

/// Runs it.
pub(super) async fn run(session: &Session, args: &ListArgs) -> CommandResult {
    let log = session.client()?.log(args.after, Some(args.limit)).await?;
    session.output.show(&log, |page| {
        if log.entries.is_empty() {
            let size = counted(log.size, "entry", "entries");
            page.text(format!("no entry from {} on; the log has {size}", args.after));
            return;
        }
        let columns = [right("NUMBER"), left("TIME"), left("ACTOR"), left("WHAT"), left("ABOUT")];
        let mut grid = Grid::new(&columns);
        for LogEntry { index, time, actor, event } in &log.entries {
            let actor = actor.as_deref().unwrap_or("-");
            grid.row([&index.to_string(), &moment(*time), actor, event.kind(), &about(event)]);
        }
        page.grid(grid);
    })?;
    if let Some(next) = log.entries.last().map(|last| last.index + 1).filter(|next| *next < log.size) {
        session.output.note(
            Line::default()
                .toned(Tone::Faint, format!("the log has {}", counted(log.size, "entry", "entries")))
                .plain("; for more: ")
                .command(format!("--after {next}")),
        );
    }
    Ok(Exit::Done)
}

/// What was changed, short enough for a line of a table; JSON has all of it.
pub(super) fn about(event: &Event) -> String {
    match event {
        Event::Genesis | Event::Unknown => "-".to_owned(),
        Event::LogKeyRotated { note } => skillery_core::tlog::Rotation::open(note)
            .map_or_else(|error| error.to_string(), |rotation| format!("to {}", rotation.to.fingerprint())),
        Event::UserCreated { user, .. } => user.clone(),
        Event::UserDisabled { user, disabled } => format!("{user} {}", if *disabled { "off" } else { "on" }),
        Event::UserListed { user, listed } => {
            format!("{user} {}", if *listed { "on boards" } else { "on no board" })
        }
        Event::InsightSet { namespace, k, listed } => {
            let k = k.map_or_else(String::new, |k| format!(" k {k}"));
            format!("{namespace}{k} {}", if *listed { "on boards" } else { "on no board" })
        }
        Event::OrgCreated { org } | Event::SigningSecretSet { org } | Event::SigningSecretRemoved { org } => {
            org.clone()
        }
        Event::MemberSet { namespace, user, role } => format!("{namespace} {user} {role}"),
        Event::PolicySet { namespace, policy } => {
            let signed = if policy.signed { " signed" } else { "" };
            match policy.stages.as_slice() {
                [] => format!("{namespace} {} {}{signed}", policy.approvals, policy.role),
                stages => {
                    let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
                    format!("{namespace} {}{signed}", names.join(" > "))
                }
            }
        }
        Event::WebhookAdded { webhook, namespace } | Event::WebhookRemoved { webhook, namespace } => {
            format!("{namespace} {webhook}")
        }
        Event::GroupSet { namespace, group, users } => {
            format!("{namespace} {group} {}", counted(users.len() as u64, "member", "members"))
        }
        Event::GroupRemoved { namespace, group } => format!("{namespace} {group}"),
        Event::PolicyRemoved { namespace } => namespace.clone(),
        Event::MemberRemoved { namespace, user } => format!("{namespace} {user}"),
        Event::TokenIssued { token, .. } | Event::TokenRevoked { token } => token.clone(),
        Event::KeyEnrolled { key, .. } | Event::KeyRevoked { key } => key.clone(),
        Event::UserLinked { user, issuer } => format!("{user} {issuer}"),
        Event::PublisherTrusted { publisher, namespace, matches, .. } => match &matches.repository {
            Some(repository) => format!("{namespace} {repository} {publisher}"),
            None => format!("{namespace} {publisher}"),
        },
        Event::PublisherUntrusted { publisher, namespace } => format!("{namespace} {publisher}"),
        Event::VersionPublished { skill, version, .. }
        | Event::VersionSigned { skill, version, .. }
        | Event::VersionApproved { skill, version, .. }
        | Event::VersionRejected { skill, version, .. }
        | Event::VersionChangesRequested { skill, version, .. }
        | Event::VersionYanked { skill, version }
        | Event::VersionUnyanked { skill, version }
        | Event::VersionQuarantined { skill, version }
        | Event::VersionForced { skill, version, .. }
        | Event::VersionDue { skill, version, .. }
        | Event::VersionReviewed { skill, version, .. }
        | Event::VersionReleased { skill, version, .. } => format!("{skill} {version}"),
        Event::VersionHeld { skill, version, why, .. } => format!("{skill} {version} {why}"),
        Event::VisibilityChanged { skill, visibility } => format!("{skill} {visibility}"),
        Event::SkillRated { skill, tenths } => format!("{skill} {}.{}", tenths / 10, tenths % 10),
        Event::CommentPosted(OfComment { skill, comment })
        | Event::CommentEdited(OfComment { skill, comment })
        | Event::CommentDeleted(OfComment { skill, comment })
        | Event::CommentHidden(OfComment { skill, comment })
        | Event::CommentUnhidden(OfComment { skill, comment }) => format!("{skill} {comment}"),
        Event::ReviewAnswered { skill, user, .. }
        | Event::ReviewAnswerRemoved(OfReview { skill, user })
        | Event::ReviewHidden(OfReview { skill, user })
        | Event::ReviewUnhidden(OfReview { skill, user }) => format!("{skill} {user}"),
        Event::SkillUnrated { skill } | Event::SkillStarred { skill } | Event::SkillUnstarred { skill } => {
            skill.to_string()
        }
    }
}
