//! The vessel's Modbus devices: meters that answer with her values, each by the register map that gateways have.
//!
//! Which readings come of them depends on how often they are asked, so that answers are counted and not readings.

use std::sync::{Arc, Mutex, PoisonError};

use crate::reading::Value;
use crate::wire::modbus::map::builtin;

use super::faults::Faults;
use super::modbus::{Device, ModbusDevices, Values};
use super::vessel::Vessel;

/// Unit ids, register maps by name, and what stands for the instance.
pub const MODBUS_UNITS: [(u8, &str, &str); 3] =
    [(1, "eastron-sdm630", "generator"), (100, "victron-gx-system", "house"), (225, "victron-gx-battery", "house")];

/// The devices of a vessel. They answer with what is true at the moment of the question.
pub fn modbus_devices(vessel: &Arc<Mutex<Vessel>>, faults: Faults) -> Arc<ModbusDevices> {
    let answers = Arc::clone(vessel);
    // A vessel is valid at every instant, so a panic elsewhere does no harm.
    let values: Values = Arc::new(move |path| {
        let vessel = answers.lock().unwrap_or_else(PoisonError::into_inner);
        let word = vessel.word(path).map(Value::text);
        word.or_else(|| vessel.value(path).map(Value::Float)).unwrap_or(Value::Absent)
    });
    let device = |(unit, name, instance): (u8, &str, &str)| {
        let map = builtin(name).and_then(Result::ok).expect("the maps that come with the program are tested");
        Device { unit, map, instance: instance.to_owned(), values: Arc::clone(&values) }
    };
    ModbusDevices::with_faults(MODBUS_UNITS.map(device).into(), faults)
}
