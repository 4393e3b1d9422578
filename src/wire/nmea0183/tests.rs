//! Each row of the table against values worked out by hand from IEC 61162-1, and what no input may do.

mod bridge;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::reading::{Context, Quality, Value};
use crate::wire::can::testing::Counting;
use crate::wire::{Decoded, StreamDecoder};

/// A line with its checksum.
fn line(content: &str) -> String {
    let start = if content.starts_with("AI") { '!' } else { '$' };
    format!("{start}{content}*{:02X}", checksum(content.as_bytes()))
}

fn decoded(lines: &[&str]) -> Vec<Decoded> {
    let (mut decoder, mut out) = (Decoder::with_rule(ChecksumRule::Required), Vec::new());
    for content in lines {
        decoder.decode(line(content).as_bytes(), &mut out).unwrap_or_else(|e| panic!("{content}: {e}"));
    }
    out
}

/// One reading as a short text: path, instance, value to nine places, quality.
fn told(d: &Decoded) -> String {
    let value = match &d.value {
        Value::Float(x) => format!("{x:.9}"),
        Value::Integer(i) => i.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Text(t) => format!("'{t}'"),
        Value::Position { latitude, longitude } => format!("{latitude:.9} {longitude:.9}"),
        Value::Absent => "-".to_owned(),
    };
    let instance = if d.instance.is_empty() { String::new() } else { format!("#{}", d.instance) };
    let quality = if d.quality == Quality::Good { String::new() } else { format!(" {}", d.quality.name()) };
    format!("{}{instance} = {value}{quality}", d.path)
}

fn values(content: &str) -> Vec<String> {
    decoded(&[content]).iter().map(told).collect()
}

