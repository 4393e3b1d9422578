//! A box with two slots as RAUC shows it on D-Bus: a scripted peer with the firmware's rules, so that a reboot takes
//! no minute. The real RAUC, firmware and slots are in `hil/`.
//!
//! Rules of the firmware (UEFI specification 2.10, 3.1): BootNext is forgotten when it is obeyed; else the first of
//! BootOrder. Rules of RAUC's EFI backend: an installation takes the slot out of BootOrder, `active` sets BootNext,
//! `good` puts the running slot first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hawser::update::bundle::{self, BundleFacts};
use zbus::{OwnedVariant, Variant};

/// What a slot holds.
#[derive(Clone, Debug, Default)]
pub struct Content {
    pub version: Option<String>,
    pub installed: Option<&'static str>,
}

/// The box.
#[derive(Clone, Debug, Default)]
pub struct Board {
    pub slots: [Content; 2],
    pub booted: usize,
    pub boot_order: Vec<usize>,
    pub boot_next: Option<usize>,
    pub installing: bool,
    pub last_error: String,
    /// Sources that bundles were loaded from, with the headers that were sent.
    pub loads: Vec<(String, Vec<String>)>,
    /// Installations that fail, from now on.
    pub failures: usize,
}

impl Board {
    /// As it leaves the yard: the first slot is good, the other is empty.
    pub fn new() -> Self {
        Self { boot_order: vec![0], ..Self::default() }
    }

    /// Power off and on.
    pub fn reboot(&mut self) {
        self.booted = self.boot_next.take().unwrap_or(self.boot_order[0]);
    }
}

/// RAUC's face.
pub struct Rauc {
    pub board: Arc<Mutex<Board>>,
    pub scratch: PathBuf,
}

fn text(value: &str) -> OwnedVariant {
    Variant::from(value.to_owned()).try_into().expect("a text can be owned")
}

/// RAUC puts a variant around each group.
fn wrapped(value: Variant<'static>) -> OwnedVariant {
    Variant::Variant(Box::new(value)).try_into().expect("a dictionary can be owned")
}

fn failed(error: &impl ToString) -> zbus::fdo::Error {
    zbus::fdo::Error::Failed(error.to_string())
}

impl Rauc {
    /// The facts of a bundle, loaded from where it is.
    async fn load(&self, source: &str, arguments: &HashMap<String, OwnedVariant>) -> zbus::fdo::Result<BundleFacts> {
        let headers: Vec<String> = match arguments.get("http-headers").map(|value| &**value) {
            Some(Variant::Array(headers)) => headers.iter().map(|header| header.to_string().replace('"', "")).collect(),
            _ => Vec::new(),
        };
        self.board.lock().expect("the board").loads.push((source.to_owned(), headers.clone()));
        if !source.starts_with("http") {
            return bundle::read(Path::new(source)).map_err(|error| failed(&error));
        }
        let mut request = reqwest::Client::new().get(source).header("Range", "bytes=0-");
        for header in &headers {
            let (name, value) = header.split_once(": ").expect("a header has a name");
            request = request.header(name, value);
        }
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let bytes = answer.map_err(|error| failed(&error))?.bytes().await.map_err(|error| failed(&error))?;
        let path = self.scratch.join("loaded.raucb");
        std::fs::write(&path, bytes).map_err(|error| failed(&error))?;
        bundle::read(&path).map_err(|error| failed(&error))
    }
}

#[zbus::interface(name = "de.pengutronix.rauc.Installer")]
impl Rauc {
    async fn inspect_bundle(
        &self,
        source: String,
        args: HashMap<String, OwnedVariant>,
    ) -> zbus::fdo::Result<HashMap<String, OwnedVariant>> {
        let facts = self.load(&source, &args).await?;
        let update = HashMap::from([
            ("compatible".to_owned(), Variant::from(facts.compatible)),
            ("version".to_owned(), Variant::from(facts.version.to_string())),
        ]);
        let ours = HashMap::from([("schema".to_owned(), facts.schema.to_string())]);
        let meta = HashMap::from([("hawser".to_owned(), ours)]);
        Ok(HashMap::from([
            ("update".to_owned(), wrapped(Variant::from(update))),
            ("meta".to_owned(), wrapped(Variant::from(meta))),
        ]))
    }

    async fn install_bundle(&self, source: String, args: HashMap<String, OwnedVariant>) -> zbus::fdo::Result<()> {
        let loaded = self.load(&source, &args).await;
        let mut board = self.board.lock().expect("the board");
        let other = 1 - board.booted;
        board.boot_order.retain(|slot| *slot != other);
        board.installing = true;
        board.last_error.clear();
        match loaded {
            Ok(facts) if board.failures == 0 => {
                board.slots[other] = Content { version: Some(facts.version.to_string()), installed: Some("ok") };
            }
            outcome => {
                board.failures = board.failures.saturating_sub(1);
                board.slots[other].installed = Some("failed");
                board.last_error = outcome.err().map_or_else(|| "the link broke".to_owned(), |error| error.to_string());
            }
        }
        Ok(())
    }

    fn mark(&self, state: &str, slot: &str) -> zbus::fdo::Result<(String, String)> {
        let mut board = self.board.lock().expect("the board");
        let booted = board.booted;
        match (state, slot) {
            ("good", "booted") => {
                board.boot_order.retain(|slot| *slot != booted);
                board.boot_order.insert(0, booted);
            }
            ("active", "other") => board.boot_next = Some(1 - booted),
            _ => return Err(zbus::fdo::Error::InvalidArgs(format!("{state} {slot}"))),
        }
        Ok((slot.to_owned(), "done".to_owned()))
    }

    fn get_primary(&self) -> String {
        let board = self.board.lock().expect("the board");
        format!("rootfs.{}", board.boot_next.unwrap_or(board.boot_order[0]))
    }

    fn get_slot_status(&self) -> Vec<(String, HashMap<String, OwnedVariant>)> {
        let board = self.board.lock().expect("the board");
        let root = |number: usize| {
            let good = if board.boot_order.contains(&number) { "good" } else { "bad" };
            let mut facts = HashMap::from([
                ("class".to_owned(), text("rootfs")),
                ("bootname".to_owned(), text(["hawser-a", "hawser-b"][number])),
                ("state".to_owned(), text(if board.booted == number { "booted" } else { "inactive" })),
                ("boot-status".to_owned(), text(good)),
            ]);
            let Content { version, installed } = &board.slots[number];
            facts.extend(version.iter().map(|version| ("bundle.version".to_owned(), text(version))));
            facts.extend(installed.iter().map(|status| ("status".to_owned(), text(status))));
            (format!("rootfs.{number}"), facts)
        };
        let boot = |number: usize| (format!("boot.{number}"), HashMap::from([("class".to_owned(), text("boot"))]));
        vec![boot(0), root(0), boot(1), root(1)]
    }

    #[zbus(property)]
    fn compatible(&self) -> String {
        super::COMPATIBLE.to_owned()
    }

    /// Busy once after each installation has begun.
    #[zbus(property)]
    fn operation(&self) -> String {
        let busy = std::mem::take(&mut self.board.lock().expect("the board").installing);
        if busy { "installing" } else { "idle" }.to_owned()
    }

    #[zbus(property)]
    fn last_error(&self) -> String {
        self.board.lock().expect("the board").last_error.clone()
    }

    #[zbus(property)]
    fn progress(&self) -> (i32, String, i32) {
        (40, "Copying image".to_owned(), 2)
    }
}
