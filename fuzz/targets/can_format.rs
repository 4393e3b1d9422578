//! Any bytes as CAN traffic of a gateway or a log, in each of seven formats: the same items wherever it is cut.

#![no_main]

use hawser_fuzz::Script;
use hawser_fuzz::clock::Stamp;
use hawser_fuzz::wire::can::{Format, Frame, Framing, Identifier, Item, PAYLOAD_BYTES_MAX, Rejected};
use libfuzzer_sys::fuzz_target;

/// One line or packet, and one payload.
const HELD_BYTES_MAX: usize = 16 * 1_024;

/// An item, kept.
#[derive(Debug, PartialEq)]
enum Kept {
    Frame(Frame),
    Message(Identifier, Vec<u8>, Option<Stamp>),
    Rejected(&'static str),
}

fn keep(item: Result<Item<'_>, Rejected<'_>>) -> Kept {
    match item {
        Ok(Item::Frame(frame)) => {
            assert!(frame.length <= 8 && frame.id < 1 << if frame.extended { 29 } else { 11 }, "{frame:?}");
            Kept::Frame(frame)
        }
        Ok(Item::Message(message)) => {
            assert!(message.payload.len() <= PAYLOAD_BYTES_MAX, "{message:?}");
            Kept::Message(message.identifier, message.payload.to_vec(), message.at)
        }
        Err(rejected) => Kept::Rejected(rejected.reason.name()),
    }
}

fn items<'a>(format: Format, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Kept> {
    let (mut framing, mut items) = (Framing::new(format), Vec::new());
    for piece in pieces {
        framing.push(piece, &mut |item| items.push(keep(item)));
        assert!(framing.held_bytes() <= HELD_BYTES_MAX, "{} bytes held", framing.held_bytes());
    }
    framing.finish(&mut |item| items.push(keep(item)));
    items
}

fuzz_target!(|input: &[u8]| {
    let Some((first, input)) = input.split_first() else { return };
    let Some((script, bytes)) = Script::split(input) else { return };
    let format = Format::ALL[usize::from(*first) % Format::ALL.len()];
    let cut = items(format, script.pieces(bytes).map(|(_, piece)| piece));
    assert_eq!(cut, items(format, std::iter::once(bytes)), "the cuts matter");
    assert!(cut.len() <= bytes.len(), "{} items of {} bytes", cut.len(), bytes.len());
    let _ = Format::detect(bytes);
});
