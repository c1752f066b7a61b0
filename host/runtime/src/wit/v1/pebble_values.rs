//! Conversion of what Pebble has: services, checks, files, notices, warnings,
//! identities.

use std::time::Duration;

use charmhost_pebble::{self as pebble, Timestamp};

use super::bindings::pebble as wit;
use super::bindings::pebble_errors::PebbleError;

pub(super) fn service_info(service: pebble::ServiceInfo) -> wit::ServiceInfo {
    wit::ServiceInfo {
        name: service.name,
        startup: match service.startup {
            pebble::ServiceStartup::Enabled => wit::ServiceStartup::Enabled,
            pebble::ServiceStartup::Disabled => wit::ServiceStartup::Disabled,
            pebble::ServiceStartup::Other(word) => wit::ServiceStartup::Other(word),
        },
        current: match service.current {
            pebble::ServiceStatus::Active => wit::ServiceStatus::Active,
            pebble::ServiceStatus::Inactive => wit::ServiceStatus::Inactive,
            pebble::ServiceStatus::Backoff => wit::ServiceStatus::Backoff,
            pebble::ServiceStatus::Error => wit::ServiceStatus::Error,
            pebble::ServiceStatus::Other(word) => wit::ServiceStatus::Other(word),
        },
        current_since: service.current_since.map(Timestamp::seconds),
    }
}

pub(super) fn level(level: wit::CheckLevel) -> pebble::CheckLevel {
    match level {
        wit::CheckLevel::Alive => pebble::CheckLevel::Alive,
        wit::CheckLevel::Ready => pebble::CheckLevel::Ready,
        wit::CheckLevel::Other(word) => pebble::CheckLevel::Other(word),
    }
}

pub(super) fn check_info(check: pebble::CheckInfo) -> wit::CheckInfo {
    wit::CheckInfo {
        name: check.name,
        level: check.level.map(|level| match level {
            pebble::CheckLevel::Alive => wit::CheckLevel::Alive,
            pebble::CheckLevel::Ready => wit::CheckLevel::Ready,
            pebble::CheckLevel::Other(word) => wit::CheckLevel::Other(word),
        }),
        startup: check.startup.map(|startup| match startup {
            pebble::CheckStartup::Enabled => wit::CheckStartup::Enabled,
            pebble::CheckStartup::Disabled => wit::CheckStartup::Disabled,
            pebble::CheckStartup::Other(word) => wit::CheckStartup::Other(word),
        }),
        status: match check.status {
            pebble::CheckStatus::Up => wit::CheckStatus::Up,
            pebble::CheckStatus::Down => wit::CheckStatus::Down,
            pebble::CheckStatus::Inactive => wit::CheckStatus::Inactive,
            pebble::CheckStatus::Other(word) => wit::CheckStatus::Other(word),
        },
        successes: check.successes,
        failures: check.failures,
        threshold: check.threshold,
        change_id: check.change_id,
    }
}

pub(super) fn file_options(options: wit::FileOptions) -> pebble::FileOptions {
    pebble::FileOptions {
        permissions: options.permissions,
        user_id: options.user_id,
        user: options.user,
        group_id: options.group_id,
        group: options.group,
        make_parents: options.make_parents,
    }
}

pub(super) fn file_info(info: pebble::FileInfo) -> wit::FileInfo {
    let kind = match info.kind {
        pebble::FileKind::File => wit::FileKind::Regular,
        pebble::FileKind::Directory => wit::FileKind::Directory,
        pebble::FileKind::Symlink => wit::FileKind::Symlink,
        pebble::FileKind::Socket => wit::FileKind::Socket,
        pebble::FileKind::NamedPipe => wit::FileKind::NamedPipe,
        pebble::FileKind::Device => wit::FileKind::Device,
        pebble::FileKind::Unknown => wit::FileKind::Unknown,
    };
    wit::FileInfo {
        path: info.path,
        name: info.name,
        kind,
        size: info.size.map(|size| size as f64),
        permissions: info.permissions,
        last_modified: info.last_modified.seconds(),
        user_id: info.user_id,
        user: info.user,
        group_id: info.group_id,
        group: info.group,
    }
}

