//! Canonical JSON (RFC 8785): one value, one sequence of bytes, on every machine and in every language.
//!
//! What is signed or hashed as JSON goes through here. Members are sorted by their UTF-16 code units, whatever order
//! a map or `serde_json` keeps them in; numbers are written as JavaScript writes them; there is no white space.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The largest integer that every reader of JSON reads as itself: 2^53 - 1.
pub const MAX_SAFE_INTEGER: u64 = 9_007_199_254_740_991;

/// Why there is no canonical form, or why bytes are not in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// The value cannot be JSON, or the bytes are no JSON of this shape: a key twice, a field that is not known.
    #[error("this is not the JSON that is expected: {0}")]
    Json(String),
    /// Numbers in canonical JSON are doubles, and this one would silently become another.
    #[error("the integer {0} is beyond 2^53 - 1, which canonical JSON cannot hold; write it as a text")]
    UnsafeInteger(String),
    /// The bytes mean the right thing and are written in another way, such as with spaces.
    #[error("the JSON is not in its canonical form (RFC 8785)")]
    NotCanonical,
}

impl From<serde_json::Error> for CanonicalError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}

/// The canonical bytes of a value. Fails for integers beyond 2^53 - 1, for a key that comes twice, and for what is no
/// JSON at all. As everywhere in `serde_json`, a number within the value that is not finite is `null`.
pub fn canonical_json<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    check_integers(&serde_json::to_value(value)?)?;
    Ok(serde_json_canonicalizer::to_vec(value)?)
}

/// [`canonical_json`] of a value that was read already.
///
/// Where members are in order, names are ASCII and numbers are integers, what `serde_json` writes is canonical. It writes
/// that in a tenth of the time, and whoever reads a whole log does little else than this.
pub fn canonical_value(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    check_integers(value)?;
    if is_plain(value) {
        Ok(serde_json::to_vec(value)?)
    } else {
        Ok(serde_json_canonicalizer::to_vec(value)?)
    }
}

