//! Reading a secret: from a prompt that does not show it, from standard input, or from a variable. Never from an
//! argument, which other users of the machine can see.

use std::io::{self, IsTerminal, Read};

use console::Term;
use skillery_core::token::Secret;

use crate::failure::{Exit, Failure};

/// More than any token or signing secret is long.
const MOST_BYTES: u64 = 64 * 1024;

/// Asks for a secret on the terminal without showing what is typed. Where there is none, `option` would take it.
///
/// This blocks, and must be the first thing that a command does: Ctrl-C then still ends the program as the
/// terminal expects, and the shell puts the terminal right.
pub(crate) fn prompt(question: &str, option: &str) -> Result<Secret, Failure> {
    let terminal = Term::stderr();
    if !io::stdin().is_terminal() || !terminal.is_term() {
        return Err(Failure::usage("there is no terminal to ask on")
            .hint(format!("pipe the secret in, with `{option}`")));
    }
    let answer =
        terminal.write_str(question).and_then(|()| terminal.read_secure_line()).map_err(|error| {
            Failure::new(Exit::Failed, "input-error", "cannot read from the terminal").cause(&error)
        })?;
    checked(&answer)
}

/// Reads the signing secret of an org: from standard input with `--secret-stdin`, else from the terminal.
pub(crate) fn signing(is_piped: bool) -> Result<Secret, Failure> {
    if is_piped { from_stdin() } else { prompt("signing secret: ", "--secret-stdin") }
}

/// Reads a secret from standard input; a line break at its end is not part of it.
pub(crate) fn from_stdin() -> Result<Secret, Failure> {
    let mut text = String::new();
    io::stdin().lock().take(MOST_BYTES).read_to_string(&mut text).map_err(|error| {
        Failure::new(Exit::Usage, "input-error", "cannot read the secret from standard input").cause(&error)
    })?;
    checked(text.trim_end_matches(['\r', '\n']))
}

/// Reads a secret from a variable of the environment.
pub(crate) fn from_variable(name: &str) -> Result<Secret, Failure> {
    match std::env::var(name) {
        Ok(text) => checked(&text),
        Err(_) => Err(Failure::usage(format!("the variable `{name}` is not set"))),
    }
}

fn checked(text: &str) -> Result<Secret, Failure> {
    if text.is_empty() { Err(Failure::usage("the secret is empty")) } else { Ok(Secret::new(text)) }
}
