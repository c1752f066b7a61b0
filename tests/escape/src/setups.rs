//! Set-ups for attempts: grants of every kind, operator policies, and limits.

/// Grants and what belongs to them. Paths are relative to the machine's
/// directory; in settings, `DIR` stands for it, `CHARM` for the charm's
/// directory and `PORT` and `ALLOWED` for the two ports.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub name: &'static str,
    /// `charmhost.toml`.
    pub settings: &'static str,
    /// The operator's file.
    pub operator: &'static str,
    /// Location of the charm's storage.
    pub storage: Option<&'static str>,
    /// Directory in which the guest may create files; its private `/tmp` if none.
    pub place: Option<&'static str>,
    /// What it may read and not write, with what [`crate::machine`] puts there.
    pub read: Option<&'static str>,
    /// A directory that may be written, with `root` below it.
    pub above: Option<&'static str>,
    pub root: Option<&'static str>,
    /// Requested access that is refused.
    pub wanted: Option<&'static str>,
    /// Writable paths.
    pub writable: &'static [&'static str],
    /// Protected paths below those.
    pub frozen: &'static [&'static str],
    /// Files with `public` in them that must be readable.
    pub reads: &'static [&'static str],
    /// Directories that must be writable.
    pub writes: &'static [&'static str],
    /// A connection to the granted port at these must succeed.
    pub connects: &'static [&'static str],
    /// Whether a variable is granted, and must be there.
    pub variable: bool,
    /// Whether a tool is granted that nobody knows, and must run.
    pub tool: bool,
    /// The dispatch must not start, if it does not hold the ways by itself.
    pub may_be_refused: bool,
    /// Juju names the charm's directory through a link.
    pub linked_charm: bool,
    /// Programs of the charm run natively, so those in its archive are harmless.
    pub legacy_hooks: bool,
    /// The limits are those that the guest knows of, and are measured.
    pub limited: bool,
}

const NONE: Setup = Setup {
    name: "none",
    settings: "",
    operator: "",
    storage: None,
    place: None,
    read: None,
    above: None,
    root: None,
    wanted: None,
    writable: &[],
    frozen: &[],
    reads: &[],
    writes: &[],
    connects: &[],
    variable: false,
    tool: false,
    may_be_refused: false,
    linked_charm: false,
    legacy_hooks: false,
    limited: false,
};

/// The charm's directory, as a relative path.
pub const CHARM: &str = "agents/unit-escape-0/charm";
const LIMITS: &str = "[limits]\ncpu-seconds = 1\nmemory-mib = 256\nhandles = 1000\nhost-buffer-mib = 32\nhost-memory-mib = 64\ndisk-mib = 16\n";

/// A grant that must never be had, of a path.
const fn forbidden(name: &'static str, settings: &'static str, wanted: &'static str) -> Setup {
    Setup {
        name,
        settings,
        wanted: Some(wanted),
        may_be_refused: true,
        ..NONE
    }
}

pub fn find(name: &str) -> Option<&'static Setup> {
    SETUPS.iter().find(|setup| setup.name == name)
}

