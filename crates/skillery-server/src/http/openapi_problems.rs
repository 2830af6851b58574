//! Which problems each route may answer, in the OpenAPI document.
//!
//! A route says `default` where it answers with problems. What these may be follows from what it takes: a status for each,
//! so that a client, and whoever tests the registry by the document, knows an answer that should not be. Statuses that a
//! route names itself stay as it names them.

use utoipa::Modify;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response};

const PROBLEM: &str = "#/components/schemas/Problem";
const MEDIA_TYPE: &str = "application/problem+json";
/// What stands in the document for all that have no status of their own.
const REST: &str = "default";

/// Replaces `default` in each operation.
pub struct Problems;

/// A problem that many routes answer.
struct Shared {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    /// When a route may answer with it.
    when: fn(&Operation) -> bool,
}

const SHARED: [Shared; 11] = [
    Shared {
        status: "400",
        name: "BadRequest",
        description: "an id, a version, a parameter or the form of the body is not valid",
        when: |operation| takes_parameters(operation) || takes_body(operation),
    },
    Shared {
        status: "401",
        name: "Unauthorized",
        description: "no token was sent where one is needed, or one that is not good",
        when: |_| true,
    },
    Shared {
        status: "403",
        name: "NotAllowed",
        description: "the caller's role, or the token's scopes, do not allow this",
        when: |operation| operation.security.is_some(),
    },
    Shared {
        status: "404",
        name: "NotFound",
        description: "there is no such thing, or the caller may not see it",
        when: |operation| has_place(operation),
    },
    Shared { status: "408", name: "TimedOut", description: "the request took too long", when: |_| true },
    Shared { status: "413", name: "TooLarge", description: "the body is over the limit", when: takes_body },
    Shared {
        status: "415",
        name: "UnsupportedMediaType",
        description: "the body is not announced as what this route takes",
        when: takes_body,
    },
    Shared {
        status: "422",
        name: "InvalidBody",
        description: "a field of the body is not known, or has a value that it may not have",
        when: takes_body,
    },
    Shared { status: "429", name: "TooManyRequests", description: "too many requests", when: |_| true },
    Shared {
        status: "500",
        name: "Mistake",
        description: "the registry made a mistake, or what it has stored is damaged",
        when: |_| true,
    },
    Shared {
        status: "503",
        name: "Unavailable",
        description: "the registry cannot do this right now",
        when: |_| true,
    },
];

/// Only who writes fills the disk.
const FULL: Shared = Shared {
    status: "507",
    name: "StorageFull",
    description: "the disk of the registry is full; nothing was changed",
    when: |_| true,
};

impl Modify for Problems {
    fn modify(&self, document: &mut OpenApi) {
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in operations(item) {
                operation.operation_id = Some(operation_id(method, path));
                complete(operation, path, method != "get");
            }
        }
        let components = document.components.get_or_insert_with(Default::default);
        for shared in SHARED.iter().chain([&FULL]) {
            components.responses.insert(shared.name.to_owned(), RefOr::T(shared.response()));
        }
    }
}

impl Shared {
    fn response(&self) -> Response {
        let mut response = Response::new(self.description);
        response.content.insert(MEDIA_TYPE.to_owned(), RefOr::T(Content::new(Some(Ref::new(PROBLEM)))));
        let header = match self.status {
            "401" => Some(("WWW-Authenticate", Type::String, "which kind of token is wanted")),
            "429" | "503" => Some(("Retry-After", Type::Integer, "seconds to wait")),
            _ => None,
        };
        response.headers = header.into_iter().map(described).collect();
        response
    }
}

fn described((name, kind, text): (&str, Type, &str)) -> (String, RefOr<Header>) {
    let mut header = Header::default();
    header.schema = Some(ObjectBuilder::new().schema_type(kind).build().into());
    header.description = Some(text.to_owned());
    (name.to_owned(), RefOr::T(header))
}

/// The operations of a path with their methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Several functions have the same name in Rust, and an operation may not.
fn operation_id(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// What names in addresses look like. Reserved words are not in it, and longest lengths neither.
const NAMES: [(&str, &str); 4] = [
    ("id", "^[a-z0-9][a-z0-9._-]{0,63}(/[a-z0-9][a-z0-9._-]{0,63}){1,8}$"),
    ("namespace", "^[a-z0-9][a-z0-9._-]{0,63}(/[a-z0-9][a-z0-9._-]{0,63}){0,7}$"),
    ("org", "^[a-z0-9][a-z0-9._-]{0,63}$"),
    ("version", "^(0|[1-9][0-9]{0,9})[.](0|[1-9][0-9]{0,9})[.](0|[1-9][0-9]{0,9})(-[0-9A-Za-z.-]+)?$"),
];

/// Gives names in the address their form.
fn shaped(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Path
            && let Some((_, pattern)) = NAMES.iter().find(|(name, _)| *name == parameter.name)
        {
            parameter.schema =
                Some(ObjectBuilder::new().schema_type(Type::String).pattern(Some(*pattern)).build().into());
        }
    }
}

fn complete(operation: &mut Operation, path: &str, writes: bool) {
    shaped(operation);
    for answer in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = answer {
            named_as_sent(response);
        }
    }
    if let Some(RefOr::T(created)) = operation.responses.responses.get_mut("201")
        && created.headers.is_empty()
        && !MADE_NOWHERE.contains(&path)
    {
        created.headers =
            [("Location", Type::String, "where the new thing is")].into_iter().map(described).collect();
    }
    if operation.responses.responses.remove(REST).is_none() {
        return;
    }
    let further = SHARED.iter().filter(|shared| (shared.when)(operation)).collect::<Vec<_>>();
    for shared in further.into_iter().chain(writes.then_some(&FULL)) {
        let reference = Ref::from_response_name(shared.name);
        operation.responses.responses.entry(shared.status.to_owned()).or_insert(RefOr::Ref(reference));
    }
}

/// Where something is made that has no address of its own.
const MADE_NOWHERE: [&str; 4] =
    ["/api/v1/oidc/exchange", "/api/v1/oidc/login", "/api/v1/oidc/login/poll", "/api/v1/login-links"];

/// Problems have a media type of their own, which is not asked of each route.
fn named_as_sent(response: &mut Response) {
    let is_problem = |content: &RefOr<Content>| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(reference)), .. }) => reference.ref_location == PROBLEM,
        _ => false,
    };
    if response.content.values().any(is_problem) {
        response.content =
            response.content.drain(..).map(|(_, content)| (MEDIA_TYPE.to_owned(), content)).collect();
    }
}

fn takes_body(operation: &Operation) -> bool {
    operation.request_body.is_some()
}

fn takes_parameters(operation: &Operation) -> bool {
    operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty())
}

fn has_place(operation: &Operation) -> bool {
    operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Path,
        RefOr::Ref(_) => false,
    })
}
