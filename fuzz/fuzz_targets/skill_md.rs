//! `SKILL.md`: reading and linting never panics, being lenient never finds more, and what passes has what every client
//! needs. Behind a NUL stands a `skillery.toml`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use skillery_core::Limits;
use skillery_core::bundle::BundleFile;
use skillery_core::lint::{Level, Strictness, lint};

fuzz_target!(|bytes: &[u8]| {
    let (skill, manifest) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    };
    let file = |path: &str, bytes: &[u8]| BundleFile {
        path: path.to_owned(),
        executable: false,
        bytes: bytes.to_vec(),
    };
    let mut files = vec![file("SKILL.md", skill), file("docs/a.md", b"x")];
    files.extend(manifest.map(|bytes| file("skillery.toml", bytes)));
    let limits = Limits::default();
    let strict = lint(&files, Some("my-skill"), Strictness::Strict, &limits);
    let lenient = lint(&files, Some("my-skill"), Strictness::Lenient, &limits);
    assert!(strict.count(Level::Error) >= lenient.count(Level::Error));
    assert_eq!(strict.findings.len(), lenient.findings.len());
    if !strict.has_errors() {
        let skill = strict.skill_md.expect("a skill without an error is read");
        assert_eq!(skill.name, "my-skill");
        assert!(!skill.description.trim().is_empty() && skill.description.encode_utf16().count() <= 1_024);
    }
});
