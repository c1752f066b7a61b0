//! Sizes that arguments and output of hook tools may have.

/// The longest argument that the kernel passes to a program, in bytes without
/// its terminating NUL: 32 pages of 4 KiB (`execve(2)`; ops §7).
pub const MAX_ARGUMENT: usize = 131_071;

/// The most that a program may print on each of its streams, in bytes: what an
/// answer over the socket may contain.
pub(crate) const MAX_OUTPUT: usize = charmhost_jujuc::MAX_MESSAGE;
