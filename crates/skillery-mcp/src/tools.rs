//! The tools: what they are called, what they take, and calling them.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use skillery_core::bundle::SKILL_FILE;
use skillery_core::hidden::excerpt;
use skillery_core::limits::MAX_ID_LENGTH;
use skillery_core::{Digest, Namespace, Problem, ProblemCode, SkillId, VersionRequest};

use crate::consent::{self, Consent};
use crate::words::{MAX_TAGS, USUAL_HITS};
use crate::{
    Backend, FileContent, InstallArguments, InstallOrder, InstallResult, MAX_FILE_BYTES, MAX_HITS,
    ReadArguments, Refusal, SearchArguments, SearchResult, ShowArguments, SkillAddress, SkillDetail,
    SkillFile, texts,
};

const SEARCH: &str = "search_skills";
const SHOW: &str = "show_skill";
const READ: &str = "read_skill_file";
const INSTALL: &str = "install_skill";
/// Characters of a query: as many as a registry takes by default.
const MAX_QUERY: usize = 256;

static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    vec![
        reading::<SearchArguments, SearchResult>(
            SEARCH,
            "Search skills",
            "Finds skills in the registry by words, namespace and tags: instructions and code that others have published for \
             agents. Answers with ids, latest versions and what each skill is for.",
        ),
        reading::<ShowArguments, SkillDetail>(
            SHOW,
            "Show a skill",
            "Everything about a version of a skill: what it is for, who published it, its files, signatures, what scans found, \
             where it stands, other versions, and the commands that install it.",
        ),
        reading::<ReadArguments, FileContent>(
            READ,
            "Read a file of a skill",
            "The content of one file of a skill. `SKILL.md` says how the skill is used and names the other files.",
        ),
        tool::<InstallArguments, InstallResult>(
            INSTALL,
            "Install a skill",
            "Downloads a skill with all that it needs, checks digests, signatures and log entries as this machine demands them, \
             and puts it into the local library. With `agent`, it is placed for agents in the working project, too. The user is \
             asked first.",
            ToolAnnotations::new().read_only(false).destructive(false).idempotent(true).open_world(true),
        ),
    ]
});

/// The tools that there are here.
pub(crate) fn offered<B: Backend>() -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(|tool| B::INSTALLS || tool.name != INSTALL)
}

fn reading<A: JsonSchema + 'static, R: JsonSchema + 'static>(
    name: &'static str,
    title: &str,
    description: &'static str,
) -> Tool {
    let annotations =
        ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(true);
    tool::<A, R>(name, title, description, annotations)
}

fn tool<A: JsonSchema + 'static, R: JsonSchema + 'static>(
    name: &'static str,
    title: &str,
    description: &'static str,
    annotations: ToolAnnotations,
) -> Tool {
    let tool =
        Tool::new(name, description, JsonObject::new()).with_input_schema::<A>().with_output_schema::<R>();
    let (input, output) = (plain(&tool.input_schema), tool.output_schema.as_deref().map(plain));
    let mut tool = tool.with_title(title).with_annotations(annotations);
    tool.input_schema = Arc::new(input);
    tool.output_schema = output.map(Arc::new);
    tool
}

/// A schema without what some hosts refuse: names of Rust's numbers, and null as the default of what cannot be null.
fn plain(schema: &JsonObject) -> JsonObject {
    fn inner(value: &Value) -> Value {
        match value {
            Value::Object(object) => Value::Object(plain(object)),
            Value::Array(values) => values.iter().map(inner).collect(),
            other => other.clone(),
        }
    }
    let is_ours = |key: &str, value: &Value| {
        (key == "format" && value.is_string()) || (key == "default" && value.is_null())
    };
    let kept = schema.iter().filter(|(key, value)| !is_ours(key, value));
    kept.map(|(key, value)| (key.clone(), inner(value))).collect()
}

/// `tools/call`. What a tool could not do is its answer, so that the model reads it; only a tool that there is not is an error.
pub(crate) async fn call<B: Backend>(
    backend: &B,
    request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let name = request.name.clone();
    if !offered::<B>().any(|tool| tool.name == name) {
        return Err(ErrorData::invalid_params(format!("there is no tool `{}`", excerpt(&name)), None));
    }
    let arguments = request.arguments.clone().unwrap_or_default();
    let answered = match &*name {
        SEARCH => search(backend, arguments).await,
        SHOW => show(backend, arguments).await,
        READ => read(backend, arguments).await,
        _ => return install(backend, arguments, &request, &context).await,
    };
    Ok(answered.unwrap_or_else(Refusal::into_result).into())
}

/// The arguments as this type. What a model has made up is named, so that it can do better.
fn parsed<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        let text = excerpt(&error.to_string());
        let is_unknown = text.starts_with("unknown field");
        let code = if is_unknown { ProblemCode::UnknownField } else { ProblemCode::InvalidField };
        Refusal::from(Problem::new(code, text)).hint("the tool's schema says what it takes")
    })
}

fn id_of(text: &str) -> Result<SkillId, Refusal> {
    text.parse().map_err(|error: skillery_core::id::IdError| {
        Problem::new(ProblemCode::InvalidId, error.to_string()).into()
    })
}

fn request_of(text: Option<&str>) -> Result<VersionRequest, Refusal> {
    text.unwrap_or_default().parse().map_err(|error: skillery_core::version::VersionError| {
        Problem::new(ProblemCode::InvalidVersion, error.to_string()).into()
    })
}

