//! Updates of the box: which bundle, when it is written, when it is started, and whether it stays.
//!
//! Two decisions, both pure: [`policy`] chooses the next step, [`health`] judges a slot on trial. Around them are the
//! parts that touch the world: [`installer`] speaks to RAUC over D-Bus, [`offers`] asks the shore and looks at USB
//! sticks, [`ledger`] is what must outlast a reboot, and [`updater`] carries the steps out.
//!
//! A slot is started as a trial: the firmware forgets the wish before it obeys, so whatever goes wrong ends in the old
//! slot. It refuses to check a signature (RAUC does, with the image's keyring), to choose a slot at boot (the firmware
//! does), and to reboot a slot that was once marked good because of its health.

pub mod bundle;
pub mod delta;
pub mod health;
pub mod installer;
pub mod ledger;
pub mod offers;
pub mod policy;
mod route;
pub mod updater;

use serde::{Deserialize, Serialize};

pub use updater::{UpdateError, UpdateHandle, UpdateParts, spawn};

use crate::clock::Stamp;
use ledger::TakenBack;

/// Everything that people and programs are told of updates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateStatus {
    /// Version of the system that runs.
    pub version: String,
    /// The slot that it runs from; empty where there are no slots.
    pub slot: String,
    /// Whether that slot is on trial: nobody has marked it good yet.
    pub on_trial: bool,
    /// Version in the other slot, when one can be started there.
    pub other_version: Option<String>,
    /// A newer bundle that could be installed.
    pub offer: Option<OfferStatus>,
    /// What is installed and waits to be started.
    pub staged: Option<String>,
    /// Whether somebody has asked for it.
    pub approved: bool,
    /// What is being done.
    pub doing: Doing,
    /// Per cent of an installation.
    pub percent: u8,
    /// What is done or waited for, one sentence.
    pub why: String,
    /// When the shore was last asked with success.
    pub checked_at: Option<Stamp>,
    /// What went wrong last; empty when nothing did, or when it went well afterwards.
    pub last_error: String,
    /// The last version that was taken back, and why.
    pub taken_back: Option<TakenBack>,
}

/// A bundle that could be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferStatus {
    /// Its version.
    pub version: String,
    /// Where it is: an URL or a file.
    pub place: String,
    /// Its size; of it only changed blocks are loaded.
    pub bytes: u64,
}

/// What the updater is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// There are no slots here: a hand-made installation.
    #[default]
    Nothing,
    /// Waiting, for what `why` says.
    Resting,
    /// A bundle is being written into the other slot.
    Installing,
    /// The running slot is on trial.
    Judging,
    /// The box is about to start again.
    Rebooting,
}
