//! `skills` of npm (`npx skills`), by well-known discovery: the newest release, and the one that Node 18 and 20 get.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Scene;
use super::desk::must_be_gone;
use super::matrix::{Operation, Row};
use super::shelf::{GREETER, NEXT, OFFERED, SHAKY, VAULT, YANKED};

/// The agent that it installs for, and where that looks.
pub(super) const AGENT: [&str; 3] = ["-y", "-a", "claude-code"];
pub(super) const FOLDER: &str = ".claude/skills";

pub(super) const NO_PUBLISH: &str = "it only installs";
const NO_CREDENTIALS: &str = "it sends no credentials to a well-known index; it does through Git";
const NO_MODES: &str =
    "it writes every file of a well-known archive without the right to run it; it keeps it through Git";
const OLD_UPDATE: &str =
    "before 1.5.19 `update` knows nothing of well-known sources; `add` again brings the newest";

/// 1.7.4, or what is newest.
pub(super) fn newest(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    common(scene, row)?;
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let greeter = shelf.name(GREETER);
    row.step(Operation::Search, "what `find` prints can be pasted into `add`", || {
        let found = desk.with("SKILLS_API_URL", &shelf.url).run(&["find", &shelf.word()])?.done()?;
        let ending = format!("@{greeter}");
        let mut words = found.out.split_whitespace();
        let pasted = words.find(|word| word.starts_with("http://") && word.ends_with(&ending));
        let pasted = pasted.with_context(|| format!("it prints nothing to paste: {}", found.out))?;
        let desk = desk.project("pasted")?;
        add(&desk, pasted)?.done()?;
        shelf.must_have(&desk.path(FOLDER).join(&greeter), GREETER, "1.1.0", &[])
    });
    let pinned = desk.project("pinned")?;
    row.step(Operation::Update, "a later version, with `update`", || {
        shelf.publish(GREETER, NEXT, "public")?;
        desk.run(&["update", "-y"])?.done()?;
        shelf.must_have(&desk.path(FOLDER).join(&greeter), GREETER, NEXT, &[])
    });
    row.step(Operation::Update, "nothing new is nothing to do", || {
        desk.run(&["update", "-y"])?.done()?;
        shelf.must_have(&desk.path(FOLDER).join(&greeter), GREETER, NEXT, &[])
    });
    row.step(Operation::Pin, "`update` leaves what is pinned", || {
        pinned.run(&["update", "-y"])?.done()?;
        shelf.must_have(&pinned.path(FOLDER).join(&greeter), GREETER, "1.0.0", &[])
    });
    row.step(Operation::Remove, "`remove`", || {
        desk.run(&["remove", &greeter, "-y"])?.done()?;
        must_be_gone(&desk.path(FOLDER).join(&greeter))
    });
    Ok(())
}

/// 1.5.18.
pub(super) fn older(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    common(scene, row)?;
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let greeter = shelf.name(GREETER);
    row.step(Operation::Update, "a later version, with `add` again", || {
        shelf.publish(GREETER, NEXT, "public")?;
        add(desk, &shelf.of(GREETER))?.done()?;
        shelf.must_have(&desk.path(FOLDER).join(&greeter), GREETER, NEXT, &[])
    });
    row.cannot(Operation::Update, OLD_UPDATE);
    row.step(Operation::Remove, "`remove`", || {
        desk.run(&["remove", &greeter, "-y"])?.done()?;
        must_be_gone(&desk.path(FOLDER).join(&greeter))
    });
    Ok(())
}

