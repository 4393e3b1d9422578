//! What was found as a piece of configuration, and as hints for a person. Pure.
//!
//! All that devices say of themselves stands in comments and is cleaned first: nothing that a wire sends can become a
//! key. What the gateway cannot use as it stands (a unit without a map, frames of nobody) is a comment as a whole.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::ProbeOptions;
use super::Probed;
use super::ask::Asked;
use super::ear::Tongue;
use super::findings::Findings;
use super::frames::{CanBus, Whose};
use super::listen::Heard;
use super::sentences::Counts;
use super::units::{Told, Unit};
use crate::config::{Address, Format, Parity, Protocol};
use crate::wire::SourceInfo;

/// Columns of a comment; a console of 100 shows them whole.
const COLUMNS_MAX: usize = 98;

/// Rules for rival sources that are suggested; the operator knows the rest by then.
const RIVALS_SHOWN_MAX: usize = 8;

/// Devices that are listed; a CAN bus has 254 addresses.
const DEVICES_SHOWN_MAX: usize = 254;

/// Identifiers of unknown frames that are listed.
const IDENTIFIERS_SHOWN_MAX: usize = 24;

/// Where was looked.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub options: &'a ProbeOptions,
    /// The serial adapter's own name.
    pub by_id: Option<PathBuf>,
}

/// The text so far.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    /// A comment, broken between words where it is too long. Control characters become blanks.
    fn note(&mut self, text: &str) {
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut line = String::new();
        for word in clean.split(' ') {
            let too_long = line.chars().count() + 1 + word.chars().count() > COLUMNS_MAX;
            if too_long && !line.trim().is_empty() {
                self.line(&format!("# {}", line.trim_end()));
                line = "    ".to_owned();
            }
            line.push_str(word);
            line.push(' ');
        }
        self.line(format!("# {line}").trim_end());
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// A key and its value, with a comment behind it.
    fn key(&mut self, key: &str, value: impl Into<toml::Value>, why: &str) {
        let gap = if why.is_empty() { "" } else { " # " };
        self.line(&format!("{key} = {}{gap}{why}", value.into()));
    }

    /// The same as a comment.
    fn idle_key(&mut self, key: &str, value: impl Into<toml::Value>) {
        self.line(&format!("# {key} = {}", value.into()));
    }
}

