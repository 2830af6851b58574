//! The mail server: how it is spoken to, and what it says.

use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use skillery_core::notification::MAX_ADDRESS_LENGTH;
use skillery_core::token::Secret;

use super::letter::Letter;
use crate::settings::{Settings, SmtpTls};

/// How long the mail server may take for each answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long all of it may take, with the wait for a connection: less than a delivery is taken for, or another server would send it,
/// too.
const WHOLE: Duration = if cfg!(test) { Duration::from_secs(5) } else { Duration::from_secs(120) };
/// Connections to it at a time.
const CONNECTIONS: u32 = 4;
/// How long a connection is kept that nothing goes over.
const IDLE: Duration = Duration::from_secs(60);

/// Sends mail.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// What is behind the `@` of ids of messages.
    host: String,
}

/// Mail cannot be sent as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// A file cannot be read.
    #[error("cannot read a file that mail needs")]
    File(#[from] std::io::Error),
    /// Certificates that are none.
    #[error("cannot use TLS to the mail server")]
    Tls(#[source] lettre::transport::smtp::Error),
    /// The settings are checked before.
    #[error("`mail_from` is no address")]
    From,
}

/// Why a mail was not taken.
#[derive(Debug)]
pub struct MailError {
    /// Whether it is of no use to try again.
    pub is_final: bool,
    /// What the server said, on one line.
    pub reason: String,
}

/// Whether the settings of mail and notifications go together.
pub fn check_settings(settings: &Settings) -> Result<(), String> {
    if settings.digest_hour > 23 {
        return Err("`digest_hour` is not from 0 to 23".to_owned());
    }
    if settings.notification_days == 0 {
        return Err("`notification_days` must be at least 1".to_owned());
    }
    let Some(host) = &settings.smtp_host else {
        return match settings.mail_from {
            Some(_) => Err("`mail_from` needs `smtp_host`".to_owned()),
            None => Ok(()),
        };
    };
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte)) {
        return Err("`smtp_host` is no name of a host".to_owned());
    }
    let from = settings.mail_from.as_deref().ok_or("`smtp_host` needs `mail_from`")?;
    if !is_plain(from) || from.parse::<Mailbox>().is_err() {
        return Err("`mail_from` is no address like `Skills <skills@example.org>`".to_owned());
    }
    // Who gets mail must be able to stop it by the link that is in it.
    if settings.public_url.is_none() {
        return Err("`smtp_host` needs `public_url`, as mail has links to the registry".to_owned());
    }
    if settings.smtp_user.is_some()
        != (settings.smtp_password.is_some() || settings.smtp_password_file.is_some())
    {
        return Err("`smtp_user` and its password need each other".to_owned());
    }
    if settings.smtp_user.is_some() && tls(settings, host) == SmtpTls::None && !is_loopback(host) {
        return Err("a password is not sent to `smtp_host` without TLS".to_owned());
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn tls(settings: &Settings, host: &str) -> SmtpTls {
    settings.smtp_tls.unwrap_or(if is_loopback(host) { SmtpTls::None } else { SmtpTls::Starttls })
}

/// How the connection to the mail server is encrypted, and to which port it leads; none without a mail server.
pub fn connection(settings: &Settings) -> Option<(SmtpTls, u16)> {
    let tls = tls(settings, settings.smtp_host.as_ref()?);
    let usual_port = match tls {
        SmtpTls::Implicit => 465,
        SmtpTls::Starttls => 587,
        SmtpTls::None => 25,
    };
    Some((tls, settings.smtp_port.unwrap_or(usual_port)))
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// An address that mail can go to: of ASCII letters, without comments, quotes, or anything that ends a line.
pub fn parse_address(text: &str) -> Option<Address> {
    let is_fine = text.len() <= MAX_ADDRESS_LENGTH
        && text.is_ascii()
        && is_plain(text)
        && !text.contains(['"', '(', ')', ',', ':', ';', '<', '>', '[', ']', '\\', ' ']);
    text.parse::<Address>().ok().filter(|_| is_fine)
}

impl Mailer {
    /// Makes ready to send; nothing is sent. None where the settings name no mail server.
    pub fn open(settings: &Settings) -> Result<Option<Self>, MailerError> {
        let (Some(host), Some((tls, port))) = (&settings.smtp_host, connection(settings)) else {
            return Ok(None);
        };
        // More than one crate may try to install it; the first one wins and is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let from: Mailbox =
            settings.mail_from.as_deref().unwrap_or_default().parse().map_err(|_| MailerError::From)?;
        let parameters = || -> Result<TlsParameters, MailerError> {
            let mut parameters = TlsParameters::builder(host.clone());
            if let Some(file) = &settings.smtp_ca_file {
                let pem = fs_err::read(file)?;
                parameters =
                    parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(MailerError::Tls)?);
            }
            parameters.build_rustls().map_err(MailerError::Tls)
        };
        let encryption = match tls {
            SmtpTls::Implicit => Tls::Wrapper(parameters()?),
            SmtpTls::Starttls => Tls::Required(parameters()?),
            SmtpTls::None => Tls::None,
        };
        let public = settings.public_url.as_ref().and_then(|url| url.host_str()).unwrap_or("localhost");
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(encryption)
            .timeout(Some(PATIENCE))
            .hello_name(ClientId::Domain(public.to_owned()))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS).idle_timeout(IDLE));
        if let Some(user) = &settings.smtp_user {
            let password = match (&settings.smtp_password, &settings.smtp_password_file) {
                (Some(password), _) => password.clone(),
                (None, Some(file)) => {
                    Secret::new(fs_err::read_to_string(file)?.trim_end_matches(['\r', '\n']))
                }
                (None, None) => Secret::new(""),
            };
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        let host = from.email.domain().to_owned();
        Ok(Some(Self { transport: builder.build(), from, host }))
    }

    /// Sends a letter. `id` is the same each time that the same is sent, so that a mailbox shows it once.
    pub async fn send(&self, id: &str, to: &str, letter: &Letter) -> Result<(), MailError> {
        let broken = |reason: String| MailError { is_final: true, reason };
        let to = parse_address(to).ok_or_else(|| broken("the address is none".to_owned()))?;
        // What stands in a header ends no line of it, whatever it came from.
        let subject: String =
            letter.subject.chars().filter(|letter| !letter.is_control()).take(200).collect();
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(format!("<{id}@{}>", self.host)))
            .raw_header(header("Auto-Submitted", "auto-generated"));
        if let Some(link) = &letter.unsubscribe {
            message = message
                .raw_header(header("List-Unsubscribe", &format!("<{link}>")))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        }
        let message = message
            .multipart(MultiPart::alternative_plain_html(letter.plain.clone(), letter.html.clone()))
            .map_err(|error| broken(error.to_string()))?;
        let sent = tokio::time::timeout(WHOLE, self.transport.send(message)).await.map_err(|_| {
            let reason = format!("the mail server took over {} s", WHOLE.as_secs());
            MailError { is_final: false, reason }
        })?;
        sent.map(drop).map_err(|error| {
            let mut reason = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(next) = cause {
                // Errors of mail say their cause themselves, and not every cause does.
                let said = next.to_string();
                if !reason.ends_with(&said) {
                    reason += &format!(": {said}");
                }
                cause = next.source();
            }
            let reason = crate::text::shown(&reason.chars().take(300).collect::<String>());
            MailError { is_final: is_final(&error), reason }
        })
    }
}

