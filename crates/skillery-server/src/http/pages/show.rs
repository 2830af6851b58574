//! How numbers and times are written on pages. Templates hand over values and references to them alike.

use std::borrow::Borrow;

use jiff::Timestamp;
use skillery_core::api::ReportReason;
use skillery_core::approval::Fact;
use skillery_core::time::Time;

use super::pager::fitting_rows;
use super::place;
use crate::search::Counted;

/// How many there are of something.
pub trait Count {
    /// The number.
    fn number(&self) -> i64;
}

impl Count for i64 {
    fn number(&self) -> i64 {
        *self
    }
}

impl Count for usize {
    fn number(&self) -> i64 {
        i64::try_from(*self).unwrap_or(i64::MAX)
    }
}

impl Count for u64 {
    fn number(&self) -> i64 {
        i64::try_from(*self).unwrap_or(i64::MAX)
    }
}

impl Count for u32 {
    fn number(&self) -> i64 {
        i64::from(*self)
    }
}

impl<T: Count> Count for &T {
    fn number(&self) -> i64 {
        (**self).number()
    }
}

/// The first characters of a text, and how many there are besides; nothing where it has no more.
pub fn cut(text: &str, most: usize) -> Option<(&str, usize)> {
    let (end, _) = text.char_indices().nth(most)?;
    let (start, rest) = text.split_at(end);
    Some((start, rest.chars().count()))
}

/// A text of which a list shows the first characters.
pub fn clipped(text: &str, most: usize) -> String {
    cut(text, most).map_or_else(|| text.to_owned(), |(start, _)| format!("{start}…"))
}

/// The same of no more characters than so many bytes of HTML have room for.
pub fn clipped_to(text: &str, most: usize, mut room: usize) -> String {
    let fits = text.chars().take(most).take_while(|character| {
        let left = room.checked_sub(weight(character.encode_utf8(&mut [0; 4])));
        room = left.unwrap_or(0);
        left.is_some()
    });
    clipped(text, fits.count())
}

/// What a text weighs as HTML, at most nearly.
pub fn weight(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| b"<>&\"'".contains(byte)).count() * 4
}

/// Bytes of HTML that a tag takes where it is a link, at most nearly.
pub fn tag_weight(tag: &str) -> usize {
    place::encoded(tag).len() + weight(tag) + 50
}

/// The tags of a skill that a list shows: five, or fewer where they are long.
pub fn few_tags(tags: &[String]) -> impl Iterator<Item = &String> {
    let mut room = 500_usize;
    tags.iter().take(5).filter(move |tag| {
        let left = room.checked_sub(tag_weight(tag));
        room = left.unwrap_or(room);
        left.is_some()
    })
}

/// As many of the tags, with how many skills have each, as so many bytes of HTML have room for.
pub fn fitting_tags(tags: &mut Vec<Counted>, room: usize) {
    const COUNT: usize = 50;
    tags.truncate(fitting_rows(tags.iter(), room, |(tag, _)| COUNT + tag_weight(tag)));
}

/// What is true of a version, or has to be, for a policy to ask for something.
pub fn fact(fact: Fact) -> &'static str {
    match fact {
        Fact::FirstVersion => "no version of its skill was released before",
        Fact::NewPermissions => "it asks for new permissions",
        Fact::FindingsNote => "the rules find something",
        Fact::FindingsWarning => "the rules find a warning",
        Fact::FindingsError => "the rules find an error",
        Fact::ExternalDependency => "it needs a skill of another org",
        Fact::Public => "everybody sees the skill",
        Fact::Patch => "it is a patch",
    }
}

/// A mean, or a part of something.
pub trait Real {
    /// The number.
    fn real(&self) -> f64;
}

impl Real for f64 {
    fn real(&self) -> f64 {
        *self
    }
}

impl<T: Real> Real for &T {
    fn real(&self) -> f64 {
        (**self).real()
    }
}

