//! RAUC, over D-Bus: which slots there are, what a bundle is, write it, keep a slot, choose one for the next start.
//!
//! RAUC does the work and checks every signature (docs/reference.rst, "D-Bus API", of RAUC 1.13); this is its face
//! here. Every call has a deadline. A machine without RAUC is an ordinary one: [`InstallerError::Absent`].

use std::collections::HashMap;
use std::time::Duration;

use semver::Version;
use zbus::{OwnedVariant, Variant};

/// The longest call that only looks or marks. Reading the manifest of a bundle ashore takes some round trips of a
/// satellite link.
const CALL_TIME_MAX: Duration = Duration::from_secs(120);

/// The class of the slots that are started.
const ROOT_CLASS: &str = "rootfs";

/// The group of a bundle's manifest that is ours: `[meta.hawser]`.
const META_GROUP: &str = "hawser";

#[zbus::proxy(interface = "de.pengutronix.rauc.Installer", default_service = "de.pengutronix.rauc", default_path = "/")]
trait Rauc {
    fn install_bundle(&self, source: &str, args: HashMap<&str, Variant<'_>>) -> zbus::Result<()>;
    fn inspect_bundle(
        &self,
        source: &str,
        args: HashMap<&str, Variant<'_>>,
    ) -> zbus::Result<HashMap<String, OwnedVariant>>;
    fn mark(&self, state: &str, slot: &str) -> zbus::Result<(String, String)>;
    fn get_slot_status(&self) -> zbus::Result<Vec<(String, HashMap<String, OwnedVariant>)>>;
    fn get_primary(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn compatible(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn operation(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn last_error(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn progress(&self) -> zbus::Result<(i32, String, i32)>;
}

/// Why RAUC could not be asked, or said no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallerError {
    /// There is none.
    #[error("there is no RAUC on this machine ({0}); updates are for boxes with the image")]
    Absent(String),
    /// It does not answer.
    #[error("RAUC did not answer within {} s", CALL_TIME_MAX.as_secs())]
    Silent,
    /// It said no.
    #[error("RAUC refuses: {0}")]
    Refused(String),
    /// It answered what it never should.
    #[error("RAUC's answer is not understood: {0}")]
    Strange(String),
}

/// One of the slots that can be started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// RAUC's name: `rootfs.0`.
    pub name: String,
    /// The firmware's name: `hawser-a`.
    pub boot_name: String,
    /// It is the one that runs.
    pub booted: bool,
    /// The firmware would start it by itself.
    pub good: bool,
    /// What was installed in it; `None` when it left the yard so, or nothing was.
    pub version: Option<String>,
    /// The last installation into it went well, as far as there was one.
    pub installed: Option<bool>,
}

/// What a bundle's manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its version.
    pub version: Version,
    /// The schema of the data that it reads and writes.
    pub schema: u32,
}

/// How far an installation is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Per cent.
    pub percent: u8,
    /// What is being done.
    pub message: String,
}

/// How a bundle is reached: what the shore asks of whoever loads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// `Name: value` of the headers to send.
    pub headers: Vec<String>,
    /// PEM file of the authority of the server.
    pub ca_cert: Option<String>,
}

impl Access {
    fn arguments(&self) -> HashMap<&str, Variant<'_>> {
        let mut arguments = HashMap::new();
        if !self.headers.is_empty() {
            arguments.insert("http-headers", Variant::from(self.headers.clone()));
        }
        if let Some(path) = &self.ca_cert {
            arguments.insert("tls-ca", Variant::from(path.as_str()));
        }
        arguments
    }
}

