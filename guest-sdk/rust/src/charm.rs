//! The trait of charms.

use crate::{Observe, Result};

/// A charm: a struct with a method for each event that it handles.
///
/// The struct's name is the charm's path in saved state; renaming it loses the
/// state that was saved under the old name.
///
/// Handlers take `&self`: a handler that emits an event runs other handlers before it
/// returns. What changes while the charm lives is in a [`Stored`](crate::Stored), a
/// `Cell` or a `RefCell`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a charm",
    label = "this must implement `charmhost::Charm`",
    note = "write `impl Charm for {Self} {{ fn new(on: &mut Observe<Self>) -> Result<Self> {{ … }} }}`"
)]
pub trait Charm: Sized + 'static {
    /// Creates the charm and registers its observers. Called at the start of every
    /// dispatch, before any event is handled.
    ///
    /// `charmhost build` calls it too, with empty state, to check the observers
    /// against the charm's metadata.
    fn new(on: &mut Observe<Self>) -> Result<Self>;
}
