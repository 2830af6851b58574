//! The form of a policy: what was typed, which may be no policy yet.

use skillery_core::approval::{AutoApproval, Fact, MAX_STAGES, ReReview, Stage};
use skillery_core::{PublishPolicy, Segment};

use super::super::super::form::Form;
use super::super::super::show;
use crate::failure::Result;
use crate::text::invalid;

/// A stage as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypedStage {
    /// Its name.
    pub name: String,
    /// How many people.
    pub approvals: String,
    /// Of which role.
    pub role: String,
    /// Of which group; empty for all.
    pub group: String,
    /// When it is there.
    pub when: Vec<String>,
}

impl TypedStage {
    /// Whether the condition was chosen.
    pub fn has(&self, fact: &Fact) -> bool {
        self.when.iter().any(|known| known == fact.as_str())
    }
}

/// A policy as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// How many people, where there are no stages.
    pub approvals: String,
    /// Of which role.
    pub role: String,
    /// The stages.
    pub stages: Vec<TypedStage>,
    /// When versions wait.
    pub when: Vec<String>,
    /// Whether they must be signed.
    pub signed: bool,
    /// Whether reviews must be.
    pub signed_reviews: bool,
    /// Whether one person may count for several stages.
    pub same_people: bool,
    /// Whether what trusted builds publish passes.
    pub builds: bool,
    /// Whether patches pass.
    pub patches: bool,
    /// Groups whose members' versions pass.
    pub groups: Vec<String>,
    /// Days for which approvals count.
    pub expires_days: String,
    /// Days after which it is looked at again.
    pub review_days: String,
    /// What happens if that is late.
    pub overdue: String,
}

fn words(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(ToString::to_string).collect()
}

/// Groups that were chosen. Boxes have one each; where there are many groups, names are typed one behind the other as well.
/// No policy takes as many as are read here.
fn groups(form: &Form) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for name in form.all("groups").flat_map(|names| names.split([',', ' '])) {
        if groups.len() < MOST_GROUPS && !name.is_empty() && !groups.iter().any(|known| known == name) {
            groups.push(name.to_owned());
        }
    }
    groups
}

const MOST_GROUPS: usize = 60;
/// Bytes of HTML around the name of a group that a stage asks for and that is not there.
const GROUP: usize = 60;
/// Bytes of HTML around both names of a group that has a box.
pub const BOX: usize = 140;

impl Typed {
    /// As if this policy had been typed.
    pub fn of(policy: &PublishPolicy) -> Self {
        let days = |days: Option<u32>| days.map_or_else(String::new, |days| days.to_string());
        let stage = |stage: &Stage| TypedStage {
            name: stage.name.to_string(),
            approvals: stage.approvals.to_string(),
            role: stage.role.to_string(),
            group: stage.group.as_ref().map_or_else(String::new, ToString::to_string),
            when: words(&stage.when),
        };
        Self {
            approvals: policy.approvals.to_string(),
            role: policy.role.to_string(),
            stages: policy.stages.iter().map(stage).collect(),
            when: words(&policy.when),
            signed: policy.signed,
            signed_reviews: policy.signed_reviews,
            same_people: policy.same_people,
            builds: policy.auto.builds,
            patches: policy.auto.patches,
            groups: policy.auto.groups.iter().map(ToString::to_string).collect(),
            expires_days: days(policy.expires_days),
            review_days: days(policy.review.map(|review| review.days)),
            overdue: policy.review.map_or_else(|| "list".to_owned(), |review| review.overdue.to_string()),
        }
    }

    /// What was sent.
    pub fn sent(form: &Form) -> Self {
        let text = |name: &str| form.text(name).trim().to_owned();
        let all = |name: &str| form.all(name).map(|value| value.trim().to_owned()).collect::<Vec<_>>();
        let count = text("stages").parse::<usize>().unwrap_or(0).min(MAX_STAGES);
        let stage = |place: usize| TypedStage {
            name: text(&format!("stage-{place}-name")),
            approvals: text(&format!("stage-{place}-approvals")),
            role: text(&format!("stage-{place}-role")),
            group: text(&format!("stage-{place}-group")),
            when: all(&format!("stage-{place}-when")),
        };
        Self {
            approvals: text("approvals"),
            role: text("role"),
            stages: (0..count).map(stage).collect(),
            when: all("when"),
            signed: form.is_ticked("signed"),
            signed_reviews: form.is_ticked("signed_reviews"),
            same_people: form.is_ticked("same_people"),
            builds: form.is_ticked("builds"),
            patches: form.is_ticked("patches"),
            groups: groups(form),
            expires_days: text("expires_days"),
            review_days: text("review_days"),
            overdue: text("overdue"),
        }
    }

    /// Bytes of HTML that it takes in the form, at most nearly.
    pub fn weight(&self) -> usize {
        let stage = |stage: &TypedStage| {
            // A group that is not there is named twice.
            let texts = [&stage.name, &stage.approvals, &stage.group, &stage.group];
            GROUP + texts.iter().map(|text| show::weight(text)).sum::<usize>()
        };
        let stages = self.stages.iter().map(stage).sum::<usize>();
        let groups = self.groups.iter().map(|name| BOX + 2 * show::weight(name)).sum::<usize>();
        let rest = [&self.approvals, &self.expires_days, &self.review_days];
        stages + groups + rest.iter().map(|text| show::weight(text)).sum::<usize>()
    }

