//! The time, and how far it may be trusted. The only module that asks the operating system for it (invariant 8).
//!
//! Everything else is handed a [`Now`]. Tests and the simulator hand out a [`Clock::manual`]. It refuses to judge: a
//! wrong clock is reported with its quality, never corrected here and never a reason to reject data.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Microseconds a millisecond, for conversions of [`Stamp`].
const MICROS_PER_MILLI: i64 = 1_000;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted. In JSON an RFC 3339 text in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub i64);

impl Stamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(MICROS_PER_MILLI))
    }

    /// Milliseconds since the Unix epoch, rounded towards the past.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(MICROS_PER_MILLI)
    }

    /// This time moved by `ms` milliseconds.
    pub const fn plus_millis(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(MICROS_PER_MILLI)))
    }

    /// Milliseconds from `earlier` to here, negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        (self.0.saturating_sub(earlier.0)).div_euclid(MICROS_PER_MILLI)
    }

    /// The UTC calendar day as `2026-11-21`, as day files are named.
    pub fn utc_day(self) -> String {
        self.to_string().chars().take(10).collect()
    }

    /// Reads an RFC 3339 text. The error names what would be accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse::<Timestamp>()
            .map(|t| Self(t.as_microsecond()))
            .map_err(|e| format!("`{text}` is not a time like 2026-11-21T06:41:00Z: {e}"))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        let clamped = self.0.clamp(Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond() - 1_000_000);
        match Timestamp::from_microsecond(clamped) {
            Ok(t) => f.write_str(&PRINTER.timestamp_to_string(&t)),
            Err(_) => write!(f, "{clamped}us"),
        }
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Where the wall clock's time comes from, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockQuality {
    /// Disciplined by a satellite receiver with a fix.
    Gnss,
    /// Disciplined by NTP.
    Ntp,
    /// A battery-backed clock, plausible but unchecked.
    Rtc,
    /// Not to be believed: before the program was built.
    #[default]
    None,
}

impl ClockQuality {
    /// The name used in databases and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gnss => "gnss",
            Self::Ntp => "ntp",
            Self::Rtc => "rtc",
            Self::None => "none",
        }
    }
}

/// What is known of the time at one instant. Rows carry all of it, so that what was written before the first fix can be
/// dated later from `(boot_id, mono_ms)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Wall clock, UTC; may be wrong, may step.
    pub wall: Stamp,
    /// Milliseconds since boot, suspend included; never steps back within a boot.
    pub mono_ms: u64,
    /// Names the boot that `mono_ms` counts from.
    pub boot_id: Uuid,
    /// How far `wall` may be trusted.
    pub quality: ClockQuality,
}

/// No wall clock before this is believed: the firmware did not exist (2026-11-01T00:00:00Z).
/// Source: SYNC.md, Clocks (7): reject dates before the build date.
pub const EARLIEST_PLAUSIBLE: Stamp = Stamp::from_millis(1_793_491_200_000);

/// Present while systemd-timesyncd holds the clock synchronised (systemd-timesyncd.service(8), FILES).
const NTP_SYNCHRONIZED_FLAG: &str = "/run/systemd/timesync/synchronized";

/// A handle on the time; clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System { boot_id: Uuid, ntp: NtpFlag },
    Manual(Mutex<Now>),
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()
            .and_then(|text| Uuid::parse_str(text.trim()).ok())
            .unwrap_or_else(Uuid::nil);
        Self(Arc::new(Source::System { boot_id, ntp: NtpFlag::default() }))
    }

    /// A clock that stands still until [`Clock::advance_ms`].
    pub fn manual(start: Stamp) -> Self {
        let now = Now { wall: start, mono_ms: 0, boot_id: Uuid::from_u128(1), quality: ClockQuality::Rtc };
        Self(Arc::new(Source::Manual(Mutex::new(now))))
    }

    /// The time now.
    pub fn now(&self) -> Now {
        match &*self.0 {
            Source::System { boot_id, ntp } => system_now(*boot_id, ntp),
            Source::Manual(now) => *now.lock().expect("the clock's lock is never held across a panic"),
        }
    }

    /// Moves a manual clock on; does nothing to the system's.
    pub fn advance_ms(&self, ms: u64) {
        if let Source::Manual(now) = &*self.0 {
            let mut now = now.lock().expect("the clock's lock is never held across a panic");
            now.mono_ms += ms;
            now.wall = now.wall.plus_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        }
    }

    /// Steps a manual clock's wall time without moving its monotonic time, as an operator or a bad GPS would.
    pub fn step_wall_to(&self, wall: Stamp) {
        if let Source::Manual(now) = &*self.0 {
            now.lock().expect("the clock's lock is never held across a panic").wall = wall;
        }
    }
}

/// Whether [`NTP_SYNCHRONIZED_FLAG`] is there, looked at once a second: a bus asks for the time twice in each read,
/// and looking was nine tenths of what that cost. Holds the second of the last look and, in the lowest bit, what was
/// seen.
#[derive(Debug, Default)]
struct NtpFlag(AtomicU64);

