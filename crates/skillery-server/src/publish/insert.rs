//! The transaction of publishing: many publishes that came together, each judged by how things stand in it.

use std::collections::HashSet;
use std::sync::Arc;

use skillery_core::api::{PolicyInForce, SignatureMark};
use skillery_core::event::Event;
use skillery_core::{
    Digest, Namespace, ProblemCode, Role, SkillId, Version, VersionStatus, Visibility, signature,
};

use super::compare::{Published, compare, response};
use crate::access::{Identity, check_bounds, forbidden, revoked};
use crate::approvals::{self as gate, At};
use crate::db::gates::{self, Gate};
use crate::db::orgs::OrgRow;
use crate::db::publishing::{Question, Rows, Situation, situations};
use crate::db::skills::SkillRow;
use crate::db::{Tx, approvals, signatures, versions};
use crate::draft::Draft;
use crate::failure::{Failure, Result};
use crate::origin::{self, Origin};
use crate::settings::NamespacePolicy;
use crate::signing;
use crate::signing_secret::SigningSecret;
use crate::text::invalid;

/// What every publish goes by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Who may claim an org.
    pub policy: NamespacePolicy,
    /// Versions that one skill may have.
    pub versions: i64,
}

/// A publish whose content is stored.
pub struct Entry {
    /// The checked request.
    pub draft: Draft,
    /// Who publishes.
    pub identity: Arc<Identity>,
    /// The org's signing secret, as far as it was known before the transaction.
    pub secret: Option<Arc<SigningSecret>>,
    /// The number of collections when the content was stored.
    pub stored_at: i64,
    /// Where the request comes from.
    pub origin: Option<Arc<Origin>>,
}

impl Entry {
    /// What it asks of the database.
    pub fn question(&self) -> Question {
        question(&self.draft, &self.identity)
    }
}

/// What publishing this asks of the database.
pub fn question(draft: &Draft, identity: &Identity) -> Question {
    Question {
        id: draft.id.clone(),
        version: draft.row.version.clone(),
        digest: draft.row.digest,
        user: identity.user.id.clone(),
        token: identity.token.id.clone(),
    }
}

/// What became of an entry.
#[derive(Debug)]
pub enum Outcome {
    /// It is published.
    Done(Published),
    /// Its content is being collected, or may have been: it must be stored again.
    Doomed(Box<Draft>),
}

/// Publishes these. A refusal is one entry's own; an error is everybody's, and nothing remains.
pub async fn insert(tx: &mut Tx, entries: Vec<Entry>, rules: &Rules) -> Result<Vec<Result<Outcome>>> {
    let mut outcomes: Vec<Option<Result<Outcome>>> = entries.iter().map(|_| None).collect();
    let mut waiting: Vec<(usize, Entry)> = entries.into_iter().enumerate().collect();
    while !waiting.is_empty() {
        // What another entry of this round changes, this one must see: each round has one entry of each skill, and none
        // for an org that another entry of it has claimed.
        let mut skills = HashSet::new();
        let (now, mut later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, entry)| skills.insert(entry.draft.id.key()));
        let questions: Vec<Question> = now.iter().map(|(_, entry)| entry.question()).collect();
        let situations = situations(tx.connection(), &questions).await?;
        let mut round = Round::default();
        for ((place, entry), situation) in now.into_iter().zip(situations) {
            if situation.org.is_none() && round.claimed.contains(&entry.draft.id.org_key()) {
                later.push((place, entry));
                continue;
            }
            tx.comes_from(entry.origin.clone());
            let checked = origin::within(entry.origin.as_ref(), || check(&entry, &situation, rules));
            outcomes[place] = Some(match checked {
                Ok(Step::Write) => {
                    let policies = policies(tx, &entry, &situation).await?;
                    let checked = own(check_signatures(tx, &entry, &situation).await)?
                        .and_then(|()| check_demanded(&entry, &policies));
                    match checked {
                        Ok(()) => Ok(Outcome::Done(round.write(tx, entry, situation, &policies).await?)),
                        Err(refused) => Err(refused),
                    }
                }
                Ok(Step::Compare(skill)) => {
                    let key = entry.draft.id.key();
                    let version = &entry.draft.row.version;
                    let existing = versions::find(tx.connection(), &key, version).await?;
                    match compare(&skill, existing, &entry.draft) {
                        Ok(published) => sign(tx, entry).await?.map(|()| Outcome::Done(published)),
                        Err(refused) => Err(refused),
                    }
                }
                Ok(Step::StoreAgain) => Ok(Outcome::Doomed(Box::new(entry.draft))),
                Err(refused) => Err(refused),
            });
        }
        round.rows.write(tx).await?;
        for signed in &round.signed {
            signed.write(tx).await?;
        }
        for (key, version, gate) in &round.gates {
            gates::keep(tx, key, version, gate, None).await?;
        }
        waiting = later;
    }
    let missing = || Err(Failure::internal("a publish was passed over"));
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect())
}

