//! What Python asks the registry of how skills are used.

use serde::{Deserialize, Serialize};
use skillery_client::{Client, Error, Page};
use skillery_core::api::{
    AdoptionResponse, BoardOf, BoardPeriod, DependenciesResponse, DependentsResponse, HealthResponse,
    InstallsResponse, LeaderboardResponse, Unit,
};

use crate::convert::word;

/// A question, as Python writes it.
#[derive(Deserialize)]
#[serde(tag = "what", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Question {
    Usage {
        id: String,
        by: String,
        days: u32,
    },
    Namespace {
        namespace: String,
        by: String,
        days: u32,
    },
    Adoption {
        id: String,
    },
    Dependencies {
        id: String,
        version: Option<String>,
        depth: Option<u32>,
        limit: Option<u64>,
        offset: Option<u64>,
    },
    Dependents {
        id: String,
        version: Option<String>,
        depth: Option<u32>,
        limit: Option<u64>,
        offset: Option<u64>,
    },
    Health {
        id: String,
        version: Option<String>,
    },
    Leaderboard {
        of: String,
        period: String,
        limit: Option<u64>,
        offset: Option<u64>,
    },
}

/// What the registry answered.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Installs(InstallsResponse),
    Adoption(AdoptionResponse),
    Dependencies(DependenciesResponse),
    Dependents(DependentsResponse),
    Health(HealthResponse),
    Leaderboard(LeaderboardResponse),
}

impl Question {
    /// Asks it.
    pub(crate) async fn ask(self, client: &Client) -> Result<Answer, Error> {
        Ok(match self {
            Self::Usage { id, by, days } => {
                let by = word::<Unit>("by", &by)?;
                Answer::Installs(client.installs(&id.parse()?, Some(by), Some(days)).await?)
            }
            Self::Namespace { namespace, by, days } => {
                let by = word::<Unit>("by", &by)?;
                let namespace = namespace.parse()?;
                Answer::Installs(client.namespace_installs(&namespace, Some(by), Some(days)).await?)
            }
            Self::Adoption { id } => Answer::Adoption(client.adoption(&id.parse()?).await?),
            Self::Dependencies { id, version, depth, limit, offset } => {
                let version = version.map(|version| version.parse()).transpose()?;
                let page = Page { limit, offset };
                Answer::Dependencies(client.dependencies(&id.parse()?, version.as_ref(), depth, page).await?)
            }
            Self::Dependents { id, version, depth, limit, offset } => {
                let version = version.map(|version| version.parse()).transpose()?;
                let page = Page { limit, offset };
                Answer::Dependents(client.dependents(&id.parse()?, version.as_ref(), depth, page).await?)
            }
            Self::Health { id, version } => {
                let id = id.parse()?;
                let version = match version {
                    Some(version) => version.parse()?,
                    None => client.skill(&id).await?.version.parse()?,
                };
                Answer::Health(client.health(&id, &version).await?)
            }
            Self::Leaderboard { of, period, limit, offset } => {
                let of = word::<BoardOf>("of", &of)?;
                let period = word::<BoardPeriod>("period", &period)?;
                Answer::Leaderboard(client.leaderboard(of, period, Page { limit, offset }).await?)
            }
        })
    }
}
