//! What a command works with: the options that all commands share, where output goes, and, when asked for, the
//! client, the library and the configuration.

use skillery_client::config::parse_url;
use skillery_client::{Client, Config, ConfigLayer, Error, ExitClass, Home, Library};

use crate::cli::GlobalArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Session {
    /// Where output goes.
    pub(crate) output: Output,
    /// What every command takes.
    pub(crate) global: GlobalArgs,
}

impl Session {
    /// A run with these options.
    pub(crate) fn new(global: GlobalArgs) -> Self {
        Self { output: Output::new(&global), global }
    }

    /// The folder of configuration, keys and library.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        Ok(Home::locate()?)
    }

    /// The connection: an option, else the environment, else the file, else the default.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let registry = self.global.registry.as_deref();
        let options = ConfigLayer {
            url: registry.map(|url| parse_url(url, "`--registry`")).transpose()?,
            token: self.global.token.clone(),
            ..ConfigLayer::default()
        };
        Ok(Config::load(&self.home()?)?.with(&options))
    }

    /// A client of the configured registry.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.config()?)?)
    }

    /// The local library.
    pub(crate) fn library(&self) -> Result<Library, Failure> {
        Ok(Library::new(self.home()?))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.exit_class() {
            ExitClass::Failed => Exit::Failed,
            ExitClass::Usage => Exit::Usage,
            ExitClass::NotAllowed => Exit::NotAllowed,
            ExitClass::NotFound => Exit::NotFound,
            ExitClass::Unreachable => Exit::Unreachable,
        };
        let failure = Self::new(exit, error.code(), error.to_string()).cause_behind(&error);
        match error.code() {
            // The client does not know by which of its doors it was reached.
            "token-required" | "unauthenticated" => {
                failure.hint("sign in with `skillery login`, or set `SKILLERY_TOKEN`")
            }
            _ => error.hint().into_iter().fold(failure, Failure::hint),
        }
    }
}
