//! Which versions of which skills go together: those that are wanted, and those that they need in turn.
//!
//! The algorithm is PubGrub, which finds a choice where there is one, and can say why there is none. It knows nothing
//! of registries: a [`Source`] says which versions there are. A set of versions is the list of those that fit, so that
//! what a range means is said by the crate for SemVer alone, prereleases and all.

mod explain;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use pubgrub::{Dependencies, DependencyProvider, PackageResolutionStatistics, PubGrubError, Ranges};
use skillery_core::{SkillId, Version, VersionRequest};

use crate::error::{Error, Result};

/// Skills that one choice may come to. Who needs more has been led in circles.
const MAX_SKILLS: usize = 2_000;

/// A skill that somebody needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The skill.
    pub id: SkillId,
    /// Which versions will do.
    pub request: VersionRequest,
}

impl fmt::Display for Want {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            VersionRequest::Latest => write!(formatter, "`{}`", self.id),
            request => write!(formatter, "`{}` {request}", self.id),
        }
    }
}

/// A version that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The version.
    pub version: Version,
    /// Why it is not for whoever does not name it: it was yanked, for example.
    pub withdrawn: Option<String>,
    /// What it needs.
    pub needs: Vec<Want>,
}

/// Says which versions there are.
pub trait Source {
    /// All versions of a skill, in no order; none where there is no such skill.
    fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>>;
}

/// One of the versions that go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// What it needs, as its candidate said.
    pub needs: Vec<Want>,
}

/// Chooses a version for each skill that is wanted, and for each that those need: by id. One that is `locked` is chosen
/// before a newer one, as far as it fits; else the highest.
pub fn resolve(
    source: &impl Source,
    wants: &[Want],
    locked: &BTreeMap<SkillId, Version>,
) -> Result<Vec<Chosen>> {
    let provider = Provider::new(source, wants, locked);
    match pubgrub::resolve(&provider, Package::Root, provider.root.clone()) {
        Ok(solution) => {
            let mut chosen: Vec<Chosen> = solution
                .into_iter()
                .filter_map(|(package, version)| match package {
                    Package::Root => None,
                    Package::Skill(key) => {
                        let known = provider.known(&key)?;
                        let candidate = known.candidates.into_iter().find(|one| one.version == version)?;
                        Some(Chosen { id: known.id, version, needs: candidate.needs })
                    }
                })
                .collect();
            chosen.sort_by(|left, right| left.id.cmp(&right.id));
            Ok(chosen)
        }
        Err(PubGrubError::NoSolution(mut tree)) => {
            tree.collapse_no_versions();
            Err(Error::NoChoice { explanation: explain::explain(&provider, &tree) })
        }
        Err(
            PubGrubError::ErrorRetrievingDependencies { source: Stopped, .. }
            | PubGrubError::ErrorChoosingVersion { source: Stopped, .. }
            | PubGrubError::ErrorInShouldCancel(Stopped),
        ) => Err(provider.stopped.take().unwrap_or(Error::TooManyNeeds { limit: MAX_SKILLS })),
    }
}

/// What versions are chosen for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Package {
    /// Whoever wants skills.
    Root,
    /// The skill with this key.
    Skill(Rc<str>),
}

impl fmt::Display for Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => formatter.write_str("what is wanted"),
            Self::Skill(key) => write!(formatter, "`{key}`"),
        }
    }
}

type Set = Ranges<Version>;

/// The search was ended; why is kept beside.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

/// A skill that was asked about.
#[derive(Debug, Clone)]
struct Known {
    /// As it was spelled first.
    id: SkillId,
    candidates: Vec<Candidate>,
}

struct Provider<'a, S> {
    source: &'a S,
    wants: &'a [Want],
    /// Locked versions by key.
    locked: HashMap<String, Version>,
    root: Version,
    known: RefCell<HashMap<Rc<str>, Known>>,
    /// How a need was put: who needs, what is needed, and which versions that came to.
    texts: RefCell<HashMap<(Package, Package, String), String>>,
    stopped: RefCell<Option<Error>>,
}

impl<'a, S: Source> Provider<'a, S> {
    fn new(source: &'a S, wants: &'a [Want], locked: &BTreeMap<SkillId, Version>) -> Self {
        let locked = locked.iter().map(|(id, version)| (id.key(), version.clone())).collect();
        Self {
            source,
            wants,
            locked,
            root: Version::new(0, 0, 0),
            known: RefCell::default(),
            texts: RefCell::default(),
            stopped: RefCell::default(),
        }
    }

