//! Which versions a snapshot had, as a text: numbers of log entries in order, each as what it is above the one before.
//!
//! Most snapshots differ little from one that came before, and say only that.

use crate::failure::{Failure, Result};

/// A snapshot that differs in more than this from its base, or in more than the root of its size, says all.
const FEW: usize = 32;

/// All of these. They must be in order.
pub fn all(positions: &[i64]) -> String {
    let mut before = 0;
    let gaps = positions.iter().map(|position| {
        let gap = position - before;
        before = *position;
        gap.to_string()
    });
    gaps.collect::<Vec<_>>().join(",")
}

/// What is in `positions` and not in `base`, and the other way round, if that is little. Both must be in order.
pub fn difference(positions: &[i64], base: &[i64]) -> Option<String> {
    let missing = |from: &[i64], other: &[i64]| -> Vec<i64> {
        from.iter().filter(|position| other.binary_search(position).is_err()).copied().collect()
    };
    let (more, less) = (missing(positions, base), missing(base, positions));
    let few = FEW.max(positions.len().isqrt());
    (more.len() + less.len() <= few).then(|| format!("{};{}", all(&more), all(&less)))
}

/// Reads what [`all`] has written.
pub fn read(text: &str) -> Result<Vec<i64>> {
    let mut position = 0_i64;
    let read = |gap: &str| {
        let gap: i64 =
            gap.parse().map_err(|error| Failure::internal(format!("position `{gap}`: {error}")))?;
        position = position.saturating_add(gap);
        Ok(position)
    };
    text.split(',').filter(|gap| !gap.is_empty()).map(read).collect()
}

/// Reads what [`difference`] has written.
pub fn apply(text: &str, base: &[i64]) -> Result<Vec<i64>> {
    let (more, less) = text.split_once(';').ok_or_else(|| Failure::internal("a snapshot has no `;`"))?;
    let (more, less) = (read(more)?, read(less)?);
    let kept = base.iter().filter(|position| less.binary_search(position).is_err()).copied();
    let mut positions: Vec<i64> = kept.chain(more).collect();
    positions.sort_unstable();
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_they_are_stored() {
        assert_eq!(all(&[3, 7, 8]), "3,4,1");
        assert_eq!(difference(&[3, 8, 9], &[3, 7, 8]).as_deref(), Some("9;7"));
        assert_eq!(read("").unwrap(), Vec::<i64>::new());
        assert!(read("3,x").is_err());
        assert!(apply("3", &[]).is_err());
        let many: Vec<i64> = (0..100).collect();
        assert_eq!(difference(&many, &[]), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            positions in proptest::collection::btree_set(0..1_000_i64, 0..40),
            base in proptest::collection::btree_set(0..1_000_i64, 0..40),
        ) {
            let list = |set: &BTreeSet<i64>| set.iter().copied().collect::<Vec<_>>();
            let (positions, base) = (list(&positions), list(&base));
            prop_assert_eq!(read(&all(&positions)).unwrap(), positions.clone());
            if let Some(text) = difference(&positions, &base) {
                prop_assert_eq!(apply(&text, &base).unwrap(), positions);
            }
        }
    }
}
