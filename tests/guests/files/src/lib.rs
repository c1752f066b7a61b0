//! Performs the operations on files that an action's parameters list, and logs
//! their results.

mod work;

use charmhost::prelude::*;
use serde::Deserialize;
use steps::Step;

/// How many bytes of results one line of the log takes.
const LINE: usize = 50_000;

#[derive(Deserialize)]
struct Params {
    steps: Vec<Step>,
}

struct Files;

impl Charm for Files {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("work", Self::on_work);
        Ok(Files)
    }
}

impl Files {
    fn on_work(&self, event: ActionEvent) -> Result<()> {
        let params: Params = event.params()?;
        let outcomes = work::run(&params.steps);
        let text =
            serde_json::to_string(&outcomes).map_err(|error| Error::msg(error.to_string()))?;
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let mut end = rest.len().min(LINE);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let (line, left) = rest.split_at(end);
            log::info!("RESULTS {line}");
            rest = left;
        }
        Ok(())
    }
}

charmhost::main!(Files);