/// What is to be done with an entry.
enum Step {
    StoreAgain,
    Compare(SkillRow),
    Write,
}

fn check(entry: &Entry, situation: &Situation, rules: &Rules) -> Result<Step> {
    let draft = &entry.draft;
    if situation.is_doomed || situation.collections != entry.stored_at {
        return Ok(Step::StoreAgain);
    }
    check_situation(situation, &entry.identity, &draft.id, draft.visibility, rules.policy)?;
    if let Some(org) = &situation.org {
        check_signature(org, draft, entry.secret.as_deref())?;
    }
    if let Some(skill) = situation.skill.as_ref().filter(|_| situation.has_version) {
        return Ok(Step::Compare(skill.clone()));
    }
    if situation.versions >= rules.versions {
        let detail = format!("`{}` has {} versions already", draft.id, rules.versions);
        return Err(Failure::new(ProblemCode::TooManyVersions, detail));
    }
    Ok(Step::Write)
}

/// Entries that know nothing of each other, and the rows that they leave.
#[derive(Default)]
struct Round {
    rows: Rows,
    /// Keys of orgs that are claimed.
    claimed: HashSet<String>,
    new_skills: i64,
    signed: Vec<Signed>,
    /// What is known of versions that a policy is about.
    gates: Vec<(String, Version, Gate)>,
}

/// What was signed of a version that is published.
struct Signed {
    skill: String,
    version: Version,
    statement: String,
    index: i64,
    signatures: Vec<(SignatureMark, String)>,
}

impl Signed {
    async fn write(&self, tx: &mut Tx) -> Result<()> {
        signatures::insert_statement(tx, &self.skill, &self.version, &self.statement).await?;
        for (mark, value) in &self.signatures {
            signatures::insert(tx, &self.skill, &self.version, mark, value, self.index).await?;
        }
        Ok(())
    }
}

/// A refusal is one entry's own; trouble is everybody's.
fn own<T>(outcome: Result<T>) -> Result<Result<T>> {
    match outcome {
        Err(trouble) if trouble.problem.status >= 500 => Err(trouble),
        outcome => Ok(outcome),
    }
}

/// Logs what was signed of a version that is there already.
async fn sign(tx: &mut Tx, entry: Entry) -> Result<Result<()>> {
    let Draft { id, row, signed, .. } = entry.draft;
    own(signing::add(tx, &id, &row.version, &entry.identity.user.id, signed).await)
}

/// What is demanded of a version that is published there now.
async fn policies(tx: &mut Tx, entry: &Entry, situation: &Situation) -> Result<Vec<PolicyInForce>> {
    match situation.policies {
        0 => Ok(Vec::new()),
        _ => approvals::policies(tx.connection(), &entry.draft.id.namespace()).await,
    }
}

