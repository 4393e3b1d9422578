//! The tasks that write: each takes the batches of one output from a bounded queue until the queue is closed.
//!
//! What cannot be written is counted as unsent. None of them holds up another: the queues are apart, and what does not
//! fit in one is dropped where it is put in.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socketcan::{EmbeddedFrame as _, ExtendedId, Id, StandardId};
use tokio::io::{AsyncReadExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::wire::can::Frame;

use super::batch::{Batch, Ledger, write};
use super::channel::Output;
use super::client::{Tally, attend};
use super::modbus::ModbusDevices;
use super::ports::{self, Port};

/// Clients of one output at a time; more are turned away with a message.
const CLIENTS_MAX: usize = 32;

/// The wait after a failed accept: one fast tick.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(20);

/// A full queue of a CAN interface: five times the ten frames that it holds go out in this time at 250 kbit/s.
const CAN_WAIT: Duration = Duration::from_millis(2);
const CAN_WAITS_MAX: u32 = 25;

/// The wait before a serial line of Modbus devices is opened again.
const LINE_RETRY: Duration = Duration::from_secs(1);

/// Bytes of one datagram: an Ethernet frame's 1,500 less IP and UDP headers, rounded down.
const DATAGRAM_BYTES_MAX: usize = 1_400;

/// How long a serial line may take nothing before it is given up: nobody reads a pseudo-terminal for hours, and that is
/// no fault.
const PORT_STALL_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Bytes of what a listener sends that are thrown away at once.
const SINK_BYTES: usize = 512;

/// How long the end waits for what is still to be written to a port, and then for a listener to read it: a terminal
/// that closes takes with it what was not read.
const PORT_LINGER: Duration = Duration::from_millis(500);

/// The batches of one output.
pub(crate) type Queue = mpsc::Receiver<Arc<Batch>>;

/// A client by its number, what is told to it, and its task.
type Guest = (u64, mpsc::Sender<Arc<Batch>>, JoinHandle<()>);

/// The clients of one TCP output.
struct Hall {
    tally: Arc<Tally>,
    clients: Vec<Guest>,
    admitted: u64,
    batches_max: usize,
}

impl Hall {
    fn admit(&mut self, stream: TcpStream) {
        if self.clients.len() >= CLIENTS_MAX {
            tracing::warn!("simulator: a client was turned away, {CLIENTS_MAX} are connected");
            return;
        }
        self.admitted += 1;
        let (sender, queue) = mpsc::channel(self.batches_max);
        let task = tokio::spawn(attend(self.admitted, stream, queue, Arc::clone(&self.tally)));
        self.clients.push((self.admitted, sender, task));
    }

    fn tell(&mut self, batch: &Arc<Batch>) {
        let (tally, mut missed) = (&self.tally, false);
        self.clients.retain(|(client, sender, task)| match sender.try_send(Arc::clone(batch)) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!("simulator: a client does not read, it is dropped");
                missed |= tally.counts(*client);
                task.abort();
                false
            }
        });
        if missed || self.clients.is_empty() {
            tally.missed(batch);
        }
    }

    /// Lets all clients have what they were told, and go.
    async fn close(&mut self) {
        for (_, sender, task) in std::mem::take(&mut self.clients) {
            drop(sender);
            // Each client's own stall and linger limits bound this wait.
            let _ = task.await;
        }
    }
}

/// Serves every client that comes. While it is unplugged, who comes is sent away at once.
pub(crate) async fn tcp(listener: TcpListener, mut queue: Queue, ledger: Arc<Ledger>, batches_max: usize) {
    let tally = Arc::new(Tally::new(ledger));
    let mut hall = Hall { tally, clients: Vec::new(), admitted: 0, batches_max: batches_max.max(1) };
    let mut unplugged = false;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if !unplugged => hall.admit(stream),
                Ok(_) => {}
                // Out of descriptors, or the client left already: a tick passes, then it is tried again.
                Err(error) => {
                    tracing::warn!(%error, "simulator: cannot accept");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
            batch = queue.recv() => match batch {
                Some(batch) => {
                    unplugged = batch.unplug;
                    if unplugged { hall.close().await } else { hall.tell(&batch) }
                }
                None => break,
            },
        }
    }
    drop(listener);
    hall.close().await;
}

/// A socket to send from, through the interface that has this address.
pub(crate) async fn bind(target: SocketAddr, via: Option<IpAddr>) -> std::io::Result<UdpSocket> {
    let any: IpAddr = if target.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((via.unwrap_or(any), 0)).await?;
    if let Some(IpAddr::V4(interface)) = via {
        socket2::SockRef::from(&socket).set_multicast_if_v4(&interface)?;
    }
    Ok(socket)
}