/// RAUC.
#[derive(Clone, Debug)]
pub struct Installer(RaucProxy<'static>);

impl Installer {
    /// Connects to the bus at `address`, or to the system's. RAUC itself is started by the first call.
    pub async fn connect(address: Option<&str>) -> Result<Self, InstallerError> {
        let builder = match address {
            Some(address) => zbus::connection::Builder::address(address),
            None => zbus::connection::Builder::system(),
        };
        let absent = |error: zbus::Error| InstallerError::Absent(error.to_string());
        let connection = builder.method_timeout(CALL_TIME_MAX).build().await.map_err(absent)?;
        let proxy = RaucProxy::builder(&connection).cache_properties(zbus::proxy::CacheProperties::No).build().await;
        proxy.map(Self).map_err(absent)
    }

    /// The slots that can be started.
    pub async fn slots(&self) -> Result<Vec<Slot>, InstallerError> {
        let all = within(self.0.get_slot_status()).await?;
        let roots = all.iter().filter(|(_, facts)| text(facts, "class").as_deref() == Some(ROOT_CLASS));
        Ok(roots.map(|(name, facts)| slot(name, facts)).collect())
    }

    /// Which bundles are for this kind of box.
    pub async fn compatible(&self) -> Result<String, InstallerError> {
        within(self.0.compatible()).await
    }

    /// The slot that the firmware would start next, by RAUC's name.
    pub async fn primary(&self) -> Result<String, InstallerError> {
        within(self.0.get_primary()).await
    }

    /// What a bundle says of itself, its signature checked.
    pub async fn inspect(&self, source: &str, access: &Access) -> Result<Manifest, InstallerError> {
        let info = within(self.0.inspect_bundle(source, access.arguments())).await?;
        manifest(&info)
    }

    /// Begins to write a bundle into the other slot; [`Installer::progress`] tells the rest.
    pub async fn install(&self, source: &str, access: &Access) -> Result<(), InstallerError> {
        within(self.0.install_bundle(source, access.arguments())).await
    }

    /// How far the installation is; `None` when none runs.
    pub async fn progress(&self) -> Result<Option<Progress>, InstallerError> {
        if within(self.0.operation()).await? == "idle" {
            return Ok(None);
        }
        let (percent, message, _) = within(self.0.progress()).await?;
        Ok(Some(Progress { percent: u8::try_from(percent.clamp(0, 100)).unwrap_or_default(), message }))
    }

    /// Why the last installation failed; empty when it did not.
    pub async fn last_error(&self) -> Result<String, InstallerError> {
        within(self.0.last_error()).await
    }

    /// Keeps the running slot: the firmware starts it from now on.
    pub async fn mark_good(&self) -> Result<(), InstallerError> {
        within(self.0.mark("good", "booted")).await.map(drop)
    }

    /// Has the firmware try the other slot at the next start, once.
    pub async fn try_other(&self) -> Result<(), InstallerError> {
        within(self.0.mark("active", "other")).await.map(drop)
    }
}

async fn within<T>(call: impl Future<Output = zbus::Result<T>>) -> Result<T, InstallerError> {
    match tokio::time::timeout(CALL_TIME_MAX, call).await {
        Err(_) => Err(InstallerError::Silent),
        Ok(answer) => answer.map_err(|error| match error {
            zbus::Error::MethodError(name, detail, _) if is_absence(&name) => {
                InstallerError::Absent(detail.unwrap_or_else(|| name.to_string()))
            }
            zbus::Error::MethodError(name, detail, _) => {
                InstallerError::Refused(detail.unwrap_or_else(|| name.to_string()))
            }
            zbus::Error::FDO(error) => match *error {
                zbus::fdo::Error::ServiceUnknown(detail) | zbus::fdo::Error::NameHasNoOwner(detail) => {
                    InstallerError::Absent(detail)
                }
                other => InstallerError::Refused(other.to_string()),
            },
            other => InstallerError::Absent(other.to_string()),
        }),
    }
}

/// D-Bus specification, "Standard error names" of the bus driver.
fn is_absence(name: &str) -> bool {
    ["ServiceUnknown", "NameHasNoOwner", "Spawn.ServiceNotFound"].iter().any(|end| name.ends_with(end))
}

fn text(facts: &HashMap<String, OwnedVariant>, key: &str) -> Option<String> {
    match &**facts.get(key)? {
        Variant::Str(text) => Some(text.to_string()),
        _ => None,
    }
}

fn slot(name: &str, facts: &HashMap<String, OwnedVariant>) -> Slot {
    Slot {
        name: name.to_owned(),
        boot_name: text(facts, "bootname").unwrap_or_default(),
        booted: text(facts, "state").as_deref() == Some("booted"),
        good: text(facts, "boot-status").as_deref() == Some("good"),
        version: text(facts, "bundle.version"),
        installed: text(facts, "status").map(|status| status == "ok"),
    }
}

/// `info.update.version` and `info.meta.hawser.schema`; a bundle without a schema is older than schemas.
fn manifest(info: &HashMap<String, OwnedVariant>) -> Result<Manifest, InstallerError> {
    let strange = |what: &str| InstallerError::Strange(what.to_owned());
    let update = info.get("update").and_then(|value| entry(value, "version"));
    let version = update.ok_or_else(|| strange("the bundle has no version"))?;
    let version = Version::parse(&version)
        .map_err(|error| strange(&format!("the bundle's version `{version}` is not one like 1.2.3: {error}")))?;
    let schema = info.get("meta").and_then(|meta| group(meta, META_GROUP)).and_then(|ours| entry(&ours, "schema"));
    Ok(Manifest { version, schema: schema.and_then(|text| text.parse().ok()).unwrap_or_default() })
}

/// The member `key` of a dictionary, whatever variants stand around it.
fn group(value: &Variant<'_>, key: &str) -> Option<OwnedVariant> {
    match value {
        Variant::Variant(inner) => group(inner, key),
        Variant::Dict(dict) => {
            let found = dict.iter().find(|(name, _)| matches!(name, Variant::Str(name) if name.as_str() == key))?;
            found.1.try_to_owned().ok()
        }
        _ => None,
    }
}

fn entry(value: &Variant<'_>, key: &str) -> Option<String> {
    fn flat(value: &Variant<'_>) -> Option<String> {
        match value {
            Variant::Variant(inner) => flat(inner),
            Variant::Str(text) => Some(text.to_string()),
            _ => None,
        }
    }
    flat(&*group(value, key)?)
}
