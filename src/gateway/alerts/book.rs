//! Which alarms are open, and what a notification means for them. Pure: time is handed in.

use std::collections::HashMap;

use uuid::Uuid;

use crate::clock::Stamp;
use crate::wire::notification::{AlarmState, CODE, LIST_END, Notification};

/// Alarms that are open at a time, and as many that are over; a bus that invents more is broken.
pub const OPEN_MAX: usize = 500;

/// How long an alarm that is over is reopened instead of raised anew, and the least time between two changes of its
/// words: one that comes and goes each second is one alarm and a few changes a minute, not 3,600 alarms an hour.
const SETTLE_MS: i64 = 60_000;

/// Which alarm. One source tells many alerts by one path; the instance tells them apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Signal K path.
    pub path: String,
    /// Which of those of one path and source.
    pub instance: String,
    /// Who told it.
    pub source: String,
}

/// The alarms that are open, and those that were lately.
#[derive(Debug, Default)]
pub struct Book {
    open: HashMap<Key, Open>,
    over: HashMap<Key, Over>,
}

/// An alarm with a record that is not closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Its record.
    pub record: Uuid,
    /// As in the record.
    pub severity: String,
    /// As in the record.
    pub message: String,
    /// As in the record: how often it happened.
    pub count: Option<u32>,
    /// Whether the device said so.
    pub acknowledged: bool,
    /// When the record was last written.
    pub changed_at: Stamp,
    /// Whether it was heard since the last end of a list.
    pub listed: bool,
    /// Not closed before this is a minute ago: it flaps, or the store refused.
    pub held_since: Option<Stamp>,
    /// When it ended, while it was held.
    pub ended_at: Option<Stamp>,
}

#[derive(Debug)]
struct Over {
    record: Uuid,
    acknowledged: bool,
    since: Stamp,
}

/// What is to be done about a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is known.
    Nothing,
    /// More are open than can be real.
    NoRoom,
    /// It is over, and may be back in a moment, as it was before.
    Hold,
    /// A new one.
    Raise,
    /// It is back after a moment.
    Reopen(Uuid),
    /// Worse, better, acknowledged, once more, or in other words.
    Change(Uuid),
    /// It is over.
    Close(Uuid),
}

/// A clock that was set back is no reason to wait.
const fn is_settled(since: Stamp, now: Stamp) -> bool {
    !matches!(now.millis_since(since), 0..SETTLE_MS)
}

impl Book {
    /// Takes what was open before the start.
    pub fn extend(&mut self, open: impl Iterator<Item = (Key, Open)>) {
        self.open.extend(open);
    }

    /// Notes that the device spoke of it.
    pub fn heard(&mut self, key: &Key, told: &Notification) {
        if let Some(open) = self.open.get_mut(key).filter(|_| told.state != AlarmState::Normal) {
            (open.listed, open.ended_at) = (true, None);
        }
    }

    /// What a notification means.
    pub fn plan(&self, key: &Key, told: &Notification, now: Stamp) -> Plan {
        match (self.open.get(key), told.state) {
            (None, AlarmState::Normal) => Plan::Nothing,
            // One that ended is closed when it is due, with the time of its end.
            (Some(open), AlarmState::Normal) if open.ended_at.is_some() => Plan::Hold,
            (Some(open), AlarmState::Normal) if open.held_since.is_some_and(|at| !is_settled(at, now)) => Plan::Hold,
            (Some(open), AlarmState::Normal) => Plan::Close(open.record),
            (Some(open), _) if open.differs(told, now) => Plan::Change(open.record),
            (Some(_), _) => Plan::Nothing,
            (None, _) if self.open.len() >= OPEN_MAX => Plan::NoRoom,
            (None, _) => {
                let over = self.over.get(key).filter(|over| !is_settled(over.since, now));
                over.map_or(Plan::Raise, |over| Plan::Reopen(over.record))
            }
        }
    }

    /// The record was written as told.
    pub fn written(&mut self, key: Key, record: Uuid, told: &Notification, now: Stamp) {
        let over = self.over.remove(&key).filter(|over| over.record == record);
        let before = self.open.remove(&key);
        let was_acknowledged = before.as_ref().is_some_and(|open| open.acknowledged)
            || over.as_ref().is_some_and(|over| over.acknowledged);
        let open = Open {
            record,
            severity: severity(told.state).to_owned(),
            message: told.message.clone(),
            count: told.count.or_else(|| before.as_ref().and_then(|open| open.count)),
            acknowledged: was_acknowledged || told.acknowledged == Some(true),
            changed_at: now,
            listed: true,
            held_since: before.map_or(over.map(|_| now), |open| open.held_since),
            ended_at: None,
        };
        self.open.insert(key, open);
    }

    /// It ended, and its record is not closed yet: [`Book::due`] gives it when a minute has passed since `held_since`.
    /// Devices repeat an end; the first counts.
    pub fn hold(&mut self, key: &Key, ended_at: Stamp, held_since: Option<Stamp>) {
        if let Some(open) = self.open.get_mut(key) {
            (open.ended_at, open.held_since) = (open.ended_at.or(Some(ended_at)), held_since.or(open.held_since));
        }
    }