    /// Does what a button says that changes the form alone; tells whether it is one.
    pub fn press(&mut self, action: &str) -> bool {
        let (word, place) = action.rsplit_once('-').unwrap_or((action, ""));
        let place = place.parse::<usize>().ok().filter(|place| *place < self.stages.len());
        match (action, word, place) {
            ("add", ..) => self.add(),
            (_, "remove", Some(place)) => {
                let gone = self.stages.remove(place);
                if self.stages.is_empty() {
                    (self.approvals, self.role) = (gone.approvals, gone.role);
                }
            }
            (_, "up", Some(place)) if place > 0 => self.stages.swap(place - 1, place),
            (_, "down", Some(place)) if place + 1 < self.stages.len() => self.stages.swap(place, place + 1),
            _ => return false,
        }
        true
    }

    fn add(&mut self) {
        if self.stages.len() >= MAX_STAGES {
            return;
        }
        let one = |name: &str| TypedStage {
            name: name.to_owned(),
            approvals: "1".to_owned(),
            role: "reviewer".to_owned(),
            ..TypedStage::default()
        };
        // What stood without stages becomes the first one.
        if self.stages.is_empty() {
            let mut first = one("review");
            if self.approvals.parse::<u32>().is_ok_and(|number| number > 0) {
                (first.approvals, first.role) = (self.approvals.clone(), self.role.clone());
            }
            self.approvals = "0".to_owned();
            self.stages.push(first);
        } else {
            self.stages.push(one(""));
        }
    }

    /// Whether the condition was chosen.
    pub fn has(&self, fact: &Fact) -> bool {
        self.when.iter().any(|known| known == fact.as_str())
    }

    /// Whether versions of members of this group pass.
    pub fn passes(&self, group: &str) -> bool {
        self.groups.iter().any(|known| known == group)
    }

    /// The policy, or the field that is wrong.
    pub fn policy(&self) -> Result<PublishPolicy> {
        let number = |field: &str, text: &str| {
            text.parse::<u32>().map_err(|_| invalid(field, format!("`{text}` is no whole number")))
        };
        let days = |field: &str, text: &str| match text {
            "" => Ok(None),
            text => number(field, text).map(Some),
        };
        let facts = |field: &str, words: &[String]| {
            words
                .iter()
                .map(|word| word.parse::<Fact>())
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(|error| invalid(field, error))
        };
        let group = |field: &str, text: &str| {
            text.parse::<Segment>().map_err(|error| invalid(field, error.to_string()))
        };
        let mut stages = Vec::with_capacity(self.stages.len());
        for (place, stage) in self.stages.iter().enumerate() {
            let field = |name: &str| format!("stage-{place}-{name}");
            if stage.name.is_empty() {
                return Err(invalid(&field("name"), "a stage has a name: one word"));
            }
            stages.push(Stage {
                name: group(&field("name"), &stage.name)?,
                approvals: number(&field("approvals"), &stage.approvals)?,
                role: stage.role.parse().map_err(|error: String| invalid(&field("role"), error))?,
                group: match stage.group.as_str() {
                    "" => None,
                    name => Some(group(&field("group"), name)?),
                },
                when: facts(&field("when"), &stage.when)?,
            });
        }
        let groups = self.groups.iter().map(|name| group("groups", name)).collect::<Result<Vec<_>>>()?;
        let review = match days("review_days", &self.review_days)? {
            None => None,
            Some(days) => {
                let overdue = self.overdue.parse().map_err(|error: String| invalid("overdue", error))?;
                Some(ReReview { days, overdue })
            }
        };
        Ok(PublishPolicy {
            approvals: if stages.is_empty() { number("approvals", &self.approvals)? } else { 0 },
            // Where there are stages, each has its own.
            role: match stages.is_empty() {
                true => self.role.parse().map_err(|error: String| invalid("role", error))?,
                false => PublishPolicy::default().role,
            },
            signed: self.signed,
            stages,
            when: facts("when", &self.when)?,
            auto: AutoApproval { builds: self.builds, patches: self.patches, groups },
            same_people: self.same_people,
            signed_reviews: self.signed_reviews,
            expires_days: days("expires_days", &self.expires_days)?,
            review,
        })
    }
}

#[cfg(test)]
mod tests {
    use skillery_core::approval::Preset;

    use super::*;

    #[test]
    fn a_policy_comes_through_the_form_as_it_was() {
        for preset in Preset::ALL {
            assert_eq!(Typed::of(&preset.policy()).policy().unwrap(), preset.policy());
        }
    }

    #[test]
    fn stages_are_added_moved_and_removed() {
        let mut typed = Typed { approvals: "2".to_owned(), role: "admin".to_owned(), ..Typed::default() };
        assert!(typed.press("add") && typed.press("add"));
        typed.stages[1].name = "release".to_owned();
        let names = |typed: &Typed| typed.stages.iter().map(|stage| stage.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (names(&typed), typed.stages[0].approvals.as_str()),
            (vec!["review".into(), "release".into()], "2")
        );
        assert!(
            typed.press("up-1") && !typed.press("up-0") && !typed.press("down-1") && !typed.press("up-9")
        );
        assert_eq!(names(&typed), ["release", "review"]);
        assert!(typed.press("remove-0") && typed.press("remove-0") && !typed.press("remove-0"));
        assert_eq!((typed.approvals.as_str(), typed.role.as_str()), ("2", "admin"));
        for _ in 0..20 {
            typed.press("add");
        }
        assert_eq!(typed.stages.len(), MAX_STAGES);
        assert!(!typed.press("set") && !typed.press("remove") && !typed.press("remove-x"));
    }
}
