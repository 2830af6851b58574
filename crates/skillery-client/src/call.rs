//! One request, before it knows which registry it goes to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::Serialize;
use skillery_core::{Namespace, SkillId, Version};

use crate::error::{Error, Result};
use crate::retry::Repeat;

/// The most that any answer may hold: the largest page of skills with the longest descriptions is below it.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of a content that is sent for which there is another second.
const BYTES_PER_SECOND: usize = 64 * 1024;
/// Bytes of a content that go out at once.
const PIECE: usize = 64 * 1024;

/// One request, before it knows which registry it goes to.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// What stands before the segments.
    pub(crate) root: [&'static str; 2],
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Content>,
    /// The most that the answer may hold.
    pub(crate) most: usize,
    /// Whether the answer has more time the more of it has come.
    pub(crate) is_large: bool,
    /// Time that it may take beside the usual.
    pub(crate) more_time: Duration,
    pub(crate) repeat: Repeat,
}

/// What a request brings.
#[derive(Debug)]
pub(crate) enum Content {
    Json(Bytes),
    /// JSON, and a ZIP.
    Form(Bytes, Bytes, Progress),
}

/// Is told how many bytes more have gone out, and of how many.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(u64, u64) + Send + Sync>>);

impl Progress {
    /// Tells this function.
    pub fn new(tell: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    fn tell(&self, bytes: usize, total: u64) {
        if let Some(tell) = &self.0 {
            tell(bytes as u64, total);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Progress")
    }
}

impl Call {
    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, Repeat::Harmless, segments)
    }

    pub(crate) fn put(segments: &[&str]) -> Self {
        Self::new(Method::PUT, Repeat::Harmless, segments)
    }

    pub(crate) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, Repeat::Harmless, segments)
    }

    pub(crate) fn patch(segments: &[&str]) -> Self {
        Self::new(Method::PATCH, Repeat::Harmless, segments)
    }

    /// Sent once only, unless [`Call::repeatable`] says otherwise.
    pub(crate) fn post(segments: &[&str]) -> Self {
        Self::new(Method::POST, Repeat::Never, segments)
    }

    fn new(method: Method, repeat: Repeat, segments: &[&str]) -> Self {
        let segments = segments.iter().map(|segment| (*segment).to_owned()).collect();
        Self {
            method,
            root: ["api", "v1"],
            segments,
            query: Vec::new(),
            body: None,
            most: MAX_ANSWER_BYTES,
            is_large: false,
            more_time: Duration::ZERO,
            repeat,
        }
    }

    /// The answer may be as large as this, and take as long as so much takes as has come.
    pub(crate) fn large(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self.is_large = true;
        self
    }

    /// Brings JSON and a ZIP, as a form.
    pub(crate) fn form(mut self, json: &impl Serialize, zip: Bytes, progress: Progress) -> Result<Self> {
        let bytes = serde_json::to_vec(json).map_err(Error::internal("write the request as JSON"))?;
        self.more_time = time_for(zip.len());
        self.body = Some(Content::Form(bytes.into(), zip, progress));
        Ok(self)
    }

    /// A part of the log: `checkpoint`, or `tile/…`.
    pub(crate) fn of_log(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').collect();
        Self { root: ["log", "v1"], ..Self::get(&segments) }
    }

    /// A call to a skill: its id, then what is asked of it.
    pub(crate) fn of_skill(method: Method, id: &SkillId, rest: &[&str]) -> Self {
        Self::below("skills", method, id.as_str(), rest)
    }

    fn below(root: &str, method: Method, name: &str, rest: &[&str]) -> Self {
        let repeat = if method == Method::POST { Repeat::Never } else { Repeat::Harmless };
        let segments: Vec<&str> =
            std::iter::once(root).chain(name.split('/')).chain(rest.iter().copied()).collect();
        Self::new(method, repeat, &segments)
    }

    /// A call to a version of a skill.
    pub(crate) fn of_version(method: Method, id: &SkillId, version: &Version, rest: &[&str]) -> Self {
        Self::of_skill(method, id, &[&["versions", version.to_string().as_str()], rest].concat())
    }

    /// A call to a namespace.
    pub(crate) fn of_namespace(method: Method, namespace: &Namespace, rest: &[&str]) -> Self {
        Self::below("orgs", method, namespace.as_str(), rest)
    }

    /// The second time does not answer as the first.
    pub(crate) fn once(mut self) -> Self {
        self.repeat = Repeat::Never;
        self
    }

    /// The second time answers as the first.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Harmless;
        self
    }

    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.query.push((name, value.to_string()));
        }
        self
    }

    pub(crate) fn body(mut self, body: &impl Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(Error::internal("write the request as JSON"))?;
        self.body = Some(Content::Json(bytes.into()));
        Ok(self)
    }
}

fn time_for(bytes: usize) -> Duration {
    Duration::from_secs((bytes / BYTES_PER_SECOND) as u64)
}

pub(crate) fn form(json: &Bytes, zip: &Bytes, progress: &Progress) -> Result<Form> {
    let (length, mut rest, progress) = (zip.len() as u64, zip.clone(), progress.clone());
    let pieces = std::iter::from_fn(move || {
        let piece = rest.split_to(rest.len().min(PIECE));
        progress.tell(piece.len(), length);
        (!piece.is_empty()).then_some(Ok::<_, std::io::Error>(piece))
    });
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let of_type = |part: Part, media_type| {
        part.mime_str(media_type).map_err(Error::internal("make the form that is sent"))
    };
    let json = of_type(Part::stream(reqwest::Body::from(json.clone())), "application/json")?;
    let zip = of_type(Part::stream_with_length(body, length).file_name("bundle.zip"), "application/zip")?;
    Ok(Form::new().part("request", json).part("bundle", zip))
}
