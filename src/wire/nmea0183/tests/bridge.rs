//! The sentences of a bridge, values worked out by hand: 1 nautical mile is 1852 m, 1 knot 0.514444444 m/s, 1 degree
//! 0.017453293 rad.

use std::slice;

use rstest::rstest;

use super::{decoded, line, told, values};
use crate::reading::Value;
use crate::wire::nmea0183::Decoder;
use crate::wire::notification::{AlarmState, Notification};

#[rstest]
// 0.5 nm = 926 m; to steer right means that the vessel is left of the track.
#[case::rmb("GPRMB,A,0.50,R,003,004,4917.24,N,12309.57,W,001.3,052.5,000.5,V,A", &[
    "navigation.courseRhumbline.crossTrackError = -926.000000000",
    "navigation.courseRhumbline.previousPoint.name = '003'",
    "navigation.courseRhumbline.nextPoint.name = '004'",
    "navigation.courseRhumbline.nextPoint.position = 49.287333333 -123.159500000",
    "navigation.courseRhumbline.nextPoint.distance = 2407.600000000",
    "navigation.courseRhumbline.nextPoint.bearingTrue = 0.916297857",
    "performance.velocityMadeGoodToWaypoint = 0.257222222",
    "navigation.courseRhumbline.nextPoint.arrived = false",
])]
#[case::rmb_blank("GPRMB,,,,,,,,,,,,,,N", &["navigation.courseRhumbline.crossTrackError = - not_available"])]
#[case::apb("GPAPB,A,A,0.10,L,N,V,V,011,M,DEST,012,T,013,M", &[
    "navigation.courseRhumbline.crossTrackError = 185.200000000",
    "navigation.courseRhumbline.nextPoint.arrived = false",
    "navigation.courseRhumbline.nextPoint.perpendicularPassed = false",
    "navigation.courseRhumbline.bearingTrackMagnetic = 0.191986218",
    "navigation.courseRhumbline.nextPoint.name = 'DEST'",
    "navigation.courseRhumbline.nextPoint.bearingTrue = 0.209439510",
    "steering.autopilot.target.headingMagnetic = 0.226892803",
])]
#[case::rmb_not_valid("GPRMB,V,0.50,R,003,004,4917.24,N,12309.57,W,001.3,052.5,000.5,V,A", &[
    "navigation.courseRhumbline.crossTrackError = - not_available",
    "navigation.courseRhumbline.previousPoint.name = '003'",
    "navigation.courseRhumbline.nextPoint.name = '004'",
])]
#[case::apb_not_valid("GPAPB,V,A,0.10,L,N,V,V,011,M,DEST,012,T,013,M", &[
    "navigation.courseRhumbline.crossTrackError = - not_available",
    "navigation.courseRhumbline.nextPoint.name = 'DEST'",
])]
#[case::xte_unlocked("GPXTE,A,V,0.67,L,N", &["navigation.courseRhumbline.crossTrackError = - not_available"])]
#[case::xtr("GPXTR,1.0,L,N", &["navigation.courseRhumbline.crossTrackError = 1852.000000000"])]
#[case::bod("GPBOD,097.0,T,103.2,M,POINTB,POINTA", &[
    "navigation.courseGreatCircle.bearingTrackTrue = 1.692969374",
    "navigation.courseGreatCircle.bearingTrackMagnetic = 1.801179788",
    "navigation.courseGreatCircle.nextPoint.name = 'POINTB'",
    "navigation.courseGreatCircle.previousPoint.name = 'POINTA'",
])]
#[case::bwc("GPBWC,220516,5130.02,N,00046.34,W,213.8,T,218.0,M,0004.6,N,EGLM", &[
    "navigation.courseGreatCircle.nextPoint.position = 51.500333333 -0.772333333",
    "navigation.courseGreatCircle.nextPoint.bearingTrue = 3.731513941",
    "navigation.courseGreatCircle.nextPoint.bearingMagnetic = 3.804817769",
    "navigation.courseGreatCircle.nextPoint.distance = 8519.200000000",
    "navigation.courseGreatCircle.nextPoint.name = 'EGLM'",
])]
#[case::bwr_no_fix("GPBWR,220516,5130.02,N,00046.34,W,213.8,T,218.0,M,0004.6,N,EGLM,N", &[
    "navigation.courseRhumbline.nextPoint.bearingTrue = - not_available",
    "navigation.courseRhumbline.nextPoint.distance = - not_available",
    "navigation.courseRhumbline.nextPoint.name = 'EGLM'",
])]
#[case::aam("GPAAM,A,V,0.10,N,WPTNME", &[
    "navigation.courseRhumbline.nextPoint.arrived = true",
    "navigation.courseRhumbline.nextPoint.perpendicularPassed = false",
    "navigation.courseRhumbline.nextPoint.arrivalCircle = 185.200000000",
    "navigation.courseRhumbline.nextPoint.name = 'WPTNME'",
])]
#[case::wcv("GPWCV,2.0,N,003,A", &["performance.velocityMadeGoodToWaypoint = 1.028888889"])]
#[case::rte("GPRTE,1,1,c,HOME,A,B", &["navigation.courseRhumbline.activeRoute.name = 'HOME'"])]
#[case::htd("AGHTD,V,10.0,L,H,R,15.0,5.0,0.5,,090.0,0.1,,T,A,A,A,088.0", &[
    "steering.rudderAngleTarget = -0.174532925",
    "steering.autopilot.mode = 'heading control'",
    "steering.autopilot.target.headingTrue = 1.570796327",
    "navigation.headingTrue = 1.535889742",
])]
#[case::gns("GNGNS,051347.00,6001.336799,N,03014.169008,E,NAN,09,0.9,16.5,18.0,,,V", &[
    "navigation.position = 60.022279983 30.236150133",
    "navigation.gnss.satellites = 9",
    "navigation.gnss.horizontalDilution = 0.900000000",
    "navigation.gnss.antennaAltitude = 16.500000000",
    "navigation.gnss.geoidalSeparation = 18.000000000",
    "navigation.gnss.methodQuality = 'GNSS Fix'",
])]
#[case::gns_no_fix("GNGNS,,,,,,NN,00,99.99,,,,,V", &[
    "navigation.position = - not_available",
    "navigation.gnss.satellites = 0",
    "navigation.gnss.methodQuality = 'no GPS'",
])]
#[case::gsa("GNGSA,A,3,02,16,08,,,,,,,,,,1.10,0.77,0.78,3", &[
    "navigation.gnss.fixMode = '3D'",
    "navigation.gnss.positionDilution = 1.100000000",
    "navigation.gnss.horizontalDilution = 0.770000000",
    "navigation.gnss.verticalDilution = 0.780000000",
    "navigation.gnss.satellitesUsed#GA = 3",
])]
#[case::gsa_by_number("GNGSA,A,3,65,72,,,,,,,,,,,,,", &[
    "navigation.gnss.fixMode = '3D'",
    "navigation.gnss.satellitesUsed#GL = 2",
])]
#[case::gsv("GPGSV,2,1,06,13,59,135,19,15,74,246,", &[
    "navigation.gnss.satellitesInView#GP = 6",
    "navigation.gnss.satellite.elevation#GP13 = 1.029744259",
    "navigation.gnss.satellite.azimuth#GP13 = 2.356194490",
    "navigation.gnss.satellite.signalToNoise#GP13 = 19.000000000",
    "navigation.gnss.satellite.elevation#GP15 = 1.291543646",
    "navigation.gnss.satellite.azimuth#GP15 = 4.293509960",
])]
#[case::gsv_signal("GAGSV,1,1,01,04,,,32,7", &[
    "navigation.gnss.satellitesInView#GA-7 = 1",
    "navigation.gnss.satellite.signalToNoise#GA4-7 = 32.000000000",
])]
#[case::gsv_of_quectel("PQGSV,1,1,01,04,,,32,0,4", &[
    "navigation.gnss.satellitesInView#GB = 1",
    "navigation.gnss.satellite.signalToNoise#GB4 = 32.000000000",
])]
#[case::gsv_beidou("BDGSV,1,1,01,04,,,32", &[
    "navigation.gnss.satellitesInView#GB = 1",
    "navigation.gnss.satellite.signalToNoise#GB4 = 32.000000000",
])]
#[case::gsv_none("GPGSV,1,1,00", &["navigation.gnss.satellitesInView#GP = 0"])]
#[case::gbs_of_galileo("GNGBS,200254.00,2.8,2.1,4.4,05,0.1,-2.5,1.5,3,1", &[
    "navigation.gnss.latitudeError = 2.800000000",
    "navigation.gnss.longitudeError = 2.100000000",
    "navigation.gnss.altitudeError = 4.400000000",
    "navigation.gnss.missedDetectionProbability = 0.100000000",
    "navigation.gnss.bias = -2.500000000",
    "navigation.gnss.biasDeviation = 1.500000000",
    "navigation.gnss.failedSatellite = 'GA5'",
])]
#[case::gbs("GPGBS,200254.00,2.8,2.1,4.4,,,,", &[
    "navigation.gnss.latitudeError = 2.800000000",
    "navigation.gnss.longitudeError = 2.100000000",
    "navigation.gnss.altitudeError = 4.400000000",
])]
#[case::gst("GPGST,172814.0,0.006,0.023,0.020,273.6,0.023,0.020,0.031", &[
    "navigation.gnss.rangeDeviation = 0.006000000",
    "navigation.gnss.semiMajorDeviation = 0.023000000",
    "navigation.gnss.semiMinorDeviation = 0.020000000",
    "navigation.gnss.ellipseOrientation = 4.775220833",
    "navigation.gnss.latitudeDeviation = 0.023000000",
    "navigation.gnss.longitudeDeviation = 0.020000000",
    "navigation.gnss.altitudeDeviation = 0.031000000",
])]
#[case::grs("GPGRS,024603.00,1,-1.8,,0.3", &[
    "navigation.gnss.rangeResidual#GP-1 = -1.800000000",
    "navigation.gnss.rangeResidual#GP-3 = 0.300000000",
])]
#[case::grs_of_a_system("GNGRS,024603.00,1,-1.8,,,,,,,,,,,,3,7", &[
    "navigation.gnss.rangeResidual#GA-1-7 = -1.800000000",
])]
// 0.0017 minutes of arc = 0.0017 * pi / 10800 rad.
#[case::dtm("GPDTM,W84,,0.0017,S,0.0,E,0.0,W84", &[
    "navigation.gnss.datum = 'W84'",
    "navigation.gnss.datumLatitudeOffset = -0.000000495",
    "navigation.gnss.datumLongitudeOffset = 0.000000000",
    "navigation.gnss.datumAltitudeOffset = 0.000000000",
])]
#[case::vbw("IIVBW,10.0,-1.0,A,11.0,0.5,A,0.2,A,,V", &[
    "navigation.speedThroughWaterLongitudinal = 5.144444444",
    "navigation.speedThroughWaterTransverse = -0.514444444",
    "navigation.speedOverGroundLongitudinal = 5.658888889",
    "navigation.speedOverGroundTransverse = 0.257222222",
    "navigation.speedThroughWaterTransverse#stern = 0.102888889",
])]
#[case::vlw("SDVLW,545.6,N,1.0,N,,N,,N", &[
    "navigation.log = 1010451.200000000",
    "navigation.trip.log = 1852.000000000",
])]
#[case::vdr("IIVDR,090.0,T,080.0,M,1.0,N", &[
    "environment.current.setTrue = 1.570796327",
    "environment.current.setMagnetic = 1.396263402",
    "environment.current.drift = 0.514444444",
])]
#[case::vpw("IIVPW,4.5,N,6.7,M", &["performance.velocityMadeGood = 6.700000000"])]
#[case::vwt("IIVWT,030,L,05.53,N,02.85,M,,", &[
    "environment.wind.angleTrueWater = -0.523598776",
    "environment.wind.speedTrue = 2.850000000",
])]
#[case::vwr("IIVWR,090,R,10.0,N,,M,,K", &[
    "environment.wind.angleApparent = 1.570796327",
    "environment.wind.speedApparent = 5.144444444",
])]
#[case::ths("HETHS,180.0,A", &["navigation.headingTrue = 3.141592654"])]
#[case::ths_void("HETHS,180.0,V", &["navigation.headingTrue = - not_available"])]
#[case::hev("INHEV,-0.5", &["environment.heave = -0.500000000"])]
#[case::osd("RAOSD,090.0,A,092.0,P,10.0,W,,,N", &[
    "navigation.headingTrue = 1.570796327",
    "navigation.courseOverGroundTrue = 1.605702912",
    "navigation.speedThroughWater = 5.144444444",
])]
// 1.0154 bar; 18.5 degrees Celsius = 291.65 K.
#[case::mda("WIMDA,29.98,I,1.0154,B,18.5,C,,C,45.2,,6.5,C,90.0,T,,M,10.0,N,5.1,M", &[
    "environment.outside.temperature = 291.650000000",
    "environment.outside.relativeHumidity = 0.452000000",
    "environment.outside.dewPointTemperature = 279.650000000",
    "environment.wind.directionTrue = 1.570796327",
    "environment.wind.speedOverGround = 5.100000000",
    "environment.outside.pressure = 101540.000000000",
])]
#[case::mda_without_pressure("WIMDA,,I,,B,18.5,C", &["environment.outside.temperature = 291.650000000"])]
#[case::mmb_no_air("WIMMB,,I,35.0,B", &["environment.outside.pressure = - out_of_range"])]
#[case::mmb_no_air_in_inches("WIMMB,35.0,I,,B", &["environment.outside.pressure = - out_of_range"])]
#[case::mmb_blank("WIMMB,,I,,B", &["environment.outside.pressure = - not_available"])]
// 30 inches of mercury = 101591.67 Pa.
#[case::mmb("WIMMB,30.0,I,,B", &["environment.outside.pressure = 101591.670000000"])]
#[case::mta("WIMTA,-1.0,C", &["environment.outside.temperature = 272.150000000"])]
#[case::mhu("WIMHU,100.0,,,C", &["environment.outside.relativeHumidity = 1.000000000"])]
#[case::ttm("RATTM,11,1.0,90.0,T,10.0,180.0,T,0.5,-2.0,N,BUOY,T,,120000,A", &[
    "navigation.radarTargets.state#11 = 'tracking'",
    "navigation.radarTargets.name#11 = 'BUOY'",
    "navigation.radarTargets.distance#11 = 1852.000000000",
    "navigation.radarTargets.bearingTrue#11 = 1.570796327",
    "navigation.radarTargets.speed#11 = 5.144444444",
    "navigation.radarTargets.courseTrue#11 = 3.141592654",
    "navigation.radarTargets.closestDistance#11 = 926.000000000",
    "navigation.radarTargets.closestTime#11 = -120.000000000",
])]
#[case::ttm_km("RATTM,999,2.0,90.0,R,36.0,,,,,K,,Q", &[
    "navigation.radarTargets.state#999 = 'acquiring'",
    "navigation.radarTargets.distance#999 = 2000.000000000",
    "navigation.radarTargets.bearingRelative#999 = 1.570796327",
    "navigation.radarTargets.speed#999 = 10.000000000",
])]
#[case::tll("RATLL,03,4807.038,N,01131.000,E,SHIP,120000,L,", &[
    "navigation.radarTargets.state#3 = 'lost'",
    "navigation.radarTargets.name#3 = 'SHIP'",
    "navigation.radarTargets.position#3 = 48.117300000 11.516666667",
])]
#[case::tlb("RATLB,1,ONE,2,,3,THREE", &[
    "navigation.radarTargets.name#1 = 'ONE'",
    "navigation.radarTargets.name#3 = 'THREE'",
])]
#[case::wpl("GPWPL,4917.16,N,12310.64,W,0/0 3", &["navigation.waypoints.position#003 = 49.286000000 -123.177333333"])]
#[case::navtex("CRNRX,001,001,00,IE69,1,135600,27,06,2001,241,3,A,ICE^2C FOG^0D^0A", &[
    "communication.navtex = 'ICE, FOG'"])]
