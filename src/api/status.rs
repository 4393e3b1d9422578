//! What the gateway says of itself: one document for the page, for `GET /api/status` and for `hawser status`.
//!
//! Plain data; the gateway fills it (see [`super::Backend::status`]). It holds no secret: a broker's URL comes without
//! its password, see [`url_without_password`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::{ClockQuality, Stamp};
use crate::update::UpdateStatus;
use crate::wire::SourceInfo;

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Who this vessel is.
    pub vessel: VesselStatus,
    /// Version of the firmware.
    pub version: String,
    /// When the process started; `None` before anything is known.
    pub started_at: Option<Stamp>,
    /// The gateway's wall clock.
    pub now: Stamp,
    /// How far `now` may be trusted.
    pub clock_quality: ClockQuality,
    /// The sensor buses.
    pub buses: Vec<BusStatus>,
    /// The telemetry store.
    pub store: StoreStatus,
    /// The record store.
    pub records: RecordsStatus,
    /// MQTT brokers.
    pub brokers: Vec<BrokerStatus>,
    /// The way to the shore.
    pub shore: ShoreStatus,
    /// The system of the box and its updates; `None` where they are switched off.
    pub update: Option<UpdateStatus>,
    /// What a person should look at now, one sentence each. Empty is good.
    pub alarms: Vec<String>,
}

/// Who a vessel is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VesselStatus {
    /// Name among the fleet.
    pub id: String,
    /// Name that people read; may be empty.
    pub name: String,
}

/// State of a bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusState {
    /// Being opened, or opened again.
    #[default]
    Connecting,
    /// Open: data may come.
    Open,
    /// Lost; it is tried again.
    Closed,
    /// Switched off in the configuration.
    Disabled,
}

/// One sensor bus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BusStatus {
    /// Its name in the configuration.
    pub name: String,
    /// What is spoken on it.
    pub protocol: String,
    /// Where it is.
    pub address: String,
    /// Whether it is open.
    pub state: BusState,
    /// Readings a second, over the last few seconds.
    pub readings_per_s: f64,
    /// Readings since the start.
    pub readings: u64,
    /// Sentences since the start.
    pub sentences: u64,
    /// Sentences refused since the start.
    pub rejected: u64,
    /// The same by reason; bounded by the number of reasons.
    pub rejected_by_reason: BTreeMap<String, u64>,
    /// Sound messages passed over on purpose since the start, by reason: copies, what no table has.
    pub ignored_by_reason: BTreeMap<String, u64>,
    /// Readings of sources that another one is preferred to, since the start.
    pub standby: u64,
    /// Readings not kept because of a dead band or a rate limit, since the start.
    pub thinned: u64,
    /// Series that are silent for too long now.
    pub stale_series: u64,
    /// The devices heard on it: what each is, as far as it told.
    pub devices: Vec<SourceInfo>,
    /// When the last byte came.
    pub last_data_at: Option<Stamp>,
    /// What went wrong last, for people.
    pub last_error: Option<String>,
}

/// The telemetry store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes it may use; 0 when no limit is known.
    pub bytes_max: u64,
    /// Readings stored.
    pub readings: u64,
    /// Sequence number up to which readings are safely on the disk.
    pub durable_seq: u64,
    /// Last sequence number given out.
    pub last_seq: u64,
    /// Readings that wait on the bus for the next commit.
    pub waiting: u64,
    /// Day files.
    pub files: u64,
    /// Time of the oldest reading.
    pub oldest: Option<Stamp>,
    /// Whether the store refuses writes after a failed sync, until it is opened again.
    pub poisoned: bool,
    /// Why, for people.
    pub alarm: Option<String>,
}

/// The record store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordsStatus {
    /// Head of the change log.
    pub head: u64,
    /// Changes that the shore has not acknowledged.
    pub pending: u64,
    /// Changes set aside because they were refused for good.
    pub dead_letters: u64,
    /// Conflicts that wait for a person.
    pub conflicts: u64,
}

/// State of a connection to a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerState {
    /// Not connected; it is tried again for ever.
    #[default]
    Disconnected,
    /// On the way.
    Connecting,
    /// Connected.
    Connected,
}

/// One MQTT broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BrokerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Its URL without the password.
    pub url: String,
    /// Whether it is connected.
    pub state: BrokerState,
    /// Up to where the change log was acknowledged by it.
    pub cursor: u64,
    /// Head of the change log.
    pub head: u64,
    /// Live messages that wait in memory.
    pub ring_messages: u64,
    /// Most that may wait.
    pub ring_messages_max: u64,
    /// Their bytes.
    pub ring_bytes: u64,
    /// Live messages dropped because the ring was full or they were stale; catch-up serves them.
    pub dropped: u64,
    /// Messages acknowledged since the start.
    pub published: u64,
}

/// Whether the shore is reachable. A state, not a fault (Z18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// No shore is configured.
    #[default]
    Disabled,
    /// Not reachable now.
    Offline,
    /// The last exchange worked.
    Online,
}

/// How well the exchanges go while the link is online (Q8, Z18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncHealth {
    /// More than 95 % of the last 20 worked, or none was due.
    #[default]
    Healthy,
    /// More than 80 %.
    Degraded,
    /// Fewer.
    Unhealthy,
}

/// The way to the shore.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShoreStatus {
    /// Whether a shore is configured.
    pub configured: bool,
    /// Whether it is reachable.
    pub link: Link,
    /// How well it goes.
    pub health: SyncHealth,
    /// When an exchange last worked.
    pub last_success_at: Option<Stamp>,
    /// What went wrong last, for people.
    pub last_error: Option<String>,
    /// Since when the link is away.
    pub offline_since: Option<Stamp>,
    /// The shore's change version that we have.
    pub cursor: u64,
    /// Changes that the shore has not acknowledged.
    pub pending_changes: u64,
    /// Sequence number up to which the shore has our readings.
    pub readings_acknowledged_seq: u64,
    /// Bytes sent since the start.
    pub bytes_sent: u64,
    /// Bytes received since the start.
    pub bytes_received: u64,
}

/// `url` without what stands between the user name and `@`, for logs and pages (Q10).
pub fn url_without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((userinfo, host)) => {
            let user = userinfo.split(':').next().unwrap_or_default();
            let at = if user.is_empty() { "" } else { "@" };
            format!("{scheme}://{user}{at}{host}{tail}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_leaves_in_a_url() {
        assert_eq!(url_without_password("mqtt://ann:s:e@cret@host:1883/x"), "mqtt://ann@host:1883/x");
        assert_eq!(url_without_password("mqtt://:secret@host"), "mqtt://host");
        assert_eq!(url_without_password("mqtt://host:1883"), "mqtt://host:1883");
        assert_eq!(url_without_password("nothing"), "nothing");
    }

    #[test]
    fn a_status_reads_back_as_written() {
        let status = Status { buses: vec![BusStatus::default()], ..Status::default() };
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
        assert!(text.contains(r#""link":"disabled""#) && text.contains(r#""state":"connecting""#), "{text}");
    }
}
