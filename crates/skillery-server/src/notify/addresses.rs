//! Where somebody gets mail: an address is used once its owner has said the code that was mailed there.

use skillery_core::api::{EmailResponse, UndeliveredMail};
use skillery_core::time::DAY_SECONDS;
use skillery_core::token::Secret;
use skillery_core::{Digest, ProblemCode, Scope};

use super::mailer::parse_address;
use super::notice::{Changed, Teller};
use crate::access::Caller;
use crate::app::App;
use crate::db::audit::{self, About};
use crate::db::deliveries::{self, Channel, NewDelivery};
use crate::db::mail::{self as table, AddressRow};
use crate::failure::{Failure, Result};
use crate::text::invalid;

/// Codes that are mailed in a day for one user, and to one address.
const MAX_CODES: i64 = 5;
/// Wrong guesses after which a code is good no more.
const MAX_GUESSES: i64 = 10;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Where the caller gets mail.
pub async fn address(app: &App, caller: &Caller) -> Result<EmailResponse> {
    let identity = caller.require_unbound(Scope::Admin)?;
    let row = table::find(app.db.reader(), &identity.user.id).await?;
    let undelivered = row.as_ref().and_then(|row| {
        // One that was named and then another one is of no interest any more.
        let mail = row.undelivered.clone();
        mail.filter(|mail| mail.to == row.address || row.pending.as_ref() == Some(&mail.to))
    });
    Ok(EmailResponse {
        offered: app.mailer.is_some(),
        confirmed_at: row.as_ref().and_then(|row| row.confirmed_at),
        unsubscribed_at: row.as_ref().and_then(|row| row.unsubscribed_at),
        pending: row.as_ref().and_then(|row| row.pending.clone()),
        undelivered: undelivered.map(|mail| UndeliveredMail {
            address: mail.to,
            at: mail.at,
            reason: mail.why,
        }),
        address: row.map(|row| row.address),
    })
}

/// What a code of a user is encrypted for, until it is sent.
pub(super) fn context(user: &str) -> String {
    format!("mail code of {user}")
}

/// Sets the caller's address, and mails a code there. One that was confirmed before is used until this one is. The user is told
/// of it: on the page, and at the address that was used until then.
pub async fn set_address(app: &App, caller: &Caller, text: &str) -> Result<EmailResponse> {
    let identity = caller.require_unbound(Scope::Admin)?.clone();
    if app.mailer.is_none() {
        return Err(Failure::new(ProblemCode::MailNotOffered, ""));
    }
    if parse_address(text).is_none() {
        return Err(invalid("address", "`address` is no address like `name@example.org`, of ASCII letters"));
    }
    let random: [u8; 10] = app.environment.random();
    let code: String = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let sealed = app.secret_key.seal(&app.environment, &context(&identity.user.id), &code)?;
    let (text, id) = (text.to_owned(), app.environment.new_id());
    let teller = Teller::of(app);
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let user = identity.again(tx).await?.user.id;
                let before = table::find(tx.connection(), &user).await?;
                let used = before.filter(AddressRow::is_good);
                if let Some(mut used) = used.clone().filter(|used| used.address == text) {
                    // Whatever was named meanwhile is not wanted any more.
                    if used.pending.take().is_some() {
                        used.code = None;
                        table::drop_codes(tx, &user).await?;
                        table::set(tx, &user, &used).await?;
                    }
                    return Ok(());
                }
                let now = tx.now;
                let since = now.plus_seconds(-DAY_SECONDS);
                let (codes, first) = table::codes_since(tx, &user, &text, since).await?;
                if codes >= MAX_CODES {
                    let detail = "so many codes were mailed for this user, or to this address, today";
                    let problem = skillery_core::Problem::new(ProblemCode::RateLimited, detail);
                    let first = first.unwrap_or(now).micros() - since.micros();
                    let wait = first.div_euclid(1_000_000).clamp(0, DAY_SECONDS - 1) + 1;
                    return Err(problem.with("retry_after", wait).into());
                }
                table::note_code(tx, &user, &text).await?;
                let about = About::of_user(&user, None);
                audit::insert_private(tx, Some(&user), "mail.address-set", about).await?;
                let (code, code_until) = (Some(Secret::new(code).hash()), now.plus_seconds(DAY_SECONDS));
                teller.tell(tx, &user, Changed::AddressNamed, used.as_ref()).await?;
                let row = match used {
                    Some(used) => {
                        table::drop_codes(tx, &user).await?;
                        AddressRow { pending: Some(text), code, code_until, guesses: 0, ..used }
                    }
                    None => {
                        table::drop_waiting(tx, &user).await?;
                        AddressRow {
                            address: text,
                            code,
                            code_until,
                            guesses: 0,
                            confirmed_at: None,
                            unsubscribed_at: None,
                            pending: None,
                            undelivered: None,
                        }
                    }
                };
                table::set(tx, &user, &row).await?;
                let delivery = NewDelivery {
                    source: format!("code:{id}"),
                    id,
                    channel: Channel::Code,
                    user,
                    webhook: None,
                    kind: "code".to_owned(),
                    notification: None,
                    body: Some(sealed),
                    next_at: now,
                };
                deliveries::insert(tx, &[delivery]).await
            })
        })
        .await?;
    app.due.tell();
    address(app, caller).await
}

