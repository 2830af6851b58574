//! Versions that somebody has decided about, as where a namespace demands approvals.

use anyhow::{Context, Result};
use serde_json::json;

use super::furnish::Door;
use crate::corpus::Corpus;
use crate::http;
use crate::registry::{self, Registry};

/// How many there are.
const DECIDED: usize = 10_000;
/// Where they are.
const ORG: &str = "gated";
const CONNECTIONS: usize = 64;

/// A token of who has approved them.
pub fn approver(registry: &Registry) -> Result<String> {
    let asked = json!({"user": "approver", "scopes": ["read", "review"], "expires_in_days": 1});
    let made = Door::open(registry)?.change("POST", "tokens", &registry.token, &asked)?;
    made["token"].as_str().map(str::to_owned).context("a token is not shown")
}

/// Publishes them, and approves each.
pub fn decide(registry: &Registry, corpus: &Corpus) -> Result<()> {
    let mut door = Door::open(registry)?;
    let admin = &registry.token;
    door.change("POST", "orgs", admin, &json!({"name": ORG}))?;
    door.change("PUT", &format!("orgs/{ORG}/policy"), admin, &json!({"approvals": 1}))?;
    door.change("POST", "users", admin, &json!({"name": "approver"}))?;
    door.change("PUT", &format!("orgs/{ORG}/members/approver"), admin, &json!({"role": "reviewer"}))?;
    let token = &approver(registry)?;
    let (mut published, mut approved) = (Vec::new(), Vec::new());
    for number in 0..DECIDED {
        let mut skill = corpus.skill(number, 256);
        skill.id = format!("{ORG}/{}", skill.id.rsplit('/').next().unwrap_or_default());
        published.push(registry.publish_request(&skill)?);
        let path = format!("/api/v1/skills/{}/versions/{}/approvals", skill.id, skill.version);
        approved.push(http::send_json("POST", &path, Some(token), br#"{"decision":"approved"}"#));
    }
    // Each waits until somebody has approved it.
    registry::send(registry.address, CONNECTIONS, &published, 202)?;
    registry::send(registry.address, CONNECTIONS, &approved, 200)?;
    Ok(())
}
