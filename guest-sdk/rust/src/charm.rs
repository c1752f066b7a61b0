//! The trait of charms.

use crate::Observe;

/// A charm: a struct with a method for each event that it handles.
///
/// The struct's name is the charm's path in saved state; renaming it loses the
/// state that was saved under the old name.
///
/// A handler takes `&mut self` or `&self`. A handler that emits an event which the
/// charm itself handles must take `&self`, and so must the other handler, because
/// their calls are nested.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a charm",
    label = "this must implement `charmhost::Charm`",
    note = "write `impl Charm for {Self} {{ fn new(on: &mut Observe<Self>) -> Self {{ … }} }}`"
)]
pub trait Charm: Sized + 'static {
    /// Creates the charm and registers its observers. Called at the start of every
    /// dispatch, before any event is handled.
    fn new(on: &mut Observe<Self>) -> Self;
}
