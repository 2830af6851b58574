//! Asking the user before something is installed, in the two ways that hosts know.
//!
//! Until 2025-11-25 the server asks while the call waits. From 2026-07-28 on the call is answered with the question, and made
//! again with what the user said; what was asked about then comes along, and must be what would be installed now.

use std::collections::BTreeMap;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, InputRequest, InputRequests, InputRequiredResult, ProtocolVersion,
};
use rmcp::service::RequestContext;
use skillery_core::hidden::excerpt;

use crate::texts::placed;
use crate::{Refusal, SkillDetail};

/// What the question is called where it has a name.
const QUESTION: &str = "install";
/// Findings that are told; the rest is counted.
const TOLD: usize = 10;
/// How long the user has.
const PATIENCE: Duration = Duration::from_secs(600);

/// What came of it.
pub(crate) enum Consent {
    /// The user agrees.
    Given,
    /// The host is to ask, and to call again.
    Asked(Box<InputRequiredResult>),
}

/// Asks the user through the host. Where that is not possible, or the user does not agree, nothing is installed.
pub(crate) async fn seek(
    skill: &SkillDetail,
    needs: Option<&BTreeMap<String, String>>,
    agents: &[String],
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Consent, Refusal> {
    let asks = context.client_capabilities().and_then(|client| client.elicitation);
    // A host that says nothing of forms knows nothing else.
    if !asks.is_some_and(|asks| asks.form.is_some() || asks.url.is_none()) {
        return Err(Refusal::new(
            "not-agreed",
            "this host cannot ask its user, and so nothing was installed",
        )
        .hint(format!(
            "run `skillery install {}@{}`, or start `skillery mcp --allow-install`",
            skill.id, skill.version
        )));
    }
    let mut subject = format!("{}@{}#{}", skill.id, skill.version, skill.digest);
    if !agents.is_empty() {
        subject += &format!("!{}", agents.join(","));
    }
    let question = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: words(skill, needs, agents),
        requested_schema: ElicitationSchema::new(Default::default()),
    };
    let newer = context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
    if !newer {
        let answered = context.peer.create_elicitation_with_timeout(question, Some(PATIENCE)).await;
        let answered = answered.map_err(|error| {
            Refusal::new(
                "not-agreed",
                format!("the user could not be asked, and nothing was installed: {error}"),
            )
        })?;
        return agreed(&answered.action);
    }
    let answered = request.input_responses.as_ref().and_then(|answers| answers.get(QUESTION));
    match (answered, &request.request_state) {
        (Some(answered), Some(state)) if *state == subject => {
            let answered: ElicitResult = serde_json::from_value(answered.clone()).map_err(|error| {
                Refusal::new("not-agreed", format!("the user's answer cannot be read: {error}"))
            })?;
            agreed(&answered.action)
        }
        // Nobody has been asked, or about something else.
        _ => {
            let asked = InputRequest::Elicitation(ElicitRequest::new(question));
            let questions = InputRequests::from([(QUESTION.to_owned(), asked)]);
            Ok(Consent::Asked(Box::new(InputRequiredResult::new(Some(questions), Some(subject)))))
        }
    }
}

fn agreed(action: &ElicitationAction) -> Result<Consent, Refusal> {
    match action {
        ElicitationAction::Accept => Ok(Consent::Given),
        _ => Err(Refusal::new("not-agreed", "the user did not agree, and nothing was installed")),
    }
}

/// What the user is to decide about. What authors wrote is left out, and what others wrote stands in one line, so that nobody
/// words the question.
fn words(skill: &SkillDetail, needs: Option<&BTreeMap<String, String>>, agents: &[String]) -> String {
    let signed = match skill.signatures.as_slice() {
        [] => "It is not signed.".to_owned(),
        [one] => format!("It has a signature of the kind {}.", excerpt(&one.kind)),
        more => format!("It has {} signatures.", more.len()),
    };
    let mut words = format!(
        "Install the skill {} {}, published by {}? {signed} What is demanded of skills on this machine is checked before it \
         is installed. SHA-256: {}",
        skill.id,
        skill.version,
        excerpt(&skill.publisher),
        skill.digest
    );
    match needs {
        Some(needs) if needs.is_empty() => {}
        Some(needs) => {
            let needs: Vec<String> =
                needs.iter().map(|(id, range)| excerpt(&format!("{id} {range}"))).collect();
            words += &format!("\n\nIt needs other skills, which come with it: {}", needs.join(", "));
        }
        None => words += "\n\nWhat its files say that it needs comes with it.",
    }
    if !agents.is_empty() {
        words += &format!("\n\nIt is placed in the working project for: {}", agents.join(", "));
    }
    if let Some(warning) = &skill.warning {
        words += &format!("\n\nWarning: {}", excerpt(warning));
    }
    if skill.findings.is_none() {
        words += "\n\nWhat the rules find is not known now.";
    }
    let findings = skill.findings.as_deref().unwrap_or_default();
    // The worst first, which a reader who is asked has time for.
    let of_level = |level: &'static str| findings.iter().filter(move |finding| finding.level == level);
    let worst: Vec<_> = of_level("error").chain(of_level("warning")).collect();
    for finding in worst.iter().take(TOLD) {
        let what = placed(&excerpt(&finding.path), finding.line, &excerpt(&finding.message));
        words += &format!("\n\nThe rules find ({}): {what}", excerpt(&finding.level));
    }
    if worst.len() > TOLD {
        words += &format!("\n\nAnd {} more.", worst.len() - TOLD);
    }
    words
}
