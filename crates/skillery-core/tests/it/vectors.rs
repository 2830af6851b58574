//! The vectors of transparency-dev/merkle: proofs that are right, and ways in which they may be wrong. `cargo xtask test`
//! fetches them and says by a variable where they are.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use skillery_core::Digest;
use skillery_core::tlog::{verify_consistency, verify_inclusion};

const FOLDER: &str = "SKILLERY_TEST_VECTORS";

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A hash; none where it has not 32 bytes, which our types refuse.
fn hash(value: &Value) -> Option<Digest> {
    let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap();
    bytes.try_into().ok().map(Digest::from_bytes)
}

fn proof(vector: &Value) -> Option<Vec<Digest>> {
    vector["proof"].as_array().into_iter().flatten().map(hash).collect()
}

fn is_included(vector: &Value) -> Option<bool> {
    let (index, size) = (vector["leafIdx"].as_u64()?, vector["treeSize"].as_u64()?);
    let (leaf, root) = (hash(&vector["leafHash"])?, hash(&vector["root"])?);
    Some(verify_inclusion(&proof(vector)?, index, size, &leaf, &root).is_ok())
}

fn is_consistent(vector: &Value) -> Option<bool> {
    let (old, new) = (vector["size1"].as_u64()?, vector["size2"].as_u64()?);
    let (old_root, new_root) = (hash(&vector["root1"])?, hash(&vector["root2"])?);
    Some(verify_consistency(&proof(vector)?, old, &old_root, new, &new_root).is_ok())
}

#[test]
fn proofs_are_accepted_and_refused_as_by_transparency_dev() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        println!("passed over: `{FOLDER}` does not say where the vectors are");
        return;
    };
    let mut counts = (0, 0);
    let mut different = Vec::new();
    for (kind, check) in
        [("inclusion", is_included as fn(&Value) -> Option<bool>), ("consistency", is_consistent)]
    {
        let folder = Path::new(&folder).join(kind);
        for file in files(&folder) {
            let vector: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let is_refused = vector["wantErr"].as_bool().unwrap();
            *if is_refused { &mut counts.1 } else { &mut counts.0 } += 1;
            if check(&vector).unwrap_or(false) == is_refused {
                different.push(format!("{kind}/{}", file.strip_prefix(&folder).unwrap().display()));
            }
        }
    }
    assert_eq!(counts, (13, 182));
    // In these two the roots are short texts, equal and not to be looked at. Here a root has 32 bytes, so that such a
    // text is refused where it is read.
    assert_eq!(
        different,
        ["one", "zero"].map(|size| format!(
            "consistency/additional/sizes-are-equal-and-proof-is-not-empty-where-both-sizes-are-{size}.json"
        ))
    );
}
