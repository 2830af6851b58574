//! What Python asks the registry of how skills are used.

use serde::{Deserialize, Serialize};
use skillery_client::{Client, Error, Page};
use skillery_core::api::{
    AdoptionResponse, BoardOf, BoardPeriod, DependenciesResponse, DependentsResponse, HealthResponse,
    InstallsResponse, LeaderboardResponse, Unit,
};
use skillery_core::{Program, Version};

use crate::convert::word;

/// A question, as Python writes it.
#[derive(Deserialize)]
#[serde(tag = "what", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Question {
    Usage {
        id: String,
        by: String,
        days: u32,
        version: Option<String>,
        program: Option<String>,
    },
    Namespace {
        namespace: String,
        by: String,
        days: u32,
        program: Option<String>,
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

fn one_of_programs(program: Option<String>) -> Result<Option<Program>, Error> {
    program.map(|program| word("program", &program)).transpose()
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
            Self::Usage { id, by, days, version, program } => {
                let (id, by) = (id.parse()?, Some(word::<Unit>("by", &by)?));
                let version = version.map(|version| version.parse::<Version>()).transpose()?;
                let program = one_of_programs(program)?;
                Answer::Installs(client.installs(&id, by, Some(days), version.as_ref(), program).await?)
            }
            Self::Namespace { namespace, by, days, program } => {
                let (namespace, by) = (namespace.parse()?, Some(word::<Unit>("by", &by)?));
                let program = one_of_programs(program)?;
                Answer::Installs(client.namespace_installs(&namespace, by, Some(days), program).await?)
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
