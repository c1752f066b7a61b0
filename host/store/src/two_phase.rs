//! The two-phase commit of atomic mode (design §4). Juju is the coordinator, the
//! state a participant.
//!
//! 1. A dispatch *prepares* its changes beside the state under a new number and
//!    runs `state-set charmhost-commit=NUMBER`, which Juju buffers with all other
//!    writes of the hook.
//! 2. The next dispatch runs `state-get charmhost-commit`: if Juju has the
//!    number, it has committed the hook, and the prepared changes are *committed*,
//!    else they are *rolled back*.

use charmhost_juju::{Level, Model};
use serde_json::Value;

use crate::Error;

/// The key under which Juju stores the number of the last prepared changes that
/// it has committed.
pub const COMMIT_KEY: &str = "charmhost-commit";

/// Why a restricted hook (ops §2.5) cannot use state with prepared changes. Juju
/// cannot be asked whether it committed the previous hook, so the charm would see
/// a state that is perhaps not the last, and its changes would be lost or saved
/// twice under the prepared ones.
pub(crate) const UNDECIDABLE: &str = "whether Juju committed the previous hook cannot be determined in its context, and its local state depends on that";

/// What becomes of prepared changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Commit,
    Rollback,
}

/// Announces changes that are about to be prepared to Juju, and returns their
/// number.
pub(crate) fn announce(model: &mut Model) -> Result<i64, Error> {
    let number = new_number(model);
    let entry = format!("{}: \"{number}\"\n", Value::from(COMMIT_KEY));
    model.state_set(&entry).map_err(Error::Juju)?;
    Ok(number)
}

/// Decides about the changes that an earlier dispatch prepared under a number:
/// Juju has the number if and only if it has all other writes of that hook.
pub(crate) fn decide(number: i64, model: &mut Model) -> Result<Decision, Error> {
    let committed = model.state(COMMIT_KEY).map_err(Error::Undecided)?;
    if committed.trim() == number.to_string() {
        model.log(
            Level::Debug,
            "Committing local state of the previous hook: Juju committed it.",
        );
        return Ok(Decision::Commit);
    }
    model.log(
        Level::Debug,
        "Rolling back local state of the previous hook: Juju did not commit it.",
    );
    Ok(Decision::Rollback)
}

/// A number that was never used before, even if the state was lost since.
fn new_number(model: &Model) -> i64 {
    let now = model.clock().wall();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}