/// Whether `serde_json` writes the value canonically as it is.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(values) => values.iter().all(is_plain),
        // UTF-16 code units of ASCII sort as its bytes do.
        Value::Object(members) => {
            members.keys().is_sorted()
                && members.iter().all(|(name, value)| name.is_ascii() && is_plain(value))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Reads a value whose bytes must be exactly those that [`canonical_json`] writes for it.
///
/// A type that does not keep all it reads refuses what it does not keep: the bytes differ then.
pub fn from_canonical_json<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CanonicalError> {
    let value: T = serde_json::from_slice(bytes)?;
    if canonical_json(&value)? == bytes { Ok(value) } else { Err(CanonicalError::NotCanonical) }
}

fn check_integers(value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            match magnitude {
                Some(magnitude) if magnitude > MAX_SAFE_INTEGER => {
                    Err(CanonicalError::UnsafeInteger(number.to_string()))
                }
                _ => Ok(()),
            }
        }
        Value::Array(values) => values.iter().try_for_each(check_integers),
        Value::Object(members) => members.values().try_for_each(check_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    fn canonical(text: &str) -> String {
        let value: Value = serde_json::from_str(text).unwrap();
        String::from_utf8(canonical_json(&value).unwrap()).unwrap()
    }

    #[test]
    fn the_example_of_rfc_8785_section_3_2_2() {
        let input = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        assert_eq!(
            canonical(input),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn members_are_sorted_as_in_rfc_8785_section_3_2_3() {
        let input = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
            "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        let text = canonical(input);
        let places: Vec<usize> = ["Carriage Return", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
            .iter()
            .map(|word| text.find(word).unwrap())
            .collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn numbers_of_rfc_8785_appendix_b() {
        let cases: [(u64, &str); 24] = [
            (0x0000000000000000, "0"),
            (0x8000000000000000, "0"),
            (0x0000000000000001, "5e-324"),
            (0x8000000000000001, "-5e-324"),
            (0x7fefffffffffffff, "1.7976931348623157e+308"),
            (0xffefffffffffffff, "-1.7976931348623157e+308"),
            (0x4340000000000000, "9007199254740992"),
            (0xc340000000000000, "-9007199254740992"),
            (0x4430000000000000, "295147905179352830000"),
            (0x44b52d02c7e14af5, "9.999999999999997e+22"),
            (0x44b52d02c7e14af6, "1e+23"),
            (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
            (0x444b1ae4d6e2ef4e, "999999999999999700000"),
            (0x444b1ae4d6e2ef4f, "999999999999999900000"),
            (0x444b1ae4d6e2ef50, "1e+21"),
            (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
            (0x3eb0c6f7a0b5ed8d, "0.000001"),
            (0x41b3de4355555553, "333333333.3333332"),
            (0x41b3de4355555554, "333333333.33333325"),
            (0x41b3de4355555555, "333333333.3333333"),
            (0x41b3de4355555556, "333333333.3333334"),
            (0x41b3de4355555557, "333333333.33333343"),
            (0xbecbf647612f3696, "-0.0000033333333333333333"),
            (0x43143ff3c1cb0959, "1424953923781206.2"),
        ];
        for (bits, text) in cases {
            assert_eq!(canonical_json(&f64::from_bits(bits)).unwrap(), text.as_bytes(), "{bits:x}");
        }
        assert!(canonical_json(&f64::NAN).is_err());
        assert!(canonical_json(&f64::INFINITY).is_err());
    }

    #[test]
    fn integers_that_would_become_others_are_refused() {
        assert_eq!(canonical_json(&MAX_SAFE_INTEGER).unwrap(), b"9007199254740991");
        assert_eq!(canonical_json(&-9_007_199_254_740_991_i64).unwrap(), b"-9007199254740991");
        let error = canonical_json(&BTreeMap::from([("n", vec![MAX_SAFE_INTEGER + 1])])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the integer 9007199254740992 is beyond 2^53 - 1, which canonical JSON cannot hold; write it as a text"
        );
        assert!(canonical_json(&i64::MIN).is_err());
        assert!(canonical_json(&u64::MAX).is_err());
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        b: u64,
        a: String,
    }

    #[test]
    fn only_the_canonical_bytes_are_read() {
        let pair = Pair { b: 1, a: "x".to_owned() };
        assert_eq!(canonical_json(&pair).unwrap(), br#"{"a":"x","b":1}"#);
        assert_eq!(from_canonical_json::<Pair>(br#"{"a":"x","b":1}"#).unwrap(), pair);
        for other in [
            r#"{"b":1,"a":"x"}"#,
            r#"{"a":"x", "b":1}"#,
            r#"{"a":"\u0078","b":1}"#,
            "{\"a\":\"x\",\"b\":1}\n",
        ] {
            let error = from_canonical_json::<Pair>(other.as_bytes()).unwrap_err();
            assert!(matches!(error, CanonicalError::NotCanonical), "{other}");
        }
        for bad in [r#"{"a":"x","a":"x","b":1}"#, r#"{"a":"x","b":1,"c":2}"#, r#"{"a":"x"}"#, "{", ""] {
            let error = from_canonical_json::<Pair>(bad.as_bytes()).unwrap_err();
            assert!(matches!(error, CanonicalError::Json(_)), "{bad}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// As entries of a log are: short ASCII names, any texts, no fractions.
    fn plain_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (-(MAX_SAFE_INTEGER as i64)..=MAX_SAFE_INTEGER as i64).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[\\x00-\\x7f]{0,4}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn values_out_of_order_are_written_in_order() {
        let value: Value = serde_json::from_str(r#"{"b":[{"d":1,"c":2}],"a":1.0}"#).unwrap();
        assert_eq!(canonical_value(&value).unwrap(), br#"{"a":1,"b":[{"c":2,"d":1}]}"#);
        let unsafe_integer = Value::from(MAX_SAFE_INTEGER + 1);
        assert!(matches!(canonical_value(&unsafe_integer), Err(CanonicalError::UnsafeInteger(_))));
    }

    proptest! {
        #[test]
        fn a_value_that_was_read_is_written_alike(any in any_json(), plain in plain_json()) {
            prop_assert!(is_plain(&plain));
            prop_assert_eq!(canonical_value(&plain).unwrap(), canonical_json(&plain).unwrap());
            prop_assert_eq!(canonical_value(&any), canonical_json(&any));
        }

        #[test]
        fn the_canonical_form_of_the_canonical_form_is_itself(value in any_json()) {
            let bytes = canonical_json(&value).unwrap();
            let again: Value = serde_json::from_slice(&bytes).unwrap();
            // A whole number of more than 53 bits was a fraction in its type, and is none in its text.
            if let Ok(twice) = canonical_json(&again) {
                prop_assert_eq!(twice, bytes);
            } else {
                let text = String::from_utf8(bytes).unwrap();
                prop_assert!(text.bytes().filter(u8::is_ascii_digit).count() >= 16, "{}", text);
            }
        }

        #[test]
        fn the_order_of_members_does_not_matter(members in proptest::collection::btree_map(any::<String>(), any::<i32>(), 0..8)) {
            let forward: serde_json::Map<_, _> =
                members.iter().map(|(key, value)| (key.clone(), Value::from(*value))).collect();
            let backward: serde_json::Map<_, _> =
                members.iter().rev().map(|(key, value)| (key.clone(), Value::from(*value))).collect();
            prop_assert_eq!(canonical_json(&forward).unwrap(), canonical_json(&backward).unwrap());
            prop_assert_eq!(canonical_json(&forward).unwrap(), canonical_json(&members).unwrap());
        }
    }
}
