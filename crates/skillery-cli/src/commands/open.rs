//! `skillery open`: the pages of the registry in a browser, signed in.

use std::io::IsTerminal;

use clap::Args;
use skillery_core::SkillId;
use url::Url;

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, moment};
use crate::session::Session;

/// Arguments of `open`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery open
  skillery open acme/email_validator
  skillery open --print                     where no browser runs, or another one is wanted

The browser gets a session of its own, for some days, that may do no more than your token. Whoever
opens the link first is signed in as you, so show it to nobody; it works once, and for ten minutes.")]
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
    let sign_in = sign_in(&link.url, &session.config()?.url);
    if let (Some(id), Some(_)) = (&args.id, &sign_in) {
        // What stands before is an address with one parameter.
        link.url += &format!("&next=%2F{}", id.as_str().replace('/', "%2F"));
    }
    let wants_browser = !args.print && std::io::stdout().is_terminal();
    let is_opened = wants_browser && sign_in.is_some() && open::that_detached(&link.url).is_ok();
    session.output.show(&link, |page| {
        if is_opened {
            page.line(Line::default().plain("opened in your browser; if not, open this yourself:"));
        }
        if sign_in.is_none() {
            page.line(
                Line::default()
                    .plain("the registry names an address that is not its own; nothing was opened:"),
            );
        }
        page.line(Line::default().plain(&link.url));
        page.field("works until", moment(link.expires_at));
    })?;
    Ok(Exit::Done)
}

/// The address, if it is where one signs in at this registry. What a program opens may start other programs, so the
/// registry does not choose it.
fn sign_in(address: &str, registry: &Url) -> Option<Url> {
    let address = Url::parse(address).ok()?;
    let is_own = address.origin().is_tuple()
        && address.origin() == registry.origin()
        && address.path() == "/login"
        && address.username().is_empty()
        && address.password().is_none()
        && address.fragment().is_none()
        && address.query().is_some_and(|query| query.starts_with("code=") && !query.contains('&'));
    is_own.then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_registry_s_own_page_is_opened() {
        let registry = Url::parse("https://skills.example.org/").unwrap();
        assert!(sign_in("https://skills.example.org/login?code=abc", &registry).is_some());
        assert!(sign_in("https://skills.example.org:443/login?code=abc", &registry).is_some());
        for elsewhere in [
            "https://evil.example/login?code=abc",
            "http://skills.example.org/login?code=abc",
            "https://skills.example.org:444/login?code=abc",
            "https://skills.example.org/other?code=abc",
            "https://skills.example.org/login/../x?code=abc",
            "https://skills.example.org@evil.example/login?code=abc",
            "https://a:b@skills.example.org/login?code=abc",
            "https://skills.example.org/login?code=abc&next=%2Flogout",
            "https://skills.example.org/login",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ms-settings:/login?code=abc",
            "/login?code=abc",
            "",
        ] {
            assert!(sign_in(elsewhere, &registry).is_none(), "{elsewhere}");
        }
        let file = Url::parse("file:///login?code=abc").unwrap();
        assert!(sign_in("file:///login?code=abc", &file).is_none());
    }
}
