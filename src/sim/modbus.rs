//! Simulated Modbus devices: a server that answers from a register map and a function that knows the values, over
//! Modbus TCP or over any serial line; and each unit can fail in the ways that units do.
//!
//! A second opinion on the client: it shares the map's facts with it and no code. Registers are built from values here,
//! the other way round; frames are cut and summed by its own means.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::reading::Value;
use crate::wire::modbus::map::{Kind, Meaning, ValueSpec};
use crate::wire::modbus::{DeviceMap, Table};

use super::batch::Ledger;
use super::faults::{FaultKind, Faults};
use super::outputs::ACCEPT_RETRY;

/// Answers that wait to be sent on one line; more questions are not read meanwhile.
const WAITING_MAX: usize = 64;

/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 16;

/// Bytes of a question over a serial line, which is always a read here.
const SERIAL_QUESTION_BYTES: usize = 8;

/// Bytes before the unit id in a frame of Modbus TCP.
const TCP_HEAD_BYTES: usize = 6;

/// The longest frame of either kind.
const FRAME_BYTES_MAX: usize = 260;

/// How late a late answer is: half as much again as the second that a client waits as a rule.
const LATE: Duration = Duration::from_millis(1_500);

/// Bytes that a half answer lacks: its checksum, or its last register, and two more.
const HALF_LACKS_BYTES: usize = 4;

/// Exception: server device failure (Modbus Application Protocol, 7).
const DEVICE_FAILURE: u8 = 4;

/// The kinds of fault of all buses that an answer can have.
const KINDS: [FaultKind; 7] = [
    FaultKind::Garbage,
    FaultKind::Half,
    FaultKind::Flood,
    FaultKind::Reorder,
    FaultKind::NotAvailable,
    FaultKind::AddressChurn,
    FaultKind::Unplug,
];

/// Answers the value of a path, SI. `Absent`: the device has none now.
pub type Values = Arc<dyn Fn(&str) -> Value + Send + Sync>;

/// How a unit fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Fault {
    /// It does not.
    #[default]
    None,
    /// It never answers.
    Dead,
    /// It answers after so long: in time if the client waits, else late.
    Slow(Duration),
    /// It says no to everything.
    Exception(u8),
    /// It gives another unit id.
    WrongUnit,
    /// It answers another function.
    WrongFunction,
    /// It answers with one register or eight bits less than asked for.
    WrongLength,
    /// Its answer ends early by so many bytes.
    Short(usize),
    /// Its checksum is wrong (serial frames only).
    WrongChecksum,
    /// Before its answer comes one of another unit to somebody else's question.
    Foreign,
    /// It sends these bytes in place of an answer.
    Garbage(Vec<u8>),
}

/// One simulated device.
#[derive(Clone)]
pub struct Device {
    /// Its unit id.
    pub unit: u8,
    /// What its registers mean.
    pub map: DeviceMap,
    /// What stands in its paths for the instance.
    pub instance: String,
    /// What its values are.
    pub values: Values,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("unit", &self.unit).field("model", &self.map.model).finish_non_exhaustive()
    }
}

/// The devices behind one line or one port.
#[derive(Debug)]
pub struct ModbusDevices {
    devices: Vec<Device>,
    state: Mutex<BTreeMap<u8, UnitState>>,
    /// Drawn for each answer of a unit that has none set.
    faults: Mutex<Faults>,
    ledger: Arc<Ledger>,
}

#[derive(Clone, Debug, Default)]
struct UnitState {
    fault: Fault,
    asked: u64,
}

/// What goes back for one question: after a wait, these bytes behind the unit id.
struct Reply {
    wait: Duration,
    unit: u8,
    pdu: Vec<u8>,
    fault: Fault,
}

impl ModbusDevices {
    /// Devices without faults.
    pub fn new(devices: Vec<Device>) -> Arc<Self> {
        Self::with_faults(devices, Faults::new(0, &[]))
    }

    /// Devices whose answers have faults by lot.
    pub fn with_faults(devices: Vec<Device>, faults: Faults) -> Arc<Self> {
        Arc::new(Self { devices, state: Mutex::default(), faults: Mutex::new(faults), ledger: Arc::default() })
    }

