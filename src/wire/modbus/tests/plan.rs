//! What is read together.

use super::map_of;
use crate::wire::modbus::pdu::{COILS_MAX, REGISTERS_MAX};
use crate::wire::modbus::plan::{GAP_REGISTERS_MAX, plan, plan_around};
use crate::wire::modbus::{DeviceMap, Table};
use proptest::prelude::*;

/// The reads as `table address+count`, in their order.
fn reads(map: &DeviceMap) -> Vec<String> {
    let told = |read: &crate::wire::modbus::plan::Read| {
        let request = read.request;
        format!("{} {}+{}", request.table.function(), request.address, request.count)
    };
    plan(map).iter().map(told).collect()
}

#[test]
fn neighbours_are_joined_and_strangers_are_not() {
    let values = "holding 0 u16 V a.a -\nholding 1 f32 V a.b -\nholding 13 u16 V a.c -\nholding 25 u16 V a.d -
        input 14 u16 V a.e -\ncoil 0 bool - a.f -\ncoil 160 bool - a.g -\ncoil 322 bool - a.h -
        holding 2 u16 V a.i poll = \"slow\"";
    let map = map_of("", values);
    assert_eq!(GAP_REGISTERS_MAX, 10, "the gaps above are 10 and 11");
    let expected = ["1 0+161", "1 322+1", "3 0+14", "3 25+1", "4 14+1", "3 2+1"];
    assert_eq!(reads(&map), expected);
    assert_eq!(reads(&map_of("no_gaps = true", values))[3..6], ["3 0+3", "3 13+1", "3 25+1"]);
}

#[test]
fn a_read_is_never_longer_than_device_or_protocol_give() {
    let values: String = (0..200).map(|at| format!("holding {} f32 V a.v{at} -\n", 2 * at)).collect();
    let map = map_of("", &values);
    assert_eq!(reads(&map), ["3 0+124", "3 124+124", "3 248+124", "3 372+28"], "no value is cut");
    assert_eq!(reads(&map_of("registers_max = 3", &values))[..2], ["3 0+2", "3 2+2"]);
    assert_eq!(reads(&map_of("registers_max = 80", &values))[0], "3 0+80");
}

#[test]
fn what_is_refused_is_neither_read_nor_joined_across() {
    let map = map_of("", "holding 0 u16 V a.a -\nholding 1 u16 V a.b poll = \"slow\"\nholding 2 u16 V a.c -");
    let [fast, slow] = &plan(&map)[..] else { panic!("two classes") };
    assert_eq!((fast.request.count, slow.request.address), (3, 1));
    let around: Vec<_> = plan_around(&map, &[slow]).iter().map(|read| read.request.address).collect();
    assert_eq!(around, [0, 2]);
}

#[test]
fn what_a_device_refuses_is_cut_at_its_widest_gap() {
    let map = map_of("", "holding 0 u16 V a.a -\nholding 1 u16 V a.b -\nholding 9 u16 V a.c -\nholding 10 u16 V a.d -");
    let read = plan(&map).remove(0);
    let (first, second) = read.split(&map.values).expect("several values");
    assert_eq!((first.request.address, first.request.count), (0, 2));
    assert_eq!((second.request.address, second.request.count), (9, 2));
    let (one, other) = first.split(&map.values).expect("two values");
    assert_eq!((one.values, other.values), (vec![0], vec![1]));
    assert!(second.split(&map.values).expect("two values").0.split(&map.values).is_none());
    let bits = map_of("", "holding 0 u16 - a.a bit = 0\nholding 0 u16 - a.b bit = 1");
    assert!(plan(&bits)[0].split(&bits.values).is_none(), "one register, whatever its bits are called");
}

proptest! {
    #[test]
    fn every_value_is_read_once_and_whole(
        layout in proptest::collection::vec((0usize..4, 0u16..400, 0usize..3, any::<bool>()), 1..60),
        limit in 4u16..=125,
        no_gaps in any::<bool>(),
    ) {
        let tables = ["coil", "discrete", "holding", "input"];
        let kinds = ["u16", "f32", "u64"];
        let mut values = String::new();
        for (at, (table, address, kind, slow)) in layout.iter().enumerate() {
            let kind = if *table < 2 { "bool - " } else { &format!("{} V ", kinds[*kind]) };
            let poll = if *slow { "poll = \"slow\"" } else { "-" };
            values += &format!("{} {address} {kind}a.v{at} {poll}\n", tables[*table]);
        }
        let map = map_of(&format!("no_gaps = {no_gaps}\nregisters_max = {limit}"), &values);
        let planned = plan(&map);
        prop_assert_eq!(&planned, &plan(&map));
        let mut seen: Vec<usize> = planned.iter().flat_map(|read| read.values.clone()).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..map.values.len()).collect::<Vec<_>>());
        for read in &planned {
            let (start, count) = (u32::from(read.request.address), u32::from(read.request.count));
            let most = if read.request.table.is_bits() { COILS_MAX } else { limit.min(REGISTERS_MAX) };
            prop_assert!(count <= u32::from(most) && start + count <= 1 << 16);
            let mut data = vec![0; read.request.data_bytes()];
            data.fill(0xAA);
            for at in &read.values {
                let value = &map.values[*at];
                prop_assert_eq!((value.table, value.poll), (read.request.table, read.poll));
                prop_assert!(u32::from(value.address) >= start && value.end() <= start + count);
                let bytes = read.bytes_of(value, &data, &mut [0]).map(<[u8]>::len);
                let whole = if value.table.is_bits() { 1 } else { 2 * usize::from(value.layout.count) };
                prop_assert_eq!(bytes, Some(whole));
            }
            if no_gaps && read.request.table != Table::Coil {
                let mut end = start;
                for at in &read.values {
                    prop_assert!(u32::from(map.values[*at].address) <= end);
                    end = end.max(map.values[*at].end());
                }
            }
        }
    }
}
