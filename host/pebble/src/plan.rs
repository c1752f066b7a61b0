//! `/v1/layers` and `/v1/plan` (`pebble §7`).

use serde::Serialize;
use serde::de::IgnoredAny;

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
    /// merged into an existing one of the same label.
    pub async fn add_layer(&self, label: &str, layer: &str, combine: bool) -> Result<(), Error> {
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

    /// Returns the combined layers as YAML text.
    pub async fn plan(&self) -> Result<String, Error> {
        Ok(self.get("/v1/plan?format=yaml").await?.result)
    }
}