/// Whether it is signed where it must be. Each signature has been found to count.
fn check_demanded(entry: &Entry, policies: &[PolicyInForce]) -> Result<()> {
    match policies.iter().find(|set| set.policy.signed) {
        Some(set) if entry.draft.signed.signatures.is_empty() => {
            let detail = format!("`{}` takes signed versions only", set.namespace);
            Err(Failure::new(ProblemCode::SignatureRequired, detail))
        }
        _ => Ok(()),
    }
}

/// Whether each signature counts as things stand.
async fn check_signatures(tx: &mut Tx, entry: &Entry, situation: &Situation) -> Result<()> {
    let claimed_by = situation.org.is_none().then_some(entry.identity.user.id.as_str());
    for signature in &entry.draft.signed.signatures {
        signature.check_standing(tx, &entry.draft.id, claimed_by).await?;
    }
    Ok(())
}

/// What policies may ask about a version.
fn at<'a>(draft: &'a Draft, identity: &'a Identity, situation: &Situation) -> At<'a> {
    let asked = draft.visibility.unwrap_or(Visibility::Public);
    At {
        id: &draft.id,
        version: &draft.row.version,
        user: &identity.user.id,
        via: identity.token.via.as_deref(),
        visibility: situation.skill.as_ref().map_or(asked, |skill| skill.visibility),
        permissions: draft.row.permissions.as_deref(),
        dependencies: draft.row.dependencies.as_ref().map(|needed| needed.keys().collect()),
        findings: draft.row.findings,
    }
}

impl Round {
    /// Takes the rows of a version that is published, and its log entry.
    async fn write(
        &mut self,
        tx: &mut Tx,
        mut entry: Entry,
        situation: Situation,
        policies: &[PolicyInForce],
    ) -> Result<Published> {
        let identity = Arc::clone(&entry.identity);
        let draft = &mut entry.draft;
        if situation.org.is_none() {
            claim_org(tx, &draft.id, &identity).await?;
            self.claimed.insert(draft.id.org_key());
        }
        draft.row.created_at = tx.now;
        let mut marks = Vec::with_capacity(draft.signed.signatures.len());
        for signature in &draft.signed.signatures {
            marks.push(signature.mark(tx, &draft.id).await?);
        }
        let (facts, passed) = match policies.is_empty() {
            true => (None, Vec::new()),
            false => {
                let at = at(draft, &identity, &situation);
                let facts = gate::found(tx, &at, policies).await?;
                let passed = gate::passed(tx, &at, policies, facts.as_deref()).await?;
                (facts, passed)
            }
        };
        let gate = Gate { facts: facts.clone(), passed: passed.clone(), ..Gate::default() };
        let policies = gate::demand(policies, &gate).policies();
        if !policies.is_empty() {
            draft.row.status = VersionStatus::Pending;
        }
        if !policies.is_empty() || gate != Gate::default() {
            self.gates.push((draft.id.key(), draft.row.version.clone(), gate));
        }
        draft.row.log_position = tx.append(
            Some(&identity.user.id),
            Event::VersionPublished {
                skill: draft.id.clone(),
                version: draft.row.version.clone(),
                digest: draft.row.digest,
                size: u64::try_from(draft.row.size).unwrap_or(0),
                code_hash: draft.row.code_hash,
                via: identity.token.via.clone(),
                statement: draft.signed.statement.as_ref().map(|text| Digest::of(text.as_bytes())),
                signatures: marks.clone(),
                policies,
                facts,
                passed,
            },
        );
        if let Some(statement) = draft.signed.statement.take() {
            let values = draft.signed.signatures.iter().map(|signature| signature.value().to_owned());
            self.signed.push(Signed {
                skill: draft.id.key(),
                version: draft.row.version.clone(),
                statement,
                index: draft.row.log_position,
                signatures: marks.into_iter().zip(values).collect(),
            });
        }
        let key = draft.id.key();
        let version = &draft.row.version;
        let is_latest = draft.row.status == VersionStatus::Published && !version.is_prerelease();
        let published = match situation.skill {
            Some(skill) => {
                if is_latest && skill.latest.as_ref().is_none_or(|latest| version > latest) {
                    self.rows.latest.push((key.clone(), version.clone()));
                }
                response(&skill, &draft.row)
            }
            None => {
                self.new_skills += 1;
                let skill = SkillRow {
                    id: draft.id.clone(),
                    number: situation.last_number + self.new_skills,
                    visibility: draft.visibility.unwrap_or(Visibility::Public),
                    latest: Some(version.clone()).filter(|_| is_latest),
                    created_at: tx.now,
                };
                let response = response(&skill, &draft.row);
                self.rows.skills.push(skill);
                response
            }
        };
        self.rows.versions.push((key, entry.draft.row));
        Ok(Published::New(published))
    }
}

