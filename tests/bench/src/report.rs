//! The report, as tables and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::deferred::Deferred;
use crate::programs::{Event, Kind};
use crate::regimes::Samples;
use crate::statistics::{Estimate, estimate, quantile, ratios};

/// Results of a run of the bench.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    pub machine: Machine,
    /// How many copies there are of each program.
    pub copies: usize,
    /// How many programs take turns with cold caches.
    pub cold_programs: usize,
    pub times: Vec<Times>,
    pub counts: Vec<Counts>,
    pub deferred: Vec<Deferred>,
    /// The power of the number of deferred events, between 1,000 and 10,000,
    /// with which charmhost's CPU time grows.
    pub deferred_exponent: Estimate,
}

/// Where it was measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cpus: usize,
    pub kernel: String,
    /// The share of the CPUs' time that others used meanwhile.
    pub used_by_others: f64,
}

/// The wall times of a program beside another's.
#[derive(Debug, Serialize, Deserialize)]
pub struct Times {
    /// `cold` or `hot`.
    pub regime: String,
    pub event: String,
    pub subject: String,
    pub baseline: String,
    pub subject_ms: Quantiles,
    pub baseline_ms: Quantiles,
    /// Subject/baseline of pairs of runs, and its 95 % interval.
    pub ratio: Estimate,
    pub pairs: usize,
}

/// The distribution of a value.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Quantiles {
    pub p10: f64,
    pub median: f64,
    pub p90: f64,
}

impl Machine {
    pub fn describe(used_by_others: f64) -> anyhow::Result<Self> {
        let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = cpus.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(": "));
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
        Ok(Machine {
            cpu: model.map_or("an unnamed CPU", |(_, name)| name).to_owned(),
            cpus: std::thread::available_parallelism()?.get(),
            kernel: kernel.trim().to_owned(),
            used_by_others,
        })
    }
}

/// Which programs are compared, subject first.
const COMPARED: [(Event, Kind, &[Kind]); 5] = [
    (
        Event::UpdateStatus,
        Kind::Charmhost,
        &[Kind::Python, Kind::Native, Kind::Bare],
    ),
    (
        Event::UpdateStatus,
        Kind::WithState,
        &[Kind::Python, Kind::Charmhost],
    ),
    (
        Event::ConfigChanged,
        Kind::Charmhost,
        &[Kind::Python, Kind::Native],
    ),
    (
        Event::RelationChanged,
        Kind::Charmhost,
        &[Kind::Python, Kind::Native],
    ),
    (
        Event::Action,
        Kind::Charmhost,
        &[Kind::Python, Kind::Native],
    ),
];

/// The comparisons in one regime.
pub fn compare(regime: &str, samples: &Samples) -> Vec<Times> {
    let mut times = Vec::new();
    for (event, subject, baselines) in COMPARED {
        for baseline in baselines {
            let of = |kind| samples.get(&(event, kind)).map(Vec::as_slice);
            let (ours, theirs) = (
                of(subject).unwrap_or_default(),
                of(*baseline).unwrap_or_default(),
            );
            let ratios = ratios(ours, theirs);
            let quantiles = |samples: &[crate::statistics::Sample]| {
                let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
                Quantiles {
                    p10: quantile(&values, 0.1),
                    median: quantile(&values, 0.5),
                    p90: quantile(&values, 0.9),
                }
            };
            times.push(Times {
                regime: regime.to_owned(),
                event: event.name().to_owned(),
                subject: subject.name().to_owned(),
                baseline: baseline.name().to_owned(),
                subject_ms: quantiles(ours),
                baseline_ms: quantiles(theirs),
                ratio: estimate(&ratios),
                pairs: ratios.iter().map(Vec::len).sum(),
            });
        }
    }
    times
}

