//! The simulator on real sockets: a TCP server whose every client gets the stream, or a UDP sender.
//!
//! [`SimHandle::taken`] is the number of readings that the far end can be held to: sentences that were completely
//! written to the connected client, or sent as datagrams. [`SimHandle::stop`] ends in order, so that everything written
//! arrives. It refuses to buffer without bound: a client that falls [`CLIENT_BATCHES_MAX`] ticks behind is dropped with
//! a message.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::client::{Batch, Tally, attend};
use super::devices::{DEVICES_MAX, Devices, Pace, RATE_MILLIHERTZ_MAX};
use super::sentence::Spoken;
use super::vessel::{Start, Vessel};

/// Ticks a client may fall behind: 10 s at the fast tick, twice what a gateway's lane may hold a bus back for. At the
/// planned load one tick is 10 kB.
pub const CLIENT_BATCHES_MAX: usize = 512;

/// Clients of one output at a time; more are turned away with a message.
const CLIENTS_MAX: usize = 32;

/// The tick under load: a 50th of a second, so that 10,000 readings/s are 50 writes and not 10,000.
const FAST_TICK_MS: u64 = 20;

/// The tick when nothing is faster than 1 Hz.
const SLOW_TICK_MS: u64 = 1_000;

/// Bytes of one datagram: an Ethernet frame's 1,500 less IP and UDP headers, rounded down.
const DATAGRAM_BYTES_MAX: usize = 1_400;

/// Where a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A TCP server on this address; port 0 takes a free one.
    TcpListen(SocketAddr),
    /// Datagrams to this address.
    UdpTo(SocketAddr),
}

/// What is simulated, and where it goes.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// The same seed gives the same vessel.
    pub seed: u64,
    /// Where the vessel starts.
    pub start: Start,
    /// The outputs. The vessel speaks on the first; devices are dealt out over all of them.
    pub outputs: Vec<Output>,
    /// Whether the vessel itself speaks.
    pub vessel: bool,
    /// Thousandths of rounds a second that the vessel's instruments speak: 1,000 is 1 Hz.
    pub vessel_millihertz: u64,
    /// How many devices for load; 0: none.
    pub devices: u32,
    /// Thousandths of readings a second of each device.
    pub device_millihertz: u64,
    /// Ticks a client may fall behind before it is dropped.
    pub client_batches_max: usize,
}

impl SimOptions {
    /// One vessel at 1 Hz on one output.
    pub fn vessel(seed: u64, output: Output) -> Self {
        Self {
            seed,
            start: Start::default(),
            outputs: vec![output],
            vessel: true,
            vessel_millihertz: 1_000,
            devices: 0,
            device_millihertz: 1_000,
            client_batches_max: CLIENT_BATCHES_MAX,
        }
    }

    /// Devices alone, for load: `devices` of them, each `rate_hz` readings a second, over `outputs`.
    pub fn load(seed: u64, outputs: Vec<Output>, devices: u32, rate_hz: f64) -> Self {
        let first = outputs.first().copied().unwrap_or(Output::TcpListen(SocketAddr::from(([127, 0, 0, 1], 0))));
        // A negative or absurd rate saturates here and is refused by `serve`.
        let device_millihertz = (rate_hz * 1_000.0).round() as u64;
        Self { outputs, vessel: false, devices, device_millihertz, ..Self::vessel(seed, first) }
    }

    fn check(&self) -> Result<(), SimError> {
        let rates = [(self.vessel, self.vessel_millihertz), (self.devices > 0, self.device_millihertz)];
        match rates.into_iter().find(|&(used, rate)| used && !(1..=RATE_MILLIHERTZ_MAX).contains(&rate)) {
            _ if self.outputs.is_empty() => Err(SimError::NoOutput),
            _ if self.devices > DEVICES_MAX => Err(SimError::TooManyDevices { devices: self.devices }),
            Some((_, rate)) => Err(SimError::Rate { millihertz: rate }),
            None => Ok(()),
        }
    }

