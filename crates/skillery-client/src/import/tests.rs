use super::*;

fn options(strictness: Strictness) -> ImportOptions {
    ImportOptions {
        namespace: None,
        usual_namespace: Some("acme".parse().unwrap()),
        strictness,
        version: None,
        tags: Vec::new(),
        visibility: None,
        oms: None,
    }
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn found(own_version: Option<&str>) -> Found {
    Found {
        folder: PathBuf::new(),
        path: ".".to_owned(),
        id: Some("acme/x".parse().unwrap()),
        own_version: own_version.map(|version| version.parse().unwrap()),
        digest: Some(digest("new")),
        findings: Vec::new(),
        refusals: Vec::new(),
    }
}

/// Versions, each with the text that its digest is made of.
fn versions(versions: &[(&str, &str)]) -> Vec<VersionSummary> {
    let summary = |(version, content): &(&str, &str)| {
        let digest = digest(content);
        let value = serde_json::json!({
            "version": version, "status": "yanked", "digest": digest, "size": 1, "code_hash": digest,
            "publisher": "ada", "created_at": "2026-01-01T00:00:00Z",
        });
        serde_json::from_value(value).unwrap()
    };
    versions.iter().map(summary).collect()
}

#[test]
fn the_version_is_the_next_that_is_free() {
    let lenient = options(Strictness::Lenient);
    let next = |own: Option<&str>, published: &[(&str, &str)]| match choose(
        &found(own),
        &versions(published),
        &lenient,
    ) {
        Choice::Publish(version) => version.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(next(None, &[]), "1.0.0");
    assert_eq!(next(Some("0.3.0"), &[]), "0.3.0");
    assert_eq!(next(Some("0.3.0"), &[("0.3.0", "old")]), "0.3.1");
    assert_eq!(next(Some("0.3.0"), &[("0.3.0", "old"), ("1.9.0", "older"), ("1.10.0", "a")]), "1.10.1");
    assert_eq!(next(None, &[("1.0.0", "a"), ("2.0.0-rc.1", "b")]), "1.0.1");
    assert_eq!(next(None, &[("2.0.0-rc.1", "b")]), "2.0.0");
    assert!(next(None, &[("1.0.18446744073709551615", "a")]).contains("no higher version"));
    // Whatever was decided about the version that has this content.
    let all = versions(&[("1.0.0", "new"), ("1.0.1", "old")]);
    assert_eq!(choose(&found(None), &all, &lenient), Choice::Unchanged("1.0.0".parse().unwrap()));
}

#[test]
fn a_version_that_was_asked_for_is_that_or_none() {
    let asked = |strictness, own: Option<&str>, published: &[(&str, &str)]| {
        let options = ImportOptions { version: Some("2.0.0".parse().unwrap()), ..options(strictness) };
        choose(&found(own), &versions(published), &options)
    };
    let publish = Choice::Publish("2.0.0".parse().unwrap());
    assert_eq!(asked(Strictness::Strict, None, &[("1.0.0", "a")]), publish);
    assert_eq!(asked(Strictness::Lenient, Some("1.0.0"), &[]), publish);
    assert!(matches!(asked(Strictness::Strict, Some("1.0.0"), &[]), Choice::Refused(_)));
    assert!(matches!(asked(Strictness::Strict, None, &[("2.0.0", "a")]), Choice::Refused(_)));
    let strict = options(Strictness::Strict);
    assert!(matches!(
        choose(&found(Some("1.0.0")), &versions(&[("1.0.0", "a")]), &strict),
        Choice::Refused(_)
    ));
}

#[test]
fn a_folder_does_not_choose_a_namespace_that_was_not_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = place.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for (name, manifest) in [
        ("free", ""),
        ("inner", "[skill]\nnamespace = \"acme/tools\"\n"),
        ("mine", "[skill]\nid = \"acme/mine\"\n"),
        ("other", "[skill]\nid = \"payments/other\"\n"),
    ] {
        write(&format!("{name}/SKILL.md"), &format!("---\nname: {name}\ndescription: Does it\n---\n\nSo.\n"));
        write(&format!("{name}/skillery.toml"), manifest);
    }
    let ids = |options: &ImportOptions| {
        let found = look_within(place.path(), String::new(), options).unwrap();
        let shown = |skill: &Found| match &skill.id {
            Some(id) => id.to_string(),
            None => skill.refusals.join(", "),
        };
        found.iter().map(shown).collect::<Vec<_>>()
    };
    let usual = options(Strictness::Strict);
    assert_eq!(ids(&usual), ["acme/free", "acme/tools/inner", "acme/mine", "payments/other"]);
    let asked = ImportOptions { namespace: Some("acme".parse().unwrap()), ..usual.clone() };
    let refused = "it says that it belongs to `payments`, and not to `acme`";
    assert_eq!(ids(&asked), ["acme/free", "acme/tools/inner", "acme/mine", refused]);
    let none = ImportOptions { usual_namespace: None, ..usual };
    assert!(matches!(
        look_within(place.path(), String::new(), &none).unwrap_err(),
        Error::Import(ImportError::NoNamespace { path }) if path == "free"
    ));
}
