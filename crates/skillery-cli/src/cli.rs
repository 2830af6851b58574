//! The command line: which commands there are, and the options that all of them take.
//!
//! The arguments of a command stand in its own file, `commands/<verb>.rs`.

use std::ffi::OsString;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use skillery_core::token::Secret;

use crate::commands;
use crate::failure::{Exit, Failure};
use crate::output::{Output, safe};

/// The registry for the skills of AI agents: server and client in one program.
#[derive(Debug, Parser)]
#[command(name = "skillery", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  skillery serve                                     start a registry on this machine
  skillery publish email_validator.py --org acme --version 1.0.0
  skillery search email --tag validation             find skills
  skillery install acme/email_validator@^1           fetch, verify and lock one
  skillery workflow run validate.json -i email=a@example.com

Exit codes:
  0 done                     1 the skill, the workflow or a check failed
  2 wrong usage or input     3 not allowed
  4 not found                5 registry unreachable
  130 interrupted")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Print the result as JSON, and an error as JSON on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Talk to the registry at this address [env: REGISTRY_URL or SKILLERY_REGISTRY]
    // Parsed later: the parser of arguments would repeat a bad one, and with it a password.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) registry: Option<String>,

    /// Sign in with this token, which other users of the machine may see here; prefer `skillery login`
    /// [env: REGISTRY_TOKEN or SKILLERY_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", value_parser = parse_secret)]
    pub(crate) token: Option<Secret>,

    /// Print only results, warnings and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Say on stderr what is being done
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,

    /// Use colours; `NO_COLOR` is respected
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
}

/// When to use colours. The variants have no words of their own, so that the help stays short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a registry
    Serve(commands::serve::ServeArgs),
    /// Run a witness, which has logs show that they only ever grow
    Witness(commands::witness::WitnessArgs),
    /// Sign in to a registry and keep the token
    Login(commands::login::LoginArgs),
    /// Forget the token that was kept
    Logout(commands::logout::LogoutArgs),
    /// Show who is signed in, and what the token may do
    Whoami(commands::whoami::WhoamiArgs),
    /// Open the registry's pages in a browser, signed in
    Open(commands::open::OpenArgs),
    /// Publish a version of a skill
    Publish(commands::publish::PublishArgs),
    /// Publish what is new in a folder, an archive or a repository of skills
    Import(commands::import::ImportArgs),
    /// Sign a version that is published
    Sign(commands::sign::SignArgs),
    /// Say what is wrong with a skill's folder
    Lint(commands::lint::LintArgs),
    /// Find skills
    Search(commands::search::SearchArgs),
    /// Show everything about a skill
    Info(commands::info::InfoArgs),
    /// Fetch skills into the local library, verify and lock them
    Install(commands::install::InstallArgs),
    /// Install the newest versions of skills that are installed
    Update(commands::update::UpdateArgs),
    /// List skills that have newer versions, or versions that should not be used
    Outdated(commands::outdated::OutdatedArgs),
    /// List the local library
    List(commands::list::ListArgs),
    /// Remove skills from the local library
    Remove(commands::remove::RemoveArgs),
    /// List the agents that skills can be placed for, and their folders
    Agents(commands::agents::AgentsArgs),
    /// Check every installed file against its digest
    Verify(commands::verify::VerifyArgs),
    /// Write a bill of materials of the skills that are used (CycloneDX)
    Sbom(commands::sbom::SbomArgs),
    /// Rate a skill
    Rate(commands::rate::RateArgs),
    /// Show the ratings and reviews of a skill, or answer one
    Reviews(commands::reviews::ReviewsArgs),
    /// Read and write comments on a skill
    Comments(commands::comments::CommentsArgs),
    /// Report abuse, and decide about what was reported
    Reports(commands::reports::ReportsArgs),
    /// Show the skills that are installed most at present
    Trending(commands::trending::TrendingArgs),
    /// Show whose skills others use
    Leaderboard(commands::leaderboard::LeaderboardArgs),
    /// Show how often a skill is installed, and which versions are in use
    Usage(commands::usage::UsageArgs),
    /// Show how sound a version is, and what would make it sounder
    Health(commands::health::HealthArgs),
    /// Show which skills of the registry a skill needs
    Dependencies(commands::dependencies::DependenciesArgs),
    /// Show which skills of the registry a change of a skill reaches
    #[command(visible_alias = "impact")]
    Dependents(commands::dependents::DependentsArgs),
    /// Take a version back without deleting it
    Yank(commands::yank::YankArgs),
    /// Keep a version from everybody (admins of the registry)
    Quarantine(commands::quarantine::QuarantineArgs),
    /// Decide about versions that wait for approval
    Approve(commands::approve::ApproveArgs),
    /// Read what you are told of, and say how and where
    Notifications(commands::notifications::NotificationsArgs),
    /// Set who sees a skill
    Visibility(commands::visibility::VisibilityArgs),
    /// Manage orgs, their members and signing secrets
    Org(commands::org::OrgArgs),
    /// Manage your tokens
    Token(commands::token::TokenArgs),
    /// Manage the users of a registry
    User(commands::user::UserArgs),
    /// Manage the keys that you sign with, and keep the signing secrets of orgs
    Key(commands::key::KeyArgs),
    /// Serve the registry to an agent over the Model Context Protocol
    Mcp(commands::mcp::McpArgs),
    /// Run or check a workflow of installed skills
    Workflow(commands::workflow::WorkflowArgs),
    /// Show and change what skills may do
    Policy(commands::policy::PolicyArgs),
    /// List and clear the packages that were installed for skills
    Packages(commands::packages::PackagesArgs),
    /// Show how installed skills do: runs, success, time, rating
    Stats(commands::stats::StatsArgs),
    /// Show which installed skills need which
    Tree(commands::tree::TreeArgs),
    /// Say what keeps skills in on this machine
    Doctor(commands::doctor::DoctorArgs),
    /// Show what was changed, by whom and when (admins of the registry)
    Log(commands::log::LogArgs),
    /// Show who did what, when and from where, and what was refused (admins)
    Audit(commands::audit::AuditArgs),
    /// Look after a registry
    Admin(commands::admin::AdminArgs),
    /// Show what this program is configured to do
    Config(commands::config::ConfigArgs),
    /// Print a script that completes commands in a shell
    Completions(commands::completions::CompletionsArgs),
    /// Print the OpenAPI document of the registry
    #[command(hide = true)]
    Openapi(commands::openapi::OpenapiArgs),
}

