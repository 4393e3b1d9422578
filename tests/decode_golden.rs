//! Our own captures against their expected output. `HAWSER_BLESS=1` writes the expected output anew.

use std::path::PathBuf;

use hawser::decode::{DecodeOptions, decode};
use rstest::rstest;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/nmea0183").join(name)
}

#[rstest]
#[case("harbour", false)]
#[case("harbour", true)]
#[case("ais", false)]
#[case("ais", true)]
#[case("damaged", false)]
#[case("damaged", true)]
fn a_capture_gives_its_expected_output(#[case] name: &str, #[case] raw: bool) {
    let input = std::fs::File::open(path(&format!("{name}.nmea"))).unwrap();
    let mut output = Vec::new();
    let options = DecodeOptions { raw, ..DecodeOptions::default() };
    let summary = decode(&options, input, &mut output).unwrap();
    let found = format!("{}# {summary}\n", String::from_utf8(output).unwrap());

    let expected = path(&format!("{name}{}.jsonl", if raw { ".raw" } else { "" }));
    if std::env::var_os("HAWSER_BLESS").is_some() {
        std::fs::write(&expected, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(&expected).unwrap_or_else(|e| panic!("{}: {e}", expected.display()));
    for (number, (wanted, found)) in wanted.lines().zip(found.lines()).enumerate() {
        assert_eq!(found, wanted, "{}, line {}", expected.display(), number + 1);
    }
    assert_eq!(found.lines().count(), wanted.lines().count(), "{}", expected.display());
}
