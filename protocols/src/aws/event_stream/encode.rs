//! Writes messages. The gateway only reads them: this is for those who stand in for AWS in tests.

use super::SMALLEST;
use super::header::Value;

/// A frame of these headers and this payload. `None` if it cannot be one: a name is empty or
/// longer than 255 bytes, a value longer than 65535, or the frame longer than a length can say.
pub fn encode(headers: &[(&str, Value<'_>)], payload: &[u8]) -> Option<Vec<u8>> {
    let mut block = Vec::new();
    for (name, value) in headers {
        let length = u8::try_from(name.len()).ok().filter(|length| *length > 0)?;
        block.push(length);
        block.extend_from_slice(name.as_bytes());
        write(&mut block, *value)?;
    }
    let total = SMALLEST
        .checked_add(block.len())?
        .checked_add(payload.len())?;
    let mut frame = Vec::with_capacity(total);
    frame.extend(u32::try_from(total).ok()?.to_be_bytes());
    frame.extend(u32::try_from(block.len()).ok()?.to_be_bytes());
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame.extend(block);
    frame.extend_from_slice(payload);
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    Some(frame)
}

fn write(out: &mut Vec<u8>, value: Value<'_>) -> Option<()> {
    let mut put = |sort: u8, bytes: &[u8]| {
        out.push(sort);
        out.extend_from_slice(bytes);
    };
    match value {
        Value::Bool(true) => put(0, &[]),
        Value::Bool(false) => put(1, &[]),
        Value::Byte(number) => put(2, &number.to_be_bytes()),
        Value::Short(number) => put(3, &number.to_be_bytes()),
        Value::Int(number) => put(4, &number.to_be_bytes()),
        Value::Long(number) => put(5, &number.to_be_bytes()),
        Value::Timestamp(number) => put(8, &number.to_be_bytes()),
        Value::Uuid(bytes) => put(9, &bytes),
        Value::Bytes(bytes) => return counted(out, 6, bytes),
        Value::Text(text) => return counted(out, 7, text.as_bytes()),
    }
    Some(())
}

fn counted(out: &mut Vec<u8>, sort: u8, bytes: &[u8]) -> Option<()> {
    let length = u16::try_from(bytes.len()).ok()?;
    out.push(sort);
    out.extend(length.to_be_bytes());
    out.extend_from_slice(bytes);
    Some(())
}
