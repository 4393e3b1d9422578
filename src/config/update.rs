//! `[update]` of `gateway.toml`: whose word an update needs, and when it may start.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Updates of the box. Without RAUC, that is without the image, they have no effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpdateConfig {
    /// Whether updates are looked for.
    pub enabled: bool,
    /// Whose word starts one.
    pub approval: UpdateApproval,
    /// Whether it waits until the vessel lies still.
    pub moored: bool,
    /// The hours of the day in which it may start, UTC; empty: any.
    pub window: String,
    /// Network interfaces over which a byte costs little: names, or the beginning of some and `*`.
    pub cheap_links: Vec<String>,
    /// Hours between two questions to the shore.
    pub check_interval_hours: u32,
    /// Minutes after which a version on trial whose sources do not deliver again is taken back.
    pub trial_minutes: u32,
}

impl Default for UpdateConfig {
    /// Wired and wireless networks are ashore's or the vessel's own; a modem (`ww*`) is paid by the byte.
    fn default() -> Self {
        Self {
            enabled: true,
            approval: UpdateApproval::OnBoard,
            moored: true,
            window: String::new(),
            cheap_links: ["en*", "eth*", "end*", "wl*"].map(str::to_owned).to_vec(),
            check_interval_hours: 24,
            trial_minutes: 10,
        }
    }
}

/// Whose word starts an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateApproval {
    /// Somebody on board's.
    #[default]
    OnBoard,
    /// Nobody's: the signature is enough.
    Automatic,
}

/// Hours of a day, UTC, such as `02:00-05:00`; over midnight when the end is before the begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayWindow {
    from_minute: u16,
    to_minute: u16,
}

impl DayWindow {
    /// Whether a minute since midnight lies in it; its end does not.
    pub const fn contains(&self, minute: u16) -> bool {
        if self.from_minute <= self.to_minute {
            self.from_minute <= minute && minute < self.to_minute
        } else {
            self.from_minute <= minute || minute < self.to_minute
        }
    }
}

/// A text is no window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoWindow;

impl fmt::Display for NoWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not two different times of a day such as 02:00-05:00")
    }
}

impl FromStr for DayWindow {
    type Err = NoWindow;

    fn from_str(text: &str) -> Result<Self, NoWindow> {
        let (from, to) = text.split_once('-').ok_or(NoWindow)?;
        let window = Self { from_minute: minute(from)?, to_minute: minute(to)? };
        if window.from_minute == window.to_minute { Err(NoWindow) } else { Ok(window) }
    }
}

fn minute(text: &str) -> Result<u16, NoWindow> {
    let (hours, minutes) = text.trim().split_once(':').ok_or(NoWindow)?;
    let two = |text: &str, most: u16| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u16>().ok().filter(|number| digits && *number <= most);
        number.ok_or(NoWindow)
    };
    Ok(two(hours, 23)? * 60 + two(minutes, 59)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_go_over_midnight() {
        let night: DayWindow = "22:00-05:30".parse().unwrap();
        assert!([1_320, 1_439, 0, 329].iter().all(|minute| night.contains(*minute)));
        assert!([330, 720, 1_319].iter().all(|minute| !night.contains(*minute)));
        let day: DayWindow = "02:00 - 05:00".parse().unwrap();
        assert!(day.contains(120) && day.contains(299) && !day.contains(300) && !day.contains(119));
        for bad in ["", "02:00", "2:00-5:00", "02:00-24:00", "02:60-05:00", "02:00-02:00", "+2:00-05:00", "a-b"] {
            assert_eq!(bad.parse::<DayWindow>(), Err(NoWindow), "{bad}");
        }
    }
}
