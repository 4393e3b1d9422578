//! The simulator on real sockets and ports: one vessel, heard on every output.
//!
//! One task moves the vessel and says what every output says of her; each output has a task of its own that writes it
//! (`outputs`). [`SimHandle::taken`] is the number of readings that the far end can be held to: packets that were
//! completely written to the connected client or the port, or sent as datagrams; [`SimHandle::taken_by_output`] tells
//! them apart. [`SimHandle::stop`] ends in order, so that everything written arrives. It refuses to buffer without
//! bound: a client that falls [`CLIENT_BATCHES_MAX`] ticks behind is dropped with a message, a port that is behind
//! loses what does not fit, and that is counted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::batch::{Batch, Ledger, Taken};
use super::channel::{Channel, ChannelError, Output};
use super::devices::{DEVICES_MAX, Devices, RATE_MILLIHERTZ_MAX};
use super::director::{Director, Part, Queued};
use super::faults::{Fault, Faults};
use super::iec61162_450::DATAGRAM_HEAD;
use super::outputs::Answering;
use super::ports::Port;
use super::units::modbus_devices;
use super::vessel::{Start, Vessel};
use super::voice::{Protocol, Voice};
use super::{outputs, ports};

/// Ticks a client may fall behind: 10 s at the fast tick, twice what a gateway's lane may hold a bus back for. At the
/// planned load one tick is 10 kB.
pub const CLIENT_BATCHES_MAX: usize = 512;

/// Ticks that wait for a port: a serial line that is too slow for the ship must not tell of what was minutes ago.
const PORT_BATCHES_MAX: usize = 4;

/// The tick under load: a 50th of a second, so that 10,000 readings/s are 50 writes and not 10,000.
pub(crate) const FAST_TICK_MS: u64 = 20;

/// The tick when nothing is faster than 1 Hz.
const SLOW_TICK_MS: u64 = 1_000;

/// What is simulated, and where it goes.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// The same seed gives the same vessel, and the same faults.
    pub seed: u64,
    /// Where the vessel starts.
    pub start: Start,
    /// The outputs. The vessel speaks on all of them; devices are dealt out over those of NMEA 0183.
    pub outputs: Vec<Channel>,
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
    /// Faults on every output.
    pub faults: Vec<Fault>,
    /// Whether the vessel is silent until [`SimHandle::begin`]: whoever is to hear each word may have to be there
    /// first.
    pub held: bool,
}

impl SimOptions {
    /// One vessel at 1 Hz on one output.
    pub fn vessel(seed: u64, output: impl Into<Channel>) -> Self {
        Self {
            seed,
            start: Start::default(),
            outputs: vec![output.into()],
            vessel: true,
            vessel_millihertz: 1_000,
            devices: 0,
            device_millihertz: 1_000,
            client_batches_max: CLIENT_BATCHES_MAX,
            faults: Vec::new(),
            held: false,
        }
    }

    /// Devices alone, for load: `devices` of them, each `rate_hz` readings a second, over `outputs`.
    pub fn load(seed: u64, outputs: Vec<Output>, devices: u32, rate_hz: f64) -> Self {
        let outputs = outputs.into_iter().map(Channel::from).collect();
        let first = Output::TcpListen(SocketAddr::from(([127, 0, 0, 1], 0)));
        // A negative or absurd rate saturates here and is refused by `serve`.
        let device_millihertz = (rate_hz * 1_000.0).round() as u64;
        Self { outputs, vessel: false, devices, device_millihertz, ..Self::vessel(seed, first) }
    }

    fn check(&self) -> Result<(), SimError> {
        for channel in &self.outputs {
            channel.check()?;
        }
        let rates = [(self.vessel, self.vessel_millihertz), (self.devices > 0, self.device_millihertz)];
        match rates.into_iter().find(|&(used, rate)| used && !(1..=RATE_MILLIHERTZ_MAX).contains(&rate)) {
            _ if self.outputs.is_empty() => Err(SimError::NoOutput),
            _ if self.devices > DEVICES_MAX => Err(SimError::TooManyDevices { devices: self.devices }),
            _ if self.devices > 0 && !self.outputs.iter().any(takes_devices) => Err(SimError::NoOutputForDevices),
            Some((_, rate)) => Err(SimError::Rate { millihertz: rate }),
            None => Ok(()),
        }
    }

    pub(crate) fn tick_ms(&self) -> u64 {
        if self.devices == 0 && self.vessel_millihertz <= 1_000 { SLOW_TICK_MS } else { FAST_TICK_MS }
    }
}

/// Whether devices for load, which speak NMEA 0183, can be heard there.
fn takes_devices(channel: &Channel) -> bool {
    channel.protocol == Protocol::Nmea0183
}