pub(super) fn notice_filter(filter: wit::NoticeFilter) -> pebble::NoticeFilter {
    pebble::NoticeFilter {
        all_users: filter.all_users,
        user_id: filter.user_id,
        kinds: filter.kinds,
        keys: filter.keys,
    }
}

pub(super) fn notice_info(notice: pebble::Notice) -> wit::NoticeInfo {
    wit::NoticeInfo {
        id: notice.id,
        user_id: notice.user_id,
        kind: notice.kind,
        key: notice.key,
        first_occurred: notice.first_occurred.seconds(),
        last_occurred: notice.last_occurred.seconds(),
        last_repeated: notice.last_repeated.seconds(),
        occurrences: notice.occurrences,
        last_data: notice.last_data.into_iter().collect(),
        repeat_after: seconds(notice.repeat_after),
        expire_after: seconds(notice.expire_after),
    }
}

pub(super) fn warning_info(warning: pebble::Warning) -> wit::WarningInfo {
    wit::WarningInfo {
        message: warning.message,
        first_added: warning.first_added.seconds(),
        last_added: warning.last_added.seconds(),
        last_shown: warning.last_shown.map(Timestamp::seconds),
        expire_after: seconds(warning.expire_after),
        repeat_after: seconds(warning.repeat_after),
    }
}

pub(super) fn identity((name, identity): (String, pebble::Identity)) -> wit::Identity {
    wit::Identity {
        name,
        access: match identity.access {
            pebble::IdentityAccess::Admin => wit::IdentityAccess::Admin,
            pebble::IdentityAccess::Read => wit::IdentityAccess::Read,
            pebble::IdentityAccess::Metrics => wit::IdentityAccess::Metrics,
            pebble::IdentityAccess::Untrusted => wit::IdentityAccess::Untrusted,
            pebble::IdentityAccess::Other(word) => wit::IdentityAccess::Other(word),
        },
        local_user_id: identity.local_user_id,
        basic_password: identity.basic_password,
        certificate: identity.certificate,
    }
}

pub(super) fn named_identity(identity: wit::Identity) -> (String, pebble::Identity) {
    let access = match identity.access {
        wit::IdentityAccess::Admin => pebble::IdentityAccess::Admin,
        wit::IdentityAccess::Read => pebble::IdentityAccess::Read,
        wit::IdentityAccess::Metrics => pebble::IdentityAccess::Metrics,
        wit::IdentityAccess::Untrusted => pebble::IdentityAccess::Untrusted,
        wit::IdentityAccess::Other(word) => pebble::IdentityAccess::Other(word),
    };
    let converted = pebble::Identity {
        access,
        local_user_id: identity.local_user_id,
        basic_password: identity.basic_password,
        certificate: identity.certificate,
    };
    (identity.name, converted)
}

fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64())
}

/// A number of seconds that a guest gives.
pub(super) fn duration(what: &str, seconds: f64) -> Result<Duration, PebbleError> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        PebbleError::InvalidInput(format!(
            "cannot {what} {seconds} seconds: give a positive number"
        ))
    })
}

pub(super) fn terminal_size(size: wit::TerminalSize) -> pebble::TerminalSize {
    pebble::TerminalSize {
        width: size.width,
        height: size.height,
    }
}

/// A command with its options.
pub(super) fn command_of(
    command: Vec<String>,
    options: wit::ExecOptions,
) -> Result<pebble::Exec, PebbleError> {
    let timeout = options.timeout;
    let timeout = timeout.map(|timeout| duration("run a command for", timeout));
    Ok(pebble::Exec {
        command,
        service_context: options.service_context,
        environment: options.environment.into_iter().collect(),
        working_dir: options.working_dir,
        timeout: timeout.transpose()?,
        user_id: options.user_id,
        user: options.user,
        group_id: options.group_id,
        group: options.group,
        combine_stderr: options.combine_stderr,
        input: options.stdin.map(Into::into),
        terminal: options.terminal.map(terminal_size),
    })
}
