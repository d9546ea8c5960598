//! What fuzzing holds against any bytes, held against the transcripts, every prefix of them, and
//! bytes at random.

use proptest::prelude::*;

#[path = "../../fuzz/checks_bedrock.rs"]
mod fuzz;

#[test]
fn transcripts_and_all_their_prefixes_hold() {
    let goldens: [&[u8]; 4] = [
        include_bytes!("../golden/bedrock/answer.json"),
        include_bytes!("../golden/bedrock/tools.events"),
        include_bytes!("../golden/bedrock/reasoning.events"),
        include_bytes!("../golden/bedrock/overloaded.events"),
    ];
    for golden in goldens {
        for end in 0..=golden.len() {
            fuzz::bedrock(&golden[..end]);
        }
    }
}

/// Events in the form that the check reads: a byte that picks the type, then a payload.
const EVENTS: [&[u8]; 8] = [
    b"\0{\"role\":\"assistant\"}",
    b"\x01{\"contentBlockIndex\":0,\"start\":{\"toolUse\":{\"name\":\"f\",\"toolUseId\":\"1\"}}}",
    b"\x01{\"contentBlockIndex\":1,\"start\":{\"toolUse\":{\"name\":\"f\"}}}",
    b"\x02{\"contentBlockIndex\":0,\"delta\":{\"toolUse\":{\"input\":\"{}\"},\"text\":\"x\"}}",
    b"\x02{\"contentBlockIndex\":1,\"delta\":{\"reasoningContent\":{\"text\":\"x\"}}}",
    b"\x03{\"contentBlockIndex\":0}",
    b"\x04{\"stopReason\":\"end_turn\"}",
    b"\x05{\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}",
];

proptest! {
    #[test]
    fn events_in_any_order_hold(order in proptest::collection::vec(0..EVENTS.len(), 0..12)) {
        let events: Vec<_> = order.iter().map(|at| EVENTS[*at]).collect();
        fuzz::bedrock(&events.join(&b'\n'));
    }

    #[test]
    fn any_bytes_hold(data in any::<Vec<u8>>()) {
        fuzz::bedrock(&data);
    }
}
