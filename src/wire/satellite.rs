//! How a satellite is told from those of the other systems, the same on every wire: the system's talker ID in front of
//! its number, `GP5`, `GA5`, `GB5`, `GL65`.

/// The talker ID of a system by its number in GSA, GRS, GSV and GBS (NMEA 0183 4.11, system ID).
pub fn by_system_id(id: u32) -> Option<&'static str> {
    const SYSTEMS: [&str; 6] = ["GP", "GL", "GA", "GB", "GQ", "GI"];
    SYSTEMS.get(usize::try_from(id.checked_sub(1)?).ok()?).copied()
}

/// The talker ID of a system by that of a sentence, which may be an older one; `None` for a receiver of several (`GN`).
pub fn by_talker(talker: &str) -> Option<&'static str> {
    Some(match talker {
        "GP" => "GP",
        "GL" => "GL",
        "GA" => "GA",
        "GB" | "BD" => "GB",
        "GQ" | "QZ" => "GQ",
        "GI" => "GI",
        _ => return None,
    })
}

/// The system of a number where nothing else tells it, as NMEA 0183 and NMEA 2000 share the numbers out: 1 to 32 GPS,
/// 33 to 64 the satellites of SBAS (PRN less 87), which GPS lists as its own, 65 to 96 GLONASS. The rest differ from
/// maker to maker.
pub const fn by_number(number: u32) -> Option<&'static str> {
    match number {
        1..=64 => Some("GP"),
        65..=96 => Some("GL"),
        _ => None,
    }
}

/// The instance of a satellite; the bare number where its system is not known. Receivers of several systems list
/// GLONASS's among those of GPS, whose own numbers end at 64.
pub fn instance(system: Option<&str>, number: u32) -> String {
    let system = system.filter(|system| *system != "GP" || number <= 64).or(by_number(number));
    format!("{}{number}", system.unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_told_by_its_id_its_talker_or_the_number() {
        assert_eq!([0, 1, 4, 6, 7].map(by_system_id), [None, Some("GP"), Some("GB"), Some("GI"), None]);
        assert_eq!(["GN", "BD", "QZ", "GA"].map(by_talker), [None, Some("GB"), Some("GQ"), Some("GA")]);
        let by_number = [5, 40, 65, 96, 97, 0].map(|number| instance(None, number));
        assert_eq!(by_number, ["GP5", "GP40", "GL65", "GL96", "97", "0"]);
        assert_eq!(instance(Some("GB"), 5), "GB5");
        assert_eq!([40, 76, 193].map(|number| instance(Some("GP"), number)), ["GP40", "GL76", "193"]);
    }
}
