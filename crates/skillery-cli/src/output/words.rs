//! Numbers, sizes and moments as people read them.

use skillery_core::time::Time;
use url::Url;

/// A registry's address as people write it.
pub(crate) fn registry_text(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// `1 version`, `2 versions`.
pub(crate) fn counted(number: impl Into<i128>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// A figure about users, or that it is withheld.
pub(crate) fn figure(figure: Option<u64>) -> String {
    figure.map_or_else(|| "withheld".to_owned(), |figure| figure.to_string())
}

/// A moment to the minute, in UTC.
pub(crate) fn moment(time: Time) -> String {
    match jiff::Timestamp::from_microsecond(time.micros()) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => time.to_string(),
    }
}

/// The moment of an RFC 3339 text; what is no such text stays as it is.
pub(crate) fn moment_in(text: &str) -> String {
    Time::try_from(text.to_owned()).map_or_else(|_| text.to_owned(), moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_moments() {
        assert_eq!(
            (size(12), size(2_048), size(3_145_728)),
            ("12 B".into(), "2.0 KiB".into(), "3.0 MiB".into())
        );
        assert_eq!(moment_in("2026-11-22T10:30:12.5Z"), "2026-11-22 10:30");
        assert_eq!(moment_in("soon"), "soon");
    }
}
