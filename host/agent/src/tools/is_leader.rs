//! `is-leader`.

use super::format::Shown;
use super::{Call, Refusal};
use crate::model::Hook;

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    call.arguments.none().map_err(Refusal::Usage)?;
    Ok(Some(Shown::Value(hook.model().leader.into())))
}
