use std::time::UNIX_EPOCH;

use charmhost_pebble::{Client, Error, FileKind, FileOptions, PathProblem, Push};

use crate::daemon::with;

async fn write_all(push: &Push, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        bytes = &bytes[push.write(bytes).await?..];
    }
    Ok(())
}

async fn push(client: &Client, path: &str, content: &[u8]) -> Result<(), Error> {
    let mut push = client.push(path, &FileOptions::default()).await?;
    for piece in content.chunks(1000) {
        write_all(&push, piece).await?;
    }
    push.finish().await
}

async fn pull(client: &Client, path: &str) -> Result<Vec<u8>, Error> {
    let pull = client.pull(path).await?;
    let mut all = Vec::new();
    loop {
        let piece = pull.read(777).await?;
        assert!(piece.len() <= 777);
        if piece.is_empty() {
            return Ok(all);
        }
        all.extend(piece);
    }
}

fn problem<T>(result: Result<T, Error>) -> PathProblem {
    match result {
        Err(Error::Path(failure)) => {
            assert!(!failure.message.is_empty());
            failure.problem
        }
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn a_written_file_can_be_read() {
    with(async |daemon, client| {
        let tricky = b"a\r\n--b\r\n\r\n--".repeat(100);
        for (name, content) in [
            ("empty", &b""[..]),
            ("small", b"hello\n"),
            ("tricky", &tricky),
            ("with \"quotes\" and \\", b"x"),
            ("ünï %41 + &", b"y"),
        ] {
            let path = daemon.path(name);
            push(&client, &path, content).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content, "{name}");
            assert_eq!(pull(&client, &path).await.unwrap(), content, "{name}");
        }
    });
}

#[test]
fn options_are_applied() {
    use std::os::unix::fs::PermissionsExt;
    with(async |daemon, client| {
        let path = daemon.path("new/dirs/file");
        let options = FileOptions {
            permissions: Some(0o600),
            make_parents: true,
            ..FileOptions::default()
        };
        let mut push = client.push(&path, &options).await.unwrap();
        write_all(&push, b"x").await.unwrap();
        push.finish().await.unwrap();
        for closed in [push.finish().await, push.write(b"y").await.map(drop)] {
            assert!(matches!(closed, Err(Error::Closed(_))), "{closed:?}");
        }
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let options = FileOptions {
            permissions: Some(0o4755),
            ..FileOptions::default()
        };
        assert!(matches!(
            client.push(&path, &options).await,
            Err(Error::Invalid(_))
        ));
    });
}

#[test]
fn errors_of_paths_have_their_problem() {
    with(async |daemon, client| {
        let missing = daemon.path("missing");
        assert_eq!(
            problem(pull(&client, &missing).await),
            PathProblem::NotFound
        );
        assert_eq!(
            problem(pull(&client, &daemon.path("")).await),
            PathProblem::Generic
        );
        let relative = push(&client, "relative", b"").await;
        assert!(matches!(relative, Err(Error::Invalid(_))), "{relative:?}");
        assert_eq!(
            problem(push(&client, &daemon.path("no/dir"), b"x").await),
            PathProblem::NotFound
        );
        assert_eq!(
            problem(client.remove_path(&missing, false).await),
            PathProblem::NotFound
        );
        assert_eq!(problem(client.stat(&missing).await), PathProblem::NotFound);
        client.remove_path(&missing, true).await.unwrap();
        let options = FileOptions::default();
        client
            .make_dir(&daemon.path("dir"), &options)
            .await
            .unwrap();
        assert_eq!(
            problem(client.make_dir(&daemon.path("dir"), &options).await),
            PathProblem::Generic
        );
    });
}

#[test]
fn an_aborted_write_leaves_the_old_file() {
    with(async |daemon, client| {
        let path = daemon.path("file");
        push(&client, &path, b"old").await.unwrap();
        let half = client.push(&path, &FileOptions::default()).await.unwrap();
        write_all(&half, &[b'x'; 100_000]).await.unwrap();
        drop(half);
        client.system_info().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    });
}

#[test]
fn directories_are_listed() {
    with(async |daemon, client| {
        for name in ["b.txt", "a.log"] {
            push(&client, &daemon.path(name), b"12345").await.unwrap();
        }
        std::os::unix::fs::symlink("b.txt", daemon.path("link")).unwrap();
        let listed = client
            .list_files(&daemon.path(""), Some("*.*"))
            .await
            .unwrap();
        let names: Vec<_> = listed
            .iter()
            .map(|info| (info.name.as_str(), info.kind, info.size))
            .collect();
        assert_eq!(
            names,
            [
                ("a.log", FileKind::File, Some(5)),
                ("b.txt", FileKind::File, Some(5)),
                ("pebble.socket", FileKind::Socket, None),
            ]
        );
        let missing = client.list_files(&daemon.path("missing"), None).await;
        assert_eq!(problem(missing), PathProblem::NotFound);
        let malformed = client.list_files(&daemon.path(""), Some("[")).await;
        assert_eq!(problem(malformed), PathProblem::Generic);
        // The only entry of a file is itself.
        let file = client.list_files(&daemon.path("a.log"), None).await;
        assert_eq!(file.unwrap()[0].name, "a.log");
    });
}

#[test]
fn a_path_is_described_and_a_link_is_followed() {
    with(async |daemon, client| {
        let path = daemon.path("file");
        push(&client, &path, b"12345").await.unwrap();
        std::os::unix::fs::symlink("file", daemon.path("link")).unwrap();
        let file = client.stat(&path).await.unwrap();
        assert_eq!((file.name.as_str(), file.size), ("file", Some(5)));
        assert_eq!(
            (file.path.as_str(), file.permissions),
            (path.as_str(), 0o644)
        );
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        let modified = modified.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(file.last_modified.seconds(), modified as f64);
        let link = client.stat(&daemon.path("link")).await.unwrap();
        assert_eq!((link.kind, link.size), (FileKind::File, Some(5)));
        let directory = client.stat(&daemon.path("")).await.unwrap();
        assert_eq!(
            (directory.kind, directory.size),
            (FileKind::Directory, None)
        );
        for path in ["relative", ""] {
            assert!(matches!(client.stat(path).await, Err(Error::Invalid(_))));
            let listed = client.list_files(path, None).await;
            assert!(matches!(listed, Err(Error::Invalid(_))));
        }
    });
}

#[test]
fn many_files_are_read_in_one_request() {
    with(async |daemon, client| {
        let large = b"a\r\n--b\r\n\r\n--".repeat(300_000);
        for (name, content) in [("empty", &b""[..]), ("new\nline", b"x"), ("large", &large)] {
            push(&client, &daemon.path(name), content).await.unwrap();
        }
        let names = ["large", "missing", "empty", "", "new\nline", "large"];
        let paths: Vec<String> = names.iter().map(|name| daemon.path(name)).collect();
        let mut held = 0;
        let hold = |bytes| {
            held += bytes;
            Ok::<(), Error>(())
        };
        let pulled = client.pull_many(&paths, hold).await.unwrap();
        let found: Vec<_> = pulled
            .iter()
            .map(|file| match &file.content {
                Ok(content) => Ok(content.as_slice()),
                Err(failure) => Err(failure.problem),
            })
            .collect();
        assert_eq!(pulled[1].path, paths[1]);
        assert!(found[0] == Ok(&large) && found[5] == Ok(&large));
        assert_eq!(
            found[1..5],
            [
                Err(PathProblem::NotFound),
                Ok(&b""[..]),
                Err(PathProblem::Generic),
                Ok(&b"x"[..]),
            ]
        );
        assert!((2 * large.len()..3 * large.len()).contains(&held), "{held}");
    });
}

#[test]
fn the_memory_of_files_that_are_read_whole_is_asked_for() {
    with(async |daemon, client| {
        let path = daemon.path("large");
        push(&client, &path, &[7; 3_000_000]).await.unwrap();
        let mut left = 1_000_000_usize;
        let hold = |bytes: usize| match left.checked_sub(bytes) {
            Some(rest) => {
                left = rest;
                Ok(())
            }
            None => Err(Error::Invalid("full".to_owned())),
        };
        let pulled = client.pull_many(&[path], hold).await;
        assert_eq!(pulled, Err(Error::Invalid("full".to_owned())));
        let none = client.pull_many(&[], |_| Ok(())).await;
        assert!(matches!(none, Err(Error::Invalid(_))), "{none:?}");
        // The connection of the first request is not used again.
        client.system_info().await.unwrap();
    });
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_a_file() {
    with(async |daemon, client| {
        let path = daemon.path("large");
        let before = peak();
        let mut push = client.push(&path, &FileOptions::default()).await.unwrap();
        let piece = bytes::Bytes::from(vec![7_u8; 64 * 1024]);
        for _ in 0..4096 {
            write_all(&push, &piece).await.unwrap();
        }
        push.finish().await.unwrap();
        let pull = client.pull(&path).await.unwrap();
        let mut size = 0;
        loop {
            let piece = pull.read(64 * 1024).await.unwrap();
            if piece.is_empty() {
                break;
            }
            size += piece.len();
        }
        assert_eq!(size, 4096 * 64 * 1024);
        let grown = peak() - before;
        assert!(
            grown < 32 * 1024,
            "256 MiB through, {grown} KiB more memory"
        );
    });
}