impl Place<'_> {
    /// What listening gave.
    pub fn heard(&self, heard: &Heard) -> Probed {
        let Some(tongue) = heard.ear.understood() else { return self.nothing(heard) };
        let mut page = Page::default();
        page.line("");
        let found = match tongue {
            Tongue::Sentences { census, findings, .. } => {
                self.title(&mut page, heard, Protocol::Nmea0183, findings);
                self.talkers(&mut page, census.counts());
                (Protocol::Nmea0183, Format::Default, findings, BTreeMap::new())
            }
            Tongue::Network { census, findings, .. } => {
                self.title(&mut page, heard, Protocol::Iec61162_450, findings);
                self.talkers(&mut page, census.counts());
                (Protocol::Iec61162_450, Format::Default, findings, BTreeMap::new())
            }
            Tongue::Carried(_, carried) if self.whose(&carried.bus) == Whose::Other => {
                return self.unknown_frames(&carried.bus);
            }
            Tongue::Frames(bus) if self.whose(bus) == Whose::Other => return self.unknown_frames(bus),
            Tongue::Carried(format, carried) => self.frames(&mut page, heard, *format, &carried.bus),
            Tongue::Frames(bus) => self.frames(&mut page, heard, Format::Default, bus),
        };
        let (protocol, format, findings, apart) = found;
        self.dropped(&mut page, findings.dropped.iter().chain(&apart));
        let name = self.bus(&mut page, protocol, format, heard.baud);
        self.rivals(&mut page, findings, &name);
        Probed { config: page.0, understood: true, hints: self.hints_of(heard, findings) }
    }

    fn frames<'b>(
        &self,
        page: &mut Page,
        heard: &Heard,
        format: Format,
        bus: &'b CanBus,
    ) -> (Protocol, Format, &'b Findings, BTreeMap<&'static str, u64>) {
        let whose = self.whose(bus);
        let protocol = if whose == Whose::J1939 { Protocol::J1939 } else { Protocol::Nmea2000 };
        let findings = bus.findings(whose);
        self.title(page, heard, protocol, findings);
        let (judged, why) = bus.census.judge();
        let chosen = if judged == whose { "told by" } else { "as asked for, against" };
        page.note(&format!("It is {}, {chosen} {} frames: {why}.", protocol.name(), bus.census.frames));
        let devices = bus.devices(whose);
        for device in devices.iter().take(DEVICES_SHOWN_MAX) {
            page.note(&describe(device));
        }
        if devices.iter().any(|device| device.manufacturer.is_empty()) {
            page.note("A device is a source by its address until it claims one: at its start, or when another asks.");
        }
        (protocol, format, findings, bus.apart.clone())
    }

    /// Whose frames they are; a protocol that was asked for is not questioned.
    fn whose(&self, bus: &CanBus) -> Whose {
        match self.options.protocol {
            Some(Protocol::Nmea2000) => Whose::Nmea2000,
            Some(Protocol::J1939) => Whose::J1939,
            Some(Protocol::Can) => Whose::Other,
            _ => bus.census.judge().0,
        }
    }

    fn title(&self, page: &mut Page, heard: &Heard, protocol: Protocol, findings: &Findings) {
        let seconds = heard.elapsed_ms as f64 / 1_000.0;
        let rate = findings.readings as f64 / seconds.max(0.001);
        page.note(&format!(
            "{}: in {seconds:.1} s {} readings ({rate:.1} a second) of {} paths from {} source{}.",
            protocol.name(),
            findings.readings,
            findings.paths(),
            findings.sources(),
            if findings.sources() == 1 { "" } else { "s" },
        ));
        match findings.targets() {
            0 => {}
            count => page.note(&format!("AIS told of {count} other vessels and stations.")),
        }
    }

    fn talkers(&self, page: &mut Page, counts: &Counts) {
        for ((source, talker), formatters) in &counts.talkers {
            let each: Vec<String> =
                formatters.iter().map(|(formatter, count)| format!("{formatter} {count}")).collect();
            let by = source.map_or_else(String::new, |source| format!("{source}, "));
            page.note(&format!("{by}talker {talker}: {}", each.join(", ")));
        }
    }

    fn dropped<'b>(&self, page: &mut Page, dropped: impl Iterator<Item = (&'b &'static str, &'b u64)>) {
        let each: Vec<String> = dropped.map(|(reason, count)| format!("{reason} {count}")).collect();
        if !each.is_empty() {
            page.note(&format!("Dropped: {}.", each.join(", ")));
        }
    }

    /// Writes the `[[bus]]`; its name.
    fn bus(&self, page: &mut Page, protocol: Protocol, format: Format, baud: u32) -> String {
        let name = if self.options.name.is_empty() { usual_name(protocol) } else { &self.options.name };
        page.line("[[bus]]");
        page.key("name", name, "first part of each source; another one for each bus");
        page.key("protocol", protocol.name(), "");
        let address = match &self.by_id {
            Some(path) => Address::Serial(path.clone()),
            None => self.options.address.clone(),
        };
        let why = if self.by_id.is_some() { "the adapter's own name, wherever it is plugged in" } else { "" };
        page.key("address", address.to_string(), why);
        if format != Format::Default {
            page.key("format", format_name(format), "");
        }
        if baud != 0 {
            page.key("baud", i64::from(baud), "");
        }
        if self.options.parity != Parity::None {
            page.key("parity", self.options.parity.name(), "");
        }
        if !self.options.interfaces.is_empty() {
            page.key("interfaces", self.options.interfaces.clone(), "");
        }
        name.to_owned()
    }

    fn rivals(&self, page: &mut Page, findings: &Findings, bus: &str) {
        let rivals = findings.rivals();
        if rivals.is_empty() {
            return;
        }
        page.line("");
        page.note("Told by several sources. To say whose value is shown first, here the one that speaks most often:");
        for rival in rivals.iter().take(RIVALS_SHOWN_MAX) {
            let sources: Vec<String> = rival.sources.iter().map(|source| format!("{bus}.{source}")).collect();
            page.line("# [[priority]]");
            page.idle_key("path", rival.path.clone());
            page.idle_key("sources", sources);
        }
        if rivals.len() > RIVALS_SHOWN_MAX {
            page.note(&format!("and {} more groups of paths.", rivals.len() - RIVALS_SHOWN_MAX));
        }
    }

    /// What asking gave.
    pub fn asked(&self, asked: &Asked) -> Probed {
        let survey = &asked.survey;
        let refused: Vec<String> = survey.refused.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        if survey.units.is_empty() {
            let mut hints = vec![
                "no unit answered; is a master on the line already, are A and B swapped, is the unit id \
                                  outside --units?"
                    .to_owned(),
            ];
            if matches!(self.options.address, Address::Serial(_)) {
                let parity = self.options.parity.name();
                hints.push(format!(
                    "asked with 8 data bits, parity {parity}, 1 stop bit; many devices have --parity even, as the \
                     standard does"
                ));
            }
            if !refused.is_empty() {
                hints.push(format!("something came that was no answer: {}", refused.join(", ")));
            }
            return Probed { config: String::new(), understood: false, hints };
        }
        let mut page = Page::default();
        page.line("");
        let (of, found) = (survey.asked, survey.units.len());
        page.note(&format!("modbus: {found} of {of} unit ids answered."));
        self.dropped(&mut page, survey.refused.iter());
        let name = self.bus(&mut page, Protocol::Modbus, asked.format, asked.baud);
        let shown = if survey.is_one_for_all() { 1 } else { found };
        if shown < found {
            page.line("");
            page.note("Every unit id is answered alike: the server does not look at it, so one stands for all.");
        }
        let mut instances: BTreeMap<&str, u32> = BTreeMap::new();
        for (id, unit) in survey.units.iter().take(shown) {
            device(&mut page, &name, *id, unit, &mut instances);
        }
        Probed { config: page.0, understood: true, hints: Vec::new() }
    }

    /// Frames came, and neither decoder is for them.
    fn unknown_frames(&self, bus: &CanBus) -> Probed {
        let mut page = Page::default();
        page.line("");
        let (_, why) = bus.census.judge();
        page.note(&format!(
            "{} frames at {}, neither of NMEA 2000 nor of J1939: {why}.",
            bus.census.frames, self.options.address
        ));
        let identifiers = bus.census.identifiers();
        let each: Vec<String> = identifiers.iter().take(IDENTIFIERS_SHOWN_MAX).map(|id| format!("{id:X}")).collect();
        let more = identifiers.len().saturating_sub(IDENTIFIERS_SHOWN_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        page.note(&format!("Identifiers: {}{more}; {} frames had 11 bits.", each.join(" "), bus.census.standard));
        page.note("A DBC file of the maker's can describe them:");
        page.line("# [[bus]]");
        page.idle_key("name", usual_name(Protocol::Can));
        page.idle_key("protocol", Protocol::Can.name());
        page.idle_key("address", self.options.address.to_string());
        page.line("# dbc = \"/etc/hawser/FILE.dbc\"");
        let hint =
            "frames came that neither NMEA 2000 nor J1939 explains; listen longer, or describe them in a DBC file";
        Probed { config: page.0, understood: false, hints: vec![hint.to_owned()] }
    }

    fn nothing(&self, heard: &Heard) -> Probed {
        let silent = heard.ear.bytes == 0;
        let mut hints = Vec::new();
        hints.push(match (silent, heard.ended) {
            (true, true) => "the far end closed the connection without a word".to_owned(),
            (true, false) => format!("silence: nothing came from {}", self.options.address),
            (false, _) => format!("{} bytes came, and nothing in them made sense", heard.ear.bytes),
        });
        if let Some(broken) = heard.ear.best().map(Tongue::sound_and_broken) {
            hints.push(format!(
                "{} messages were sound and {} broken: a bad contact, or a missing ground",
                broken.0, broken.1
            ));
        }
        hints
            .extend(advice(&self.options.address, silent, self.options.protocol).iter().map(|text| (*text).to_owned()));
        Probed { config: String::new(), understood: false, hints }
    }

    fn hints_of(&self, heard: &Heard, findings: &Findings) -> Vec<String> {
        let mut hints = Vec::new();
        if findings.readings == 0 {
            hints.push("it was understood and told no reading yet; listen longer with --for 60s".to_owned());
        }
        if heard.ended {
            hints.push("the far end closed the connection before the time was over".to_owned());
        }
        hints
    }
}

