//! What is found in skills: the conformance cases of the reference implementation of Agent Skills, what other clients
//! do beside it, and what a hostile author might try.

use proptest::prelude::*;
use skillery_core::bundle::BundleFile;
use skillery_core::lint::{Level, Lint, LintRule, Strictness, lint, rules_document};
use skillery_core::{Limits, SkillMd};

fn file(path: &str, text: impl Into<Vec<u8>>) -> BundleFile {
    BundleFile { path: path.to_owned(), executable: false, bytes: text.into() }
}

fn look(files: &[BundleFile], folder: &str, strictness: Strictness) -> Lint {
    lint(files, Some(folder), strictness, &Limits::default())
}

fn skill(text: impl Into<Vec<u8>>) -> Vec<BundleFile> {
    vec![file("SKILL.md", text)]
}

/// Front matter with a body behind it.
fn with(front_matter: &str) -> Vec<BundleFile> {
    skill(format!("---\n{front_matter}\n---\nDo it.\n"))
}

fn described(lint: &Lint) -> Vec<String> {
    let line = |finding: &skillery_core::lint::Finding| {
        let place =
            finding.place.map(|place| format!(":{}:{}", place.line, place.column)).unwrap_or_default();
        format!("{}{place} {}[{}] {}", finding.path, finding.level, finding.rule, finding.message)
    };
    lint.findings.iter().map(line).collect()
}

const GOOD: &str = "name: my-skill\ndescription: Does it";

