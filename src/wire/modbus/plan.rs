//! Which registers are read together. Pure and deterministic: the same map gives the same reads.
//!
//! Neighbours of one table and one poll class are joined when what lies between them costs less than another request;
//! a value is never cut. A read that the device refuses is split, see [`Read::split`].

use std::ops::Range;

use super::map::{DeviceMap, PollClass, ValueSpec};
use super::pdu::Request;

/// The widest gap between two values that are read together. Another request costs 8 bytes, its answer 5 more, and two
/// silences of 3.5 characters: 20 characters, as long as 10 registers.
pub const GAP_REGISTERS_MAX: u16 = 10;

/// The same for bits: 20 characters carry 160.
pub const GAP_BITS_MAX: u16 = 160;

/// Values that one question brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The question.
    pub request: Request,
    /// Which of the map's values it covers. They stand together there, but not all between need be of this poll class.
    pub values: Vec<usize>,
    /// How often it is asked.
    pub poll: PollClass,
}

/// Plans the reads of `map`: each value in exactly one.
pub fn plan(map: &DeviceMap) -> Vec<Read> {
    plan_around(map, &[])
}

/// The same without the values of `refused`, and without a read that joins others across their registers.
pub fn plan_around(map: &DeviceMap, refused: &[&Read]) -> Vec<Read> {
    let is_refused = |at: usize| refused.iter().any(|read| read.values.contains(&at));
    let mut reads: Vec<Read> = Vec::new();
    for poll in [PollClass::Fast, PollClass::Slow] {
        let of_class = (0..map.values.len()).filter(|at| map.values[*at].poll == poll && !is_refused(*at));
        for at in of_class {
            match reads.last_mut().filter(|read| read.poll == poll && may_join(map, refused, read, at)) {
                Some(read) => {
                    read.values.push(at);
                    read.request = covering(&map.values, &read.values);
                }
                None => reads.push(Read { request: covering(&map.values, &[at]), values: vec![at], poll }),
            }
        }
    }
    reads
}

fn may_join(map: &DeviceMap, refused: &[&Read], read: &Read, at: usize) -> bool {
    let (request, value) = (read.request, &map.values[at]);
    let limit = if request.table.is_bits() {
        request.table.count_max()
    } else {
        map.registers_max.min(request.table.count_max())
    };
    let end = u32::from(request.address) + u32::from(request.count);
    let gap_max = match () {
        () if map.no_gaps => 0,
        () if request.table.is_bits() => GAP_BITS_MAX,
        () => GAP_REGISTERS_MAX,
    };
    let is_across = |other: &Request| {
        let start = u32::from(other.address);
        other.table == request.table
            && start < value.end().max(end)
            && start + u32::from(other.count) > u32::from(request.address)
    };
    value.table == request.table
        && !refused.iter().any(|read| is_across(&read.request))
        && u32::from(value.address) <= end + u32::from(gap_max)
        && value.end().max(end) - u32::from(request.address) <= u32::from(limit)
}

/// The question that covers `members`, which are not empty, of one table, and ordered by address.
fn covering(values: &[ValueSpec], members: &[usize]) -> Request {
    let first = &values[members[0]];
    let end = members.iter().map(|at| values[*at].end()).max().unwrap_or(0);
    // Below 2,001: `may_join` keeps the limit, and no single value is longer than 32 registers.
    let count = (end - u32::from(first.address)) as u16;
    Request { table: first.table, address: first.address, count }
}

impl Read {
    /// A read of the value at `at` alone.
    pub fn of_one(map: &DeviceMap, at: usize, poll: PollClass) -> Self {
        Self { request: covering(&map.values, &[at]), values: vec![at], poll }
    }

    /// What the data of its answer say of `value`: the bytes of its registers, or its bit as one byte in `bit`. `None`
    /// when the answer does not hold it, which [`Request::judge`] rules out.
    pub fn bytes_of<'a>(&self, value: &ValueSpec, data: &'a [u8], bit: &'a mut [u8; 1]) -> Option<&'a [u8]> {
        let at = usize::from(value.address.checked_sub(self.request.address)?);
        if self.request.table.is_bits() {
            bit[0] = data.get(at / 8)? >> (at % 8) & 1;
            return Some(&bit[..]);
        }
        data.get(2 * at..2 * (at + usize::from(value.layout.count)))
    }

    /// Two reads in its place, after the device refused it: cut at the widest gap, since the registers in a gap are
    /// what a device most likely does not have, else in the middle. `None` when it holds one value only.
    pub fn split(&self, values: &[ValueSpec]) -> Option<(Self, Self)> {
        let count = self.values.len();
        // Values that overlap (bits of one register) cannot be told apart by reading.
        let gap = |cut: usize| {
            let before = self.values[..cut].iter().map(|at| values[*at].end()).max().unwrap_or(0);
            u32::from(values[self.values[cut]].address).checked_sub(before)
        };
        let cuts: Range<usize> = 1..count;
        let from_middle = |cut: usize| cut.abs_diff(count / 2);
        let cut = cuts
            .filter_map(|cut| Some((gap(cut)?, cut)))
            .max_by_key(|(gap, cut)| (*gap, usize::MAX - from_middle(*cut)));
        let (first, second) = self.values.split_at(cut?.1);
        let part =
            |members: &[usize]| Self { request: covering(values, members), values: members.to_vec(), poll: self.poll };
        Some((part(first), part(second)))
    }
}
