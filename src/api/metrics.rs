//! Counters of the HTTP room. Every refusal and every drop of this room is counted here.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The counters; clones share them.
#[derive(Clone, Debug, Default)]
pub struct ApiMetrics {
    /// Connections taken.
    pub connections: Counter,
    /// Connections turned away because the most were open.
    pub connections_refused: Counter,
    /// Connections cut because the far end stopped reading.
    pub connections_stalled: Counter,
    /// Writes refused for want of the right token.
    pub auth_failures: Counter,
    /// Requests turned away because a bound was reached.
    pub busy: Counter,
    /// Clients of the live stream now.
    pub live_clients: Gauge,
    /// Times that a slow client missed events and was given a fresh snapshot.
    pub live_lagged: Counter,
    /// Readings of series beyond the table's bound, not shown live.
    pub live_refused: Counter,
}

impl ApiMetrics {
    /// Puts all of them into `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let api = registry.sub_registry_with_prefix("api");
        api.register("connections", "Connections taken", self.connections.clone());
        api.register("connections_refused", "Connections turned away at the limit", self.connections_refused.clone());
        api.register("connections_stalled", "Connections cut as nobody read", self.connections_stalled.clone());
        api.register("auth_failures", "Writes refused for want of the token", self.auth_failures.clone());
        api.register("busy", "Requests turned away at a limit", self.busy.clone());
        api.register("live_clients", "Clients of the live stream", self.live_clients.clone());
        api.register("live_lagged", "Slow clients given a fresh snapshot", self.live_lagged.clone());
        api.register("live_refused", "Readings beyond the live table", self.live_refused.clone());
    }
}
