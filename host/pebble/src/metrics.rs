//! `/v1/metrics` (`pebble §18`).

use crate::http::MAX_ANSWER;
use crate::version::Needed;
use crate::{Client, Error};

impl Client {
    /// Returns metrics of services and checks in the text format of Prometheus.
    pub async fn metrics(&self) -> Result<String, Error> {
        let text = self.http().text("/v1/metrics", MAX_ANSWER).await;
        self.explain(Needed::Since(19), "return metrics", text)
            .await
    }
}