/// A count with blanks between thousands that do not break.
pub fn count(number: impl Count) -> String {
    let number = number.number();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// One of two words, by how many there are.
pub fn plural(number: impl Count, one: &str, many: &str) -> String {
    let number = number.number();
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A figure about users, or that it is withheld: it may be more than few, where another would tell of few beside it.
pub fn withheld(figure: impl Borrow<Option<u64>>) -> String {
    figure.borrow().map_or_else(|| "withheld".to_owned(), count)
}

/// As much of a sum as is told, and whether there is more.
pub fn at_least(told: impl Count, withholds: impl Borrow<bool>) -> String {
    match (told.number(), *withholds.borrow()) {
        (0, true) => "withheld".to_owned(),
        (told, true) => format!("{} or more", count(told)),
        (told, false) => count(told),
    }
}

/// A part of a whole.
pub fn percent(part: impl Real) -> String {
    let percent = part.real() * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        few if few < 1.0 => "under 1 %".to_owned(),
        // Not all of it is not all of it.
        many if many > 99.0 && many < 100.0 => "99 %".to_owned(),
        other => format!("{other:.0} %"),
    }
}

/// Bytes, as people say them.
pub fn bytes(size: impl Borrow<u64>) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    let size = *size.borrow();
    if size < 1_000 {
        return plural(size, "byte", "bytes");
    }
    let mut value = size as f64 / 1_000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// A mean of ratings with one decimal.
pub fn rating(mean: impl Real) -> String {
    format!("{:.1}", mean.real())
}

/// Five stars, as many of them full as the rating says.
pub fn stars(mean: impl Real) -> String {
    let full = mean.real().round().clamp(0.0, 5.0) as usize;
    "★".repeat(full) + &"☆".repeat(5 - full)
}

/// A day, as everybody writes it alike.
pub fn day(time: impl Borrow<Time>) -> String {
    time.borrow().to_string().chars().take(10).collect()
}

/// How long ago a moment is, roughly.
pub fn ago(now: impl Borrow<Time>, then: impl Borrow<Time>) -> String {
    let seconds = (now.borrow().micros() - then.borrow().micros()).max(0) / 1_000_000;
    let (number, one, many) = match seconds {
        0..=59 => return "just now".to_owned(),
        60..=3_599 => (seconds / 60, "minute", "minutes"),
        3_600..=86_399 => (seconds / 3_600, "hour", "hours"),
        86_400..=2_591_999 => (seconds / 86_400, "day", "days"),
        2_592_000..=31_535_999 => (seconds / 2_592_000, "month", "months"),
        _ => (seconds / 31_536_000, "year", "years"),
    };
    format!("{} ago", plural(number, one, many))
}

/// How long ago a moment is that is known to the hour: it may seem to be before what it came after.
pub fn hours_ago(now: impl Borrow<Time>, then: impl Borrow<Time>) -> String {
    let (now, then) = (now.borrow(), then.borrow());
    match now.micros() - then.micros() {
        ..3_600_000_000 => "within the hour".to_owned(),
        _ => ago(now, then),
    }
}

/// A moment out of a record, where times are texts.
pub fn time(text: &str) -> Time {
    text.parse::<Timestamp>().map_or(Time::from_micros(0), |time| Time::from_micros(time.as_microsecond()))
}

/// Why something is reported, as whoever reports it says it.
pub fn complaint(reason: &ReportReason) -> &'static str {
    match reason {
        ReportReason::Spam => "It is advertising",
        ReportReason::Abuse => "It attacks people",
        ReportReason::Malicious => "It harms who installs it",
        ReportReason::Rights => "Somebody else has the rights to it",
        ReportReason::Privacy => "It has data of people",
        ReportReason::Other => "Something else",
    }
}

/// A text as HTML, where what stands between backticks is code.
pub fn coded(text: impl AsRef<str>) -> String {
    let parts: Vec<String> = text.as_ref().split('`').map(escaped).collect();
    let mut html = String::new();
    for (place, part) in parts.iter().enumerate() {
        match (place % 2 == 1, place + 1 == parts.len()) {
            // The last one has no partner.
            (true, true) => html += &format!("`{part}"),
            (true, false) => html += &format!("<code>{part}</code>"),
            (false, _) => html += part,
        }
    }
    html
}

/// A text as it stands in HTML, between tags and in attributes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code() {
        assert_eq!(
            coded("there is no `a<b` & no `x`."),
            "there is no <code>a&lt;b</code> &amp; no <code>x</code>."
        );
        assert_eq!(coded("a ` b `c` d `"), "a <code> b </code>c<code> d </code>");
        assert_eq!(coded("one ` is none"), "one ` is none");
    }

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(count(0_i64), "0");
        assert_eq!(count(-1_234_567_i64), "−1\u{202f}234\u{202f}567");
        assert_eq!(plural(1_i64, "skill", "skills"), "1 skill");
        assert_eq!(
            [1, 999, 1_000, 999_999, 52_428_800_u64].map(bytes),
            ["1 byte", "999 bytes", "1.0 KB", "1.0 MB", "52 MB"]
        );
        assert_eq!(stars(3.5), "★★★★☆");
        assert_eq!(
            [0.0, 0.004, 0.125, 0.996, 1.0].map(percent),
            ["0 %", "under 1 %", "12 %", "99 %", "100 %"]
        );
        assert_eq!([Some(0), Some(7), None].map(withheld), ["0", "7", "withheld"]);
        let sums = [(0, false), (0, true), (300, true)].map(|(told, more)| at_least(told as u64, more));
        assert_eq!(sums, ["0", "withheld", "300 or more"]);
        let now = time("2026-01-02T03:04:05Z");
        assert_eq!(day(now), "2026-01-02");
        for (seconds, text) in
            [(-5, "just now"), (59, "just now"), (60, "1 minute ago"), (90_000, "1 day ago")]
        {
            assert_eq!(ago(now.plus_seconds(seconds), now), text);
        }
        let hours = [-5, 3_599, 3_600].map(|seconds| hours_ago(now.plus_seconds(seconds), now));
        assert_eq!(hours, ["within the hour", "within the hour", "1 hour ago"]);
    }
}