#[case::safety_net("CSSMB,001,001,0,001,WIND ^25^zz^2", &["communication.safetyNet = 'WIND %^zz^2'"])]
#[case::txt("GNTXT,01,01,02,u-blox ^2A AG", &["communication.text#02 = 'u-blox * AG'"])]
#[case::epv("AIEPV,R,AI,503123450,101,38400", &["communication.equipmentProperty#101 = '38400'"])]
#[case::password("IISPW,EPV,211000001,2,SESAME", &[])]
#[case::garmin_error("PGRME,15.0,M,45.0,M,25.0,M", &[
    "navigation.gnss.horizontalError = 15.000000000",
    "navigation.gnss.verticalError = 45.000000000",
    "navigation.gnss.positionError = 25.000000000",
])]
#[case::garmin_altitude("PGRMZ,100,f,3", &["navigation.gnss.antennaAltitude = 30.480000000"])]
#[case::garmin_altitude_by_hand("PGRMZ,100,f,2", &["navigation.gnss.antennaAltitude = - not_available"])]
#[case::garmin_datum("PGRMM,WGS 84", &["navigation.gnss.datum = 'WGS 84'"])]
// 3.6 km/h = 1 m/s.
#[case::ublox("PUBX,00,081350.00,4717.113210,N,00833.915187,E,546.589,G3,2.1,2.0,3.6,77.52,0,,0.92,1.19,0.77,9", &[
    "navigation.position = 47.285220167 8.565253117",
    "navigation.gnss.horizontalError = 2.100000000",
    "navigation.gnss.verticalError = 2.000000000",
    "navigation.speedOverGround = 1.000000000",
    "navigation.courseOverGroundTrue = 1.352979236",
    "navigation.gnss.horizontalDilution = 0.920000000",
    "navigation.gnss.verticalDilution = 1.190000000",
    "navigation.gnss.timeDilution = 0.770000000",
    "navigation.gnss.satellites = 9",
])]
#[case::ublox_time("PUBX,04,073731.00,091202,113851.00,1196,15D,1930035,-2660.664,43", &[])]
#[case::furuno("PFEC,GPatt,90.0,-1.0,2.0", &[
    "navigation.headingTrue = 1.570796327",
    "navigation.attitude.pitch = -0.017453293",
    "navigation.attitude.roll = 0.034906585",
])]
#[case::furuno_heave("PFEC,GPhve,0.5,A", &["environment.heave = 0.500000000"])]
#[case::ashtech("PASHR,085335.000,180.0,T,-1.0,2.0,0.1,0.03,0.03,0.1,1,0", &[
    "navigation.headingTrue = 3.141592654",
    "navigation.attitude.roll = -0.017453293",
    "navigation.attitude.pitch = 0.034906585",
    "environment.heave = 0.100000000",
])]
#[case::rd_instruments("PRDID,-1.0,2.0,90.0", &[
    "navigation.attitude.pitch = -0.017453293",
    "navigation.attitude.roll = 0.034906585",
    "navigation.headingTrue = 1.570796327",
])]
fn a_sentence_of_the_bridge_gives_its_values(#[case] content: &str, #[case] expected: &[&str]) {
    assert_eq!(values(content), expected);
}