// 22.4 kn = 22.4 * 1852 / 3600 = 11.523555556 m/s; 84.4 deg = 1.473057889 rad; 3.1 deg = 0.054105207 rad;
// 48 deg 07.038 min = 48.1173 deg; 11 deg 31.000 min = 11.516666667 deg.
#[rstest]
#[case::rmc("GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W,A", &[
    "navigation.position = 48.117300000 11.516666667",
    "navigation.speedOverGround = 11.523555556",
    "navigation.courseOverGroundTrue = 1.473057889",
    "navigation.magneticVariation = -0.054105207",
    "navigation.datetime = '1994-03-23T12:35:19.000Z'",
])]
#[case::rmc_void("GPRMC,123519,V,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W,N", &[
    "navigation.position = - not_available",
])]
#[case::rmc_blank("GNRMC,,V,,,,,,,,,,N,V", &["navigation.position = - not_available"])]
#[case::rmc_bad_date("GPRMC,123519,A,4807.038,N,01131.000,E,,,300294,,,A", &[
    "navigation.position = 48.117300000 11.516666667",
])]
#[case::gga("GPGGA,123519,4807.038,S,01131.000,W,2,08,0.9,545.4,M,46.9,M,7.6,0133", &[
    "navigation.position = -48.117300000 -11.516666667",
    "navigation.gnss.methodQuality = 'DGNSS fix'",
    "navigation.gnss.satellites = 8",
    "navigation.gnss.horizontalDilution = 0.900000000",
    "navigation.gnss.antennaAltitude = 545.400000000",
    "navigation.gnss.geoidalSeparation = 46.900000000",
    "navigation.gnss.differentialAge = 7.600000000",
    "navigation.gnss.differentialReference = 133",
])]
#[case::gga_no_fix("GNGGA,,,,,,0,00,99.99,,,,,,", &[
    "navigation.position = - not_available",
    "navigation.gnss.methodQuality = 'no GPS'",
    "navigation.gnss.satellites = 0",
])]
#[case::gll("GPGLL,4916.45,N,12311.12,W,225444,A", &["navigation.position = 49.274166667 -123.185333333"])]
#[case::gll_old("GPGLL,4916.45,N,12311.12,W", &["navigation.position = 49.274166667 -123.185333333"])]
#[case::gll_void("GPGLL,4916.45,N,12311.12,W,225444,V", &["navigation.position = - not_available"])]
#[case::gll_half("GPGLL,4916.45,N,,,225444,A", &["navigation.position = - not_available"])]
#[case::gll_beyond_the_pole("GPGLL,9000.01,N,12311.12,W,225444,A", &["navigation.position = - out_of_range"])]
#[case::gll_at_the_pole("GPGLL,9000.00,S,18000.00,W,225444,A", &[
    "navigation.position = -90.000000000 -180.000000000",
])]
#[case::gll_minutes_of_sixty("GPGLL,4960.00,N,12311.12,W,225444,A", &["navigation.position = - out_of_range"])]
// 54.7 deg = 0.954695101 rad; 34.4 deg = 0.600393263 rad; 5.5 kn = 2.829444444 m/s.
#[case::vtg("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K", &[
    "navigation.courseOverGroundTrue = 0.954695101",
    "navigation.courseOverGroundMagnetic = 0.600393263",
    "navigation.speedOverGround = 2.829444444",
])]
// 10.2 km/h = 2.833333333 m/s.
#[case::vtg_km_h("GPVTG,,T,,M,,N,010.2,K,A", &["navigation.speedOverGround = 2.833333333"])]
#[case::vtg_no_fix("GPVTG,1.0,T,2.0,M,3.0,N,4.0,K,N", &["navigation.speedOverGround = - not_available"])]
#[case::zda("GPZDA,201530.00,04,07,2002,00,00", &["navigation.datetime = '2002-07-04T20:15:30.000Z'"])]
#[case::zda_no_day("GPZDA,201530.00,31,06,2002,00,00", &["navigation.datetime = - not_available"])]
#[case::zda_blank("GPZDA,,,,,,", &["navigation.datetime = - not_available"])]
// 274.07 deg = 4.783423881 rad; 238.5 deg = 4.162610266 rad; 2.0 deg = 0.034906585 rad.
#[case::hdt("HEHDT,274.07,T", &["navigation.headingTrue = 4.783423881"])]
#[case::hdt_blank("HEHDT,,T", &["navigation.headingTrue = - not_available"])]
#[case::hdt_too_much("HEHDT,360.1,T", &["navigation.headingTrue = - out_of_range"])]
#[case::hdm("HCHDM,238.5,M", &["navigation.headingMagnetic = 4.162610266"])]
#[case::hdg("HCHDG,238.5,,,2.0,E", &[
    "navigation.magneticVariation = 0.034906585",
    "navigation.headingMagnetic = 4.162610266",
])]
// The compass says 1 deg, 3 deg of deviation west make 358 deg = 6.248278722 rad.
#[case::hdg_deviation("HCHDG,1.0,3.0,W,2.0,W", &[
    "navigation.magneticDeviation = -0.052359878",
    "navigation.magneticVariation = -0.034906585",
    "navigation.headingCompass = 0.017453293",
    "navigation.headingMagnetic = 6.248278722",
])]
#[case::hdg_blank("HCHDG,,,,,", &["navigation.headingMagnetic = - not_available"])]
// 35.6 deg/min = 35.6 * pi / 10800 = 0.010355620 rad/s.
#[case::rot("TIROT,35.6,A", &["navigation.rateOfTurn = 0.010355620"])]
#[case::rot_to_port("TIROT,-35.6,A", &["navigation.rateOfTurn = -0.010355620"])]
#[case::rot_void("TIROT,35.6,V", &["navigation.rateOfTurn = - not_available"])]
// 245.1 deg = 4.277801997 rad; 6.05 kn = 3.112388889 m/s.
#[case::vhw("IIVHW,245.1,T,,M,06.05,N,11.20,K", &[
    "navigation.headingTrue = 4.277801997",
    "navigation.speedThroughWater = 3.112388889",
])]
#[case::vhw_blank("IIVHW,,T,,M,,N,,K", &["navigation.speedThroughWater = - not_available"])]
#[case::dpt("SDDPT,5.3,0.4,", &[
    "environment.depth.belowTransducer = 5.300000000",
    "environment.depth.surfaceToTransducer = 0.400000000",
    "environment.depth.belowSurface = 5.700000000",
])]
#[case::dpt_keel("SDDPT,5.3,-1.3,100.0", &[
    "environment.depth.belowTransducer = 5.300000000",
    "environment.depth.transducerToKeel = 1.300000000",
    "environment.depth.belowKeel = 4.000000000",
])]
#[case::dpt_zero_offset("INDPT,2.2,0.0", &["environment.depth.belowTransducer = 2.200000000"])]
#[case::dpt_blank("SDDPT,,-1.3", &[
    "environment.depth.belowTransducer = - not_available",
    "environment.depth.transducerToKeel = 1.300000000",
    "environment.depth.belowKeel = - not_available",
])]
#[case::dbt("SDDBT,7.8,f,2.4,M,1.3,F", &["environment.depth.belowTransducer = 2.400000000"])]
#[case::dbt_feet("SDDBT,10.0,f,,M,,F", &["environment.depth.belowTransducer = 3.048000000"])]
#[case::dbt_fathoms("SDDBT,,f,,M,10.0,F", &["environment.depth.belowTransducer = 18.288000000"])]
#[case::dbt_negative("SDDBT,,f,-1.0,M,,F", &["environment.depth.belowTransducer = - out_of_range"])]
#[case::mtw("INMTW,17.9,C", &["environment.water.temperature = 291.050000000"])]
#[case::mtw_blank("SDMTW,,C", &["environment.water.temperature = - not_available"])]
#[case::mtw_boiling("SDMTW,101.0,C", &["environment.water.temperature = - out_of_range"])]
// 214.8 deg is 145.2 deg to port = -2.534218074 rad; 13.0 kn = 6.687777778 m/s.
#[case::mwv_apparent("WIMWV,214.8,R,13.0,N,A", &[
    "environment.wind.angleApparent = -2.534218074",
    "environment.wind.speedApparent = 6.687777778",
])]
#[case::mwv_true_m_s("WIMWV,90.0,T,5.5,M,A", &[
    "environment.wind.angleTrueWater = 1.570796327",
    "environment.wind.speedTrue = 5.500000000",
])]
#[case::mwv_km_h("WIMWV,0,R,36.0,K,A", &[
    "environment.wind.angleApparent = 0.000000000",
    "environment.wind.speedApparent = 10.000000000",
])]
// 10 statute miles an hour = 16093.44 m / 3600 s.
#[case::mwv_miles("WIMWV,0,R,10,S,A", &[
    "environment.wind.angleApparent = 0.000000000",
    "environment.wind.speedApparent = 4.470400000",
])]
#[case::mwv_void("WIMWV,214.8,R,13.0,N,V", &[
    "environment.wind.angleApparent = - not_available",
    "environment.wind.speedApparent = - not_available",
])]
#[case::mwv_blank("IIMWV,,R,,N,A", &[
    "environment.wind.angleApparent = - not_available",
    "environment.wind.speedApparent = - not_available",
])]
// 328.2 deg = 5.728170605 rad; 326.8 deg = 5.703735996 rad.
#[case::mwd("WIMWD,328.2,T,326.8,M,11.2,N,5.8,M", &[
    "environment.wind.directionTrue = 5.728170605",
    "environment.wind.directionMagnetic = 5.703735996",
    "environment.wind.speedOverGround = 5.800000000",
])]
// 10.5 deg = 0.183259571 rad.
#[case::rsa_one("IIRSA,10.5,A,,V", &["steering.rudderAngle = 0.183259571"])]
#[case::rsa_two("IIRSA,10.5,A,-10.5,A", &[
    "steering.rudderAngle = 0.183259571",
    "steering.rudderAngle#1 = -0.183259571",
])]
#[case::rsa_one_lost("IIRSA,10.5,V,-10.5,A", &[
    "steering.rudderAngle = - not_available",
    "steering.rudderAngle#1 = -0.183259571",
])]
#[case::rpm("IIRPM,E,1,2418.2,10.5,A", &["propulsion.1.revolutions = 40.303333333"])]
#[case::rpm_shaft("IIRPM,S,0,-60.0,,A", &["propulsion.shaft0.revolutions = -1.000000000"])]
#[case::rpm_void("IIRPM,E,2,2418.2,10.5,V", &["propulsion.2.revolutions = - not_available"])]
// 0.135 deg = 0.002356194 rad; 1.02481 bar = 102481 Pa.
#[case::xdr("IIXDR,C,19.5,C,AirTemp,A,0.135,D,PTCH,P,1.02481,B,Barometer,H,55.0,P,HUMIDITY,S,1,,Bilge-1,G,367,,MAGX", &[
    "environment.outside.temperature = 292.650000000",
    "navigation.attitude.pitch = 0.002356194",
    "environment.outside.pressure = 102481.000000000",
    "environment.outside.relativeHumidity = 0.550000000",
    "sensors.Bilge-1.state = true",
    "sensors.MAGX.value = 367.000000000",
])]
// 2 l/s; 102.5 bar; 10 hPa are no air.
#[case::xdr_flow("IIXDR,R,2.0,l,FUEL,V,3.0,l,DAY,E,62.5,P,AFT,B,0.02,K,HOLD,P,102.5,B,OIL,P,0.01,B,BARO,P,-2,B,IN", &[
    "sensors.FUEL.flowRate = 0.002000000",
    "sensors.DAY.volume = 0.003000000",
    "sensors.AFT.level = 0.625000000",
    "sensors.HOLD.absoluteHumidity = 0.020000000",
    "sensors.OIL.pressure = 10250000.000000000",
    "environment.outside.pressure = - out_of_range",
    "sensors.IN.pressure = - out_of_range",
])]
#[case::xdr_blank("IIXDR,C,,C,AIRTEMP", &["environment.outside.temperature = - not_available"])]
#[case::xdr_odd_names("IIXDR,C,1.0,C,a b/c.d,T,60,R,", &[
    "sensors.a_b_c_d.temperature = 274.150000000",
    "sensors.transducer1.revolutions = 1.000000000",
])]
fn a_sentence_gives_its_values(#[case] content: &str, #[case] expected: &[&str]) {
    assert_eq!(values(content), expected);
}

