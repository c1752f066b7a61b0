//! `/v1/layers` and `/v1/plan` (`pebble §7`).

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{Client, Error};

#[derive(Serialize)]
struct AddLayer<'a> {
    action: &'static str,
    combine: bool,
    label: &'a str,
    format: &'static str,
    layer: &'a str,
}

impl Client {
    /// Adds a layer, as YAML text, on top of the others. With `combine`, it is
    /// merged into an existing one of the same label. Rejects a check with a negative
    /// period, which the daemon accepts and then dies of (`pebble §8`).
    pub async fn add_layer(&self, label: &str, layer: &str, combine: bool) -> Result<(), Error> {
        if let Some(check) = with_negative_period(layer) {
            return Err(Error::Invalid(format!(
                "cannot add the layer {label}: the period of the check {check} is negative"
            )));
        }
        let body = AddLayer {
            action: "add",
            combine,
            label,
            format: "yaml",
            layer,
        };
        self.post::<IgnoredAny>("/v1/layers", &body).await?;
        Ok(())
    }

    /// Returns the combined layers. The daemon has them as YAML only.
    pub async fn plan(&self) -> Result<Value, Error> {
        let text: String = self.get("/v1/plan?format=yaml").await?.result;
        charmhost_yaml::parse_with_number_keys(&text)
            .map_err(|error| Error::Protocol(format!("its plan is not YAML: {error}")))
    }
}

/// The name of a check with a negative period. None for text that cannot be read: the
/// daemon rejects it with its reason.
fn with_negative_period(layer: &str) -> Option<String> {
    let layer = charmhost_yaml::parse_with_number_keys(layer).ok()?;
    let checks = layer.get("checks")?.as_object()?;
    let negative = |check: &Value| {
        let period = check.get("period").and_then(Value::as_str);
        period.is_some_and(|period| period.starts_with('-'))
    };
    let found = checks.iter().find(|(_, check)| negative(check));
    found.map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_period_is_found_in_every_form() {
        for layer in [
            "checks:\n  a:\n    override: replace\n    period: -1s\n",
            "checks: {b: {period: 1s}, a: {period: '-1h30m'}}",
            r#"{"checks": {"a": {"period": "-0.5s"}}}"#,
            "services: {s: {environment: {1: x}}}\nchecks: {a: &x {period: -2s}}",
        ] {
            assert_eq!(with_negative_period(layer).as_deref(), Some("a"), "{layer}");
        }
        for layer in [
            "",
            "checks: [",
            "checks: {a: {period: 1s}, b: {threshold: -1}, c: null}",
            "services: {a: {environment: {period: -1s}}}",
        ] {
            assert_eq!(with_negative_period(layer), None, "{layer}");
        }
    }
}
