//! Weather and water in AIS broadcasts of the IMO: type 8, area 1, function 31 (SN.1/Circ.289) and the older function
//! 11 (SN.1/Circ.236). A station on shore tells of several places, none of which need be its own: the place is the
//! instance of all readings, and no position of the station.

use super::bits::Bits;
use super::items::{self, Form, Item, item};
use crate::reading::{Quality, Value};
use crate::wire::Emit;
use crate::wire::nmea0183::special::CELSIUS_K;
use crate::wire::nmea0183::table::{DEG_RAD, KNOT_M_S, NAUTICAL_MILE_M};

/// Fields behind visibility have the same order in both functions, and other codes.
const WIND: &str = "environment.wind.speedOverGround";
const WIND_FROM: &str = "environment.wind.directionTrue";
const GUST: &str = "environment.wind.gust";
const GUST_FROM: &str = "environment.wind.gustDirectionTrue";
const AIR: &str = "environment.outside.temperature";
const HUMIDITY: &str = "environment.outside.relativeHumidity";
const DEW: &str = "environment.outside.dewPointTemperature";
const PRESSURE: &str = "environment.outside.pressure";
const TENDENCY: &str = "environment.outside.pressureTendency";
const VISIBILITY: &str = "environment.outside.horizontalVisibility";
const LEVEL: &str = "environment.water.level";
const LEVEL_TREND: &str = "environment.water.levelTrend";
const DRIFT: &str = "environment.current.drift";
const SET: &str = "environment.current.setTrue";
const AT_DEPTH: &str = "environment.current.depth";
const WAVE: &str = "environment.water.waves.significantHeight";
const WAVE_PERIOD: &str = "environment.water.waves.period";
const WAVE_FROM: &str = "environment.water.waves.directionTrue";
const SWELL: &str = "environment.water.swell.height";
const SWELL_PERIOD: &str = "environment.water.swell.period";
const SWELL_FROM: &str = "environment.water.swell.directionTrue";
const SEA: &str = "environment.water.seaState";
const WATER: &str = "environment.water.temperature";
const PRECIPITATION: &str = "environment.outside.precipitationType";
const SALINITY: &str = "environment.water.salinity";
const ICE: &str = "environment.water.ice";

const KNOTS: Form = Form::Scaled(0, 126, KNOT_M_S, 0.0);
const DIRECTION: Form = Form::Scaled(0, 359, DEG_RAD, 0.0);
/// Tenths of a knot, to 25.0.
const CURRENT: Form = Form::Scaled(0, 250, KNOT_M_S / 10.0, 0.0);
const METRES: Form = Form::Scaled(0, 30, 1.0, 0.0);
const HEIGHT: Form = Form::Scaled(0, 250, 0.1, 0.0);
const SECONDS: Form = Form::Scaled(0, 60, 1.0, 0.0);
/// Beaufort's numbers.
const SEA_STATE: Form = Form::Count(0, 12);
const TREND: Form = Form::Count(0, 2);

