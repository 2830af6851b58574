//! Which installed skills need which: what their files list in `[tool.skillery] skills`, found in the library.
//!
//! A skill stands in the graph in its current version, and in every other version that one of those asks for.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde::Serialize;
use skillery_core::script::Manifest as Script;
use skillery_core::{Dependencies, SkillId, SkillKind, SkillName, SkillReference, Version, VersionRequest};

use crate::error::{Error, Result};
use crate::library::{Installed, Library, fold};

/// Circles that are named; where there are more, these are enough to begin with.
const MAX_CYCLES: usize = 100;

/// Skills, and what they need.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Graph {
    /// Every version in it, by id, the highest first.
    pub skills: Vec<Node>,
    /// Circles: each skill lists the next, and the first is the last, too.
    pub cycles: Vec<Vec<SkillId>>,
    /// Where it begins: the skill that was asked for, or all.
    #[serde(skip)]
    pub(super) roots: Vec<usize>,
    /// The places in `skills` of what each needs, and the library has.
    #[serde(skip)]
    pub(super) edges: Vec<Vec<Option<usize>>>,
}

/// A version of a skill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// Whether it is the version that a request without one gets.
    pub current: bool,
    /// What it needs, in the order of its file.
    pub dependencies: Vec<Dependency>,
    /// Why what it needs is not known, where its files cannot be read.
    pub problem: Option<String>,
}

/// Something that a skill needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// As its file has it: `org/name@^1`.
    pub wanted: String,
    /// What the library has of it.
    #[serde(flatten)]
    pub state: State,
}

/// What the library has of something that a skill needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// This version.
    Resolved {
        /// The skill.
        id: SkillId,
        /// The version.
        version: Version,
    },
    /// Nothing.
    Missing,
    /// The skill, in versions that do not fit.
    Unsatisfied {
        /// The skill.
        id: SkillId,
        /// Its versions, the highest first.
        present: Vec<Version>,
    },
    /// Several skills of that name.
    Ambiguous {
        /// Which.
        candidates: Vec<SkillId>,
    },
    /// The text names no skill.
    Invalid {
        /// Why.
        reason: String,
    },
}

/// A skill that needs another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependent {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// What it lists: the other skill, or, where it does not list that itself, the one that leads there.
    pub wanted: String,
    /// Whether it lists the other skill itself.
    pub direct: bool,
    /// Whether the library has what it lists.
    pub satisfied: bool,
}

impl Library {
    /// What the current version of every skill needs; or what one skill needs, in its current version or the highest
    /// that fits.
    pub fn dependency_graph(&self, name: Option<&str>, version: Option<&VersionRequest>) -> Result<Graph> {
        let mut loader = Loader::new(self)?;
        let roots = match name {
            Some(name) => vec![self.get(name, version)?],
            None => self.list()?,
        };
        loader.load(roots)
    }

    /// The installed skills that need this one, directly or by way of others: the direct ones first, then by id.
    pub fn dependents(&self, name: &str) -> Result<Vec<Dependent>> {
        let id = self.find(name)?;
        Ok(self.dependency_graph(None, None)?.dependents(&id))
    }
}

impl Graph {
    /// Every version after those that it needs. What is missing is left out; a circle has no order.
    pub fn order(&self) -> Result<Vec<&Node>> {
        if let Some(path) = self.cycles.first() {
            return Err(Error::DependencyCycle { path: path.clone() });
        }
        let mut order = Vec::with_capacity(self.skills.len());
        walk(&self.edges, |_| (), |place| order.push(&self.skills[place]));
        Ok(order)
    }

    fn dependents(&self, id: &SkillId) -> Vec<Dependent> {
        let mut found: Vec<Dependent> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut next: VecDeque<(usize, bool)> = VecDeque::new();
        for (place, node) in self.skills.iter().enumerate() {
            if node.id.key() == id.key() {
                seen.insert(place);
                next.push_back((place, true));
            }
        }
        // These come behind the skill itself, so that who needs both counts as one that needs it directly.
        for (place, node) in self.skills.iter().enumerate() {
            // What does not fit is wanted all the same.
            for dependency in &node.dependencies {
                if matches!(&dependency.state, State::Unsatisfied { id: wanted, .. } if wanted.key() == id.key())
                    && seen.insert(place)
                {
                    found.push(node.as_dependent(dependency, true));
                    next.push_back((place, false));
                }
            }
        }
        while let Some((target, direct)) = next.pop_front() {
            for (place, node) in self.skills.iter().enumerate() {
                let edge = self.edges[place].iter().position(|edge| *edge == Some(target));
                if let Some(edge) = edge
                    && seen.insert(place)
                {
                    found.push(node.as_dependent(&node.dependencies[edge], direct));
                    next.push_back((place, false));
                }
            }
        }
        found.sort_by(|one, two| {
            (!one.direct, &one.id, &two.version).cmp(&(!two.direct, &two.id, &one.version))
        });
        found
    }
}