/// Path, instance and notification of each reading.
fn alerts(lines: &[&str]) -> Vec<(String, AlarmState, Option<bool>, String)> {
    let of = |d: &crate::wire::Decoded| {
        let Notification { state, acknowledged, message, .. } = Notification::from_value(&d.value).unwrap();
        (format!("{}#{}", d.path, d.instance), state, acknowledged, message)
    };
    decoded(lines).iter().map(of).collect()
}

fn alert(
    at: &str,
    state: AlarmState,
    acknowledged: Option<bool>,
    message: &str,
) -> (String, AlarmState, Option<bool>, String) {
    (format!("notifications.{at}"), state, acknowledged, message.to_owned())
}

#[test]
fn an_alert_of_two_sentences_that_others_part_is_told_at_once_and_then_at_length() {
    let told = alerts(&[
        "IIALF,2,1,1,081950.10,B,A,S,XYZ,0512,1,2,0,HEADING LOST",
        "IIALF,1,1,0,124304.50,A,W,A,,192,1,1,0,LOST TARGET",
        "IIALF,2,2,1,,,,,XYZ,0512,1,2,0,NO SYSTEM HEADING AVAILABLE",
        "IIALF,2,2,7,,,,,XYZ,0999,1,2,0,THE FIRST NEVER CAME",
        "IIALF,1,1,0,124504.50,A,W,N,,192,1,2,0,LOST TARGET",
        "IIALF,1,1,0,124504.50,A,E,V,,193,1,2,0,FIRE",
    ]);
    let heading = "HEADING LOST: NO SYSTEM HEADING AVAILABLE";
    assert_eq!(
        told,
        [
            alert("alert#XYZ512.1", AlarmState::Alarm, Some(false), "HEADING LOST"),
            alert("alert#192.1", AlarmState::Warn, Some(false), "LOST TARGET"),
            alert("alert#XYZ512.1", AlarmState::Alarm, Some(false), heading),
            alert("alert#192.1", AlarmState::Normal, None, "LOST TARGET"),
            alert("alert#193.1", AlarmState::Emergency, Some(true), "FIRE"),
        ]
    );
}