/// Why the simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Nowhere to speak.
    #[error("no output is given; name one, such as tcp://127.0.0.1:10110")]
    NoOutput,
    /// Devices for load speak NMEA 0183 only.
    #[error("devices for load speak NMEA 0183; name an output for it, such as nmea0183=tcp://127.0.0.1:10110")]
    NoOutputForDevices,
    /// What is spoken does not fit the place.
    #[error(transparent)]
    Channel(#[from] ChannelError),
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
    /// The serial port or the terminal cannot be used.
    #[error("cannot open {output}")]
    Port {
        /// Which.
        output: Output,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system has no such CAN interface.
    #[error(
        "cannot open the CAN interface `{interface}`; `ip link add dev {interface} type vcan` makes a virtual one \
         where the kernel has CAN, and +ydwg, +candump or +actisense over tcp:// need none"
    )]
    Can {
        /// Which.
        interface: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SimError {
    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Port { .. } | Self::Can { .. })
    }
}

/// A running simulator. Dropping it stops it too, but does not wait.
#[derive(Debug)]
pub struct SimHandle {
    addresses: Vec<SocketAddr>,
    ledgers: Vec<(String, Arc<Ledger>)>,
    stop: CancellationToken,
    begin: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl SimHandle {
    /// Where each output with a socket is: the listening address, or the target.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Each output as the command line has it, with the port or the terminal that was found for it.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.ledgers.iter().map(|(name, _)| name.as_str())
    }

    /// Lets a vessel speak that was held back.
    pub fn begin(&self) {
        self.begin.cancel();
    }

    /// Readings that the counted clients and the ports took and that datagrams carried, so far, of all outputs.
    pub fn taken(&self) -> u64 {
        self.taken_by_output().iter().map(|taken| taken.readings).sum()
    }

    /// The same for each output, in their order, with what may come besides and the faults.
    pub fn taken_by_output(&self) -> Vec<Taken> {
        self.ledgers.iter().map(|(name, ledger)| ledger.taken(name)).collect()
    }

    /// Finishes the current second, writes out what waits, closes every connection in order and returns the final
    /// [`SimHandle::taken`]. It waits (bounded) for the clients to close too: a gateway closes when it has handed
    /// everything over, so when this returns its lanes hold it all.
    pub async fn stop(self) -> u64 {
        self.stop_by_output().await.iter().map(|taken| taken.readings).sum()
    }

