//! Updating an installed skill to what its registry has now.

use serde::Serialize;
use skillery_core::{Version, VersionRequest};

use crate::client::Client;
use crate::error::Result;
use crate::library::{InstallOptions, Installation, Installed, Library, blocking};

/// What updating a skill led to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Update {
    /// The version before.
    pub from: Version,
    /// The version now: the same where there was nothing newer.
    pub to: Version,
    /// What was installed, if there was something newer.
    pub installation: Option<Installation>,
    /// Why nothing can be newer: the skill was made here, or came from another registry.
    pub passed_over: Option<String>,
}

impl Library {
    /// Installs the highest version that fits the request, where that is above the current one. Never goes down:
    /// that is what rolling back is for.
    pub async fn update(
        &self,
        client: &Client,
        name: &str,
        request: &VersionRequest,
        options: InstallOptions,
    ) -> Result<Update> {
        let (library, wanted) = (self.clone(), name.to_owned());
        let current: Installed = blocking(move || library.get(&wanted, None)).await?;
        let from = current.manifest.version;
        let unchanged = |passed_over: Option<String>| Update {
            from: from.clone(),
            to: from.clone(),
            installation: None,
            passed_over,
        };
        match current.manifest.registry.as_deref() {
            Some(registry) if registry == client.registry() => {}
            Some(registry) => return Ok(unchanged(Some(format!("it came from {registry}")))),
            None => return Ok(unchanged(Some("it was made here".to_owned()))),
        }
        let id = current.manifest.id;
        let Some(to) = client.newest(&id, request).await?.filter(|to| *to > from) else {
            return Ok(unchanged(None));
        };
        // The number is the registry's choice where nobody has named it: what it warns of is not for them.
        let is_named = matches!(request, VersionRequest::Exact(_));
        let wanted = VersionRequest::Exact(to.clone());
        let installation = self.install_chosen(client, &id, &wanted, is_named, options).await?;
        Ok(Update { from, to, installation: Some(installation), passed_over: None })
    }
}