/// The cases in which a skill is looked at, with whether it passes strictly and leniently.
fn cases() -> Vec<(&'static str, Vec<BundleFile>, &'static str, bool, bool)> {
    let long = |length| "x".repeat(length);
    let named = |name: &str| with(&format!("name: {name}\ndescription: Does it"));
    let also = |line: &str| with(&format!("{GOOD}\n{line}"));
    let words = |text: &str| with(&format!("name: my-skill\ndescription: {text}"));
    vec![
        // The tests of the reference implementation: of its validator, then of its parser.
        ("valid", with(GOOD), "my-skill", true, true),
        ("nothing at all", vec![], "my-skill", false, false),
        ("no SKILL.md", vec![file("README.md", "x")], "my-skill", false, false),
        ("name with capitals", named("MySkill"), "MySkill", false, true),
        ("name too long", named(&long(70)), "x", false, true),
        ("name begins with a hyphen", named("-my-skill"), "-my-skill", false, true),
        ("name with two hyphens", named("my--skill"), "my--skill", false, true),
        ("name with an underscore", named("my_skill"), "my_skill", false, true),
        ("folder of another name", named("correct-name"), "wrong-name", false, true),
        ("unknown field", also("unknown_field: x"), "my-skill", false, true),
        (
            "all fields",
            also("license: MIT\nmetadata:\n  author: Someone\n  version: \"1.0.0\""),
            "my-skill",
            true,
            true,
        ),
        ("allowed tools", also("allowed-tools: Bash(jq:*) Bash(git:*)"), "my-skill", true, true),
        ("Chinese name", named("技能"), "技能", false, true),
        ("Russian name with a hyphen", named("мой-навык"), "мой-навык", false, true),
        ("Russian name", named("навык"), "навык", false, true),
        ("Russian capitals", named("НАВЫК"), "НАВЫК", false, true),
        ("description of 1100", words(&long(1_100)), "my-skill", false, true),
        ("compatibility", also("compatibility: Requires Python 3.11+"), "my-skill", true, true),
        ("compatibility of 550", also(&format!("compatibility: {}", long(550))), "my-skill", false, true),
        ("forms of an accent", named("cafe\u{301}"), "caf\u{e9}", false, true),
        ("no front matter", skill("# My skill\n"), "my-skill", false, false),
        ("unclosed front matter", skill("---\nname: my-skill\n"), "my-skill", false, false),
        ("no YAML", with("name: [invalid"), "my-skill", false, false),
        ("a list", with("- a\n- b"), "my-skill", false, false),
        ("number below metadata", also("metadata:\n  version: 1.0"), "my-skill", true, true),
        ("no name", with("description: Does it"), "my-skill", false, false),
        ("no description", with("name: my-skill"), "my-skill", false, false),
        (
            "both capitals",
            vec![file("SKILL.md", format!("---\n{GOOD}\n---\nDo.\n")), file("docs/skill.md", "x")],
            "my-skill",
            true,
            true,
        ),
        (
            "small letters",
            vec![file("skill.md", format!("---\n{GOOD}\n---\nDo.\n"))],
            "my-skill",
            false,
            true,
        ),
        // What clients do beside it.
        ("byte order mark", skill(format!("\u{feff}---\n{GOOD}\n---\nDo.\n")), "my-skill", false, true),
        ("CRLF", skill(format!("---\n{GOOD}\n---\nDo.\n").replace('\n', "\r\n")), "my-skill", true, true),
        ("comments", with(&format!("# why\n{GOOD} # so\n# end")), "my-skill", true, true),
        ("folded", words(">-\n  Does it\n  well"), "my-skill", true, true),
        ("literal", words("|\n  Does it\n  well"), "my-skill", true, true),
        ("fence at the end of the file", skill(format!("---\n{GOOD}\n---")), "my-skill", true, true),
        ("blank line in front", skill(format!("\n---\n{GOOD}\n---\nDo.\n")), "my-skill", false, false),
        ("four dashes", skill(format!("----\n{GOOD}\n----\nDo.\n")), "my-skill", false, false),
        ("four dashes at the end", skill(format!("---\n{GOOD}\n----\nDo.\n")), "my-skill", false, false),
        ("blanks behind a fence", skill(format!("--- \n{GOOD}\n---\t\nDo.\n")), "my-skill", false, true),
        ("tab", also("metadata:\n\ta: b"), "my-skill", false, false),
        ("colon in a value", words("Use when: asked"), "my-skill", false, false),
        ("field twice", also("name: my-skill"), "my-skill", false, false),
        ("field twice below metadata", also("metadata:\n  a: b\n  a: c"), "my-skill", false, false),
        ("empty front matter", skill("---\n---\nDo.\n"), "my-skill", false, false),
        ("dashes in a value", words("Does --- it"), "my-skill", true, true),
        ("fence in a block", words("|\n  a\n  ---\n  b"), "my-skill", true, true),
        ("name is a number", named("123"), "123", false, false),
        ("name is a quoted number", named("\"123\""), "123", true, true),
        ("name is a boolean", named("true"), "true", false, false),
        ("name is null", named("~"), "null", false, false),
        ("name is nothing", named(""), "x", false, false),
        ("name is a list", with("name:\n  - a\ndescription: Does it"), "a", false, false),
        ("name is on", named("on"), "on", true, true),
        ("name is a date", named("2024-01-31"), "2024-01-31", true, true),
        ("description is a number", words("1"), "my-skill", false, false),
        ("name of 64", named(&long(64)), &*Box::leak(long(64).into_boxed_str()), true, true),
        ("name of 65", named(&long(65)), &*Box::leak(long(65).into_boxed_str()), false, true),
        ("name ends with a hyphen", named("a-"), "a-", false, true),
        ("name with a dot", named("a.b"), "a.b", false, true),
        ("name with a blank", named("a b"), "a b", false, true),
        ("name with a superscript", named("a²"), "a²", false, true),
        ("name of full width", named("ａｂｃ"), "ａｂｃ", false, true),
        ("description of 1024", words(&long(1_024)), "my-skill", true, true),
        ("description of 1025", words(&long(1_025)), "my-skill", false, true),
        ("description of 513 emoji", words(&"🦀".repeat(513)), "my-skill", false, true),
        ("description of 512 emoji", words(&"🦀".repeat(512)), "my-skill", true, true),
        ("description of blanks", words("\"   \""), "my-skill", false, false),
        ("compatibility of 500", also(&format!("compatibility: {}", long(500))), "my-skill", true, true),
        ("compatibility of 501", also(&format!("compatibility: {}", long(501))), "my-skill", false, true),
        ("compatibility is a list", also("compatibility:\n  - git"), "my-skill", false, true),
        ("compatibility is empty", also("compatibility: ''"), "my-skill", true, true),
        ("version", also("version: 1.0.0"), "my-skill", false, true),
        ("field of one client", also("disable-model-invocation: true"), "my-skill", false, true),
        ("misspelt", also("allowed_tools: Bash"), "my-skill", false, true),
        ("metadata in flow style", also("metadata: {a: b, c: [d]}"), "my-skill", false, true),
        ("metadata nested", also("metadata:\n  a:\n    b: c"), "my-skill", true, true),
        ("metadata is a text", also("metadata: x"), "my-skill", true, true),
        ("licence is a list", also("license:\n  - MIT"), "my-skill", true, true),
        ("allowed tools are a list", also("allowed-tools:\n  - Bash\n  - Read"), "my-skill", true, true),
        ("anchor", words("&a Does it"), "my-skill", false, false),
        ("alias", also("license: *a"), "my-skill", false, false),
        ("anchor and alias", with("name: &a my-skill\ndescription: *a"), "my-skill", false, false),
        ("tag", words("!!str Does it"), "my-skill", false, false),
        ("local tag", words("!thing Does it"), "my-skill", false, false),
        ("directive", with(&format!("%YAML 1.2\n{GOOD}")), "my-skill", false, false),
        ("two documents", with(&format!("{GOOD}\n...\nname: other")), "my-skill", false, false),
        ("complex key", also("? [a, b]\n: c"), "my-skill", false, false),
        ("merge key", also("<<: x"), "my-skill", false, false),
        ("merge key below metadata", also("metadata:\n  a: b\n  <<:\n    c: d"), "my-skill", false, false),
        ("quoted merge key", also("metadata:\n  \"<<\": c"), "my-skill", false, false),
        (
            "invalid UTF-8",
            skill(b"---\nname: my-skill\ndescription: \xff\n---\nDo.\n".to_vec()),
            "my-skill",
            false,
            false,
        ),
        ("carriage return alone", words("a\rlicense: MIT"), "my-skill", false, false),
        ("next line", words("\"a\u{85}b\""), "my-skill", false, false),
        ("name leads away", named("../x"), "x", false, false),
        ("name is a device", named("con"), "con", false, false),
        ("name hides", named("\"a\\u200bb\""), "x", false, false),
        ("escaped direction", words("\"Does \\u202e it\""), "my-skill", true, true),
        ("selector of an emoji", words("Does \u{26a0}\u{fe0f} it"), "my-skill", true, true),
        ("selectors of nothing", words("Does\u{fe0f}\u{fe0e} it"), "my-skill", true, true),
        ("joiners of nothing", words("技\u{200d}\u{200c}能"), "my-skill", true, true),
        ("name of blanks around", named("\" my-skill \""), "my-skill", true, true),
        ("empty body", skill(format!("---\n{GOOD}\n---\n\n")), "my-skill", true, true),
        ("long body", skill(format!("---\n{GOOD}\n---\n{}", "line\n".repeat(501))), "my-skill", true, true),
        (
            "deep",
            also(&format!("metadata: {}{}", "[".repeat(100), "]".repeat(100))),
            "my-skill",
            false,
            false,
        ),
    ]
}

