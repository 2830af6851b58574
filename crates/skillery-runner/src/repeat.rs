//! How a step is repeated: for each item of a list, and after a failure.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Items of a `foreach` that does not say how many may come.
const DEFAULT_ITEMS: usize = 1_000;
/// Items of any `foreach`.
pub(crate) const MAX_ITEMS: usize = 10_000;

/// Attempts after the first, and the waits before them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(with = "RetryShape")]
pub struct Retry {
    /// Attempts after the first.
    pub limit: u32,
    /// Seconds before the first of them.
    pub delay_seconds: f64,
    /// What the wait is multiplied by from one to the next.
    pub backoff: f64,
    /// No wait is longer.
    pub max_delay_seconds: f64,
    /// How far a wait may be off, as a part of itself, so that steps that failed together do not all return together.
    pub jitter: f64,
}

/// A list that a step runs through.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(with = "ForeachShape")]
pub struct Foreach {
    /// A list, or a text with a reference to one.
    pub items: Value,
    /// How many items there may be; more are an error.
    pub max_items: usize,
    /// How many of them may run at once; no more than the run lets anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<NonZeroUsize>,
}

/// How it may be written: a number, or all of it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum RetryShape {
    /// Attempts after the first.
    Limit(u32),
    /// More than the number.
    Whole(RetryForm),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RetryForm {
    /// Attempts after the first, at most 100.
    limit: u32,
    /// Seconds before the first of them.
    delay_seconds: f64,
    /// What the wait is multiplied by from one to the next.
    backoff: f64,
    /// No wait is longer.
    max_delay_seconds: f64,
    /// How far a wait may be off, as a part of itself.
    jitter: f64,
}

/// How it may be written: the list alone, or all of it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ForeachShape {
    /// A reference to a list.
    Reference(String),
    /// The list itself.
    List(Vec<Value>),
    /// More than the list.
    Whole(ForeachForm),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ForeachForm {
    /// A list, or a text with a reference to one.
    items: Value,
    /// How many items there may be, at most 10,000; more are an error.
    #[serde(default = "default_items")]
    max_items: usize,
    /// How many of them may run at once.
    #[serde(default)]
    max_parallel: Option<NonZeroUsize>,
}

fn default_items() -> usize {
    DEFAULT_ITEMS
}

impl Default for Retry {
    fn default() -> Self {
        Self { limit: 3, delay_seconds: 1.0, backoff: 2.0, max_delay_seconds: 300.0, jitter: 0.25 }
    }
}

impl Default for RetryForm {
    fn default() -> Self {
        let Retry { limit, delay_seconds, backoff, max_delay_seconds, jitter } = Retry::default();
        Self { limit, delay_seconds, backoff, max_delay_seconds, jitter }
    }
}

impl Retry {
    const MAX_LIMIT: u32 = 100;
    const MAX_SECONDS: f64 = 3_600.0;
    const MAX_BACKOFF: f64 = 100.0;

    /// No second attempt.
    pub(crate) fn none() -> Self {
        Self { limit: 0, ..Self::default() }
    }

    /// What is out of its range.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let seconds = 0.0..=Self::MAX_SECONDS;
        let mut wrong = Vec::new();
        if self.limit > Self::MAX_LIMIT {
            wrong.push(format!("`retry` is at most {}", Self::MAX_LIMIT));
        }
        for (name, value) in
            [("delay_seconds", self.delay_seconds), ("max_delay_seconds", self.max_delay_seconds)]
        {
            if !seconds.contains(&value) {
                wrong.push(format!("`retry.{name}` is from 0 to {}", Self::MAX_SECONDS));
            }
        }
        if !(1.0..=Self::MAX_BACKOFF).contains(&self.backoff) {
            wrong.push(format!("`retry.backoff` is from 1 to {}", Self::MAX_BACKOFF));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            wrong.push("`retry.jitter` is from 0 to 1".to_owned());
        }
        wrong
    }

    /// The wait behind an attempt, counted from 1. `random` is from 0 to 1.
    pub(crate) fn delay(&self, attempt: u32, random: f64) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = (self.delay_seconds * self.backoff.powi(exponent)).min(self.max_delay_seconds);
        let varied = seconds * (1.0 + self.jitter * (2.0 * random - 1.0));
        Duration::try_from_secs_f64(varied).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Retry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Retry;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number of retries, or `limit` and others by name")
            }

            fn visit_u64<E: serde::de::Error>(self, limit: u64) -> Result<Retry, E> {
                // What is too much for the type is too much for the check, too.
                Ok(Retry { limit: u32::try_from(limit).unwrap_or(u32::MAX), ..Retry::default() })
            }

            fn visit_i64<E: serde::de::Error>(self, limit: i64) -> Result<Retry, E> {
                let limit = u64::try_from(limit)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(limit), &self))?;
                self.visit_u64(limit)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Retry, A::Error> {
                let RetryForm { limit, delay_seconds, backoff, max_delay_seconds, jitter } =
                    RetryForm::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Retry { limit, delay_seconds, backoff, max_delay_seconds, jitter })
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for Foreach {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Foreach;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list, a reference to one, or `items` and others by name")
            }

            fn visit_str<E>(self, reference: &str) -> Result<Foreach, E> {
                Ok(Foreach::of(reference.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Foreach, A::Error> {
                Ok(Foreach::of(Value::deserialize(SeqAccessDeserializer::new(items))?))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Foreach, A::Error> {
                let ForeachForm { items, max_items, max_parallel } =
                    ForeachForm::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Foreach { items, max_items, max_parallel })
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl Foreach {
    /// With the default bounds.
    pub fn of(items: Value) -> Self {
        Self { items, max_items: DEFAULT_ITEMS, max_parallel: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_vary() {
        let retry = Retry::default();
        assert_eq!(retry.delay(1, 0.5), Duration::from_secs(1));
        assert_eq!(retry.delay(4, 0.5), Duration::from_secs(8));
        assert_eq!(retry.delay(1, 0.0), Duration::from_millis(750));
        assert_eq!(retry.delay(1_000, 1.0), Duration::from_secs(375));
        let steady = Retry { backoff: 1.0, jitter: 0.0, ..Retry::default() };
        assert_eq!(steady.delay(7, 0.9), Duration::from_secs(1));
    }

    #[test]
    fn both_may_be_written_short() {
        let retry = |value: Value| serde_json::from_value::<Retry>(value).map_err(|error| error.to_string());
        assert_eq!(retry(json!(5)).unwrap(), Retry { limit: 5, ..Retry::default() });
        assert_eq!(retry(json!({"jitter": 0.0})).unwrap(), Retry { jitter: 0.0, ..Retry::default() });
        assert!(retry(json!(-1)).unwrap_err().contains("expected a number of retries"));
        assert!(retry(json!("x")).unwrap_err().contains("expected a number of retries"));
        assert!(retry(json!({"times": 1})).unwrap_err().contains("unknown field `times`"));
        let foreach = |value: Value| serde_json::from_value::<Foreach>(value).unwrap();
        assert_eq!(foreach(json!("${x}")), Foreach::of(json!("${x}")));
        assert_eq!(foreach(json!([1, 2])), Foreach::of(json!([1, 2])));
        let bounded = foreach(json!({"items": "${x}", "max_items": 3, "max_parallel": 1}));
        assert_eq!((bounded.max_items, bounded.max_parallel), (3, NonZeroUsize::new(1)));
    }
}
