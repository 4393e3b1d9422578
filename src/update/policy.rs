//! When a bundle is loaded and when it is started: a pure function of what is known.
//!
//! Writing the other slot disturbs nobody, so it only waits for a link that costs little. Starting it makes the vessel
//! blind for a minute, so it waits for somebody's word, for the berth and for the hour, in this order; somebody on
//! board can order it at once. It refuses to look at anything itself.

use semver::Version;

use super::offers::{Offer, Place};
use crate::config::{DayWindow, UpdateApproval};

/// Starts of one version that nobody could judge (power cut, panic, hang) before it is given up. A power cut is not the
/// bundle's fault; three in a row are.
pub const TRIES_MAX: u32 = 3;

/// What the configuration allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whose word starts an update.
    pub approval: UpdateApproval,
    /// Whether it waits for the berth.
    pub moored: bool,
    /// When it may start.
    pub window: Option<DayWindow>,
}

/// Whether the vessel lies still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mooring {
    /// No believable speed for long enough.
    #[default]
    Unknown,
    /// It has moved lately.
    Underway,
    /// It has not.
    Moored,
}

/// What the way to the shore costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkCost {
    /// There is no way now.
    #[default]
    None,
    /// By the byte.
    Metered,
    /// Little.
    Cheap,
}

/// Somebody's word that a version is wanted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Order {
    /// Which.
    pub version: String,
    /// The bundle, when it was named.
    pub source: Option<String>,
    /// Without waiting for berth and hour.
    pub now: bool,
    /// Over a metered link too.
    pub metered: bool,
}

/// What is installed in the other slot and was not judged yet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Staged {
    /// Its version.
    pub version: String,
    /// Its slot, by RAUC's name.
    pub slot: String,
    /// How often it was started without being judged.
    pub tries: u32,
}

/// What is known when a step is chosen.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The version that runs.
    pub running: &'a Version,
    /// The number of the schema of what is stored here.
    pub schema: u32,
    /// The running slot is not marked good yet.
    pub on_trial: bool,
    /// A bundle is being written.
    pub installing: bool,
    /// What waits in the other slot.
    pub staged: Option<&'a Staged>,
    /// The best bundle that was found.
    pub offer: Option<&'a Offer>,
    /// What somebody asked for.
    pub order: Option<&'a Order>,
    /// The version that was last taken back.
    pub taken_back: Option<&'a str>,
    /// Whether the vessel lies still.
    pub mooring: Mooring,
    /// What the way to the shore costs.
    pub link: LinkCost,
    /// Minutes since midnight UTC; `None` while the clock is not to be believed.
    pub minute: Option<u16>,
    /// What the sensors deliver was watched long enough to compare with it after the start.
    pub measured: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing, and why.
    Rest(Why),
    /// Write this bundle into the other slot.
    Install(Offer),
    /// Start the other slot on trial.
    Start,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The running slot is being judged.
    OnTrial,
    /// A bundle is being written.
    Installing,
    /// Nothing newer is known.
    UpToDate,
    /// The bundle would not understand what is stored here.
    OlderSchema,
    /// That version was tried and taken back.
    TakenBack,
    /// No way to the shore.
    NoLink,
    /// The way to the shore is paid by the byte.
    MeteredLink,
    /// Nobody on board has agreed.
    Approval,
    /// The sensors were not watched for long enough.
    Measuring,
    /// The vessel moves.
    Underway,
    /// Whether it moves is not known.
    MooringUnknown,
    /// The hour is wrong.
    OutsideWindow,
    /// The clock is not to be believed, so nobody knows the hour.
    ClockUnknown,
}

impl Why {
    /// For people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::OnTrial => "the running version is on trial",
            Self::Installing => "a bundle is being written into the other slot",
            Self::UpToDate => "nothing newer is known",
            Self::OlderSchema => "the bundle is of an older data schema and could not read what is stored here",
            Self::TakenBack => "this version was taken back; `hawser update install` tries it again",
            Self::NoLink => "the bundle waits for a link to the shore",
            Self::MeteredLink => "the bundle waits for a cheap link; `hawser update install --metered` loads it now",
            Self::Approval => "somebody on board must agree: `hawser update install`",
            Self::Measuring => "what the sensors deliver is being measured first",
            Self::Underway => "it starts when the vessel lies still; `hawser update install --now` starts it at once",
            Self::MooringUnknown => {
                "no speed over ground tells whether the vessel lies still; `hawser update install --now` starts it"
            }
            Self::OutsideWindow => "it starts in the configured hours; `hawser update install --now` starts it at once",
            Self::ClockUnknown => {
                "the clock is wrong, so the hour is not known; `hawser update install --now` starts it"
            }
        }
    }
}