    /// Its record is closed.
    pub fn closed(&mut self, key: &Key, now: Stamp) {
        let Some(Open { record, acknowledged, .. }) = self.open.remove(key) else { return };
        if self.over.len() >= OPEN_MAX {
            self.over.retain(|_, over| !is_settled(over.since, now));
        }
        // Beyond the bound it is raised anew when it comes back.
        if self.over.len() < OPEN_MAX {
            self.over.insert(key.clone(), Over { record, acknowledged, since: now });
        }
    }

    /// Somebody deleted its record.
    pub fn deleted(&mut self, key: &Key) {
        self.open.remove(key);
        self.over.remove(key);
    }

    /// Those that ended while they were held and have to be closed now: alarm, record, end.
    pub fn due(&self, now: Stamp) -> Vec<(Key, Uuid, Stamp)> {
        let ended = self.open.iter().filter_map(|(key, open)| Some((key, open, open.ended_at?)));
        let due = ended.filter(|(_, open, _)| open.held_since.is_none_or(|at| is_settled(at, now)));
        due.map(|(key, open, ended_at)| (key.clone(), open.record, ended_at)).collect()
    }

    /// When `key` is the end of a list: those that its source did not repeat since the one before, which are over. This
    /// closes what ended while nobody listened.
    pub fn unlisted(&mut self, key: &Key) -> Vec<(Key, Uuid)> {
        let Some(stem) = key.path.strip_suffix(LIST_END) else { return Vec::new() };
        let is_of_list = |other: &Key| {
            other.source == key.source && other.path.strip_prefix(stem).is_some_and(|rest| rest.starts_with(CODE))
        };
        let of_list = self.open.iter_mut().filter(|(key, _)| is_of_list(key));
        let gone = of_list.filter_map(|(key, open)| {
            let listed = std::mem::take(&mut open.listed);
            (!listed && open.ended_at.is_none()).then(|| (key.clone(), open.record))
        });
        gone.collect()
    }

    /// Some readings were missed: what was not heard may have been told.
    pub fn missed(&mut self) {
        self.open.values_mut().for_each(|open| open.listed = true);
    }
}

impl Open {
    /// What is worse, and an acknowledgement, count at once; the rest when it settled. A lamp that flaps stands for all
    /// codes of its ECU and would else rewrite all of their records each time.
    fn differs(&self, told: &Notification, now: Stamp) -> bool {
        let known = SEVERITIES.iter().position(|severity| *severity == self.severity);
        let is_worse = known.is_none_or(|known| told.state as usize > known);
        let is_acknowledged = told.acknowledged == Some(true) && !self.acknowledged;
        let is_counted = told.count.is_some() && told.count != self.count;
        let is_other = self.severity != severity(told.state) || self.message != told.message || is_counted;
        is_worse || is_acknowledged || (is_other && is_settled(self.changed_at, now))
    }
}

/// The states in the words of the records, in their order: each is worse than the one before.
const SEVERITIES: [&str; 5] = ["normal", "caution", "warning", "alarm", "emergency"];
const _: () = assert!(AlarmState::Normal as usize == 0 && AlarmState::Emergency as usize == SEVERITIES.len() - 1);

