//! Who holds which address of a CAN bus: the table that address claims (PGN 60928) maintain, for NMEA 2000 and J1939.
//!
//! It only listens. It does not arbitrate: of two NAMEs that want one address the lower wins and says so again
//! (SAE J1939-81, 4.4), so the claim that was heard last stands.

/// The PGN of an address claim (SAE J1939-81, 4.2.2).
pub const ADDRESS_CLAIM: u32 = 60_928;

/// Addresses that can be held: 254 says "cannot claim", 255 is everybody (J1939-81, 4.2).
pub const ADDRESSES: usize = 254;

/// The NAME of each address, as far as heard. 254 addresses of 16 bytes: 4 KiB, whatever comes.
#[derive(Clone, Debug)]
pub struct Names(Box<[Option<u64>; ADDRESSES]>);

/// What a claim changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// From the null address: the device has none.
    CannotClaim,
    /// The holder said it again.
    Known,
    /// Another holder than before, `before` if there was one. What was half heard from the address is not its own.
    NewHolder {
        /// The NAME that held the address until now.
        before: Option<u64>,
        /// The address that the new holder had until now.
        moved_from: Option<u8>,
    },
}

impl Default for Names {
    fn default() -> Self {
        Self(Box::new([None; ADDRESSES]))
    }
}

impl Names {
    /// Takes the claim of `address` by `name`. A NAME holds one address: the one it had before is free again.
    pub fn claim(&mut self, address: u8, name: u64) -> Claim {
        let Some(before) = self.0.get(usize::from(address)).copied() else { return Claim::CannotClaim };
        if before == Some(name) {
            return Claim::Known;
        }
        let moved_from = self.address(name);
        if let Some(slot) = moved_from.and_then(|old| self.0.get_mut(usize::from(old))) {
            *slot = None;
        }
        self.0[usize::from(address)] = Some(name);
        Claim::NewHolder { before, moved_from }
    }

    /// Who holds `address`.
    pub fn name(&self, address: u8) -> Option<u64> {
        self.0.get(usize::from(address)).copied().flatten()
    }

    /// Where `name` is.
    pub fn address(&self, name: u64) -> Option<u8> {
        self.0.iter().position(|held| *held == Some(name)).and_then(|at| u8::try_from(at).ok())
    }

    /// The address claim's NAME: the payload's eight bytes, least significant first; `None` when there are fewer.
    pub fn of_claim(payload: &[u8]) -> Option<u64> {
        Some(u64::from_le_bytes(*payload.first_chunk()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_claim_stands_and_a_name_holds_one_address() {
        let mut names = Names::default();
        assert_eq!(names.claim(35, 7), Claim::NewHolder { before: None, moved_from: None });
        assert_eq!(names.claim(35, 7), Claim::Known);
        assert_eq!(names.claim(35, 5), Claim::NewHolder { before: Some(7), moved_from: None });
        assert_eq!(names.address(7), None, "who lost its address has none");
        assert_eq!(names.claim(36, 5), Claim::NewHolder { before: None, moved_from: Some(35) });
        assert_eq!((names.name(35), names.name(36)), (None, Some(5)));
    }

    #[test]
    fn the_null_and_the_global_address_are_held_by_nobody() {
        let mut names = Names::default();
        assert_eq!(names.claim(254, 7), Claim::CannotClaim);
        assert_eq!(names.claim(255, 7), Claim::CannotClaim);
        assert_eq!((names.name(254), names.name(255), names.address(7)), (None, None, None));
        assert_eq!(Names::of_claim(&[1, 0, 0, 0, 0, 0, 0, 0x80, 9]), Some(0x8000_0000_0000_0001));
        assert_eq!(Names::of_claim(&[1, 2, 3]), None);
    }
}
