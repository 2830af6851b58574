//! Figures about few people, which are not told where the registry is so configured (`k`).
//!
//! A figure that is withheld must not be the difference of others that are told. So where a whole is told together with
//! its parts, either no part is withheld, or at least two are, and they are `k` or more together.

/// A whole and its parts, as they may be told: nothing where a figure is withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The sum of the parts.
    pub whole: Option<u64>,
    /// The parts, in their order.
    pub parts: Vec<Option<u64>>,
}

/// A figure by itself.
pub(super) fn alone(figure: u64, k: u32) -> Option<u64> {
    // That there is nobody tells of nobody.
    (figure == 0 || figure >= u64::from(k)).then_some(figure)
}

/// A whole with its parts.
pub(super) fn with_parts(parts: &[u64], k: u32) -> Told {
    let mut told: Vec<Option<u64>> = parts.iter().map(|part| alone(*part, k)).collect();
    let whole = parts.iter().sum();
    let withheld = |told: &[Option<u64>]| {
        let hidden = parts.iter().zip(told).filter(|(_, told)| told.is_none());
        hidden.fold((0_u64, 0_u64), |(count, sum), (part, _)| (count + 1, sum + part))
    };
    loop {
        let (count, sum) = withheld(&told);
        if count == 0 || (count >= 2 && sum >= u64::from(k)) {
            return Told { whole: alone(whole, k), parts: told };
        }
        // The smallest that is told goes with those that are not.
        let smallest = (0..parts.len()).filter(|at| told[*at].is_some_and(|part| part > 0));
        match smallest.min_by_key(|at| parts[*at]) {
            Some(at) => told[at] = None,
            None => return Told { whole: None, parts: told },
        }
    }
}

/// Figures of the same users within a week, a month and at any time: first of some skills, then of these and others, each with
/// its `k`. None is told that tells of few, by itself or by how it differs from one that is told and is within it.
pub(super) fn one_within_another(figures: [u64; 6], k: [u32; 2]) -> [Option<u64>; 6] {
    let mut told = [None; 6];
    for at in 0..figures.len() {
        let k = k[at / 3];
        let within = (0..at).filter(|part| part / 3 <= at / 3 && part % 3 <= at % 3);
        let mut others = within.filter_map(|part| told[part]).map(|part| figures[at].saturating_sub(part));
        told[at] = alone(figures[at], k).filter(|_| others.all(|other| alone(other, k).is_some()));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_not_told_of() {
        assert_eq!([0, 4, 5].map(|figure| alone(figure, 5)), [Some(0), None, Some(5)]);
        assert_eq!(alone(1, 1), Some(1));
        assert_eq!(alone(1, 0), Some(1));
    }

    #[test]
    fn what_is_withheld_is_no_difference_of_what_is_told() {
        for k in [0, 1, 2, 3, 5, 10] {
            for first in 0..7_u64 {
                for second in 0..7_u64 {
                    for third in [0, 1, 4, 9, 30] {
                        let parts = [first, second, third, 12];
                        let told = with_parts(&parts, k);
                        let hidden: Vec<u64> = parts
                            .iter()
                            .zip(&told.parts)
                            .filter(|(_, told)| told.is_none())
                            .map(|(part, _)| *part)
                            .collect();
                        for (part, told) in parts.iter().zip(&told.parts) {
                            assert!(
                                told.is_none_or(|told| told == *part && (told == 0 || told >= u64::from(k)))
                            );
                        }
                        if told.whole.is_some() && !hidden.is_empty() {
                            assert!(
                                hidden.len() >= 2 && hidden.iter().sum::<u64>() >= u64::from(k),
                                "{parts:?} {told:?}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn no_board_less_another_is_of_few() {
        let none = [None; 3];
        let with = |first: [Option<u64>; 3], then: [Option<u64>; 3]| [first, then].concat();
        let seven_of_nine = one_within_another([0, 7, 9, 0, 7, 9], [5, 5]);
        assert_eq!(seven_of_nine.to_vec(), with([Some(0), Some(7), None], [Some(0), Some(7), None]));
        // Neither of internal skills beside public ones, nor with a step between that is not told.
        let internal = one_within_another([5, 5, 5, 5, 8, 10], [5, 5]);
        assert_eq!(internal.to_vec(), with([Some(5); 3], [Some(5), None, Some(10)]));
        assert_eq!(one_within_another([1, 2, 3, 1, 2, 4], [1, 1]).map(|told| told.is_some()), [true; 6]);
        assert_eq!(one_within_another([4; 6], [5, 5]).to_vec(), with(none, none));
    }

    #[test]
    fn one_that_is_small_takes_the_next_with_it() {
        let told = with_parts(&[100, 2, 7, 0], 5);
        assert_eq!(told, Told { whole: Some(109), parts: vec![Some(100), None, None, Some(0)] });
        assert_eq!(with_parts(&[2], 5), Told { whole: None, parts: vec![None] });
        assert_eq!(with_parts(&[2, 1], 5), Told { whole: None, parts: vec![None, None] });
        assert_eq!(with_parts(&[2, 3], 5), Told { whole: Some(5), parts: vec![None, None] });
        assert_eq!(with_parts(&[2, 3], 1), Told { whole: Some(5), parts: vec![Some(2), Some(3)] });
    }
}
