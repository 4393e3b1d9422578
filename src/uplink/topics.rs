//! Names of topics, exactly as REQUIREMENTS H and Z7 have them, and the matching of patterns. Pure text.
//!
//! On a broker that several vessels share, a prefix must hold `{vessel_id}`; a prefix that would collide is refused.

use uuid::Uuid;

use crate::config::BrokerConfig;
use crate::reading::{Context, SeriesKey};
use crate::record::Collection;

/// Stands for the vessel's id in a prefix.
pub const VESSEL_ID_PLACEHOLDER: &str = "{vessel_id}";

/// The longest topic or pattern: MQTT 5, section 1.5.4, a text has at most 65,535 bytes; ours are paths of a few words.
pub const TOPIC_BYTES_MAX: usize = 1_024;

/// Kinds of sync topics that a gateway publishes: one a collection, status, conflicts, catch-up (Z28: the real count).
pub const SYNC_TOPICS: usize = Collection::ALL.len() + 3;

/// Why a topic, a pattern or a prefix was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Nothing in it, or more than [`TOPIC_BYTES_MAX`].
    #[error("a topic has 1 to {TOPIC_BYTES_MAX} bytes, not {0}")]
    Length(usize),
    /// NUL is forbidden anywhere (MQTT 5, 4.7.3).
    #[error("topic `{0}` holds a NUL character")]
    Nul(String),
    /// A wildcard where none may be.
    #[error("topic `{0}`: `+` fills a whole level, `#` the last one, and neither may stand in a topic to publish to")]
    Wildcard(String),
    /// A prefix that starts or ends with `/` or starts with `$`.
    #[error("prefix `{0}` must not start with `/` or `$` nor end with `/`; take one like `vessel/sync`")]
    Edge(String),
    /// Braces around something else than `vessel_id`.
    #[error("prefix `{0}` holds a brace that is not part of {VESSEL_ID_PLACEHOLDER}")]
    Placeholder(String),
    /// Two vessels would write the same topics.
    #[error(
        "prefix `{0}` on a shared broker would mix the vessels: put {VESSEL_ID_PLACEHOLDER} into it, \
         as in `vessels/{{vessel_id}}/sync`"
    )]
    Collides(String),
    /// The vessel's id cannot be a level of a topic.
    #[error("vessel id `{0}` must be letters, digits, `-` or `_` to stand in a topic")]
    VesselId(String),
}

/// Checks a prefix of the configuration; `shared` when several vessels use the broker.
pub fn check_prefix(prefix: &str, shared: bool) -> Result<(), TopicError> {
    check_topic(prefix)?;
    if prefix.starts_with(['/', '$']) || prefix.ends_with('/') {
        return Err(TopicError::Edge(prefix.to_owned()));
    }
    if prefix.replace(VESSEL_ID_PLACEHOLDER, "").contains(['{', '}']) {
        return Err(TopicError::Placeholder(prefix.to_owned()));
    }
    if shared && !prefix.contains(VESSEL_ID_PLACEHOLDER) {
        return Err(TopicError::Collides(prefix.to_owned()));
    }
    Ok(())
}

/// Checks a topic to publish to.
pub fn check_topic(topic: &str) -> Result<(), TopicError> {
    check_text(topic)?;
    if topic.contains(['+', '#']) { Err(TopicError::Wildcard(topic.to_owned())) } else { Ok(()) }
}

/// Checks a pattern to subscribe to (R5; MQTT 5, 4.7.1).
pub fn check_pattern(pattern: &str) -> Result<(), TopicError> {
    check_text(pattern)?;
    let last = pattern.split('/').count() - 1;
    let sound = pattern.split('/').enumerate().all(|(at, level)| match level {
        "+" => true,
        "#" => at == last,
        _ => !level.contains(['+', '#']),
    });
    if sound { Ok(()) } else { Err(TopicError::Wildcard(pattern.to_owned())) }
}

fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() || text.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::Length(text.len()));
    }
    if text.contains('\0') { Err(TopicError::Nul(text.to_owned())) } else { Ok(()) }
}

