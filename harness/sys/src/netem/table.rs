//! How delays are spread. netem draws them from a table of its user's (`sch_netem.c`,
//! `tabledist`): the inverse of a distribution function at even steps, in units of 1/8192 of the
//! standard deviation, each within four of them.

use std::fmt;

/// `NETEM_DIST_SCALE`: one standard deviation.
const SCALE: f64 = 8192.0;
/// Steps; the kernel takes up to 16384, and `tc`'s own tables have as many as this.
const STEPS: usize = 4096;

/// How a varying delay is spread around its mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distribution {
    /// Evenly, up to the jitter on either side.
    #[default]
    Uniform,
    /// The bell curve, with the jitter as its standard deviation.
    Normal,
    /// Pareto's, of shape 3: most a little early, a few very late.
    Pareto,
}

impl Distribution {
    /// The table that the kernel draws from.
    #[must_use]
    pub fn table(self) -> Vec<i16> {
        let at = |step| (step as f64 + 0.5) / STEPS as f64;
        let entry = |p| (self.quantile(p) * SCALE).round() as i16;
        (0..STEPS).map(|step| entry(at(step))).collect()
    }

    /// How many times the jitter a delay may lie from its mean, at most.
    #[must_use]
    pub fn farthest(self) -> u32 {
        match self {
            Self::Uniform => 1,
            Self::Normal | Self::Pareto => 4,
        }
    }

    /// Where a share `p` of all lies below, in standard deviations from the mean.
    fn quantile(self, p: f64) -> f64 {
        match self {
            Self::Uniform => 2.0 * p - 1.0,
            Self::Normal => normal(p),
            // Smallest value 1, shape 3: mean 3/2, variance 3/4.
            Self::Pareto => ((1.0 - p).powf(-1.0 / 3.0) - 1.5) / 0.75_f64.sqrt(),
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
        })
    }
}

/// The inverse of the normal distribution function, by halving: the function rises, and four
/// standard deviations hold every step of the table.
fn normal(p: f64) -> f64 {
    let (mut low, mut high) = (-5.0, 5.0);
    // A hundred-thousandth of a deviation: a tenth of the table's own unit.
    for _ in 0..20 {
        let middle = (low + high) / 2.0;
        if below(middle) < p { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The normal distribution function, by its power series around zero
/// (Abramowitz and Stegun, 26.2.11).
fn below(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-9 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Distribution; 3] =
        [Distribution::Uniform, Distribution::Normal, Distribution::Pareto];

    #[test]
    fn tables_rise_and_stay_within_four_deviations() {
        for distribution in ALL {
            let table = distribution.table();
            assert_eq!(table.len(), STEPS);
            assert!(table.is_sorted(), "{distribution}");
            let farthest = distribution.farthest() as f64 * SCALE;
            let inside = |entry: &i16| f64::from(*entry).abs() <= farthest;
            assert!(table.iter().all(inside), "{distribution}");
        }
    }

    #[test]
    fn tables_have_their_mean_and_deviation() {
        let moment = |table: &[i16], power| {
            let all = table.iter().map(|entry| (f64::from(*entry) / SCALE).powi(power));
            all.sum::<f64>() / STEPS as f64
        };
        // Of Pareto's far end the table's four deviations keep less than all.
        let expected = [0.577, 1.0, 0.738];
        for (distribution, deviation) in ALL.into_iter().zip(expected) {
            let table = distribution.table();
            assert!(moment(&table, 1).abs() < 0.05, "{distribution}");
            let seen = moment(&table, 2).sqrt();
            assert!((seen - deviation).abs() < 0.01, "{distribution}: {seen}");
        }
    }

    #[test]
    fn the_bell_curve_is_the_known_one() {
        for (share, deviations) in
            [(0.5, 0.0), (0.841_345, 1.0), (0.977_250, 2.0), (0.001_35, -3.0)]
        {
            assert!((normal(share) - deviations).abs() < 1e-3, "{share}");
        }
    }
}
