use std::collections::BTreeMap;

use super::*;

/// Skills in memory: `id`, `version`, what it needs.
#[derive(Default)]
struct Memory(Vec<(SkillId, Candidate)>);

fn want(text: &str) -> Want {
    let (id, request) = text.split_once('@').unwrap_or((text, ""));
    Want { id: id.parse().unwrap(), request: request.parse().unwrap() }
}

impl Memory {
    fn of(skills: &[(&str, &str, &[&str])]) -> Self {
        let candidate = |(id, version, needs): &(&str, &str, &[&str])| {
            let (version, withdrawn) = match version.strip_suffix('!') {
                Some(version) => (version, Some("it was yanked".to_owned())),
                None => (*version, None),
            };
            let needs = needs.iter().map(|need| want(need)).collect();
            (id.parse().unwrap(), Candidate { version: version.parse().unwrap(), withdrawn, needs })
        };
        Self(skills.iter().map(candidate).collect())
    }
}

impl Source for Memory {
    fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>> {
        Ok(self
            .0
            .iter()
            .filter(|(other, _)| other.key() == id.key())
            .map(|(_, candidate)| candidate.clone())
            .collect())
    }
}

fn solve(memory: &Memory, wants: &[&str], locked: &[(&str, &str)]) -> Result<Vec<String>> {
    let wants: Vec<Want> = wants.iter().map(|text| want(text)).collect();
    let locked: BTreeMap<SkillId, Version> =
        locked.iter().map(|(id, version)| (id.parse().unwrap(), version.parse().unwrap())).collect();
    let chosen = resolve(memory, &wants, &locked)?;
    Ok(chosen.iter().map(|one| format!("{}@{}", one.id, one.version)).collect())
}

fn refused(memory: &Memory, wants: &[&str]) -> String {
    match solve(memory, wants, &[]) {
        Err(Error::NoChoice { explanation }) => explanation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_highest_versions_that_go_together_are_chosen() {
    let memory = Memory::of(&[
        ("acme/app", "1.0.0", &["acme/base@^1", "acme/text"]),
        ("acme/app", "2.0.0", &["acme/base@^2", "acme/text"]),
        ("acme/base", "1.0.0", &[]),
        ("acme/base", "1.5.0", &[]),
        ("acme/base", "2.0.0", &[]),
        ("acme/base", "3.0.0-rc.1", &[]),
        ("acme/text", "1.0.0", &["acme/base@<2"]),
    ]);
    // The newest app would need another base than its own text does.
    assert_eq!(
        solve(&memory, &["acme/app"], &[]).unwrap(),
        ["acme/app@1.0.0", "acme/base@1.5.0", "acme/text@1.0.0"]
    );
    assert_eq!(solve(&memory, &["acme/base"], &[]).unwrap(), ["acme/base@2.0.0"]);
    assert_eq!(solve(&memory, &["acme/base@3.0.0-rc.1"], &[]).unwrap(), ["acme/base@3.0.0-rc.1"]);
    assert_eq!(solve(&memory, &["acme/base@^1", "acme/base@<1.5"], &[]).unwrap(), ["acme/base@1.0.0"]);
    assert_eq!(solve(&memory, &[], &[]).unwrap(), [""; 0]);
}

#[test]
fn what_is_locked_stays_as_long_as_it_fits() {
    let memory = Memory::of(&[
        ("acme/app", "1.0.0", &["acme/base@^1"]),
        ("acme/base", "1.0.0", &[]),
        ("acme/base", "1.5.0", &[]),
        ("acme/base", "1.6.0!", &[]),
    ]);
    let locked = |version| solve(&memory, &["acme/app"], &[("acme/base", version)]).unwrap();
    assert_eq!(locked("1.0.0"), ["acme/app@1.0.0", "acme/base@1.0.0"]);
    assert_eq!(locked("1.6.0"), ["acme/app@1.0.0", "acme/base@1.6.0"]);
    assert_eq!(locked("0.9.0"), ["acme/app@1.0.0", "acme/base@1.5.0"]);
}

#[test]
fn what_was_withdrawn_is_for_whoever_names_it() {
    let memory = Memory::of(&[
        ("acme/app", "1.0.0", &["acme/base@=1.6.0"]),
        ("acme/base", "1.5.0", &[]),
        ("acme/base", "1.6.0!", &[]),
    ]);
    assert_eq!(solve(&memory, &["acme/base"], &[]).unwrap(), ["acme/base@1.5.0"]);
    assert_eq!(solve(&memory, &["acme/base@1.6.0"], &[]).unwrap(), ["acme/base@1.6.0"]);
    insta::assert_snapshot!(refused(&memory, &["acme/app"]));
}

#[test]
fn circles_are_no_trouble() {
    let memory = Memory::of(&[
        ("acme/one", "1.0.0", &["acme/two@^1", "acme/one"]),
        ("acme/two", "1.0.0", &["acme/one@^1"]),
        ("acme/two", "1.1.0", &["acme/one@^2"]),
    ]);
    assert_eq!(solve(&memory, &["acme/one"], &[]).unwrap(), ["acme/one@1.0.0", "acme/two@1.0.0"]);
}

#[test]
fn spellings_of_one_id_are_one_skill() {
    let memory = Memory::of(&[
        ("acme/app", "1.0.0", &["acme/the-base@^1"]),
        ("acme/the_base", "1.0.0", &[]),
        ("acme/the_base", "2.0.0", &[]),
    ]);
    assert_eq!(
        solve(&memory, &["acme/app", "acme/the_base"], &[]).unwrap(),
        ["acme/app@1.0.0", "acme/the_base@1.0.0"]
    );
}

#[test]
fn what_does_not_go_together_is_explained() {
    let memory = Memory::of(&[
        ("acme/app", "1.0.0", &["acme/base@^1", "acme/text@^1"]),
        ("acme/app", "1.1.0", &["acme/base@^1", "acme/text@^1"]),
        ("acme/base", "1.0.0", &[]),
        ("acme/base", "2.0.0", &[]),
        ("acme/text", "1.0.0", &["acme/base@^2"]),
        ("acme/lost", "1.0.0", &["acme/gone@^1"]),
        ("acme/odd", "1.0.0", &["acme/base@^9"]),
    ]);
    let told: Vec<String> = [
        &["acme/app"][..],
        &["acme/base@^1", "acme/text"],
        &["acme/base@^1", "acme/base@^2"],
        &["acme/lost"],
        &["acme/odd"],
        &["acme/base@^7"],
        &["acme/nothing"],
    ]
    .iter()
    .map(|wants| format!("{}\n{}", wants.join(" + "), refused(&memory, wants)))
    .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn who_leads_on_for_ever_is_stopped() {
    struct Endless;
    impl Source for Endless {
        fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>> {
            let number: usize = id.name().trim_start_matches('s').parse().unwrap();
            let needs = vec![want(&format!("acme/s{}", number + 1))];
            Ok(vec![Candidate { version: "1.0.0".parse().unwrap(), withdrawn: None, needs }])
        }
    }
    let error = resolve(&Endless, &[want("acme/s0")], &BTreeMap::new()).unwrap_err();
    assert!(matches!(error, Error::TooManyNeeds { .. }), "{error}");
}

#[test]
fn a_source_that_fails_says_so() {
    struct Away;
    impl Source for Away {
        fn candidates(&self, _: &SkillId) -> Result<Vec<Candidate>> {
            Err(Error::TimedOut { url: "http://127.0.0.1:1".to_owned(), seconds: 1.0 })
        }
    }
    let error = resolve(&Away, &[want("acme/app")], &BTreeMap::new()).unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}