fn common(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    row.step(Operation::Search, "`find` finds what anybody sees, and no more", || {
        let desk = desk.with("SKILLS_API_URL", &shelf.url);
        let found = desk.run(&["find", &shelf.word()])?.done()?;
        found.says(&shelf.name(GREETER))?.silent_about(&shelf.name(VAULT)).map(drop)
    });
    row.step(Operation::Install, "everything of a namespace", || {
        add(desk, &format!("{}/{}", shelf.url, shelf.org))?.done()?;
        for (skill, version) in OFFERED {
            shelf.must_have(&desk.path(FOLDER).join(shelf.name(skill)), skill, version, &[])?;
        }
        must_be_gone(&desk.path(FOLDER).join(shelf.name(VAULT)))
    });
    row.step(Operation::Install, "one skill", || {
        let desk = desk.project("one")?;
        add(&desk, &shelf.of(GREETER))?.done()?;
        shelf.must_tell("npx-skills", GREETER, None, &format!("npx skills add {}", shelf.of(GREETER)))?;
        shelf.must_have(&desk.path(FOLDER).join(shelf.name(GREETER)), GREETER, "1.1.0", &[])
    });
    row.cannot(Operation::Run, NO_MODES);
    for (project, pin) in [("pinned", "/1.0.0"), ("pinned-at", "@1.0.0")] {
        row.step(Operation::Pin, &format!("`{pin}` behind the address"), || {
            let desk = desk.project(project)?;
            let source = format!("{}{pin}", shelf.of(GREETER));
            add(&desk, &source)?.done()?;
            if pin.starts_with('@') {
                let typed = format!("npx skills add {source}");
                shelf.must_tell("npx-skills", GREETER, Some("1.0.0"), &typed)?;
            }
            shelf.must_have(&desk.path(FOLDER).join(shelf.name(GREETER)), GREETER, "1.0.0", &[])
        });
    }
    row.step(Operation::Yanked, "not what is offered, and still there by its number", || {
        let desk = desk.project("yanked")?;
        add(&desk, &shelf.of(SHAKY))?.done()?;
        let folder = desk.path(FOLDER).join(shelf.name(SHAKY));
        shelf.must_have(&folder, SHAKY, "1.0.0", &[])?;
        add(&desk, &format!("{}/{YANKED}", shelf.of(SHAKY)))?.done()?;
        shelf.must_have(&folder, SHAKY, YANKED, &[])
    });
    row.step(Operation::Private, "not there for anybody", || {
        let desk = desk.project("private")?;
        // The older release ends as if all were well, with nothing installed.
        let said = add(&desk, &shelf.of(VAULT))?;
        must_be_gone(&desk.path(FOLDER).join(shelf.name(VAULT)))
            .map_err(|error| said.wrong(&error.to_string()))
    });
    row.cannot(Operation::Private, NO_CREDENTIALS);
    row.step(Operation::Tampered, "a byte of the archive", || {
        let desk = desk.project("tampered")?;
        let (_, index) = shelf.get(&format!("/{}/.well-known/agent-skills/index.json", shelf.id(GREETER)))?;
        let index: Value = serde_json::from_slice(&index).context("the index is not JSON")?;
        let url = index["skills"][0]["url"].as_str().context("the index has no address of an archive")?;
        let way = scene.way;
        let source = format!("{}/{}", way.url(), shelf.id(GREETER));
        // Unchanged it would be installed.
        add(&desk, &source)?.done()?;
        shelf.must_have(&desk.path(FOLDER).join(shelf.name(GREETER)), GREETER, "1.1.0", &[])?;
        std::fs::remove_dir_all(desk.path(FOLDER))?;
        let file = url.rsplit('/').next().unwrap_or(url).to_owned();
        let said = way.change(move |target| target.ends_with(&file), || add(&desk, &source))?;
        must_be_gone(&desk.path(FOLDER).join(shelf.name(GREETER)))
            .map_err(|error| said.wrong(&error.to_string()))
    });
    row.cannot(Operation::Publish, NO_PUBLISH);
    Ok(())
}

/// `skills add`.
pub(super) fn add(desk: &super::desk::Desk, source: &str) -> Result<super::desk::Said> {
    let mut arguments = vec!["add", source];
    arguments.extend(AGENT);
    desk.run(&arguments)
}