    /// Counts the answers, and their faults.
    pub(crate) fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    /// How often each kind of fault was drawn, by its name.
    pub fn drawn_so_far(&self) -> BTreeMap<&'static str, u64> {
        self.ledger.taken("").faults
    }

    /// From now on `unit` fails like this.
    pub fn set_fault(&self, unit: u8, fault: Fault) {
        self.state().entry(unit).or_default().fault = fault;
    }

    /// How often `unit` was asked.
    pub fn asked(&self, unit: u8) -> u64 {
        self.state().get(&unit).map_or(0, |state| state.asked)
    }

    /// A fault and a counter are valid at every instant, so a panic elsewhere does no harm.
    fn state(&self) -> MutexGuard<'_, BTreeMap<u8, UnitState>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault of one answer, by lot.
    fn drawn(&self) -> Fault {
        // Faults are valid at every instant, so a panic elsewhere does no harm.
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kind) = KINDS.into_iter().find(|kind| faults.strikes(*kind)) else { return Fault::None };
        faults.happened(kind);
        self.ledger.faults(&faults);
        match kind {
            FaultKind::Half => Fault::Short(HALF_LACKS_BYTES),
            FaultKind::Flood => Fault::Foreign,
            FaultKind::Reorder => Fault::Slow(LATE),
            FaultKind::NotAvailable => Fault::Exception(DEVICE_FAILURE),
            FaultKind::AddressChurn => Fault::WrongUnit,
            FaultKind::Unplug => Fault::Dead,
            _ => Fault::Garbage(faults.garbage()),
        }
    }

    fn reply(&self, unit: u8, question: &[u8]) -> Option<Reply> {
        let device = self.devices.iter().find(|device| device.unit == unit)?;
        let fault = {
            let mut state = self.state();
            let state = state.entry(unit).or_default();
            state.asked += 1;
            if state.fault == Fault::None { self.drawn() } else { state.fault.clone() }
        };
        let function = question.first().copied()?;
        let mut reply = Reply { wait: Duration::ZERO, unit, pdu: answer(device, question), fault };
        match &reply.fault {
            Fault::Dead => return None,
            Fault::Slow(wait) => reply.wait = *wait,
            Fault::Exception(code) => reply.pdu = vec![function | 0x80, *code],
            Fault::WrongUnit => reply.unit = unit.wrapping_add(1),
            Fault::WrongFunction => reply.pdu[0] ^= 1,
            Fault::WrongLength => {
                let less = if function <= 2 { 1 } else { 2 };
                reply.pdu.truncate(reply.pdu.len().saturating_sub(less).max(2));
                reply.pdu[1] = (reply.pdu.len() - 2) as u8;
            }
            _ => {}
        }
        Some(reply)
    }

    /// What goes back for the whole questions at the front of `bytes`, which it takes: frames, each after a wait.
    pub fn answers(&self, bytes: &mut Vec<u8>, over_tcp: bool) -> Vec<(Duration, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some(question) = cut(bytes, over_tcp) {
            let (head, body) = question.split_at(if over_tcp { TCP_HEAD_BYTES } else { 0 });
            all.extend(self.reply(body[0], &body[1..]).map(|reply| (reply.wait, framed(&reply, head))));
        }
        all
    }

    /// Answers Modbus TCP on `listener` until dropped.
    pub async fn serve_tcp(self: Arc<Self>, listener: TcpListener) {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    match accepted {
                        Ok((stream, _)) => connections.push(Arc::clone(&self).talk(stream, true)),
                        // Out of descriptors, or the client left already: a little later it is tried again.
                        Err(error) => {
                            tracing::warn!(%error, "simulator: cannot accept");
                            tokio::time::sleep(ACCEPT_RETRY).await;
                        }
                    }
                }
                // How a client left is not the server's affair.
                Some(_) = connections.next() => {}
            }
        }
    }

    /// Answers serial frames on `port` until it closes.
    pub async fn serve_serial<T: AsyncRead + AsyncWrite + Unpin>(self: Arc<Self>, port: T) -> io::Result<()> {
        self.talk(port, false).await
    }

    async fn talk<T: AsyncRead + AsyncWrite + Unpin>(self: Arc<Self>, mut port: T, over_tcp: bool) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut waiting = FuturesUnordered::new();
        let mut buffer = [0; FRAME_BYTES_MAX];
        loop {
            tokio::select! {
                Some(frame) = waiting.next() => {
                    let frame: Vec<u8> = frame;
                    port.write_all(&frame).await?;
                    port.flush().await?;
                    self.ledger.answered();
                }
                read = port.read(&mut buffer), if waiting.len() < WAITING_MAX => {
                    match read? {
                        0 => return Ok(()),
                        count => bytes.extend_from_slice(&buffer[..count]),
                    }
                    waiting.extend(self.answers(&mut bytes, over_tcp).into_iter().map(async |(wait, frame)| {
                        tokio::time::sleep(wait).await;
                        frame
                    }));
                }
            }
        }
    }
}

