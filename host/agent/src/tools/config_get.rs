//! `config-get`.

use serde_json::Value;

use super::format::Shown;
use super::{Call, Refusal};
use crate::model::Hook;

pub fn get(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    let all = call.arguments.is("a");
    let config = &hook.model().config;
    let value = match call.arguments.at_most_one().map_err(Refusal::Usage)? {
        Some("") | None => Value::Object(config.values(all)),
        Some(key) if all => {
            return Err(Refusal::Usage(format!(
                "cannot use argument --all together with key {key:?}"
            )));
        }
        Some(key) => config.get(key).cloned().unwrap_or_default(),
    };
    Ok(Some(Shown::Value(value)))
}