/// What to check where nothing was understood.
fn advice(address: &Address, silent: bool, protocol: Option<Protocol>) -> &'static [&'static str] {
    match (address, silent) {
        (Address::Serial(_), true) => &[
            "is the instrument switched on, and its TX (or A, B) on our RX?",
            "Modbus units speak only when asked: --protocol modbus",
            "an NGT-1 speaks only after its software told it once what to send; nothing is written here",
            "some speak once in minutes: --baud 38400 --for 5m",
        ],
        (Address::Serial(_), false) => &[
            "are A and B (or TX+ and TX-) swapped? garbage at every rate says so",
            "another rate than those tried: --baud N; another parity: --parity even",
            "another master and Modbus units: take it off and use --protocol modbus",
        ],
        (Address::Can(_), _) => &[
            "is the interface up with the bus's bit rate (250000 for NMEA 2000 and J1939; some engines have 500000)?",
            "are CAN-H and CAN-L swapped, is the bus terminated at both ends (60 ohms between them without power)?",
            "alone with one sender, a listen-only interface sees no frame that is acknowledged: two devices are needed",
        ],
        (Address::Udp(_), _) => &[
            "do they send to this port and to this machine (or broadcast)? a multicast group needs its own address: \
             udp://239.192.0.1:60001",
            "on several networks name the interface: --interface eth0",
            "is a firewall in between?",
        ],
        (Address::Tcp { .. }, true) if protocol.is_none() => &[
            "Modbus servers speak only when asked: --protocol modbus",
            "is something connected behind the server, and at the right rate?",
        ],
        (Address::Tcp { .. }, _) => &[
            "is it the right port? a gateway often has one for NMEA 0183 and another for raw frames",
            "is the serial side of the server at the right rate?",
        ],
    }
}

