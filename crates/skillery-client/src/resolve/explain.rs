//! Why no choice of versions will do, in sentences.

use pubgrub::{
    DefaultStringReporter, DerivationTree, Derived, External, Map, ReportFormatter, Reporter, Term,
};
use skillery_core::Version;

use super::{Package, Provider, Set, Source};

/// Versions that are named; of more, only how many there are.
const NAMED: usize = 4;

pub(super) fn explain<S: Source>(
    provider: &Provider<'_, S>,
    tree: &DerivationTree<Package, Set, String>,
) -> String {
    DefaultStringReporter::report_with_formatter(tree, &Sentences { provider })
}

struct Sentences<'a, S> {
    provider: &'a Provider<'a, S>,
}

type ExternalCause = External<Package, Set, String>;
type Terms = Map<Package, Term<Set>>;

impl<S: Source> Sentences<'_, S> {
    /// A skill in some of its versions.
    fn some(&self, package: &Package, set: &Set) -> String {
        match package {
            Package::Root => package.to_string(),
            Package::Skill(key) => match self.provider.known(key) {
                None => format!("`{key}`"),
                Some(known) => {
                    let (inside, outside): (Vec<&Version>, Vec<&Version>) =
                        known.candidates.iter().map(|one| &one.version).partition(|one| set.contains(one));
                    match (inside.as_slice(), outside.as_slice()) {
                        (_, []) if inside.len() > 1 => format!("every version of `{}`", known.id),
                        ([], _) => format!("a version of `{}` that is not there", known.id),
                        (inside, _) => format!("`{}` {}", known.id, list(inside)),
                    }
                }
            },
        }
    }

    /// What is needed, in the words of who needs it where they are known.
    fn needed(&self, needer: &Package, package: &Package, set: &Set) -> String {
        let place = (needer.clone(), package.clone(), set.to_string());
        match self.provider.texts.borrow().get(&place) {
            Some(text) => text.clone(),
            None => self.some(package, set),
        }
    }

    /// What there is, where nothing of it will do.
    fn there_is(&self, package: &Package) -> String {
        let Package::Skill(key) = package else { return String::new() };
        let known = self.provider.known(key);
        let candidates = known.as_deref().map(|known| known.candidates.as_slice()).unwrap_or_default();
        let offered: Vec<&Version> =
            candidates.iter().filter(|one| one.withdrawn.is_none()).map(|one| &one.version).collect();
        let withdrawn: Vec<&Version> =
            candidates.iter().filter(|one| one.withdrawn.is_some()).map(|one| &one.version).collect();
        match (offered.as_slice(), withdrawn.as_slice()) {
            ([], []) => "there is none".to_owned(),
            ([], withdrawn) => format!("all are withdrawn: {}", list(withdrawn)),
            (offered, []) => format!("there is {}", list(offered)),
            (offered, withdrawn) => {
                format!("there is {}; withdrawn is {}", list(offered), list(withdrawn))
            }
        }
    }

    fn needs(&self, needer: &Package, versions: &Set, package: &Package, set: &Set) -> String {
        let needed = self.needed(needer, package, set);
        let who = self.some(needer, versions);
        let sentence = match needer {
            Package::Root => format!("{needed} is wanted"),
            _ => format!("{who} needs {needed}"),
        };
        match set.is_empty() {
            true => format!("{sentence} ({})", self.there_is(package)),
            false => sentence,
        }
    }
}

/// Versions, the highest first.
fn list(versions: &[&Version]) -> String {
    let named: Vec<String> = versions.iter().take(NAMED).map(ToString::to_string).collect();
    match versions.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

impl<S: Source> ReportFormatter<Package, Set, String> for Sentences<'_, S> {
    type Output = String;

    fn format_external(&self, external: &ExternalCause) -> String {
        match external {
            External::NotRoot(..) => "something is wanted".to_owned(),
            External::NoVersions(package, set) => {
                format!("{} will not do ({})", self.some(package, set), self.there_is(package))
            }
            External::FromDependencyOf(needer, versions, package, set) => {
                self.needs(needer, versions, package, set)
            }
            External::Custom(package, set, reason) => {
                format!("{} cannot be used: {reason}", self.some(package, set))
            }
        }
    }

    fn format_terms(&self, terms: &Terms) -> String {
        let mut skills = terms.iter().filter(|(package, _)| **package != Package::Root);
        match (skills.next(), skills.next(), skills.next()) {
            (None, ..) => "there is no choice of versions that will do".to_owned(),
            (Some((package, Term::Positive(set))), None, _) => {
                format!("{} cannot be used", self.some(package, set))
            }
            (Some((package, Term::Negative(set))), None, _) => {
                format!("{} must be used", self.some(package, set))
            }
            (Some((one, Term::Positive(versions))), Some((other, Term::Negative(set))), None)
            | (Some((other, Term::Negative(set))), Some((one, Term::Positive(versions))), None) => {
                self.needs(one, versions, other, set)
            }
            _ => {
                let all: Vec<String> = terms
                    .iter()
                    .filter(|(package, _)| **package != Package::Root)
                    .map(|(package, term)| match term {
                        Term::Positive(set) => self.some(package, set),
                        Term::Negative(set) => format!("anything but {}", self.some(package, set)),
                    })
                    .collect();
                format!("{} do not go together", all.join(" and "))
            }
        }
    }

    fn explain_both_external(&self, one: &ExternalCause, other: &ExternalCause, terms: &Terms) -> String {
        format!(
            "Because {} and {}, {}.",
            self.format_external(one),
            self.format_external(other),
            self.format_terms(terms)
        )
    }

    fn explain_both_ref(
        &self,
        first: usize,
        one: &Derived<Package, Set, String>,
        second: usize,
        other: &Derived<Package, Set, String>,
        terms: &Terms,
    ) -> String {
        format!(
            "Because {} ({first}) and {} ({second}), {}.",
            self.format_terms(&one.terms),
            self.format_terms(&other.terms),
            self.format_terms(terms)
        )
    }

    fn explain_ref_and_external(
        &self,
        number: usize,
        derived: &Derived<Package, Set, String>,
        external: &ExternalCause,
        terms: &Terms,
    ) -> String {
        format!(
            "Because {} ({number}) and {}, {}.",
            self.format_terms(&derived.terms),
            self.format_external(external),
            self.format_terms(terms)
        )
    }

    fn and_explain_external(&self, external: &ExternalCause, terms: &Terms) -> String {
        format!("And because {}, {}.", self.format_external(external), self.format_terms(terms))
    }

    fn and_explain_ref(
        &self,
        number: usize,
        derived: &Derived<Package, Set, String>,
        terms: &Terms,
    ) -> String {
        format!("And because {} ({number}), {}.", self.format_terms(&derived.terms), self.format_terms(terms))
    }

    fn and_explain_prior_and_external(
        &self,
        prior: &ExternalCause,
        external: &ExternalCause,
        terms: &Terms,
    ) -> String {
        format!(
            "And because {} and {}, {}.",
            self.format_external(prior),
            self.format_external(external),
            self.format_terms(terms)
        )
    }
}
