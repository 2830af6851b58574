//! `@modelcontextprotocol/inspector` of npm: skills over the Model Context Protocol, and its own check of their digests.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Scene;
use super::desk::{Desk, Said};
use super::files::Files;
use super::matrix::{Operation, Row};
use super::shelf::{GREETER, NEXT, OFFERED, SHAKY, VAULT, YANKED};

pub(super) fn drive(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let url = format!("{}/mcp/{}", shelf.url, shelf.org);
    let address = |skill: &str, version: &str| {
        let name = shelf.name(skill);
        format!("skill://{}/@{version}/{name}/SKILL.md", shelf.id(skill))
    };
    let has = |desk: &Desk, more: &[&str], skill: &str, version: &str| {
        let mut words = vec!["--method", "skills/get", "--uri"];
        let address = address(skill, version);
        words.push(&address);
        words.extend(more);
        let said = call(desk, &url, &words)?.done()?;
        must_be(&said, &shelf.files(skill, version)?)
    };
    row.cannot(Operation::Run, "the protocol has no modes of files");
    row.cannot(Operation::Remove, "it installs nothing: skills are read where they are");
    row.cannot(Operation::Publish, "the protocol has no publishing");
    row.step(Operation::Search, "the tool `search_skills`", || {
        let query = format!("query={}", shelf.word());
        let words = ["--method", "tools/call", "--tool-name", "search_skills", "--tool-arg", &query];
        let found = call(desk, &url, &words)?.done()?;
        found.says(&shelf.id(GREETER))?.silent_about(&shelf.name(VAULT)).map(drop)
    });
    row.step(Operation::Install, "every file of every skill, by its digest", || {
        let said = verify(desk, &url, &[])?.done()?;
        let said =
            OFFERED.iter().try_fold(said, |said, (skill, version)| said.says(&address(skill, version)))?;
        said.silent_about(&shelf.name(VAULT)).map(drop)
    });
    row.step(Operation::Install, "the files are those of the version", || {
        OFFERED.iter().try_for_each(|(skill, version)| has(desk, &[], skill, version))
    });
    row.step(Operation::Pin, "a version in the address", || has(desk, &[], GREETER, "1.0.0"));
    row.step(Operation::Yanked, "not what is offered, and still there by its number", || {
        let listed = call(desk, &url, &["--method", "skills/list"])?.done()?;
        listed.says(&address(SHAKY, "1.0.0"))?.silent_about(&address(SHAKY, YANKED))?;
        has(desk, &[], SHAKY, YANKED)
    });
    row.step(Operation::Private, "not there for anybody, there with a token", || {
        call(desk, &url, &["--method", "skills/get", "--uri", &address(VAULT, "1.0.0")])?.refused()?;
        let header = format!("Authorization: Bearer {}", shelf.reader.token);
        has(desk, &["--header", &header], VAULT, "1.0.0")
    });
    row.step(Operation::Tampered, "a byte of a file", || {
        let way = scene.way;
        let url = format!("{}/mcp/{}", way.url(), shelf.org);
        verify(desk, &url, &[])?.done()?;
        let is_file = |_: &str, body: &[u8]| {
            let text = String::from_utf8_lossy(body);
            text.contains("\"contents\"") && text.contains("# Greeting")
        };
        way.change_where(is_file, || verify(desk, &url, &[]))?.refused().map(drop)
    });
    row.step(Operation::Update, "a later version", || {
        shelf.publish(GREETER, NEXT, "public")?;
        call(desk, &url, &["--method", "skills/list"])?.done()?.says(&address(GREETER, NEXT))?;
        has(desk, &[], GREETER, NEXT)
    });
    Ok(())
}

/// The check of the Inspector that skills are as the protocol wants them, down to the bytes.
fn verify(desk: &Desk, url: &str, more: &[&str]) -> Result<Said> {
    let mut words = vec!["--method", "skills/list", "--verify", "--require-digests"];
    words.extend(more);
    call(desk, url, &words)
}

fn call(desk: &Desk, url: &str, words: &[&str]) -> Result<Said> {
    let mut all = vec!["--cli", "--server-url", url, "--transport", "http", "--format", "json"];
    all.extend(["--protocol-era", "auto", "--stored-auth-only"]);
    all.extend(words);
    desk.run(&all)
}

/// A skill has resources with these digests, and no others.
fn must_be(said: &Said, expected: &Files) -> Result<()> {
    let answer = said.json()?;
    let skill = answer.pointer("/result/skill").or_else(|| answer.get("skill")).unwrap_or(&answer);
    let uri = skill["uri"].as_str().with_context(|| format!("there is no skill: {}", said.out))?;
    let folder = uri.strip_suffix("SKILL.md").context("a skill is not named after its file")?;
    let resources = skill["resources"].as_array().context("a skill has no resources")?;
    ensure!(
        resources.len() == expected.count(),
        "it has {} files, not {}",
        resources.len(),
        expected.count()
    );
    for resource in resources {
        let uri = resource["uri"].as_str().context("a file has no address")?;
        let path = decoded(uri.strip_prefix(folder).context("a file lies outside of its skill")?)?;
        let digest = expected.digest(&path).with_context(|| format!("`{path}` is not in the version"))?;
        let said = resource["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        ensure!(said == Some(&digest.to_string()), "`{path}` has another digest: {}", Value::from(said));
    }
    Ok(())
}

/// A path without its escapes.
fn decoded(path: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2).context("an escape is cut off")?)?;
            bytes.push(u8::from_str_radix(digits, 16)?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    Ok(String::from_utf8(bytes)?)
}
