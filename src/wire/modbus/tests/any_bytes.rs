//! Any bytes into every parser: it returns, and holds no more than it says.

use crate::wire::modbus::capture::{Conversation, Direction};
use crate::wire::modbus::map::{BUILTIN, decode};
use crate::wire::modbus::{Answer, DeviceMap, Request, Table};
use crate::wire::modbus::{rtu, tcp};
use proptest::prelude::*;

fn request() -> impl Strategy<Value = Request> {
    let table = prop_oneof![Just(Table::Coil), Just(Table::Discrete), Just(Table::Holding), Just(Table::Input)];
    (table, any::<u16>(), 1u16..2_000).prop_map(|(table, address, count)| Request {
        table,
        address,
        count: count.min(table.count_max()),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn an_accepted_answer_has_the_length_that_was_asked_for(
        request in request(),
        unit in 1u8..=247,
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        for judged in [request.judge(&bytes), tcp::judge(unit, &request, &bytes)] {
            if let Ok(Answer::Data(data)) = judged {
                prop_assert_eq!(data.len(), request.data_bytes());
            }
        }
        if let Some(Ok(Answer::Data(data))) = rtu::judge(unit, &request, &bytes) {
            prop_assert_eq!(data.len(), request.data_bytes());
        }
    }

    /// Bytes that begin as an answer should: the checks behind the first two bytes are reached.
    #[test]
    fn a_nearly_right_serial_answer_is_judged_in_the_end(
        request in request(),
        tail in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let head = [1, request.table.function(), request.data_bytes() as u8];
        let bytes = [&head[..], &tail].concat();
        let judged = rtu::judge(1, &request, &bytes);
        prop_assert_eq!(judged.is_none(), bytes.len() < rtu::answer_frame_bytes(&request));
    }

    #[test]
    fn a_conversation_of_noise_holds_one_frame_a_direction(
        parts in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..8),
    ) {
        let mut conversation = Conversation::default();
        for (is_request, mut bytes) in parts {
            // Half of them 0 or 1: headers need many of these.
            bytes.iter_mut().filter(|byte| **byte < 128).for_each(|byte| *byte &= 1);
            let direction = if is_request { Direction::Request } else { Direction::Answer };
            conversation.push(direction, &bytes, |message| drop(serde_json::to_string(&message)));
            prop_assert!(conversation.held_bytes() <= 2 * tcp::FRAME_BYTES_MAX + 64 * 8);
        }
    }

    #[test]
    fn any_bytes_of_a_value_decode_to_something(
        at in 0..BUILTIN.len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..70),
    ) {
        {
            let map = DeviceMap::parse("x", BUILTIN[at].1).expect("built in");
            for value in &map.values {
                let wanted = 2 * usize::from(value.layout.count);
                let (_, _) = decode(value, &bytes);
                let padded: Vec<u8> = bytes.iter().copied().chain(std::iter::repeat(0)).take(wanted).collect();
                let (_, _) = decode(value, &padded);
            }
        }
    }

    #[test]
    fn any_text_is_a_map_or_an_error(at in 0usize..4_000, put in "\\PC{0,12}", cut in any::<bool>()) {
        let (_, text) = BUILTIN[0];
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let rest = if cut { "" } else { &text[at..] };
        let _ = DeviceMap::parse("x", &format!("{}{put}{rest}", &text[..at]));
    }
}