#[rstest]
#[case("GPRMC,123519,A,4807.038,N,01131.000,E,1e3,084.4,230394,,", "speed_over_ground_kn")]
#[case("GPRMC,123519,A,4807.038,N,01131.000,E,NaN,084.4,230394,,", "speed_over_ground_kn")]
#[case("GPRMC,123519,A,48x7.038,N,01131.000,E,,,,,", "latitude")]
#[case("GPRMC,123519,A,-4807.038,N,01131.000,E,,,,,", "latitude")]
#[case("GPRMC,123519,A,4807.038,X,01131.000,E,,,,,", "latitude_hemisphere")]
#[case("GPRMC,123519,A,4807.038,,01131.000,E,,,,,", "latitude_hemisphere")]
#[case("SDDBT,7.8,f,2.4,f,1.3,F", "depth_m_unit")]
#[case("SDDPT,5.3,inf", "offset_m")]
#[case("IIRPM,X,1,2418.2,10.5,A", "source")]
#[case("IIRPM,E,99,2418.2,10.5,A", "number")]
#[case("HEHDT,000000000000000000000274.07,T", "heading_true_deg")]
#[case("AIVDM,x,1,,A,13aIkM@P00PJ@qPNL=e@0?wJ28JO,0", "fragments")]
#[case("AIVDM,1,2,,A,13aIkM@P00PJ@qPNL=e@0?wJ28JO,0", "fragment")]
#[case("AIVDM,1,1,,A,13aIkM@P00PJ@qPNL=e@0?wJ28JO,6", "fill_bits")]
fn a_malformed_field_rejects_the_sentence(#[case] content: &str, #[case] field: &str) {
    let mut out = Vec::new();
    let found = Decoder::new().decode(line(content).as_bytes(), &mut out).map(|_| ());
    assert!(matches!(found, Err(Rejected::BadField { field: f, .. }) if f == field), "{content}: {found:?}");
    assert!(out.is_empty(), "a rejected sentence leaves nothing behind");
}

