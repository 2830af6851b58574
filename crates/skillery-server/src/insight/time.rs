//! Days, and the weeks and months that they are put together to. Days are counted from 1970-01-01.

use jiff::civil::Date;
use skillery_core::api::Unit;

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// A day of the calendar. One that no calendar has is the nearest that it has.
fn date(day: i64) -> Date {
    use jiff::ToSpan;
    EPOCH.checked_add(day.clamp(-4_000_000, 2_900_000).days()).unwrap_or(EPOCH)
}

fn number(date: Date) -> i64 {
    date.duration_since(EPOCH).as_hours() / 24
}

/// The first day of the unit that a day is in.
pub fn start_of(unit: Unit, day: i64) -> i64 {
    match unit {
        Unit::Day => day,
        // 1970 began on a Thursday.
        Unit::Week => day - (day + 3).rem_euclid(7),
        Unit::Month => number(date(day).first_of_month()),
    }
}

/// The first day of the unit after the one that begins on this day.
pub(super) fn after(unit: Unit, start: i64) -> i64 {
    match unit {
        Unit::Day => start + 1,
        Unit::Week => start + 7,
        Unit::Month => number(date(start).last_of_month()) + 1,
    }
}

/// A day as `2026-11-25`.
pub(super) fn text(day: i64) -> String {
    date(day).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_begin_where_a_calendar_says() {
        // 2026-01-02 was a Friday.
        let day = number(jiff::civil::date(2026, 1, 2));
        let starts = Unit::ALL.iter().map(|unit| text(start_of(*unit, day))).collect::<Vec<_>>();
        assert_eq!(starts, ["2026-01-02", "2025-12-29", "2026-01-01"]);
        for day in -800..40_000 {
            for unit in Unit::ALL {
                let start = start_of(*unit, day);
                let next = after(*unit, start);
                assert!(start <= day && day < next, "{unit} {day}");
                assert_eq!(start_of(*unit, next), next);
                assert_eq!(start_of(*unit, next - 1), start);
            }
        }
    }
}
