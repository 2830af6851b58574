//! A signed token (RFC 7515, compact form): taken apart without believing anything, and checked against a key.
//!
//! No address, key or certificate that a token brings along is ever looked at. The algorithm is the key's; what the
//! header says can only be refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use skillery_core::limits::MAX_ID_TOKEN_LENGTH;

use super::claims::{Claims, strict_object};
use super::keys::Key;
use super::refused;
use crate::failure::Result;

/// Characters of the name of a key at most.
const MAX_KEY_ID: usize = 256;

/// A token that nobody has vouched for yet.
pub struct Jws<'token> {
    /// What is signed: header and claims as they were sent.
    pub signed: &'token str,
    /// What the header says that it is signed with.
    pub algorithm: String,
    /// Which key of the issuer.
    pub key_id: String,
    /// What it says. To be believed only after [`Jws::is_signed_by`].
    pub claims: Claims,
    signature: Vec<u8>,
}

impl<'token> Jws<'token> {
    /// Takes a token apart.
    pub fn parse(token: &'token str) -> Result<Self> {
        if token.len() > MAX_ID_TOKEN_LENGTH {
            return Err(refused(format!("it has more than {MAX_ID_TOKEN_LENGTH} characters")));
        }
        let form = || refused("it is no signed token of three parts");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(form)?;
        let (header, payload) = signed.split_once('.').ok_or_else(form)?;
        // A dot within the claims, as encrypted tokens have them, is no base64.
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| form());
        let header = strict_object(&decoded(header)?)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        // Whoever marks something as critical wants it refused by those who do not know it.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(refused("its header wants more than this registry knows"));
        }
        // Other kinds of tokens of the same issuer, such as access tokens, are signed with the same keys.
        if header.contains_key("typ") && !text("typ").is_some_and(|kind| kind.eq_ignore_ascii_case("jwt")) {
            return Err(refused("its header says that it is no identity token"));
        }
        let algorithm = text("alg").ok_or_else(|| refused("its header names no algorithm"))?.to_owned();
        let key_id = text("kid")
            .filter(|id| !id.is_empty() && id.len() <= MAX_KEY_ID)
            .ok_or_else(|| refused("its header names no key"))?
            .to_owned();
        let claims = Claims::parse(&decoded(payload)?)?;
        Ok(Self { signed, algorithm, key_id, claims, signature: decoded(signature)? })
    }

    /// Whether this key has signed it.
    pub fn is_signed_by(&self, key: &Key) -> bool {
        key.algorithm.as_str() == self.algorithm && key.verify(self.signed.as_bytes(), &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::keys::parse_keys;
    use crate::oidc::settings::Algorithm;

    /// RFC 7515, A.2 and A.3, but for the header, which has no `kid` there: the signatures are checked over their own
    /// texts.
    const RSA: (&str, &str, &str) = (
        r#"{"keys":[{"kty":"RSA","kid":"1","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}"#,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    const EC: (&str, &str, &str) = (
        r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#,
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );

    #[test]
    fn the_signatures_of_rfc_7515_are_good_and_altered_ones_are_not() {
        for (algorithm, (keys, signed, signature)) in [(Algorithm::Rs256, RSA), (Algorithm::Es256, EC)] {
            let keys = parse_keys(keys.as_bytes()).unwrap();
            assert_eq!(keys.len(), 1);
            assert_eq!(keys[0].algorithm, algorithm);
            let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            assert!(keys[0].verify(signed.as_bytes(), &signature));
            assert!(!keys[0].verify(&signed.as_bytes()[1..], &signature));
            for place in [0, signature.len() / 2, signature.len() - 1] {
                signature[place] ^= 1;
                assert!(!keys[0].verify(signed.as_bytes(), &signature));
                signature[place] ^= 1;
            }
            assert!(!keys[0].verify(signed.as_bytes(), &[]));
        }
    }

    #[test]
    fn what_is_no_token_says_why() {
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = |header: &str, claims: &str| format!("{}.{}.AAAA", encoded(header), encoded(claims));
        let good = r#"{"alg":"RS256","kid":"1"}"#;
        let mut shown = String::new();
        for token in [
            String::new(),
            "a.b".to_owned(),
            "a.b.c.d.e".to_owned(),
            token(good, "{}") + "=",
            "ä.ä.ä".to_owned(),
            token("[]", "{}"),
            token(r#"{"alg":"RS256"}"#, "{}"),
            token(r#"{"alg":"RS256","kid":7}"#, "{}"),
            token(r#"{"kid":"1"}"#, "{}"),
            token(r#"{"alg":"RS256","alg":"none","kid":"1"}"#, "{}"),
            token(r#"{"alg":"RS256","kid":"1","crit":["exp"]}"#, "{}"),
            token(r#"{"alg":"RS256","kid":"1","b64":false}"#, "{}"),
            token(r#"{"alg":"RS256","kid":"1","typ":"at+jwt"}"#, "{}"),
            token(good, r#"{"sub":"a","sub":"b"}"#),
            token(good, r#"{"deep":{"sub":"a","sub":"b"}}"#),
            token(good, r#"{"sub":"a\u0000b"}"#),
            token(good, r#"{"a\u0000b":1}"#),
            token(good, r#"{"sub":"a"} {}"#),
            token(good, "\"text\""),
            token(good, &"[".repeat(10_000)),
            token(good, &format!("{{\"sub\":\"{}\"}}", "x".repeat(20_000))),
        ] {
            let error = Jws::parse(&token).err().unwrap();
            shown += &format!("{}\n", error.problem.detail);
        }
        insta::assert_snapshot!(shown);
    }
}
