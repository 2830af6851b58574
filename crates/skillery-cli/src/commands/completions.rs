//! `skillery completions`: a script that completes commands in a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::{CommandResult, Exit};
use crate::session::Session;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery completions bash > ~/.local/share/bash-completion/completions/skillery
  skillery completions zsh > ~/.zfunc/_skillery
  skillery completions fish > ~/.config/fish/completions/skillery.fish")]
pub(crate) struct CompletionsArgs {
    /// For this shell
    shell: Shell,
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &CompletionsArgs) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "skillery", &mut script);
    session.output.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
