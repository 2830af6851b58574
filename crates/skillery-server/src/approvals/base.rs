//! Which version a new one is compared with: for its lines and for what it asks to be allowed, by people and by policies.

use skillery_core::Version;

use crate::db::review::HandedOut;

/// The version that this one follows, of those that were handed out before, the last first.
///
/// It is the last one that reviewers approved: the highest below it, else the one that was published last; where they approved none, that
/// of all. What was released by force alone is none, nor is a prerelease for a version that is none: what nobody has approved is new.
pub fn base<'a>(before: &'a [HandedOut], version: &Version) -> Option<&'a Version> {
    let fits = |other: &&HandedOut| {
        !other.is_only_forced && (version.is_prerelease() || !other.version.is_prerelease())
    };
    let of = |is_approved: bool| {
        let versions = move || {
            let fitting = before.iter().filter(fits).filter(move |other| other.is_approved || !is_approved);
            fitting.map(|other| &other.version)
        };
        versions().filter(|other| *other < version).max().or_else(|| versions().next())
    };
    of(true).or_else(|| of(false))
}

#[cfg(test)]
mod tests {
    use skillery_core::VersionStatus;

    use super::*;

    #[test]
    fn a_version_follows_the_last_that_was_approved() {
        // `+` of those that were approved, `!` of those that were released by force; the last first.
        let base = |before: &[&str], version: &str| {
            let one = |text: &&str| HandedOut {
                version: text.trim_end_matches(['+', '!']).parse().unwrap(),
                status: VersionStatus::Published,
                is_approved: text.ends_with('+'),
                is_only_forced: text.ends_with('!'),
            };
            let before: Vec<HandedOut> = before.iter().map(one).collect();
            base(&before, &version.parse().unwrap()).map(ToString::to_string)
        };
        let some = |version: &str| Some(version.to_owned());
        assert_eq!(base(&[], "1.0.0"), None);
        assert_eq!(base(&["2.0.0+", "1.0.0+"], "1.0.1"), some("1.0.0"));
        assert_eq!(base(&["1.0.1", "1.0.0+"], "1.0.2"), some("1.0.0"));
        assert_eq!(base(&["1.0.1!", "1.0.0"], "1.0.2"), some("1.0.0"));
        assert_eq!(base(&["1.0.0!"], "1.0.1"), None);
        assert_eq!(base(&["1.0.1", "1.0.0"], "1.0.2"), some("1.0.1"));
        assert_eq!(base(&["2.0.0+", "3.0.0+"], "1.0.0"), some("2.0.0"));
        assert_eq!(base(&["1.1.0-rc.1+", "1.0.0+"], "1.1.0"), some("1.0.0"));
        assert_eq!(base(&["1.1.0-rc.1+", "1.0.0+"], "1.1.0-rc.2"), some("1.1.0-rc.1"));
        assert_eq!(base(&["1.0.0-rc.1+"], "1.0.0"), None);
    }
}
