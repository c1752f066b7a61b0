//! Waiting for what the daemon does in the background.

use std::time::Duration;

use hyper::Method;
use tokio::time::Instant;

use crate::client::parse;
use crate::{Change, Client, Error};

/// How long one request waits. A daemon that vanished is noticed after this.
const SLICE: Duration = Duration::from_secs(4);

impl Client {
    /// A change as it stands.
    pub async fn change(&self, id: &str) -> Result<Change, Error> {
        let envelope = self.get(&format!("/v1/changes/{}", checked(id)?)).await?;
        parse(envelope.result)
    }

    /// Waits until a change is over, for so long at most. One that failed is an
    /// error.
    pub async fn wait_change(&self, id: &str, within: Option<Duration>) -> Result<Change, Error> {
        let change = self.wait_ready(id, within).await?;
        match change.err {
            Some(_) => Err(Error::Change(Box::new(change))),
            None => Ok(change),
        }
    }

    /// The same, whether it failed or not.
    pub(crate) async fn wait_ready(
        &self,
        id: &str,
        within: Option<Duration>,
    ) -> Result<Change, Error> {
        let id = checked(id)?;
        let end = within.map(|within| Instant::now() + within);
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(Error::Timeout {
                    doing: format!("waiting for the change {id}"),
                    after: within.unwrap_or_default(),
                });
            }
            let slice = left
                .map_or(SLICE, |left| left.min(SLICE))
                .max(Duration::from_millis(1));
            let path = format!("/v1/changes/{id}/wait?timeout={:.3}s", slice.as_secs_f64());
            let answer = self
                .transport()
                .call(Method::GET, &path, None, slice + Duration::from_secs(1))
                .await;
            match answer {
                Ok(envelope) => return parse(envelope.result),
                Err(Error::Api { status: 504, .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Ids are put into addresses.
fn checked(id: &str) -> Result<&str, Error> {
    match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => Ok(id),
        false => Err(Error::Protocol(format!("{id:?} is no number of a change"))),
    }
}