impl NtpFlag {
    fn is_up(&self, mono_ms: u64, look: impl FnOnce() -> bool) -> bool {
        // 0 is no second: it stands for "never looked".
        let second = mono_ms / 1_000 + 1;
        let seen = self.0.load(Ordering::Relaxed);
        if seen >> 1 == second {
            return seen & 1 == 1;
        }
        let is_up = look();
        self.0.store(second << 1 | u64::from(is_up), Ordering::Relaxed);
        is_up
    }
}

fn system_now(boot_id: Uuid, ntp: &NtpFlag) -> Now {
    let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Stamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
        Err(before) => Stamp(-i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX)),
    };
    let mono_ms = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map_or(0, |t| {
        u64::try_from(t.tv_sec()).unwrap_or(0) * 1_000 + u64::try_from(t.tv_nsec()).unwrap_or(0) / 1_000_000
    });
    Now { wall, mono_ms, boot_id, quality: system_quality(wall, mono_ms, ntp) }
}

fn system_quality(wall: Stamp, mono_ms: u64, ntp: &NtpFlag) -> ClockQuality {
    if wall < EARLIEST_PLAUSIBLE {
        ClockQuality::None
    } else if ntp.is_up(mono_ms, || Path::new(NTP_SYNCHRONIZED_FLAG).exists()) {
        ClockQuality::Ntp
    } else {
        ClockQuality::Rtc
    }
}

/// Hybrid logical clock: 48 bits of milliseconds, 16 of counter. Orders true concurrents only; causality comes first
/// (SYNC.md, Clocks). In JSON a decimal text, since JavaScript cannot hold 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc(pub u64);

/// Bits of an [`Hlc`] below its milliseconds.
const HLC_COUNTER_BITS: u32 = 16;

impl Hlc {
    /// The lowest value at `wall`.
    pub fn at(wall: Stamp) -> Self {
        let ms = u64::try_from(wall.millis()).unwrap_or(0);
        Self(ms << HLC_COUNTER_BITS)
    }

    /// The next value after `self` with the wall clock at `wall`: `max(source, last + 1)`.
    #[must_use]
    pub fn tick(self, wall: Stamp) -> Self {
        Self(Self::at(wall).0.max(self.0.saturating_add(1)))
    }

    /// This value, but not later than the end of the millisecond `receipt`, so that a clock in 2099 cannot
    /// win for ever.
    #[must_use]
    pub fn capped_at(self, receipt: Stamp) -> Self {
        self.min(Self(Self::at(receipt).0 | 0xFFFF))
    }

    /// The wall time inside.
    pub fn wall(self) -> Stamp {
        Stamp::from_millis(i64::try_from(self.0 >> HLC_COUNTER_BITS).unwrap_or(i64::MAX))
    }
}

impl Serialize for Hlc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Hlc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom(format!("`{text}` is not a decimal hybrid clock")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ntp_flag_is_looked_at_once_a_second() {
        let flag = NtpFlag::default();
        assert!(flag.is_up(0, || true));
        assert!(flag.is_up(999, || false), "the same second: as it was seen");
        assert!(!flag.is_up(1_000, || false));
        assert!(!flag.is_up(1_999, || true));
        assert!(flag.is_up(2_000, || true));
    }

    #[test]
    fn a_stamp_prints_and_reads_as_rfc_3339() {
        let stamp = Stamp::from_millis(1_793_491_200_123);
        assert_eq!(stamp.to_string(), "2026-11-01T00:00:00.123Z");
        assert_eq!(Stamp::parse("2026-11-01T00:00:00.123Z"), Ok(stamp));
        assert_eq!(stamp.utc_day(), "2026-11-01");
        assert!(Stamp::parse("yesterday").unwrap_err().contains("2026-11-21T06:41:00Z"));
    }

    #[test]
    fn absurd_stamps_still_print() {
        assert_eq!(Stamp(i64::MAX).to_string(), "9999-12-30T21:59:59.999Z");
        assert!(Stamp(i64::MIN).to_string().starts_with('-'));
    }

    #[test]
    fn the_hybrid_clock_rises_when_the_wall_clock_falls() {
        let first = Hlc::default().tick(Stamp::from_millis(1_000));
        let second = first.tick(Stamp::from_millis(10));
        assert!(second > first);
        assert_eq!(second.wall(), Stamp::from_millis(1_000));
    }

    #[test]
    fn a_clock_in_2099_is_capped_at_receipt() {
        let receipt = Stamp::from_millis(1_793_491_200_000);
        let far = Hlc::at(Stamp::from_millis(4_070_908_800_000));
        assert_eq!(far.capped_at(receipt).wall(), receipt);
    }

    #[test]
    fn the_system_clock_never_runs_back_within_a_boot() {
        let clock = Clock::system();
        let (a, b) = (clock.now(), clock.now());
        assert!(b.mono_ms >= a.mono_ms);
        assert_eq!(a.boot_id, b.boot_id);
    }
}