/// Confirms the caller's address by the code that was mailed there.
pub async fn confirm(app: &App, caller: &Caller, code: &str) -> Result<EmailResponse> {
    let identity = caller.require_unbound(Scope::Admin)?.clone();
    let said: Digest = Secret::new(code.trim().to_ascii_uppercase()).hash();
    let teller = Teller::of(app);
    let is_right = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let user = identity.again(tx).await?.user.id;
                let Some(mut row) = table::find(tx.connection(), &user).await? else { return Ok(false) };
                if row.confirmed_at.is_some() && row.code.is_none() {
                    return Ok(true);
                }
                let is_good = row.guesses < MAX_GUESSES && row.code_until > tx.now;
                let is_right = is_good && row.code == Some(said);
                if is_right {
                    let about = About::of_user(&user, None);
                    audit::insert_private(tx, Some(&user), "mail.address-confirmed", about).await?;
                    let former = row.pending.is_some().then_some(&row);
                    teller.tell(tx, &user, Changed::AddressConfirmed, former).await?;
                    if let Some(address) = row.pending.take() {
                        row.address = address;
                        row.unsubscribed_at = None;
                    }
                    row.confirmed_at = Some(tx.now);
                    row.code = None;
                    row.undelivered = None;
                } else {
                    row.guesses += 1;
                }
                table::set(tx, &user, &row).await?;
                Ok(is_right)
            })
        })
        .await?;
    if is_right {
        return address(app, caller).await;
    }
    Err(invalid("code", "`code` is not the one that was mailed last, or was too old or guessed at too often"))
}

/// Removes the caller's address. What waits to be mailed is not mailed.
pub async fn remove_address(app: &App, caller: &Caller) -> Result<()> {
    let identity = caller.require_unbound(Scope::Admin)?.clone();
    let teller = Teller::of(app);
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let user = identity.again(tx).await?.user.id;
                let Some(row) = table::find(tx.connection(), &user).await? else { return Ok(()) };
                table::drop_waiting(tx, &user).await?;
                let about = About::of_user(&user, None);
                audit::insert_private(tx, Some(&user), "mail.address-removed", about).await?;
                teller.tell(tx, &user, Changed::AddressRemoved, Some(&row)).await?;
                table::remove(tx, &user).await
            })
        })
        .await
}

fn signed(user: &str, address: &str) -> String {
    format!("unsubscribe {user} {address}")
}

/// The link by which one click stops all mail to this address.
pub(super) fn link(app: &App, base: &str, user: &str, address: &str) -> String {
    let signature = app.secret_key.sign_link(&signed(user, address));
    format!("{base}/api/v1/notifications/unsubscribe?user={user}&signature={signature}")
}

/// Stops all mail to the address that the link was mailed to, and `act` says so; otherwise only looks whether the link is good. It
/// works for whoever has the mail, signed in or not; one of a former address does nothing.
pub async fn unsubscribe(app: &App, user: &str, signature: &str, act: bool) -> Result<()> {
    let not_valid = || Failure::new(ProblemCode::LinkNotValid, "");
    if uuid::Uuid::try_parse(user).is_err() {
        return Err(not_valid());
    }
    let row = table::find(app.db.reader(), user).await?.ok_or_else(not_valid)?;
    if !app.secret_key.has_signed_link(&signed(user, &row.address), signature) {
        return Err(not_valid());
    }
    if !act || row.unsubscribed_at.is_some() {
        return Ok(());
    }
    let user = user.to_owned();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let now = table::find(tx.connection(), &user).await?;
                if let Some(mut now) = now.filter(|now| now.address == row.address) {
                    now.unsubscribed_at = Some(tx.now);
                    table::set(tx, &user, &now).await?;
                    // Whoever has the mail does it: it is not known that it is the user.
                    let about = About::of_user(&user, None);
                    audit::insert_private(tx, None, "mail.unsubscribed", about).await?;
                    table::drop_waiting(tx, &user).await?;
                }
                Ok(())
            })
        })
        .await
}
