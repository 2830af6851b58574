//! `/mcp`, as hosts of the Model Context Protocol call it.

mod hostile;
mod skills;
mod tools;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::tests::{Answer, TestApp};

impl TestApp {
    /// Sends this body as a message, with these headers in place of the usual ones; an empty one is left out.
    async fn message(&self, path: &str, token: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let usual = [
            ("host", "localhost:8700"),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let mut request = Request::builder().method("POST").uri(path);
        let is_replaced = |name: &str| headers.iter().any(|(other, _)| *other == name);
        for (name, value) in usual.iter().filter(|(name, _)| !is_replaced(name)).chain(headers) {
            if !value.is_empty() {
                request = request.header(*name, *value);
            }
        }
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Calls a method at this path as a client of 2025-11-25, and returns the answer's message.
    async fn rpc_at(&self, path: &str, token: &str, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let headers = [("mcp-protocol-version", "2025-11-25")];
        let answer = self.message(path, token, &body.to_string(), &headers).await.is(200);
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)), "{answer}");
        answer
    }

    /// The result of a method; it must go well.
    async fn rpc(&self, token: &str, method: &str, params: Value) -> Value {
        let answer = self.rpc_at("/mcp", token, method, params).await;
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// The code with which a method fails.
    async fn rpc_fails(&self, token: &str, method: &str, params: Value) -> (i64, String) {
        let error = self.rpc_at("/mcp", token, method, params).await["error"].clone();
        (error["code"].as_i64().unwrap(), error["data"]["code"].as_str().unwrap_or_default().to_owned())
    }

    /// What a tool answers; it must go well.
    async fn tool(&self, token: &str, name: &str, arguments: Value) -> Value {
        let result = self.rpc(token, "tools/call", json!({ "name": name, "arguments": arguments })).await;
        assert_eq!(result["isError"], false, "{result}");
        assert!(!result["content"][0]["text"].as_str().unwrap().is_empty());
        result["structuredContent"].clone()
    }

    /// The problem's code with which a tool fails, which its text begins with.
    async fn tool_fails(&self, token: &str, name: &str, arguments: Value) -> String {
        let result = self.rpc(token, "tools/call", json!({ "name": name, "arguments": arguments })).await;
        assert_eq!(result["isError"], true, "{result}");
        assert!(result["structuredContent"].is_null());
        let code = result["_meta"]["skillery/problem"]["code"].as_str().unwrap().to_owned();
        assert!(result["content"][0]["text"].as_str().unwrap().starts_with(&format!("{code}: ")), "{result}");
        code
    }

    /// Everything that a method lists on all its pages, and how many pages there were.
    async fn pages(&self, path: &str, token: &str, method: &str, field: &str) -> (Vec<Value>, usize) {
        let (mut all, mut pages, mut params) = (Vec::new(), 0, json!({}));
        loop {
            let page = self.rpc_at(path, token, method, params).await["result"].clone();
            all.extend(page[field].as_array().unwrap().iter().cloned());
            pages += 1;
            match page["nextCursor"].as_str() {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => return (all, pages),
            }
        }
    }
}

fn uris(resources: &[Value]) -> Vec<&str> {
    resources.iter().map(|resource| resource["uri"].as_str().unwrap()).collect()
}
