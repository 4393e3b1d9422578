//! `hawser replay`: plays a log of NMEA 0183 into a gateway at the log's own pace, faster, or as fast as it is taken.
//!
//! The pace comes from the sentences' own UTC time (RMC, GGA, GLL, ZDA); a log without any is played as a 4,800 baud
//! line would carry it. Lines go out as they are, broken ones too: a log is evidence. The file is streamed, one line in
//! memory.
//!
//! A gateway is a TCP client, so to play into one over TCP the replay usually has to serve: `--into tcp://0.0.0.0:10110
//! --listen` waits for the gateway to connect. Without `--listen` the replay connects out, to a program that serves (a
//! multiplexer's input). `udp://host:port` sends a datagram a line, which a gateway's `udp://` bus takes directly.
//!
//! It refuses to change a line's time: a gateway with a believed clock dates old sentences by their arrival.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Address, AddressError};

/// The longest piece of a line that is sent at once; a longer line goes out in pieces. Four times the longest the
/// gateway keeps.
const LINE_BYTES_MAX: u64 = 4 << 10;

/// Bytes at the head of a log that are searched for a time, to choose the pace: about 15,000 sentences.
const PROBE_BYTES_MAX: u64 = 1 << 20;

/// Sentences a second of a log that tells no time: 480 bytes/s (4,800 baud, 10 bits a byte) in sentences of 80
/// characters.
const SENTENCES_PER_SECOND_4800_BAUD: f64 = 6.0;

/// The longest gap that is waited out. A log that was switched off for the night goes on after a minute.
const GAP_MS_MAX: i64 = 60_000;

/// A time that steps back by less is another receiver's; by more, another recording, from which the pace starts anew.
const JITTER_MS_MAX: i64 = 5_000;

/// How often the progress is told.
const PROGRESS_INTERVAL_MS: u64 = 2_000;

/// How long the end waits for the other side to close.
const LINGER_MAX: Duration = Duration::from_secs(5);

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times the log's own pace; 1 is real time.
    Times(f64),
    /// As fast as it is taken.
    Max,
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let times = || text.parse().ok().filter(|times: &f64| times.is_finite() && (0.01..=100_000.0).contains(times));
        match text {
            "max" => Ok(Self::Max),
            _ => times().map(Self::Times).ok_or_else(|| format!("`{text}` is no speed from 0.01 to 100000, nor `max`")),
        }
    }
}

/// What to play, and where.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// The log.
    pub file: PathBuf,
    /// `tcp://host:port` or `udp://host:port`.
    pub into: String,
    /// Wait on the TCP address for a client, instead of connecting to it.
    pub listen: bool,
    /// How fast.
    pub speed: Speed,
}

/// What was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Lines sent.
    pub lines: u64,
    /// Bytes sent.
    pub bytes: u64,
}

/// Why a log was not played to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The target is no address.
    #[error(transparent)]
    Target(#[from] AddressError),
    /// Only a TCP address can be listened on.
    #[error("--listen needs a tcp:// address; datagrams are sent to whoever listens")]
    ListenNeedsTcp,
    /// The log cannot be read.
    #[error("cannot read {}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The target cannot be reached, or broke off.
    #[error("{target}: {source}; a gateway connects to us, so `--listen` may be what is missing")]
    Link {
        /// Where.
        target: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ReplayError {
    /// Whether trying again may help.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Link { .. })
    }
}

/// Plays the log until its end or until `shutdown`; tells its progress on stderr.
pub async fn run(options: ReplayOptions, clock: Clock, shutdown: CancellationToken) -> Result<Played, ReplayError> {
    let unreadable = |source| ReplayError::File { file: options.file.clone(), source };
    let mut file = File::open(&options.file).await.map_err(unreadable)?;
    let total = file.metadata().await.map_err(unreadable)?.len();
    let pace = Pace::new(options.speed, tells_time(&mut file).await.map_err(unreadable)?);
    let unreachable = |source| ReplayError::Link { target: options.into.clone(), source };
    let target = Target::parse(&options.into, options.listen)?;
    let mut link = tokio::select! {
        () = shutdown.cancelled() => return Ok(Played::default()),
        link = target.open() => link.map_err(unreachable)?,
    };
    let mut player = Player { pace, clock, shutdown: shutdown.clone(), total, played: Played::default(), told_ms: 0 };
    let mut log = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = (&mut log).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await.map_err(unreadable)?;
        if count == 0 || !player.wait_for(&line).await {
            break;
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            sent = link.send(&line) => sent.map_err(unreachable)?,
        }
        player.count(count);
    }
    link.close().await.map_err(unreachable)?;
    eprintln!("replay: {} lines, {} bytes sent", player.played.lines, player.played.bytes);
    Ok(player.played)
}

/// Whether a sentence in the head of the log tells its time. Leaves the file at its beginning.
async fn tells_time(file: &mut File) -> std::io::Result<bool> {
    let mut head = Vec::new();
    (&mut *file).take(PROBE_BYTES_MAX).read_to_end(&mut head).await?;
    file.rewind().await?;
    Ok(head.split(|byte| *byte == b'\n').any(|line| time_of_day_ms(line).is_some()))
}

