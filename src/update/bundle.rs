//! A bundle as a file: its manifest, read without RAUC, for the shore that serves it.
//!
//! A bundle of RAUC's format `verity` is a SquashFS, its hash tree, a CMS message that holds the manifest, and the
//! length of that message in the last eight bytes, big-endian (RAUC, docs/reference.rst, "Bundle Formats"). It refuses
//! to say whether the signature is good: boxes do, and take no bundle whose is not.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::Decode as _;
use der::asn1::OctetStringRef;
use semver::Version;
use serde::{Deserialize, Serialize};

/// The name by which a bundle is known.
pub const SUFFIX: &str = ".raucb";

/// Bytes of the length at the end.
const LENGTH_BYTES: u64 = 8;

/// The largest message believed: RAUC's own limit is 64 KiB for the manifest with its signature; certificates of a
/// chain come on top.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;

/// Why a file is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not end as a bundle does.
    #[error("no bundle of the format `verity`: {0}")]
    NoBundle(String),
    /// The manifest lacks something.
    #[error("its manifest has no {0}")]
    Missing(&'static str),
    /// The version is none.
    #[error("its version `{0}` is not one like 1.2.3")]
    Version(String),
}

/// What the shore tells of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFacts {
    /// For which kind of box.
    pub compatible: String,
    /// Its version.
    pub version: Version,
    /// The schema of the data that it reads and writes; 0 when it tells none.
    pub schema: u32,
}

/// Reads what a file says of itself.
pub fn read(path: &Path) -> Result<BundleFacts, BundleError> {
    parse(&message_manifest(&message(path)?)?)
}

/// The CMS message at the end of a file.
fn message(path: &Path) -> Result<Vec<u8>, BundleError> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let end = size.checked_sub(LENGTH_BYTES).ok_or_else(|| BundleError::NoBundle("too short".to_owned()))?;
    file.seek(SeekFrom::Start(end))?;
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length)?;
    let length = u64::from_be_bytes(length);
    if length == 0 || length > MESSAGE_BYTES_MAX || length > end {
        return Err(BundleError::NoBundle(format!("its last bytes tell of a message of {length} bytes")));
    }
    file.seek(SeekFrom::Start(end - length))?;
    let mut message = Vec::new();
    file.take(length).read_to_end(&mut message)?;
    Ok(message)
}

/// RFC 5652, 5.1: the content that is signed.
fn message_manifest(message: &[u8]) -> Result<String, BundleError> {
    let no_bundle = |error: String| BundleError::NoBundle(error);
    let info = ContentInfo::from_der(message).map_err(|error| no_bundle(error.to_string()))?;
    let signed: SignedData = info.content.decode_as().map_err(|error| no_bundle(error.to_string()))?;
    let content = signed.encap_content_info.econtent;
    let content = content.ok_or_else(|| no_bundle("its manifest is not inside the signature".to_owned()))?;
    let bytes: OctetStringRef<'_> = content.decode_as().map_err(|error| no_bundle(error.to_string()))?;
    String::from_utf8(bytes.as_bytes().to_vec()).map_err(|error| no_bundle(error.to_string()))
}

/// The manifest is a key file (RAUC, docs/reference.rst, "Manifest").
fn parse(manifest: &str) -> Result<BundleFacts, BundleError> {
    let version = value(manifest, "update", "version").ok_or(BundleError::Missing("version"))?;
    Ok(BundleFacts {
        compatible: value(manifest, "update", "compatible").ok_or(BundleError::Missing("compatible"))?.to_owned(),
        version: Version::parse(version).map_err(|_| BundleError::Version(version.to_owned()))?,
        schema: value(manifest, "meta.hawser", "schema").and_then(|text| text.parse().ok()).unwrap_or_default(),
    })
}

fn value<'m>(manifest: &'m str, section: &str, key: &str) -> Option<&'m str> {
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name == section;
        } else if inside
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            return Some(value.trim());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[update]\ncompatible=hawser-aarch64-efi\nversion=0.2.0\n\n[bundle]\nformat=verity\n\n\
                            [meta.hawser]\nschema=3\n";

    #[test]
    fn a_manifest_is_read_by_section() {
        let facts = parse(MANIFEST).unwrap();
        assert_eq!((facts.compatible.as_str(), facts.schema), ("hawser-aarch64-efi", 3));
        assert_eq!(facts.version, Version::new(0, 2, 0));
        assert_eq!(parse("[update]\ncompatible=x\nversion=1.0.0\n[other]\nschema=9\n").unwrap().schema, 0);
        assert!(matches!(parse("[update]\nversion=1.0.0\n"), Err(BundleError::Missing("compatible"))));
        assert!(matches!(parse("[update]\ncompatible=x\nversion=new\n"), Err(BundleError::Version(_))));
    }

    #[test]
    fn what_is_no_bundle_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [("empty", &b""[..]), ("text", b"twenty bytes of text"), ("zeros", &[0; 64])] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(read(&path), Err(BundleError::NoBundle(_))), "{name}");
        }
        let mut torn = vec![0x30, 0x82, 0xff, 0xff];
        torn.extend(4_u64.to_be_bytes());
        std::fs::write(dir.path().join("torn"), torn).unwrap();
        assert!(matches!(read(&dir.path().join("torn")), Err(BundleError::NoBundle(_))));
    }
}
