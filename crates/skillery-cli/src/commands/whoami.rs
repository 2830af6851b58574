//! `skillery whoami`: who is signed in, and what the token may do.

use clap::Args;

use crate::commands::token::scopes_text;
use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Tone, moment, registry_text};
use crate::session::Session;

/// Arguments of `whoami`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery whoami
  skillery whoami --json | jq -r .user")]
pub(crate) struct WhoamiArgs {}

/// Runs it.
pub(crate) async fn run(session: &Session, _: &WhoamiArgs) -> CommandResult {
    let config = session.config()?;
    let who = session.client()?.whoami().await?;
    session.output.show(&who, |page| {
        let name = Line::default().name(&who.user).plain(" at ").plain(registry_text(&config.url));
        page.line(if who.site_admin { name.toned(Tone::Warning, " (admin of the registry)") } else { name });
        page.field("token", if who.token.label.is_empty() { &who.token.id } else { &who.token.label });
        page.field("scopes", scopes_text(&who.token.scopes));
        if !who.token.namespaces.is_empty() {
            page.field("bound to", who.token.namespaces.join(", "));
        }
        page.field("expires", who.token.expires_at.map_or_else(|| "never".to_owned(), moment));
        for membership in &who.memberships {
            page.field("member of", format!("{} ({})", membership.namespace, membership.role));
        }
    })?;
    Ok(Exit::Done)
}