#[test]
fn an_alert_of_two_sentences_is_told_once_and_alone_if_the_second_does_not_come() {
    let [first, second] =
        ["IIALF,2,1,1,081950.10,B,A,S,XYZ,0512,1,2,0,HEADING LOST", "IIALF,2,2,1,,,,,XYZ,0512,1,2,0,NO HEADING"];
    let whole = alert("alert#XYZ512.1", AlarmState::Alarm, Some(false), "HEADING LOST: NO HEADING");
    let alone = alert("alert#XYZ512.1", AlarmState::Alarm, Some(false), "HEADING LOST");
    assert_eq!(alerts(&[first, second, first, second]), [whole.clone(), whole.clone()]);
    assert_eq!(alerts(&[first]), [], "its second may come yet");
    assert_eq!(alerts(&[first, "AASPW,EPV,ABC,1,TIGER"]).len(), 0, "another talker says nothing of it");
    assert_eq!(alerts(&[first, first, second]), [alone.clone(), whole.clone()]);
    assert_eq!(alerts(&[first, "IIALC,01,01,00,1,XYZ,0512,1,2", "IIALC,01,01,01,0"]), slice::from_ref(&alone));
    for other in ["IISPW,EPV,ABC,1,TIGER", "IIXXX,1", "IIALC,01,01,01,0"] {
        assert_eq!(alerts(&[first, other, other]), slice::from_ref(&alone), "{other}");
    }
    assert_eq!(alerts(&[first, "IISPW,EPV,ABC,1,TIGER", second]), [alone.clone(), whole.clone()]);
    // Eight other talkers wait already.
    let others = ["AA", "AB", "AC", "AD", "AE", "AF", "AG", "AH"].map(|talker| first.replacen("II", talker, 1));
    let lines: Vec<_> = others.iter().map(String::as_str).chain([first]).collect();
    assert_eq!(alerts(&lines), [alone]);
}