static CIRCULAR_289: [Item; 35] = [
    item(122, 7, WIND, KNOTS),
    item(129, 7, GUST, KNOTS),
    item(136, 9, WIND_FROM, DIRECTION),
    item(145, 9, GUST_FROM, DIRECTION),
    item(154, 11, AIR, Form::Signed(-600, 600, 0.1, CELSIUS_K)),
    item(165, 7, HUMIDITY, Form::Scaled(0, 100, 0.01, 0.0)),
    item(172, 10, DEW, Form::Signed(-200, 500, 0.1, CELSIUS_K)),
    // 799 hPa and less; 402 is 1,201 hPa and more.
    item(182, 9, PRESSURE, Form::Scaled(0, 402, 100.0, 79_900.0)),
    item(191, 2, TENDENCY, TREND),
    item(194, 7, VISIBILITY, Form::Scaled(0, 126, NAUTICAL_MILE_M / 10.0, 0.0)),
    item(201, 12, LEVEL, Form::Scaled(0, 4_000, 0.01, -10.0)),
    item(213, 2, LEVEL_TREND, TREND),
    item(215, 8, DRIFT, CURRENT),
    item(223, 9, SET, DIRECTION),
    item(232, 8, DRIFT, CURRENT).of("2"),
    item(240, 9, SET, DIRECTION).of("2"),
    item(249, 5, AT_DEPTH, METRES).of("2"),
    item(254, 8, DRIFT, CURRENT).of("3"),
    item(262, 9, SET, DIRECTION).of("3"),
    item(271, 5, AT_DEPTH, METRES).of("3"),
    item(276, 8, WAVE, HEIGHT),
    item(284, 6, WAVE_PERIOD, SECONDS),
    item(290, 9, WAVE_FROM, DIRECTION),
    item(299, 8, SWELL, HEIGHT),
    item(307, 6, SWELL_PERIOD, SECONDS),
    item(313, 9, SWELL_FROM, DIRECTION),
    item(322, 4, SEA, SEA_STATE),
    item(326, 10, WATER, Form::Signed(-100, 500, 0.1, CELSIUS_K)),
    item(336, 3, PRECIPITATION, Form::Count(0, 6)),
    // Tenths of a per mille.
    item(339, 9, SALINITY, Form::Scaled(0, 500, 0.000_1, 0.0)),
    item(348, 2, ICE, Form::Count(0, 1)),
    item(106, 5, "environment.observed.day", Form::Count(1, 31)),
    item(111, 5, "environment.observed.hour", Form::Count(0, 23)),
    item(116, 6, "environment.observed.minute", Form::Count(0, 59)),
    item(193, 1, "environment.outside.horizontalVisibilityIsMinimum", Form::Flag),
];

static CIRCULAR_236: [Item; 34] = [
    item(121, 7, WIND, KNOTS),
    item(128, 7, GUST, KNOTS),
    item(135, 9, WIND_FROM, DIRECTION),
    item(144, 9, GUST_FROM, DIRECTION),
    item(153, 11, AIR, Form::Scaled(0, 1_200, 0.1, CELSIUS_K - 60.0)),
    item(164, 7, HUMIDITY, Form::Scaled(0, 100, 0.01, 0.0)),
    item(171, 10, DEW, Form::Scaled(0, 700, 0.1, CELSIUS_K - 20.0)),
    item(181, 9, PRESSURE, Form::Scaled(0, 400, 100.0, 80_000.0)),
    item(190, 2, TENDENCY, TREND),
    item(192, 8, VISIBILITY, Form::Scaled(0, 250, NAUTICAL_MILE_M / 10.0, 0.0)),
    item(200, 9, LEVEL, Form::Scaled(0, 400, 0.1, -10.0)),
    item(209, 2, LEVEL_TREND, TREND),
    item(211, 8, DRIFT, CURRENT),
    item(219, 9, SET, DIRECTION),
    item(228, 8, DRIFT, CURRENT).of("2"),
    item(236, 9, SET, DIRECTION).of("2"),
    item(245, 5, AT_DEPTH, METRES).of("2"),
    item(250, 8, DRIFT, CURRENT).of("3"),
    item(258, 9, SET, DIRECTION).of("3"),
    item(267, 5, AT_DEPTH, METRES).of("3"),
    item(272, 8, WAVE, HEIGHT),
    item(280, 6, WAVE_PERIOD, SECONDS),
    item(286, 9, WAVE_FROM, DIRECTION),
    item(295, 8, SWELL, HEIGHT),
    item(303, 6, SWELL_PERIOD, SECONDS),
    item(309, 9, SWELL_FROM, DIRECTION),
    item(318, 4, SEA, SEA_STATE),
    item(322, 10, WATER, Form::Scaled(0, 600, 0.1, CELSIUS_K - 10.0)),
    item(332, 3, PRECIPITATION, Form::Count(0, 6)),
    item(335, 9, SALINITY, Form::Scaled(0, 500, 0.000_1, 0.0)),
    item(344, 2, ICE, Form::Count(0, 1)),
    item(105, 5, "environment.observed.day", Form::Count(1, 31)),
    item(110, 5, "environment.observed.hour", Form::Count(0, 23)),
    item(115, 6, "environment.observed.minute", Form::Count(0, 59)),
];

/// The area and functions of the IMO.
const INTERNATIONAL: u32 = 1;

