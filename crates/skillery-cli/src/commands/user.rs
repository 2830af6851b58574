//! `skillery user`: the users of a registry. For admins of the registry.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_core::Segment;
use skillery_core::api::{CreateUserRequest, LinkUserRequest, UpdateUserRequest, UserSummary};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Tone, left, moment};
use crate::paging::PageArgs;
use crate::session::Session;

/// Arguments of `user`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery user create alice
  skillery token create --user alice --scope read --scope publish
  skillery user disable alice")]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Make a user; `token create --user` then makes a token for it
    #[command(after_help = "\
Examples:
  skillery user create alice
  skillery user create root --admin")]
    Create {
        /// Unique: a-z, 0-9, `.`, `_`, `-`
        name: Segment,
        /// Make the user an admin of the whole registry
        #[arg(long)]
        admin: bool,
    },
    /// List users
    #[command(after_help = "\
Examples:
  skillery user list
  skillery user list --json | jq -r '.users[] | select(.disabled) | .name'")]
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Switch a user off: every token is refused from now on
    #[command(after_help = "\
Examples:
  skillery user disable alice")]
    Disable {
        /// Whom
        name: Segment,
    },
    /// Switch a user on again
    #[command(after_help = "\
Examples:
  skillery user enable alice")]
    Enable {
        /// Whom
        name: Segment,
    },
    /// Link a user with an account at the provider that people sign in at
    #[command(after_help = "\
Examples:
  skillery user link alice 248289761001

The subject is what the provider calls the account, the claim `sub`. A sign-in that is refused \
says it: `skillery login --oidc`.")]
    Link {
        /// Whom
        name: Segment,
        /// The account
        subject: String,
    },
}

#[derive(Debug, Serialize)]
struct Linked<'a> {
    user: &'a Segment,
    linked: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &UserArgs) -> CommandResult {
    let client = session.client()?;
    match &args.command {
        UserCommand::Create { name, admin } => {
            let request = CreateUserRequest { name: name.to_string(), site_admin: *admin };
            show(session, "made the user ", &client.create_user(&request).await?)
        }
        UserCommand::Disable { name } => {
            let request = UpdateUserRequest { disabled: true };
            show(session, "switched off ", &client.update_user(name, &request).await?)
        }
        UserCommand::Enable { name } => {
            let request = UpdateUserRequest { disabled: false };
            show(session, "switched on ", &client.update_user(name, &request).await?)
        }
        UserCommand::Link { name, subject } => {
            client.link_user(name, &LinkUserRequest { subject: subject.clone() }).await?;
            session.output.show(&Linked { user: name, linked: true }, |page| {
                page.line(Line::default().toned(Tone::Good, "linked ").name(name.as_str()));
            })?;
            Ok(Exit::Done)
        }
        UserCommand::List { page } => {
            let listed = client.users(page.page()).await?;
            session.output.show(&listed, |out| {
                let mut grid = Grid::new(&[left("NAME"), left("ADMIN"), left("STATE"), left("SINCE")]);
                for user in &listed.users {
                    let admin = if user.site_admin { "yes" } else { "-" };
                    let state = if user.disabled { "off" } else { "on" };
                    grid.row([&user.name, admin, state, &moment(user.created_at)]);
                }
                out.grid(grid);
            })?;
            page.note(session, listed.users.len(), listed.total);
            Ok(Exit::Done)
        }
    }
}

fn show(session: &Session, done: &str, user: &UserSummary) -> CommandResult {
    session.output.show(user, |page| page.line(Line::default().toned(Tone::Good, done).name(&user.name)))?;
    Ok(Exit::Done)
}