#[test]
fn alarms_commands_and_heartbeats_are_notifications() {
    let told = alerts(&[
        "IIALR,120000.00,012,A,V,LOW OIL",
        "IIALR,120100.00,012,V,A,LOW OIL",
        "IIALC,01,01,00,2,,192,1,1,XYZ,0512,1,2",
        "IIALC,01,01,01,0",
        "IIACN,120000.00,XYZ,0512,1,A,C",
        "IIARC,120000.00,XYZ,0512,1,S",
        "IIACK,012",
        "IIHBT,60,A,3",
        "IIHBT,60,V,4",
    ]);
    assert_eq!(
        told,
        [
            alert("alarm#12", AlarmState::Alarm, Some(false), "LOW OIL"),
            alert("alarm#12", AlarmState::Normal, Some(true), "LOW OIL"),
            alert("alertCommand#XYZ512.1", AlarmState::Normal, None, "acknowledge"),
            alert("alertCommandRefused#XYZ512.1", AlarmState::Normal, None, "silence"),
            alert("alarmAcknowledged#12", AlarmState::Normal, None, "acknowledged"),
            alert("heartbeat#", AlarmState::Normal, None, "normal operation"),
            alert("heartbeat#", AlarmState::Alarm, None, "the system is not in normal operation"),
        ]
    );
}

#[test]
fn a_number_beyond_its_bound_is_refused() {
    for content in ["RATTM,1000,1.0,90.0,T", "IIALR,,1000,A,V,X", "GPGSV,1,1,01,1000,1,1,1", "RATTM,,1.0,90.0,T"] {
        let error = Decoder::new().decode(line(content).as_bytes(), &mut Vec::new()).map(|_| ());
        assert_eq!(error.unwrap_err().name(), "bad_field", "{content}");
    }
}

#[test]
fn a_text_is_kept_whole_up_to_the_bound() {
    let long = format!("GNTXT,01,01,02,{}", "x".repeat(900));
    let out = decoded(&[&long]);
    let Value::Text(text) = &out[0].value else { panic!("{}", told(&out[0])) };
    assert_eq!(text.len(), crate::reading::TEXT_BYTES_MAX);
}
