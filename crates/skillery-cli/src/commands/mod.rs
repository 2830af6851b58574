//! Every command, and which function runs it.

pub(crate) mod admin;
mod admin_running;
pub(crate) mod agents;
pub(crate) mod approve;
pub(crate) mod audit;
pub(crate) mod comments;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod dependencies;
pub(crate) mod dependents;
pub(crate) mod doctor;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod install;
pub(crate) mod key;
pub(crate) mod leaderboard;
pub(crate) mod lint;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod login;
mod login_oidc;
pub(crate) mod logout;
pub(crate) mod mcp;
pub(crate) mod notifications;
pub(crate) mod open;
pub(crate) mod openapi;
pub(crate) mod org;
mod org_insight;
mod org_policy;
pub(crate) mod outdated;
pub(crate) mod packages;
pub(crate) mod policy;
pub(crate) mod publish;
mod publish_folder;
pub(crate) mod publisher;
pub(crate) mod quarantine;
pub(crate) mod rate;
pub(crate) mod remove;
pub(crate) mod reports;
pub(crate) mod reviews;
pub(crate) mod sbom;
pub(crate) mod search;
pub(crate) mod serve;
mod serving;
mod short_id;
pub(crate) mod sign;
pub(crate) mod stats;
pub(crate) mod token;
pub(crate) mod tree;
pub(crate) mod trending;
pub(crate) mod update;
pub(crate) mod usage;
pub(crate) mod user;
pub(crate) mod verify;
mod verify_oms;
pub(crate) mod visibility;
pub(crate) mod webhook;
pub(crate) mod whoami;
pub(crate) mod witness;
pub(crate) mod workflow;
pub(crate) mod yank;

use std::future::Future;
use std::pin::Pin;

use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::failure::{CommandResult, Exit, Failure};
use crate::interrupt;
use crate::output::{Line, Tone};
use crate::session::Session;

/// Runs the command and says how it ended. What went wrong has been printed.
pub(crate) fn run(cli: Cli) -> Exit {
    let session = Session::new(cli.global);
    let mut runtime = match cli.command {
        Command::Serve(_) | Command::Witness(_) => tokio::runtime::Builder::new_multi_thread(),
        // What a command waits for reaches it without a detour over another thread, which steps are short enough to notice.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let result = match runtime.enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(until_interrupted(&session, &cli.command));
            // Work on blocking threads is atomic or ours to abandon; nobody waits for it.
            runtime.shutdown_background();
            result
        }
        Err(error) => {
            Err(Failure::new(Exit::Failed, "runtime", "cannot start the program's threads").cause(&error))
        }
    };
    tell_of_logs(&session);
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            session.output.failure(&failure);
            failure.exit()
        }
    }
}

/// Says once that the log of a registry was met, or is believed by another key from now on.
fn tell_of_logs(session: &Session) {
    for met in skillery_client::log::take_met() {
        session.output.note(Line::default().toned(Tone::Faint, met.to_string()));
    }
    for followed in skillery_client::log::take_followed() {
        session.output.warning(&followed.to_string());
    }
}

/// Runs the command to its end, or drops it when the program is asked to stop. What a command changes is changed
/// by one rename or one request, so that dropping it leaves the old state or the new one.
async fn until_interrupted(session: &Session, command: &Command) -> CommandResult {
    if session.global.verbose && !matches!(command, Command::Serve(_) | Command::Witness(_)) {
        start_log();
    }
    if matches!(command, Command::Serve(_) | Command::Witness(_) | Command::Workflow(_)) {
        // They stop by themselves: servers gracefully, a workflow with a report.
        return dispatch(session, command).await;
    }
    let interrupted: Pin<Box<dyn Future<Output = ()>>> = if may_ask(command) {
        // Listening begins when the command first waits: a prompt before that is ended by Ctrl-C as the terminal
        // expects.
        Box::pin(async { interrupt::listen().await })
    } else {
        Box::pin(interrupt::listen())
    };
    tokio::select! {
        biased;
        result = dispatch(session, command) => result,
        () = interrupted => Err(Failure::new(Exit::Interrupted, "interrupted", "interrupted")),
    }
}

