//! Pages that the registry, a user and a namespace each have: where they are, and what stands above them.

use skillery_core::Namespace;

use super::namespace::Head;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;

/// Whose page it is.
pub struct Room {
    /// What stands above that of a namespace.
    pub head: Option<Head>,
    /// Where it is.
    pub path: String,
    /// Which entry of the menu beside it is its own.
    pub tab: &'static str,
    /// What it is a part of where it is of no namespace: `account` or `admin`.
    elsewhere: &'static str,
}

impl Room {
    /// Of a namespace, or the page of this name of the account or the registry.
    pub async fn of(
        app: &App,
        caller: &Caller,
        namespace: Option<&Namespace>,
        tab: &'static str,
        elsewhere: &'static str,
    ) -> Result<Self> {
        let head = match namespace {
            Some(namespace) => Some(Head::of(app, caller, namespace, tab).await?),
            None => None,
        };
        let above = head.as_ref().map_or_else(|| format!("/{elsewhere}"), Head::path);
        Ok(Self { head, path: format!("{above}/{tab}"), tab, elsewhere })
    }

    /// What it is a part of.
    pub fn part(&self) -> &'static str {
        if self.head.is_some() { "orgs" } else { self.elsewhere }
    }

    /// Whether the menu of the account stands beside it.
    pub fn is_account(&self) -> bool {
        self.part() == "account"
    }

    /// What it is called: this of the namespace, or `alone`.
    pub fn title(&self, of: &str, alone: &str) -> String {
        match &self.head {
            Some(head) => format!("{of} of {}", head.namespace),
            None => alone.to_owned(),
        }
    }
}
