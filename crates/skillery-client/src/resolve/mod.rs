//! Which versions of which skills go together: those that are wanted, and those that they need in turn.
//!
//! The algorithm is PubGrub, which finds a choice where there is one, and can say why there is none. It knows nothing
//! of registries: a [`Source`] says which versions there are. A set of versions is the list of those that fit, so that
//! what a range means is said by the crate for SemVer alone, prereleases and all.

mod explain;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pubgrub::{Dependencies, DependencyProvider, PackageResolutionStatistics, PubGrubError, Ranges};
use skillery_core::{SkillId, Version, VersionRequest};

use crate::error::{Error, Result};

/// Skills that one choice may come to. Who needs more has been led in circles.
const MAX_SKILLS: usize = 2_000;
/// Choices that are made until one is found that will do. A registry can make up needs that no program finds an end of.
const MAX_STEPS: usize = 20_000;
/// Versions that all needs together may be asked about, each counted as often as somebody needs it.
const MAX_LOOKS: usize = 2_000_000;
/// Versions whose source is asked what they need. A registry that does not tell has each of them downloaded.
const MAX_ASKED: usize = 500;
/// How long it may take, without waiting for the source.
const MAX_TIME: Duration = Duration::from_secs(60);

/// A skill that somebody needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The skill.
    pub id: SkillId,
    /// Which versions will do.
    pub request: VersionRequest,
}

impl Want {
    /// Whether this version is one of them. Whoever names none gets no prerelease.
    pub fn will_do(&self, version: &Version) -> bool {
        self.request.choose(std::iter::once(version)).is_some()
    }

    /// As it stands in a lock file: `acme/base ^1.2`.
    pub fn text(&self) -> String {
        match self.request.unless_latest() {
            Some(request) => format!("{} {request}", self.id),
            None => self.id.to_string(),
        }
    }
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
    /// What it needs; nothing where that is not told, and its files are to be asked.
    pub needs: Option<Vec<Want>>,
}

/// Says which versions there are.
pub trait Source {
    /// All versions of a skill, in no order; none where there is no such skill.
    fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>>;

    /// What a version needs whose candidate does not tell.
    fn needs(&self, id: &SkillId, version: &Version) -> Result<Vec<Want>>;
}

/// One of the versions that go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// What it needs, as was said.
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
                        let needs = provider.needs_of(&key, &known, &version).ok()?.to_vec();
                        Some(Chosen { id: known.id.clone(), version, needs })
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

/// The registry does not tell what versions need, and so much was downloaded to see it.
pub(crate) fn untold(most: &str) -> Error {
    let why = "as the registry does not tell what they need";
    Error::TooHard { within: format!("without downloading more than {most}, {why}") }
}

type Set = Ranges<Version>;

/// The search was ended; why is kept beside.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

/// A skill that was asked about.
#[derive(Debug)]
struct Known {
    /// As it was spelled first.
    id: SkillId,
    /// The highest first.
    candidates: Vec<Candidate>,
}

impl Known {
    fn candidate(&self, version: &Version) -> Option<&Candidate> {
        let place = self.candidates.binary_search_by(|one| version.cmp(&one.version)).ok()?;
        self.candidates.get(place)
    }
}

/// The skill, what is asked of it, and whether that names what was withdrawn.
type Asked = (Rc<str>, String, bool);
/// A version of a skill.
type Place = (Rc<str>, Version);

