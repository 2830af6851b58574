//! Which repository an address is: `/acme/all.git`, `/acme/members.git`, `/acme/tool.git`, `/acme~email/tool.git`.
//!
//! An address has two segments whatever the namespace: with another number of them some clients do not remember where a skill
//! came from, and others tell it to strangers. `~` stands for the slashes of a namespace; no name can have one.

use skillery_core::{Namespace, Segment, SkillId};

/// What is asked of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Which refs it has.
    InfoRefs,
    /// Its objects.
    UploadPack,
    /// To take objects.
    ReceivePack,
    /// Its files, as they would lie on a plain web server.
    Files,
    /// The repository itself.
    Page,
}

/// What is in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repository {
    /// The skills of a namespace.
    Namespace(Namespace),
    /// The same, for callers who are signed in. Git shows its credentials only where it is asked for them, and where a
    /// namespace has anything that everybody sees it is not.
    Members(Namespace),
    /// The versions of a skill.
    Skill(SkillId),
}

/// A path that is one of this surface.
#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    /// None where no repository can have the name.
    pub repository: Option<Repository>,
    /// What is asked of it.
    pub service: Service,
}

impl Address {
    /// Of a path that is decoded. None where it does not have the form of one.
    pub fn of(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let [namespace, repository, rest @ ..] = segments.as_slice() else { return None };
        let name = repository.strip_suffix(".git")?;
        let service = match rest {
            ["info", "refs"] => Service::InfoRefs,
            ["git-upload-pack"] => Service::UploadPack,
            ["git-receive-pack"] => Service::ReceivePack,
            ["HEAD"] | ["objects", ..] => Service::Files,
            [] | [""] => Service::Page,
            _ => return None,
        };
        Some(Self { repository: repository_of(namespace, name), service })
    }
}

fn repository_of(namespace: &str, name: &str) -> Option<Repository> {
    let namespace: Namespace = namespace.replace('~', "/").parse().ok()?;
    match name {
        "all" => return Some(Repository::Namespace(namespace)),
        "members" => return Some(Repository::Members(namespace)),
        _ => {}
    }
    let name: Segment = name.parse().ok()?;
    SkillId::new(&namespace, &name).ok().map(Repository::Skill)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let all = |text: &str| Some(Repository::Namespace(text.parse().unwrap()));
        let skill = |text: &str| Some(Repository::Skill(text.parse().unwrap()));
        for (path, repository, service) in [
            ("/acme/all.git/info/refs", all("acme"), Service::InfoRefs),
            ("//acme/all.git/info/refs", all("acme"), Service::InfoRefs),
            ("/acme~email/all.git/git-upload-pack", all("acme/email"), Service::UploadPack),
            (
                "/acme/members.git/info/refs",
                Some(Repository::Members("acme".parse().unwrap())),
                Service::InfoRefs,
            ),
            ("/acme/tool.git/git-receive-pack", skill("acme/tool"), Service::ReceivePack),
            ("/acme~a.b~c/t_1.git", skill("acme/a.b/c/t_1"), Service::Page),
            ("/acme/tool.git/objects/info/packs", skill("acme/tool"), Service::Files),
            ("/acme/tool.git/HEAD", skill("acme/tool"), Service::Files),
            // Names that nothing can have.
            ("/acme~/all.git/info/refs", None, Service::InfoRefs),
            ("/~acme/all.git/info/refs", None, Service::InfoRefs),
            ("/acme~~b/all.git/info/refs", None, Service::InfoRefs),
            ("/acme/TOOL.git/info/refs", None, Service::InfoRefs),
            ("/acme/a~b.git/info/refs", None, Service::InfoRefs),
            ("/acme/..git/info/refs", None, Service::InfoRefs),
            ("/api/all.git/info/refs", None, Service::InfoRefs),
        ] {
            assert_eq!(Address::of(path), Some(Address { repository, service }), "{path}");
        }
        for path in [
            "/acme/email/all.git/info/refs",
            "/all.git/info/refs",
            "/acme/all.git/config",
            "/acme/all/info/refs",
        ] {
            assert_eq!(Address::of(path), None, "{path}");
        }
    }
}