    /// [`SimHandle::stop`], with the final count of each output.
    pub async fn stop_by_output(mut self) -> Vec<Taken> {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::error!(%error, "simulator: an output failed");
            }
        }
        self.taken_by_output()
    }

    /// Opens a line on which the Modbus devices of a vessel are asked.
    async fn answer(&mut self, channel: &Channel, vessel: &Arc<Mutex<Vessel>>, faults: Faults) -> Result<(), SimError> {
        let (line, place) = match &channel.to {
            &Output::TcpListen(address) => {
                let (listener, bound) = listen(address).await?;
                self.addresses.push(bound);
                (Answering::Tcp(listener), Output::TcpListen(bound).to_string())
            }
            output => {
                let (port, place) = open_port(output)?;
                (Answering::Serial(port, output.clone()), place)
            }
        };
        let devices = modbus_devices(vessel, faults);
        self.ledgers.push((named(channel, &place), devices.ledger()));
        self.tasks.push(tokio::spawn(outputs::modbus(devices, line, self.stop.clone())));
        Ok(())
    }

    /// Opens an output and starts its task; returns where its batches go.
    async fn open(&mut self, channel: &Channel, batches_max: usize) -> Result<(Queued, Arc<Ledger>), SimError> {
        let ledger = Arc::new(Ledger::default());
        let mut name = channel.to_string();
        let (queued, queue) = mpsc::channel(match channel.to {
            Output::TcpListen(_) | Output::UdpTo(_) | Output::UdpVia(..) | Output::Can(_) => CLIENT_BATCHES_MAX,
            Output::Serial(..) | Output::Pty(_) | Output::Stdout => PORT_BATCHES_MAX,
        });
        let book = Arc::clone(&ledger);
        let task = match &channel.to {
            &Output::TcpListen(address) => {
                let (listener, bound) = listen(address).await?;
                name = named(channel, &Output::TcpListen(bound).to_string());
                self.addresses.push(bound);
                tokio::spawn(outputs::tcp(listener, queue, book, batches_max))
            }
            &Output::UdpTo(address) => self.datagrams(channel, address, None, queue, book).await?,
            &Output::UdpVia(address, via) => self.datagrams(channel, address, Some(via), queue, book).await?,
            Output::Can(interface) => {
                let opened = |source| SimError::Can { interface: interface.clone(), source };
                let socket = socketcan::tokio::CanSocket::open(interface).map_err(opened)?;
                tokio::spawn(outputs::can(socket, queue, book))
            }
            output => {
                let (port, place) = open_port(output)?;
                name = named(channel, &place);
                tokio::spawn(outputs::port(port, output.clone(), queue, book, self.stop.clone()))
            }
        };
        self.tasks.push(task);
        self.ledgers.push((name, Arc::clone(&ledger)));
        Ok((queued, ledger))
    }

    async fn datagrams(
        &mut self,
        channel: &Channel,
        address: SocketAddr,
        via: Option<std::net::IpAddr>,
        queue: outputs::Queue,
        ledger: Arc<Ledger>,
    ) -> Result<JoinHandle<()>, SimError> {
        let socket = outputs::bind(address, via).await.map_err(|source| SimError::Open { address, source })?;
        self.addresses.push(address);
        let head = if channel.protocol == Protocol::Iec61162450 { DATAGRAM_HEAD } else { b"" };
        Ok(tokio::spawn(outputs::udp(socket, address, head, queue, ledger)))
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SimError> {
    let opened = |source| SimError::Open { address, source };
    let listener = TcpListener::bind(address).await.map_err(opened)?;
    let bound = listener.local_addr().map_err(opened)?;
    Ok((listener, bound))
}

fn open_port(output: &Output) -> Result<(Port, String), SimError> {
    ports::open(output).map_err(|source| SimError::Port { output: output.clone(), source })
}

/// A channel with the place that was found for it.
fn named(channel: &Channel, place: &str) -> String {
    let asked = channel.to_string();
    format!("{}={place}", asked.split('=').next().unwrap_or_default())
}

/// Starts the simulator; returns when all outputs are open.
pub async fn serve(options: SimOptions, clock: Clock) -> Result<SimHandle, SimError> {
    options.check()?;
    let (ledgers, addresses, tasks) = (Vec::new(), Vec::new(), Vec::new());
    let mut handle =
        SimHandle { addresses, ledgers, stop: CancellationToken::new(), begin: CancellationToken::new(), tasks };
    if !options.held {
        handle.begin();
    }
    let (mut parts, mut dealt) = (Vec::new(), 0);
    let hands = options.outputs.iter().filter(|channel| takes_devices(channel)).count();
    let vessel = Arc::new(Mutex::new(Vessel::new(options.seed, options.start)));
    for (number, channel) in (0..).zip(&options.outputs) {
        // Each output has troubles of its own, of the one ship.
        let faults = || Faults::new(options.seed.wrapping_add(number), &options.faults);
        let Some(voice) = Voice::new(channel.protocol, options.seed, faults()) else {
            handle.answer(channel, &vessel, faults()).await?;
            continue;
        };
        let (queue, ledger) = handle.open(channel, options.client_batches_max).await?;
        let mine = |number: &u32| takes_devices(channel) && *number as usize % hands == dealt;
        let numbers: Vec<u32> = (0..options.devices).filter(mine).collect();
        let devices = Devices::new(numbers.into_iter(), options.device_millihertz);
        dealt += usize::from(takes_devices(channel));
        parts.push(Part { voice, devices, batch: Batch::default(), queue, ledger });
    }
    let director = Director::new(&options, vessel, parts, clock, handle.stop.clone());
    // First, so that it is waited for first: the outputs end when it does.
    let begin = handle.begin.clone();
    let told = async move {
        if director.stop.clone().run_until_cancelled(begin.cancelled()).await.is_some() {
            director.run().await;
        }
    };
    handle.tasks.insert(0, tokio::spawn(told));
    Ok(handle)
}

/// `hawser sim`: serves until `shutdown`, says on stderr where, and at the end how much was taken.
pub async fn run(options: SimOptions, clock: Clock, shutdown: CancellationToken) -> Result<(), SimError> {
    let (seed, faulty) = (options.seed, !options.faults.is_empty());
    let handle = serve(options, clock).await?;
    for output in handle.outputs() {
        eprintln!("simulated vessel: {output}");
    }
    if faulty {
        eprintln!("simulated vessel: faults are drawn from seed {seed}");
    }
    shutdown.cancelled().await;
    for taken in handle.stop_by_output().await {
        let Taken { output, readings, maybe, unsent, answers, faults } = taken;
        eprint!("simulated vessel: {output}: ");
        if output.starts_with("modbus=") {
            eprint!("{answers} questions were answered");
        } else {
            eprint!("{readings} readings were taken");
        }
        if maybe > 0 {
            eprint!(", up to {maybe} more may come of them");
        }
        if unsent > 0 {
            eprint!(", {unsent} never went out");
        }
        for (name, count) in faults {
            eprint!(", {name} {count}");
        }
        eprintln!();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use std::time::Duration;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpStream, UdpSocket};

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
        assert!(count <= 1_400 && buffer[..count].ends_with(b"\r\n"));
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
