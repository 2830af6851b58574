//! Whether a build is one that a publisher means. Texts are compared as they are: a look-alike is another text.

use skillery_core::api::{Publisher, PublisherKind};
use skillery_core::id::key_contains;
use skillery_core::{Namespace, ProblemCode};

use super::build::{Build, RepositoryBuild};
use crate::failure::{Failure, Result};
use crate::text::named;

/// The word that stands for any branch or tag that is protected.
pub const PROTECTED: &str = "protected";

/// What a build is not that a publisher wants, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// Another one altogether.
    Another,
    /// The name is right, and the owner is another than when it was trusted.
    Owner,
    Workflow,
    Environment,
    Reference,
}

/// Why this publisher does not mean the build, if it does not.
fn difference(publisher: &Publisher, build: &Build) -> Option<Difference> {
    match build {
        Build::OfRepository(build) => {
            let is_kind = publisher.kind != PublisherKind::Generic;
            if !is_kind || publisher.repository.as_deref() != Some(&build.repository) {
                return Some(Difference::Another);
            }
            of_repository(publisher, build)
        }
        Build::Other(claims) => {
            let fits = publisher.kind == PublisherKind::Generic
                && publisher.claims.contains_key("sub")
                && publisher.claims.iter().all(|(name, wanted)| claims.text(name) == Some(wanted));
            (!fits).then_some(Difference::Another)
        }
    }
}

fn of_repository(publisher: &Publisher, build: &RepositoryBuild) -> Option<Difference> {
    if publisher.owner_id.as_deref() != Some(&build.owner_id) {
        return Some(Difference::Owner);
    }
    if publisher.workflow.as_deref() != Some(&build.workflow) {
        return Some(Difference::Workflow);
    }
    if publisher.environment.is_some() && publisher.environment != build.environment {
        return Some(Difference::Environment);
    }
    let is_place = match publisher.reference.as_deref() {
        None => true,
        Some(PROTECTED) => build.is_protected,
        Some(reference) => reference == build.reference,
    };
    (!is_place).then_some(Difference::Reference)
}

/// The publisher that means this build, for publishing into this namespace where one is named. `candidates` have its
/// issuer and kind.
pub fn choose<'a>(
    candidates: &'a [Publisher],
    build: &Build,
    wanted: Option<&Namespace>,
) -> Result<&'a Publisher> {
    let mut nearest = Difference::Another;
    let mut fitting: Vec<&Publisher> = Vec::new();
    for publisher in candidates {
        match difference(publisher, build) {
            None => fitting.push(publisher),
            Some(difference) => nearest = nearest.max(difference),
        }
    }
    if fitting.is_empty() {
        return Err(untrusted(nearest, build));
    }
    let Some(wanted) = wanted else {
        let mut places: Vec<&str> = fitting.iter().map(|publisher| publisher.namespace.as_str()).collect();
        places.sort_unstable();
        places.dedup();
        return match (places.as_slice(), fitting.first()) {
            ([_], Some(publisher)) => Ok(publisher),
            _ => Err(crate::text::invalid(
                "namespace",
                format!("{} trust this build; say into which it publishes", places.join(", ")),
            )),
        };
    };
    let key = wanted.key();
    fitting
        .into_iter()
        .filter(|publisher| key_contains(&publisher.namespace, &key))
        .max_by_key(|publisher| publisher.namespace.len())
        .ok_or_else(|| {
            Failure::new(ProblemCode::PublisherNotTrusted, format!("`{wanted}` does not trust this build"))
        })
}

/// Says what is different to the build of the very repository that is trusted, and nothing to others.
fn untrusted(nearest: Difference, build: &Build) -> Failure {
    let detail = match (nearest, build) {
        (Difference::Workflow, Build::OfRepository(build)) => {
            format!("the repository is trusted, and its workflow `{}` is not", named(&build.workflow))
        }
        (Difference::Environment, Build::OfRepository(build)) => match &build.environment {
            Some(environment) => {
                format!("the workflow is trusted, and not in the environment `{}`", named(environment))
            }
            None => "the workflow is trusted, and only in an environment".to_owned(),
        },
        (Difference::Reference, Build::OfRepository(build)) => {
            format!("the workflow is trusted, and not for `{}`", named(&build.reference))
        }
        (_, Build::OfRepository(build)) => {
            format!("no namespace trusts builds of `{}` by this owner", named(&build.repository))
        }
        (_, Build::Other(_)) => "no namespace trusts what the token says".to_owned(),
    };
    Failure::new(ProblemCode::PublisherNotTrusted, detail)
}