/// Takes one whole question from the front of `bytes`: over TCP with its head, else without its checksum.
fn cut(bytes: &mut Vec<u8>, over_tcp: bool) -> Option<Vec<u8>> {
    if over_tcp {
        let length = usize::from(u16::from_be_bytes([*bytes.get(4)?, *bytes.get(5)?]));
        if !(2..FRAME_BYTES_MAX).contains(&length) {
            bytes.clear();
            return None;
        }
        let whole = TCP_HEAD_BYTES + length;
        return (bytes.len() >= whole).then(|| bytes.drain(..whole).collect());
    }
    while bytes.len() >= SERIAL_QUESTION_BYTES {
        let (body, said) = bytes[..SERIAL_QUESTION_BYTES].split_at(SERIAL_QUESTION_BYTES - 2);
        if crc(body).to_le_bytes() == [said[0], said[1]] {
            let body = body.to_vec();
            bytes.drain(..SERIAL_QUESTION_BYTES);
            return Some(body);
        }
        bytes.remove(0);
    }
    None
}

/// The frame of a reply, with what is wrong with it.
fn framed(reply: &Reply, head: &[u8]) -> Vec<u8> {
    if let Fault::Garbage(bytes) = &reply.fault {
        return bytes.clone();
    }
    let mut frame = frame_of(reply.unit, &reply.pdu, head);
    match reply.fault {
        Fault::Short(by) => frame.truncate(frame.len().saturating_sub(by)),
        Fault::WrongChecksum if head.is_empty() => {
            let last = frame.len() - 1;
            frame[last] ^= 0x55;
        }
        Fault::Foreign => {
            // Other values, so that nobody can take them for ours unnoticed.
            let turned: Vec<u8> = reply.pdu.iter().enumerate().map(|(at, b)| if at < 2 { *b } else { !b }).collect();
            let foreign = frame_of(reply.unit.wrapping_add(1), &turned, head);
            frame.splice(..0, foreign);
        }
        _ => {}
    }
    frame
}

fn frame_of(unit: u8, pdu: &[u8], head: &[u8]) -> Vec<u8> {
    let mut frame = head.get(..4).unwrap_or_default().to_vec();
    if !head.is_empty() {
        frame.extend(((1 + pdu.len()) as u16).to_be_bytes());
    }
    frame.push(unit);
    frame.extend(pdu);
    if head.is_empty() {
        frame.extend(crc(&frame).to_le_bytes());
    }
    frame
}

/// Bit by bit, as the specification describes it.
fn crc(bytes: &[u8]) -> u16 {
    let mut register = 0xFFFF_u16;
    for byte in bytes {
        register ^= u16::from(*byte);
        for _ in 0..8 {
            let carry = register & 1;
            register >>= 1;
            if carry == 1 {
                register ^= 0xA001;
            }
        }
    }
    register
}

const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;