/// The next step.
pub fn decide(rules: &Rules, now: &Situation<'_>) -> Step {
    if now.on_trial {
        Step::Rest(Why::OnTrial)
    } else if now.installing {
        Step::Rest(Why::Installing)
    } else {
        let offer = now.offer.filter(|offer| is_wanted(now, offer));
        match (offer, now.staged) {
            (None, None) => Step::Rest(Why::UpToDate),
            (Some(offer), None) => install(now, offer).map_or_else(|| Step::Install(offer.clone()), Step::Rest),
            // What lies ready is replaced when that costs nothing to wait for.
            (Some(offer), Some(_)) if install(now, offer).is_none() => Step::Install(offer.clone()),
            (_, Some(staged)) => start(rules, now, staged).map_or(Step::Start, Step::Rest),
        }
    }
}

/// Whether a bundle is better than what runs and what lies ready, or somebody asked for it.
fn is_wanted(now: &Situation<'_>, offer: &Offer) -> bool {
    let version = offer.version.to_string();
    match now.staged {
        Some(staged) if staged.version == version => false,
        _ if ordered(now, &version) => true,
        Some(staged) => Version::parse(&staged.version).is_ok_and(|staged| offer.version > staged),
        None => offer.version > *now.running,
    }
}

fn ordered(now: &Situation<'_>, version: &str) -> bool {
    now.order.is_some_and(|order| order.version == version)
}

/// What the installation waits for.
fn install(now: &Situation<'_>, offer: &Offer) -> Option<Why> {
    let version = offer.version.to_string();
    if offer.schema < now.schema {
        Some(Why::OlderSchema)
    } else if now.taken_back == Some(&version) && !ordered(now, &version) {
        Some(Why::TakenBack)
    } else if matches!(offer.place, Place::File(_)) {
        None
    } else {
        let metered = ordered(now, &version) && now.order.is_some_and(|order| order.metered);
        match now.link {
            LinkCost::None => Some(Why::NoLink),
            LinkCost::Metered if !metered => Some(Why::MeteredLink),
            LinkCost::Metered | LinkCost::Cheap => None,
        }
    }
}

