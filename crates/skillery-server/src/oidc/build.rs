//! Which build a token is for, as the claims of GitHub and of GitLab say it.

use skillery_core::api::PublisherKind;

use super::claims::Claims;
use super::refused;
use crate::failure::Result;

/// A build, or something else that its claims alone describe.
pub enum Build {
    /// A build of a repository.
    OfRepository(RepositoryBuild),
    /// Whatever says so in claims of its own.
    Other(Claims),
}

/// A build of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryBuild {
    /// The repository, as the issuer spells it.
    pub repository: String,
    /// The number of its owner.
    pub owner_id: String,
    /// The file that says what is done.
    pub workflow: String,
    /// The environment that it runs in, if in one.
    pub environment: Option<String>,
    /// The branch or tag, `refs/…`.
    pub reference: String,
    /// Whether the branch or tag is protected.
    pub is_protected: bool,
    /// The number of the run.
    pub run: String,
    /// The commit.
    pub commit: String,
}

/// What starts a build of GitHub with the rights of the repository and code that a stranger chose.
const GITHUB_REFUSED: &[&str] = &["pull_request_target", "workflow_run"];
/// The same of GitLab: a project's members can run such pipelines for the code of a fork.
const GITLAB_REFUSED: &[&str] = &["merge_request_event", "external_pull_request_event"];

impl Build {
    /// Reads the claims of a token that was checked.
    pub fn of(kind: PublisherKind, issuer: &str, claims: Claims) -> Result<Self> {
        match kind {
            PublisherKind::Github => github(&claims).map(Self::OfRepository),
            PublisherKind::Gitlab => gitlab(&claims, issuer).map(Self::OfRepository),
            PublisherKind::Generic => Ok(Self::Other(claims)),
        }
    }

    /// What publishers of it are looked up by: the repository, or else the subject.
    pub fn name(&self) -> Result<&str> {
        match self {
            Self::OfRepository(build) => Ok(&build.repository),
            Self::Other(claims) => claims.needed("sub"),
        }
    }

    /// How the log names the build. Of claims that nobody here knows it says nothing, as they may name a person.
    pub fn via(&self, issuer: &str, publisher: &str) -> String {
        match self {
            Self::OfRepository(build) => format!(
                "oidc:{}|{}/{}@{}|run {}|sha {}",
                plain(issuer, LONG),
                plain(&build.repository, LONG),
                plain(&build.workflow, LONG),
                plain(&build.reference, LONG),
                plain(&build.run, SHORT),
                plain(&build.commit, SHORT),
            ),
            Self::Other(_) => format!("oidc:{}|publisher {publisher}", plain(issuer, LONG)),
        }
    }
}

/// Characters of the parts of [`Build::via`], so that all of it has less than the thousand that a statement takes.
const LONG: usize = 200;
const SHORT: usize = 64;

/// A part of [`Build::via`]: visible ASCII without the sign that parts it, anything else as in an address, and short. What
/// was cut ends in `%`.
fn plain(text: &str, length: usize) -> String {
    let mut plain = String::new();
    for byte in text.bytes() {
        match byte {
            b'|' | b'%' | 0..=32 | 127..=255 => plain += &format!("%{byte:02X}"),
            visible => plain.push(char::from(visible)),
        }
        if plain.len() > length {
            plain.truncate(length);
            return plain + "%";
        }
    }
    plain
}

fn refuse(event: &str, list: &[&str]) -> Result<()> {
    if list.contains(&event) {
        return Err(refused(format!("builds that are started by `{event}` may run the code of strangers")));
    }
    Ok(())
}

fn github(claims: &Claims) -> Result<RepositoryBuild> {
    refuse(claims.needed("event_name")?, GITHUB_REFUSED)?;
    let repository = claims.needed("repository")?;
    let (reference, commit) = (claims.needed("ref")?, claims.needed("sha")?);
    let workflow = claims
        .needed("workflow_ref")?
        .strip_prefix(repository)
        .and_then(|rest| rest.strip_prefix("/.github/workflows/"))
        .and_then(|rest| at(rest, &[reference, commit]))
        .ok_or_else(|| refused("its workflow is not one of the repository at the same place"))?;
    Ok(RepositoryBuild {
        repository: repository.to_owned(),
        owner_id: claims.needed("repository_owner_id")?.to_owned(),
        workflow: workflow.to_owned(),
        environment: claims.text("environment").map(str::to_owned),
        reference: reference.to_owned(),
        is_protected: claims.is_true("ref_protected"),
        run: claims.needed("run_id")?.to_owned(),
        commit: commit.to_owned(),
    })
}

fn gitlab(claims: &Claims, issuer: &str) -> Result<RepositoryBuild> {
    refuse(claims.needed("pipeline_source")?, GITLAB_REFUSED)?;
    let repository = claims.needed("project_path")?;
    let commit = claims.needed("sha")?;
    let kind = match claims.needed("ref_type")? {
        "branch" => "heads",
        "tag" => "tags",
        _ => return Err(refused("it is for neither a branch nor a tag")),
    };
    let reference = format!("refs/{kind}/{}", claims.needed("ref")?);
    let host = issuer.split_once("://").map_or(issuer, |(_, rest)| rest).trim_end_matches('/');
    let workflow = claims
        .needed("ci_config_ref_uri")?
        .strip_prefix(host)
        .and_then(|rest| rest.strip_prefix('/'))
        .and_then(|rest| rest.strip_prefix(repository))
        .and_then(|rest| rest.strip_prefix("//"))
        .and_then(|rest| at(rest, &[&reference, commit]))
        .ok_or_else(|| refused("its configuration is not one of the project at the same place"))?;
    Ok(RepositoryBuild {
        repository: repository.to_owned(),
        owner_id: claims.needed("namespace_id")?.to_owned(),
        workflow: workflow.to_owned(),
        environment: claims.text("environment").map(str::to_owned),
        is_protected: claims.is_true("ref_protected"),
        run: claims.needed("pipeline_id")?.to_owned(),
        commit: commit.to_owned(),
        reference,
    })
}

