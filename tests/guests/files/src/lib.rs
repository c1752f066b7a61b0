//! Does the same at random to files of the charm's directory and to a plain
//! copy of them, and fails when it can tell one from the other.

mod work;

use charmhost::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Params {
    seed: u64,
    steps: u32,
    /// Whether files may get second names, which a copy does not have.
    links: bool,
}

struct Files;

impl Charm for Files {
    fn new(on: &mut Observe<Self>) -> Self {
        on.action("work", Self::on_work);
        Files
    }
}

impl Files {
    fn on_work(&mut self, event: ActionEvent) -> Result<()> {
        let params: Params = event.params()?;
        let charm_dir = context().charm_dir;
        let worked = work::compare(&charm_dir, &params);
        let told = worked.map_err(Error::msg)?;
        event.set_results(&told)
    }
}

charmhost::main!(Files);