/// Whether `topic` is one that `pattern` asks for (H8). Topics of the broker itself (`$SYS`) match no leading wildcard.
pub fn matches(pattern: &str, topic: &str) -> bool {
    if topic.starts_with('$') && pattern.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in pattern.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (_, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// The topics of one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    sync: String,
    telemetry: String,
}

impl Topics {
    /// The topics that `config` asks for, with the vessel's id put in.
    pub fn new(config: &BrokerConfig, vessel_id: &str) -> Result<Self, TopicError> {
        check_prefix(&config.sync_prefix, config.shared)?;
        check_prefix(&config.telemetry_prefix, config.shared)?;
        if vessel_id.is_empty() || !vessel_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(TopicError::VesselId(vessel_id.to_owned()));
        }
        let fill = |prefix: &str| prefix.replace(VESSEL_ID_PLACEHOLDER, vessel_id);
        Ok(Self { sync: fill(&config.sync_prefix), telemetry: fill(&config.telemetry_prefix) })
    }

    /// Every change of a collection (H1, H2).
    pub fn collection(&self, collection: Collection) -> String {
        format!("{}/{collection}", self.sync)
    }

    /// The state of one record, retained (Z7).
    pub fn record(&self, collection: Collection, id: Uuid) -> String {
        format!("{}/{collection}/{id}", self.sync)
    }

    /// Missed changes (H5).
    pub fn catchup(&self, collection: Collection) -> String {
        format!("{}/catchup/{collection}", self.sync)
    }

    /// Whether the gateway is there (H3, I4).
    pub fn status(&self) -> String {
        format!("{}/system/status", self.sync)
    }

    /// Open conflicts (H4).
    pub fn conflicts(&self) -> String {
        format!("{}/conflicts", self.sync)
    }

    /// Live values of a series. Own-ship paths stand first; others stand under their context, so that a target's
    /// position never lands on the own ship's.
    pub fn live(&self, key: &SeriesKey) -> String {
        let path = levels(&key.path);
        match key.context {
            Context::OwnShip => format!("{}/live/{path}", self.telemetry),
            other => format!("{}/live/{}/{path}", self.telemetry, levels(&other.to_string())),
        }
    }

    /// Readings of a second (DESIGN, MQTT).
    pub fn batch(&self) -> String {
        format!("{}/batch", self.telemetry)
    }
}

/// A Signal K path as levels; what may not stand in a topic becomes `_`.
fn levels(path: &str) -> String {
    path.chars()
        .map(|c| match c {
            '.' => '/',
            '+' | '#' | '\0' => '_',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_those_of_the_documents() {
        let topics = Topics::new(&BrokerConfig::new("board", "mqtt://localhost"), "aurora").unwrap();
        assert_eq!(topics.collection(Collection::WorkOrders), "vessel/sync/work_orders");
        assert_eq!(topics.catchup(Collection::Alerts), "vessel/sync/catchup/alerts");
        assert_eq!(topics.status(), "vessel/sync/system/status");
        assert_eq!(topics.conflicts(), "vessel/sync/conflicts");
        assert_eq!(topics.batch(), "vessel/telemetry/batch");
        assert_eq!(
            topics.record(Collection::Crew, Uuid::from_u128(7)),
            "vessel/sync/crew/00000000-0000-0000-0000-000000000007"
        );
    }

    #[test]
    fn a_targets_value_never_lands_on_the_own_ships_topic() {
        let topics = Topics::new(&BrokerConfig::new("board", "mqtt://localhost"), "aurora").unwrap();
        let mut key = SeriesKey {
            context: Context::OwnShip,
            path: "navigation.position".into(),
            source: "ais0.AI".into(),
            instance: "".into(),
        };
        assert_eq!(topics.live(&key), "vessel/telemetry/live/navigation/position");
        key.context = Context::Vessel(244_660_000);
        assert_eq!(topics.live(&key), "vessel/telemetry/live/vessels/urn:mrn:imo:mmsi:244660000/navigation/position");
        key.path = "odd.+#".into();
        assert!(topics.live(&key).ends_with("/odd/__"));
    }

    #[test]
    fn a_shared_broker_needs_the_vessel_in_both_prefixes() {
        let mut config = BrokerConfig::new("shore", "mqtts://broker.example.com");
        config.shared = true;
        assert!(matches!(Topics::new(&config, "aurora"), Err(TopicError::Collides(_))));
        config.sync_prefix = "vessels/{vessel_id}/sync".to_owned();
        assert!(matches!(Topics::new(&config, "aurora"), Err(TopicError::Collides(p)) if p == "vessel/telemetry"));
        config.telemetry_prefix = "vessels/{vessel_id}/telemetry".to_owned();
        assert_eq!(Topics::new(&config, "aurora").unwrap().status(), "vessels/aurora/sync/system/status");
        assert!(matches!(Topics::new(&config, "a/b"), Err(TopicError::VesselId(_))));
    }

    #[test]
    fn unsound_prefixes_and_patterns_are_refused() {
        for prefix in ["", "/a", "a/", "$SYS", "a/+/b", "a/{ship}", "a/\0"] {
            assert!(check_prefix(prefix, false).is_err(), "{prefix:?}");
        }
        for pattern in ["", "a/#/b", "a+", "a/b#", "x\0"] {
            assert!(check_pattern(pattern).is_err(), "{pattern:?}");
        }
        for pattern in ["#", "+", "a/+/c", "a/#", "/", "a//b"] {
            assert_eq!(check_pattern(pattern), Ok(()), "{pattern:?}");
        }
    }

    #[test]
    fn patterns_match_as_mqtt_says() {
        // MQTT 5, sections 4.7.1.2, 4.7.1.3 and 4.7.2, their own examples.
        for (pattern, topic, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("#", "a/b/c", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/broker", false),
            ("+/monitor", "$SYS/monitor", false),
            ("$SYS/#", "$SYS/broker", true),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
        ] {
            assert_eq!(matches(pattern, topic), expected, "{pattern} {topic}");
        }
    }
}
