//! Writes the files of a built charm to the output directory.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use charmhost_runtime::{COMPILED_NAME, SETTINGS_NAME};

use crate::{Error, Options};

/// The charm's executable.
const DISPATCH_NAME: &str = "dispatch";

/// Returns an error if an output directory has anything but an earlier build.
pub fn check_output(output: &Path) -> Result<(), Error> {
    let entries = match std::fs::read_dir(output) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(io("read", output, source)),
    };
    for entry in entries {
        let name = entry
            .map_err(|source| io("read", output, source))?
            .file_name();
        let name = name.to_string_lossy();
        if ![DISPATCH_NAME, COMPILED_NAME, SETTINGS_NAME].contains(&name.as_ref()) {
            return Err(Error::ForeignOutput {
                output: output.to_path_buf(),
                found: name.into_owned(),
            });
        }
    }
    Ok(())
}

/// Finds the `dispatch` program for the architecture: the one that the options
/// name, else one in the program directory.
pub fn find_dispatch(options: &Options) -> Result<PathBuf, Error> {
    let architecture = options.architecture;
    let candidates = match &options.dispatch {
        Some(path) => vec![path.clone()],
        None => [
            format!("{DISPATCH_NAME}-{architecture}"),
            DISPATCH_NAME.to_owned(),
        ]
        .map(|name| options.program_dir.join(name))
        .to_vec(),
    };
    let mut tried = Vec::new();
    for path in candidates {
        match elf_machine(&path) {
            Some(machine) if machine == architecture.elf_machine() => return Ok(path),
            Some(_) => tried.push(format!("{} is for another architecture", path.display())),
            None => tried.push(format!("{} is not a Linux program", path.display())),
        }
    }
    let detail = format!(
        "{}; put it beside charmhost, or name it with --dispatch or CHARMHOST_DISPATCH",
        tried.join(", ")
    );
    Err(Error::NoDispatch {
        architecture,
        detail,
    })
}

/// The machine field in the header of an ELF program.
fn elf_machine(path: &Path) -> Option<u16> {
    use std::io::Read;
    let mut header = [0; 20];
    std::fs::File::open(path)
        .ok()?
        .read_exact(&mut header)
        .ok()?;
    match header {
        [0x7f, b'E', b'L', b'F', .., low, high] => Some(u16::from_le_bytes([low, high])),
        _ => None,
    }
}

/// Writes the files, each atomically.
pub fn stage(
    project: &Path,
    dispatch: &Path,
    compiled: &[u8],
    output: &Path,
) -> Result<Vec<PathBuf>, Error> {
    std::fs::create_dir_all(output).map_err(|source| io("create", output, source))?;
    let program = crate::read(dispatch)?;
    let mut files = vec![
        put(output, DISPATCH_NAME, &program, 0o755)?,
        put(output, COMPILED_NAME, compiled, 0o644)?,
    ];
    let settings = project.join(SETTINGS_NAME);
    if settings.exists() {
        files.push(put(output, SETTINGS_NAME, &crate::read(&settings)?, 0o644)?);
    } else {
        remove(&output.join(SETTINGS_NAME))?;
    }
    Ok(files)
}

fn put(output: &Path, name: &str, content: &[u8], mode: u32) -> Result<PathBuf, Error> {
    let path = output.join(name);
    match write_atomically(output, &path, content, mode) {
        Ok(()) => Ok(path),
        Err(source) => Err(io("write", &path, source)),
    }
}

fn write_atomically(dir: &Path, path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(content)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    file.persist(path)?;
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(io("remove", path, source))
        }
        _ => Ok(()),
    }
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_output_has_the_built_charm_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (project, output) = (dir.path().join("p"), dir.path().join("deep/out"));
        std::fs::create_dir(&project).unwrap();
        let dispatch = dir.path().join("host");
        std::fs::write(&dispatch, "program").unwrap();

        std::fs::write(project.join(SETTINGS_NAME), "[limits]\n").unwrap();
        stage(&project, &dispatch, b"code", &output).unwrap();
        assert_eq!(
            names(&output),
            ["charm.cwasm", "charmhost.toml", "dispatch"]
        );
        let mode = |name: &str| output.join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("dispatch"), mode("charm.cwasm")), (0o755, 0o644));

        std::fs::remove_file(project.join(SETTINGS_NAME)).unwrap();
        stage(&project, &dispatch, b"code", &output).unwrap();
        assert_eq!(names(&output), ["charm.cwasm", "dispatch"]);
    }

    #[test]
    fn an_output_with_other_files_is_rejected() {
        let dir = tempfile::tempdir().unwrap();
        assert!(check_output(&dir.path().join("new")).is_ok());
        std::fs::write(dir.path().join("dispatch"), "").unwrap();
        assert!(check_output(dir.path()).is_ok());
        std::fs::write(dir.path().join("thesis.txt"), "").unwrap();
        let error = check_output(dir.path()).unwrap_err().to_string();
        assert!(error.contains("it contains \"thesis.txt\""), "{error}");
    }

    #[test]
    fn a_dispatch_for_another_architecture_is_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dispatch");
        let mut header = [0; 20];
        header[..4].copy_from_slice(b"\x7fELF");
        header[18] = 183;
        std::fs::write(&path, header).unwrap();
        let find = |architecture| {
            find_dispatch(&Options {
                dir: dir.path().to_path_buf(),
                output: dir.path().join("out"),
                architecture,
                dispatch: Some(path.clone()),
                program_dir: PathBuf::new(),
                cargo_home: None,
                component: None,
            })
        };
        assert_eq!(find(Architecture::Arm64).unwrap(), path);
        let error = find(Architecture::Amd64).unwrap_err().to_string();
        assert!(error.contains("is for another architecture"), "{error}");
    }
}