/// A device as a comment.
fn describe(device: &SourceInfo) -> String {
    let SourceInfo { source, address, function, manufacturer, model, software, serial } = device;
    let address = address.map_or_else(String::new, |address| format!("address {address}, "));
    let labelled = |label: &str, text: &str| if text.is_empty() { String::new() } else { format!(", {label}{text}") };
    let made = [manufacturer.as_str(), model].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    let rest = [("", function), ("software ", software), ("serial number ", serial)];
    let rest: String = rest.into_iter().map(|(label, text)| labelled(label, text)).collect();
    let unnamed = if made.is_empty() { "no claim heard" } else { "" };
    format!("Device at {address}source {source}: {made}{unnamed}{rest}")
}

/// A `[[device]]`; as a comment where no map is known to fit.
fn device(page: &mut Page, bus: &str, id: u8, unit: &Unit, instances: &mut BTreeMap<&'static str, u32>) {
    let mut tables: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (table, told) in &unit.tables {
        tables.entry(said(*told)).or_default().push(table_name(*table));
    }
    let each: Vec<String> = tables.iter().map(|(said, tables)| format!("{said} from {}", tables.join(", "))).collect();
    page.line("");
    page.note(&format!("Unit {id}: {}.", each.join("; ")));
    if let [fit] = &unit.fits[..] {
        let instance = instances.entry(fit.name).or_default();
        page.note(&format!("The registers make sense as those of {}: {} good values.", fit.model, fit.good));
        page.line("[[device]]");
        page.key("bus", bus, "");
        page.key("unit", i64::from(id), "");
        page.key("map", fit.name, "");
        page.key("instance", instance.to_string(), "stands in its paths");
        *instance += 1;
        return;
    }
    let names: Vec<&str> = unit.fits.iter().map(|fit| fit.name).collect();
    page.note(&match names.is_empty() {
        true => "No built-in map makes sense of it (`hawser devices` lists them). With a map of your own:".to_owned(),
        false => format!("Several maps make sense of it: {}. Choose by the plate on the device:", names.join(", ")),
    });
    page.line("# [[device]]");
    page.idle_key("bus", bus);
    page.idle_key("unit", i64::from(id));
    page.idle_key("map", names.first().copied().unwrap_or("/etc/hawser/devices/FILE.toml"));
}

