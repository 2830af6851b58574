//! What is no message: each gets one answer of JSON-RPC that says why.

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use rmcp::model::ClientJsonRpcMessage;
use serde_json::{Value, json};

use crate::http::call::ready_json;

const NO_JSON: i32 = -32700;
const NO_REQUEST: i32 = -32600;

/// The refusal of what is no message; none: it is one.
pub(super) fn no_message(bytes: &Bytes) -> Option<Response> {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(_) => return Some(refusal(&Value::Null, NO_JSON, "the body is not JSON")),
    };
    if value.is_array() {
        // The protocol had batches for three months, and no client sends any.
        return Some(refusal(&Value::Null, NO_REQUEST, "batches are not taken: send one message"));
    }
    let id = value.get("id").filter(|id| id.is_string() || id.is_i64()).cloned().unwrap_or(Value::Null);
    let error = serde_json::from_value::<ClientJsonRpcMessage>(value).err()?;
    tracing::debug!(%error, "no message");
    Some(refusal(&id, NO_REQUEST, "the body is no message of JSON-RPC 2.0 that this protocol has"))
}

fn refusal(id: &Value, code: i32, message: &str) -> Response {
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
    ready_json(StatusCode::BAD_REQUEST, body.to_string().into())
}
