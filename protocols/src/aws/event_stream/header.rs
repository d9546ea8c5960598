//! The headers of a message: what they are called and the ten types of what they say.

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// One byte.
    Byte(i8),
    /// Two.
    Short(i16),
    /// Four.
    Int(i32),
    /// Eight.
    Long(i64),
    /// Bytes, at most 65535.
    Bytes(&'a [u8]),
    /// UTF-8, at most 65535 bytes.
    Text(&'a str),
    /// Milliseconds since the Unix epoch.
    Timestamp(i64),
    /// A UUID.
    Uuid([u8; 16]),
}

/// The headers of a message, in their order, as name and value.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all of `bytes` is headers.
    pub(super) fn are_sound(bytes: &[u8]) -> bool {
        let mut headers = Headers::new(bytes);
        while headers.next().is_some() {}
        headers.rest.is_empty()
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.take()?);
        self.slice(length.into())
    }

    fn header(&mut self) -> Option<(&'a str, Value<'a>)> {
        let [length] = self.take()?;
        let name = std::str::from_utf8(self.slice(length.into())?).ok()?;
        if name.is_empty() {
            return None;
        }
        let [sort] = self.take()?;
        let value = match sort {
            0 => Value::Bool(true),
            1 => Value::Bool(false),
            2 => Value::Byte(i8::from_be_bytes(self.take()?)),
            3 => Value::Short(i16::from_be_bytes(self.take()?)),
            4 => Value::Int(i32::from_be_bytes(self.take()?)),
            5 => Value::Long(i64::from_be_bytes(self.take()?)),
            6 => Value::Bytes(self.counted()?),
            7 => Value::Text(std::str::from_utf8(self.counted()?).ok()?),
            8 => Value::Timestamp(i64::from_be_bytes(self.take()?)),
            9 => Value::Uuid(self.take()?),
            _ => return None,
        };
        Some((name, value))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.rest;
        let header = self.header();
        if header.is_none() {
            // What is no header stays, so that it is seen not to be one.
            self.rest = before;
        }
        header
    }
}