/// A state in the words of the records.
pub const fn severity(state: AlarmState) -> &'static str {
    SEVERITIES[state as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        let path = format!("notifications.propulsion.0.spn{number}.fmi1");
        Key { path, instance: String::new(), source: "engine.address0".to_owned() }
    }

    fn told(state: AlarmState) -> Notification {
        Notification::new(state, "oil")
    }

    fn at(ms: i64) -> Stamp {
        Stamp::from_millis(ms)
    }

    fn raised(number: usize, ms: i64) -> Book {
        let mut book = Book::default();
        book.written(key(number), Uuid::nil(), &told(AlarmState::Warn), at(ms));
        book
    }

    #[test]
    fn an_alarm_is_raised_once_changed_when_it_changes_and_closed_when_it_is_over() {
        let plan = |book: &Book, state| book.plan(&key(1), &told(state), at(0));
        assert_eq!(plan(&Book::default(), AlarmState::Normal), Plan::Nothing);
        assert_eq!(plan(&Book::default(), AlarmState::Warn), Plan::Raise);
        let book = raised(1, 0);
        assert_eq!(plan(&book, AlarmState::Warn), Plan::Nothing);
        assert_eq!(plan(&book, AlarmState::Alarm), Plan::Change(Uuid::nil()));
        assert_eq!(plan(&book, AlarmState::Normal), Plan::Close(Uuid::nil()));
    }

    #[test]
    fn other_words_are_a_change_once_a_minute_and_an_acknowledgement_is_one_at_once() {
        let mut book = raised(1, 0);
        let reworded = Notification::new(AlarmState::Warn, "oil: low");
        assert_eq!(book.plan(&key(1), &reworded, at(59_999)), Plan::Nothing);
        assert_eq!(book.plan(&key(1), &reworded, at(60_000)), Plan::Change(Uuid::nil()));
        assert_eq!(book.plan(&key(1), &reworded, at(-1)), Plan::Change(Uuid::nil()), "the clock was set back");
        let acknowledged = Notification { acknowledged: Some(true), ..told(AlarmState::Warn) };
        assert_eq!(book.plan(&key(1), &acknowledged, at(1)), Plan::Change(Uuid::nil()));
        book.written(key(1), Uuid::nil(), &acknowledged, at(1));
        assert_eq!(book.plan(&key(1), &acknowledged, at(2)), Plan::Nothing);
    }

    #[test]
    fn one_more_occurrence_is_a_change_once_a_minute() {
        let mut book = raised(1, 0);
        let counted = |count| Notification { count, ..told(AlarmState::Warn) };
        assert_eq!(book.plan(&key(1), &counted(Some(1)), at(59_999)), Plan::Nothing);
        assert_eq!(book.plan(&key(1), &counted(Some(1)), at(60_000)), Plan::Change(Uuid::nil()));
        book.written(key(1), Uuid::nil(), &counted(Some(1)), at(60_000));
        for (count, plan) in [(Some(1), Plan::Nothing), (None, Plan::Nothing), (Some(2), Plan::Change(Uuid::nil()))] {
            assert_eq!(book.plan(&key(1), &counted(count), at(120_000)), plan, "{count:?}");
        }
    }

    #[test]
    fn worse_is_a_change_at_once_and_better_when_it_settled() {
        let mut book = raised(1, 0);
        let mut writes = 0;
        for second in 1..60 {
            let state = if second % 2 == 0 { AlarmState::Warn } else { AlarmState::Alarm };
            if book.plan(&key(1), &told(state), at(second * 1_000)) == Plan::Change(Uuid::nil()) {
                book.written(key(1), Uuid::nil(), &told(state), at(second * 1_000));
                writes += 1;
            }
        }
        assert_eq!(writes, 1, "a lamp that flaps");
        assert_eq!(book.plan(&key(1), &told(AlarmState::Emergency), at(60_000)), Plan::Change(Uuid::nil()));
        assert_eq!(book.plan(&key(1), &told(AlarmState::Warn), at(60_999)), Plan::Nothing);
        assert_eq!(book.plan(&key(1), &told(AlarmState::Warn), at(61_000)), Plan::Change(Uuid::nil()));
    }

    #[test]
    fn one_that_flaps_keeps_its_record_and_closes_when_it_settles() {
        let mut book = raised(1, 0);
        let plan = |book: &Book, state, ms| book.plan(&key(1), &told(state), at(ms));
        book.closed(&key(1), at(1_000));
        assert_eq!(plan(&book, AlarmState::Warn, 2_000), Plan::Reopen(Uuid::nil()));
        assert_eq!(plan(&book, AlarmState::Warn, 61_000), Plan::Raise);
        book.written(key(1), Uuid::nil(), &told(AlarmState::Warn), at(2_000));
        assert_eq!(plan(&book, AlarmState::Normal, 3_000), Plan::Hold);
        book.hold(&key(1), at(3_000), None);
        book.heard(&key(1), &told(AlarmState::Warn));
        assert_eq!(book.due(at(62_000)), [], "it is back");
        book.hold(&key(1), at(5_000), None);
        book.hold(&key(1), at(6_000), None);
        assert_eq!(book.due(at(61_999)), []);
        assert_eq!(plan(&book, AlarmState::Normal, 62_000), Plan::Hold);
        assert_eq!(book.due(at(62_000)), [(key(1), Uuid::nil(), at(5_000))], "the first word of its end counts");
    }

    #[test]
    fn there_are_never_too_many() {
        let mut book = Book::default();
        for number in 0..2 * OPEN_MAX {
            book.written(key(number), Uuid::nil(), &told(AlarmState::Warn), at(0));
            book.closed(&key(number), at(0));
        }
        assert_eq!((book.open.len(), book.over.len()), (0, OPEN_MAX));
        for number in 0..OPEN_MAX {
            book.written(key(number), Uuid::nil(), &told(AlarmState::Warn), at(0));
        }
        assert_eq!(book.plan(&key(OPEN_MAX), &told(AlarmState::Warn), at(60_000)), Plan::NoRoom);
    }

    #[test]
    fn what_a_list_does_not_repeat_is_over_but_nothing_of_others() {
        let mut book = raised(1, 0);
        book.written(key(2), Uuid::nil(), &told(AlarmState::Warn), at(0));
        let other = Key { source: "engine.address1".to_owned(), ..key(1) };
        let alike = Key { path: "notifications.propulsion.01.spn1.fmi1".to_owned(), ..key(1) };
        for key in [&other, &alike] {
            book.written(key.clone(), Uuid::nil(), &told(AlarmState::Warn), at(0));
        }
        let end = Key { path: "notifications.propulsion.0.dm1".to_owned(), ..key(0) };
        assert_eq!(book.unlisted(&end), []);
        book.heard(&key(2), &told(AlarmState::Warn));
        assert_eq!(book.unlisted(&end), [(key(1), Uuid::nil())]);
        book.missed();
        assert_eq!(book.unlisted(&end), []);
    }
}
