//! The architectures that a charm can be built for.

use std::fmt;
use std::str::FromStr;

/// A processor architecture of Juju's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit x86.
    Amd64,
    /// 64-bit Arm.
    Arm64,
}

impl Architecture {
    /// The architecture of this machine.
    pub fn host() -> Self {
        if cfg!(target_arch = "aarch64") {
            Architecture::Arm64
        } else {
            Architecture::Amd64
        }
    }

    /// The name that Juju and charmcraft use.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Amd64 => "amd64",
            Architecture::Arm64 => "arm64",
        }
    }

    /// The target triple for the compiler.
    pub fn triple(self) -> &'static str {
        match self {
            Architecture::Amd64 => "x86_64-unknown-linux-gnu",
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// The machine field in the header of an ELF program.
    pub(crate) fn elf_machine(self) -> u16 {
        match self {
            Architecture::Amd64 => 62,
            Architecture::Arm64 => 183,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "amd64" | "x86_64" => Ok(Architecture::Amd64),
            "arm64" | "aarch64" => Ok(Architecture::Arm64),
            _ => Err(format!(
                "cannot build for {name:?}: only amd64 and arm64 are supported"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_an_architecture_are_known() {
        for (name, wanted) in [
            ("amd64", Architecture::Amd64),
            ("x86_64", Architecture::Amd64),
            ("arm64", Architecture::Arm64),
            ("aarch64", Architecture::Arm64),
        ] {
            assert_eq!(name.parse(), Ok(wanted));
        }
        let error = "riscv64".parse::<Architecture>().unwrap_err();
        assert!(error.contains("only amd64 and arm64"), "{error}");
    }
}