const SETUPS: &[Setup] = &[
    NONE,
    Setup {
        name: "charm",
        place: Some(CHARM),
        writes: &[CHARM],
        ..NONE
    },
    Setup {
        name: "read-file",
        settings: "[grants]\nread = [\"DIR/srv/file\"]\n",
        root: Some("srv/file"),
        wanted: Some("srv/file"),
        reads: &["srv/file"],
        ..NONE
    },
    Setup {
        name: "read-directory",
        settings: "[grants]\nread = [\"DIR/srv/read\"]\n",
        read: Some("srv/read"),
        reads: &["srv/read/public"],
        ..NONE
    },
    Setup {
        name: "write-directory",
        settings: "[grants]\nwrite = [\"DIR/srv/write\"]\n",
        place: Some("srv/write"),
        writable: &["srv/write"],
        reads: &["srv/write/public"],
        writes: &["srv/write"],
        ..NONE
    },
    Setup {
        name: "write-file",
        settings: "[grants]\nwrite = [\"DIR/srv/file\"]\n",
        root: Some("srv/file"),
        wanted: Some("srv/file"),
        may_be_refused: true,
        ..NONE
    },
    Setup {
        name: "read-in-write",
        settings: "[grants]\nread = [\"DIR/srv/outer/mid/inner\"]\nwrite = [\"DIR/srv/outer\"]\n",
        place: Some("srv/outer"),
        read: Some("srv/outer/mid/inner"),
        above: Some("srv/outer"),
        root: Some("srv/outer/mid/inner"),
        writable: &["srv/outer"],
        frozen: &["srv/outer/mid/inner"],
        reads: &["srv/outer/mid/inner/public"],
        writes: &["srv/outer", "srv/outer/mid"],
        ..NONE
    },
    Setup {
        name: "write-in-write",
        settings: "[grants]\nwrite = [\"DIR/srv/outer\", \"DIR/srv/outer/mid/inner\"]\n",
        place: Some("srv/outer/mid/inner"),
        above: Some("srv/outer"),
        root: Some("srv/outer/mid/inner"),
        writable: &["srv/outer"],
        reads: &["srv/outer/mid/inner/public"],
        writes: &["srv/outer", "srv/outer/mid", "srv/outer/mid/inner"],
        ..NONE
    },
    Setup {
        name: "write-in-read",
        settings: "[grants]\nread = [\"DIR/srv/outer\"]\nwrite = [\"DIR/srv/outer/mid/inner\"]\n",
        place: Some("srv/outer/mid/inner"),
        read: Some("srv/outer"),
        writable: &["srv/outer/mid/inner"],
        reads: &["srv/outer/public", "srv/outer/mid/inner/public"],
        writes: &["srv/outer/mid/inner"],
        ..NONE
    },
    Setup {
        name: "file-in-write",
        settings: "[grants]\nread = [\"DIR/srv/outer/mid/inner/public\"]\nwrite = [\"DIR/srv/outer\"]\n",
        place: Some("srv/outer"),
        above: Some("srv/outer"),
        root: Some("srv/outer/mid/inner/public"),
        writable: &["srv/outer"],
        frozen: &["srv/outer/mid/inner/public"],
        reads: &["srv/outer/mid/inner/public"],
        writes: &["srv/outer"],
        ..NONE
    },
    Setup {
        name: "absent-in-write",
        settings: "[grants]\nwrite = [\"DIR/srv/outer\", \"DIR/srv/outer/absent\"]\n",
        place: Some("srv/outer"),
        above: Some("srv/outer"),
        root: Some("srv/outer/absent"),
        writable: &["srv/outer"],
        may_be_refused: true,
        ..NONE
    },
    Setup {
        name: "storage",
        storage: Some("srv/storage"),
        place: Some("srv/storage"),
        writable: &["srv/storage"],
        reads: &["srv/storage/public"],
        writes: &["srv/storage"],
        ..NONE
    },
    Setup {
        name: "storage-in-write",
        settings: "[grants]\nwrite = [\"DIR/srv/outer\"]\n",
        storage: Some("srv/outer/mid/inner"),
        place: Some("srv/outer/mid/inner"),
        above: Some("srv/outer"),
        root: Some("srv/outer/mid/inner"),
        writable: &["srv/outer"],
        reads: &["srv/outer/mid/inner/public"],
        writes: &["srv/outer", "srv/outer/mid/inner"],
        ..NONE
    },
    Setup {
        name: "operator",
        settings: "[grants]\nread = [\"DIR/srv/read\", \"DIR/outside\"]\nwrite = [\"DIR/srv/write\", \"DIR/srv/read\", \"DIR/outside\"]\nnetwork = [\"*:*\"]\nenvironment = [\"GRANTED\", \"A_SECRET\"]\nhook-tools = [\"future-tool\"]\nlegacy-hooks = true\n",
        operator: "[grants]\nread = [\"DIR/srv/read\"]\nwrite = [\"DIR/srv/write\"]\nnetwork = []\nenvironment = [\"GRANTED\"]\nhook-tools = []\nlegacy-hooks = false\n",
        place: Some("srv/write"),
        read: Some("srv/read"),
        writable: &["srv/write"],
        reads: &["srv/read/public", "srv/write/public"],
        writes: &["srv/write"],
        variable: true,
        ..NONE
    },
    Setup {
        name: "operator-link",
        settings: "[grants]\nread = [\"DIR/srv/operator/to\"]\n",
        operator: "[grants]\nread = [\"DIR/srv/operator\"]\n",
        wanted: Some("srv/operator/to"),
        may_be_refused: true,
        ..NONE
    },
    forbidden("grant-proc", "[grants]\nread = [\"/proc\"]\n", ""),
    forbidden("grant-proc-self", "[grants]\nread = [\"/proc/self\"]\n", ""),
    forbidden(
        "grant-proc-by-link",
        "[grants]\nread = [\"DIR/srv/proc\"]\n",
        "srv/proc",
    ),
    forbidden("grant-write-proc", "[grants]\nwrite = [\"/proc\"]\n", ""),
    forbidden("grant-dev", "[grants]\nread = [\"/dev\"]\n", ""),
    forbidden("grant-sys", "[grants]\nread = [\"/sys\"]\n", ""),
    forbidden("grant-root", "[grants]\nread = [\"/\"]\n", ""),
    forbidden("grant-charm", "[grants]\nwrite = [\"CHARM\"]\n", CHARM),
    forbidden(
        "grant-charm-parent",
        "[grants]\nwrite = [\"DIR/agents\"]\n",
        CHARM,
    ),
    forbidden(
        "grant-hooks",
        "[grants]\nwrite = [\"CHARM/hooks\"]\n",
        CHARM,
    ),
    forbidden(
        "grant-charm-by-link",
        "[grants]\nwrite = [\"DIR/srv/charm\"]\n",
        "srv/charm",
    ),
    Setup {
        linked_charm: true,
        ..forbidden(
            "grant-linked-charm",
            "[grants]\nwrite = [\"DIR/agents/unit-escape-0\"]\n",
            CHARM,
        )
    },
    forbidden(
        "grant-number",
        "[grants]\nnetwork = [\"0x7f.1:PORT\"]\n",
        "",
    ),
    Setup {
        name: "network-address",
        settings: "[grants]\nnetwork = [\"127.0.0.2:ALLOWED\"]\n",
        connects: &["127.0.0.2"],
        ..NONE
    },
    Setup {
        name: "network-name",
        settings: "[grants]\nnetwork = [\"localhost:ALLOWED\"]\n",
        connects: &["localhost"],
        ..NONE
    },
    Setup {
        name: "network-range",
        settings: "[grants]\nnetwork = [\"127.0.0.0/30:ALLOWED\"]\n",
        connects: &["127.0.0.2", "127.0.0.1"],
        ..NONE
    },
    Setup {
        name: "network-any-port",
        settings: "[grants]\nnetwork = [\"127.0.0.2:*\"]\n",
        connects: &["127.0.0.2"],
        ..NONE
    },
    Setup {
        name: "operator-network",
        settings: "[grants]\nnetwork = [\"*:*\"]\n",
        operator: "[grants]\nnetwork = [\"127.0.0.2:ALLOWED\"]\n",
        connects: &["127.0.0.2"],
        ..NONE
    },
    Setup {
        name: "environment",
        settings: "[grants]\nenvironment = [\"GRANTED\"]\n",
        variable: true,
        ..NONE
    },
    Setup {
        name: "hook-tool",
        settings: "[grants]\nhook-tools = [\"future-tool\"]\n",
        tool: true,
        ..NONE
    },
    Setup {
        name: "legacy-hooks",
        settings: "[grants]\nlegacy-hooks = true\n",
        legacy_hooks: true,
        ..NONE
    },
    Setup {
        name: "limits",
        settings: LIMITS,
        limited: true,
        ..NONE
    },
    Setup {
        name: "limits-write",
        settings: "[limits]\ncpu-seconds = 1\nmemory-mib = 256\nhandles = 1000\nhost-buffer-mib = 32\nhost-memory-mib = 64\ndisk-mib = 16\n[grants]\nwrite = [\"DIR/srv/write\"]\n",
        place: Some("srv/write"),
        writable: &["srv/write"],
        writes: &["srv/write"],
        limited: true,
        ..NONE
    },
];
