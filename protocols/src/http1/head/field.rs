//! Field lines and what the framing fields may say (RFC 9112 §5 and §6).
//! Remembers only which of the few names that matter it has seen.

use super::{Fault, octet};

/// The fields on which framing and routing rest, as far as seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    host: bool,
    content_length: bool,
    transfer_encoding: bool,
}

impl Seen {
    /// Judges one field line, its line end excluded and not empty.
    pub(super) fn judge(&mut self, line: &[u8], http10: bool) -> Result<(), Fault> {
        let name = name_len(line)?;
        let (name, value) = (&line[..name], &line[name + 1..]);
        if octet::has_control(value) {
            return Err(match memchr::memchr(b'\r', value) {
                Some(_) => Fault::BareCr,
                None => Fault::ValueControl,
            });
        }
        // The length decides first: hardly any other field costs a compare.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(octet::trim(value)),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                self.content_length(octet::trim(value))
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.transfer_encoding(octet::trim(value), http10)
            }
            _ => Ok(()),
        }
    }

    /// Judges the whole, once the empty line has come.
    pub(super) fn complete(self, http10: bool) -> Result<(), Fault> {
        if self.host || http10 {
            Ok(())
        } else {
            Err(Fault::HostMissing)
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.host {
            return Err(Fault::HostDuplicate);
        }
        if !octet::all_host(value) {
            return Err(Fault::HostInvalid);
        }
        self.host = true;
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.content_length {
            return Err(Fault::ContentLengthDuplicate);
        }
        if self.transfer_encoding {
            return Err(Fault::FramingConflict);
        }
        let mut length = 0_u64;
        for &octet in value {
            let digit = match octet {
                b'0'..=b'9' => u64::from(octet - b'0'),
                b',' => return Err(Fault::ContentLengthList),
                _ => return Err(Fault::ContentLengthInvalid),
            };
            length = length
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(digit))
                .ok_or(Fault::ContentLengthOverflow)?;
        }
        if value.is_empty() {
            return Err(Fault::ContentLengthInvalid);
        }
        self.content_length = true;
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8], http10: bool) -> Result<(), Fault> {
        if http10 {
            return Err(Fault::TransferEncodingOnHttp10);
        }
        if self.transfer_encoding {
            return Err(Fault::TransferEncodingDuplicate);
        }
        if self.content_length {
            return Err(Fault::FramingConflict);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::TransferEncodingUnsupported);
        }
        self.transfer_encoding = true;
        Ok(())
    }
}

/// The length of the name before the colon.
fn name_len(line: &[u8]) -> Result<usize, Fault> {
    let length = octet::token_len(line);
    match line.get(length) {
        Some(b':') if length > 0 => Ok(length),
        _ => Err(blame_name(line, length)),
    }
}

/// Out of the way of good heads: which fault a bad name is.
#[cold]
fn blame_name(line: &[u8], length: usize) -> Fault {
    match &line[length..] {
        _ if memchr::memchr(b'\r', line).is_some() => Fault::BareCr,
        [b' ' | b'\t', ..] if length == 0 => Fault::ObsoleteFolding,
        [b':', ..] => Fault::NameEmpty,
        rest @ [b' ' | b'\t', ..] if octet::trim(rest).first() == Some(&b':') => {
            Fault::SpaceBeforeColon
        }
        _ => Fault::NameInvalid,
    }
}
