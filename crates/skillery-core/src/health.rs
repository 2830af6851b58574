//! How sound a version is: points for what can be looked at, each with what it is for and what would bring the rest.
//!
//! The same facts have the same score. Nothing that others do to a skill is in it: neither installs nor ratings.

use serde::{Deserialize, Serialize};

use crate::words::word_enum;

word_enum! {
    /// What points are given for.
    HealthPart {
        /// What the skill is for.
        Description = "description",
        /// How it is used.
        Documentation = "documentation",
        /// Tests that others can run.
        Tests = "tests",
        /// What others may do with it.
        License = "license",
        /// Where it comes from.
        Source = "source",
        /// Topics.
        Tags = "tags",
        /// Who answers for it.
        Signature = "signature",
        /// What rules have found in it.
        Findings = "findings",
        /// How old it is.
        Freshness = "freshness",
    }
}

/// What is known of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthFacts {
    /// Characters of its description.
    pub description: usize,
    /// Characters of its instructions: what stands below the head of `SKILL.md`, or in the texts of a function.
    pub documentation: usize,
    /// Whether an example is shown.
    pub has_example: bool,
    /// Files, or examples with an outcome, that test it.
    pub tests: usize,
    /// Its licence.
    pub license: String,
    /// Whether it names its repository, or at least a page.
    pub source: Source,
    /// Topics.
    pub tags: usize,
    /// How it is signed.
    pub signed: Signed,
    /// Errors that the rules find now.
    pub errors: usize,
    /// Warnings that they find.
    pub warnings: usize,
    /// Whole days since it was published.
    pub days: u64,
}

/// What a version says of where it comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Source {
    /// Nothing.
    #[default]
    Nothing,
    /// A page.
    Page,
    /// A repository.
    Repository,
}

/// How a version is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Signed {
    /// By nobody.
    #[default]
    Not,
    /// With a secret that its org shares.
    Shared,
    /// With a key or identity of somebody's own.
    Own,
}

/// A score and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// All points.
    pub points: u32,
    /// The most that there can be.
    pub most: u32,
    /// The parts.
    pub parts: Vec<PartHealth>,
}

/// Points for one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartHealth {
    /// What for.
    pub part: HealthPart,
    /// How many.
    pub points: u32,
    /// The most that there can be.
    pub most: u32,
    /// Why so many.
    pub why: String,
    /// What would bring the rest; nothing where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A description that says something.
const DESCRIPTION: usize = 60;
/// Instructions that say something.
const DOCUMENTATION: usize = 400;
/// Days after which a version is not fresh, and after which it is old.
const FRESH_DAYS: u64 = 365;
const OLD_DAYS: u64 = 730;
/// Points that one warning costs.
const WARNING: u32 = 2;

impl Health {
    /// What these facts come to.
    pub fn of(facts: &HealthFacts) -> Self {
        let parts = vec![
            description(facts),
            documentation(facts),
            tests(facts),
            license(facts),
            source(facts),
            tags(facts),
            signature(facts),
            findings(facts),
            freshness(facts),
        ];
        let sum = |of: fn(&PartHealth) -> u32| parts.iter().map(of).sum();
        Self { points: sum(|part| part.points), most: sum(|part| part.most), parts }
    }
}

