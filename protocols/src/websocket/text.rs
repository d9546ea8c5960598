//! Whether a text that comes in pieces is UTF-8, told as soon as it is not.

/// What has been seen of a text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8 {
    /// The start of a character that the next piece goes on with.
    open: [u8; 4],
    length: usize,
}

/// It is no UTF-8, whatever follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8;

impl Utf8 {
    /// Takes in the next piece.
    ///
    /// # Errors
    /// [`NotUtf8`] once no text can begin so.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<(), NotUtf8> {
        while self.length > 0 {
            let Some((next, rest)) = piece.split_first() else {
                return Ok(());
            };
            self.open[self.length] = *next;
            self.length += 1;
            piece = rest;
            match std::str::from_utf8(&self.open[..self.length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return Err(NotUtf8),
                Err(_) => {}
            }
        }
        if let Err(error) = std::str::from_utf8(piece) {
            if error.error_len().is_some() {
                return Err(NotUtf8);
            }
            let open = &piece[error.valid_up_to()..];
            self.open[..open.len()].copy_from_slice(open);
            self.length = open.len();
        }
        Ok(())
    }

    /// Ends the text.
    ///
    /// # Errors
    /// [`NotUtf8`] if it ends amid a character.
    pub fn end(&mut self) -> Result<(), NotUtf8> {
        match std::mem::take(self).length {
            0 => Ok(()),
            _ => Err(NotUtf8),
        }
    }
}
