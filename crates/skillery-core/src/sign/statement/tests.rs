use proptest::prelude::*;

use super::*;

fn file(path: &str, content: &[u8], executable: bool) -> StatementFile {
    StatementFile::of(&BundleFile { path: path.to_owned(), executable, bytes: content.to_vec() })
}

fn example() -> Statement {
    Statement::new(
        "skills.example.com",
        "acme/email/validator".parse().unwrap(),
        "1.2.3-rc.1+build.5".parse().unwrap(),
        Digest::of(b"bundle"),
        vec![file("scripts/validator.py", b"print()\n", true), file("SKILL.md", b"---\n", false)],
    )
    .unwrap()
}

fn text(statement: &Statement) -> String {
    String::from_utf8(statement.to_bytes().unwrap()).unwrap()
}

#[test]
fn the_statement_of_a_version() {
    insta::assert_snapshot!(text(&example()));
    let built = example().with_builder("https://ci.example.com/acme/skills/release.yml@v1.2.3").unwrap();
    insta::assert_snapshot!(text(&built));
    for statement in [example(), built] {
        assert_eq!(Statement::parse(&statement.to_bytes().unwrap()).unwrap(), statement);
    }
}

#[test]
fn the_old_form_with_a_time_stays_readable() {
    let old = text(&example()).replace(r#""files":"#, r#""created":"2026-11-22T09:30:00.123456Z","files":"#);
    let statement = Statement::parse(old.as_bytes()).unwrap();
    assert_eq!(statement.created(), Some(Time::from_micros(1_795_339_800_123_456)));
    assert_eq!(text(&statement), old);
    assert_ne!(statement, example());
    let other = old.replace("123456Z", "123456000Z");
    assert!(matches!(Statement::parse(other.as_bytes()), Err(StatementError::Form(_))));
    for time in ["10000-01-01T00:00:00Z", "yesterday", ""] {
        assert!(Statement::parse(old.replace("2026-11-22T09:30:00.123456Z", time).as_bytes()).is_err());
    }
}

#[test]
fn any_other_writing_of_the_same_is_refused() {
    let canonical = text(&example());
    let value: serde_json::Value = serde_json::from_str(&canonical).unwrap();
    for other in [
        serde_json::to_string_pretty(&value).unwrap(),
        format!("{canonical}\n"),
        format!(" {canonical}"),
        canonical.replace("SKILL.md", "SKILL\\u002emd"),
        canonical.replace(r#""builder":null"#, ""),
        canonical
            .replace(&Digest::of(b"bundle").to_string(), &Digest::of(b"bundle").to_string().to_uppercase()),
        canonical.replace(r#"{"sha256":""#, r#"{"sha256":"sha256:"#),
    ] {
        if other != canonical {
            let error = Statement::parse(other.as_bytes()).unwrap_err();
            assert!(matches!(error, StatementError::Form(CanonicalError::NotCanonical)), "{other}: {error}");
        }
    }
    let with_null = canonical.replace(r#""predicate":{"#, r#""predicate":{"builder":null,"#);
    assert!(Statement::parse(with_null.as_bytes()).is_err());
}

#[test]
fn what_is_no_statement_says_why() {
    let canonical = text(&example());
    let cases = [
        canonical.replace("Statement/v1", "Statement/v0.1"),
        canonical.replace("release/v1", "release/v2"),
        canonical.replace(r#""name":"validator""#, r#""name":"other""#),
        canonical.replace(r#""version":"1.2.3-rc.1+build.5""#, r#""version":"1.2.3""#),
        canonical
            .replace(r#""name":"validator","#, r#""name":"email/validator","#)
            .replace("acme/email\"", "acme\""),
        canonical.replace(r#""namespace""#, r#""extra":1,"namespace""#),
        canonical.replace(r#""registry":"skills.example.com","#, ""),
        canonical.replace("skills.example.com", ""),
        canonical.replace("skills.example.com", "skills example com"),
        canonical.replace("SKILL.md", "../SKILL.md"),
        canonical.replace("SKILL.md", "z"),
        canonical.replace("0644", "0600"),
        canonical.replace("0644", "0777"),
        canonical.replace(r#""size":4"#, r#""size":-4"#),
        canonical.replace(r#""size":4"#, r#""size":9007199254740993"#),
        canonical.replace(r#""subject":["#, r#""subject":[{"digest":{"sha256":""},"name":"x"},"#),
        "{}".to_owned(),
        String::new(),
    ];
    let answers: Vec<String> =
        cases.iter().map(|case| Statement::parse(case.as_bytes()).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(answers.join("\n"));
    let long = vec![b' '; MAX_STATEMENT_LENGTH + 1];
    assert!(matches!(Statement::parse(&long), Err(StatementError::TooLong)));
}

#[test]
fn a_statement_that_breaks_a_rule_cannot_be_made() {
    let make = |registry: &str, files| {
        let (id, version) = ("acme/x".parse().unwrap(), "1.0.0".parse().unwrap());
        Statement::new(registry, id, version, Digest::of(b""), files)
    };
    assert!(make("skills.example.com:8080/prefix", vec![]).is_ok());
    for registry in ["", "a b", "a\n", "ä", "a+b", &"a".repeat(256)] {
        assert!(matches!(make(registry, vec![]), Err(StatementError::Registry)), "{registry}");
    }
    let twice = vec![file("a", b"", false), file("a", b"x", false)];
    assert!(matches!(make("r", twice), Err(StatementError::Path(_))));
    let mode = vec![StatementFile { mode: 0o600, ..file("a", b"", false) }];
    assert!(matches!(make("r", mode), Err(StatementError::Mode(_))));
    for builder in ["", "a\nb", &"a".repeat(1_025)] {
        assert!(matches!(example().with_builder(builder), Err(StatementError::Builder)));
    }
    let many = (0..30_000).map(|number| file(&format!("folder/{number}"), b"", false)).collect();
    assert!(matches!(make("r", many).unwrap().to_bytes(), Err(StatementError::TooLong)));
}

#[test]
fn a_difference_is_named() {
    let statement = example();
    let (id, version) = (statement.id().clone(), statement.version().clone());
    let (other_id, other_version) = ("acme/email/other".parse().unwrap(), "1.2.3".parse().unwrap());
    let bundle = Digest::of(b"bundle");
    let files = statement.files();
    let expected = Expected {
        registry: "skills.example.com",
        id: &id,
        version: &version,
        bundle: &bundle,
        files: Some(files),
    };
    assert_eq!(statement.check(&expected), Ok(()));
    assert_eq!(statement.check(&Expected { files: None, ..expected }), Ok(()));
    let reversed: Vec<_> = files.iter().rev().cloned().collect();
    assert_eq!(statement.check(&Expected { files: Some(&reversed), ..expected }), Ok(()));

    let changed = |change: fn(&mut StatementFile)| {
        let mut files = files.to_vec();
        change(&mut files[1]);
        files
    };
    let (content, size) = (changed(|file| file.sha256 = Digest::of(b"x")), changed(|file| file.size += 1));
    let (mode, more) = (changed(|file| file.mode = 0o644), [files, &[file("more", b"", false)]].concat());
    let answers: Vec<String> = [
        Expected { registry: "evil.example.com", ..expected },
        Expected { id: &other_id, ..expected },
        Expected { version: &other_version, ..expected },
        Expected { bundle: &Digest::of(b"other"), ..expected },
        Expected { files: Some(&content), ..expected },
        Expected { files: Some(&size), ..expected },
        Expected { files: Some(&mode), ..expected },
        Expected { files: Some(&more), ..expected },
        Expected { files: Some(&files[1..]), ..expected },
    ]
    .iter()
    .map(|expected| statement.check(expected).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(answers.join("\n"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        let _ = Statement::parse(&bytes);
    }

    #[test]
    fn no_changed_byte_is_read_as_the_same_statement(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let statement = example();
        let mut bytes = statement.to_bytes().unwrap();
        let position = position.index(bytes.len());
        prop_assume!(bytes[position] != byte);
        bytes[position] = byte;
        if let Ok(other) = Statement::parse(&bytes) {
            prop_assert_ne!(&other, &statement);
            prop_assert_eq!(other.to_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn what_is_made_is_read(
        contents in proptest::collection::btree_map("[a-z]{1,8}(/[a-zA-Z0-9_é.]{1,8}x){0,3}", any::<Vec<u8>>(), 0..6),
        builder in proptest::option::of("\\PC{1,60}"),
    ) {
        let files = contents.iter().map(|(path, content)| file(path, content, content.len() % 2 == 0)).collect();
        let (id, version) = ("acme/x".parse().unwrap(), "1.0.0".parse().unwrap());
        let mut statement =
            Statement::new("skills.example.com", id, version, Digest::of(b""), files).unwrap();
        if let Some(builder) = builder {
            statement = statement.with_builder(&builder).unwrap();
        }
        let bytes = statement.to_bytes().unwrap();
        prop_assert_eq!(Statement::parse(&bytes).unwrap(), statement);
    }
}
