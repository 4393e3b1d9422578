//! Alarms that a device tells: what becomes of an ALF, a DM1 or an alert PGN.
//!
//! A notification is a reading under `notifications.`, so that it takes the way of all readings; its value is a JSON
//! text after Signal K 1.7, "Notifications". Whoever keeps alerts as records reads it back.

use serde::{Deserialize, Serialize};

use crate::reading::{TEXT_BYTES_MAX, Value};

/// First part of the path of every notification.
pub const NOTIFICATIONS: &str = "notifications.";

/// Last part of the path of a notification that ends a list: what its source told under the same path with the prefix
/// [`CODE`] and did not repeat since the list before is over. It is an alarm of nobody itself; its state is normal.
pub const LIST_END: &str = ".dm1";

/// How the path of a trouble code goes on where that of its list has [`LIST_END`].
pub const CODE: &str = ".spn";

/// The longest message: with the other keys it stays within [`TEXT_BYTES_MAX`].
pub const MESSAGE_BYTES_MAX: usize = 120;

/// How bad it is, in Signal K's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// The condition is gone.
    Normal,
    /// Something to know: a caution.
    Alert,
    /// Attention soon: a warning.
    Warn,
    /// Action now.
    Alarm,
    /// Danger for life.
    Emergency,
}

/// What a device says of one alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// How bad it is.
    pub state: AlarmState,
    /// For people.
    pub message: String,
    /// Whether somebody acknowledged it, where the device tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<bool>,
    /// J1939: suspect parameter number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spn: Option<u32>,
    /// J1939: failure mode identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmi: Option<u8>,
    /// How often it happened, where the device counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Notification {
    /// A notification with nothing but its state and message, which is cut at [`MESSAGE_BYTES_MAX`].
    pub fn new(state: AlarmState, message: &str) -> Self {
        let mut end = message.len().min(MESSAGE_BYTES_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        Self { state, message: message[..end].to_owned(), acknowledged: None, spn: None, fmi: None, count: None }
    }

    /// As the value of a reading: at most [`TEXT_BYTES_MAX`] bytes of JSON. A message that escapes make too long is
    /// left out: half of a JSON text is none.
    pub fn to_value(&self) -> Value {
        let json = |this: &Self| serde_json::to_string(this).unwrap_or_default();
        let whole = json(self);
        if whole.len() <= TEXT_BYTES_MAX {
            return Value::text(&whole);
        }
        Value::text(&json(&Self { message: String::new(), ..self.clone() }))
    }

    /// The notification that is the value of a reading; `None` for anything else.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_survives_being_a_value() {
        let told =
            Notification { spn: Some(100), fmi: Some(1), ..Notification::new(AlarmState::Alarm, "oil pressure") };
        assert_eq!(told.to_value().to_json(), r#"{"state":"alarm","message":"oil pressure","spn":100,"fmi":1}"#);
        assert_eq!(Notification::from_value(&told.to_value()), Some(told));
        let hostile = Notification::new(AlarmState::Warn, &"\u{1}".repeat(500));
        assert_eq!(Notification::from_value(&hostile.to_value()).unwrap().state, AlarmState::Warn);
        assert_eq!(Notification::from_value(&Value::Float(1.0)), None);
    }
}