/// Whether the command may ask for a secret on the terminal.
fn may_ask(command: &Command) -> bool {
    matches!(
        command,
        Command::Login(_)
            | Command::Key(_)
            | Command::Org(_)
            | Command::Sign(_)
            | Command::Publish(_)
            | Command::Import(_)
    )
}

async fn dispatch(session: &Session, command: &Command) -> CommandResult {
    match command {
        Command::Serve(args) => serve::run(session, args).await,
        Command::Witness(args) => witness::run(session, args).await,
        Command::Login(args) => login::run(session, args).await,
        Command::Logout(args) => logout::run(session, args),
        Command::Whoami(args) => whoami::run(session, args).await,
        Command::Open(args) => open::run(session, args).await,
        Command::Publish(args) => publish::run(session, args).await,
        Command::Import(args) => import::run(session, args).await,
        Command::Sign(args) => sign::run(session, args).await,
        Command::Lint(args) => lint::run(session, args),
        Command::Search(args) => search::run(session, args).await,
        Command::Info(args) => info::run(session, args).await,
        Command::Install(args) => install::run(session, args).await,
        Command::Update(args) => update::run(session, args).await,
        Command::Outdated(args) => outdated::run(session, args).await,
        Command::Sbom(args) => sbom::run(session, args).await,
        Command::List(args) => list::run(session, args),
        Command::Remove(args) => remove::run(session, args).await,
        Command::Agents(args) => agents::run(session, args),
        Command::Verify(args) => verify::run(session, args).await,
        Command::Rate(args) => rate::run(session, args).await,
        Command::Reviews(args) => reviews::run(session, args).await,
        Command::Comments(args) => comments::run(session, args).await,
        Command::Reports(args) => reports::run(session, args).await,
        Command::Trending(args) => trending::run(session, args).await,
        Command::Leaderboard(args) => leaderboard::run(session, args).await,
        Command::Usage(args) => usage::run(session, args).await,
        Command::Health(args) => health::run(session, args).await,
        Command::Dependencies(args) => dependencies::run(session, args).await,
        Command::Dependents(args) => dependents::run(session, args).await,
        Command::Yank(args) => yank::run(session, args).await,
        Command::Quarantine(args) => quarantine::run(session, args).await,
        Command::Approve(args) => approve::run(session, args).await,
        Command::Notifications(args) => notifications::run(session, args).await,
        Command::Audit(args) => audit::run(session, args).await,
        Command::Visibility(args) => visibility::run(session, args).await,
        Command::Org(args) => org::run(session, args).await,
        Command::Token(args) => token::run(session, args).await,
        Command::User(args) => user::run(session, args).await,
        Command::Key(args) => key::run(session, args).await,
        Command::Mcp(args) => mcp::run(session, args).await,
        Command::Workflow(args) => workflow::run(session, args).await,
        Command::Packages(args) => packages::run(session, args),
        Command::Policy(args) => policy::run(session, args),
        Command::Stats(args) => stats::run(session, args).await,
        Command::Tree(args) => tree::run(session, args),
        Command::Log(args) => log::run(session, args).await,
        Command::Admin(args) => admin::run(session, args).await,
        Command::Config(args) => config::run(session, args),
        Command::Doctor(args) => doctor::run(session, args).await,
        Command::Completions(args) => completions::run(session, args),
        Command::Openapi(args) => openapi::run(session, args),
    }
}

/// What the client and the runner do, on stderr. Libraries below them are left out: they may show headers.
fn start_log() {
    let filter = EnvFilter::new("off,skillery=debug,skillery_client=debug,skillery_runner=debug");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Only a second log could fail to start.
    let _ = subscriber.with_ansi(false).without_time().try_init();
}