impl Node {
    fn as_dependent(&self, dependency: &Dependency, direct: bool) -> Dependent {
        Dependent {
            id: self.id.clone(),
            version: self.version.clone(),
            wanted: dependency.wanted.clone(),
            direct,
            satisfied: matches!(dependency.state, State::Resolved { .. }),
        }
    }
}

/// Finds what files list. Each skill of the library is read once.
struct Loader<'a> {
    library: &'a Library,
    by_key: HashMap<String, SkillId>,
    by_name: HashMap<String, Vec<SkillId>>,
    versions: HashMap<String, Vec<Installed>>,
}

impl<'a> Loader<'a> {
    fn new(library: &'a Library) -> Result<Self> {
        let mut loader =
            Self { library, by_key: HashMap::new(), by_name: HashMap::new(), versions: HashMap::new() };
        for id in library.store.skills()? {
            loader.by_name.entry(fold(id.name())).or_default().push(id.clone());
            loader.by_key.insert(id.key(), id);
        }
        Ok(loader)
    }

    fn load(&mut self, roots: Vec<Installed>) -> Result<Graph> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut known: HashMap<(String, Version), usize> = HashMap::new();
        let mut next: VecDeque<Installed> = roots.into();
        let root_count = next.len();
        while let Some(installed) = next.pop_front() {
            let key = (installed.manifest.id.key(), installed.manifest.version.clone());
            if known.contains_key(&key) {
                continue;
            }
            let node = self.node(&installed)?;
            for dependency in &node.dependencies {
                if let State::Resolved { id, version } = &dependency.state {
                    let versions = self.versions(id)?;
                    next.extend(versions.iter().find(|found| found.manifest.version == *version).cloned());
                }
            }
            known.insert(key, nodes.len());
            nodes.push(node);
        }
        let is_root: Vec<bool> = (0..nodes.len()).map(|place| place < root_count).collect();
        Ok(Graph::of(nodes, &is_root))
    }

    fn node(&mut self, installed: &Installed) -> Result<Node> {
        let mut node = Node {
            id: installed.manifest.id.clone(),
            version: installed.manifest.version.clone(),
            current: installed.current,
            dependencies: Vec::new(),
            problem: None,
        };
        if installed.manifest.kind == SkillKind::Folder {
            // One folder that was altered says nothing of the others.
            let files = match self.library.store.files(installed) {
                Ok(files) => files,
                Err(error) => {
                    node.problem = Some(error.to_string());
                    return Ok(node);
                }
            };
            let declared = Dependencies::declared(SkillKind::Folder, &node.id, &files);
            for (id, request) in declared.iter() {
                let wanted = match request.unless_latest() {
                    Some(request) => format!("{id}@{request}"),
                    None => id.to_string(),
                };
                let state = self.find(&wanted)?;
                node.dependencies.push(Dependency { wanted, state });
            }
            if !installed.code_path.exists() {
                // It is read, not run.
                return Ok(node);
            }
        }
        let script = fs_err::read_to_string(&installed.code_path)
            .map_err(|error| error.to_string())
            .and_then(|code| Script::of_code(&code).map_err(|error| error.to_string()));
        match script {
            Ok(script) => {
                for wanted in script.skills {
                    if node.dependencies.iter().any(|known| known.wanted == wanted) {
                        continue;
                    }
                    let state = self.find(&wanted)?;
                    node.dependencies.push(Dependency { wanted, state });
                }
            }
            Err(problem) => node.problem = Some(problem),
        }
        Ok(node)
    }

    fn versions(&mut self, id: &SkillId) -> Result<&[Installed]> {
        let key = id.key();
        if !self.versions.contains_key(&key) {
            let versions = self.library.store.versions(id)?;
            self.versions.insert(key.clone(), versions);
        }
        Ok(self.versions.get(&key).map_or(&[], Vec::as_slice))
    }

    fn find(&mut self, wanted: &str) -> Result<State> {
        // Which script of it is called makes no other dependency: a skill is installed as a whole.
        let SkillReference { name, version: request, .. } = match wanted.parse() {
            Ok(reference) => reference,
            Err(reason) => return Ok(State::Invalid { reason }),
        };
        let candidates = match &name {
            SkillName::Id(id) => self.by_key.get(&fold(id.as_str())).cloned().into_iter().collect(),
            SkillName::Name(name) => self.by_name.get(&fold(name.as_str())).cloned().unwrap_or_default(),
        };
        let id = match candidates.as_slice() {
            [] => return Ok(State::Missing),
            [id] => id,
            _ => return Ok(State::Ambiguous { candidates }),
        };
        let present = self.versions(id)?;
        let numbers: Vec<Version> =
            present.iter().map(|installed| installed.manifest.version.clone()).collect();
        let chosen = match &request {
            VersionRequest::Latest => present
                .iter()
                .find(|installed| installed.current)
                .map(|installed| &installed.manifest.version),
            request => request.choose(numbers.iter()),
        };
        Ok(match chosen {
            Some(version) => State::Resolved { id: id.clone(), version: version.clone() },
            None => State::Unsatisfied { id: id.clone(), present: numbers },
        })
    }
}