#[test]
fn every_case_is_found() {
    let mut text = String::new();
    for (case, files, folder, strictly, leniently) in cases() {
        let (strict, lenient) =
            (look(&files, folder, Strictness::Strict), look(&files, folder, Strictness::Lenient));
        assert_eq!(!strict.has_errors(), strictly, "{case}, strictly: {:#?}", described(&strict));
        assert_eq!(!lenient.has_errors(), leniently, "{case}, leniently: {:#?}", described(&lenient));
        let rules = |lint: &Lint| lint.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>();
        assert_eq!(rules(&strict), rules(&lenient), "{case}: both find the same, and weigh it differently");
        text.push_str(&format!("{case}\n"));
        described(&strict).iter().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn everything_is_told_at_once_with_its_place() {
    let text = "---\nname: My_Skill\ndescription: 7\nversion: 1.0.0\nlicense: &x MIT\nmetadata:\n  tags: a, b\n  \
                skillery-id: acme/other\n  skillery-dependencies: acme/base ^x\n---\n\n# My\u{200b} skill\n\nSee [a](gone.md) and\n\
                ![b](../up.png).\n";
    let files = [
        file("SKILL.md", text),
        file("scripts/run.sh", "#!/bin/sh\n"),
        file("skillery.toml", "[skill]\nversion = \"1\"\nnames = 1\n\n[dependencies]\n\"acme/base\" = 1\n"),
        file("Scripts/x", ""),
    ];
    insta::assert_snapshot!(described(&look(&files, "my-skill", Strictness::Strict)).join("\n"));
}

#[test]
fn links_are_followed_within_the_skill() {
    let body = "[a](docs/a.md) [b](docs) [c](./docs/a.md#part) [d](docs/../docs/a.md?x) [e](https://example.com/x)\n\
                [f](mailto:a@b.c) [g](#part) [h](docs/with%20blank.md) [i](<docs/with blank.md>) [j]\n`[no](link)`\n\n\
                ```\n[no](link)\n```\n\n[k](docs/A.md) [l](gone.md) [m](/etc/passwd) [n](docs/../../x) [o](%ff) \
                [p](path/to/{name}.md)\n\n[j]: docs/gone.md\n";
    let files = [
        file("SKILL.md", format!("---\n{GOOD}\n---\n{body}")),
        file("docs/a.md", ""),
        file("docs/with blank.md", ""),
    ];
    insta::assert_snapshot!(described(&look(&files, "my-skill", Strictness::Strict)).join("\n"));
}

#[test]
fn what_is_said_to_the_registry_is_read_from_both_places() {
    let front_matter = format!(
        "{GOOD}\nmetadata:\n  version: 1.2.0\n  tags: email, check\n  skillery-dependencies: \"acme/base ^1.2, acme/tools \
         >=2, <3\""
    );
    let manifest = "[skill]\nid = \"acme/email/my_skill\"\nversion = \"1.2.0\"\nhomepage = \"https://example.com/x\"\n\
                    repository = \"git://example.com/x\"\nvisibility = \"private\"\n\n[dependencies]\n\"acme/base\" = \"^1.2\"\n\
                    \"acme/more\" = \"latest\"\n";
    let files = [with(&front_matter), vec![file("skillery.toml", manifest)]].concat();
    let lint = look(&files, "my-skill", Strictness::Strict);
    assert_eq!(described(&lint), Vec::<String>::new());
    insta::assert_json_snapshot!(lint.manifest);
    insta::assert_json_snapshot!(lint.skill_md);

    let other = manifest
        .replace("1.2.0", "1.3.0")
        .replace("^1.2", "^1.1")
        .replace("acme/more", "acme/email/my-skill");
    let files = [with(&front_matter), vec![file("skillery.toml", other)]].concat();
    insta::assert_snapshot!(described(&look(&files, "my-skill", Strictness::Strict)).join("\n"));
}

#[test]
fn every_mistake_in_the_manifest_says_why() {
    let cases = [
        "[skill]\nid = \"base\"",
        "[skill]\nid = 1",
        "[skill]\nid = \"acme/my-skill\"\nnamespace = \"acme\"",
        "[skill]\nid = \"acme/other\"",
        "[skill]\nnamespace = \"Acme\"",
        "[skill]\nversion = \"1.0\"",
        "[skill]\ntags = \"a\"",
        "[skill]\ntags = [\"a\", \"b,c\"]",
        "[skill]\ntags = [\"a\\u202e\"]",
        "[skill]\nhomepage = \"javascript:alert(1)\"",
        "[skill]\nrepository = \"file:///etc\"",
        "[skill]\nvisibility = \"secret\"",
        "[skil]\nid = \"acme/my-skill\"",
        "skill = 1",
        "[dependencies]\n\"acme/a_b\" = \"1\"\n\"acme/a-b\" = \"1\"",
        "[dependencies]\nacme = { base = \"1\" }",
        "[skill\nid = 1\n[dependencies\n",
        "[skill]\nid = \"acme/my-skill\"\nid = \"acme/my-skill\"",
        "\u{feff}[skill]\n",
    ];
    let mut text = String::new();
    for case in cases {
        let files = [with(GOOD), vec![file("skillery.toml", case)]].concat();
        let said = described(&look(&files, "my-skill", Strictness::Strict)).join("\n    ");
        text.push_str(&format!("{case:?}\n    {said}\n"));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_flood_of_findings_is_cut() {
    let body = "[x](gone)\u{200b}\n".repeat(20_000);
    let lint = look(&skill(format!("---\n{GOOD}\n---\n{body}")), "my-skill", Strictness::Strict);
    let count = |rule| lint.findings.iter().filter(|finding| finding.rule == rule).count();
    assert_eq!((count(LintRule::BrokenLink), count(LintRule::HiddenUnicode)), (50, 50));
    assert_eq!(count(LintRule::FindingsOmitted), 2);
}

/// Inputs that are as large as they may be, and as bad for a reader that goes back and forth or deeper and deeper: one that
/// does takes hours, or its stack runs out.
#[test]
fn the_worst_inputs_come_to_an_end() {
    let open = |text: &str, times: usize| text.repeat(times);
    let front_matters = [
        open("a: &x b\n", 8_000),
        format!("a: {}", open("[", 60_000)),
        format!("a: [{}]", open("[],", 20_000)),
        format!("a: {}", open("\"x\" ", 15_000)),
        open("? ", 30_000),
        open("- ", 30_000),
        open("a:\n ", 15_000),
        open("#\n", 30_000),
        format!("a: {}", open("\u{301}", 30_000)),
        (0..6_000).map(|number| format!("f{number}: x\n")).collect(),
        format!("{GOOD}\nmetadata:\n  skillery-dependencies: \"{}\"", open("acme/a ^1,", 6_000)),
        format!("{GOOD}\nmetadata:\n  skillery-dependencies: \"acme/a {}\"", open("^1,", 20_000)),
    ];
    for front_matter in &front_matters {
        assert!(look(&with(front_matter), "my-skill", Strictness::Lenient).has_errors());
    }
    let bodies = [
        open("[", 500_000),
        open("[a](", 250_000),
        open("![", 400_000),
        open("*a_", 300_000),
        open("> ", 400_000),
        open("- ", 400_000),
        open("`", 1_000_000 - 100),
        open("<a ", 300_000),
        open("&", 900_000),
        open("[a](b)", 150_000),
        open("[a]: b\n", 100_000),
        open("|a", 400_000),
        open("\u{200b}", 300_000),
        open("---\n", 250_000 - 100),
    ];
    for body in &bodies {
        let files = skill(format!("---\n{GOOD}\n---\n{body}"));
        assert!(!look(&files, "my-skill", Strictness::Lenient).has_errors());
    }
}

#[test]
fn a_large_file_and_a_large_front_matter_are_refused() {
    let large = skill(format!("---\n{GOOD}\n---\n{}", "x".repeat(1024 * 1024)));
    assert_eq!(look(&large, "my-skill", Strictness::Strict).findings[0].rule, LintRule::SkillFileTooLarge);
    let large = with(&"a: b\n".repeat(14_000));
    assert_eq!(look(&large, "my-skill", Strictness::Strict).findings[0].rule, LintRule::FrontMatterTooLarge);
}

#[test]
fn what_a_skill_of_code_is_made_of_passes() {
    let id = "acme/email_validator".parse().unwrap();
    let files =
        skillery_core::bundle::from_code(&id, &"1.0.0".parse().unwrap(), "Validates", "MIT", "x = 1\n");
    let lint = look(&files, "email-validator", Strictness::Strict);
    assert_eq!(described(&lint), Vec::<String>::new());
}

#[test]
fn the_body_is_what_stands_behind() {
    assert_eq!(SkillMd::body(b"---\nname: x\n---\n# Title\n"), Some("# Title\n"));
    assert_eq!(SkillMd::body(b"# Title\n"), None);
}

#[test]
fn the_document_has_every_rule() {
    let document = rules_document();
    for rule in LintRule::ALL {
        assert!(document.contains(&format!("\n### {rule}\n")), "{rule}");
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "---\n",
        "---",
        "name: ",
        "description: ",
        "metadata:\n",
        "  a: b\n",
        "my-skill\n",
        "\n",
        "\r\n",
        "\r",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a",
        "!t ",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "#",
        "\t",
        "\u{feff}",
        "\u{202e}",
        "é",
        "🦀",
        "? ",
        "%YAML 1.2\n",
        "...\n",
        "<<: ",
        "~",
        "1",
        "[x](y)",
        "![z](../w)",
        "`",
        "skillery-dependencies: ",
        "acme/x ^1,",
        "version: 1\n",
        "\u{0}",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_panics(front in pieces(), body in pieces(), manifest in pieces(), bytes in any::<Vec<u8>>()) {
        for text in [front.clone(), format!("---\n{front}\n---\n{body}"), format!("---\n{GOOD}\n{front}---\n{body}")] {
            let files = [skill(text), vec![file("skillery.toml", manifest.as_str())]].concat();
            let strict = look(&files, "my-skill", Strictness::Strict);
            let lenient = look(&files, "my-skill", Strictness::Lenient);
            prop_assert!(strict.count(Level::Error) >= lenient.count(Level::Error));
            // A skill without an error has what every client needs.
            if !lenient.has_errors() {
                let skill = lenient.skill_md.unwrap();
                prop_assert!(!skill.name.is_empty() && !skill.description.trim().is_empty());
            }
        }
        let _ = look(&skill(bytes), "my-skill", Strictness::Lenient);
    }
}
