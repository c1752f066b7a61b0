//! `charmhost:readiness/readiness`: waiting for several streams.

use std::time::Duration;

use charmhost_pebble::Readiness;
use wasmtime::component::Resource;

use super::bindings::readiness::{Host, HostPollable};
use crate::state::State;

/// A timeout of a guest. One that is negative or not a number is 0; one that is too
/// long for a clock is none.
pub(super) fn timeout(seconds: Option<f64>) -> Option<Duration> {
    let seconds = seconds?.max(0.0);
    Duration::try_from_secs_f64(seconds).ok()
}

impl Host for State {
    async fn poll(
        &mut self,
        sources: Vec<Resource<Readiness>>,
        seconds: Option<f64>,
    ) -> wasmtime::Result<Vec<u32>> {
        let mut waited = Vec::new();
        for source in &sources {
            waited.push(self.table.get(source)?.clone());
        }
        Ok(charmhost_pebble::poll(&waited, timeout(seconds)).await)
    }
}

impl HostPollable for State {
    async fn ready(&mut self, source: Resource<Readiness>) -> wasmtime::Result<bool> {
        let source = self.table.get(&source)?.clone();
        Ok(source.is_ready().await)
    }

    async fn drop(&mut self, source: Resource<Readiness>) -> wasmtime::Result<()> {
        self.table.delete(source)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_may_be_any_number() {
        for (seconds, wanted) in [
            (None, None),
            (Some(1.5), Some(Duration::from_millis(1500))),
            (Some(0.0), Some(Duration::ZERO)),
            (Some(-1.0), Some(Duration::ZERO)),
            (Some(f64::NAN), Some(Duration::ZERO)),
            (Some(f64::NEG_INFINITY), Some(Duration::ZERO)),
            (Some(f64::INFINITY), None),
        ] {
            assert_eq!(timeout(seconds), wanted, "{seconds:?}");
        }
    }
}
