//! How records say by which schema of a registry they were written: Confluent's wire format.
//!
//! A zero byte, the schema's id as four bytes, big-endian; for Protobuf then where in the schema's
//! file the message is, as a count and indexes in zigzag varints, of which the first message alone is
//! one zero byte; then the record itself. It knows no registry.

use bytes::{Buf as _, Bytes};

use super::Fault;

/// What every record begins with.
const MAGIC: u8 = 0;
/// A file that nests messages deeper has other troubles.
const DEEPEST: usize = 100;

/// A record of the schema with this id; `indexes` is where its message is, of Protobuf only.
pub(super) fn write(id: u32, indexes: Option<&[usize]>, record: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(record.len() + 8);
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
    match indexes {
        None => {}
        Some([0]) => out.push(0),
        Some(indexes) => {
            varint(indexes.len(), &mut out);
            for index in indexes {
                varint(*index, &mut out);
            }
        }
    }
    out.extend_from_slice(record);
    out.into()
}

/// The id of a record's schema, and what follows.
pub(super) fn read(mut record: Bytes) -> Result<(u32, Bytes), Fault> {
    if record.len() < 5 || record[0] != MAGIC {
        let what = "is not in the wire format of registries: it does not begin with a schema's id";
        return Err(Fault::new(what));
    }
    record.advance(1);
    Ok((record.get_u32(), record))
}

/// Where the message is, and its bytes.
pub(super) fn read_indexes(mut rest: Bytes) -> Result<(Vec<usize>, Bytes), Fault> {
    let broken = || Fault::new("does not say which message of its schema it is");
    let count = take(&mut rest).ok_or_else(broken)?;
    if count == 0 {
        return Ok((vec![0], rest));
    }
    if count > DEEPEST {
        return Err(broken());
    }
    let indexes = (0..count).map(|_| take(&mut rest));
    let indexes = indexes.collect::<Option<Vec<_>>>().ok_or_else(broken)?;
    Ok((indexes, rest))
}

fn varint(value: usize, out: &mut Vec<u8>) {
    let mut left = (value as u64) << 1;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

fn take(rest: &mut Bytes) -> Option<usize> {
    let mut value = 0_u64;
    for shift in (0..35).step_by(7) {
        let byte = rest.try_get_u8().ok()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            // An odd one is negative.
            return (value & 1 == 0)
                .then(|| usize::try_from(value >> 1).ok())
                .flatten();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_confluents() {
        assert_eq!(&write(258, None, b"x")[..], b"\0\0\0\x01\x02x");
        assert_eq!(&write(1, Some(&[0]), b"x")[..], b"\0\0\0\0\x01\0x");
        // [1, 0]: the first message within the second one, as Confluent's documentation has it.
        assert_eq!(
            &write(1, Some(&[1, 0]), b"x")[..],
            b"\0\0\0\0\x01\x04\x02\0x"
        );
        assert_eq!(&write(1, Some(&[1]), b"")[..], b"\0\0\0\0\x01\x02\x02");
    }

    #[test]
    fn what_is_no_wire_format_is_a_fault() {
        for record in ["", "\0\0\0\0", "{\"a\":1}", "\u{1}\0\0\0\x01"] {
            assert!(read(Bytes::from(record)).is_err(), "{record:?}");
        }
        for rest in [
            &b""[..],
            b"\x02",
            b"\x01",
            b"\xff\xff\xff\xff\xff",
            b"\xd0\x0f",
        ] {
            assert!(read_indexes(Bytes::from_static(rest)).is_err(), "{rest:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            id: u32,
            indexes in prop::collection::vec(0_usize..100_000, 1..5),
            record: Vec<u8>,
        ) {
            let written = write(id, Some(&indexes), &record);
            let (found, rest) = read(written).expect("written here");
            let (at, left) = read_indexes(rest).expect("written here");
            prop_assert_eq!((found, at, &left[..]), (id, indexes, &record[..]));
        }

        #[test]
        fn nothing_panics(record: Vec<u8>) {
            if let Ok((_, rest)) = read(record.into()) {
                let _ = read_indexes(rest);
            }
        }
    }
}
