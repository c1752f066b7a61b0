//! `/v1/notices` (`pebble §15`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Client, Error};

#[derive(Serialize)]
struct AddNotice<'a> {
    action: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    key: &'a str,
    data: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct Added {
    id: String,
}

impl Client {
    /// Adds a custom notice and returns its id. The key has the form
    /// `example.com/backup-done`.
    pub async fn notify<'a>(
        &self,
        key: &str,
        data: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<String, Error> {
        let body = AddNotice {
            action: "add",
            kind: "custom",
            key,
            data: data.into_iter().collect(),
        };
        let added: Added = self.post("/v1/notices", &body).await?.result;
        Ok(added.id)
    }
}