struct Provider<'a, S> {
    source: &'a S,
    wants: &'a [Want],
    /// Locked versions by key.
    locked: HashMap<String, Version>,
    root: Version,
    known: RefCell<HashMap<Rc<str>, Rc<Known>>>,
    /// What was asked of a skill before, and which versions that came to.
    sets: RefCell<HashMap<Asked, Set>>,
    /// What versions need whose candidates do not tell.
    read: RefCell<HashMap<Place, Rc<[Want]>>>,
    /// How a need was put: who needs, what is needed, and which versions that came to.
    texts: RefCell<HashMap<(Package, Package, String), String>>,
    stopped: RefCell<Option<Error>>,
    steps: Cell<usize>,
    looks: Cell<usize>,
    begun: Instant,
    /// How long the source was waited for.
    waited: Cell<Duration>,
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
            sets: RefCell::default(),
            read: RefCell::default(),
            texts: RefCell::default(),
            stopped: RefCell::default(),
            steps: Cell::default(),
            looks: Cell::default(),
            begun: Instant::now(),
            waited: Cell::default(),
        }
    }

    /// What is known of a skill; nothing of one that was never asked about.
    fn known(&self, key: &str) -> Option<Rc<Known>> {
        self.known.borrow().get(key).map(Rc::clone)
    }

    /// Counts versions that were looked at, and ends the search where it takes too much. One version can have many needs, so
    /// this is looked at between them too.
    fn look(&self, versions: usize) -> Result<(), Stopped> {
        self.looks.set(self.looks.get().saturating_add(versions));
        let own_time = self.begun.elapsed().saturating_sub(self.waited.get());
        match self.steps.get() > MAX_STEPS || self.looks.get() > MAX_LOOKS || own_time > MAX_TIME {
            true => Err(self.stop(Error::TooHard { within: format!("in {} steps", self.steps.get()) })),
            false => Ok(()),
        }
    }

    /// Ends the search with this error.
    fn stop(&self, error: Error) -> Stopped {
        self.stopped.replace(Some(error));
        Stopped
    }

    /// Asks the source, which may take its time.
    fn ask<T>(&self, ask: impl FnOnce(&S) -> Result<T>) -> Result<T, Stopped> {
        let begun = Instant::now();
        let answer = ask(self.source);
        self.waited.set(self.waited.get() + begun.elapsed());
        answer.map_err(|error| self.stop(error))
    }

    /// Which of the versions of a skill will do, asking about it where that was not done.
    fn set_of(&self, needer: &Package, want: &Want) -> Result<(Package, Set), Stopped> {
        let key: Rc<str> = want.id.key().into();
        let known = match self.known(&key) {
            Some(known) => known,
            None => {
                if self.known.borrow().len() >= MAX_SKILLS {
                    return Err(self.stop(Error::TooManyNeeds { limit: MAX_SKILLS }));
                }
                let mut candidates = self.ask(|source| source.candidates(&want.id))?;
                candidates.sort_by(|left, right| right.version.cmp(&left.version));
                let known = Rc::new(Known { id: want.id.clone(), candidates });
                self.known.borrow_mut().insert(Rc::clone(&key), Rc::clone(&known));
                known
            }
        };
        // What was withdrawn is for whoever names it, or had it before.
        let is_named = *needer == Package::Root && matches!(want.request, VersionRequest::Exact(_));
        let asked = (Rc::clone(&key), want.request.to_string(), is_named);
        if let Some(set) = self.sets.borrow().get(&asked) {
            return Ok((Package::Skill(key), set.clone()));
        }
        self.look(known.candidates.len())?;
        let locked = self.locked.get(&*key);
        let will_do = |candidate: &&Candidate| {
            let is_locked = locked == Some(&candidate.version);
            want.will_do(&candidate.version) && (candidate.withdrawn.is_none() || is_named || is_locked)
        };
        // From the lowest to the highest each is put behind the others, and nothing is moved.
        let versions = known.candidates.iter().rev().filter(will_do).map(|candidate| &candidate.version);
        let set: Set = versions
            .map(|version| (Bound::Included(version.clone()), Bound::Included(version.clone())))
            .collect();
        self.sets.borrow_mut().insert(asked, set.clone());
        Ok((Package::Skill(key), set))
    }

    /// What a version needs, asking about it where its candidate does not tell.
    fn needs_of(&self, key: &Rc<str>, known: &Known, version: &Version) -> Result<Rc<[Want]>, Stopped> {
        match known.candidate(version) {
            None => return Ok(Rc::default()),
            Some(Candidate { needs: Some(needs), .. }) => return Ok(needs.as_slice().into()),
            Some(_) => {}
        }
        let place = (Rc::clone(key), version.clone());
        if let Some(needs) = self.read.borrow().get(&place) {
            return Ok(Rc::clone(needs));
        }
        if self.read.borrow().len() >= MAX_ASKED {
            return Err(self.stop(untold(&format!("{MAX_ASKED} versions"))));
        }
        let needs: Rc<[Want]> = self.ask(|source| source.needs(&known.id, version))?.into();
        self.read.borrow_mut().insert(place, Rc::clone(&needs));
        Ok(needs)
    }

    fn needs(&self, package: &Package, version: &Version) -> Result<Rc<[Want]>, Stopped> {
        let Package::Skill(key) = package else { return Ok(self.wants.into()) };
        let known = self.known(key).ok_or(Stopped)?;
        self.needs_of(key, &known, version)
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
        Ok(known.candidates.iter().map(|candidate| &candidate.version).find(|one| set.contains(one)).cloned())
    }

    fn get_dependencies(
        &self,
        package: &Package,
        version: &Version,
    ) -> Result<Dependencies<Package, Set, String>, Stopped> {
        let mut sets: BTreeMap<Package, (Set, String)> = BTreeMap::new();
        for want in self.needs(package, version)?.iter() {
            let (needed, set) = self.set_of(package, want)?;
            self.look(1 + set.iter().count())?;
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

    fn should_cancel(&self) -> Result<(), Stopped> {
        self.steps.set(self.steps.get() + 1);
        self.look(0)
    }
}

#[cfg(test)]
mod tests;
