//! What the engine's own bus says: one control unit and its parameter groups, trouble codes among them.
//!
//! The table is the contract: `value` marks each parameter that must become a reading. Source: SAE J1939-71 (groups,
//! parameters, scaling), J1939-73, 5.7.1 (DM1).

use super::device::{Backbone, Model, Row, Telling};
use super::payload::Payload;
use super::telegram::Transport::Single;
use super::vessel::{TroubleCode, ZERO_CELSIUS_K};

/// Engine 1 is address 0 (J1939-81, table B2); Caterpillar is 8 in the list of manufacturers; global industry group.
static MODELS: [Model; 1] =
    [Model { manufacturer: 8, function: 0, class: 0, industry: 0, address: 0, name: "", product_code: 0 }];

/// Temperatures of one byte: 1 degree, from -40. Of two: 1/32 degree, from -273.
const BYTE_TEMPERATURE_OFFSET_C: f64 = -40.0;
const WORD_TEMPERATURE_OFFSET_C: f64 = -273.0;

/// What the unit tells: rounds of a second stand for the standard's 10 ms to 1 s.
#[rustfmt::skip]
static ROWS: &[Row] = &[
    Row { device: 0, pgn: 61_444, priority: 3, transport: Single, every: 1, make: speed_and_torque },
    Row { device: 0, pgn: 61_443, priority: 3, transport: Single, every: 1, make: load },
    Row { device: 0, pgn: 65_253, priority: 6, transport: Single, every: 5, make: hours },
    Row { device: 0, pgn: 65_262, priority: 6, transport: Single, every: 1, make: temperatures },
    Row { device: 0, pgn: 65_263, priority: 6, transport: Single, every: 1, make: pressures },
    Row { device: 0, pgn: 65_266, priority: 6, transport: Single, every: 1, make: fuel },
    Row { device: 0, pgn: 65_269, priority: 6, transport: Single, every: 2, make: ambient },
    Row { device: 0, pgn: 65_270, priority: 6, transport: Single, every: 1, make: inlet_and_exhaust },
    Row { device: 0, pgn: 65_271, priority: 6, transport: Single, every: 2, make: electrical },
    Row { device: 0, pgn: 65_226, priority: 6, transport: Single, every: 1, make: trouble },
];

/// The control unit of the vessel of `seed`.
pub(crate) fn devices(seed: u64) -> Backbone {
    Backbone::new(&MODELS, ROWS, false, seed)
}

fn byte_celsius(payload: Payload, kelvin: f64) -> Payload {
    payload.value(kelvin - ZERO_CELSIUS_K - BYTE_TEMPERATURE_OFFSET_C, 1.0, 8)
}

fn word_celsius(payload: Payload, kelvin: f64) -> Payload {
    payload.value(kelvin - ZERO_CELSIUS_K - WORD_TEMPERATURE_OFFSET_C, 1.0 / 32.0, 16)
}

/// EEC1: actual torque (from -125 %), speed (1/8 rpm).
fn speed_and_torque(telling: &Telling<'_>) -> Vec<Payload> {
    let engine = &telling.vessel.engine;
    let torque = Payload::default().absent(8).absent(8).value(engine.load_ratio * 100.0 + 125.0, 1.0, 8);
    vec![torque.value(engine.rpm.value, 0.125, 16).absent(24)]
}

/// EEC2: load at this speed.
fn load(telling: &Telling<'_>) -> Vec<Payload> {
    let load = telling.vessel.engine.load_ratio * 100.0;
    vec![Payload::default().absent(16).value(load, 1.0, 8).absent(40)]
}

/// HOURS: 1/20 h; no count of revolutions.
fn hours(telling: &Telling<'_>) -> Vec<Payload> {
    vec![Payload::default().value(telling.vessel.engine.run_s / 3_600.0, 0.05, 32).absent(32)]
}

/// ET1: coolant and oil.
fn temperatures(telling: &Telling<'_>) -> Vec<Payload> {
    let engine = &telling.vessel.engine;
    let coolant = byte_celsius(Payload::default(), engine.coolant_temperature_k).absent(8);
    vec![word_celsius(coolant, engine.oil_temperature_k).absent(32)]
}

/// EFL/P1: oil (4 kPa) and coolant (2 kPa) pressure.
fn pressures(telling: &Telling<'_>) -> Vec<Payload> {
    let engine = &telling.vessel.engine;
    let oil = Payload::default().absent(24).value(engine.oil_pressure_pa, 4_000.0, 8).absent(16);
    vec![oil.value(engine.coolant_pressure_pa, 2_000.0, 8).absent(8)]
}

