//! Why a unit cannot be simulated.

use std::path::PathBuf;

/// What stops a simulation. A charm that fails is not one of these: it is part
/// of the report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is to be run is no charm.
    #[error("cannot run {}: {detail}", target.display())]
    Target {
        /// What was named.
        target: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A charm's `metadata.yaml` or `actions.yaml` cannot be used.
    #[error(transparent)]
    Metadata(#[from] charmhost_juju::MetadataError),
    /// A file of the charm's metadata cannot be used.
    #[error("cannot read {}: {detail}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The controller rejects a configuration option or an action.
    #[error(transparent)]
    Model(#[from] charmhost_sim_model::Error),
    /// The unit cannot have the event.
    #[error("cannot run event {event:?}: {detail}")]
    Event {
        /// The event, as given.
        event: String,
        /// Why, and what would work.
        detail: String,
    },
    /// A scenario file cannot be used.
    #[error("cannot use the scenario {}: {detail}", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// Where it is wrong, how, and what would be right.
        detail: String,
    },
    /// The scenario describes a model that Juju could not have.
    #[error("cannot make the model: {0}")]
    State(String),
    /// A workload container cannot run.
    #[error("cannot run the container {container:?}: {detail}")]
    Container {
        /// Its name.
        container: String,
        /// Why, and what to do about it.
        detail: String,
    },
    /// The charm cannot be isolated from the machine.
    #[error(transparent)]
    Isolation(#[from] charmhost_isolation::Error),
    /// A step of a scenario cannot be done.
    #[error("cannot do the step {step:?}")]
    Step {
        /// The step, with its number.
        step: String,
        /// Why.
        source: Box<Error>,
    },
    /// The units of a model do not come to rest.
    #[error(
        "the units do not come to rest in the step {step:?}: after {dispatches} dispatches there are still {last}; does one charm write what makes the other one write again?"
    )]
    Restless {
        /// The step.
        step: String,
        /// How many dispatches ran in it.
        dispatches: usize,
        /// The last of them.
        last: String,
    },
    /// [`Interrupt`](crate::Interrupt) has ended it.
    #[error("the simulation was interrupted")]
    Interrupted,
    /// An operation on this machine failed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What the agent was doing: "copy", "listen on".
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<std::io::Error>,
    ) -> Self {
        Error::Io {
            doing,
            path: path.into(),
            source: source.into(),
        }
    }
}
