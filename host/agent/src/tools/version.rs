//! `application-version-set`.

use super::format::Shown;
use super::{Call, Refusal};
use crate::model::Hook;

pub fn set(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let version = call.arguments.at_most_one().map_err(Refusal::Usage)?;
    let missing = || Refusal::Usage("no version specified".to_owned());
    hook.set_workload_version(version.ok_or_else(missing)?.to_owned());
    Ok(None)
}
