//! What `ring` makes of points that Ed25519 says little about, with the vectors of C2SP/CCTV.
//!
//! None of this endangers a log: such a signature needs a key that was made for it. But two programs that answer
//! differently would disagree about a note, so that a change of `ring` should be noticed.

use std::collections::BTreeMap;

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    points: Vec<String>,
    scalars: Vec<String>,
    messages: Vec<String>,
    flags: Vec<String>,
    /// Key, R, S, message, flags.
    vectors: Vec<[usize; 5]>,
}

#[test]
fn odd_signatures_are_accepted_and_refused_as_before() {
    let all: Vectors = serde_json::from_str(include_str!("../vectors/ed25519.json")).unwrap();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for [key, r, s, message, flags] in &all.vectors {
        let key = hex::decode(&all.points[*key]).unwrap();
        let signature = hex::decode(format!("{}{}", all.points[*r], all.scalars[*s])).unwrap();
        let message = all.messages[*message].as_bytes();
        let accepted = UnparsedPublicKey::new(&ED25519, &key).verify(message, &signature).is_ok();
        let flags = all.flags[*flags].as_str();
        // The common way: no R of another spelling, no low order component that only a cofactor takes away.
        let refused = flags.contains("non_canonical_R") || flags.contains("low_order_residue");
        if !flags.contains("reencoded_k") {
            assert_eq!(accepted, !refused, "{flags}");
        }
        let count = counts.entry(flags).or_default();
        if accepted {
            count.0 += 1;
        } else {
            count.1 += 1;
        }
    }
    let total = counts.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let lines: String =
        counts.iter().map(|(flags, count)| format!("{:3} {:3} {flags}\n", count.0, count.1)).collect();
    insta::assert_snapshot!(format!("{:3} {:3} accepted and refused\n{lines}", total.0, total.1));
}
