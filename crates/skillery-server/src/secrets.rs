//! Encryption of what the registry must be able to read again, at rest: ChaCha20-Poly1305 with a key from a file of its own.
//! Sealed are the orgs' signing secrets, the secrets of webhooks, and signings in that have begun with a provider.
//!
//! A copy of the database alone does not give the secrets away. Losing the key loses the registered secrets: the server
//! refuses to start until the operator gives the old key up, and then admins register them again.

use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use skillery_core::Digest;
use skillery_core::token::Secret;

use crate::environment::Environment;
use crate::failure::{Failure, Result};

/// The key of this registry.
pub struct SecretKey {
    key: LessSafeKey,
    links: hmac::Key,
    fingerprint: String,
}

/// The key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The file cannot be read or made.
    #[error("cannot read or make the secret key")]
    File(#[from] std::io::Error),
    /// The file holds something else.
    #[error("the secret key file does not hold 64 hexadecimal digits")]
    Form,
    /// The database was used with another key.
    #[error("the secret key is not the one that this database was used with")]
    Other,
}

impl SecretKey {
    /// Reads the key from its file, or makes one there that only this user can read.
    pub fn open(file: &Path, environment: &Environment) -> Result<Self, SecretKeyError> {
        if !file.exists() {
            // Of two servers that start at once, one makes it.
            make_private(file, &hex::encode(environment.random::<32>()))?;
        }
        let text = fs_err::read_to_string(file)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| SecretKeyError::Form)?;
        let fingerprint =
            Digest::of(format!("skillery secret key {}", hex::encode(bytes)).as_bytes()).to_string();
        let whole = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let links = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&whole, b"skillery links").as_ref());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| SecretKeyError::Form)?;
        Ok(Self { key: LessSafeKey::new(key), links, fingerprint })
    }

    /// Tells keys apart without giving them away.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Signs a text of a link that this registry mails.
    pub fn sign_link(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.links, text.as_bytes()))
    }

    /// Whether this registry has signed it.
    pub fn has_signed_link(&self, text: &str, signature: &str) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        hmac::verify(&self.links, text.as_bytes(), &signature).is_ok()
    }

    /// Encrypts a secret. The result opens only with the same context: what the secret is of.
    pub fn seal(&self, environment: &Environment, context: &str, secret: &str) -> Result<String> {
        let nonce: [u8; NONCE_LEN] = environment.random();
        let mut bytes = secret.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut bytes,
            )
            .map_err(|_| Failure::internal("a secret cannot be encrypted"))?;
        Ok(BASE64.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// Decrypts what [`SecretKey::seal`] made with this context.
    pub fn open_sealed(&self, context: &str, sealed: &str) -> Result<Secret> {
        let broken = || Failure::internal(format!("what is sealed for `{context}` cannot be decrypted"));
        let mut bytes = BASE64.decode(sealed).map_err(|_| broken())?;
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let plain =
            self.key.open_in_place(nonce, Aad::from(context.as_bytes()), rest).map_err(|_| broken())?;
        Ok(Secret::new(String::from_utf8(plain.to_vec()).map_err(|_| broken())?))
    }
}

/// Makes a folder, and those above it, that only this user can enter. One that exists stays as it is.
pub fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes a file that only this user can read, durably, and never half.
pub fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = folder_of(file);
    private(folder, text)?.persist(file).map_err(|error| error.error)?;
    sync(folder)
}

/// The same for a file that is not there yet: one that is there by then stays. Says whether it was made.
pub fn make_private(file: &Path, text: &str) -> std::io::Result<bool> {
    let folder = folder_of(file);
    match private(folder, text)?.persist_noclobber(file) {
        Ok(_) => sync(folder).map(|()| true),
        // Who has made it may not have made it durable yet.
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => sync(folder).map(|()| false),
        Err(error) => Err(error.error),
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn private(folder: &Path, text: &str) -> std::io::Result<tempfile::NamedTempFile> {
    fs_err::create_dir_all(folder)?;
    // Temporary files are made with mode 0600.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.write_all(b"\n")?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

fn sync(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    fs_err::File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_for_its_org_and_key() {
        let environment = Environment::default();
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::open(&folder.path().join("key"), &environment).unwrap();
        let sealed = key.seal(&environment, "acme", "hush").unwrap();
        assert_eq!(key.open_sealed("acme", &sealed).unwrap().expose(), "hush");
        assert!(key.open_sealed("other", &sealed).is_err());
        let again = SecretKey::open(&folder.path().join("key"), &environment).unwrap();
        assert_eq!(again.open_sealed("acme", &sealed).unwrap().expose(), "hush");
        let other = SecretKey::open(&folder.path().join("other"), &environment).unwrap();
        assert!(other.open_sealed("acme", &sealed).is_err());
        assert_ne!(key.fingerprint(), other.fingerprint());
        for junk in ["", "AAAA", "not base64!"] {
            assert!(key.open_sealed("acme", junk).is_err());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs_err::metadata(folder.path().join("key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
