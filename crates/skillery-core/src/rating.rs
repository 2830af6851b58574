//! A rating: a number from 1 to 5, kept to one decimal.

use serde::{Deserialize, Serialize};

/// From 1.0 to 5.0 in tenths, so that sums are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rating(u8);

/// The number is no rating.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0} is no rating: use a number from 1 to 5")]
pub struct RatingError(pub f64);

impl Rating {
    /// 10 to 50.
    pub fn tenths(self) -> i64 {
        i64::from(self.0)
    }

    /// From tenths as they are stored.
    pub fn from_tenths(tenths: i64) -> Option<Self> {
        u8::try_from(tenths).ok().filter(|tenths| (10..=50).contains(tenths)).map(Self)
    }

    /// Which bar of the histogram it counts in: 1 to 5 stars, halves rounded up.
    pub fn stars(self) -> usize {
        usize::from((self.0 + 5) / 10)
    }

    /// The exact mean of `count` ratings that sum to `sum_tenths`; 0 when there are none.
    pub fn average(sum_tenths: i64, count: i64) -> f64 {
        if count == 0 { 0.0 } else { sum_tenths as f64 / (10 * count) as f64 }
    }
}

impl TryFrom<f64> for Rating {
    type Error = RatingError;

    fn try_from(number: f64) -> Result<Self, RatingError> {
        if (1.0..=5.0).contains(&number) {
            Ok(Self((number * 10.0).round() as u8))
        } else {
            Err(RatingError(number))
        }
    }
}

impl From<Rating> for f64 {
    fn from(rating: Rating) -> f64 {
        f64::from(rating.0) / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_decimal_is_kept() {
        assert_eq!(Rating::try_from(4.5).unwrap().tenths(), 45);
        assert_eq!(f64::from(Rating::try_from(4.449).unwrap()), 4.4);
        assert_eq!(Rating::try_from(4.5).unwrap().stars(), 5);
        assert_eq!(Rating::try_from(1.4).unwrap().stars(), 1);
        for bad in [0.0, 0.99, 5.01, 6.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Rating::try_from(bad).is_err(), "{bad}");
        }
        assert_eq!(Rating::average(90, 2), 4.5);
        assert_eq!(Rating::average(0, 0), 0.0);
    }
}