/// The file of `file@place`, when the place is one of these.
fn at<'text>(text: &'text str, places: &[&str]) -> Option<&'text str> {
    let (file, place) = text.split_once('@')?;
    places.contains(&place).then_some(file)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const GITHUB: &str = "https://token.actions.githubusercontent.com";
    const GITLAB: &str = "https://gitlab.example/sub";

    fn read(kind: PublisherKind, claims: &Value) -> Result<Build> {
        let issuer = if kind == PublisherKind::Github { GITHUB } else { GITLAB };
        Build::of(kind, issuer, Claims::parse(claims.to_string().as_bytes())?)
    }

    fn of_github() -> Value {
        json!({
            "sub": "repo:octo-org/octo-repo:environment:release", "event_name": "push", "repository": "octo-org/octo-repo",
            "repository_owner_id": "65", "workflow_ref": "octo-org/octo-repo/.github/workflows/release.yml@refs/tags/v1|x",
            "job_workflow_ref": "other/shared/.github/workflows/build.yml@refs/heads/main", "environment": "release",
            "ref": "refs/tags/v1|x", "ref_protected": "true", "run_id": "123", "sha": "0fe1",
        })
    }

    fn of_gitlab() -> Value {
        json!({
            "sub": "project_path:group/deep/project:ref_type:branch:ref:main", "pipeline_source": "push",
            "project_path": "group/deep/project", "namespace_id": "72", "ref": "main", "ref_type": "branch",
            "ci_config_ref_uri": "gitlab.example/sub/group/deep/project//.gitlab-ci.yml@refs/heads/main",
            "ref_protected": "false", "pipeline_id": "574", "sha": "714a",
        })
    }

    #[test]
    fn builds_are_read_and_named() {
        let mut shown = String::new();
        for (kind, issuer, claims) in [
            (PublisherKind::Github, GITHUB, of_github()),
            (PublisherKind::Gitlab, GITLAB, of_gitlab()),
            (PublisherKind::Generic, GITLAB, json!({ "sub": "alice@example.com" })),
        ] {
            let build = read(kind, &claims).unwrap();
            if let Build::OfRepository(build) = &build {
                shown += &format!("{build:#?}\n");
            }
            shown += &format!("{}: {}\n", build.name().unwrap(), build.via(issuer, "some-id"));
        }
        insta::assert_snapshot!(shown);
        assert_eq!(plain("a\u{202e}b\n| %", LONG), "a%E2%80%AEb%0A%7C%20%25");
        assert_eq!(plain(&"x".repeat(300), LONG).len(), LONG + 1);
        let mut claims = of_github();
        for name in ["run_id", "sha", "ref"] {
            claims[name] = json!("ä".repeat(1_000));
        }
        claims["repository"] = json!("ä".repeat(1_000));
        let long = "ä".repeat(1_000);
        claims["workflow_ref"] = json!(format!("{long}/.github/workflows/{long}@{long}"));
        let longest = read(PublisherKind::Github, &claims).unwrap().via(&long, "some-id");
        assert!(longest.len() < 1_000 && longest.is_ascii(), "{longest}");
    }

    #[test]
    fn builds_that_may_be_of_strangers_are_refused() {
        let mut shown = String::new();
        for (kind, claims, changes) in [
            (PublisherKind::Github, of_github(), json!({ "event_name": "pull_request_target" })),
            (PublisherKind::Github, of_github(), json!({ "event_name": "workflow_run" })),
            (PublisherKind::Github, of_github(), json!({ "event_name": 7 })),
            (PublisherKind::Github, of_github(), json!({ "repository": "" })),
            (PublisherKind::Github, of_github(), json!({ "repository": "octo-org/octo" })),
            (PublisherKind::Github, of_github(), json!({ "repository_owner_id": 65 })),
            (PublisherKind::Github, of_github(), json!({ "ref": "refs/heads/other" })),
            (
                PublisherKind::Github,
                of_github(),
                json!({ "workflow_ref": "octo-org/.github/.github/workflows/release.yml@refs/tags/v1|x" }),
            ),
            (
                PublisherKind::Github,
                of_github(),
                json!({ "workflow_ref": "octo-org/octo-repo/.github/workflows/a@b.yml@refs/tags/v1|x" }),
            ),
            (PublisherKind::Gitlab, of_gitlab(), json!({ "pipeline_source": "merge_request_event" })),
            (PublisherKind::Gitlab, of_gitlab(), json!({ "ref_type": "commit" })),
            (PublisherKind::Gitlab, of_gitlab(), json!({ "ref": "other" })),
            (
                PublisherKind::Gitlab,
                of_gitlab(),
                json!({ "ci_config_ref_uri": "gitlab.example/sub/group/other//.gitlab-ci.yml@refs/heads/main" }),
            ),
            (
                PublisherKind::Gitlab,
                of_gitlab(),
                json!({ "ci_config_ref_uri": "evil.example/group/deep/project//.gitlab-ci.yml@refs/heads/main" }),
            ),
        ] {
            let mut claims = claims;
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            let refusal = read(kind, &claims).err().unwrap();
            shown += &format!("{changes}: {}\n", refusal.problem.detail);
        }
        insta::assert_snapshot!(shown);
    }
}
