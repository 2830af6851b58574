//! Digests: what is not read and was not mailed, once a day or a week.
//!
//! Which period was mailed, and up to which user, stands in the database and changes with what is to be mailed: no user gets two
//! mails of one period, however many servers there are and wherever one of them stops.

use skillery_core::MailMode;
use skillery_core::time::{DAY_SECONDS, Time};

use super::follow::kinds_of;
use crate::app::App;
use crate::db::deliveries::{self, Channel, NewDelivery};
use crate::db::{mail, notifications, registry, told};
use crate::failure::Result;

/// Users who are looked at together.
const USERS: i64 = 50;
/// Notifications that go into one digest.
const MOST: i64 = 1_000;
/// Notifications after which a transaction has enough.
const ROWS: usize = 1_000;
/// Days from the first of 1970 to the first Monday.
const MONDAY: i64 = 4;
/// What stands for the last user of a period.
const ALL: &str = "*";

/// Makes the digests whose time has come.
pub async fn digests(app: &App) -> Result<()> {
    if app.mailer.is_none() {
        return Ok(());
    }
    for mode in [MailMode::Daily, MailMode::Weekly] {
        while !app.is_stopping() && some(app, mode).await? {}
    }
    Ok(())
}

/// The number of the period that has begun last, which is mailed once it has.
fn period(mode: MailMode, now: Time, hour: u8) -> i64 {
    let seconds = now.micros().div_euclid(1_000_000) - i64::from(hour) * 3_600;
    let days = seconds.div_euclid(DAY_SECONDS);
    if mode == MailMode::Weekly { (days - MONDAY).div_euclid(7) } else { days }
}

/// Makes those of some more users; false when all are made.
async fn some(app: &App, mode: MailMode) -> Result<bool> {
    let period = period(mode, app.environment.now(), app.settings.digest_hour);
    let name = format!("digest-{mode}");
    let written = registry::read(&app.db, &name).await?;
    let state = written.as_deref().and_then(|text| text.split_once(' '));
    let state = state.and_then(|(last, after)| Some((last.parse::<i64>().ok()?, after.to_owned())));
    let after = match &state {
        // Somebody has just begun to send mail: what happened before is no news.
        None => ALL.to_owned(),
        Some((last, after)) if *last >= period && after == ALL => return Ok(false),
        Some((last, after)) if *last >= period => after.clone(),
        // Of a period that was not finished the rest comes with this one.
        Some(_) => String::new(),
    };
    let (digests, next) = gather(app, mode, after).await?;
    let is_last = next == ALL;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                if registry::value(tx, &name).await? != written {
                    // Another server has made these.
                    return Ok(());
                }
                registry::set(tx, &name, &format!("{period} {next}")).await?;
                let mut send = Vec::new();
                for Digest { id, user, holds } in digests {
                    notifications::set_mail(tx, &holds, &id).await?;
                    send.push(NewDelivery {
                        id,
                        channel: Channel::Digest,
                        user,
                        webhook: None,
                        kind: mode.as_str().to_owned(),
                        source: format!("digest:{mode}:{period}"),
                        notification: None,
                        body: Some(mode.as_str().to_owned()),
                        next_at: tx.now,
                    });
                }
                deliveries::insert(tx, &send).await
            })
        })
        .await?;
    app.due.tell();
    Ok(!is_last)
}

/// What is mailed to one user.
struct Digest {
    id: String,
    user: String,
    /// The numbers of what it tells.
    holds: Vec<i64>,
}

/// What is mailed to the users behind this one, as much as goes into one transaction, and the last user who was looked at. Whom there is
/// nothing to tell costs none.
async fn gather(app: &App, mode: MailMode, after: String) -> Result<(Vec<Digest>, String)> {
    let (mut digests, mut rows, mut last) = (Vec::new(), 0, after);
    while last != ALL && !app.is_stopping() {
        let users = mail::reachable_after(&app.db, &last, USERS).await?;
        let is_end = i64::try_from(users.len()).is_ok_and(|count| count < USERS);
        let ids: Vec<String> = users.iter().map(|(user, _)| user.clone()).collect();
        let said = told::preferences(&app.db, &ids, None).await?;
        for (user, since) in users {
            let kinds = kinds_of(said.get(&user), mode);
            let holds = notifications::unmailed(&app.db, &user, &kinds, since, MOST).await?;
            last.clone_from(&user);
            rows += holds.len();
            if !holds.is_empty() {
                digests.push(Digest { id: app.environment.new_id(), user, holds });
            }
            if rows >= ROWS {
                return Ok((digests, last));
            }
        }
        if is_end {
            ALL.clone_into(&mut last);
        }
    }
    Ok((digests, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_at_its_hour_and_a_week_on_monday() {
        let at = |text: &str| Time::try_from(text.to_owned()).unwrap();
        let day = |text| period(MailMode::Daily, at(text), 6);
        assert_eq!(day("2026-01-05T05:59:59Z") + 1, day("2026-01-05T06:00:00Z"));
        assert_eq!(day("2026-01-05T06:00:00Z"), day("2026-01-06T05:59:59Z"));
        let week = |text| period(MailMode::Weekly, at(text), 6);
        // 2026-01-05 is a Monday.
        assert_eq!(week("2026-01-05T05:59:59Z") + 1, week("2026-01-05T06:00:00Z"));
        assert_eq!(week("2026-01-05T06:00:00Z"), week("2026-01-12T05:59:59Z"));
        assert_eq!(week("2026-01-05T06:00:00Z") + 1, week("2026-01-12T06:00:00Z"));
    }
}
