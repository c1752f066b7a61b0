//! `/v1/signals` (`pebble §12`).

use serde::Serialize;
use serde::de::IgnoredAny;

use crate::client::named;
use crate::{Client, Error};

#[derive(Serialize)]
struct Signal<'a> {
    signal: &'a str,
    services: &'a [String],
}

impl Client {
    /// Sends a signal, for example `SIGHUP`, to the main processes of services. If it
    /// cannot be sent to one of them, the others have received it.
    pub async fn send_signal(&self, signal: &str, services: &[String]) -> Result<(), Error> {
        named("send a signal to services", services)?;
        let body = Signal { signal, services };
        self.post::<IgnoredAny>("/v1/signals", &body).await?;
        Ok(())
    }
}