/// The PDU that answers a question.
fn answer(device: &Device, question: &[u8]) -> Vec<u8> {
    let function = question.first().copied().unwrap_or(0);
    let no = |code| vec![function | 0x80, code];
    let table = match function {
        1 => Table::Coil,
        2 => Table::Discrete,
        3 => Table::Holding,
        4 => Table::Input,
        _ => return no(ILLEGAL_FUNCTION),
    };
    let [_, a, b, c, d] = *question else { return no(ILLEGAL_VALUE) };
    let (address, count) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let limit = if function <= 2 { 2_000 } else { device.map.registers_max };
    if count == 0 || count > limit {
        return no(ILLEGAL_VALUE);
    }
    let cells = cells(device, table);
    let (Some((first, _)), Some((last, _))) = (cells.first_key_value(), cells.last_key_value()) else {
        return no(ILLEGAL_ADDRESS);
    };
    let asked = u32::from(address)..u32::from(address) + u32::from(count);
    let known = |at: u32| {
        let at = u16::try_from(at).ok()?;
        let gap = !device.map.no_gaps && (*first..=*last).contains(&at);
        cells.get(&at).copied().or(gap.then_some(0))
    };
    let Some(found) = asked.map(known).collect::<Option<Vec<u16>>>() else { return no(ILLEGAL_ADDRESS) };
    let data: Vec<u8> = if function <= 2 {
        let byte = |bits: &[u16]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | (*bit as u8 & 1));
        found.chunks(8).map(byte).collect()
    } else {
        found.iter().flat_map(|word| word.to_be_bytes()).collect()
    };
    // At most 250 bytes: the limits above.
    [vec![function, data.len() as u8], data].concat()
}

/// What stands in each register or bit of a table that the map names.
fn cells(device: &Device, table: Table) -> BTreeMap<u16, u16> {
    let mut cells = BTreeMap::new();
    for spec in device.map.values.iter().filter(|spec| spec.table == table) {
        let value = (device.values)(&spec.path.replace("{instance}", &device.instance));
        for (at, word) in encode(spec, &value).into_iter().enumerate() {
            // Several values may be bits of one register.
            *cells.entry(spec.address.wrapping_add(at as u16)).or_insert(0) |= word;
        }
    }
    cells
}

/// The registers of a value, or its bit.
fn encode(spec: &ValueSpec, value: &Value) -> Vec<u16> {
    let count = usize::from(spec.layout.count);
    let mut words: Vec<u16> = match (spec.layout.kind, value) {
        (Kind::String, Value::Text(text)) => {
            let padded: Vec<u8> = text.bytes().chain(std::iter::repeat(0)).take(2 * count).collect();
            padded.chunks(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1])).collect()
        }
        (Kind::String, _) => vec![0; count],
        (Kind::Bool, value) => return vec![u16::from(*value == Value::Bool(true))],
        _ => {
            let bits = number(spec, value);
            (0..count).rev().map(|at| (bits >> (16 * at)) as u16).collect()
        }
    };
    if spec.layout.words_swapped {
        words.reverse();
    }
    if spec.layout.bytes_swapped {
        words.iter_mut().for_each(|word| *word = word.swap_bytes());
    }
    words
}

/// The bits of a number that mean `value`.
fn number(spec: &ValueSpec, value: &Value) -> u64 {
    match (&spec.meaning, value) {
        (_, Value::Absent) => {
            let nan = if spec.layout.kind == Kind::F32 { 0x7FC0_0000 } else { 0x7FF8_0000_0000_0000 };
            let floats = matches!(spec.layout.kind, Kind::F32 | Kind::F64);
            spec.not_available.first().copied().unwrap_or(if floats { nan } else { 0 })
        }
        (Meaning::Quantity { scale, offset, unit, .. }, Value::Float(si)) => {
            let number = ((si - unit.offset) / unit.factor - offset) / scale;
            match spec.layout.kind {
                Kind::F32 => u64::from((number as f32).to_bits()),
                Kind::F64 => number.to_bits(),
                _ => number.round() as i64 as u64,
            }
        }
        (Meaning::Count, Value::Integer(count)) => *count as u64,
        (Meaning::Bit(bit), Value::Bool(true)) => 1 << bit,
        (Meaning::Words(words), Value::Text(text)) => {
            words.iter().find(|(_, word)| **word == **text).map_or(0, |(code, _)| *code)
        }
        (Meaning::Flags(flags), Value::Text(text)) => {
            let set = |name: &str| text.split(',').any(|one| one == name);
            flags.iter().filter(|(_, name)| set(name)).fold(0, |bits, (bit, _)| bits | 1 << bit)
        }
        _ => 0,
    }
}
