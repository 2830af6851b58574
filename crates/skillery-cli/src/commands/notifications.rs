//! `skillery notifications`: what you are told of, how, and where to.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::Error;
use skillery_core::api::{EmailResponse, ReadRequest};
use skillery_core::{MailMode, NotificationKind, Preference, ProblemCode};

use super::webhook::{self, WebhookArgs};
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, Tone, left, moment, right};
use crate::paging::BeforeArgs;
use crate::session::Session;

/// Arguments of `notifications`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery notifications list --unread
  skillery notifications read --all
  skillery notifications email set me@example.org
  skillery notifications webhook add https://hooks.example.org/skills")]
pub(crate) struct NotificationsArgs {
    #[command(subcommand)]
    command: NotificationsCommand,
}

#[derive(Debug, Subcommand)]
enum NotificationsCommand {
    /// List what you are told of, the newest first
    #[command(after_help = "\
Examples:
  skillery notifications list --unread
  skillery notifications list --json | jq -r '.notifications[].text'")]
    List(ListArgs),
    /// Mark notifications as read
    #[command(after_help = "\
Examples:
  skillery notifications read 12 15
  skillery notifications read --up-to 40
  skillery notifications read --all")]
    Read(ReadArgs),
    /// Show or change how you are told of each kind
    #[command(after_help = "\
Examples:
  skillery notifications preferences
  skillery notifications preferences version-published --mail weekly
  skillery notifications preferences skill-rated --page off --mail off --webhook off")]
    Preferences(PreferencesArgs),
    /// Show or change where you get mail
    #[command(after_help = "\
Examples:
  skillery notifications email
  skillery notifications email set me@example.org
  skillery notifications email confirm 7K3M9QXR2B
  skillery notifications email remove")]
    Email(EmailArgs),
    /// Have an address of yours, or of a namespace, called
    Webhook(WebhookArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only what you have not read
    #[arg(long)]
    unread: bool,

    #[command(flatten)]
    part: BeforeArgs,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(false))]
struct ReadArgs {
    /// Numbers, as `skillery notifications list` shows them
    #[arg(value_name = "NUMBER", group = "which")]
    ids: Vec<i64>,

    /// All with this number or a lower one
    #[arg(long, value_name = "NUMBER", group = "which")]
    up_to: Option<i64>,

    /// All that there are now
    #[arg(long, group = "which")]
    all: bool,
}

#[derive(Debug, Args)]
struct PreferencesArgs {
    /// Change these kinds; without any, all are shown
    #[arg(value_name = "KIND")]
    kinds: Vec<NotificationKind>,

    /// Whether they stand in the list of notifications
    #[arg(long, value_name = "SWITCH", value_parser = switch, requires = "kinds")]
    page: Option<bool>,

    /// Which mail you get: off, immediate, daily or weekly
    #[arg(long, value_name = "MODE", requires = "kinds")]
    mail: Option<MailMode>,

    /// Whether your webhooks get them
    #[arg(long, value_name = "SWITCH", value_parser = switch, requires = "kinds")]
    webhook: Option<bool>,
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it is `on` or `off`".to_owned()),
    }
}

#[derive(Debug, Args)]
struct EmailArgs {
    #[command(subcommand)]
    command: Option<EmailCommand>,
}

#[derive(Debug, Subcommand)]
enum EmailCommand {
    /// Set the address; a code is mailed there
    #[command(after_help = "\
Examples:
  skillery notifications email set me@example.org")]
    Set {
        /// The address
        address: String,
    },
    /// Confirm the address by the code that was mailed
    #[command(after_help = "\
Examples:
  skillery notifications email confirm 7K3M9QXR2B")]
    Confirm {
        /// The code
        code: String,
    },
    /// Get no mail any more
    #[command(after_help = "\
Examples:
  skillery notifications email remove")]
    Remove,
}

#[derive(Debug, Serialize)]
struct Removed {
    removed: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &NotificationsArgs) -> CommandResult {
    match &args.command {
        NotificationsCommand::List(args) => list(session, args).await,
        NotificationsCommand::Read(args) => read(session, args).await,
        NotificationsCommand::Preferences(args) => preferences(session, args).await,
        NotificationsCommand::Email(args) => email(session, args).await,
        NotificationsCommand::Webhook(args) => webhook::run(session, args).await,
    }
}

async fn list(session: &Session, args: &ListArgs) -> CommandResult {
    let found = session.client()?.notifications(args.unread, args.part.before, Some(args.part.limit)).await?;
    session.output.show(&found, |page| {
        if found.notifications.is_empty() {
            page.text(if args.unread { "nothing that you have not read" } else { "nothing" });
            return;
        }
        let mut grid = Grid::new(&[right("NUMBER"), left("NEW"), left("WHEN"), left("KIND"), left("WHAT")]);
        for one in &found.notifications {
            let (number, at) = (one.id.to_string(), moment(one.at));
            let new = if one.read_at.is_none() { "*" } else { "" };
            grid.row([&number, new, &at, one.kind.as_str(), &one.text]);
        }
        page.grid(grid);
    })?;
    if found.next.is_some() {
        session.output.note(Line::default().toned(Tone::Faint, format!("{} not read", found.unread)));
    }
    BeforeArgs::note(session, found.next);
    Ok(Exit::Done)
}

