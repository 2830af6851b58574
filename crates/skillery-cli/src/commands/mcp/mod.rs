//! `skillery mcp`: the configured registry and the local library, for an agent's host over stdin and stdout.
//!
//! Nothing but messages of the protocol is written to stdout. The program ends when its host closes stdin.

mod local;

use clap::Args;
use rmcp::ServiceExt as _;
use rmcp::service::ServerInitializeError;
use skillery_client::{Client, InstallOptions};
use skillery_mcp::Handler;

use self::local::Local;
use crate::failure::{CommandResult, Exit, Failure};
use crate::session::Session;

/// Arguments of `mcp`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  claude mcp add skillery -- skillery mcp
  codex mcp add skillery -- skillery mcp
  gemini mcp add skillery skillery mcp
  skillery mcp --allow-install          install without asking, where the host cannot ask

Cursor (`.cursor/mcp.json`), and others whose file has `mcpServers`:
  {\"mcpServers\": {\"skillery\": {\"command\": \"skillery\", \"args\": [\"mcp\"]}}}

The registry and the token are those of `skillery login`. Files are checked as for an installation before an agent reads them. \
A registry speaks the protocol itself, too, at /mcp: without this program, and without checks on this machine.")]
pub(crate) struct McpArgs {
    /// Install what the agent asks for even where its host cannot ask the user; nobody is asked then
    #[arg(long)]
    allow_install: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &McpArgs) -> CommandResult {
    let config = session.config()?;
    let local = Local {
        client: Client::new(&config)?,
        library: session.library()?,
        options: InstallOptions::of(&config),
        allow_install: args.allow_install,
    };
    let served = Handler::new(local).serve(rmcp::transport::stdio()).await;
    let running = match served {
        Ok(running) => running,
        // A host that starts the program to see whether it is there.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(Exit::Done),
        Err(error) => {
            return Err(Failure::new(
                Exit::Failed,
                "mcp-failed",
                "the host did not begin as the protocol has it",
            )
            .cause(&error)
            .hint("`skillery mcp` is started by an agent's host; `skillery mcp --help` says how"));
        }
    };
    let ended = running.waiting().await;
    ended.map_err(|error| {
        Failure::new(Exit::Failed, "mcp-failed", "answering the host ended before its time").cause(&error)
    })?;
    Ok(Exit::Done)
}
