//! What the MQTT tests stand on: a change log in memory, a real mosquitto, a real subscriber, a gate between gateway
//! and broker. It judges nothing itself; a missing mosquitto fails with how to install it.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hawser::clock::{Clock, Hlc, Stamp};
use hawser::config::BrokerConfig;
use hawser::entropy::Entropy;
use hawser::reading::{Context, Quality, Reading, SeriesKey, SeriesRegistry, Value};
use hawser::record::{Change, ChangeType, Collection, Record, SCHEMA_VERSION};
use hawser::uplink::session::BackOff;
use hawser::uplink::{
    ChangeFeed, ConflictNotice, FeedError, LoggedChange, Timing, UplinkHandle, UplinkMetrics, UplinkParts, spawn,
};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, Publish, QoS, SubscribeFilterInput};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a test waits for something that must happen: only a test that fails takes so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done`.
pub async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "never came: {what}");
}

/// Looks at each move of the cursor.
pub type Witness = Box<dyn Fn(u64, &[LoggedChange]) + Send>;

#[derive(Default)]
struct Log {
    changes: Vec<LoggedChange>,
    records: BTreeMap<(Collection, Uuid), Record>,
    cursors: BTreeMap<String, u64>,
    dead: Vec<(u64, String)>,
    fails: bool,
    witness: Option<Witness>,
}

/// A change log in memory, with the promises of the real one.
pub struct MemoryFeed {
    log: Mutex<Log>,
    head: watch::Sender<u64>,
    conflicts: watch::Sender<Arc<Vec<ConflictNotice>>>,
}

impl MemoryFeed {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            log: Mutex::default(),
            head: watch::Sender::new(0),
            conflicts: watch::Sender::new(Arc::default()),
        })
    }

    /// Makes an edit; gives the id of its change.
    pub fn edit(&self, collection: Collection, id: Uuid, kind: ChangeType, title: &str) -> Uuid {
        let mut log = self.log.lock().unwrap();
        let version = log.changes.len() as u64 + 1;
        let fields = serde_json::json!({"title": title}).as_object().unwrap().clone();
        let now = Clock::manual(Stamp::from_millis(1_793_491_200_000 + i64::try_from(version).unwrap())).now();
        let change = Change {
            change_id: Uuid::from_u128(0xC0DE_0000 + u128::from(version)),
            device_id: Uuid::from_u128(1),
            epoch: 1,
            seq: version,
            collection,
            entity_id: id,
            kind,
            base_version: 0,
            hlc: Hlc::at(now.wall),
            fields: fields.clone(),
            made_at: (&now).into(),
            actor: "test".to_owned(),
            schema_version: SCHEMA_VERSION,
        };
        let change_id = change.change_id;
        if kind == ChangeType::Deleted {
            log.records.remove(&(collection, id));
        } else {
            let record = Record { id, version: 0, created_at: now.wall, updated_at: now.wall, pending: true, fields };
            log.records.insert((collection, id), record);
        }
        log.changes.push(LoggedChange { version, change });
        self.head.send_replace(version);
        change_id
    }

    /// A new record of a collection; gives its id.
    pub fn create(&self, collection: Collection, number: u128, title: &str) -> Uuid {
        let id = Uuid::from_u128(number);
        self.edit(collection, id, ChangeType::Created, title);
        id
    }

    pub fn cursor_now(&self) -> u64 {
        self.log.lock().unwrap().cursors.values().copied().max().unwrap_or(0)
    }

    pub fn head_now(&self) -> u64 {
        *self.head.borrow()
    }

    pub fn is_delivered(&self) -> bool {
        self.cursor_now() == self.head_now()
    }

    pub fn ids(&self) -> Vec<String> {
        self.log.lock().unwrap().changes.iter().map(|c| c.change.change_id.to_string()).collect()
    }

    pub fn dead_letters(&self) -> Vec<(u64, String)> {
        self.log.lock().unwrap().dead.clone()
    }

    pub fn fail(&self, fails: bool) {
        self.log.lock().unwrap().fails = fails;
    }

    pub fn watch_cursor(&self, witness: Witness) {
        self.log.lock().unwrap().witness = Some(witness);
    }

    pub fn set_conflicts(&self, open: Vec<ConflictNotice>) {
        self.conflicts.send_replace(Arc::new(open));
    }

    fn locked(&self, operation: &'static str) -> Result<std::sync::MutexGuard<'_, Log>, FeedError> {
        let log = self.log.lock().unwrap();
        if log.fails {
            return Err(FeedError { operation, cause: "the disk is away".to_owned(), transient: true });
        }
        Ok(log)
    }
}

impl ChangeFeed for MemoryFeed {
    fn changes_after(&self, version: u64, limit: usize) -> Result<Vec<LoggedChange>, FeedError> {
        let log = self.locked("read the log")?;
        Ok(log.changes.iter().filter(|c| c.version > version).take(limit).cloned().collect())
    }

    fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    fn cursor(&self, destination: &str) -> Result<u64, FeedError> {
        Ok(self.locked("read the cursor")?.cursors.get(destination).copied().unwrap_or(0))
    }

    fn set_cursor(&self, destination: &str, version: u64) -> Result<(), FeedError> {
        let mut log = self.locked("move the cursor")?;
        if let Some(witness) = &log.witness {
            witness(version, &log.changes);
        }
        log.cursors.insert(destination.to_owned(), version);
        Ok(())
    }

    fn record(&self, collection: Collection, id: Uuid) -> Result<Option<Record>, FeedError> {
        Ok(self.locked("read a record")?.records.get(&(collection, id)).cloned())
    }

    fn all_records(&self, collection: Collection, after: Option<Uuid>, limit: usize) -> Result<Vec<Record>, FeedError> {
        let log = self.locked("read the records")?;
        let all = log.records.iter().filter(|((c, id), _)| *c == collection && after.is_none_or(|after| *id > after));
        Ok(all.map(|(_, record)| record.clone()).take(limit).collect())
    }

    fn dead_letter(&self, _: &str, version: u64, reason: &str) -> Result<(), FeedError> {
        self.locked("keep a dead letter")?.dead.push((version, reason.to_owned()));
        Ok(())
    }

    fn conflicts(&self) -> watch::Receiver<Arc<Vec<ConflictNotice>>> {
        self.conflicts.subscribe()
    }
}

/// A port that was free a moment ago.
pub async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// A mosquitto of the test's own, stopped by its process id.
pub struct Mosquitto {
    pub port: u16,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Mosquitto {
    pub async fn start() -> Self {
        Self::start_on(free_port().await, "").await
    }

    /// On a port, with more lines of configuration.
    pub async fn start_on(port: u16, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n{more}\n");
        std::fs::write(dir.path().join("mosquitto.conf"), text).unwrap();
        let mut broker = Self { port, dir, child: None };
        broker.restart().await;
        broker
    }

    pub async fn restart(&mut self) {
        let file = self.dir.path().join("mosquitto.conf");
        let child = Command::new("mosquitto").arg("-c").arg(file).stderr(Stdio::null()).stdout(Stdio::null()).spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!("mosquitto cannot be started ({error}); install it with `apt-get install mosquitto`")
        }));
        let port = self.port;
        tokio::time::timeout(PATIENCE, async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("mosquitto answers on its port");
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A message as a subscriber got it.
#[derive(Clone, Debug)]
pub struct Got {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
}

impl Got {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.payload).unwrap_or(serde_json::Value::Null)
    }

    pub fn text(&self, key: &str) -> String {
        self.json()[key].as_str().unwrap_or_default().to_owned()
    }
}

impl From<Publish> for Got {
    fn from(publish: Publish) -> Self {
        Self {
            topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
            payload: publish.payload.to_vec(),
            qos: publish.qos as u8,
            retain: publish.retain,
        }
    }
}

/// A second client that hears everything; reconnects at once and for ever.
pub struct Subscriber {
    got: Arc<Mutex<Vec<Got>>>,
    ready: watch::Receiver<u64>,
    pub client: AsyncClient,
    task: tokio::task::JoinHandle<()>,
}

impl Subscriber {
    pub async fn start(port: u16, pattern: &str) -> Self {
        let mut options = MqttOptions::new(format!("subscriber-{}", Uuid::new_v4()), ("127.0.0.1", port));
        options.set_incoming_packet_size_limit(rumqttc::IncomingPacketSizeLimit::Unlimited);
        let (client, mut event_loop) = AsyncClient::builder(options).capacity(16).build();
        let got = Arc::new(Mutex::new(Vec::new()));
        let (subscribed, ready) = watch::channel(0);
        // The flag of what is retained is passed on, so that a test can see it on live messages too.
        let pattern = pattern.to_owned();
        let (kept, asking) = (Arc::clone(&got), client.clone());
        let task = tokio::spawn(async move {
            loop {
                match event_loop.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let filter = SubscribeFilterInput::new(pattern.clone(), QoS::ExactlyOnce).preserve_retain(true);
                        asking.try_subscribe_many([filter]).unwrap();
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => subscribed.send_modify(|count| *count += 1),
                    Ok(Event::Incoming(Packet::Publish(publish))) => kept.lock().unwrap().push(Got::from(publish)),
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        let mut subscriber = Self { got, ready, client, task };
        subscriber.ready_again(1).await;
        subscriber
    }

    /// Waits until it has subscribed `times`.
    pub async fn ready_again(&mut self, times: u64) {
        let ready = tokio::time::timeout(PATIENCE, self.ready.wait_for(|count| *count >= times));
        assert!(ready.await.is_ok(), "the subscriber never subscribed");
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub fn on(&self, topic: &str) -> Vec<Got> {
        self.got().into_iter().filter(|got| got.topic == topic).collect()
    }

    /// `messageId` of all changes that came, live or as catch-up, in the order of their first coming.
    pub fn change_ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for got in self.got() {
            let id = got.text("messageId");
            if ["data_change", "catchup"].contains(&&*got.text("type")) && !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A running uplink with all that a test wants to hold of it.
pub struct Gateway {
    pub handle: UplinkHandle,
    pub metrics: UplinkMetrics,
    pub telemetry: broadcast::Sender<Arc<Vec<Reading>>>,
    pub stop: CancellationToken,
}

/// Waits of milliseconds in place of minutes.
pub fn hurried() -> Timing {
    Timing { back_off: BackOff { first_ms: 20, max_ms: 100 }, ..Timing::default() }
}

impl Gateway {
    pub fn start(config: BrokerConfig, feed: &Arc<MemoryFeed>) -> Self {
        Self::start_with(config, feed, hurried())
    }

    pub fn start_with(config: BrokerConfig, feed: &Arc<MemoryFeed>, timing: Timing) -> Self {
        let (telemetry, committed) = broadcast::channel(16);
        let metrics = UplinkMetrics::default();
        let stop = CancellationToken::new();
        let handle = spawn(UplinkParts {
            config,
            vessel_id: "aurora".to_owned(),
            feed: Arc::clone(feed) as Arc<dyn ChangeFeed>,
            telemetry: Some(committed),
            clock: Clock::system(),
            entropy: Entropy::seeded(1),
            metrics: metrics.clone(),
            stop: stop.clone(),
            timing,
        })
        .unwrap();
        Self { handle, metrics, telemetry, stop }
    }

    pub async fn online(&self) {
        eventually("the uplink is online", || self.handle.health().connected).await;
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.handle.stopped().await;
    }
}

/// A way between gateway and broker that a test opens and closes.
pub struct Gate {
    pub port: u16,
    open: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Gate {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (open, opened) = watch::channel(true);
        let task = tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut opened = opened.clone();
                tokio::spawn(async move {
                    if !*opened.borrow() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = opened.wait_for(|open| !*open) => {}
                    }
                });
            }
        });
        Self { port: own, open, task }
    }

    pub fn set(&self, open: bool) {
        self.open.send_replace(open);
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A reading of a path of the own ship.
pub fn reading(registry: &SeriesRegistry, path: &'static str, value: f64) -> Reading {
    let key = SeriesKey { context: Context::OwnShip, path: path.into(), source: "gps0.GP".into(), instance: "".into() };
    let at = Stamp::from_millis(1_793_491_200_000);
    Reading {
        series: registry.series(&key).unwrap(),
        observed_at: at,
        received_at: at,
        value: Value::Float(value),
        quality: Quality::Good,
    }
}

/// The next event of a subscription through the library.
pub async fn heard<T>(events: &mut mpsc::Receiver<T>) -> T {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event comes").expect("the subscription lives")
}
