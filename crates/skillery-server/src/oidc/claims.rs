//! What a token says, read so that it can mean one thing only, and the checks that are the same for all tokens.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use skillery_core::time::Time;

use super::{LEEWAY_SECONDS, refused};
use crate::failure::Result;
use crate::text::named;

/// The claims of a token.
pub struct Claims(BTreeMap<String, Value>);

/// What a token must say to be taken.
pub struct Rules<'a> {
    /// Who it must be from.
    pub issuer: &'a str,
    /// Whom it must be for.
    pub audience: &'a str,
    /// Seconds that it may be good for.
    pub lifetime: i64,
}

impl Claims {
    /// Reads them. A name that comes twice means one thing to one reader and another to the next, so it is refused, and so
    /// is a NUL, which ends a text for some.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        strict_object(payload).map(Self)
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A claim that must be a text with something in it.
    pub fn needed(&self, name: &str) -> Result<&str> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| refused(format!("it has no text as its claim `{name}`")))
    }

    /// Whether a claim is true, said as such or as a text.
    pub fn is_true(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::Bool(true))) || self.text(name) == Some("true")
    }

    /// A claim that is a moment in whole seconds.
    fn moment(&self, name: &str) -> Result<Option<i64>> {
        // Beyond this are numbers that other readers round, and times that calculations run over with.
        const MOST: i64 = 1 << 40;
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => match value.as_i64().filter(|seconds| (0..=MOST).contains(seconds)) {
                Some(seconds) => Ok(Some(seconds)),
                None => Err(refused(format!("its claim `{name}` is no time in whole seconds"))),
            },
        }
    }

    /// Checks issuer, audience and times. Returns when the token ends, in seconds since 1970.
    pub fn check(&self, rules: &Rules<'_>, now: Time) -> Result<i64> {
        if self.needed("iss")? != rules.issuer {
            return Err(refused("it is of another issuer"));
        }
        self.check_audience(rules.audience)?;
        let now = now.micros().div_euclid(1_000_000);
        let missing = |name: &str| refused(format!("it has no claim `{name}`"));
        let (expires, issued) = (self.moment("exp")?, self.moment("iat")?);
        let (expires, issued) =
            (expires.ok_or_else(|| missing("exp"))?, issued.ok_or_else(|| missing("iat"))?);
        if expires + LEEWAY_SECONDS <= now {
            return Err(refused("it has expired"));
        }
        if issued - LEEWAY_SECONDS > now
            || self.moment("nbf")?.is_some_and(|from| from - LEEWAY_SECONDS > now)
        {
            return Err(refused("it is of a time that is not yet; compare the clocks"));
        }
        if expires <= issued || expires - issued > rules.lifetime {
            return Err(refused(format!(
                "it is good for {} s, and may be for {} s at most",
                expires - issued,
                rules.lifetime
            )));
        }
        Ok(expires)
    }

    /// It is for this audience and for no other: who else it is for could use it here.
    fn check_audience(&self, audience: &str) -> Result<()> {
        let only = match self.0.get("aud") {
            Some(Value::String(only)) => Some(only.as_str()),
            Some(Value::Array(all)) if all.len() == 1 => all[0].as_str(),
            Some(Value::Array(all)) if all.len() > 1 => {
                return Err(refused(format!("it is for {} audiences, and must be for one", all.len())));
            }
            _ => None,
        };
        match only {
            Some(only) if only == audience => Ok(()),
            Some(other) => {
                Err(refused(format!("it is for `{}`, and must be for `{audience}`", named(other))))
            }
            None => Err(refused("it does not say whom it is for")),
        }
    }
}

/// A JSON object in which no name comes twice, at any depth, and no text holds a NUL.
pub(super) fn strict_object(bytes: &[u8]) -> Result<BTreeMap<String, Value>> {
    let Strict(value) = serde_json::from_slice(bytes).map_err(|error| {
        // The parser repeats what it found, which may be the token's.
        let text = error.to_string();
        let known =
            ["a name comes twice", "a text holds a NUL"].into_iter().find(|known| text.contains(known));
        refused(format!("a part of it cannot be read: {}", known.unwrap_or("it is no JSON object")))
    })?;
    match value {
        Value::Object(map) => Ok(map.into_iter().collect()),
        _ => Err(refused("a part of it cannot be read: it is no JSON object")),
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

fn without_nul<E: serde::de::Error>(text: &str) -> std::result::Result<&str, E> {
    if text.contains('\0') { Err(E::custom("a text holds a NUL")) } else { Ok(text) }
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(without_nul(value)?.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Value, A::Error> {
        let mut map = serde_json::Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, Strict>()? {
            without_nul::<A::Error>(&name)?;
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a name comes twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_767_323_045;

    fn check(claims: Value) -> Result<i64> {
        let rules =
            Rules { issuer: "https://issuer.example", audience: "https://registry.example", lifetime: 3_600 };
        Claims::parse(claims.to_string().as_bytes())?.check(&rules, Time::from_micros(NOW * 1_000_000))
    }

    fn with(changes: Value) -> Value {
        let mut claims = json!({
            "iss": "https://issuer.example", "aud": "https://registry.example", "iat": NOW, "nbf": NOW, "exp": NOW + 300,
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    #[test]
    fn what_is_taken() {
        for changes in [
            json!({}),
            json!({ "aud": ["https://registry.example"] }),
            json!({ "nbf": null }),
            json!({ "exp": NOW + 3_600 }),
            // Clocks differ by up to a minute.
            json!({ "iat": NOW - 400, "exp": NOW - 59 }),
            json!({ "iat": NOW + 60, "nbf": NOW + 60 }),
        ] {
            assert!(check(with(changes.clone())).is_ok(), "{changes}");
        }
    }

    #[test]
    fn what_is_refused() {
        let mut shown = String::new();
        for changes in [
            json!({ "iss": null }),
            json!({ "iss": "https://issuer.example/" }),
            json!({ "iss": "https://ISSUER.example" }),
            json!({ "iss": ["https://issuer.example"] }),
            json!({ "aud": null }),
            json!({ "aud": [] }),
            json!({ "aud": "" }),
            json!({ "aud": "https://registry.example/" }),
            json!({ "aud": "https://other.example\u{1b}[31m" }),
            json!({ "aud": ["https://registry.example", "https://other.example"] }),
            json!({ "aud": ["https://registry.example", "https://registry.example"] }),
            json!({ "aud": { "https://registry.example": true } }),
            json!({ "exp": null }),
            json!({ "iat": null }),
            json!({ "exp": "soon" }),
            json!({ "exp": 1e300 }),
            json!({ "exp": NOW as f64 + 300.5 }),
            json!({ "exp": -1 }),
            json!({ "exp": i64::MAX }),
            json!({ "iat": NOW - 400, "exp": NOW - 60 }),
            json!({ "iat": NOW + 61, "exp": NOW + 300 }),
            json!({ "nbf": NOW + 61 }),
            json!({ "nbf": "now" }),
            json!({ "exp": NOW + 3_601 }),
            json!({ "iat": NOW, "exp": NOW }),
        ] {
            let refusal = check(with(changes.clone())).unwrap_err();
            shown += &format!("{changes}: {}\n", refusal.problem.detail);
        }
        insta::assert_snapshot!(shown);
    }
}
