//! `opencode-ai` of npm, which reads skills from addresses that stand in its settings.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::Scene;
use super::desk::Desk;
use super::matrix::{Operation, Row};
use super::shelf::{GREETER, NEXT, OFFERED, SHAKY, VAULT, YANKED};

pub(super) fn drive(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let has = |desk: &Desk, skill: &str, version: &str| {
        let folder = found(desk, &shelf.name(skill))?.with_context(|| format!("{skill} is not there"))?;
        shelf.must_have(&folder, skill, version, OWN)
    };
    row.cannot(Operation::Search, "it does not search");
    row.cannot(Operation::Run, "it writes every file without the right to run it");
    row.cannot(Operation::Tampered, "it looks at no digest of what it downloads");
    row.cannot(Operation::Publish, "it only installs");
    row.step(Operation::Install, "everything of a namespace", || {
        set(desk, &[shelf.at(INDEX)])?;
        OFFERED.iter().try_for_each(|(skill, version)| has(desk, skill, version))
    });
    row.step(Operation::Private, "not there for anybody", || {
        ensure!(found(desk, &shelf.name(VAULT))?.is_none(), "it has what is private");
        Ok(())
    });
    row.cannot(Operation::Private, "it sends no credentials to an address of skills");
    row.step(Operation::Pin, "a version behind the address", || {
        let desk = desk.somebody("pinned")?;
        let url = format!("{}@1.0.0/{INDEX}", shelf.of(GREETER));
        let typed = json!({"skills": {"urls": [&url]}}).to_string();
        shelf.must_tell("opencode", GREETER, Some("1.0.0"), &typed)?;
        set(&desk, &[url])?;
        has(&desk, GREETER, "1.0.0")
    });
    row.step(Operation::Yanked, "not what is offered, and still there by its number", || {
        has(desk, SHAKY, "1.0.0")?;
        let desk = desk.somebody("yanked")?;
        set(&desk, &[format!("{}/{YANKED}/{INDEX}", shelf.of(SHAKY))])?;
        has(&desk, SHAKY, YANKED)
    });
    row.step(Operation::Update, "a later version, at its next start", || {
        shelf.publish(GREETER, NEXT, "public")?;
        has(desk, GREETER, NEXT)
    });
    row.step(Operation::Remove, "the address taken out of the settings", || {
        set(desk, &[])?;
        ensure!(found(desk, &shelf.name(GREETER))?.is_none(), "it is still there");
        Ok(())
    });
    Ok(())
}

/// What it keeps beside the files for itself.
const OWN: &[&str] = &[".opencode-version", ".opencode-pulled", ".opencode.json"];
/// Where the index of a scope begins.
const INDEX: &str = ".well-known/agent-skills/";

fn set(desk: &Desk, urls: &[String]) -> Result<()> {
    let settings = json!({"$schema": "https://opencode.ai/config.json", "skills": { "urls": urls }});
    Desk::write(&desk.path("opencode.json"), &settings.to_string())
}

/// Where it has a skill, if it has it.
fn found(desk: &Desk, name: &str) -> Result<Option<PathBuf>> {
    let listed = desk.run(&["debug", "skill"])?.done()?;
    let skills = listed.json()?;
    let skills = skills.as_array().with_context(|| format!("it lists no skills: {}", listed.out))?;
    let skill = skills.iter().find(|skill| skill["name"].as_str() == Some(name));
    let file = skill.and_then(|skill| skill["location"].as_str()).map(PathBuf::from);
    Ok(file.and_then(|file| file.parent().map(PathBuf::from)))
}