/// Parses the arguments. What is no command (help, the version, a mistake) is printed here.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Cli, Exit> {
    // Colours and JSON must be known before parsing can fail.
    let early = early_options(arguments);
    let command = Cli::command().color(match early.color {
        ColorChoice::Auto => clap::ColorChoice::Auto,
        ColorChoice::Always => clap::ColorChoice::Always,
        ColorChoice::Never => clap::ColorChoice::Never,
    });
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        if error.exit_code() == 0 {
            let _ = error.print();
            return Exit::Done;
        }
        let harmful = arguments
            .iter()
            .any(|argument| argument.to_str().is_none_or(|argument| safe(argument) != argument));
        // The parser repeats arguments as they are; one that came from elsewhere may try to lead the terminal.
        if early.json || harmful {
            Output::new(&early).failure(&usage_failure(&error));
        } else {
            let _ = error.print();
        }
        Exit::Usage
    })
}

fn early_options(arguments: &[OsString]) -> GlobalArgs {
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let color = |word: &str| {
        let two_words =
            arguments.windows(2).any(|pair| pair[0] == "--color" && pair[1].to_str() == Some(word));
        two_words || has(&format!("--color={word}"))
    };
    let color = match (color("always"), color("never")) {
        (true, _) => ColorChoice::Always,
        (_, true) => ColorChoice::Never,
        _ => ColorChoice::Auto,
    };
    GlobalArgs { json: has("--json"), registry: None, token: None, quiet: false, verbose: false, color }
}

/// A mistake in the arguments as a failure: the first line is what went wrong, a `tip:` is the hint.
fn usage_failure(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or("wrong usage");
    let mut message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    let mut hint = None;
    for line in lines {
        if let Some(tip) = line.strip_prefix("tip: ") {
            hint.get_or_insert_with(|| tip.to_owned());
        } else if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        } else {
            message = format!("{message} {line}");
        }
    }
    Failure::usage(message).hint(hint.unwrap_or_else(|| "try `--help`".to_owned()))
}

fn parse_secret(text: &str) -> Result<Secret, String> {
    match text.trim() {
        "" => Err("the token is empty".to_owned()),
        token => Ok(Secret::new(token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound_and_every_command_has_examples() {
        fn walk(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Examples:\n"), "`{path}` has no examples");
            assert!(command.get_about().is_some(), "`{path}` says nothing about itself");
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                assert!(line.chars().count() <= 96, "an example of `{path}` would be wrapped: {line}");
            }
            command.get_subcommands().for_each(|inner| walk(inner, &path));
        }
        Cli::command().debug_assert();
        walk(&Cli::command(), "");
    }

    #[test]
    fn a_token_is_not_shown() {
        let arguments = ["skillery", "--token", "sky_pat_secret", "list"];
        let cli = Cli::try_parse_from(arguments).unwrap();
        assert!(!format!("{cli:?}").contains("sky_pat"));
    }
}
