//! The program `skillery`: parse, dispatch, and turn what comes back into an exit code.
//!
//! A command says what it does in `commands/<verb>.rs`. What it prints goes through [`output`], what goes wrong
//! through [`failure`]; neither this file nor a command knows HTTP, SQL, or a path inside the library.

mod cli;
mod commands;
mod consent;
mod failure;
mod interrupt;
mod metrics;
mod output;
mod paging;
mod placing;
mod progress;
mod secret;
mod session;
mod settings;
mod wanted;

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Steps that run side by side, and connections, need more than the thousand that most systems begin with.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let arguments: Vec<_> = std::env::args_os().collect();
    match cli::parse(&arguments) {
        Ok(cli) => commands::run(cli).into(),
        Err(exit) => exit.into(),
    }
}