const fn table_name(table: crate::wire::modbus::Table) -> &'static str {
    use crate::wire::modbus::Table;
    match table {
        Table::Coil => "coils",
        Table::Discrete => "discrete inputs",
        Table::Holding => "holding registers",
        Table::Input => "input registers",
    }
}

fn said(told: Told) -> String {
    match told {
        Told::Value => "values".to_owned(),
        Told::Refused(exception) => exception.to_string(),
    }
}

/// The name of a bus until somebody gives it a better one.
const fn usual_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Nmea0183 => "nav",
        Protocol::Iec61162_450 => "network",
        Protocol::Nmea2000 => "n2k",
        Protocol::J1939 => "engines",
        Protocol::Can => "can",
        Protocol::Modbus => "power",
    }
}

const fn format_name(format: Format) -> &'static str {
    match format {
        Format::Default => "default",
        Format::Ydwg => "ydwg",
        Format::Actisense => "actisense",
        Format::Candump => "candump",
        Format::Tcp => "tcp",
        Format::Rtu => "rtu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_device_says_becomes_a_key() {
        let model = "GPS\n[[bus]]\r\nname = \"evil\"\u{85}\u{2028}\0".to_owned();
        let device = SourceInfo { address: Some(3), manufacturer: "Maker".to_owned(), model, ..SourceInfo::default() };
        let mut page = Page::default();
        page.note(&describe(&device));
        page.note(&"a\nword ".repeat(100));
        page.note(&"x".repeat(1_000));
        assert_eq!(page.0.parse::<toml::Table>(), Ok(toml::Table::new()), "{}", page.0);
        assert!(
            page.0.contains("Maker GPS [[bus]]") && page.0.lines().all(|line| line.starts_with("# ")),
            "{}",
            page.0
        );
        let long = page.0.lines().filter(|line| line.chars().count() > COLUMNS_MAX + 2).count();
        assert_eq!(long, 1, "only a word that cannot be broken");
    }

    #[test]
    fn a_line_that_has_a_parity_is_found_with_it() {
        use crate::sensors::probe::units::Survey;
        let address = "serial:///dev/ttyS1".parse().unwrap();
        let options = ProbeOptions { parity: Parity::Even, ..ProbeOptions::new(address, Default::default()) };
        let mut survey = Survey::default();
        survey.units.insert(1, Unit::default());
        let asked = Asked { survey, baud: 19_200, format: Format::Default };
        let found = Place { options: &options, by_id: None }.asked(&asked);
        assert!(found.config.contains("baud = 19200\nparity = \"even\"\n"), "{}", found.config);
    }

    #[test]
    fn what_a_unit_said_is_told_once_for_all_tables_that_said_it() {
        use crate::wire::modbus::{Exception, Table};
        let refused = Told::Refused(Exception(1));
        let tables = vec![(Table::Holding, refused), (Table::Input, Told::Value), (Table::Coil, refused)];
        let mut page = Page::default();
        device(&mut page, "power", 7, &Unit { tables, fits: Vec::new() }, &mut BTreeMap::new());
        let said =
            "# Unit 7: exception 1 (illegal function) from holding registers, coils; values from input registers.";
        assert!(page.0.replace("\n#     ", " ").contains(said), "{}", page.0);
        assert!(page.0.lines().all(|line| line.is_empty() || line.starts_with('#')), "without a map no device");
    }
}