    fn tick_ms(&self) -> u64 {
        if self.devices == 0 && self.vessel_millihertz <= 1_000 { SLOW_TICK_MS } else { FAST_TICK_MS }
    }
}

/// Why the simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Nowhere to speak.
    #[error("no output is given; name one, such as tcp://127.0.0.1:10110")]
    NoOutput,
    /// More devices than names.
    #[error("{devices} devices are more than the {DEVICES_MAX} that can be named apart")]
    TooManyDevices {
        /// What was asked for.
        devices: u32,
    },
    /// A rate of nothing, or one beyond what a tick's batch may hold.
    #[error("a rate of {} Hz is outside 0.001 to {} Hz", *.millihertz as f64 / 1_000.0, RATE_MILLIHERTZ_MAX / 1_000)]
    Rate {
        /// What was asked for.
        millihertz: u64,
    },
    /// The address cannot be used.
    #[error("cannot open {address}; is another program using it?")]
    Open {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SimError {
    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Open { .. })
    }
}

/// A running simulator. Dropping it stops it too, but does not wait.
#[derive(Debug)]
pub struct SimHandle {
    addresses: Vec<SocketAddr>,
    taken: Arc<AtomicU64>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl SimHandle {
    /// Where each output is: the listening address, or the target.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Readings that the counted clients took and that datagrams carried, so far.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Finishes the current second, writes out what waits, closes every connection in order and returns the final
    /// [`SimHandle::taken`]. It waits (bounded) for the clients to close too: a gateway closes when it has handed
    /// everything over, so when this returns its lanes hold it all.
    pub async fn stop(mut self) -> u64 {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::error!(%error, "simulator: an output failed");
            }
        }
        self.taken()
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts the simulator; returns when all outputs are open.
pub async fn serve(options: SimOptions, clock: Clock) -> Result<SimHandle, SimError> {
    options.check()?;
    let (taken, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let mut handle = SimHandle { addresses: Vec::new(), taken, stop, tasks: Vec::new() };
    for (index, &output) in options.outputs.iter().enumerate() {
        let speaker = Speaker::new(&options, index, clock.clone(), handle.stop.clone());
        let taken = Arc::clone(&handle.taken);
        match output {
            Output::TcpListen(address) => {
                let listener = TcpListener::bind(address).await.map_err(|source| SimError::Open { address, source })?;
                handle.addresses.push(listener.local_addr().map_err(|source| SimError::Open { address, source })?);
                let hall = Hall::new(taken, options.client_batches_max);
                handle.tasks.push(tokio::spawn(tcp_output(listener, speaker, hall)));
            }
            Output::UdpTo(address) => {
                let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
                let socket = UdpSocket::bind(any).await.map_err(|source| SimError::Open { address, source })?;
                handle.addresses.push(address);
                handle.tasks.push(tokio::spawn(udp_output(socket, address, speaker, taken)));
            }
        }
    }
    Ok(handle)
}

/// `hawser sim`: serves until `shutdown`, says on stderr where, and at the end how much was taken.
pub async fn run(options: SimOptions, clock: Clock, shutdown: CancellationToken) -> Result<(), SimError> {
    let outputs = options.outputs.clone();
    let handle = serve(options, clock).await?;
    for (output, address) in outputs.iter().zip(handle.addresses()) {
        match output {
            Output::TcpListen(_) => eprintln!("simulated vessel: serving tcp://{address}"),
            Output::UdpTo(_) => eprintln!("simulated vessel: sending to udp://{address}"),
        }
    }
    shutdown.cancelled().await;
    let taken = handle.stop().await;
    eprintln!("simulated vessel: {taken} readings were taken");
    Ok(())
}

/// Says what is due on one output, tick by tick, until it is told to stop and a second is full.
struct Speaker {
    vessel: Option<(Vessel, Pace)>,
    devices: Devices,
    clock: Clock,
    tick_ms: u64,
    tick: u64,
    timer: tokio::time::Interval,
    stop: CancellationToken,
}

impl Speaker {
    fn new(options: &SimOptions, index: usize, clock: Clock, stop: CancellationToken) -> Self {
        let vessel = (index == 0 && options.vessel)
            .then(|| (Vessel::new(options.seed, options.start), Pace::new(options.vessel_millihertz, 1.0)));
        let mine = (0..options.devices).filter(|&number| number as usize % options.outputs.len() == index);
        let devices = Devices::new(mine.collect::<Vec<_>>().into_iter(), options.device_millihertz);
        let tick_ms = options.tick_ms();
        let mut timer = interval(Duration::from_millis(tick_ms));
        // A tick that came late is made up for: the rate promised is kept on average.
        timer.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Self { vessel, devices, clock, tick_ms, tick: 0, timer, stop }
    }

    /// The next tick's sentences; `None` when stopped. Safe to cancel: the timer keeps its place.
    async fn next(&mut self) -> Option<Batch> {
        if self.tick.is_multiple_of(1_000 / self.tick_ms) {
            let stopped = tokio::select! {
                biased;
                () = self.stop.cancelled() => true,
                _ = self.timer.tick() => false,
            };
            if stopped {
                return None;
            }
        } else {
            self.timer.tick().await;
        }
        self.tick += 1;
        let mut said: Vec<Spoken> = Vec::new();
        if let Some((vessel, pace)) = &mut self.vessel {
            for _ in 0..pace.due(self.tick_ms) {
                said.extend(vessel.step(self.clock.now().wall));
            }
        }
        self.devices.tick(self.tick_ms, &mut said);
        Some(Batch::of(&said))
    }
}

/// The clients of one TCP output.
struct Hall {
    tally: Arc<Tally>,
    clients: Vec<(mpsc::Sender<Arc<Batch>>, JoinHandle<()>)>,
    admitted: u64,
    batches_max: usize,
}

impl Hall {
    fn new(taken: Arc<AtomicU64>, batches_max: usize) -> Self {
        Self { tally: Arc::new(Tally::new(taken)), clients: Vec::new(), admitted: 0, batches_max: batches_max.max(1) }
    }

    fn admit(&mut self, stream: TcpStream) {
        if self.clients.len() >= CLIENTS_MAX {
            tracing::warn!("simulator: a client was turned away, {CLIENTS_MAX} are connected");
            return;
        }
        self.admitted += 1;
        let (sender, queue) = mpsc::channel(self.batches_max);
        let task = tokio::spawn(attend(self.admitted, stream, queue, Arc::clone(&self.tally)));
        self.clients.push((sender, task));
    }

    fn tell(&mut self, batch: Batch) {
        let batch = Arc::new(batch);
        self.clients.retain(|(sender, task)| match sender.try_send(Arc::clone(&batch)) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!("simulator: a client does not read, it is dropped");
                task.abort();
                false
            }
        });
    }

