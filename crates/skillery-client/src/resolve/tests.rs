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
            let needs = Some(needs.iter().map(|need| want(need)).collect());
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

    fn needs(&self, _: &SkillId, _: &Version) -> Result<Vec<Want>> {
        panic!("all is told")
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
            let needs = Some(vec![want(&format!("acme/s{}", number + 1))]);
            Ok(vec![Candidate { version: "1.0.0".parse().unwrap(), withdrawn: None, needs }])
        }
        fn needs(&self, _: &SkillId, _: &Version) -> Result<Vec<Want>> {
            panic!("all is told")
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
        fn needs(&self, _: &SkillId, _: &Version) -> Result<Vec<Want>> {
            panic!("nothing is there")
        }
    }
    let error = resolve(&Away, &[want("acme/app")], &BTreeMap::new()).unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

#[test]
fn many_versions_are_looked_at_once() {
    struct Many;
    impl Source for Many {
        fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>> {
            let needs = match id.name() {
                "app" => Some(vec![want("acme/base@<1.0.1"), want("acme/base")]),
                _ => Some(Vec::new()),
            };
            let candidate = |number| Candidate {
                version: format!("1.0.{number}").parse().unwrap(),
                withdrawn: None,
                needs: needs.clone(),
            };
            Ok((0..20_000).map(candidate).collect())
        }
        fn needs(&self, _: &SkillId, _: &Version) -> Result<Vec<Want>> {
            panic!("all is told")
        }
    }
    let begun = Instant::now();
    let chosen = resolve(&Many, &[want("acme/app"), want("acme/base")], &BTreeMap::new()).unwrap();
    assert_eq!((chosen.len(), chosen[1].version.to_string().as_str()), (2, "1.0.0"));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_source_that_makes_up_needs_without_an_end_is_stopped() {
    /// As hard as can be: pigeons, of which no two may have the same hole.
    struct Pigeons;
    const HOLES: u64 = 40;
    impl Source for Pigeons {
        fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>> {
            let own: u64 = id.name().trim_start_matches(|sign: char| !sign.is_ascii_digit()).parse().unwrap();
            if id.name().starts_with('h') {
                let holder = |number| Candidate {
                    version: Version::new(number, 0, 0),
                    withdrawn: None,
                    needs: Some(Vec::new()),
                };
                return Ok((1..=HOLES + 1).map(holder).collect());
            }
            let sits = |hole| Candidate {
                version: Version::new(hole, 0, 0),
                withdrawn: None,
                needs: Some(vec![want(&format!("acme/h{hole}@{own}.0.0"))]),
            };
            Ok((1..=HOLES).map(sits).collect())
        }
        fn needs(&self, _: &SkillId, _: &Version) -> Result<Vec<Want>> {
            panic!("all is told")
        }
    }
    let wants: Vec<Want> = (1..=HOLES + 1).map(|number| want(&format!("acme/p{number}"))).collect();
    let error = resolve(&Pigeons, &wants, &BTreeMap::new()).unwrap_err();
    assert_eq!(error.code(), "too-hard", "{error}");
}

#[test]
fn what_is_not_told_is_asked_for_once() {
    struct Silent(Cell<usize>);
    impl Source for Silent {
        fn candidates(&self, _: &SkillId) -> Result<Vec<Candidate>> {
            let of =
                |number: &str| Candidate { version: number.parse().unwrap(), withdrawn: None, needs: None };
            Ok(vec![of("1.0.0"), of("2.0.0")])
        }
        fn needs(&self, id: &SkillId, _: &Version) -> Result<Vec<Want>> {
            self.0.set(self.0.get() + 1);
            Ok(if id.name() == "app" { vec![want("acme/base@^1")] } else { Vec::new() })
        }
    }
    let source = Silent(Cell::new(0));
    let chosen = resolve(&source, &[want("acme/app")], &BTreeMap::new()).unwrap();
    let said: Vec<String> = chosen.iter().map(|one| format!("{}@{}", one.id, one.version)).collect();
    assert_eq!(said, ["acme/app@2.0.0", "acme/base@1.0.0"]);
    assert_eq!(
        (chosen[0].needs.len(), source.0.get()),
        (1, 2),
        "each version that was chosen is asked about once"
    );
}

#[test]
fn who_does_not_tell_is_not_asked_for_ever() {
    struct Silent(Cell<usize>);
    impl Source for Silent {
        fn candidates(&self, _: &SkillId) -> Result<Vec<Candidate>> {
            let of = |number| Candidate { version: Version::new(number, 0, 0), withdrawn: None, needs: None };
            Ok((1..=1_000).map(of).collect())
        }
        fn needs(&self, _: &SkillId, _: &Version) -> Result<Vec<Want>> {
            self.0.set(self.0.get() + 1);
            // There is none, so the next version is tried.
            Ok(vec![want("acme/base@^5000")])
        }
    }
    let source = Silent(Cell::new(0));
    let error = resolve(&source, &[want("acme/app")], &BTreeMap::new()).unwrap_err();
    assert_eq!((error.code(), source.0.get()), ("too-hard", MAX_ASKED), "{error}");
    assert!(error.to_string().contains("more than 500 versions"), "{error}");
}

#[test]
fn one_version_with_needs_without_an_end_is_stopped_among_them() {
    struct Wide(Cell<usize>);
    impl Source for Wide {
        fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>> {
            self.0.set(self.0.get() + 1);
            let needs: Vec<Want> = match id.name() {
                "app" => (0..1_500).map(|number| want(&format!("acme/s{number}"))).collect(),
                _ => Vec::new(),
            };
            let of = |number| Candidate {
                version: Version::new(number, 0, 0),
                withdrawn: None,
                needs: Some(needs.clone()),
            };
            Ok((1..=if id.name() == "app" { 1 } else { 20_000 }).map(of).collect())
        }
        fn needs(&self, _: &SkillId, _: &Version) -> Result<Vec<Want>> {
            panic!("all is told")
        }
    }
    let source = Wide(Cell::new(0));
    let error = resolve(&source, &[want("acme/app")], &BTreeMap::new()).unwrap_err();
    assert_eq!(error.code(), "too-hard", "{error}");
    assert!(source.0.get() <= 1 + MAX_LOOKS / 20_000, "{} skills were asked about", source.0.get());
}