impl Report {
    /// The tables for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}.\n", self.conditions());
        let columns = [
            "event",
            "program",
            "ms",
            "against",
            "ms",
            "ratio, 95 % interval",
        ];
        let turns = format!("all {} programs in turn", self.cold_programs);
        for (regime, turns) in [
            ("cold", turns.as_str()),
            ("hot", "those of one event in turn"),
        ] {
            let mut rows = vec![columns.map(str::to_owned).to_vec()];
            let of_regime = self.times.iter().filter(|times| times.regime == regime);
            rows.extend(of_regime.map(|times| {
                vec![
                    times.event.clone(),
                    times.subject.clone(),
                    number(times.subject_ms.median),
                    times.baseline.clone(),
                    number(times.baseline_ms.median),
                    ratio(times.ratio),
                ]
            }));
            let _ = writeln!(out, "{regime} caches ({turns}): medians from start to end");
            out += &table(&rows);
            out.push('\n');
        }
        out += &table(&self.count_rows(|_| true));
        let mut skipped = BTreeMap::<&str, Vec<String>>::new();
        for counts in &self.counts {
            if let Some(reason) = &counts.instructions_skipped {
                let name = format!("{} at {}", counts.program, counts.event);
                skipped.entry(reason).or_default().push(name);
            }
        }
        for (reason, names) in skipped {
            let names = names.join("; ");
            let _ = writeln!(out, "instructions not counted, {reason}: {names}");
        }
        out.push('\n');
        out += &table(&self.deferred_rows());
        let exponent = self.deferred_exponent;
        let _ = writeln!(
            out,
            "exponent of charmhost's growth from 1,000 to 10,000: {:.2} ({:.2} to {:.2})",
            exponent.value, exponent.low, exponent.high
        );
        out
    }

    /// The tables for the README.
    pub fn markdown(&self) -> String {
        let mut out = format!("{}.\n\n", self.conditions());
        let kinds = [Kind::Python, Kind::Native, Kind::Bare];
        let mut rows = vec![vec!["event".to_owned(), "charmhost".to_owned()]];
        if let Some(heads) = rows.first_mut() {
            heads.extend(kinds.iter().map(|kind| kind.name().to_owned()));
        }
        for (event, subject, _) in COMPARED {
            let of_row = |times: &&Times| {
                times.regime == "cold"
                    && times.event == event.name()
                    && times.subject == subject.name()
            };
            let of_row: Vec<&Times> = self.times.iter().filter(of_row).collect();
            let Some(first) = of_row.first() else {
                continue;
            };
            let state = match subject {
                Kind::WithState => ", unit with state",
                _ => "",
            };
            let ours = format!("{} ms", number(first.subject_ms.median));
            let mut row = vec![format!("{}{state}", event.name()), ours];
            row.extend(kinds.iter().map(|kind| {
                let against = of_row.iter().find(|times| times.baseline == kind.name());
                against.map_or(String::new(), |times| {
                    let ms = number(times.baseline_ms.median);
                    format!("{ms} ms: {}", ratio(times.ratio))
                })
            }));
            rows.push(row);
        }
        out += &markdown(&rows);
        out.push('\n');
        let rows = self.count_rows(|counts| counts.event == Event::UpdateStatus.name());
        out += &markdown(&rows);
        out.push('\n');
        out += &markdown(&self.deferred_rows());
        let exponent = self.deferred_exponent;
        let _ = write!(
            out,
            "\nFrom 1,000 to 10,000 deferred events, charmhost's CPU time grows with the power\n{:.2} ({:.2} to {:.2}) of their number.\n",
            exponent.value, exponent.low, exponent.high
        );
        out
    }

    fn conditions(&self) -> String {
        let Machine {
            cpu,
            cpus,
            kernel,
            used_by_others,
        } = &self.machine;
        format!(
            "On {cpu}, {cpus} CPUs, Linux {kernel}, of which others used {:.0} % meanwhile;\n{} copies of each program",
            used_by_others * 100.0,
            self.copies
        )
    }

    fn count_rows(&self, wanted: impl Fn(&Counts) -> bool) -> Vec<Vec<String>> {
        let heads = [
            "event",
            "program",
            "instructions",
            "page faults",
            "peak memory",
            "anonymous at the end",
            "size",
        ];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        let counts = self.counts.iter().filter(|counts| wanted(counts));
        rows.extend(counts.map(|counts| {
            let instructions = counts.instructions.map(|count| count as f64 / 1e6);
            let size = counts.size_bytes.map(|bytes| bytes as f64 / 1e6);
            vec![
                counts.event.clone(),
                counts.program.clone(),
                instructions.map_or("–".to_owned(), |count| format!("{} M", number(count))),
                number(counts.minor_faults + counts.major_faults),
                format!("{} MiB", number(counts.peak_mib)),
                format!("{} MiB", number(counts.anonymous_mib)),
                size.map_or("–".to_owned(), |size| format!("{} MB", number(size))),
            ]
        }));
        rows
    }

    fn deferred_rows(&self) -> Vec<Vec<String>> {
        let heads = [
            "deferred events handled",
            "charmhost, CPU time",
            "Python ops 3.9",
        ];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        let of = |kind: Kind| {
            let of_kind = self.deferred.iter();
            of_kind.filter(move |deferred| deferred.program == kind.name())
        };
        let cell = |deferred: &Deferred| {
            let Estimate { value, low, high } = deferred.cpu_ms;
            format!("{} ms ({} to {})", number(value), number(low), number(high))
        };
        rows.extend(of(Kind::WithState).map(|deferred| {
            let python = of(Kind::Python).find(|other| other.events == deferred.events);
            vec![
                number(deferred.events.into()),
                cell(deferred),
                python.map_or("–".to_owned(), cell),
            ]
        }));
        rows
    }
}

