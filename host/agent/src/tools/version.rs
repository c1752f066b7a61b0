//! `application-version-set`.

use super::{Formats, Refusal, Tool};

pub const SET: Tool = Tool {
    name: "application-version-set",
    usage: "<new-version>",
    purpose: "Say which version of the workload runs.",
    flags: &[],
    formats: Formats::None,
    run: |hook, call| {
        let version = call.arguments.at_most_one().map_err(Refusal::Usage)?;
        let missing = || Refusal::Usage("no version specified".to_owned());
        hook.set_workload_version(version.ok_or_else(missing)?.to_owned());
        Ok(None)
    },
};
