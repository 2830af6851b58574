//! Where a change comes from: who asks, on which way, from which address.
//!
//! A request carries it beside itself, so that whatever changes something finds it without being handed it: the middleware
//! begins it, and `Db::write` takes it over into the transaction. It is private: none of it is ever in the log.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderValue;
use skillery_core::ProblemCode;

use crate::access::Identity;

/// Characters of what a client calls itself that are kept.
const MAX_AGENT: usize = 200;

tokio::task_local! {
    static ORIGIN: Arc<Origin>;
}

/// Where work comes from.
#[derive(Debug, Default)]
pub struct Origin {
    /// The way: `api`, a surface, or what of the registry itself works.
    pub via: &'static str,
    /// The address that is believed.
    pub address: Option<IpAddr>,
    /// The id of the request.
    pub request: Option<String>,
    agent: Option<HeaderValue>,
    who: Mutex<Option<Who>>,
    noted: Mutex<Noted>,
}

/// Who shows a token, good or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The id of the user.
    pub user: String,
    /// The id of the token.
    pub token: String,
}

impl Who {
    fn of(identity: &Identity) -> Self {
        Self { user: identity.user.id.clone(), token: identity.token.id.clone() }
    }
}

/// What a refusal is about, where the address of the request does not say.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// The namespace in which something was not allowed.
    pub namespace: Option<String>,
    /// The skill that is there, and that the caller may not see.
    pub skill: Option<String>,
    /// Whether something was answered as if it did not exist.
    pub is_hidden: bool,
    /// Why the session of a browser is good no more, and whose it was.
    pub session: Option<(ProblemCode, Option<Who>)>,
    /// Why a form was given back with what was typed: the page around it is no problem that would tell.
    pub form: Option<ProblemCode>,
    /// Host and port of an address to which nothing may be sent.
    pub address: Option<String>,
    /// Whether something is reported: no namespace learns by whom, though it be refused.
    pub is_report: bool,
}

impl Origin {
    /// A request.
    pub fn request(
        via: &'static str,
        address: Option<IpAddr>,
        request: String,
        agent: Option<HeaderValue>,
    ) -> Arc<Self> {
        Arc::new(Self { via, address, request: Some(request), agent, ..Self::default() })
    }

    /// What the client calls itself, cut to a length.
    pub fn agent(&self) -> Option<String> {
        let text = self.agent.as_ref()?.to_str().ok()?.trim();
        Some(text.chars().take(MAX_AGENT).collect()).filter(|text: &String| !text.is_empty())
    }

    /// Who shows a token, as far as it is known: the one that was shown last.
    pub fn who(&self) -> Option<Who> {
        self.who.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_who(&self, who: Option<Who>) -> Option<Who> {
        std::mem::replace(&mut *self.who.lock().unwrap_or_else(PoisonError::into_inner), who)
    }

    /// The same place, with this token or none.
    pub fn of(&self, who: Option<Who>) -> Self {
        let Self { via, address, request, agent, .. } = self;
        let (request, agent) = (request.clone(), agent.clone());
        Self { via, address: *address, request, agent, who: Mutex::new(who), noted: Mutex::default() }
    }

    /// The same place, with the token of this identity.
    pub fn with(&self, identity: &Identity) -> Arc<Self> {
        Arc::new(self.of(Some(Who::of(identity))))
    }

    /// What was noted of a refusal.
    pub fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Noted)) {
        change(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// That of what runs now, if it has one.
pub fn current() -> Option<Arc<Origin>> {
    ORIGIN.try_with(Arc::clone).ok()
}

/// Runs this as work of that origin.
pub async fn scope<F: Future>(origin: Option<Arc<Origin>>, work: F) -> F::Output {
    match origin {
        Some(origin) => ORIGIN.scope(origin, work).await,
        None => work.await,
    }
}

/// As [`scope`], of what waits for nothing.
pub fn within<T>(origin: Option<&Arc<Origin>>, work: impl FnOnce() -> T) -> T {
    match origin {
        Some(origin) => ORIGIN.sync_scope(Arc::clone(origin), work),
        None => work(),
    }
}

/// Runs this as work of the registry itself, by its name.
pub async fn working<F: Future>(name: &'static str, work: F) -> F::Output {
    ORIGIN.scope(Arc::new(Origin { via: name, ..Origin::default() }), work).await
}

/// A token was shown that is this user's, whether it is still good or not. One that is shown later counts instead.
pub fn shown(identity: &Identity) {
    let _ = ORIGIN.try_with(|origin| origin.set_who(Some(Who::of(identity))));
}

/// Somebody signs in: whose session the browser had is another question from now on.
pub fn signs_in() {
    let _ = ORIGIN.try_with(|origin| origin.set_who(None));
}

/// A browser has shown a session that is good no more, and goes on as one that shows nothing.
pub fn ended_session(code: ProblemCode) {
    let _ = ORIGIN.try_with(|origin| {
        let who = origin.set_who(None);
        origin.note(|noted| noted.session = Some((code, who)));
    });
}

/// A form is given back by a page of its own, and why.
pub fn gave_back(code: ProblemCode) {
    let _ = ORIGIN.try_with(|origin| origin.note(|noted| noted.form = Some(code)));
}

/// Something is reported, which may be refused.
pub fn reports() {
    let _ = ORIGIN.try_with(|origin| origin.note(|noted| noted.is_report = true));
}

/// Something is about to be refused that is about the namespace with this key.
pub fn refused_in(namespace: &str) {
    let _ = ORIGIN.try_with(|origin| origin.note(|noted| noted.namespace = Some(namespace.to_owned())));
}

/// An address is about to be refused that leads to this host and port, of what is the caller's or the namespace's with this key.
pub fn refused_address(place: &str, namespace: Option<&str>) {
    let _ = ORIGIN.try_with(|origin| {
        origin.note(|noted| {
            noted.address = Some(place.to_owned()).filter(|place| !place.is_empty());
            noted.namespace = namespace.map(str::to_owned);
        });
    });
}

/// Something is answered as if it did not exist: the skill with this key, or what belongs to that namespace.
pub fn hidden(skill: Option<&str>, namespace: &str) {
    let _ = ORIGIN.try_with(|origin| {
        origin.note(|noted| {
            noted.is_hidden = true;
            noted.namespace = Some(namespace.to_owned());
            noted.skill = skill.map(str::to_owned);
        });
    });
}