#[test]
fn a_time_of_day_takes_the_date_of_its_own_talker() {
    let out = decoded(&[
        "GPGGA,235958,4807.038,N,01131.000,E,1,,,,,,,,",
        "GPRMC,235959,A,4807.038,N,01131.000,E,,,311226,,",
        "GPGLL,4807.038,N,01131.000,E,000000.50,A",
        "GNGLL,4807.038,N,01131.000,E,000000.50,A",
    ]);
    let stamps: Vec<_> =
        out.iter().filter(|d| d.path == "navigation.position").map(|d| d.observed_at.map(|s| s.to_string())).collect();
    let told = |text: &str| Some(text.to_owned());
    assert_eq!(stamps, [None, told("2026-12-31T23:59:59.000Z"), told("2027-01-01T00:00:00.500Z"), None]);
}

#[test]
fn an_ais_target_never_lands_on_the_own_ship() {
    // ITU-R M.1371-5 type 1, from the AIVDM document of E. S. Raymond's sample: MMSI 477553000, moored, 0.0 kn, 51 deg.
    let out = decoded(&["AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0"]);
    assert!(out.iter().all(|d| d.context == Context::Vessel(477_553_000)));
    let told: Vec<String> = out.iter().map(told).collect();
    assert_eq!(
        told,
        [
            "navigation.state = 'moored'",
            "navigation.rateOfTurn = 0.000000000",
            "navigation.speedOverGround = 0.000000000",
            "navigation.position = 47.582833333 -122.345833333",
            "navigation.courseOverGroundTrue = 0.890117919",
            "navigation.headingTrue = 3.159045946",
        ]
    );
    // Turn code -126, whose size is (126 / 4.733)^2 = 708.7 degrees a minute, is to port: -0.206155155 rad/s.
    let to_port = decoded(&["AIVDM,1,1,,A,13`dU17Pgvbl<89d`0o>3s>R0000,0"]);
    assert_eq!(to_port.iter().map(self::told).nth(1).as_deref(), Some("navigation.rateOfTurn = -0.206155155"));
    let own = decoded(&["AIVDO,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0"]);
    assert!(own.iter().all(|d| d.context == Context::OwnShip && d.source.to_string() == "AI"));
}