/// Whether the caller may publish this, as things stand.
pub fn check_situation(
    situation: &Situation,
    identity: &Identity,
    id: &SkillId,
    visibility: Option<Visibility>,
    policy: NamespacePolicy,
) -> Result<()> {
    if !situation.is_good {
        return Err(revoked());
    }
    match &situation.org {
        Some(org) => {
            check_org_name(org, id)?;
            if !situation.may_publish && !identity.is_site_admin() {
                return Err(forbidden(Role::Publisher, id.namespace().as_str()));
            }
        }
        None => check_policy(identity, id, policy)?,
    }
    situation.skill.as_ref().map_or(Ok(()), |skill| check_skill(skill, id, visibility))
}

fn check_org_name(org: &OrgRow, id: &SkillId) -> Result<()> {
    if org.name == id.org() {
        return Ok(());
    }
    Err(Failure::new(ProblemCode::NameTaken, format!("there is an org `{}` already", org.name)))
}

/// Nobody owns the org yet: may the caller become its owner?
fn check_policy(identity: &Identity, id: &SkillId, policy: NamespacePolicy) -> Result<()> {
    if policy == NamespacePolicy::Managed && !identity.is_site_admin() {
        return Err(Failure::new(ProblemCode::NamespaceManaged, format!("there is no org `{}`", id.org())));
    }
    let org = id.org_key();
    crate::orgs::check_name(&org)?;
    check_bounds(identity, &org)
}

/// The skill is there already: is it the one that is meant, seen by whom the request says?
fn check_skill(skill: &SkillRow, id: &SkillId, visibility: Option<Visibility>) -> Result<()> {
    if skill.id != *id {
        return Err(Failure::new(ProblemCode::NameTaken, format!("there is `{}` already", skill.id)));
    }
    match visibility {
        Some(wanted) if wanted != skill.visibility => {
            let detail =
                format!("`{}` is {}; `visibility` changes by its own route", skill.id, skill.visibility);
            Err(invalid("visibility", detail))
        }
        _ => Ok(()),
    }
}

/// Nobody owns the org: its first publisher becomes its owner.
async fn claim_org(tx: &mut Tx, id: &SkillId, identity: &Identity) -> Result<()> {
    let org: Namespace = id.org().parse()?;
    crate::orgs::create(tx, &org, &identity.user.id, &identity.user.id).await?;
    Ok(())
}

/// A signature must fit where the org registered its secret.
fn check_signature(org: &OrgRow, draft: &Draft, secret: Option<&SigningSecret>) -> Result<()> {
    let (Some(sealed), Some(signature)) = (&org.signing_secret, &draft.row.signature) else { return Ok(()) };
    let Some(known) = secret.filter(|secret| secret.sealed == *sealed) else {
        return Err(Failure::new(ProblemCode::Busy, "the org's signing secret has just changed"));
    };
    if signature::verify(&draft.id, &draft.row.code_hash, known.secret.expose(), signature) {
        return Ok(());
    }
    let detail = format!("the signature does not fit `{}`", draft.id);
    Err(Failure::new(ProblemCode::SignatureMismatch, detail))
}
