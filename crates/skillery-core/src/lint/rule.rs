//! The closed list of rules, with the level of each.

use serde::{Serialize, Serializer};

use crate::words::word_enum;

word_enum! {
    /// How much a finding weighs.
    Level {
        /// Worth knowing.
        Note = "note",
        /// Something is likely not as it was meant, or not everywhere as it is here.
        Warning = "warning",
        /// The skill is not published like this.
        Error = "error",
    }
}

word_enum! {
    /// How much is demanded.
    Strictness {
        /// For what others wrote and published: what some client reads is let through with a warning.
        Lenient = "lenient",
        /// For what is about to be published: the Agent Skills specification, and what every client needs.
        Strict = "strict",
    }
}

macro_rules! lint_rules {
    ($($variant:ident, $word:literal, $strict:ident, $lenient:ident, $title:literal, $help:literal;)*) => {
        /// A rule for skills. The list is closed, and each word keeps its meaning: programs may match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum LintRule {
            $(#[doc = $title] $variant),*
        }

        impl LintRule {
            /// All rules, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word that stands for the rule everywhere.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// What a finding of this rule weighs.
            pub fn level(self, strictness: Strictness) -> Level {
                match (self, strictness) {
                    $((Self::$variant, Strictness::Strict) => Level::$strict,
                      (Self::$variant, Strictness::Lenient) => Level::$lenient,)*
                }
            }

            /// What is wrong, in one line, without a full stop.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// Why that matters, and what to do.
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help),* }
            }
        }
    };
}