#[test]
fn a_station_without_a_number_is_no_target() {
    let nobody = line("AIVDM,1,1,,A,1000000000000000000000000000,0");
    let refused = Decoder::new().decode(nobody.as_bytes(), &mut Vec::new()).unwrap_err();
    assert_eq!(refused, Rejected::BadAisPayload);
}

#[test]
fn ais_codes_for_not_available_are_no_numbers() {
    // Type 1 with status 15, turn -128, speed 1023, position 181 91, course 3600, heading 511.
    let bits = [(1, 6), (0, 2), (123_456_789, 30), (15, 4), (128, 8), (1_023, 10), (0, 1), (108_600_000, 28)]
        .into_iter()
        .chain([(54_600_000, 27), (3_600, 12), (511, 9), (60, 6), (0, 2), (0, 3), (0, 1), (0, 19)]);
    let bits: String = bits.map(|(value, width)| format!("{value:0width$b}")).collect();
    let payload: String = bits
        .as_bytes()
        .chunks(6)
        .map(|six| six.iter().fold(0, |n, b| n * 2 + (b - b'0')))
        .map(|n| char::from(if n < 40 { n + 48 } else { n + 56 }))
        .collect();
    assert_eq!(values(&format!("AIVDM,1,1,,A,{payload},0")), ["navigation.position = - not_available"]);
}

#[test]
fn what_the_table_does_not_have_is_no_error() {
    let sentence = line("GPX42,1");
    let mut out = Vec::new();
    assert!(Decoder::new().decode(sentence.as_bytes(), &mut out).unwrap().spec.is_none());
    assert_eq!(out, []);
}