/// Sends datagrams, each with `head` before its packets.
pub(crate) async fn udp(socket: UdpSocket, target: SocketAddr, head: &[u8], mut queue: Queue, ledger: Arc<Ledger>) {
    while let Some(batch) = queue.recv().await {
        for (packets, counts) in datagrams(&batch, head.len()) {
            let datagram = [head, packets].concat();
            match socket.send_to(&datagram, target).await {
                Ok(_) => counts.iter().for_each(|(_, count)| ledger.took(*count)),
                Err(error) => {
                    tracing::debug!(%error, %target, "simulator: a datagram was not sent");
                    counts.iter().for_each(|(_, count)| ledger.unsent(*count));
                }
            }
        }
    }
}

/// Where packets end, and what they complete.
type Ends = [(usize, super::packet::Count)];

/// Whole packets, as many as fit a datagram behind its head, and what they complete. A packet that fits none is cut.
fn datagrams(batch: &Batch, head: usize) -> Vec<(&[u8], &Ends)> {
    let room = DATAGRAM_BYTES_MAX - head;
    let (mut all, mut from, mut to, mut first): (Vec<(&[u8], &Ends)>, _, _, _) = (Vec::new(), 0, 0, 0);
    for (index, &(end, _)) in batch.ends.iter().enumerate() {
        if end - from > room && to > from {
            all.push((&batch.bytes[from..to], &batch.ends[first..index]));
            (from, first) = (to, index);
        }
        while end - from > room {
            all.push((&batch.bytes[from..from + room], &[]));
            from += room;
        }
        to = end;
    }
    if to > from {
        all.push((&batch.bytes[from..to], &batch.ends[first..]));
    }
    all
}

/// A port that only speaks. What its listener sends is read and thrown away: the listener of a pseudo-terminal that
/// nobody reads stands still when that is full.
struct Speaker {
    outgoing: WriteHalf<Port>,
    /// None of standard output, which may be the terminal where somebody types.
    incoming: Option<ReadHalf<Port>>,
}

impl Speaker {
    fn new(port: Port, output: &Output) -> Self {
        let (incoming, outgoing) = tokio::io::split(port);
        Self { outgoing, incoming: matches!(output, Output::Serial(..) | Output::Pty(_)).then_some(incoming) }
    }
}

/// Reads and throws away, for ever; a broken port shows when it is written to.
async fn throw_away(incoming: Option<&mut ReadHalf<Port>>) -> Infallible {
    if let Some(incoming) = incoming {
        let mut sink = [0; SINK_BYTES];
        while incoming.read(&mut sink).await.is_ok_and(|count| count > 0) {}
    }
    std::future::pending().await
}

/// Writes to a port, which it opens again when it was unplugged or broke.
pub(crate) async fn port(first: Port, output: Output, mut queue: Queue, ledger: Arc<Ledger>, stop: CancellationToken) {
    let mut port = Some(Speaker::new(first, &output));
    loop {
        let batch = tokio::select! {
            batch = queue.recv() => batch,
            never = throw_away(port.as_mut().and_then(|port| port.incoming.as_mut())) => match never {},
        };
        let Some(batch) = batch else { break };
        if batch.unplug {
            port = None;
            continue;
        }
        if port.is_none() {
            port = reopen(&output).map(|port| Speaker::new(port, &output));
        }
        let Some(open) = &mut port else {
            ledger.unsent(batch.count());
            continue;
        };
        let stopped = async {
            stop.cancelled().await;
            tokio::time::sleep(PORT_LINGER).await;
        };
        let written = tokio::select! {
            written = write(&mut open.outgoing, &batch, Some(&ledger), PORT_STALL_MAX) => written,
            never = throw_away(open.incoming.as_mut()) => match never {},
            () = stopped => break,
        };
        if let Err(error) = written {
            tracing::warn!(%error, %output, "simulator: the port broke");
            port = None;
        }
    }
    queue.close();
    while let Ok(batch) = queue.try_recv() {
        ledger.unsent(batch.count());
    }
    tokio::time::sleep(PORT_LINGER).await;
}

fn reopen(output: &Output) -> Option<Port> {
    match ports::open(output) {
        Ok((port, name)) => {
            tracing::info!(name, "simulator: the port is back");
            Some(port)
        }
        Err(error) => {
            tracing::debug!(%error, %output, "simulator: the port is not there");
            None
        }
    }
}

/// Where Modbus is asked.
pub(crate) enum Answering {
    Tcp(TcpListener),
    Serial(Port, Output),
}

/// Answers until it is told to stop.
pub(crate) async fn modbus(devices: Arc<ModbusDevices>, line: Answering, stop: CancellationToken) {
    let answered = async {
        match line {
            Answering::Tcp(listener) => devices.serve_tcp(listener).await,
            Answering::Serial(port, output) => answer_on_line(&devices, port, &output).await,
        }
    };
    stop.run_until_cancelled(answered).await;
}

