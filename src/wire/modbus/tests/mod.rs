//! Tests of the pure half, by question: maps, plan, poller, capture, and any bytes into all of it.

mod any_bytes;
mod capture;
mod maps;
mod plan;
mod poller;

use super::map::DeviceMap;

/// A map of values like `holding 0 u16 V "a.b"`, one a line: table, address, type, unit, path, then further keys.
pub(super) fn map_of(device: &str, values: &str) -> DeviceMap {
    DeviceMap::parse("test.toml", &text_of(device, values)).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The same as the text of a file.
pub(super) fn text_of(device: &str, values: &str) -> String {
    let mut text = format!(
        "[device]\nmanufacturer = \"M\"\nmodel = \"D\"\nfunction = \"F\"\n{device}\n\
         [document]\ntitle = \"T\"\nedition = \"1\"\npage = \"2\"\n"
    );
    for line in values.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<_> = line.splitn(6, ' ').collect();
        let [table, address, kind, unit, path, more] = words[..] else { panic!("`{line}`: six words, `-` for none") };
        text += &format!("[[value]]\ntable = \"{table}\"\naddress = {address}\ntype = \"{kind}\"\npath = \"{path}\"\n");
        if unit != "-" {
            text += &format!("unit = \"{unit}\"\n");
        }
        if more != "-" {
            text += &format!("{}\n", more.replace("; ", "\n"));
        }
    }
    text
}