    async fn close(self) {
        for (sender, task) in self.clients {
            drop(sender);
            // Each client's own stall and linger limits bound this wait.
            let _ = task.await;
        }
    }
}

async fn tcp_output(listener: TcpListener, mut speaker: Speaker, mut hall: Hall) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => hall.admit(stream),
                // Out of descriptors, or the client left already: the next tick passes, then it is tried again.
                Err(error) => {
                    tracing::warn!(%error, "simulator: cannot accept");
                    tokio::time::sleep(Duration::from_millis(FAST_TICK_MS)).await;
                }
            },
            batch = speaker.next() => match batch {
                Some(batch) => {
                    hall.tell(batch);
                    // Ticks that are made up for come at once: the clients get their turns between them.
                    tokio::task::yield_now().await;
                }
                None => break,
            },
        }
    }
    drop(listener);
    hall.close().await;
}

async fn udp_output(socket: UdpSocket, target: SocketAddr, mut speaker: Speaker, taken: Arc<AtomicU64>) {
    while let Some(batch) = speaker.next().await {
        for (datagram, readings) in datagrams(&batch) {
            match socket.send_to(datagram, target).await {
                Ok(_) => drop(taken.fetch_add(readings, Ordering::Relaxed)),
                Err(error) => tracing::debug!(%error, %target, "simulator: a datagram was not sent"),
            }
        }
    }
}