/// Whether the mail server refuses this mail and no other.
fn is_final(error: &lettre::transport::smtp::Error) -> bool {
    let Some(code) = error.status().filter(|_| error.is_permanent()) else { return false };
    let said = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    is_of_mailbox(code.into(), &said)
}

/// Whether a refusal is about the mailbox that the mail is for. Everything else may be the registry's: a password that is wrong by now, or
/// that nothing is relayed for it and it is on a list of bad senders (`5.7.x`). That is for the operator to mend, and would end all mail
/// that there is. Where the server says by an enhanced code (RFC 3463) what it means, that counts.
fn is_of_mailbox(code: u16, said: &str) -> bool {
    let first = said.split_whitespace().next().unwrap_or_default();
    let parts: Vec<&str> = first.trim_matches(|letter: char| !letter.is_ascii_digit()).split('.').collect();
    match parts.as_slice() {
        // Of addresses, these are the sender's.
        ["5", "1", "7" | "8"] => false,
        ["5", "1" | "2", _] => true,
        ["5", _, _] => false,
        _ => (550..=553).contains(&code),
    }
}

/// A header of ASCII letters, as it is: an address in it may be neither folded nor encoded.
fn header(name: &'static str, value: &str) -> HeaderValue {
    let value: String =
        value.chars().filter(|letter| letter.is_ascii() && !letter.is_ascii_control()).collect();
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain() {
        for good in ["a@example.org", "first.last+tag@mail.example.co.uk", "x_y-z@a-b.example"] {
            assert!(parse_address(good).is_some(), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(300));
        for bad in [
            "",
            "a",
            "@example.org",
            "a@",
            "a@b@c",
            "a b@example.org",
            "a@example.org\r\nBcc: b@example.org",
            "a@example.org\n",
            "\"a\r\nb\"@example.org",
            "\"quoted\"@example.org",
            "Name <a@example.org>",
            "a@example.org,b@example.org",
            "ä@example.org",
            "a@[127.0.0.1]",
            &long,
        ] {
            assert!(parse_address(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_what_is_about_the_mailbox_ends_a_mail() {
        for (code, said) in [
            (550, "5.1.1 <anna@example.org>: Recipient address rejected: User unknown"),
            (550, "#5.1.0 Address rejected."),
            (552, "5.2.2 Mailbox full"),
            (501, "5.1.3 Bad recipient address syntax"),
            (550, "Mailbox unavailable"),
            (553, ""),
        ] {
            assert!(is_of_mailbox(code, said), "{code} {said}");
        }
        for (code, said) in [
            (550, "5.7.1 Relaying denied"),
            (554, "5.7.1 <mail.example.org>: Client host rejected: Access denied"),
            (550, "5.7.26 This mail is unauthenticated"),
            (550, "5.1.8 Sender address rejected: Domain not found"),
            (554, "5.3.4 Message too big"),
            (554, "Transaction failed"),
            (530, "5.7.0 Must issue a STARTTLS command first"),
            (535, "Invalid credentials"),
        ] {
            assert!(!is_of_mailbox(code, said), "{code} {said}");
        }
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        let good = || Settings {
            smtp_host: Some("mail.example.org".to_owned()),
            mail_from: Some("Skills <skills@example.org>".to_owned()),
            public_url: "https://skills.example.org".parse().ok(),
            ..Settings::default()
        };
        check_settings(&good()).unwrap();
        let with_password = |change: fn(&mut Settings)| {
            let mut settings = good();
            settings.smtp_user = Some("skills".to_owned());
            settings.smtp_password = Some(Secret::new("hush"));
            change(&mut settings);
            settings
        };
        check_settings(&with_password(|_| ())).unwrap();
        for (wrong, settings) in [
            ("mail_from", Settings { mail_from: None, ..good() }),
            ("mail_from", Settings { mail_from: Some("a@b\r\nBcc: c@d".to_owned()), ..good() }),
            ("smtp_host", Settings { smtp_host: None, ..good() }),
            ("smtp_host", Settings { smtp_host: Some("mail example".to_owned()), ..good() }),
            ("public_url", Settings { public_url: None, ..good() }),
            ("smtp_user", with_password(|settings| settings.smtp_password = None)),
            ("without TLS", with_password(|settings| settings.smtp_tls = Some(SmtpTls::None))),
            ("digest_hour", Settings { digest_hour: 24, ..Settings::default() }),
        ] {
            let refused = check_settings(&settings).unwrap_err();
            assert!(refused.contains(wrong), "{wrong}: {refused}");
        }
    }
}
