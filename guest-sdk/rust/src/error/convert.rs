//! Conversions from errors of other libraries, for `?`.

use std::io;

use super::Error;

macro_rules! from_errors {
    ($($error:ty)*) => {
        $(impl From<$error> for Error {
            #[track_caller]
            fn from(error: $error) -> Self {
                Error::other(error)
            }
        })*
    };
}

from_errors! {
    &str
    String
    Box<dyn std::error::Error + Send + Sync>
    serde_json::Error
    std::array::TryFromSliceError
    std::char::ParseCharError
    std::env::VarError
    std::fmt::Error
    std::net::AddrParseError
    std::num::ParseFloatError
    std::num::ParseIntError
    std::num::TryFromIntError
    std::str::ParseBoolError
    std::str::Utf8Error
    std::string::FromUtf8Error
    std::time::SystemTimeError
}

/// An error of the SDK that went through a trait of `std::io` is itself again.
impl From<io::Error> for Error {
    #[track_caller]
    fn from(error: io::Error) -> Self {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Error::other(error),
        }
    }
}
