//! Medians, ratios of paired runs, and their confidence intervals.

use serde::{Deserialize, Serialize};

/// How many samples a bootstrap draws.
const RESAMPLES: usize = 2000;
/// The same for every table, so that a report can be computed again.
const SEED: u64 = 0x6368_6172_6d68_6f73;

/// One timed run of a copy of a program.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Which copy.
    pub copy: usize,
    /// Which round: runs of the same copy number and round are a pair.
    pub round: usize,
    pub value: f64,
}

/// A median with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// The estimate of the reciprocal.
    pub fn reciprocal(self) -> Self {
        Estimate {
            value: 1.0 / self.value,
            low: 1.0 / self.high,
            high: 1.0 / self.low,
        }
    }
}

/// The value below which a share of the values is, interpolated between the
/// two next to it; NaN if there are none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let position = share * values.len().saturating_sub(1) as f64;
    match (
        values.get(position.floor() as usize),
        values.get(position.ceil() as usize),
    ) {
        (Some(below), Some(above)) => below + (above - below) * position.fract(),
        _ => f64::NAN,
    }
}

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The ratios subject/baseline of the runs of the same round, by copy.
pub fn ratios(subject: &[Sample], baseline: &[Sample]) -> Vec<Vec<f64>> {
    let copies = subject.iter().map(|sample| sample.copy + 1).max();
    let mut ratios = vec![Vec::new(); copies.unwrap_or_default()];
    for sample in subject {
        let paired = baseline
            .iter()
            .find(|other| (other.copy, other.round) == (sample.copy, sample.round));
        if let (Some(other), Some(ratios)) = (paired, ratios.get_mut(sample.copy)) {
            ratios.push(sample.value / other.value);
        }
    }
    ratios.retain(|ratios| !ratios.is_empty());
    ratios
}

/// The median of all values, and its interval by a bootstrap that draws groups
/// first and values within each afterwards: what the values of a group (a copy
/// of a program) have in common is chance too.
pub fn estimate(groups: &[Vec<f64>]) -> Estimate {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut medians = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let mut drawn = Vec::new();
        for _ in groups {
            let group = random.choice(groups).map(Vec::as_slice).unwrap_or_default();
            drawn.extend(group.iter().filter_map(|_| random.choice(group)));
        }
        medians.push(median(&drawn));
    }
    Estimate {
        value: median(&groups.concat()),
        low: quantile(&medians, 0.025),
        high: quantile(&medians, 0.975),
    }
}

/// The power of the size with which a cost grows: 1 is linear, 2 quadratic.
pub fn exponent(small: (f64, f64), large: (f64, f64)) -> f64 {
    (large.1 / small.1).ln() / (large.0 / small.0).ln()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn samples(values: &[(usize, usize, f64)]) -> Vec<Sample> {
        let sample = |&(copy, round, value)| Sample { copy, round, value };
        values.iter().map(sample).collect()
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile(&[10.0, 20.0, 30.0, 40.0, 50.0], 0.1), 14.0);
        assert_eq!(quantile(&[7.0], 0.9), 7.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn runs_are_paired_by_copy_and_round() {
        let subject = samples(&[(0, 0, 2.0), (1, 0, 3.0), (0, 1, 8.0), (1, 1, 5.0)]);
        // In another order, and without a run of copy 1 in round 1.
        let baseline = samples(&[(0, 1, 2.0), (1, 0, 6.0), (0, 0, 1.0)]);
        assert_eq!(ratios(&subject, &baseline), [vec![2.0, 4.0], vec![0.5]]);
        assert!(ratios(&subject, &[]).is_empty());
    }

    #[test]
    fn the_interval_of_equal_values_is_a_point() {
        let point = Estimate {
            value: 2.0,
            low: 2.0,
            high: 2.0,
        };
        assert_eq!(estimate(&[vec![2.0; 5], vec![2.0; 3]]), point);
        assert_eq!(point.reciprocal().value, 0.5);
    }

    #[test]
    fn the_interval_shrinks_with_the_number_of_values() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut width = |groups: usize| {
            let group = |_| (0..20).map(|_| random.f64()).collect();
            let groups: Vec<Vec<f64>> = (0..groups).map(group).collect();
            let Estimate { value, low, high } = estimate(&groups);
            assert!(low < value && value < high, "{low} {value} {high}");
            high - low
        };
        assert!(width(64) < width(4) / 2.0);
    }

    /// Six copies whose speeds differ by 10 %, each measured without any noise:
    /// values drawn one by one would promise far too much.
    #[test]
    fn the_interval_covers_the_luck_of_the_copies() {
        let copies = [0.95, 0.97, 0.99, 1.01, 1.03, 1.05].map(|speed| vec![speed; 50]);
        let of_copies = estimate(&copies);
        assert!(
            of_copies.low <= 0.97 && of_copies.high >= 1.03,
            "{of_copies:?}"
        );
        let one_by_one: Vec<Vec<f64>> = copies.concat().iter().map(|&v| vec![v]).collect();
        let one_by_one = estimate(&one_by_one);
        assert!(one_by_one.high - one_by_one.low < (of_copies.high - of_copies.low) / 2.0);
    }

    /// Of a hundred experiments with a known ratio, about 95 find it within the
    /// interval.
    #[test]
    fn about_95_of_100_intervals_hold_the_true_ratio() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut noise = |width: f64| 1.0 + width * (random.f64() + random.f64() - 1.0);
        let mut held = 0;
        for _ in 0..100 {
            let mut run = |speed: f64| -> Vec<Sample> {
                let copies = (0..12).map(|copy| (copy, speed * noise(0.1)));
                copies
                    .flat_map(|(copy, speed)| (0..10).map(move |round| (copy, round, speed)))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .map(|(copy, round, speed)| Sample {
                        copy,
                        round,
                        value: speed * noise(0.2),
                    })
                    .collect()
            };
            let (subject, baseline) = (run(3.0), run(2.0));
            let found = estimate(&ratios(&subject, &baseline));
            held += usize::from(found.low <= 1.5 && 1.5 <= found.high);
        }
        assert!((85..=99).contains(&held), "{held} of 100");
    }

    #[test]
    fn the_exponent_is_the_power() {
        assert!((exponent((1e3, 0.2), (1e4, 2.0)) - 1.0).abs() < 1e-9);
        assert!((exponent((1e3, 0.2), (1e4, 20.0)) - 2.0).abs() < 1e-9);
        assert!((exponent((10.0, 0.1), (1000.0, 0.1)) - 0.0).abs() < 1e-9);
    }
}
