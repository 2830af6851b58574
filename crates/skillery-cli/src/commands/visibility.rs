//! `skillery visibility`: sets who sees a skill.

use clap::Args;
use serde::Serialize;
use skillery_core::{SkillId, Visibility};

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Tone};
use crate::session::Session;

/// Arguments of `visibility`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery visibility acme/email_validator private   members of the namespace only
  skillery visibility acme/email_validator internal  whoever is signed in
  skillery visibility acme/email_validator public    everybody

It holds for all versions. Needs the role `admin` in the namespace.")]
pub(crate) struct VisibilityArgs {
    /// Which skill, `org/name`
    id: SkillId,

    /// Who sees it: `public`, `internal` or `private`
    visibility: Visibility,
}

#[derive(Debug, Serialize)]
struct Changed<'a> {
    id: &'a SkillId,
    visibility: Visibility,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &VisibilityArgs) -> CommandResult {
    let (id, visibility) = (&args.id, args.visibility);
    session.client()?.set_visibility(id, visibility).await?;
    session.output.show(&Changed { id, visibility }, |page| {
        page.line(
            Line::default()
                .name(id.as_str())
                .plain(" is ")
                .toned(Tone::Good, visibility.as_str())
                .plain(" now"),
        );
    })?;
    Ok(Exit::Done)
}