async fn read(session: &Session, args: &ReadArgs) -> CommandResult {
    let client = session.client()?;
    let up_to = match args.all {
        // Not what comes while this runs.
        true => {
            client.notifications(false, None, Some(1)).await?.notifications.first().map_or(0, |one| one.id)
        }
        false => args.up_to.unwrap_or(0),
    };
    let up_to = (args.all || args.up_to.is_some()).then_some(up_to);
    let left = client.read_notifications(&ReadRequest { ids: args.ids.clone(), up_to }).await?;
    session.output.show(&left, |page| page.text(format!("{} not read", left.unread)))?;
    Ok(Exit::Done)
}

async fn preferences(session: &Session, args: &PreferencesArgs) -> CommandResult {
    let client = session.client()?;
    let mut all = client.preferences().await?;
    if !args.kinds.is_empty() {
        if args.page.is_none() && args.mail.is_none() && args.webhook.is_none() {
            return Err(
                Failure::usage("there is nothing to change").hint("add `--page`, `--mail` or `--webhook`")
            );
        }
        let wanted =
            all.preferences.iter().filter(|one| args.kinds.contains(&one.kind)).map(|one| Preference {
                kind: one.kind,
                page: args.page.unwrap_or(one.page),
                mail: args.mail.unwrap_or(one.mail),
                webhook: args.webhook.unwrap_or(one.webhook),
            });
        all = client.set_preferences(wanted.collect()).await?;
    }
    session.output.show(&all, |page| {
        let word = |is_on: bool| if is_on { "on" } else { "off" };
        let mut grid = Grid::new(&[left("KIND"), left("PAGE"), left("MAIL"), left("WEBHOOK")]);
        for one in &all.preferences {
            grid.row([one.kind.as_str(), word(one.page), one.mail.as_str(), word(one.webhook)]);
        }
        page.grid(grid);
    })?;
    if !all.mail {
        match client.email().await {
            Ok(state) => session.output.note(why_no_mail(&state)),
            // A token that may read this may not be allowed to ask for the address.
            Err(Error::Problem(problem))
                if matches!(problem.code, ProblemCode::InsufficientScope | ProblemCode::TokenOutOfBounds) => {
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Exit::Done)
}

/// Why no mail is sent, and what helps.
fn why_no_mail(state: &EmailResponse) -> Line {
    let line = Line::default().plain("no mail is sent to you: ");
    let set = "skillery notifications email set";
    match &state.address {
        _ if !state.offered => line.plain("this registry sends none"),
        None => line.plain("set an address with ").command(format!("{set} ADDRESS")),
        Some(address) if state.unsubscribed_at.is_some() => line
            .plain(format!("{address} was unsubscribed; set it again with "))
            .command(format!("{set} {address}")),
        Some(address) => line
            .plain(format!("{address} is not confirmed; take the code that was mailed there to "))
            .command("skillery notifications email confirm CODE"),
    }
}

async fn email(session: &Session, args: &EmailArgs) -> CommandResult {
    let client = session.client()?;
    let state = match &args.command {
        None => client.email().await?,
        Some(EmailCommand::Set { address }) => client.set_email(address).await?,
        Some(EmailCommand::Confirm { code }) => client.confirm_email(code).await?,
        Some(EmailCommand::Remove) => {
            client.remove_email().await?;
            session.output.show(&Removed { removed: true }, |page| page.text("no mail is sent to you"))?;
            return Ok(Exit::Done);
        }
    };
    session.output.show(&state, |page| describe(page, &state))?;
    if state.pending.is_some() || (state.address.is_some() && state.confirmed_at.is_none()) {
        session.output.note(
            Line::default()
                .plain("a code was mailed there; confirm it with ")
                .command("skillery notifications email confirm CODE"),
        );
    }
    Ok(Exit::Done)
}

fn describe(page: &mut Page, state: &EmailResponse) {
    let Some(address) = &state.address else {
        page.text(if state.offered { "no address is set" } else { "this registry sends no mail" });
        return;
    };
    page.field("address", address);
    page.field("confirmed", state.confirmed_at.map_or_else(|| "no".to_owned(), moment));
    if let Some(at) = state.unsubscribed_at {
        page.field("unsubscribed", moment(at));
    }
    if let Some(pending) = &state.pending {
        page.field("to be confirmed", pending);
    }
    if let Some(mail) = &state.undelivered {
        let why = mail.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        page.field("not delivered", format!("to {}, {}{why}", mail.address, moment(mail.at)));
    }
}
