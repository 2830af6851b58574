//! An entry in few words, for ways that take no more, or that do not take what strangers wrote into it.

use skillery_core::api::AuditEntry;

/// Characters of each text.
const MAX_TEXT: usize = 100;

/// The entry without what its log entry says, the names of clients, and with short texts: its number says where the rest is. It is
/// less than 8 KiB, however its letters are escaped.
pub fn brief(entry: AuditEntry) -> AuditEntry {
    let cut = |text: Option<String>| {
        text.map(|text| {
            text.chars().map(|letter| if is_plain(letter) { letter } else { '?' }).take(MAX_TEXT).collect()
        })
    };
    AuditEntry {
        action: cut(Some(entry.action)).unwrap_or_default(),
        actor: cut(entry.actor),
        actor_id: cut(entry.actor_id),
        subject: cut(entry.subject),
        version: cut(entry.version),
        namespace: cut(entry.namespace),
        affected: cut(entry.affected),
        code: cut(entry.code),
        via: cut(entry.via),
        token: cut(entry.token),
        address: cut(entry.address),
        request: cut(entry.request),
        event: None,
        agent: None,
        ..entry
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || " -_.:/{}@+".contains(letter)
}

#[cfg(test)]
mod tests {
    use skillery_core::api::AuditOutcome;
    use skillery_core::time::Time;

    use super::*;

    #[test]
    fn it_is_short_whatever_stands_in_it() {
        for letter in ["\u{1}", "\u{1F600}", "\u{2028}", "<", "'", "a"] {
            let text = || Some(letter.repeat(5_000));
            let entry = AuditEntry {
                id: i64::MAX,
                time: Time::from_micros(0),
                last_time: Time::from_micros(0),
                times: i64::MAX,
                outcome: AuditOutcome::Denied,
                action: text().unwrap_or_default(),
                actor: text(),
                actor_id: text(),
                subject: text(),
                version: text(),
                namespace: text(),
                affected: text(),
                code: text(),
                log_index: Some(7),
                event: None,
                via: text(),
                token: text(),
                address: text(),
                agent: text(),
                request: text(),
            };
            let said = serde_json::to_string(&brief(entry)).unwrap();
            assert!(said.len() < 8 * 1024 - 512, "{} bytes of {letter:?}", said.len());
            assert!(
                said.contains("\"log_index\":7") && !said.contains('<') && !said.contains('\''),
                "{said}"
            );
        }
    }
}