/// Whole sentences, as many as fit a datagram, and the readings in each.
fn datagrams(batch: &Batch) -> Vec<(&[u8], u64)> {
    let (mut all, mut from, mut to, mut readings) = (Vec::new(), 0, 0, 0);
    for &(end, count) in &batch.ends {
        if end - from > DATAGRAM_BYTES_MAX && to > from {
            all.push((&batch.bytes[from..to], readings));
            (from, readings) = (to, 0);
        }
        to = end;
        readings += u64::from(count);
    }
    if to > from {
        all.push((&batch.bytes[from..to], readings));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use tokio::io::AsyncReadExt as _;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    fn clock() -> Clock {
        Clock::manual(Stamp::from_millis(1_795_243_260_000))
    }

    #[tokio::test]
    async fn what_was_taken_is_what_arrives() {
        let options = SimOptions::load(1, vec![Output::TcpListen(LOOPBACK)], 10, 50.0);
        let sim = serve(options, clock()).await.unwrap();
        let mut client = TcpStream::connect(sim.addresses()[0]).await.unwrap();
        let reader = tokio::spawn(async move {
            let mut text = String::new();
            client.read_to_string(&mut text).await.map(|_| text)
        });
        while sim.taken() < 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let taken = sim.stop().await;
        let text = reader.await.unwrap().expect("an orderly end, no reset");
        assert!(text.ends_with("\r\n"), "the last sentence is whole");
        assert_eq!(text.lines().count() as u64, taken, "each device's sentence is one reading");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_dropped_and_the_other_lives() {
        let mut options = SimOptions::load(1, vec![Output::TcpListen(LOOPBACK)], 1_000, 100.0);
        options.client_batches_max = 100;
        let sim = serve(options, clock()).await.unwrap();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let deaf = socket.connect(sim.addresses()[0]).await.unwrap();
        deaf.readable().await.unwrap();
        let mut client = TcpStream::connect(sim.addresses()[0]).await.unwrap();
        let mut buffer = vec![0; 1 << 20];
        // The counted client is the deaf one until it is dropped; then the living one counts.
        let mut last = (sim.taken(), 0);
        while last.1 < 20 {
            assert!(client.read(&mut buffer).await.unwrap() > 0);
            let taken = sim.taken();
            last = if taken > last.0 { (taken, last.1 + 1) } else { last };
        }
    }

    #[tokio::test]
    async fn datagrams_carry_whole_sentences() {
        let far = UdpSocket::bind(LOOPBACK).await.unwrap();
        let sim = serve(SimOptions::vessel(1, Output::UdpTo(far.local_addr().unwrap())), clock()).await.unwrap();
        let mut buffer = [0; 2_048];
        let count = far.recv(&mut buffer).await.unwrap();
        assert!(count <= DATAGRAM_BYTES_MAX && buffer[..count].ends_with(b"\r\n"));
        assert!(sim.stop().await > 0);
    }

    #[tokio::test]
    async fn impossible_orders_are_refused_in_plain_words() {
        let mut options = SimOptions::vessel(1, Output::TcpListen(LOOPBACK));
        options.vessel_millihertz = 0;
        let refused = serve(options, clock()).await.unwrap_err();
        assert_eq!(refused.to_string(), "a rate of 0 Hz is outside 0.001 to 1000 Hz");
        assert!(matches!(serve(SimOptions::load(1, vec![], 1, 1.0), clock()).await.unwrap_err(), SimError::NoOutput));
    }
}
