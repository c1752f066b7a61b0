use super::failure::Ending;
use super::*;
use crate::bindings::errors::{Denial, Error as ModelError};
use crate::bindings::pebble_errors::{ApiFailure, PebbleError, TimeoutFailure};

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot read the port")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn not_ready() -> Result<()> {
    Err(PebbleError::NotReady("no socket".into())).model()
}

#[test]
fn a_failure_is_displayed_with_its_causes() {
    let parsed = "x".parse::<u16>().map_err(Outer);
    let error = Error::other(parsed.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(error.to_string(), "cannot read the port");
    assert_eq!(
        Failure::from(error).to_string(),
        "cannot read the port: invalid digit found in string"
    );
}

#[test]
fn a_question_mark_keeps_the_line_of_an_error_of_std() {
    fn port() -> Result<u16> {
        Ok("x".parse()?)
    }
    let line = line!() - 2;
    let error = port().unwrap_err();
    assert_eq!(error.to_string(), "invalid digit found in string");
    assert_eq!(error.location().file(), file!());
    assert_eq!(error.location().line(), line);
}

#[test]
fn an_error_of_the_sdk_comes_back_out_of_an_io_error() {
    fn read() -> Result {
        Err(std::io::Error::other(not_ready().unwrap_err()))?
    }
    let direct = not_ready().unwrap_err();
    let error = read().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert_eq!(error.location().line(), direct.location().line());
}

#[test]
fn an_error_of_another_library_keeps_the_charms_line() {
    #[derive(Debug)]
    struct Own(Error);
    impl fmt::Display for Own {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot serve")
        }
    }
    impl std::error::Error for Own {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let error = not_ready().unwrap_err();
    let location = error.location();
    let failure = Failure::from(Own(error));
    assert_eq!(failure.location(), Some(location));
    assert_eq!(failure.to_string(), "cannot serve: no socket");
}

#[test]
fn the_handler_that_failed_first_is_named() {
    let inner = Failure::from(Error::msg("no")).in_delivery(7);
    let outer = Failure::from(Error::of_handler("ready", inner)).in_delivery(3);
    assert_eq!(outer.delivery(), Some(7));
    assert_eq!(outer.to_string(), "a handler of ready failed: no");
    assert_eq!(outer.ending(), Ending::Failed);
}

#[test]
fn a_nested_exit_ends_the_dispatch() {
    let inner = Failure::from(Error::exit(3));
    let outer = Failure::from(Error::of_handler("ready", inner));
    assert_eq!(outer.ending(), Ending::Exited(3));
    assert_eq!(Failure::from(Error::abort()).ending(), Ending::Aborted);
}

#[test]
fn a_denial_names_its_grant() {
    let denial = Denial {
        message: "no network".into(),
        grant: Some("network = true".into()),
    };
    let error = Err::<(), _>(ModelError::Denied(denial))
        .model()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(error.grant(), Some("network = true"));
    assert_eq!(
        error.to_string(),
        "no network; to allow it, add `network = true` to charmhost.toml"
    );
}

#[test]
fn a_refused_request_has_its_status_and_a_time_out_its_change() {
    let failure = ApiFailure {
        status: 400,
        kind: Some("no-default-services".into()),
        message: "no default services".into(),
    };
    let error = Err::<(), _>(PebbleError::Api(failure)).model().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api(400));
    assert_eq!(error.code(), Some("no-default-services"));
    let failure = TimeoutFailure {
        message: "waited 30 s".into(),
        change_id: Some("12".into()),
    };
    let error = Err::<(), _>(PebbleError::Timeout(failure)).model();
    assert_eq!(error.unwrap_err().change_id(), Some("12"));
}
