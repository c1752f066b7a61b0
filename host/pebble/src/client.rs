//! The client of one daemon.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::connect::{Connect, UnixSocket};
use crate::http::{Answer, Http, MAX_ANSWER, encoded};

/// How long the daemon may be silent: 5 seconds, as in ops (`pebble §22`).
const SILENCE: Duration = Duration::from_secs(5);

/// A client of one daemon.
#[derive(Clone)]
pub struct Client {
    http: Http,
}

impl Client {
    /// Creates a client of the daemon behind a Unix socket, which connects at the
    /// first call.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Client::with_connector(Arc::new(UnixSocket::new(socket)))
    }

    /// Creates a client of a daemon that is reached in another way.
    pub fn with_connector(connector: Arc<dyn Connect>) -> Self {
        Client {
            http: Http::new(connector, SILENCE),
        }
    }

    /// Sets how long the daemon may be silent, instead of 5 seconds. This limits
    /// every wait for the daemon, but not the duration of its work.
    pub fn with_silence(mut self, silence: Duration) -> Self {
        self.http.silence = silence;
        self
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    pub(crate) fn silence(&self) -> Duration {
        self.http.silence
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Error> {
        self.get_within(path, Duration::ZERO, MAX_ANSWER).await
    }

    /// Sends a GET request. The response is not due before `due` and has at most
    /// `max` bytes.
    pub(crate) async fn get_within<T: DeserializeOwned>(
        &self,
        path: &str,
        due: Duration,
        max: usize,
    ) -> Result<Answer<T>, Error> {
        self.http.call(Method::GET, path, None, due, max).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, Error> {
        self.post_within(path, body, Duration::ZERO).await
    }

    /// Sends a POST request with JSON, whose response is not due before `due`.
    pub(crate) async fn post_within<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        due: Duration,
    ) -> Result<Answer<T>, Error> {
        let body = serde_json::to_string(body).map_err(|error| {
            Error::Invalid(format!(
                "cannot send a request for {path} to Pebble: {error}"
            ))
        })?;
        self.http
            .call(Method::POST, path, Some(body), due, MAX_ANSWER)
            .await
    }
}

/// Returns a path with a query. Values are encoded; those that are absent are left
/// out.
pub(crate) fn with_query<'a>(
    path: &str,
    parameters: impl IntoIterator<Item = (&'static str, &'a str)>,
) -> String {
    let parameters: Vec<String> = parameters
        .into_iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    match parameters.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", parameters.join("&")),
    }
}

/// The parameters of a list; the same name for each, as a value may have a comma.
pub(crate) fn each<'a>(
    name: &'static str,
    values: &'a [String],
) -> impl Iterator<Item = (&'static str, &'a str)> {
    values.iter().map(move |value| (name, value.as_str()))
}

/// Rejects an empty list of names, which Pebble would reject or take as all.
pub(crate) fn named(verb: &str, names: &[String]) -> Result<(), Error> {
    match names.is_empty() {
        true => Err(Error::Invalid(format!("cannot {verb}: name at least one"))),
        false => Ok(()),
    }
}

/// Checks an id that becomes part of a path.
pub(crate) fn checked(id: &str) -> Result<&str, Error> {
    match !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => Ok(id),
        false => Err(Error::Invalid(format!(
            "cannot use {:?} as an id: ids are letters and digits",
            id.chars().take(64).collect::<String>()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_a_query() {
        let names = ["a", "b c"].map(str::to_owned);
        let query = each("names", &names).chain(Some(("level", "alive")));
        assert_eq!(
            with_query("/v1/checks", query),
            "/v1/checks?names=a&names=b%20c&level=alive"
        );
        assert_eq!(with_query("/v1/checks", []), "/v1/checks");
    }

    #[test]
    fn ids_are_checked_before_they_go_into_a_path() {
        assert_eq!(checked("a1"), Ok("a1"));
        for bad in ["", "../1", "1/wait", &"1".repeat(65)] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }
}
