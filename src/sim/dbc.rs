//! What a battery monitor says on a CAN bus of its own: the message `Battery` of `configs/dbc/battery-monitor.dbc`,
//! which is the description that a listener has. Written by hand after it, so that the count is a second opinion.

use super::payload::Payload;
use super::telegram::{Telegram, Transport};
use super::vessel::{Vessel, ZERO_CELSIUS_K};

/// Identifier of 11 bits.
const BATTERY: u32 = 773;

/// The coldest that its temperature can tell, degrees Celsius.
const TEMPERATURE_OFFSET_C: f64 = -40.0;

/// Codes of its state.
const IDLE: f64 = 0.0;
const CHARGING: f64 = 1.0;
const DISCHARGING: f64 = 2.0;

/// Voltage, current, state of charge, temperature, state; the contactor is closed.
pub(crate) fn telegrams(vessel: &Vessel) -> Vec<Telegram> {
    let house = &vessel.power.house;
    let state = match house.current_a {
        out if out < 0.0 => DISCHARGING,
        into if into > 0.0 => CHARGING,
        _ => IDLE,
    };
    let flow = Payload::default().value(house.voltage_v, 0.01, 16).signed(house.current_a, 0.1, 16);
    let charge = flow.value(house.charge_ratio, 0.005, 8);
    let heat = charge.value(house.temperature_k - ZERO_CELSIUS_K - TEMPERATURE_OFFSET_C, 1.0, 8);
    let payload = heat.value(state, 1.0, 4).value(1.0, 1.0, 1).absent(11);
    vec![Telegram::new(BATTERY, 0, 0, Transport::Standard, payload)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Start;

    #[test]
    fn a_battery_is_as_worked_out_by_hand() {
        let mut vessel = Vessel::new(1, Start::default());
        let house = &mut vessel.power.house;
        (house.voltage_v, house.current_a, house.charge_ratio) = (25.6, -45.0, 0.75);
        house.temperature_k = ZERO_CELSIUS_K + 21.0;
        let frames = telegrams(&vessel)[0].frames();
        // 2,560 is 0A00 hex, -450 FE3E, 150 half per cents 96, 61 degrees above -40 3D; discharging, closed.
        let data = [0x00, 0x0A, 0x3E, 0xFE, 0x96, 0x3D, 0b1111_0010, 0xFF];
        assert_eq!((frames[0].id, frames[0].extended, frames[0].data), (773, false, data));
    }
}
