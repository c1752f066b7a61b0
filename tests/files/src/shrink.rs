//! Finds a small part of a list of steps that still fails.

use std::time::{Duration, Instant};

use steps::Step;

use crate::Failure;

/// Time limit of the search.
const PATIENCE: Duration = Duration::from_secs(60);

/// Leaves out steps as long as the rest fails; nothing if the whole list does
/// not fail again.
pub fn shrink(
    steps: &[Step],
    mut fails: impl FnMut(&[Step]) -> anyhow::Result<Option<Failure>>,
) -> anyhow::Result<Option<Failure>> {
    let begun = Instant::now();
    let Some(mut failure) = fails(steps)? else {
        return Ok(None);
    };
    let mut left = steps.to_vec();
    let mut size = left.len().div_ceil(2);
    while size > 0 && begun.elapsed() < PATIENCE {
        let mut start = 0;
        let mut has_shrunk = false;
        while start < left.len() && begun.elapsed() < PATIENCE {
            let end = (start + size).min(left.len());
            let rest: Vec<Step> = left[..start].iter().chain(&left[end..]).cloned().collect();
            match fails(&rest)? {
                Some(smaller) => {
                    (left, failure, has_shrunk) = (rest, smaller, true);
                }
                None => start = end,
            }
        }
        if size == 1 && !has_shrunk {
            break;
        }
        if !has_shrunk || size > 1 {
            size = size.div_ceil(2).min(size.saturating_sub(1)).max(1);
        }
    }
    Ok(Some(failure))
}