/// Answers on a serial line, which it opens again when it broke.
async fn answer_on_line(devices: &Arc<ModbusDevices>, first: Port, output: &Output) {
    let mut port = Some(first);
    loop {
        if let Some(open) = port.take() {
            let ended = Arc::clone(devices).serve_serial(open).await;
            tracing::warn!(?ended, %output, "simulator: the line of the Modbus devices broke");
        }
        tokio::time::sleep(LINE_RETRY).await;
        port = reopen(output);
    }
}

/// Puts frames onto a CAN interface.
pub(crate) async fn can(socket: socketcan::tokio::CanSocket, mut queue: Queue, ledger: Arc<Ledger>) {
    while let Some(batch) = queue.recv().await {
        for message in batch.frames.chunk_by(|(.., a), (.., b)| a == b) {
            let mut is_whole = true;
            for (frame, ..) in message {
                if let Err(error) = written(&socket, frame).await {
                    tracing::debug!(%error, "simulator: a frame was not sent");
                    is_whole = false;
                }
            }
            let count = message.iter().map(|(_, count, _)| *count).sum();
            if is_whole { ledger.took(count) } else { ledger.unsent(count) }
        }
    }
}

async fn written(socket: &socketcan::tokio::CanSocket, frame: &Frame) -> std::io::Result<()> {
    let id = if frame.extended {
        ExtendedId::new(frame.id).map(Id::from)
    } else {
        u16::try_from(frame.id).ok().and_then(StandardId::new).map(Id::from)
    };
    let frame = id.and_then(|id| socketcan::CanFrame::new(id, frame.bytes()));
    let frame = frame.ok_or(std::io::ErrorKind::InvalidInput)?;
    for _ in 0..CAN_WAITS_MAX {
        match socket.write_frame(frame).await {
            // An interface's queue holds some ten frames, and says that it is full rather than wait.
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32) => {
                tokio::time::sleep(CAN_WAIT).await;
            }
            written => return written,
        }
    }
    Err(nix::errno::Errno::ENOBUFS.into())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use tokio::time::timeout;

    use super::*;
    use crate::sim::packet::{Body, Count, Packet};

    fn batch(lengths: &[usize]) -> Batch {
        let mut batch = Batch::default();
        let packet = |&length: &usize| Packet {
            body: Body::Bytes(vec![b'x'; length]),
            count: Count { readings: 1, maybe: 0 },
            message: 1,
        };
        batch.extend(lengths.iter().map(packet));
        batch
    }

    #[test]
    fn datagrams_carry_whole_packets_and_cut_only_what_fits_none() {
        let shape = |lengths: &[usize]| {
            let batch = batch(lengths);
            let shape: Vec<_> = datagrams(&batch, 6).iter().map(|(bytes, ends)| (bytes.len(), ends.len())).collect();
            shape
        };
        assert_eq!(shape(&[700, 600, 700]), [(1_300, 2), (700, 1)]);
        assert_eq!(shape(&[1_394]), [(1_394, 1)]);
        assert_eq!(shape(&[10, 3_000, 10]), [(10, 1), (1_394, 0), (1_394, 0), (222, 2)]);
        assert!(shape(&[]).is_empty());
    }

    #[tokio::test]
    async fn a_listener_that_sends_much_is_not_held_up() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("gps");
        let output = Output::Pty(Some(link.clone()));
        let (first, _) = ports::open(&output).unwrap();
        let (sender, queue) = mpsc::channel(4);
        let task = tokio::spawn(port(first, output, queue, Arc::default(), CancellationToken::new()));
        let far = tokio::task::spawn_blocking(move || {
            // More than any pseudo-terminal holds.
            let said = File::options().write(true).open(link).and_then(|mut far| far.write_all(&[0x55; 1 << 20]));
            said.map_err(|error| error.to_string())
        });
        let written = timeout(Duration::from_secs(20), far).await;
        assert_eq!(written.expect("it is read").unwrap(), Ok(()));
        drop(sender);
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_port_that_is_unplugged_comes_back_and_what_was_for_it_meanwhile_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("gps");
        let output = Output::Pty(Some(link.clone()));
        let (first, _) = ports::open(&output).unwrap();
        let (sender, queue) = mpsc::channel(4);
        let ledger = Arc::new(Ledger::default());
        let task = tokio::spawn(port(first, output, queue, Arc::clone(&ledger), CancellationToken::new()));
        sender.send(Arc::new(Batch { unplug: true, ..Batch::default() })).await.unwrap();
        while link.symlink_metadata().is_ok() {
            tokio::task::yield_now().await;
        }
        // Something else stands where the link was: the port cannot come back.
        std::fs::write(&link, "").unwrap();
        sender.send(Arc::new(batch(&[1]))).await.unwrap();
        while ledger.taken("").unsent == 0 {
            tokio::task::yield_now().await;
        }
        std::fs::remove_file(&link).unwrap();
        sender.send(Arc::new(batch(&[1]))).await.unwrap();
        drop(sender);
        task.await.unwrap();
        assert_eq!((ledger.taken("").readings, ledger.taken("").unsent), (1, 1));
    }
}
