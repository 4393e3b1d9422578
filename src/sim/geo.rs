//! Plane geometry on the chart, good to some nautical miles: enough to move a simulated vessel, no more. It refuses to
//! be navigation: no geodesic, no poles.

/// An angle in degrees, clockwise from north where it is a direction.
pub(crate) type Degrees = f64;

/// Metres in a minute of latitude: the nautical mile.
const METRES_PER_MINUTE: f64 = 1_852.0;

/// A place on the chart, degrees north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
}

/// A velocity over the ground or through the air, m/s north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Velocity {
    pub(crate) north: f64,
    pub(crate) east: f64,
}

impl Velocity {
    /// Towards `direction` at `speed` m/s.
    pub(crate) fn towards(direction: Degrees, speed: f64) -> Self {
        let (sin, cos) = direction.to_radians().sin_cos();
        Self { north: speed * cos, east: speed * sin }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { north: self.north + other.north, east: self.east + other.east }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self { north: self.north - other.north, east: self.east - other.east }
    }

    /// m/s.
    pub(crate) fn speed(self) -> f64 {
        self.north.hypot(self.east)
    }

    /// Where it leads to, 0 to 360.
    pub(crate) fn direction(self) -> Degrees {
        self.east.atan2(self.north).to_degrees().rem_euclid(360.0)
    }
}

/// The place `metres` from `place` in `direction`.
pub(crate) fn moved(place: Place, direction: Degrees, metres: f64) -> Place {
    let way = Velocity::towards(direction, metres);
    let shrink = place.latitude.to_radians().cos().max(0.01);
    let longitude = place.longitude + way.east / METRES_PER_MINUTE / 60.0 / shrink;
    Place {
        latitude: (place.latitude + way.north / METRES_PER_MINUTE / 60.0).clamp(-85.0, 85.0),
        longitude: (longitude + 180.0).rem_euclid(360.0) - 180.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mile_north_is_a_minute_of_latitude() {
        let place = moved(Place { latitude: 52.0, longitude: 179.999 }, 0.0, 1_852.0);
        assert!((place.latitude - 52.0 - 1.0 / 60.0).abs() < 1e-9);
        let place = moved(place, 90.0, 1_852.0);
        assert!(place.longitude < -179.0, "over the date line");
    }

    #[test]
    fn a_direction_comes_back_from_its_velocity() {
        for direction in [0.0, 45.0, 135.0, 225.0, 315.0] {
            assert!((Velocity::towards(direction, 3.0).direction() - direction).abs() < 1e-9);
        }
    }
}
