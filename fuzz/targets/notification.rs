//! Any text as a notification, a value, a context: what is written can be read, and is as short as it says.

#![no_main]

use hawser_fuzz::reading::{Context, TEXT_BYTES_MAX, Value};
use hawser_fuzz::wire::notification::{AlarmState, MESSAGE_BYTES_MAX, Notification};
use libfuzzer_sys::fuzz_target;

const STATES: [AlarmState; 5] =
    [AlarmState::Normal, AlarmState::Alert, AlarmState::Warn, AlarmState::Alarm, AlarmState::Emergency];

fn number(bytes: &[u8]) -> Option<u32> {
    let (some, number) = bytes.get(..5)?.split_first()?;
    (some & 1 == 1).then(|| u32::from_le_bytes([number[0], number[1], number[2], number[3]]))
}

/// A notification becomes a value and comes back, but for a message that escapes made too long.
fn round_trip(told: &Notification) {
    assert!(told.message.len() <= MESSAGE_BYTES_MAX);
    let value = told.to_value();
    let Value::Text(text) = &value else { panic!("{value:?} is no text") };
    assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes", text.len());
    let back = Notification::from_value(&value).expect("a notification can be read back");
    let message = if back.message.is_empty() { String::new() } else { told.message.clone() };
    assert_eq!(back, Notification { message, ..told.clone() });
}

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let value = Value::text(&text);
    drop(value.to_json().to_string());
    if let Some(read) = Notification::from_value(&value) {
        drop(read.to_value());
    }
    if let Ok(context) = text.parse::<Context>() {
        assert_eq!(context.to_string().parse(), Ok(context));
    }
    let Some(([state, flags], rest)) = input.split_first_chunk() else { return };
    round_trip(&Notification {
        acknowledged: (flags & 1 == 1).then_some(flags & 2 == 2),
        spn: number(rest),
        fmi: (flags & 4 == 4).then_some(flags >> 3),
        count: number(rest.get(5..).unwrap_or(b"")),
        ..Notification::new(STATES[usize::from(*state) % STATES.len()], &text)
    });
});
