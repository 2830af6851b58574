//! What a policy says, in words: for who reads it, and to tell what differs between two.

use skillery_core::approval::{AutoApproval, Fact, Overdue};
use skillery_core::{PublishPolicy, Role};

use super::super::super::review::needs;
use super::super::super::show;

/// A thing that a policy says, and what it says of it.
pub type Row = (String, String);

/// What becomes of a release that nobody looked at again in time.
pub fn overdue(overdue: Overdue) -> &'static str {
    match overdue {
        Overdue::List => "it is listed as due",
        Overdue::Warn => "whoever installs it is warned",
        Overdue::Hold => "it waits again, and nobody gets it",
    }
}

fn when(when: &[Fact]) -> String {
    let told: Vec<&str> = when.iter().map(|fact| show::fact(*fact)).collect();
    told.join(", or ")
}

/// All that it says, in order. What it does not say is left out, but for who has to approve.
pub fn rows(policy: &PublishPolicy) -> Vec<Row> {
    let PublishPolicy {
        approvals,
        role,
        signed,
        stages,
        when: conditions,
        auto,
        same_people,
        signed_reviews,
        expires_days,
        review,
    } = policy;
    let mut rows: Vec<Row> = Vec::new();
    let mut say = |name: &str, text: String| rows.push((name.to_owned(), text));
    if stages.is_empty() {
        let nobody = || "nobody".to_owned();
        say("Approvals", if *approvals == 0 { nobody() } else { needs(*approvals, *role, None, false) });
    }
    for (place, stage) in stages.iter().enumerate() {
        let group = stage.group.as_ref().map(ToString::to_string);
        let mut text = format!("{}: {}", stage.name, needs(stage.approvals, stage.role, group, false));
        if !stage.when.is_empty() {
            text += &format!(". Only if {}", when(&stage.when));
        }
        say(&format!("Stage {}", place + 1), text);
    }
    if !conditions.is_empty() {
        say("Versions wait if", when(conditions));
    }
    if !auto.is_none() {
        say("Passes by itself", passes(auto));
    }
    if *signed {
        say("Signed", "versions must be signed when they are published".to_owned());
    }
    if *signed_reviews {
        say("Signed reviews", "approvals count only if they are signed".to_owned());
    }
    if *same_people {
        say("Same people", "one person may count for several stages".to_owned());
    }
    if let Some(days) = expires_days {
        say("Approvals expire", format!("after {}", show::plural(i64::from(*days), "day", "days")));
    }
    if let Some(review) = review {
        let days = show::plural(i64::from(review.days), "day", "days");
        say("Another look", format!("after {days}; if that is late, {}", overdue(review.overdue)));
    }
    rows
}

fn passes(auto: &AutoApproval) -> String {
    let mut told = Vec::new();
    if auto.builds {
        told.push("what a trusted build publishes".to_owned());
    }
    if auto.patches {
        told.push("patches that ask for nothing new".to_owned());
    }
    if !auto.groups.is_empty() {
        let groups: Vec<String> = auto.groups.iter().map(ToString::to_string).collect();
        told.push(format!("what members of {} publish", groups.join(", ")));
    }
    told.join("; ")
}

/// Something that one of two policies says otherwise.
#[derive(Debug, PartialEq, Eq)]
pub struct Differs {
    /// What it is about.
    pub name: String,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

impl Differs {
    /// Bytes of HTML that it takes, at most nearly.
    pub fn weight(&self) -> usize {
        let texts = [&self.before, &self.after].into_iter().flatten();
        45 + self.name.len() + texts.map(|text| show::weight(text)).sum::<usize>()
    }
}

/// What two policies do not say alike; one may be none.
pub fn differs(before: Option<&PublishPolicy>, after: Option<&PublishPolicy>) -> Vec<Differs> {
    let (before, after) = (before.map(rows).unwrap_or_default(), after.map(rows).unwrap_or_default());
    let of = |rows: &[Row], name: &str| rows.iter().find(|row| row.0 == name).map(|row| row.1.clone());
    let mut names: Vec<String> = before.iter().map(|row| row.0.clone()).collect();
    for (name, _) in &after {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let differs = names.into_iter().map(|name| {
        let (before, after) = (of(&before, &name), of(&after, &name));
        Differs { name, before, after }
    });
    differs.filter(|one| one.before != one.after).collect()
}

/// The roles that approve.
pub const ROLES: [Role; 3] = [Role::Reviewer, Role::Admin, Role::Owner];

#[cfg(test)]
mod tests {
    use skillery_core::approval::Preset;

    use super::*;

    #[test]
    fn whatever_a_policy_says_is_told() {
        let told = rows(&Preset::Regulated.policy());
        let text: Vec<String> = told.iter().map(|(name, text)| format!("{name}: {text}")).collect();
        assert!(text[0].starts_with("Stage 1: review: 1 reviewer or above"), "{text:?}");
        assert!(
            text[1].contains("2 reviewers or above of the group security. Only if no version of its"),
            "{text:?}"
        );
        for part in
            ["Signed:", "after 30 days", "after 365 days; if that is late, whoever installs it is warned"]
        {
            assert!(text.iter().any(|row| row.contains(part)), "{part}: {text:?}");
        }
        for preset in Preset::ALL {
            let policy = preset.policy();
            assert_eq!(differs(Some(&policy), Some(&policy)), []);
            assert_eq!(differs(None, Some(&policy)).len(), rows(&policy).len());
        }
        let (one, other) = (Preset::Team.policy(), Preset::Open.policy());
        let names: Vec<String> = differs(Some(&one), Some(&other)).into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["Passes by itself", "Approvals expire", "Versions wait if"]);
    }
}