/// Reads what a type 8 says of weather, if it does. Neither form says month or year, so none of it has a date.
pub fn read(bits: &Bits<'_>, emit: &mut Emit<'_>) {
    if bits.unsigned(40, 10) != INTERNATIONAL {
        return;
    }
    // Thousandths of a minute; the older form has latitude first.
    let (items, longitude, latitude): (&'static [Item], _, _) = match bits.unsigned(50, 6) {
        31 => (&CIRCULAR_289, bits.signed(56, 25), bits.signed(81, 24)),
        11 => (&CIRCULAR_236, bits.signed(80, 25), bits.signed(56, 24)),
        _ => return,
    };
    let (longitude, latitude) = (f64::from(longitude) / 60_000.0, f64::from(latitude) / 60_000.0);
    let mut place = String::new();
    if bits.count() >= 105 && longitude.abs() <= 180.0 && latitude.abs() <= 90.0 {
        place = instance(latitude, longitude);
        emit.push(
            "environment.observed.position",
            place.clone(),
            Value::Position { latitude, longitude },
            Quality::Good,
        );
    }
    for (item, value) in items::values(items, bits) {
        let dot = if place.is_empty() || item.instance.is_empty() { "" } else { "." };
        emit.push(item.path, format!("{place}{dot}{}", item.instance), value, Quality::Good);
    }
}

/// A place as an instance: `60.275N26.442E`. Thousandths of a degree are 111 m, in which most buoys swing.
fn instance(latitude: f64, longitude: f64) -> String {
    let (north, east) = (if latitude < 0.0 { 'S' } else { 'N' }, if longitude < 0.0 { 'W' } else { 'E' });
    format!("{:.3}{north}{:.3}{east}", latitude.abs(), longitude.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_to_a_thousandth_of_a_degree() {
        assert_eq!(instance(60.275_4, 26.442), "60.275N26.442E");
        assert_eq!(instance(-0.000_1, -179.999_9), "0.000S180.000W");
    }

    /// A type 8 of function 31 with this place in thousandths of a minute, in the armour; 10 kn of wind, and a knot of
    /// current on the surface and below.
    fn told(longitude: i32, latitude: i32) -> Vec<String> {
        let mut bits = vec![false; 360];
        let mut set = |at: usize, width: usize, value: i32| {
            (0..width).for_each(|nth| bits[at + nth] = value >> (width - 1 - nth) & 1 == 1);
        };
        let place = [(56, 25, longitude), (81, 24, latitude)];
        let rest = [(0, 6, 8), (40, 10, 1), (50, 6, 31), (122, 7, 10), (215, 8, 10), (232, 8, 10), (254, 8, 10)];
        place.into_iter().chain(rest).for_each(|(at, width, value)| set(at, width, value));
        let six = |six: &[bool]| six.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit));
        let payload: Vec<u8> = bits.chunks(6).map(six).map(|six| six + if six < 40 { 48 } else { 56 }).collect();
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        let bits = Bits::unpack(&payload, 0, &mut bytes).unwrap();
        read(&bits, &mut Emit::new(&mut out, crate::wire::Source::Unit(1), None));
        let is_of_interest =
            |path: &str| ["position", "speedOverGround", "drift"].iter().any(|end| path.ends_with(end));
        let all = out.into_iter().filter(|told| is_of_interest(&told.path));
        all.map(|told| format!("{}#{}", told.path, told.instance)).collect()
    }

    #[test]
    fn each_place_that_a_station_tells_of_is_an_instance_and_none_is_its_own() {
        let of = |place: &str, dot: &str| {
            let paths = [("observed.position", ""), ("wind.speedOverGround", ""), ("current.drift", "")];
            let all = paths.into_iter().chain([("current.drift", "2"), ("current.drift", "3")]);
            let one = |(path, level): (&str, &str)| {
                format!("environment.{path}#{place}{}{level}", if level.is_empty() { "" } else { dot })
            };
            all.map(one).collect::<Vec<_>>()
        };
        assert_eq!(told(26_442 * 60, 60_275 * 60), of("60.275N26.442E", "."));
        assert_eq!(told(-26_962 * 60, 60_371 * 60), of("60.371N26.962W", "."));
        assert_eq!(told(181 * 60_000, 91 * 60_000), of("", "")[1..], "no place");
    }
}
