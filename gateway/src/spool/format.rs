//! The bytes of a segment: a head, then frames. It knows neither files nor what a frame holds.
//!
//! All numbers are little-endian. A head is 32 bytes, and a segment begins with two of them, so that
//! one damaged byte does not cost the whole of it:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `weirspol` |
//! | 2 | the version of the format, 1 |
//! | 2 | zero |
//! | 8 | the segment's id, random: what its entries are told apart by |
//! | 8 | the segment's salt, random and told to nobody |
//! | 4 | CRC-32 of all before |
//!
//! A frame is 12 bytes and its body:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | the first four of the salt |
//! | 4 | how many bytes the body has |
//! | 4 | CRC-32 of the salt, the length and the body |
//!
//! The salt makes frames findable behind damage, and no caller can write one into a value: who does
//! not know the salt cannot make a frame that is taken for one.

/// How long the two heads of a segment are.
pub(super) const HEADS: u64 = 2 * HEAD as u64;
/// How long a frame is without its body.
pub(super) const FRAME: usize = 12;

const HEAD: usize = 32;
const MAGIC: [u8; 8] = *b"weirspol";
const VERSION: u16 = 1;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: u64,
    pub(super) salt: [u8; 8],
}

impl Head {
    /// A new one, unlike any other.
    pub(super) fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let (id, salt) = bytes.split_at(8);
        Ok(Self {
            id: u64::from_le_bytes(array(id)),
            salt: array(salt),
        })
    }

    /// Both copies.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(2 * HEAD);
        head.extend(MAGIC);
        head.extend(VERSION.to_le_bytes());
        head.extend([0; 2]);
        head.extend(self.id.to_le_bytes());
        head.extend(self.salt);
        let crc = crc32fast::hash(&head);
        head.extend(crc.to_le_bytes());
        head.extend_from_within(..);
        head
    }

    /// The first copy that is whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.chunks_exact(HEAD).take(2).find_map(|head| {
            let (said, crc) = head.split_at(HEAD - 4);
            let whole = crc32fast::hash(said).to_le_bytes() == crc
                && said.starts_with(&MAGIC)
                && said[8..10] == VERSION.to_le_bytes();
            whole.then(|| Self {
                id: u64::from_le_bytes(array(&said[12..20])),
                salt: array(&said[20..28]),
            })
        })
    }

    /// What each frame begins with.
    pub(super) fn marker(&self) -> [u8; 4] {
        array(&self.salt[..4])
    }

    /// Begins a frame at the end of `out`; its body follows, and then [`Head::end_frame`].
    pub(super) fn begin_frame(&self, out: &mut Vec<u8>) -> usize {
        let at = out.len();
        out.extend(self.marker());
        out.extend([0; 8]);
        at
    }

    /// Fills in what is known of a frame only once its body is there. `false`: the body is too long to
    /// be one.
    pub(super) fn end_frame(&self, out: &mut [u8], at: usize) -> bool {
        let (head, body) = out[at..].split_at_mut(FRAME);
        let Ok(length) = u32::try_from(body.len()) else {
            return false;
        };
        head[4..8].copy_from_slice(&length.to_le_bytes());
        head[8..].copy_from_slice(&self.crc(length, body).to_le_bytes());
        true
    }

    /// The length of the body of the frame that begins with these bytes, if it is one.
    pub(super) fn length(&self, frame: &[u8; FRAME]) -> Option<usize> {
        let length = u32::from_le_bytes(array(&frame[4..8]));
        (frame[..4] == self.marker()).then_some(length as usize)
    }

    /// Whether this is the body of that frame.
    pub(super) fn is_whole(&self, frame: &[u8; FRAME], body: &[u8]) -> bool {
        let length = u32::try_from(body.len());
        length.is_ok_and(|length| self.crc(length, body).to_le_bytes() == frame[8..])
    }

    fn crc(&self, length: u32, body: &[u8]) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&self.salt);
        crc.update(&length.to_le_bytes());
        crc.update(body);
        crc.finalize()
    }
}

/// The bytes of a slice that has as many.
pub(super) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}
