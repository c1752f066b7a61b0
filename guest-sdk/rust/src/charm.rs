//! What a charm is.

use crate::Observe;

/// A charm: a struct with a method for each event that it handles.
///
/// The struct's name is the charm's path in saved state; renaming it loses
/// what was saved under the old name.
///
/// A handler takes `&mut self`, or `&self`. One that emits an event which the
/// charm itself handles must take `&self`, and so must the other handler: both
/// run at the same time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a charm",
    label = "this must implement `charmhost::Charm`",
    note = "write `impl Charm for {Self} {{ fn new(on: &mut Observe<Self>) -> Self {{ … }} }}`"
)]
pub trait Charm: Sized + 'static {
    /// Makes the charm and says what it observes. Called at the start of every
    /// dispatch, before any event is handled.
    fn new(on: &mut Observe<Self>) -> Self;
}