/// With three digits, and commas between thousands.
fn number(value: f64) -> String {
    match value {
        whole if whole >= 10.0 && whole.fract() == 0.0 && whole < 100.0 => format!("{whole:.0}"),
        small if small < 9.995 => format!("{value:.2}"),
        small if small < 99.95 => format!("{value:.1}"),
        _ => {
            let digits = format!("{value:.0}");
            let mut out = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    out.push(',');
                }
                out.push(digit);
            }
            out
        }
    }
}

/// `1/80 (1/78 to 1/83)` where the subject takes less than half, `1.30x (1.25x
/// to 1.36x)` otherwise.
fn ratio(ratio: Estimate) -> String {
    if ratio.value < 0.5 {
        let Estimate { value, low, high } = ratio.reciprocal();
        let part = |value: f64| match value < 9.95 {
            true => format!("1/{value:.1}"),
            false => format!("1/{value:.0}"),
        };
        return format!("{} ({} to {})", part(value), part(low), part(high));
    }
    let Estimate { value, low, high } = ratio;
    format!("{value:.2}x ({low:.2}x to {high:.2}x)")
}

/// Columns as wide as their widest cell.
fn table(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "  {cell:<width$}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn markdown(rows: &[Vec<String>]) -> String {
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        let _ = writeln!(out, "| {} |", row.join(" | "));
        if index == 0 {
            let _ = writeln!(out, "|{}", "---|".repeat(row.len()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let cases = [
            (0.5, "0.50"),
            (2.345, "2.35"),
            (9.996, "10.0"),
            (99.96, "100"),
            (10.0, "10"),
            (248.0, "248"),
            (9876.5, "9,876"),
            (1234567.0, "1,234,567"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_ratio_shows_its_interval_in_its_own_direction() {
        let estimate = |value, low, high| Estimate { value, low, high };
        assert_eq!(ratio(estimate(2.0, 1.9, 2.2)), "2.00x (1.90x to 2.20x)");
        assert_eq!(ratio(estimate(0.02, 0.01, 0.025)), "1/50 (1/40 to 1/100)");
        assert_eq!(ratio(estimate(0.25, 0.2, 0.5)), "1/4.0 (1/2.0 to 1/5.0)");
    }

    #[test]
    fn a_table_is_aligned() {
        let rows = [["a", "b"], ["long", "c"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "  a     b\n  long  c\n");
        assert_eq!(markdown(&rows), "| a | b |\n|---|---|\n| long | c |\n");
    }
}