/// LFE: rate (1/20 l/h).
fn fuel(telling: &Telling<'_>) -> Vec<Payload> {
    let litres_per_hour = telling.vessel.engine.fuel_rate_m3_s * 3_600e3;
    vec![Payload::default().value(litres_per_hour, 0.05, 16).absent(48)]
}

/// AMB: barometric pressure (500 Pa), air temperature.
fn ambient(telling: &Telling<'_>) -> Vec<Payload> {
    let weather = &telling.vessel.weather;
    let pressure = Payload::default().value(weather.pressure_pa.value, 500.0, 8).absent(16);
    vec![word_celsius(pressure, weather.air_temperature_k()).absent(24)]
}

/// IC1: boost (2 kPa), temperature of the charged air, exhaust temperature.
fn inlet_and_exhaust(telling: &Telling<'_>) -> Vec<Payload> {
    let engine = &telling.vessel.engine;
    let boost = Payload::default().absent(8).value(engine.boost_pa, 2_000.0, 8);
    let intake = byte_celsius(boost, telling.vessel.weather.air_temperature_k() + 40.0 * engine.load_ratio).absent(16);
    vec![word_celsius(intake, engine.exhaust_temperature_k).absent(8)]
}

/// VEP1: battery potential (1/20 V).
fn electrical(telling: &Telling<'_>) -> Vec<Payload> {
    let volts = telling.vessel.power.starter.voltage_v;
    vec![Payload::default().absent(32).value(volts, 0.05, 16).absent(16)]
}

/// DM1: lamps, then four bytes a trouble code; with none, one of zeros that means none (J1939-73, 5.7.1). Whether a
/// listener tells a code again each second, or only when it comes and when it goes, is the listener's affair: each
/// may be a reading.
fn trouble(telling: &Telling<'_>) -> Vec<Payload> {
    let codes = telling.vessel.engine.trouble();
    // Amber warning lamp (bits 3 and 4 of the first byte), no flashing.
    let lamps =
        Payload::default().maybe(CODES_MAX).part(if codes.is_empty() { 0 } else { 0b0000_0100 }, 8).part(0xFF, 8);
    if codes.is_empty() {
        return vec![lamps.part(0, 32).absent(16)];
    }
    let told = codes.iter().fold(lamps, |payload, code| trouble_code(payload, *code));
    vec![if codes.len() == 1 { told.absent(16) } else { told }]
}

/// Version 4: 19 bits of SPN, 5 of FMI, 7 of count, conversion method 0.
fn trouble_code(payload: Payload, TroubleCode { spn, fmi, count }: TroubleCode) -> Payload {
    let (spn, fmi) = (u64::from(spn), u64::from(fmi));
    payload.part(spn & 0xFFFF, 16).part(fmi, 5).part(spn >> 16, 3).part(u64::from(count), 7).part(0, 1)
}

/// The most that a listener may tell of one DM1: the codes that come or go, four at most, and that the list is whole.
const CODES_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::sim::telegram::Transport;
    use crate::sim::{Start, Vessel};

    const PGN_DM1: u32 = 65_226;

    #[test]
    fn a_trouble_code_is_the_standards_own_example() {
        // J1939-73, 5.7.1: SPN 1208, FMI 3, count 10 are B8 04 03 0A.
        let code = trouble_code(Payload::default(), TroubleCode { spn: 1_208, fmi: 3, count: 10 });
        assert_eq!(code.end().0, [0xB8, 0x04, 0x03, 0x0A]);
    }

    #[test]
    fn groups_have_eight_bytes_and_several_trouble_codes_go_as_a_broadcast() {
        let (mut vessel, mut unit, mut ways) = (Vessel::new(1, Start::default()), devices(1), Vec::new());
        for second in 0..60_000 {
            let at = Stamp::from_millis(1_795_243_260_000 + second * 1_000);
            vessel.advance(at);
            for telegram in unit.round(&vessel, at) {
                if telegram.identifier.pgn == PGN_DM1 {
                    ways.push(telegram.transport);
                }
                let single = telegram.transport == Transport::Single;
                assert_eq!(single, telegram.payload.len() == 8, "{telegram:?}");
            }
        }
        assert!(ways.contains(&Transport::Single) && ways.contains(&Transport::Broadcast));
    }

    #[test]
    fn an_engine_speed_is_as_worked_out_by_hand() {
        let mut vessel = Vessel::new(1, Start::default());
        vessel.engine.rpm.value = 1_800.0;
        let telling = Telling { vessel: &vessel, at: Stamp(0), sid: 0 };
        // 1,800 rpm in eighths: 14,400, 3840 hex.
        assert_eq!(speed_and_torque(&telling)[0].clone().end().0[3..5], [0x40, 0x38]);
    }
}
