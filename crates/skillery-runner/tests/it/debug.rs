use crate::harness::run;
use serde_json::json;
#[tokio::test]
async fn debug_one() {
    let code = std::env::var("DEBUG_CODE").unwrap_or_else(|_| "def subject():\n    return 1".to_owned());
    let outcome = run(&code, json!({})).await;
    println!("{outcome:#?}");
}