/// Sentences that mutations start from: one of each kind.
const SEEDS: [&str; 27] = [
    "IIALF,2,1,1,081950.10,B,A,S,XYZ,0512,1,2,0,HEADING LOST",
    "IIALC,01,01,00,2,,192,1,1,XYZ,0512,1,2",
    "GAGSV,1,1,02,04,,,32,13,59,135,19,7",
    "RATTM,11,1.0,90.0,T,10.0,180.0,T,0.5,-2.0,N,BUOY,T,,120000,A",
    "GPRMB,A,0.50,R,003,004,4917.24,N,12309.57,W,001.3,052.5,000.5,V,A",
    "GNTXT,01,01,02,u-blox ^2A AG",
    "PUBX,00,081350.00,4717.1,N,00833.9,E,546.5,G3,2.1,2.0,3.6,77.52,0,,0.92,1.19,0.77,9",
    "GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W,A",
    "GPGGA,123519,4807.038,S,01131.000,W,2,08,0.9,545.4,M,46.9,M,7.6,0133",
    "GPGLL,4916.45,N,12311.12,W,225444,A",
    "GPVTG,054.7,T,034.4,M,005.5,N,010.2,K",
    "GPZDA,201530.00,04,07,2002,00,00",
    "HEHDT,274.07,T",
    "HCHDG,1.0,3.0,W,2.0,W",
    "HCHDM,238.5,M",
    "TIROT,35.6,A",
    "IIVHW,245.1,T,,M,06.05,N,11.20,K",
    "SDDPT,5.3,-1.3,100.0",
    "SDDBT,7.8,f,2.4,M,1.3,F",
    "INMTW,17.9,C",
    "WIMWV,214.8,R,13.0,N,A",
    "WIMWD,328.2,T,326.8,M,11.2,N,5.8,M",
    "IIRSA,10.5,A,-10.5,A",
    "IIRPM,E,1,2418.2,10.5,A",
    "IIXDR,C,19.5,C,AirTemp,A,0.135,D,PTCH",
    "AIVDM,1,1,,A,13aIkM@P00PJ@qPNL=e@0?wJ28JO,0",
    "AIVDM,2,1,9,B,55R3Vn82=ILTQ3KKS>1<D60Dq@E918U<F222221J1`?164vc03S1CCAD,0",
];