lint_rules! {
    SkillFileMissing, "skill-file-missing", Error, Error, "there is no `SKILL.md` in the folder",
        "Every client looks for this file at the top of the folder, and for no other.";
    SkillFileCase, "skill-file-case", Error, Warning, "the file is not called exactly `SKILL.md`",
        "Clients that read archives, and systems that tell capitals apart, do not find `skill.md`. Rename it.";
    SkillFileTooLarge, "skill-file-too-large", Error, Error, "`SKILL.md` is larger than 1 MiB",
        "An agent reads the whole file. Move what is not always needed to files beside it, and link to them.";
    NotUtf8, "not-utf8", Error, Error, "a text is not UTF-8",
        "Save the file as UTF-8. The line and the byte where it ceases to be UTF-8 are in the message.";
    ByteOrderMark, "byte-order-mark", Error, Warning, "`SKILL.md` begins with a byte order mark",
        "Some clients do not see the `---` behind it. Save the file as UTF-8 without it.";
    FrontMatterMissing, "front-matter-missing", Error, Error, "`SKILL.md` does not begin with a line `---`",
        "The first line is `---`, then come `name` and `description`, then another line `---`. Nothing may stand before, no \
         blank line either.";
    FrontMatterUnclosed, "front-matter-unclosed", Error, Error, "the front matter has no second line `---`",
        "The line that ends the front matter is exactly `---`: no blanks before it and no fourth dash.";
    FenceWhitespace, "fence-whitespace", Error, Warning, "a line `---` ends in blanks",
        "Some clients compare the whole line. Remove the blanks.";
    FrontMatterTooLarge, "front-matter-too-large", Error, Error, "the front matter is larger than 64 KiB",
        "Clients load the front matter of every skill at their start. Move texts to the body.";
    FrontMatterSyntax, "front-matter-syntax", Error, Error, "the front matter is not YAML",
        "Most often a text with `: ` or ` #` in it lacks quotes. Indent by blanks, not by tabs.";
    FrontMatterNotAMapping, "front-matter-not-a-mapping", Error, Error, "the front matter is not a list of `field: value`",
        "Write one field on a line: `name: my-skill`.";
    DuplicateField, "duplicate-field", Error, Error, "a field occurs twice",
        "Some clients take the first one, some the last one, some none.";
    YamlFeature, "yaml-feature", Error, Error, "the front matter uses anchors, aliases, merge keys, tags or directives of YAML",
        "Few clients read them, and those that do differ. Write out what is meant.";
    FlowStyle, "flow-style", Error, Warning, "the front matter has `[…]` or `{…}`",
        "The reference reader of the specification refuses them. Write one item on a line.";
    MissingField, "missing-field", Error, Error, "`name` or `description` is missing or empty",
        "Both are required, and a client lists no skill without them.";
    NotAString, "not-a-string", Error, Error, "`name` or `description` is not a text",
        "YAML reads `123`, `true` and `null` as something else. Put the value in quotes.";
    AmbiguousString, "ambiguous-string", Warning, Warning, "a text is something else for older readers of YAML",
        "YAML 1.1 reads `yes`, `on` and `2024-01-31` as booleans and dates. Put the value in quotes.";
    NameFormat, "name-format", Error, Warning, "`name` has characters other than `a-z`, `0-9` and single `-`",
        "The name is a folder, a command and a part of a URL. Use `^[a-z0-9]+(-[a-z0-9]+)*$`.";
    NameTooLong, "name-too-long", Error, Warning, "`name` is longer than 64 characters",
        "Clients refuse longer ones.";
    NameUnsafe, "name-unsafe", Error, Error, "`name` would be no folder, or a dangerous one",
        "Clients install into a folder of this name, so it is no path, no device of Windows, and hides nothing.";
    NameMismatch, "name-mismatch", Error, Warning, "`name` is not the name of the folder, or of the skill's id",
        "Some clients go by one, some by the other. Rename one of them.";
    DescriptionTooLong, "description-too-long", Error, Warning, "`description` is longer than 1,024 characters",
        "Clients cut or refuse longer ones. Characters outside of the basic plane, such as emoji, count twice, as they do in \
         most clients.";
    CompatibilityInvalid, "compatibility-invalid", Error, Warning, "`compatibility` is no text of at most 500 characters",
        "Say in a sentence what the skill needs: `Requires git and network access`.";
    FieldType, "field-type", Warning, Warning, "an optional field has another type than the specification says",
        "`license` and `allowed-tools` are texts, `compatibility` is not empty, `metadata` has texts below names.";
    MetadataValue, "metadata-value", Warning, Warning, "a value below `metadata` is not a text",
        "Clients show texts. Put numbers and versions in quotes: `version: \"1.0\"`. Nested values are not kept.";
    UnknownField, "unknown-field", Error, Warning, "the front matter has a field that the specification does not have",
        "The specification has `name`, `description`, `license`, `compatibility`, `metadata` and `allowed-tools`. Put \
         others below `metadata`. Fields of one client are let through by `--lenient`.";
    VersionFormat, "version-format", Warning, Warning, "`version` below `metadata` is no semantic version",
        "The registry orders versions by SemVer: write `1.0.0`. What is no version is ignored.";
    ManifestInvalid, "manifest-invalid", Error, Error, "`skillery.toml`, or a field for the registry, is wrong",
        "`skillery.toml` has the tables `[skill]` and `[dependencies]`. Fields that are not known are refused, as they are \
         most often misspelt.";
    ManifestConflict, "manifest-conflict", Error, Error, "`skillery.toml` and `SKILL.md` say different things",
        "Say it in one of them.";
    DependencyInvalid, "dependency-invalid", Error, Error, "a dependency is no skill with a range of versions",
        "Write `\"acme/base\" = \"^1.2\"` in `skillery.toml`, or `skillery-dependencies: \"acme/base ^1.2, acme/tools ~2\"` \
         below `metadata`.";
    EmptyBody, "empty-body", Warning, Warning, "there are no instructions behind the front matter",
        "An agent that picks the skill reads nothing.";
    LongBody, "long-body", Note, Note, "the instructions are longer than 500 lines",
        "An agent reads all of them. Move parts to files beside it, and link to them.";
    BrokenLink, "broken-link", Warning, Warning, "a link leads to a file that is not in the folder",
        "An agent that follows it finds nothing. Paths are relative to `SKILL.md`.";
    HiddenUnicode, "hidden-unicode", Warning, Warning, "a text has characters that people do not see",
        "Models read what reviewers do not see. Remove them, or write them as escapes where the skill is about them. Joiners and \
         variation selectors count where neither an emoji nor a script needs them, and more than one in a row always.";
    LineBreak, "line-break", Error, Error, "the front matter has a line break that not every reader takes for one",
        "A carriage return alone, U+0085, U+2028 and U+2029 let two clients see different fields. Use line feeds.";
    ScriptNotExecutable, "script-not-executable", Note, Note, "a file begins with `#!` and is not executable",
        "`chmod +x` it, unless it is always run through its interpreter.";
    BadPath, "bad-path", Error, Error, "a path cannot be had on every system",
        "No `..`, no absolute paths, no `\\ : * ? \" < > |`, no devices of Windows, nothing invisible, at most 240 bytes.";
    PathCollision, "path-collision", Error, Error, "two paths are one on some systems",
        "macOS and Windows do not tell capitals, or ways to write an accent, apart. Rename one.";
    NotRegular, "not-regular", Error, Error, "there is a symbolic link, a device, a socket or a pipe",
        "A skill has files only. Put a copy where the link is.";
    TooLarge, "too-large", Error, Error, "the files are too many or too large",
        "The limits are those of the registry: 1,000 files, 16 MiB each, 50 MiB together, unless it says otherwise. \
         `.skilleryignore` keeps files out.";
    BadArchive, "bad-archive", Error, Error, "the archive is damaged, or not read",
        "ZIP archives are read that are not split, not encrypted, packed by deflate or not at all, and leave no doubt about \
         what is in them.";
    FindingsOmitted, "findings-omitted", Note, Note, "there are more findings of one rule than are told",
        "Correct those that are told, and look again.";
}

impl std::fmt::Display for LintRule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for LintRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The list of rules as `docs/lint.md` has it, which `cargo xtask codegen` writes.
pub fn rules_document() -> String {
    let mut text = String::from(include_str!("head.md"));
    text.push_str("\n| rule | by default | `--lenient` | finds |\n| --- | --- | --- | --- |\n");
    let escaped = |text: &str| text.replace('|', "\\|");
    for rule in LintRule::ALL {
        text.push_str(&format!(
            "| [`{rule}`](#{rule}) | {} | {} | {} |\n",
            rule.level(Strictness::Strict),
            rule.level(Strictness::Lenient),
            escaped(rule.title()),
        ));
    }
    for rule in LintRule::ALL {
        let (first, rest) = rule.title().split_at(rule.title().chars().next().map_or(0, char::len_utf8));
        text.push_str(&format!("\n### {rule}\n\n{}{rest}.\n\n{}\n", first.to_uppercase(), rule.help()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_is_never_stricter_and_words_are_unique() {
        let mut words: Vec<_> = LintRule::ALL.iter().map(|rule| rule.as_str()).collect();
        for rule in LintRule::ALL {
            assert!(rule.level(Strictness::Lenient) <= rule.level(Strictness::Strict), "{rule}");
            assert!(
                rule.as_str().bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')),
                "{rule}"
            );
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), LintRule::ALL.len());
    }
}
