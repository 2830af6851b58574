//! The wire format of RFC 4251, section 5.

/// The bytes end early, go on too long, or are not written in the one way in which they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sign) struct Malformed;

/// Reads fields one after another.
#[derive(Debug, Clone, Copy)]
pub(in crate::sign) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    pub(in crate::sign) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// So many bytes as they are.
    pub(in crate::sign) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// One byte.
    pub(in crate::sign) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// A number of four bytes.
    pub(in crate::sign) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A number of eight bytes.
    pub(in crate::sign) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Bytes with their length before them.
    pub(in crate::sign) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| Malformed)?)
    }

    /// A string that is UTF-8.
    pub(in crate::sign) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.string()?).map_err(|_| Malformed)
    }

    /// A positive number of any size, as its bytes without zeros before them.
    pub(in crate::sign) fn mpint(&mut self) -> Result<&'a [u8], Malformed> {
        match self.string()? {
            // A zero is there only where the number would be negative without it.
            [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => Ok(rest),
            bytes @ [0x01..=0x7f, ..] => Ok(bytes),
            _ => Err(Malformed),
        }
    }

    /// Whether all was read.
    pub(in crate::sign) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are left.
    pub(in crate::sign) fn left(&self) -> usize {
        self.0.len()
    }

    /// Nothing may follow.
    pub(in crate::sign) fn end(self) -> Result<(), Malformed> {
        if self.is_at_end() { Ok(()) } else { Err(Malformed) }
    }
}

/// Writes bytes with their length before them. A length over four bytes cannot come up: everything here has limits far
/// below, but for messages, which are hashed first.
pub(in crate::sign) fn put_string(into: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(bytes);
}

/// Writes a positive number, given as bytes with the highest first.
pub(super) fn put_mpint(into: &mut Vec<u8>, number: &[u8]) {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let mut bytes = number[zeros..].to_vec();
    if bytes.first().is_some_and(|byte| *byte >= 0x80) {
        bytes.insert(0, 0);
    }
    put_string(into, &bytes);
}
