//! What skills ask for and are not granted, shown before they first run: on a terminal the person is asked once, elsewhere
//! nothing runs.

use std::io::{self, IsTerminal};
use std::path::Path;

use skillery_client::library::InstalledCode;
use skillery_client::{Error, Library};
use skillery_core::script::Permissions;
use skillery_runner::{
    Entry, Policy, PolicyError, SkillCode, SkillFile, SkillReference, SkillSource, in_words, set_entry,
    settle_all,
};

use crate::failure::{Exit, Failure};
use crate::output::{Line, Tone, counted};
use crate::session::Session;

/// A skill that asks for more than it is granted.
struct Wanting {
    id: String,
    version: String,
    missing: Permissions,
}

/// What came of it: the policy that counts now, and a hint for when a run is refused.
pub(crate) struct Consent {
    pub(crate) policy: Policy,
    pub(crate) hint: Option<String>,
}

/// A skill as it was installed, and signed where that is wanted and it came from a registry.
pub(crate) fn find(
    library: &Library,
    policy: &Policy,
    reference: &SkillReference,
    verify_signature: bool,
) -> Result<SkillSource, Error> {
    let request = reference.version.unless_latest();
    let InstalledCode { manifest, code, script, files } =
        library.code(&reference.name.to_string(), request, reference.script.as_deref(), verify_signature)?;
    let id = manifest.id.to_string();
    let grants = policy.grants(&id).clone();
    Ok(SkillSource {
        id,
        version: manifest.version,
        code: SkillCode::Text(code),
        script,
        files: files.into_iter().map(SkillFile::from).collect(),
        grants,
    })
}

/// Asks for what these skills, and those that they call, are not granted, where there is somebody to ask. Blocks; Ctrl-C must
/// still end the program.
pub(crate) fn seek(
    session: &Session,
    file: &Path,
    policy: Policy,
    skills: &[SkillReference],
    find: &dyn Fn(&Policy, &SkillReference) -> Option<SkillSource>,
) -> Result<Consent, Failure> {
    let wanting = wanting(skills, &|reference| find(&policy, reference));
    if wanting.is_empty() {
        return Ok(Consent { policy, hint: None });
    }
    let names: Vec<&str> = wanting.iter().map(|skill| skill.id.as_str()).collect();
    let hint = format!(
        "look at it with `skillery policy show`, grant it with `skillery policy grant {} --asked`",
        names.join(" ")
    );
    if !io::stdin().is_terminal() || !session.output.shows_progress() {
        return Ok(Consent { policy, hint: Some(hint) });
    }
    for Wanting { id, version, missing } in &wanting {
        session.output.note(Line::default().name(id).plain(format!(" {version} asks to")));
        for words in in_words(missing) {
            session.output.note(Line::default().toned(Tone::Warning, "  - ").plain(words));
        }
    }
    let count = counted(wanting.len() as u64, "this skill", "these skills");
    if !is_yes(&format!(
        "Grant it to {}, from now on? [y/N] ",
        count.split_once(' ').map_or("them", |(_, what)| what)
    ))? {
        return Err(Failure::new(
            Exit::NotAllowed,
            "not-granted",
            "what was asked for was not granted, and nothing was run",
        )
        .hint(hint));
    }
    grant(session, file, &wanting)?;
    Ok(Consent { policy: read(file)?, hint: None })
}

/// Each skill once; what cannot be read is for the run to tell.
fn wanting(skills: &[SkillReference], find: &dyn Fn(&SkillReference) -> Option<SkillSource>) -> Vec<Wanting> {
    let all = settle_all(skills, find).into_iter();
    let wanting = all.filter(|(_, settled)| settled.missing != Permissions::default());
    let wanting = wanting.map(|(skill, settled)| Wanting {
        id: skill.id,
        version: skill.version.to_string(),
        missing: settled.missing,
    });
    wanting.collect()
}

fn is_yes(question: &str) -> Result<bool, Failure> {
    let read = || -> io::Result<String> {
        console::Term::stderr().write_str(question)?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer)
    };
    let answer = read().map_err(|error| {
        Failure::new(Exit::Failed, "input-error", "cannot read from the terminal").cause(&error)
    })?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn grant(session: &Session, file: &Path, wanting: &[Wanting]) -> Result<(), Failure> {
    session.home()?.change_policy(file, |text| {
        let mut text = text.to_owned();
        for Wanting { id, missing, .. } in wanting {
            let policy = Policy::parse(&text).map_err(|what| invalid(file, &what))?;
            let grants = policy.grants(id).with(missing);
            let entry = Entry::Skill(id.clone());
            text = set_entry(&text, &entry, Some(&grants)).map_err(|what| invalid(file, &what))?;
        }
        Ok(text)
    })
}

/// The policy in this file.
pub(crate) fn read(file: &Path) -> Result<Policy, Failure> {
    Policy::read(file).map_err(|error| match error {
        PolicyError::Invalid { what, .. } => invalid(file, &what),
        error => Failure::new(Exit::Usage, "invalid-policy", error.to_string()).cause_behind(&error),
    })
}

/// The policy in this file would not be one, or is none.
pub(crate) fn invalid(file: &Path, what: &str) -> Failure {
    let error = PolicyError::Invalid { path: file.to_owned(), what: what.to_owned() };
    Failure::new(Exit::Usage, "invalid-policy", error.to_string())
}