fn part(part: HealthPart, points: u32, most: u32, why: impl Into<String>, hint: &str) -> PartHealth {
    let hint = (points < most).then(|| hint.to_owned());
    PartHealth { part, points, most, why: why.into(), hint }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn description(facts: &HealthFacts) -> PartHealth {
    let (points, why) = match facts.description {
        0 => (0, "there is none".to_owned()),
        length if length < DESCRIPTION => {
            (5, format!("it has {}", counted(length, "character", "characters")))
        }
        _ => (10, "it says what the skill is for".to_owned()),
    };
    part(
        HealthPart::Description,
        points,
        10,
        why,
        "say in 60 characters or more what it does, and when to use it",
    )
}

fn documentation(facts: &HealthFacts) -> PartHealth {
    let (mut points, mut why) = match facts.documentation {
        0 => (0, "there are no instructions".to_owned()),
        length if length < DOCUMENTATION => (8, "the instructions are short".to_owned()),
        _ => (15, "it has instructions".to_owned()),
    };
    if facts.has_example {
        points += 5;
        why += ", and an example";
    }
    let hint = match facts.has_example {
        true => "write 400 characters or more of instructions",
        false => "write 400 characters or more of instructions, with an example in a block of code",
    };
    part(HealthPart::Documentation, points, 20, why, hint)
}

fn tests(facts: &HealthFacts) -> PartHealth {
    let (points, why) = match facts.tests {
        0 => (0, "there are none".to_owned()),
        count => (15, format!("it has {}", counted(count, "test", "tests"))),
    };
    let hint = "put files into `tests/` or `evals/`, or examples with their outcome (`>>>`) into the code";
    part(HealthPart::Tests, points, 15, why, hint)
}

fn license(facts: &HealthFacts) -> PartHealth {
    let license = facts.license.trim();
    let is_known = !matches!(license.to_ascii_lowercase().as_str(), "" | "unknown" | "none" | "noassertion");
    let why = if is_known { "it is named" } else { "none is named" };
    part(
        HealthPart::License,
        if is_known { 10 } else { 0 },
        10,
        why,
        "name one, as SPDX does: `MIT`, `Apache-2.0`",
    )
}

fn source(facts: &HealthFacts) -> PartHealth {
    let (points, why) = match facts.source {
        Source::Nothing => (0, "it does not say where it comes from"),
        Source::Page => (3, "it names a page"),
        Source::Repository => (5, "it names its repository"),
    };
    part(HealthPart::Source, points, 5, why, "set `repository`")
}

fn tags(facts: &HealthFacts) -> PartHealth {
    let why = if facts.tags == 0 { "there are none".to_owned() } else { counted(facts.tags, "tag", "tags") };
    part(
        HealthPart::Tags,
        if facts.tags == 0 { 0 } else { 5 },
        5,
        why,
        "add a tag, so that it is found by topic",
    )
}

fn signature(facts: &HealthFacts) -> PartHealth {
    let (points, why) = match facts.signed {
        Signed::Not => (0, "nobody signed it"),
        Signed::Shared => (5, "it is signed with a secret that an org shares"),
        Signed::Own => (15, "it is signed by somebody"),
    };
    part(HealthPart::Signature, points, 15, why, "sign it with a key of your own: `skillery sign`")
}

fn findings(facts: &HealthFacts) -> PartHealth {
    let warnings = u32::try_from(facts.warnings).unwrap_or(u32::MAX);
    let (points, why) = match (facts.errors, facts.warnings) {
        (0, 0) => (10, "nothing was found".to_owned()),
        (0, count) => {
            (10_u32.saturating_sub(warnings.saturating_mul(WARNING)), counted(count, "warning", "warnings"))
        }
        (count, _) => (0, counted(count, "error", "errors")),
    };
    part(HealthPart::Findings, points, 10, why, "see them with `skillery lint`")
}

fn freshness(facts: &HealthFacts) -> PartHealth {
    let (points, why) = match facts.days {
        days if days <= FRESH_DAYS => (10, "it is at most a year old"),
        days if days <= OLD_DAYS => (5, "it is over a year old"),
        _ => (0, "it is over two years old"),
    };
    part(HealthPart::Freshness, points, 10, why, "look whether it is still right, and publish it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> HealthFacts {
        HealthFacts {
            description: 80,
            documentation: 1_000,
            has_example: true,
            tests: 3,
            license: "MIT".to_owned(),
            source: Source::Repository,
            tags: 2,
            signed: Signed::Own,
            errors: 0,
            warnings: 0,
            days: 3,
        }
    }

    #[test]
    fn all_points_are_a_hundred_and_nothing_is_left_to_do() {
        let health = Health::of(&whole());
        assert_eq!((health.points, health.most), (100, 100));
        assert!(health.parts.iter().all(|part| part.hint.is_none()), "{health:?}");
        assert_eq!(health.parts.len(), HealthPart::ALL.len());
        assert_eq!(health, Health::of(&whole()));
    }

    #[test]
    fn what_lacks_points_says_how_to_get_them() {
        let health = Health::of(&HealthFacts { days: 1_000, errors: 2, ..HealthFacts::default() });
        assert_eq!(health.points, 0);
        assert!(health.parts.iter().all(|part| part.hint.is_some()));
        let few =
            HealthFacts { warnings: 3, days: 366, description: 1, license: "Unknown".to_owned(), ..whole() };
        insta::assert_json_snapshot!(Health::of(&few));
    }

    #[test]
    fn points_never_leave_their_bounds() {
        for warnings in [0, 1, 4, 5, 6, usize::MAX] {
            for days in [0, 365, 366, 730, 731, u64::MAX] {
                let health = Health::of(&HealthFacts { warnings, days, ..whole() });
                assert!(health.parts.iter().all(|part| part.points <= part.most), "{health:?}");
                assert_eq!(health.most, 100);
            }
        }
    }
}
