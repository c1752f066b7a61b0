//! Why a handler failed.

use std::fmt;
use std::panic::Location;

use super::{Detail, Error};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The error that a handler returned.
pub struct Failure {
    error: Cause,
    /// The delivery whose handler it was.
    delivery: Option<u32>,
}

/// How a failure ends the dispatch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Failed,
    Exited(u8),
    Aborted,
}

impl<E: Into<Cause>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure {
            error: error.into(),
            delivery: None,
        }
    }
}

impl Failure {
    pub(crate) fn error(&self) -> &(dyn std::error::Error + 'static) {
        self.error.as_ref()
    }

    /// Returns the errors of the SDK among the error and its sources.
    fn sdk_errors(&self) -> impl Iterator<Item = &Error> {
        let chain = std::iter::successors(Some(self.error()), |error| error.source());
        chain.filter_map(|error| error.downcast_ref())
    }

    /// The line of the charm, if it is known.
    pub(crate) fn location(&self) -> Option<&'static Location<'static>> {
        self.sdk_errors().next().map(Error::location)
    }

    pub(crate) fn ending(&self) -> Ending {
        let exit = self.sdk_errors().find_map(|error| match error.0.detail {
            Detail::Exit(code) => Some(code),
            _ => None,
        });
        match exit {
            None => Ending::Failed,
            Some(None) => Ending::Aborted,
            Some(Some(code)) => Ending::Exited(code),
        }
    }

    /// Sets the delivery whose handler failed.
    pub(crate) fn in_delivery(mut self, id: u32) -> Self {
        self.delivery = Some(id);
        self
    }

    /// The delivery whose handler failed first: of nested ones the innermost.
    pub(crate) fn delivery(&self) -> Option<u32> {
        let nested = self.sdk_errors().find_map(|error| match &error.0.detail {
            Detail::Handler(failure) => failure.delivery(),
            _ => None,
        });
        nested.or(self.delivery)
    }
}

/// Displays the error and its sources.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = self.error();
        write!(f, "{error}")?;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
