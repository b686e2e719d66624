//! Sequence numbers: 32 bits that wrap.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Sub};

/// A TCP sequence number (RFC 9293 section 3.4).
///
/// The order is the wrapping one: `a < b` if `b` is reached from `a` by going forward less than
/// half the circle. Two numbers exactly half the circle apart have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seq(pub u32);

impl Seq {
    /// The number as a distance forward from `base`: 0 for the base itself.
    #[must_use]
    pub fn relative_to(self, base: Self) -> u32 {
        self.0.wrapping_sub(base.0)
    }

    /// The later of the two; `self` where they have no order.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

impl PartialOrd for Seq {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match *self - *other {
            i32::MIN => None,
            distance => Some(distance.cmp(&0)),
        }
    }
}

impl Add<u32> for Seq {
    type Output = Self;

    fn add(self, forward: u32) -> Self {
        Self(self.0.wrapping_add(forward))
    }
}

impl Sub<u32> for Seq {
    type Output = Self;

    fn sub(self, back: u32) -> Self {
        Self(self.0.wrapping_sub(back))
    }
}

/// How far `self` is ahead of the other (negative: behind), by the shorter way round.
impl Sub for Seq {
    type Output = i32;

    fn sub(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        assert!(Seq(u32::MAX) < Seq(0));
        assert!(Seq(5) > Seq(u32::MAX - 5));
        assert_eq!(Seq(3) - Seq(u32::MAX), 4);
        assert_eq!(Seq(u32::MAX) - Seq(3), -4);
        assert_eq!(Seq(u32::MAX) + 2, Seq(1));
        assert_eq!(Seq(u32::MAX).later(Seq(1)), Seq(1));
    }

    #[test]
    fn opposite_points_of_the_circle_have_no_order() {
        assert_eq!(Seq(0).partial_cmp(&Seq(1 << 31)), None);
        assert_eq!(Seq(1 << 31).partial_cmp(&Seq(0)), None);
    }

    proptest! {
        #[test]
        fn going_forward_less_than_half_is_later(from: u32, step in 1_u32..1 << 31) {
            let (a, b) = (Seq(from), Seq(from) + step);
            prop_assert!(a < b);
            prop_assert!(b > a);
            prop_assert_eq!(b.relative_to(a), step);
            prop_assert_eq!(i64::from(b - a), i64::from(step));
            prop_assert_eq!(b - step, a);
            prop_assert_eq!(a.later(b), b);
            prop_assert_eq!(b.later(a), b);
        }

        #[test]
        fn order_does_not_depend_on_where_the_circle_is_cut(a: u32, b: u32, turn: u32) {
            let before = Seq(a).partial_cmp(&Seq(b));
            prop_assert_eq!((Seq(a) + turn).partial_cmp(&(Seq(b) + turn)), before);
            prop_assert_eq!(Seq(b).partial_cmp(&Seq(a)), before.map(Ordering::reverse));
        }
    }
}