impl Graph {
    /// Puts nodes in their order, and finds the circles.
    fn of(nodes: Vec<Node>, is_root: &[bool]) -> Self {
        let mut nodes: Vec<(Node, bool)> = nodes.into_iter().zip(is_root.iter().copied()).collect();
        nodes.sort_by(|(one, _), (two, _)| (&one.id, &two.version).cmp(&(&two.id, &one.version)));
        let roots = nodes.iter().enumerate().filter(|(_, (_, root))| *root).map(|(place, _)| place).collect();
        let skills: Vec<Node> = nodes.into_iter().map(|(node, _)| node).collect();
        let places: HashMap<(String, &Version), usize> =
            skills.iter().enumerate().map(|(place, node)| ((node.id.key(), &node.version), place)).collect();
        let edge = |dependency: &Dependency| match &dependency.state {
            State::Resolved { id, version } => places.get(&(id.key(), version)).copied(),
            _ => None,
        };
        let edges: Vec<Vec<Option<usize>>> =
            skills.iter().map(|node| node.dependencies.iter().map(edge).collect()).collect();
        let mut cycles = BTreeSet::new();
        walk(
            &edges,
            |path| {
                if cycles.len() < MAX_CYCLES {
                    cycles.insert(circle(path, &skills));
                }
            },
            |_| (),
        );
        Self { cycles: cycles.into_iter().collect(), skills, roots, edges }
    }
}

/// The skills of a circle, from the first by its id back to it.
fn circle(path: &[usize], skills: &[Node]) -> Vec<SkillId> {
    let ids: Vec<&SkillId> = path.iter().map(|place| &skills[*place].id).collect();
    let first = (0..ids.len()).min_by_key(|place| ids[*place]).unwrap_or(0);
    ids.iter().cycle().skip(first).take(ids.len() + 1).map(|id| (*id).clone()).collect()
}

/// Goes through all nodes, each after those that it leads to, and tells of every way back to a node on the way. Without
/// recursion: a chain may be as long as the library.
fn walk(edges: &[Vec<Option<usize>>], mut on_circle: impl FnMut(&[usize]), mut on_done: impl FnMut(usize)) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnTheWay,
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    for start in 0..edges.len() {
        if marks[start] != Mark::New {
            continue;
        }
        marks[start] = Mark::OnTheWay;
        let mut way = vec![start];
        let mut taken = vec![0];
        while let (Some(&place), Some(edge)) = (way.last(), taken.last_mut()) {
            let Some(target) = edges[place].get(*edge) else {
                marks[place] = Mark::Done;
                on_done(place);
                way.pop();
                taken.pop();
                continue;
            };
            *edge += 1;
            match target.map(|target| (target, marks[target])) {
                Some((target, Mark::New)) => {
                    marks[target] = Mark::OnTheWay;
                    way.push(target);
                    taken.push(0);
                }
                Some((target, Mark::OnTheWay)) => {
                    let begin = way.iter().position(|on_way| *on_way == target).unwrap_or(0);
                    on_circle(&way[begin..]);
                }
                _ => {}
            }
        }
    }
}
