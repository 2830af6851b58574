//! `skillery open`: the pages of the registry in a browser, signed in.

use std::io::IsTerminal;

use clap::Args;
use skillery_core::SkillId;

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, moment};
use crate::session::Session;

/// Arguments of `open`.
#[derive(Debug, Args)]
#[command(after_help = "\
The browser gets a session of its own, for some days, that may do no more than your token. Whoever
opens the link first is signed in as you, so show it to nobody; it works once, and for ten minutes.

Examples:
  skillery open
  skillery open acme/email_validator
  skillery open --print                              where no browser runs, or another one is wanted")]
pub(crate) struct OpenArgs {
    /// The skill to look at
    id: Option<SkillId>,
    /// Print the link and open nothing
    #[arg(long)]
    print: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &OpenArgs) -> CommandResult {
    let mut link = session.client()?.login_link().await?;
    if let Some(id) = &args.id {
        // What stands before is an address with one parameter.
        link.url += &format!("&next=%2F{}", id.as_str().replace('/', "%2F"));
    }
    let is_opened = !args.print && std::io::stdout().is_terminal() && open::that_detached(&link.url).is_ok();
    session.output.show(&link, |page| {
        if is_opened {
            page.line(Line::default().plain("opened in your browser; if not, open this yourself:"));
        }
        page.line(Line::default().plain(&link.url));
        page.field("works until", moment(&link.expires_at.to_string()));
    })?;
    Ok(Exit::Done)
}
