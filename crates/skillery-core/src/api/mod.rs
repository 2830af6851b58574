//! The bodies of requests and answers. Both ends use these types; the OpenAPI document is made from them.

mod accounts;
mod admin;
mod approvals;
mod audit;
mod comments;
mod insight;
mod install;
mod log;
mod notifications;
mod oidc;
mod orgs;
mod ratings;
mod review;
mod signatures;
mod skills;
mod usage;
mod versions;

pub use accounts::*;
pub use admin::*;
pub use approvals::*;
pub use audit::*;
pub use comments::*;
pub use insight::*;
pub use install::*;
pub use log::*;
pub use notifications::*;
pub use oidc::*;
pub use orgs::*;
pub use ratings::*;
pub use review::*;
pub use signatures::*;
pub use skills::*;
pub use usage::*;
pub use versions::*;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;
    use crate::time::Time;

    #[test]
    fn secrets_are_not_shown() {
        let download = DownloadResponse {
            id: "acme/x".to_owned(),
            version: "1.0.0".to_owned(),
            code: "def x(): ...".to_owned(),
            code_hash: String::new(),
            kind: crate::SkillKind::Function,
            bundle: None,
            signature: None,
            secret: Some("hidden".to_owned()),
            digest: String::new(),
            warning: None,
        };
        let shown = format!("{download:?}");
        assert!(shown.contains("secret: Some(***)") && !shown.contains("hidden"), "{shown}");
        let summary = TokenSummary {
            id: "1".to_owned(),
            user: "alice".to_owned(),
            label: String::new(),
            scopes: vec![Scope::Read],
            namespaces: Vec::new(),
            created_at: Time::from_micros(0),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        let shown = format!("{:?}", CreateTokenResponse { token: "hidden".to_owned(), summary });
        assert!(shown.contains("token: ***") && !shown.contains("hidden"), "{shown}");
        let request = ExchangeRequest { token: "hidden".to_owned(), namespace: None };
        let start = StartLoginResponse {
            login: "hidden".to_owned(),
            user_code: String::new(),
            verification_uri: String::new(),
            verification_uri_complete: None,
            expires_in: 600,
            interval: 5,
        };
        let response = ExchangeResponse {
            token: "hidden".to_owned(),
            expires_at: Time::from_micros(0),
            namespaces: Vec::new(),
            publisher: String::new(),
            via: String::new(),
        };
        let shown = format!("{request:?} {start:?} {response:?}");
        assert!(shown.contains("token: ***") && !shown.contains("hidden"), "{shown}");
    }
}
