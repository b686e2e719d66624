//! The variants of a case: the same story told of several values.

/// Values with the names that tests of them carry: a list of both, such as `Ip::BOTH`, or a
/// product of up to three of such, such as `(CloseKind::ALL, Ip::BOTH)`.
///
/// A product's names are joined by `_` in the order of its factors (`linger_zero_ipv6`); an empty
/// one leaves no trace, so that with [`Ip::OVER`](crate::lab::Ip::OVER) they are `linger_zero`
/// and `linger_zero_over_ipv6`.
pub trait Variants: Sized {
    /// What a variant hands to the case's body; a product's is a tuple.
    type Value;

    /// All of them, in order.
    ///
    /// # Errors
    /// One is to be left out that there is not.
    fn named(self) -> Result<Vec<(String, Self::Value)>, String>;

    /// Each with one of `others`, the first with the first, where a whole product would tell no
    /// more: `Death::BOTH.paired(Ip::OVER)` is `power_off` over IPv4 and `panic_over_ipv6`. What
    /// tells two deaths apart has nothing to do with what tells two protocols apart.
    fn paired<B: Variants>(self, others: B) -> Paired<Self, B> {
        Paired(self, others)
    }

    /// All but those with these names.
    fn but<const N: usize>(self, names: [&'static str; N]) -> But<Self, N> {
        But { all: self, names }
    }
}

impl<V, const N: usize> Variants for [(&'static str, V); N] {
    type Value = V;

    fn named(self) -> Result<Vec<(String, V)>, String> {
        Ok(self.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl<V> Variants for Vec<(&'static str, V)> {
    type Value = V;

    fn named(self) -> Result<Vec<(String, V)>, String> {
        Ok(self.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl<A, B> Variants for (A, B)
where
    A: Variants<Value: Copy>,
    B: Variants<Value: Copy>,
{
    type Value = (A::Value, B::Value);

    fn named(self) -> Result<Vec<(String, Self::Value)>, String> {
        let (first, second) = (self.0.named()?, self.1.named()?);
        let pairs = first.iter().flat_map(|one| second.iter().map(move |other| (one, other)));
        Ok(pairs.map(|(one, other)| (joined(&one.0, &other.0), (one.1, other.1))).collect())
    }
}

impl<A, B, C> Variants for (A, B, C)
where
    A: Variants<Value: Copy>,
    B: Variants<Value: Copy>,
    C: Variants<Value: Copy>,
{
    type Value = (A::Value, B::Value, C::Value);

    fn named(self) -> Result<Vec<(String, Self::Value)>, String> {
        let nested = ((self.0, self.1), self.2).named()?;
        Ok(nested.into_iter().map(|(name, ((a, b), c))| (name, (a, b, c))).collect())
    }
}

/// Variants without some of them; see [`Variants::but`].
#[derive(Debug, Clone, Copy)]
pub struct But<A, const N: usize> {
    all: A,
    names: [&'static str; N],
}

impl<A: Variants, const N: usize> Variants for But<A, N> {
    type Value = A::Value;

    fn named(self) -> Result<Vec<(String, A::Value)>, String> {
        let mut all = self.all.named()?;
        for name in self.names {
            let place = all.iter().position(|(other, _)| other == name);
            all.remove(place.ok_or_else(|| format!("there is no variant {name} to leave out"))?);
        }
        Ok(all)
    }
}

/// Variants in pairs; see [`Variants::paired`].
#[derive(Debug, Clone, Copy)]
pub struct Paired<A, B>(A, B);

impl<A: Variants, B: Variants> Variants for Paired<A, B> {
    type Value = (A::Value, B::Value);

    fn named(self) -> Result<Vec<(String, Self::Value)>, String> {
        let (first, second) = (self.0.named()?, self.1.named()?);
        if first.len() != second.len() {
            let (some, others) = (first.len(), second.len());
            return Err(format!("{some} variants cannot be paired with {others}"));
        }
        let pairs = first.into_iter().zip(second);
        Ok(pairs.map(|(one, other)| (joined(&one.0, &other.0), (one.1, other.1))).collect())
    }
}

fn joined(one: &str, other: &str) -> String {
    let between = if one.is_empty() || other.is_empty() { "" } else { "_" };
    format!("{one}{between}{other}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Ip;

    const ENDS: [(&str, char); 2] = [("fin", 'f'), ("reset", 'r')];

    fn names<A: Variants>(variants: A) -> Vec<String> {
        variants.named().unwrap().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_product_has_every_pair_with_both_names() {
        assert_eq!(names((ENDS, Ip::BOTH)), ["fin_ipv4", "fin_ipv6", "reset_ipv4", "reset_ipv6"]);
        let over = (ENDS, Ip::OVER).named().unwrap();
        let (name, value) = &over[1];
        assert_eq!((name.as_str(), *value), ("fin_over_ipv6", ('f', Ip::V6)));
        assert_eq!(names((ENDS, Ip::OVER))[2], "reset");
        let three = (ENDS, [("once", 1), ("twice", 2)], Ip::BOTH).named().unwrap();
        assert_eq!(three.len(), 8);
        assert_eq!(three[6], ("reset_twice_ipv4".to_owned(), ('r', 2, Ip::V4)));
    }

    #[test]
    fn pairs_are_as_many_as_each_of_their_halves() {
        let pairs = ENDS.paired(Ip::OVER).named().unwrap();
        let expected =
            [("fin".to_owned(), ('f', Ip::V4)), ("reset_over_ipv6".to_owned(), ('r', Ip::V6))];
        assert_eq!(pairs, expected);
        let uneven = ENDS.paired([("once", 1)]).named().unwrap_err();
        assert_eq!(uneven, "2 variants cannot be paired with 1");
    }

    #[test]
    fn what_is_left_out_is_among_them() {
        assert_eq!(
            names((ENDS, Ip::OVER).but(["reset", "fin"])),
            ["fin_over_ipv6", "reset_over_ipv6"]
        );
        let nothing = ENDS.but(["syn"]).named().unwrap_err();
        assert_eq!(nothing, "there is no variant syn to leave out");
    }
}