/// Where the lines go.
#[derive(Debug)]
enum Target {
    Connect(String),
    Listen(String),
    Datagrams(String),
}

impl Target {
    fn parse(text: &str, listen: bool) -> Result<Self, ReplayError> {
        // A UDP target may be a host name, unlike the address of a bus that listens; it is read by the rules of TCP.
        let datagrams = text.strip_prefix("udp://");
        let as_tcp = datagrams.map_or_else(|| text.to_owned(), |rest| format!("tcp://{rest}"));
        let Address::Tcp { host, port } = as_tcp.parse()? else { unreachable!("tcp:// reads as TCP") };
        let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        match (datagrams, listen) {
            (Some(_), true) => Err(ReplayError::ListenNeedsTcp),
            (Some(_), false) => Ok(Self::Datagrams(target)),
            (None, true) => Ok(Self::Listen(target)),
            (None, false) => Ok(Self::Connect(target)),
        }
    }

    async fn open(self) -> std::io::Result<Link> {
        match self {
            Self::Connect(target) => TcpStream::connect(target).await.map(Link::Stream),
            Self::Listen(target) => {
                let listener = TcpListener::bind(target).await?;
                eprintln!("replay: waiting for a client on tcp://{}", listener.local_addr()?);
                let (stream, client) = listener.accept().await?;
                eprintln!("replay: {client} connected");
                Ok(Link::Stream(stream))
            }
            Self::Datagrams(target) => {
                let none = || std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
                let target = lookup_host(target).await?.next().ok_or_else(none)?;
                let any: SocketAddr = if target.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
                Ok(Link::Datagrams(UdpSocket::bind(any).await?, target))
            }
        }
    }
}

/// An open way to the target.
#[derive(Debug)]
enum Link {
    Stream(TcpStream),
    Datagrams(UdpSocket, SocketAddr),
}

impl Link {
    async fn send(&mut self, line: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Stream(stream) => stream.write_all(line).await,
            Self::Datagrams(socket, target) => socket.send_to(line, *target).await.map(drop),
        }
    }

    /// Closes in order, so that the last lines arrive.
    async fn close(self) -> std::io::Result<()> {
        if let Self::Stream(mut stream) = self {
            stream.shutdown().await?;
            let mut sink = [0; 512];
            let _ =
                timeout(LINGER_MAX, async { while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {} }).await;
        }
        Ok(())
    }
}

/// Sends each line at its time and tells how far it is.
#[derive(Debug)]
struct Player {
    pace: Pace,
    clock: Clock,
    shutdown: CancellationToken,
    total: u64,
    played: Played,
    told_ms: u64,
}

impl Player {
    /// Waits until the line is due; `false` when the replay is to stop.
    async fn wait_for(&mut self, line: &[u8]) -> bool {
        let wait = self.pace.wait(line, self.clock.now().mono_ms);
        if wait > 0 {
            tokio::select! {
                () = self.shutdown.cancelled() => return false,
                () = sleep(Duration::from_millis(wait)) => {}
            }
        }
        !self.shutdown.is_cancelled()
    }

    fn count(&mut self, bytes: usize) {
        self.played.lines += 1;
        self.played.bytes += bytes as u64;
        let now_ms = self.clock.now().mono_ms;
        if now_ms.saturating_sub(self.told_ms) >= PROGRESS_INTERVAL_MS {
            self.told_ms = now_ms;
            let percent = self.played.bytes.saturating_mul(100) / self.total.max(1);
            eprintln!("replay: {percent} %, {} lines", self.played.lines);
        }
    }
}

/// When each line is due. Pure: told the time, it says how long to wait.
#[derive(Debug)]
struct Pace {
    speed: Speed,
    tells_time: bool,
    /// How far into the play the last line stood, milliseconds of the log.
    position_ms: f64,
    last_time_ms: Option<i64>,
    /// The moment at which the play began.
    began_ms: Option<u64>,
}

impl Pace {
    const fn new(speed: Speed, tells_time: bool) -> Self {
        Self { speed, tells_time, position_ms: 0.0, last_time_ms: None, began_ms: None }
    }

    /// Milliseconds to wait before this line is sent, when it is `now_ms`.
    fn wait(&mut self, line: &[u8], now_ms: u64) -> u64 {
        let Speed::Times(times) = self.speed else { return 0 };
        let began_ms = *self.began_ms.get_or_insert(now_ms);
        if self.tells_time {
            self.follow(line);
        } else {
            self.position_ms += 1_000.0 / SENTENCES_PER_SECOND_4800_BAUD;
        }
        ((self.position_ms / times) as u64).saturating_sub(now_ms.saturating_sub(began_ms))
    }

