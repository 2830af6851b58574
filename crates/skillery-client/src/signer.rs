//! Signing with an author's own key: one in a file, in `ssh-agent`, on a security key, or one with a certificate.
//!
//! A plain key in PEM makes Sigstore bundles, an SSH key SSH signatures. A key that lies open in a file signs here. Everything else is for OpenSSH's own `ssh-keygen`, which knows agents, asks
//! for passphrases and for a touch of the key.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ring::rand::SystemRandom;
use skillery_core::sign::author::{AuthorKey, SignatureKind};
use skillery_core::sign::dsse::Bundle;
use skillery_core::sign::pem::PemPrivateKey;
use skillery_core::sign::sshsig;

use crate::error::{Error, Result};

/// A key that signs.
#[derive(Debug, Clone)]
pub struct Signer {
    path: PathBuf,
    public_key: AuthorKey,
}

/// The end of a file with a certificate.
const CERTIFICATE: &str = "-cert.pub";

impl Signer {
    /// The key in this file: a private key with its `.pub` beside it, or a `.pub` whose private key an agent holds, or a
    /// certificate `…-cert.pub`.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(text) = read_pem(path)? {
            let public_key = AuthorKey::Pem(pem_key(&text)?.public_key());
            return Ok(Self { path: path.to_owned(), public_key });
        }
        let shown = path.display().to_string();
        let is_certificate = shown.ends_with(CERTIFICATE);
        let public = match path.extension().is_some_and(|extension| extension == "pub") {
            true if is_certificate => PathBuf::from(shown.replace(CERTIFICATE, ".pub")),
            true => path.to_owned(),
            false => PathBuf::from(format!("{shown}.pub")),
        };
        let public_key = match fs_err::read_to_string(&public) {
            Ok(line) => line
                .parse()
                .map_err(|error| Error::invalid(format!("`{}`", public.display()), format!("{error}")))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match open_private(path)? {
                Some(key) => public_of(&key)?,
                None => {
                    return Err(Error::disk(format!("read the public key `{}`", public.display()))(error));
                }
            },
            Err(error) => return Err(Error::disk("read a public key")(error)),
        };
        Ok(Self { path: path.to_owned(), public_key })
    }

    /// Its public key.
    pub fn public_key(&self) -> &AuthorKey {
        &self.public_key
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The form of what it signs.
    pub fn kind(&self) -> SignatureKind {
        self.public_key.signature_kind()
    }

    /// Signs a message for a purpose. It may ask somebody at the terminal, and waits for an answer.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> Result<String> {
        if let Some(text) = read_pem(&self.path)? {
            return sign_bundle(&text, namespace, message);
        }
        match open_private(&self.path)? {
            Some(key) => {
                let signed = sshsig::sign(&key, namespace, message, &SystemRandom::new());
                Ok(signed.map_err(Error::internal("sign with the key"))?.to_armoured())
            }
            None => self.sign_with_openssh(namespace, message),
        }
    }

    fn sign_with_openssh(&self, namespace: &str, message: &[u8]) -> Result<String> {
        let failed = |reason: String| Error::invalid(format!("the key `{}`", self.path.display()), reason);
        let mut child = Command::new("ssh-keygen")
            .args(["-Y", "sign", "-n", namespace, "-f"])
            .arg(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                failed(format!("it needs OpenSSH's `ssh-keygen`, which cannot be started: {error}"))
            })?;
        if let Some(mut input) = child.stdin.take() {
            // A program that has given up tells why by itself.
            let _ = input.write_all(message);
        }
        let output = child.wait_with_output().map_err(Error::disk("wait for `ssh-keygen`"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(failed(format!("`ssh-keygen` does not sign with it: {}", said.trim())));
        }
        String::from_utf8(output.stdout).map_err(|_| failed("`ssh-keygen` answers with no text".to_owned()))
    }
}

/// The text of a file with a plain private key.
fn read_pem(path: &Path) -> Result<Option<String>> {
    match fs_err::read_to_string(path) {
        Ok(text) if text.starts_with("-----BEGIN PRIVATE KEY-----") => Ok(Some(text)),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::disk("read the key to sign with")(error))
        }
        _ => Ok(None),
    }
}

fn pem_key(text: &str) -> Result<PemPrivateKey> {
    PemPrivateKey::from_pem(text, &SystemRandom::new())
        .map_err(|error| Error::invalid("the key to sign with", error.to_string()))
}

/// The purpose of an enrolment is in the type of what is signed, so that no challenge is a statement.
fn sign_bundle(text: &str, namespace: &str, message: &[u8]) -> Result<String> {
    let sign = if namespace == sshsig::ENROLL_NAMESPACE { Bundle::sign_enrolment } else { Bundle::sign };
    let bundle =
        sign(message, &pem_key(text)?, &SystemRandom::new()).map_err(Error::internal("sign with the key"))?;
    bundle.to_json().map_err(Error::internal("write a bundle"))
}

/// The private key in a file, when it lies there without a passphrase, and no certificate stands for it.
fn open_private(path: &Path) -> Result<Option<ssh_key::PrivateKey>> {
    if path.extension().is_some_and(|extension| extension == "pub") {
        return Ok(None);
    }
    let text = match fs_err::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::disk("read the key to sign with")(error)),
    };
    // Another form, such as one of OpenSSL, is for `ssh-keygen`, too.
    let key = ssh_key::PrivateKey::from_openssh(text).ok();
    Ok(key.filter(|key| !key.is_encrypted() && can_sign(key)))
}

fn can_sign(key: &ssh_key::PrivateKey) -> bool {
    matches!(
        key.algorithm(),
        ssh_key::Algorithm::Ed25519 | ssh_key::Algorithm::Ecdsa { .. } | ssh_key::Algorithm::Rsa { .. }
    )
}

fn public_of(key: &ssh_key::PrivateKey) -> Result<AuthorKey> {
    let line = key
        .public_key()
        .to_openssh()
        .map_err(|error| Error::invalid("the key to sign with", error.to_string()))?;
    line.parse().map_err(|error| Error::invalid("the key to sign with", format!("{error}")))
}
