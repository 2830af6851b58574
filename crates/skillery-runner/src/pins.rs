//! The skills of a run: each reference is looked up once, and stands for the same content from then on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::history::Pin;
use crate::problems::ProblemKind;
use crate::skill::{Contents, Pinned, Resolver, SkillReference};
use crate::template::cut;

/// The content of a reference, or why there is none.
pub(crate) type Found = Result<Arc<Pinned>, (ProblemKind, String)>;

/// The content of each reference of a run.
pub(crate) struct Pins<'a> {
    resolve: &'a Resolver<'a>,
    /// Bytes that the code of a skill may have.
    most: usize,
    /// What references stood for when the run began, where it goes on.
    before: Option<&'a BTreeMap<String, Pin>>,
    known: HashMap<String, Found>,
    contents: Contents,
}

impl<'a> Pins<'a> {
    pub(crate) fn new(
        resolve: &'a Resolver<'a>,
        most: usize,
        before: Option<&'a BTreeMap<String, Pin>>,
    ) -> Self {
        Self { resolve, most, before, known: HashMap::new(), contents: Contents::default() }
    }

    /// What this stands for, in this run.
    pub(crate) fn get(&mut self, written: &str) -> Found {
        if let Some(found) = self.known.get(written) {
            return found.clone();
        }
        let found = self.find(written);
        self.known.insert(written.to_owned(), found.clone());
        found
    }

    /// All that was found, by how it is written.
    pub(crate) fn pinned(&self) -> BTreeMap<String, Pin> {
        let pin = |pinned: &Pinned| Pin {
            skill: pinned.id.clone(),
            version: pinned.version.clone(),
            code_hash: pinned.code_hash,
        };
        let found = self.known.iter().filter_map(|(written, found)| Some((written, found.as_ref().ok()?)));
        found.map(|(written, pinned)| (written.clone(), pin(pinned))).collect()
    }

    fn find(&mut self, written: &str) -> Found {
        let reference = parsed(written)?;
        let pin = self.before.and_then(|before| before.get(written));
        let began = |pin: &Pin| format!("{}@{}", pin.skill, pin.version).parse::<SkillReference>().ok();
        let wanted = match pin.and_then(began) {
            Some(began) => SkillReference { script: reference.script, ..began },
            None => reference,
        };
        let because = |why: String| format!("skill `{wanted}`: {why}");
        let source = (self.resolve)(&wanted).map_err(|why| (ProblemKind::SkillNotFound, because(why)))?;
        let pinned = Pinned::read(&source, self.most, &mut self.contents)
            .map_err(|(kind, why)| (kind, because(why)))?;
        if pin.is_some_and(|pin| pin.code_hash != pinned.code_hash) {
            let why = "its code is not what the run began with".to_owned();
            return Err((ProblemKind::SkillChanged, because(why)));
        }
        Ok(Arc::new(pinned))
    }
}

/// What a skill writes to name another one.
fn parsed(written: &str) -> Result<SkillReference, (ProblemKind, String)> {
    let not_a_skill = |why| format!("`{}` is not a skill: {why}", cut(written));
    written.parse().map_err(|why: String| (ProblemKind::BadSkill, not_a_skill(why)))
}
