//! How a skill is installed by the programs that people have.

use serde::{Deserialize, Serialize};

/// `GET /api/v1/skills/{id}/install`: what to type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstallResponse {
    /// `org/name`.
    pub id: String,
    /// The version that the lines install, or the latest, where they install what is the latest then.
    pub version: String,
    /// Whether a token has to go along. The lines take it from the variable `SKILLERY_TOKEN`.
    pub needs_token: bool,
    /// One for each program that can install it from this registry.
    pub lines: Vec<InstallLine>,
}

/// How one program installs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstallLine {
    /// A word for the program, for example `npx-skills`.
    pub client: String,
    /// The command for a shell; what stands in a file where the program has no command.
    pub command: String,
    /// What is to be known about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
