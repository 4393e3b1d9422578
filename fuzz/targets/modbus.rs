//! Any bytes as the answer to any question of Modbus, framed either way; and as a conversation that is overheard.

#![no_main]

use hawser_fuzz::Script;
use hawser_fuzz::wire::modbus::capture::{Conversation, Direction, Message, OPEN_MAX};
use hawser_fuzz::wire::modbus::{Answer, Refusal, Request, Table, rtu, tcp};
use libfuzzer_sys::fuzz_target;

/// One open frame a direction, and the questions that are open: 8 bytes each, in a queue that doubles.
const HELD_BYTES_MAX: usize = 4 * tcp::FRAME_BYTES_MAX + 2 * OPEN_MAX * 16;

const TABLES: [Table; 4] = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];

/// Data that is taken has the length that was asked for; a refusal can be printed.
fn check(request: &Request, judged: &Result<Answer<'_>, Refusal>) {
    match judged {
        Ok(Answer::Data(data)) => assert_eq!(data.len(), request.data_bytes()),
        Ok(Answer::Exception(exception)) => drop(exception.to_string()),
        Err(refusal) => drop((refusal.to_string(), refusal.reason())),
    }
}

fn judge(head: [u8; 6], bytes: &[u8]) {
    let [table, address_high, address_low, count_high, count_low, unit] = head;
    let table = TABLES[usize::from(table) % TABLES.len()];
    let count = u16::from_be_bytes([count_high, count_low]) % table.count_max() + 1;
    let request = Request { table, address: u16::from_be_bytes([address_high, address_low]), count };
    check(&request, &request.judge(bytes));
    check(&request, &tcp::judge(unit, &request, bytes));
    // The same bytes behind a right head and with a right checksum, so that what is behind them is reached.
    let mut frame = [&[unit, table.function(), request.data_bytes() as u8], bytes].concat();
    frame.extend_from_slice(&rtu::checksum(&frame).to_le_bytes());
    for bytes in [bytes, &frame] {
        // Once refused, no byte more makes it right.
        let mut refused = false;
        for end in 0..=bytes.len().min(rtu::FRAME_BYTES_MAX + 1) {
            if let Some(judged) = rtu::judge(unit, &request, &bytes[..end]) {
                check(&request, &judged);
                assert!(judged.is_err() || !refused, "refused and then taken");
                refused |= judged.is_err();
            }
        }
        if let Some(Some(end)) = rtu::end_of_frame(bytes) {
            assert!(end <= bytes.len());
        }
    }
}

/// What a conversation says when each direction's bytes come in these pieces.
fn messages<'a>(pieces: impl Iterator<Item = (Direction, &'a [u8])>) -> (Vec<Message>, u64) {
    let (mut conversation, mut messages) = (Conversation::default(), Vec::new());
    for (direction, piece) in pieces {
        conversation.push(direction, piece, |message| messages.push(message));
        assert!(conversation.held_bytes() <= HELD_BYTES_MAX, "{} bytes held", conversation.held_bytes());
    }
    (messages, conversation.skipped_bytes())
}

fuzz_target!(|input: &[u8]| {
    let Some((script, rest)) = Script::split(input) else { return };
    let Some((head, bytes)) = rest.split_first_chunk() else { return };
    judge(*head, bytes);
    let direction = |mono_ms: u64| if mono_ms.is_multiple_of(2) { Direction::Request } else { Direction::Answer };
    let cut = || script.pieces(bytes).map(|(mono_ms, piece)| (direction(mono_ms), piece));
    let said = messages(cut());
    let bytewise = cut().flat_map(|(direction, piece)| piece.chunks(1).map(move |byte| (direction, byte)));
    assert_eq!(said, messages(bytewise), "the cuts matter");
    for message in said.0 {
        serde_json::to_string(&message).expect("a message is JSON");
    }
});