/// What the start waits for.
fn start(rules: &Rules, now: &Situation<'_>, staged: &Staged) -> Option<Why> {
    let ordered = ordered(now, &staged.version);
    if staged.tries >= TRIES_MAX && !ordered {
        return Some(Why::TakenBack);
    }
    if rules.approval == UpdateApproval::OnBoard && !ordered {
        return Some(Why::Approval);
    }
    if ordered && now.order.is_some_and(|order| order.now) {
        return None;
    }
    if !now.measured {
        return Some(Why::Measuring);
    }
    if rules.moored {
        match now.mooring {
            Mooring::Moored => {}
            Mooring::Underway => return Some(Why::Underway),
            Mooring::Unknown => return Some(Why::MooringUnknown),
        }
    }
    match (&rules.window, now.minute) {
        (None, _) => None,
        (Some(_), None) => Some(Why::ClockUnknown),
        (Some(window), Some(minute)) => (!window.contains(minute)).then_some(Why::OutsideWindow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn offer(text: &str) -> Offer {
        Offer { version: version(text), schema: 3, place: Place::Url("https://shore/b".to_owned()), bytes: 1 }
    }

    fn order(text: &str, now: bool) -> Order {
        Order { version: text.to_owned(), source: None, now, metered: false }
    }

    fn rules() -> Rules {
        Rules { approval: UpdateApproval::OnBoard, moored: true, window: Some("02:00-05:00".parse().unwrap()) }
    }

    fn situation(running: &Version) -> Situation<'_> {
        Situation {
            running,
            schema: 3,
            on_trial: false,
            installing: false,
            staged: None,
            offer: None,
            order: None,
            taken_back: None,
            mooring: Mooring::Moored,
            link: LinkCost::Cheap,
            minute: Some(180),
            measured: true,
        }
    }

    #[test]
    fn a_newer_bundle_is_loaded_ahead_over_a_cheap_link_only() {
        let (running, newer) = (version("1.0.0"), offer("1.1.0"));
        let mut now = situation(&running);
        assert_eq!(decide(&rules(), &now), Step::Rest(Why::UpToDate));
        now.offer = Some(&newer);
        assert_eq!(decide(&rules(), &now), Step::Install(newer.clone()));
        for (link, why) in [(LinkCost::None, Why::NoLink), (LinkCost::Metered, Why::MeteredLink)] {
            now.link = link;
            assert_eq!(decide(&rules(), &now), Step::Rest(why));
        }
        let paid = Order { metered: true, ..order("1.1.0", false) };
        now.order = Some(&paid);
        now.link = LinkCost::Metered;
        assert_eq!(decide(&rules(), &now), Step::Install(newer.clone()));
        let stick = Offer { place: Place::File("/run/b".into()), ..newer.clone() };
        now = Situation { offer: Some(&stick), link: LinkCost::None, ..situation(&running) };
        assert_eq!(decide(&rules(), &now), Step::Install(stick.clone()));
    }

    #[test]
    fn an_older_version_only_by_order_and_an_older_schema_never() {
        let (running, older) = (version("1.1.0"), offer("1.0.0"));
        let wanted = order("1.0.0", true);
        let mut now = Situation { offer: Some(&older), ..situation(&running) };
        assert_eq!(decide(&rules(), &now), Step::Rest(Why::UpToDate));
        now.order = Some(&wanted);
        assert_eq!(decide(&rules(), &now), Step::Install(older.clone()));
        now.schema = 4;
        assert_eq!(decide(&rules(), &now), Step::Rest(Why::OlderSchema));
    }

    #[test]
    fn what_was_taken_back_is_not_taken_again_by_itself() {
        let (running, newer) = (version("1.0.0"), offer("1.1.0"));
        let wanted = order("1.1.0", false);
        let mut now = Situation { offer: Some(&newer), taken_back: Some("1.1.0"), ..situation(&running) };
        assert_eq!(decide(&rules(), &now), Step::Rest(Why::TakenBack));
        now.order = Some(&wanted);
        assert_eq!(decide(&rules(), &now), Step::Install(newer.clone()));
        let next = offer("1.2.0");
        now = Situation { offer: Some(&next), order: None, ..now };
        assert_eq!(decide(&rules(), &now), Step::Install(next.clone()));
    }

    #[test]
    fn a_newer_bundle_replaces_what_lies_ready_and_the_same_is_not_loaded_twice() {
        let (running, same, newer) = (version("1.0.0"), offer("1.1.0"), offer("1.2.0"));
        let staged = Staged { version: "1.1.0".to_owned(), slot: "rootfs.1".to_owned(), tries: 0 };
        let now = Situation { staged: Some(&staged), offer: Some(&same), ..situation(&running) };
        assert_eq!(decide(&rules(), &now), Step::Rest(Why::Approval));
        let now = Situation { offer: Some(&newer), ..now };
        assert_eq!(decide(&rules(), &now), Step::Install(newer.clone()));
        let now = Situation { link: LinkCost::Metered, ..now };
        assert_eq!(decide(&rules(), &now), Step::Rest(Why::Approval));
    }

    #[test]
    fn the_start_waits_for_a_word_the_berth_and_the_hour() {
        let running = version("1.0.0");
        let staged = Staged { version: "1.1.0".to_owned(), slot: "rootfs.1".to_owned(), tries: 0 };
        let (wanted, at_once, another) = (order("1.1.0", false), order("1.1.0", true), order("1.2.0", true));
        let quiet = Situation { staged: Some(&staged), ..situation(&running) };
        let rest = |now: &Situation<'_>| decide(&rules(), now);
        assert_eq!(rest(&quiet), Step::Rest(Why::Approval));
        assert_eq!(rest(&Situation { order: Some(&another), ..quiet.clone() }), Step::Rest(Why::Approval));
        let now = Situation { order: Some(&wanted), ..quiet.clone() };
        assert_eq!(rest(&now), Step::Start);
        for (changed, why) in [
            (Situation { measured: false, ..now.clone() }, Why::Measuring),
            (Situation { mooring: Mooring::Underway, ..now.clone() }, Why::Underway),
            (Situation { mooring: Mooring::Unknown, ..now.clone() }, Why::MooringUnknown),
            (Situation { minute: Some(600), ..now.clone() }, Why::OutsideWindow),
            (Situation { minute: None, ..now.clone() }, Why::ClockUnknown),
            (Situation { on_trial: true, ..now.clone() }, Why::OnTrial),
            (Situation { installing: true, ..now.clone() }, Why::Installing),
        ] {
            assert_eq!(rest(&changed), Step::Rest(why));
            if !matches!(why, Why::OnTrial | Why::Installing) {
                assert_eq!(rest(&Situation { order: Some(&at_once), ..changed }), Step::Start, "{why:?}");
            }
        }
        let automatic = Rules { approval: UpdateApproval::Automatic, ..rules() };
        assert_eq!(decide(&automatic, &quiet), Step::Start);
        let tired = Staged { tries: TRIES_MAX, ..staged.clone() };
        let now = Situation { staged: Some(&tired), ..quiet };
        assert_eq!(decide(&automatic, &now), Step::Rest(Why::TakenBack));
        assert_eq!(decide(&automatic, &Situation { order: Some(&wanted), ..now }), Step::Start);
    }
}