    /// What is known of a skill; nothing of one that was never asked about.
    fn known(&self, key: &str) -> Option<Known> {
        self.known.borrow().get(key).cloned()
    }

    /// Which of the versions of a skill will do, asking about it where that was not done.
    fn set_of(&self, needer: &Package, want: &Want) -> Result<(Package, Set), Stopped> {
        let key: Rc<str> = want.id.key().into();
        if self.known(&key).is_none() {
            if self.known.borrow().len() >= MAX_SKILLS {
                return Err(Stopped);
            }
            let mut candidates = self.source.candidates(&want.id).map_err(|error| {
                self.stopped.replace(Some(error));
                Stopped
            })?;
            candidates.sort_by(|left, right| right.version.cmp(&left.version));
            self.known.borrow_mut().insert(Rc::clone(&key), Known { id: want.id.clone(), candidates });
        }
        let known = self.known(&key).ok_or(Stopped)?;
        let set: Set = known
            .candidates
            .iter()
            .filter(|candidate| self.will_do(needer, want, candidate, &key))
            .fold(Set::empty(), |set, candidate| set.union(&Set::singleton(candidate.version.clone())));
        Ok((Package::Skill(key), set))
    }

    fn will_do(&self, needer: &Package, want: &Want, candidate: &Candidate, key: &str) -> bool {
        let version = &candidate.version;
        let fits = match &want.request {
            VersionRequest::Latest => !version.is_prerelease(),
            VersionRequest::Exact(wanted) => wanted == version,
            range => range.choose(std::iter::once(version)).is_some(),
        };
        // What was withdrawn is for whoever names it, or had it before.
        let is_named = *needer == Package::Root && matches!(want.request, VersionRequest::Exact(_));
        let is_locked = self.locked.get(key) == Some(version);
        fits && (candidate.withdrawn.is_none() || is_named || is_locked)
    }

    fn needs(&self, package: &Package, version: &Version) -> Vec<Want> {
        match package {
            Package::Root => self.wants.to_vec(),
            Package::Skill(key) => self
                .known(key)
                .and_then(|known| known.candidates.into_iter().find(|one| one.version == *version))
                .map(|candidate| candidate.needs)
                .unwrap_or_default(),
        }
    }
}

impl<S: Source> DependencyProvider for Provider<'_, S> {
    type P = Package;
    type V = Version;
    type VS = Set;
    type Priority = (u32, Reverse<usize>);
    type M = String;
    type Err = Stopped;

    fn prioritize(
        &self,
        package: &Package,
        set: &Set,
        statistics: &PackageResolutionStatistics,
    ) -> Self::Priority {
        let fitting = match package {
            Package::Root => 0,
            Package::Skill(key) => self.known(key).map_or(0, |known| {
                known.candidates.iter().filter(|candidate| set.contains(&candidate.version)).count()
            }),
        };
        (statistics.conflict_count(), Reverse(fitting))
    }

    fn choose_version(&self, package: &Package, set: &Set) -> Result<Option<Version>, Stopped> {
        let Package::Skill(key) = package else { return Ok(Some(self.root.clone())) };
        if let Some(locked) = self.locked.get(&**key).filter(|locked| set.contains(locked)) {
            return Ok(Some(locked.clone()));
        }
        let known = self.known(key).ok_or(Stopped)?;
        Ok(known.candidates.into_iter().map(|candidate| candidate.version).find(|one| set.contains(one)))
    }

    fn get_dependencies(
        &self,
        package: &Package,
        version: &Version,
    ) -> Result<Dependencies<Package, Set, String>, Stopped> {
        let mut sets: BTreeMap<Package, (Set, String)> = BTreeMap::new();
        for want in self.needs(package, version) {
            let (needed, set) = self.set_of(package, &want)?;
            // Two lines about one skill must both hold.
            let both = match sets.remove(&needed) {
                Some((before, text)) => (before.intersection(&set), format!("{text} and {}", want.request)),
                None => (set, want.to_string()),
            };
            sets.insert(needed, both);
        }
        // A skill that calls itself needs no other version of itself.
        if sets.get(package).is_some_and(|(set, _)| set.contains(version)) {
            sets.remove(package);
        }
        let mut texts = self.texts.borrow_mut();
        let remembered = sets.into_iter().map(|(needed, (set, text))| {
            texts.insert((package.clone(), needed.clone(), set.to_string()), text);
            (needed, set)
        });
        Ok(Dependencies::Available(remembered.collect()))
    }
}

#[cfg(test)]
mod tests;
