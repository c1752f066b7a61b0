//! Streams that a guest holds, and the memory that the host holds for them.

use charmhost_pebble::{self as pebble, Budget, Logs, NoticeWatch, Process, Pull, Push};
use charmhost_sandbox::{HostMemory, Limits, Reservation};

/// A stream with the memory reserved for it.
pub struct Held<T> {
    pub(crate) stream: T,
    pub(crate) _reserved: Reservation,
}

/// A file that a guest reads.
pub type FileReader = Held<Pull>;
/// A file that a guest writes.
pub type FileWriter = Held<Push>;
/// A command of a guest.
pub type Command = Held<Process>;
/// Lines of services.
pub type LogReader = Held<Logs>;
/// Notices as they occur.
pub type NoticeReader = Held<NoticeWatch>;
/// A byte stream to a Pebble.
pub type Connection = Held<pebble::Connection>;

/// Output of a command that a guest waits for.
pub(crate) struct OutputBudget(pub HostMemory);

impl Budget for OutputBudget {
    fn hold(&self, bytes: usize) -> Result<(), String> {
        self.0.hold(bytes).map_err(|error| error.to_string())
    }

    fn release(&self, bytes: usize) {
        self.0.release(bytes);
    }
}

/// What was received on all connections of a guest together, and not read.
pub(crate) struct ConnectionBudget {
    all: HostMemory,
    connections: HostMemory,
}

impl ConnectionBudget {
    pub fn new(all: &HostMemory, limits: &Limits) -> Self {
        ConnectionBudget {
            all: all.clone(),
            connections: HostMemory::new(limits.host_buffer()),
        }
    }
}

impl Budget for ConnectionBudget {
    fn hold(&self, bytes: usize) -> Result<(), String> {
        self.connections.hold(bytes).map_err(|error| {
            format!(
                "cannot hold what Pebble sent and the charm did not read: that is limited to {} MiB for all connections (limits.host-buffer-mib in charmhost.toml)",
                error.limit >> 20
            )
        })?;
        self.all.hold(bytes).map_err(|error| {
            self.connections.release(bytes);
            error.to_string()
        })
    }

    fn release(&self, bytes: usize) {
        self.connections.release(bytes);
        self.all.release(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_have_a_limit_of_their_own_and_count_with_the_rest() {
        let all = HostMemory::new(3 << 20);
        let limits = Limits {
            host_buffer_mib: 2,
            ..Limits::default()
        };
        let budget = ConnectionBudget::new(&all, &limits);
        budget.hold(2 << 20).unwrap();
        let error = budget.hold(1).unwrap_err();
        assert!(error.contains("2 MiB for all connections (limits.host-buffer-mib"));
        assert_eq!(all.held(), 2 << 20);
        budget.release(2 << 20);
        all.hold(2 << 20).unwrap();
        let error = budget.hold(2 << 20).unwrap_err();
        assert!(error.contains("limits.host-memory-mib"), "{error}");
        budget.hold(1 << 20).unwrap();
        assert_eq!(all.held(), 3 << 20);
    }
}