/// No reading may carry a number that is not one, a value that its quality denies, or a position off the globe.
fn hold_together(out: &[Decoded]) -> Result<(), TestCaseError> {
    for d in out {
        prop_assert_eq!(d.value == Value::Absent, d.quality != Quality::Good, "{:?}", d);
        match d.value {
            Value::Float(x) => prop_assert!(x.is_finite(), "{:?}", d),
            Value::Position { latitude, longitude } => {
                prop_assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0, "{:?}", d);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Bytes that mean something to a field, and any others.
fn any_telling_byte() -> impl Strategy<Value = u8> {
    prop_oneof![Just(b','), Just(b'.'), Just(b'-'), Just(b'9'), any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_return(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (mut decoder, mut out) = (Decoder::new(), Vec::new());
        let _ = decoder.decode(&bytes, &mut out);
        let _ = decoder.decode(&[b"$GPRMC,", &bytes[..]].concat(), &mut out);
        let _ = decoder.decode(&[b"\\", &bytes[..]].concat(), &mut out);
        hold_together(&out)?;
    }

    #[test]
    fn any_change_of_a_good_sentence_returns(
        seed in 0..SEEDS.len(),
        edits in proptest::collection::vec((0usize..90, any_telling_byte()), 1..6),
    ) {
        let mut content = SEEDS[seed].as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at % content.len();
            content[at] = byte;
        }
        let sum = checksum(&content);
        let changed = [b"$", &content[..], format!("*{sum:02X}").as_bytes()].concat();
        let (mut decoder, mut out) = (Decoder::new(), Vec::new());
        let _ = decoder.decode(&changed, &mut out);
        hold_together(&out)?;
    }

    #[test]
    fn any_ais_payload_returns(kind in 0u8..28, rest in "[0-W`-w]{0,180}", fill in 0u8..6, own in any::<bool>()) {
        let first = char::from(if kind < 40 { kind + 48 } else { kind + 56 });
        let formatter = if own { "VDO" } else { "VDM" };
        let (mut decoder, mut out) = (Decoder::new(), Vec::new());
        let _ = decoder.decode(line(&format!("AI{formatter},1,1,,A,{first}{rest},{fill}")).as_bytes(), &mut out);
        hold_together(&out)?;
        prop_assert!(out.iter().all(|d| (d.context == Context::OwnShip) == own));
    }

    #[test]
    fn fields_of_any_numbers_hold_together(
        row in 0..TABLE.len(),
        fields in proptest::collection::vec("-?[0-9]{0,6}\\.?[0-9]{0,4}|[A-Z]", 0..16),
    ) {
        let content = format!("GP{},{}", TABLE[row].formatter, fields.join(","));
        let (mut decoder, mut out) = (Decoder::new(), Vec::new());
        let _ = decoder.decode(line(&content).as_bytes(), &mut out);
        hold_together(&out)?;
    }
}

#[test]
fn the_end_of_a_connection_tells_what_waits_and_counts_what_never_came() {
    let mut stream = Stream::with_decoder(Decoder::with_rule(ChecksumRule::Required));
    let mut sink = Counting::default();
    let mut hear = |text: &str, sink: &mut Counting| stream.push(format!("{text}\r\n").as_bytes(), 0, sink);
    hear(&line("IIALF,2,1,1,081950.10,B,A,S,XYZ,0512,1,2,0,HEADING LOST"), &mut sink);
    hear(&line("AIVDM,2,1,9,B,55R3Vn82=ILTQ3KKS>1<D60Dq@E918U<F222221J1`?164vc03S1CCAD,0"), &mut sink);
    let tag = "g:1-3-7";
    hear(&format!("\\{tag}*{:02X}\\{}", checksum(tag.as_bytes()), line("SDDBT,,f,2.4,M,,F")), &mut sink);
    assert_eq!((sink.readings.len(), &sink.dropped[..]), (1, &[][..]), "the depth");
    assert!(stream.held_bytes() > 500, "{}", stream.held_bytes());
    stream.end_of_stream(0, &mut sink);
    assert_eq!((sink.readings.len(), &*sink.readings[1].path), (2, "notifications.alert"));
    let lost = [(REASON_AIS_FRAGMENT_LOST, 1), (REASON_TAG_GROUP_GAP, 2)];
    assert_eq!((sink.messages, &sink.dropped[..]), (4, &lost[..]));
    stream.push(b"$SDDBT,,f,2.4,M,,F\r\n", 0, &mut sink);
    assert_eq!(sink.count("no_checksum"), 1, "the rule outlasts the connection");
    stream.end_of_stream(0, &mut sink);
    assert_eq!((sink.messages, sink.dropped.len()), (4, 3), "and nothing is told twice");
}

#[test]
fn satellites_of_several_systems_stay_apart_behind_one_source() {
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    for talker in ["GP", "GA", "GB"] {
        let tag = "s:GN0001";
        let line =
            format!("\\{tag}*{:02X}\\{}", checksum(tag.as_bytes()), line(&format!("{talker}GSV,1,1,01,05,,,40")));
        decoder.decode(line.as_bytes(), &mut out).unwrap();
    }
    assert!(out.iter().all(|reading| reading.source.to_string() == "GN0001"));
    let told = |leaf: &str| -> Vec<&str> {
        out.iter().filter(|r| r.path.ends_with(leaf)).map(|r| r.instance.as_ref()).collect()
    };
    assert_eq!(told("satellitesInView"), ["GP", "GA", "GB"]);
    assert_eq!(told("signalToNoise"), ["GP5", "GA5", "GB5"]);
}