    /// Moves on to the time that the line tells, if it tells one.
    fn follow(&mut self, line: &[u8]) {
        let Some(time) = time_of_day_ms(line) else { return };
        let Some(last) = self.last_time_ms.replace(time) else { return };
        // The nearer way round the clock: logs run over midnight.
        let step = (time - last + DAY_MS / 2).rem_euclid(DAY_MS) - DAY_MS / 2;
        if (-JITTER_MS_MAX..0).contains(&step) {
            self.last_time_ms = Some(last);
        } else {
            self.position_ms += step.clamp(0, GAP_MS_MAX) as f64;
        }
    }
}

/// The UTC time of day that a sentence tells, in milliseconds.
fn time_of_day_ms(line: &[u8]) -> Option<i64> {
    let start = line.iter().rposition(|byte| *byte == b'$')?;
    let mut fields = line[start + 1..].split(|byte| matches!(byte, b',' | b'*'));
    let place = match fields.next()?.get(2..)? {
        b"RMC" | b"GGA" | b"ZDA" => 0,
        b"GLL" => 4,
        _ => return None,
    };
    let field = std::str::from_utf8(fields.nth(place)?).ok()?;
    let (whole, fraction) = field.split_once('.').unwrap_or((field, ""));
    if whole.len() != 6 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize| whole[from..from + 2].parse::<i64>().ok();
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    let fraction_ms = format!("0.{fraction}").parse::<f64>().map_or(0, |seconds| (seconds * 1_000.0) as i64);
    (hours < 24 && minutes < 60 && seconds < 61).then(|| ((hours * 60 + minutes) * 60 + seconds) * 1_000 + fraction_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;

    #[test]
    fn sentences_tell_their_time() {
        assert_eq!(time_of_day_ms(b"$GPRMC,000001.25,A"), Some(1_250));
        assert_eq!(time_of_day_ms(b"\\s:a*00\\$GNGGA,010000,5"), Some(3_600_000));
        assert_eq!(time_of_day_ms(b"$GPGLL,5200.0,N,00400.0,E,235959,A*00"), Some(86_399_000));
        assert_eq!(time_of_day_ms(b"$GPRMC,,V"), None);
        assert_eq!(time_of_day_ms(b"$GPRMC,999999,A"), None);
        assert_eq!(time_of_day_ms(b"$SDDBT,1,f"), None);
        assert_eq!(time_of_day_ms(b"$GP"), None);
    }

    #[test]
    fn the_log_keeps_its_own_pace() {
        let mut pace = Pace::new(Speed::Times(10.0), true);
        assert_eq!(pace.wait(b"$GPRMC,235958,A", 5_000), 0);
        assert_eq!(pace.wait(b"$GPRMC,235959,A", 5_000), 100);
        assert_eq!(pace.wait(b"$SDDBT,1,f", 5_100), 0, "lines without a time go with the one before");
        assert_eq!(pace.wait(b"$GPRMC,000001,A", 5_100), 200, "over midnight");
        assert_eq!(pace.wait(b"$GPGGA,000000,5", 5_300), 0, "another receiver, a second behind");
        assert_eq!(pace.wait(b"$GPRMC,000002,A", 5_300), 100);
        assert_eq!(pace.wait(b"$GPRMC,060000,A", 5_400), 6_000, "a long gap is cut to a minute");
    }

    #[test]
    fn a_log_without_times_is_played_as_at_4800_baud() {
        let mut pace = Pace::new(Speed::Times(1.0), false);
        let waits: Vec<_> = (0..3).map(|_| pace.wait(b"$SDDBT,1,f", 0)).collect();
        assert_eq!(waits, [166, 333, 500]);
        assert_eq!(Pace::new(Speed::Max, false).wait(b"$SDDBT,1,f", 0), 0);
    }

    #[test]
    fn targets_and_speeds_are_checked() {
        assert!(matches!(Target::parse("udp://[::1]:9", false), Ok(Target::Datagrams(to)) if to == "[::1]:9"));
        assert!(matches!(Target::parse("udp://h:9", true), Err(ReplayError::ListenNeedsTcp)));
        assert!(matches!(Target::parse("h:9", false), Err(ReplayError::Target(_))));
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("2.5".parse(), Ok(Speed::Times(2.5)));
        assert!("0".parse::<Speed>().is_err() && "NaN".parse::<Speed>().is_err());
    }

    #[tokio::test]
    async fn a_log_arrives_byte_for_byte() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log.nmea");
        let log = [b"$GPRMC,000001,A\r\ngarbage \xFF\n".as_slice(), &[b'x'; 10_000], b"\n$SDDBT,1"].concat();
        std::fs::write(&file, &log).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let into = format!("tcp://{}", listener.local_addr().unwrap());
        let options = ReplayOptions { file, into, listen: false, speed: Speed::Max };
        let replay = tokio::spawn(run(options, Clock::manual(Stamp(0)), CancellationToken::new()));
        let mut received = Vec::new();
        listener.accept().await.unwrap().0.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, log);
        assert_eq!(replay.await.unwrap().unwrap().bytes, log.len() as u64);
    }
}
