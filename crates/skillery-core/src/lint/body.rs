//! The instructions: whether there are any, where their links lead, and what nobody sees in them.

use std::collections::{BTreeSet, HashMap};

use percent_encoding::percent_decode_str;
use pulldown_cmark::{Event, LinkType, Options, Parser, Tag};

use super::{Findings, Lines, LintRule, Place, quoted};
use crate::bundle::BundleFile;
use crate::hidden::{first_hidden, first_hidden_of_lines};
use crate::limits::MANY_BODY_LINES;
use crate::skill_md::{Parts, SkillMd};

/// Checks what stands behind the front matter, and the characters of the whole file.
pub(super) fn check(
    parts: &Parts<'_>,
    skill_md: Option<&SkillMd>,
    path: &str,
    files: &[BundleFile],
    findings: &mut Findings,
) {
    let lines = parts.body.lines().count();
    if parts.body.trim().is_empty() {
        let message = "there is nothing behind the front matter";
        findings.push(LintRule::EmptyBody, path, Place::line(parts.body_line - 1), message);
    } else if lines > MANY_BODY_LINES {
        let message =
            format!("the instructions have {lines} lines; more than {MANY_BODY_LINES} are called long");
        findings.push(LintRule::LongBody, path, Place::line(parts.body_line), message);
    }
    check_hidden(parts, skill_md, path, findings);
    check_links(parts, path, files, findings);
}

fn check_hidden(parts: &Parts<'_>, skill_md: Option<&SkillMd>, path: &str, findings: &mut Findings) {
    for (number, line) in parts.text.split('\n').enumerate() {
        if let Some((column, character, hidden)) = first_hidden(line) {
            let message = format!("the line has the {hidden} U+{:04X}", u32::from(character));
            findings.push(LintRule::HiddenUnicode, path, Place::new(number + 1, column + 1), message);
        }
    }
    // An escape within quotes is seen in the file, and not by who is shown the description.
    let seen = first_hidden_of_lines(parts.front_matter).is_some();
    if let Some(skill) = skill_md.filter(|_| !seen)
        && let Some((character, hidden)) = first_hidden_of_lines(&skill.description)
    {
        let message = format!("`description` has the {hidden} U+{:04X}", u32::from(character));
        findings.push(LintRule::HiddenUnicode, path, skill.name_place, message);
    }
}

/// What there is that a link can lead to.
struct Targets<'a> {
    paths: BTreeSet<&'a str>,
    folded: HashMap<String, &'a str>,
}

impl<'a> Targets<'a> {
    fn new(files: &'a [BundleFile]) -> Self {
        let mut paths = BTreeSet::from([""]);
        for file in files {
            paths.insert(file.path.as_str());
            paths.extend(file.path.match_indices('/').map(|(end, _)| &file.path[..end]));
        }
        let folded = paths.iter().map(|path| (path.to_lowercase(), *path)).collect();
        Self { paths, folded }
    }
}

fn check_links(parts: &Parts<'_>, path: &str, files: &[BundleFile], findings: &mut Findings) {
    let targets = Targets::new(files);
    let lines = Lines::new(parts.body);
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_TASKLISTS;
    for (event, range) in Parser::new_ext(parts.body, options).into_offset_iter() {
        let Event::Start(Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. }) =
            event
        else {
            continue;
        };
        if matches!(link_type, LinkType::Autolink | LinkType::Email) {
            continue;
        }
        if let Some(why) = why_broken(&dest_url, &targets) {
            if findings.is_full(LintRule::BrokenLink) {
                findings.push(LintRule::BrokenLink, path, None, "");
                continue;
            }
            let Place { line, column } = lines.place(range.start);
            let place = Place { line: line.saturating_add(parts.body_line as u32 - 1), column };
            let message = format!("the link to {} {why}", quoted(&dest_url));
            findings.push(LintRule::BrokenLink, path, place, message);
        }
    }
}

/// Why a link within the skill leads to nothing, if it does. Links to elsewhere are not looked at.
fn why_broken(url: &str, targets: &Targets<'_>) -> Option<String> {
    let path = url.split(['#', '?']).next().unwrap_or_default();
    let scheme = path.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    };
    // What is to be filled in is a pattern, and no link.
    if path.is_empty()
        || path.starts_with("//")
        || scheme.is_some_and(is_scheme)
        || path.contains(['{', '<', '$', '*'])
    {
        return None;
    }
    if path.starts_with('/') {
        return Some("is absolute; write it relative to `SKILL.md`".to_owned());
    }
    let Ok(path) = percent_decode_str(path).decode_utf8() else {
        return Some("is not UTF-8".to_owned());
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Some("leads out of the skill".to_owned());
                }
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    if targets.paths.contains(path.as_str()) {
        return None;
    }
    match targets.folded.get(&path.to_lowercase()) {
        Some(other) => Some(format!("leads to no file: it is called {}", quoted(other))),
        None => Some("leads to no file of the skill".to_owned()),
    }
}
