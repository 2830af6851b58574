//! `skillery user`: the users of a registry. For admins of the registry.

use clap::{Args, Subcommand};
use skillery_core::Segment;
use skillery_core::api::{CreateUserRequest, UpdateUserRequest, UserSummary};

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
        UserCommand::List { page } => {
            let listed = client.users(page.page()).await?;
            session.output.show(&listed, |out| {
                let mut grid = Grid::new(&[left("NAME"), left("ADMIN"), left("STATE"), left("SINCE")]);
                for user in &listed.users {
                    let admin = if user.site_admin { "yes" } else { "-" };
                    let state = if user.disabled { "off" } else { "on" };
                    grid.row([&user.name, admin, state, &moment(&user.created_at.to_string())]);
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