/// The result in both forms: for the model, and for programs.
fn answer<T: Serialize>(text: String, result: &T) -> CallToolResult {
    let mut answer = CallToolResult::success(vec![ContentBlock::text(text)]);
    answer.structured_content = serde_json::to_value(result).ok();
    answer
}

async fn search<B: Backend>(backend: &B, arguments: JsonObject) -> Result<CallToolResult, Refusal> {
    let mut query: SearchArguments = parsed(arguments)?;
    if query.query.chars().count() > MAX_QUERY {
        return Err(Refusal::argument("query", format!("it is longer than {MAX_QUERY} characters")));
    }
    if let Some(namespace) = &query.namespace {
        if namespace.len() > MAX_ID_LENGTH {
            return Err(Refusal::argument("namespace", "it is too long"));
        }
        namespace.parse::<Namespace>().map_err(|error| Refusal::argument("namespace", error))?;
    }
    let tags = query.tags.get_or_insert_default();
    tags.retain(|tag| !tag.trim().is_empty());
    if tags.len() > MAX_TAGS {
        return Err(Refusal::argument("tags", format!("at most {MAX_TAGS} can be asked for")));
    }
    if tags.iter().any(|tag| tag.contains(',') || tag.chars().count() > MAX_QUERY) {
        return Err(Refusal::argument("tags", "one of them is too long, or has a comma"));
    }
    let limit = query.limit.get_or_insert(USUAL_HITS);
    if !(1..=MAX_HITS).contains(limit) {
        return Err(Refusal::argument("limit", format!("it must be a number from 1 to {MAX_HITS}")));
    }
    let found = texts::result(backend.search(&query).await?);
    Ok(answer(texts::found(&found), &found))
}

async fn show<B: Backend>(backend: &B, arguments: JsonObject) -> Result<CallToolResult, Refusal> {
    let ShowArguments { id, version } = parsed(arguments)?;
    let shown = backend.show(&id_of(&id)?, &request_of(version.as_deref())?).await?;
    let detail = texts::detail(shown);
    Ok(answer(texts::shown(&detail), &detail))
}

async fn read<B: Backend>(backend: &B, arguments: JsonObject) -> Result<CallToolResult, Refusal> {
    let ReadArguments { id, version, path } = parsed(arguments)?;
    let (id, request) = (id_of(&id)?, request_of(version.as_deref())?);
    let wanted = path.strip_prefix("./").unwrap_or(&path);
    let SkillFile { id, version, warning, file, paths } = backend.file(&id, &request, wanted).await?;
    let file = file.ok_or_else(|| {
        let message = format!("{id} {version} has no file `{}`", excerpt(&path));
        let few = &paths[..paths.len().min(50)];
        Refusal::new("file-not-found", message).hint(format!("it has {}", few.join(", ")))
    })?;
    let uri = SkillAddress::of(&id, &version).at(&file.path).to_string();
    if file.bytes.len() > MAX_FILE_BYTES {
        let message =
            format!("`{}` has {} bytes; a tool gives {MAX_FILE_BYTES}", file.path, file.bytes.len());
        return Err(Refusal::new("file-too-large", message)
            .hint(format!("read the resource `{uri}`, or install the skill")));
    }
    if file.path == SKILL_FILE {
        backend.note_use(&id, &version);
    }
    let (encoding, content) = match std::str::from_utf8(&file.bytes) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("base64", STANDARD.encode(&file.bytes)),
    };
    let content = FileContent {
        id: id.to_string(),
        version: version.to_string(),
        path: file.path.clone(),
        uri,
        size: file.bytes.len() as u64,
        digest: Digest::of(&file.bytes).to_string(),
        encoding: encoding.to_owned(),
        content,
        warning,
    };
    Ok(answer(texts::content(&content), &content))
}

async fn install<B: Backend>(
    backend: &B,
    arguments: JsonObject,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let wanted = async {
        let InstallArguments { id, version, agent } = parsed(arguments)?;
        let agents = agent.map(|named| backend.agents(&named)).transpose()?.unwrap_or_default();
        let request = request_of(version.as_deref())?;
        Ok((backend.show(&id_of(&id)?, &request).await?, request, agents))
    };
    let (shown, wanted, agents) = match wanted.await {
        Ok(wanted) => wanted,
        Err(refusal) => return Ok(Refusal::into_result(refusal).into()),
    };
    let (id, summary) = (shown.version.id.clone(), &shown.version.summary);
    let (version, digest, code_hash) = (summary.version.clone(), summary.digest, summary.code_hash);
    let order = InstallOrder { id, version, digest, code_hash, request: wanted, agents };
    if !backend.installs_unasked() {
        let needs = shown.version.summary.dependencies.clone();
        match consent::seek(&texts::detail(shown), needs.as_ref(), &order.agents, request, context).await {
            Ok(Consent::Given) => {}
            Ok(Consent::Asked(question)) => return Ok((*question).into()),
            Err(refusal) => return Ok(refusal.into_result().into()),
        }
    }
    let installed = backend.install(&order).await;
    let installed = installed.map(|installed| answer(texts::installed(&installed), &installed));
    Ok(installed.unwrap_or_else(Refusal::into_result).into())
}
