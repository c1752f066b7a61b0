//! More of the machine than the limits allow: memory of the guest and of the
//! host, handles, disk, log and processor time.
//!
//! The harness sets `memory-mib = 256`, `host-buffer-mib = 32`,
//! `host-memory-mib = 64`, `disk-mib = 16`, `handles = 1000` and
//! `cpu-seconds = 1`, and compares what the process had with them itself.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use charmhost::hook_tool;

use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::random::random::get_random_bytes;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::IpAddressFamily;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

use crate::attempt::*;
use crate::raw::framework::{self, EventKey, Observer};
use crate::raw::log;
use crate::raw::store::{self, Notice};
use crate::raw::stored_state;

const GUARD: &str = "limits";

const LIMITS: &[&str] = &["limits"];
/// Those under which there is something to write to.
const WRITES: &[&str] = &["limits", "limits-write"];

const MIB: usize = 1 << 20;

/// More than the host may hold, each time this much.
const PART: usize = 4 * MIB;
const PARTS: usize = 40;

fn failed<E: std::fmt::Debug>(error: E) -> Box<dyn std::error::Error> {
    let text = format!("{error:?}");
    text.chars().take(300).collect::<String>().into()
}

/// A name as long as one may be, and how many of them are too much.
const NAME: usize = 60 << 10;
const NAMES: usize = 2700;

fn name(number: usize) -> String {
    format!("n{number}{}", "x".repeat(NAME))
}

/// The same with names.
fn repeat_names(
    mut hold: impl FnMut(&str) -> std::result::Result<(), Box<dyn std::error::Error>>,
) -> Tried {
    for number in 0..NAMES {
        hold(&name(number))?;
    }
    Ok(format!("{} MiB of names", NAMES * NAME / MIB))
}

/// The same with paths of objects, which are shorter.
fn repeat_paths(
    mut hold: impl FnMut(&str) -> std::result::Result<(), Box<dyn std::error::Error>>,
) -> Tried {
    let object = "x".repeat(4000);
    for number in 0..40_000 {
        hold(&format!("Escape/Object[{number}{object}]"))?;
    }
    Ok("160 MiB of paths".to_owned())
}

/// Does something so often that the host would hold too much.
fn repeat(
    mut hold: impl FnMut(usize) -> std::result::Result<(), Box<dyn std::error::Error>>,
) -> Tried {
    for number in 0..PARTS {
        hold(number)?;
    }
    Ok(format!("{} MiB", PARTS * PART / MIB))
}

fn text(number: usize) -> String {
    format!("n{number}{}", "x".repeat(PART))
}

fn notice(number: usize, method: String) -> Notice {
    Notice {
        event_path: format!("Escape/on/start[{number}]"),
        observer_path: "Escape".to_owned(),
        method,
    }
}

/// Takes one more of something again and again.
fn hoard<T, E: std::fmt::Debug>(mut take: impl FnMut() -> std::result::Result<T, E>) -> Tried {
    let mut taken = Vec::new();
    while taken.len() < 3000 {
        match take() {
            Ok(one) => taken.push(one),
            Err(error) => return held(format!("after {}: {error:?}", taken.len())),
        }
    }
    Ok(format!("{} at one time", taken.len()))
}

/// A pickle of one text of 2 MiB, to which something refers 400 times.
fn pickle(open: &[u8], refer: &[u8], close: &[u8]) -> Vec<u8> {
    let length = u32::try_from(2 * MIB).unwrap_or_default();
    let mut pickle = b"\x80\x04".to_vec();
    pickle.extend_from_slice(open);
    pickle.extend_from_slice(b"X");
    pickle.extend_from_slice(&length.to_le_bytes());
    pickle.extend(std::iter::repeat_n(b'x', 2 * MIB));
    pickle.extend_from_slice(b"\x94");
    for _ in 0..400 {
        pickle.extend_from_slice(refer);
    }
    pickle.extend_from_slice(close);
    pickle
}

fn event(source: &str, name: &str) -> EventKey {
    EventKey {
        source: source.to_owned(),
        name: name.to_owned(),
    }
}

fn observer(event: EventKey, path: &str) -> Observer {
    Observer {
        event,
        path: path.to_owned(),
        method: "on_event".to_owned(),
    }
}

fn load_pickle(pickle: &[u8]) -> Tried {
    let name = "Escape/StoredStateData[bomb]";
    store::save_snapshot(name, pickle).map_err(failed)?;
    match stored_state::load("Escape", "bomb").map_err(failed)? {
        Some(text) => Ok(format!("{} bytes", text.len())),
        None => held("nothing was loaded"),
    }
}

/// Fills files of a size, and closes them or not.
fn fill(directory: &str, mib: usize, remove: bool) -> Tried {
    let block = vec![7; MIB];
    let mut open = Vec::new();
    for number in 0..48 / mib {
        let path = format!("{directory}/fill-{number}");
        let mut file = File::create(&path)?;
        for _ in 0..mib {
            file.write_all(&block)?;
        }
        if remove {
            fs::remove_file(path)?;
            open.push(file);
        }
    }
    Ok("48 MiB".to_owned())
}

/// Works as long as it is let. A busy machine gives it little time, so that
/// only the process shows how much it was.
fn work(mut step: impl FnMut()) -> Tried {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        step();
    }
    held("how long it worked, the process shows")
}

pub const ATTEMPTS: &[Attempt] = &[
    way("hoard-memory", LIMITS, GUARD, |_| {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        while hoard.len() < 600 {
            hoard.push(std::hint::black_box(vec![1; MIB]));
        }
        Ok("600 MiB".to_owned())
    }),
    way("hoard-files", LIMITS, GUARD, |_| {
        fs::write("/tmp/p", "x")?;
        hoard(|| File::open("/tmp/p"))
    }),
    way("hoard-sockets", LIMITS, GUARD, |_| {
        hoard(|| create_tcp_socket(IpAddressFamily::Ipv4))
    }),
    way("hoard-timers", LIMITS, GUARD, |_| {
        hoard(|| Ok::<_, String>(subscribe_duration(1)))
    }),
    way("hoard-streams", LIMITS, GUARD, |_| {
        fs::write("/tmp/p", "x")?;
        let file = root()?.open_at(
            wasip2::filesystem::types::PathFlags::empty(),
            "tmp/p",
            wasip2::filesystem::types::OpenFlags::empty(),
            wasip2::filesystem::types::DescriptorFlags::READ,
        )?;
        hoard(|| file.read_via_stream(0))
    }),
    way("pass-much-in-one-call", LIMITS, GUARD, |_| {
        let large = "x".repeat(40 * MIB);
        let args: Vec<&str> = vec![&large; 4];
        let output = hook_tool("juju-log", &args, None).map_err(failed)?;
        Ok(format!("exit code {}", output.exit_code))
    }),
    way("ask-for-much-in-one-call", LIMITS, GUARD, |_| {
        let bytes = get_random_bytes(200 * MIB as u64);
        Ok(format!("{} bytes", bytes.len()))
    }),
    way("hold-snapshots", LIMITS, GUARD, |_| {
        repeat(|number| {
            let name = format!("Escape/StoredStateData[{number}]");
            store::save_snapshot(&name, text(number).as_bytes()).map_err(failed)
        })
    }),
    way("hold-names-of-snapshots", LIMITS, GUARD, |_| {
        repeat_names(|name| store::save_snapshot(name, b"x").map_err(failed))
    }),
    way("hold-stored-state", LIMITS, GUARD, |_| {
        repeat(|number| {
            let value = format!("\"{}\"", text(number));
            stored_state::save("Escape", &number.to_string(), &value).map_err(failed)
        })
    }),
    way("hold-notices", LIMITS, GUARD, |_| {
        repeat_names(|name| store::add_notice(&notice(1, name.to_owned())).map_err(failed))
    }),
    way("hold-paths-of-notices", LIMITS, GUARD, |_| {
        repeat_names(|name| {
            let mut notice = notice(1, "on_start".to_owned());
            notice.observer_path = format!("Escape/{name}");
            store::add_notice(&notice).map_err(failed)
        })
    }),
    way("hold-definitions", LIMITS, GUARD, |_| {
        repeat_paths(|source| framework::define(&event(source, "thing")).map_err(failed))
    }),
    way("hold-observers", LIMITS, GUARD, |_| {
        repeat_paths(|path| {
            framework::observe(&observer(event("Escape", "start"), path)).map_err(failed)
        })
    }),
    way("hold-emissions", LIMITS, GUARD, |_| {
        framework::define(&event("Escape", "thing")).map_err(failed)?;
        framework::observe(&observer(event("Escape", "thing"), "Escape")).map_err(failed)?;
        repeat(|number| {
            let data = format!("{{\"text\":\"{}\"}}", text(number));
            framework::emit(&event("Escape", "thing"), &data).map_err(failed)?;
            Ok(())
        })
    }),
    way("hold-listings", LIMITS, GUARD, |_| {
        let names = "x".repeat(240);
        fs::create_dir("/tmp/many")?;
        for number in 0..800 {
            File::create(format!("/tmp/many/{number}{names}"))?;
        }
        let many = directory("/tmp/many")?;
        let mut open = Vec::new();
        while open.len() < 900 {
            open.push(many.read_directory()?);
        }
        Ok(format!("{} listings", open.len()))
    }),
    way("hold-denials", LIMITS, GUARD, |_| {
        // Each is a denial of its own.
        for number in 0..160 {
            let name = format!("{number}.{}", "x".repeat(MIB));
            let _ = resolve_addresses(&instance_network(), &name);
        }
        held("what is held of denials, the process shows")
    }),
    way("hold-log", LIMITS, GUARD, |_| {
        let line = "x".repeat(MIB);
        for _ in 0..160 {
            log::write(log::Level::Info, &line);
        }
        Ok("160 MiB of log".to_owned())
    }),
    way("hold-pickle", LIMITS, GUARD, |_| {
        load_pickle(&pickle(b"](", b"h\0", b"e."))
    }),
    way("hold-pickled-keys", LIMITS, GUARD, |_| {
        // Dictionaries in a list, each with the same long key.
        load_pickle(&pickle(b"](", b"}h\0K\x01s", b"e."))
    }),
    way("fill-tmp", LIMITS, GUARD, |_| fill("/tmp", 16, false)),
    way("fill-charm", LIMITS, GUARD, |_| fill(&own(""), 16, false)),
    way("fill-grant", &["limits-write"], GUARD, |p| {
        fill(&p.place, 16, false)
    }),
    way("fill-with-small-files", WRITES, GUARD, |p| {
        fill(&p.place, 1, false)
    }),
    way("fill-with-removed-files", WRITES, GUARD, |p| {
        fill(&p.place, 16, true)
    }),
    way("fill-behind-the-end", WRITES, GUARD, |p| {
        let mut file = File::create(p.place("sparse"))?;
        let block = vec![7; MIB];
        for number in 0..48u64 {
            use std::io::{Seek, SeekFrom};
            file.seek(SeekFrom::Start(number * 2 * MIB as u64))?;
            file.write_all(&block)?;
        }
        Ok("48 MiB".to_owned())
    }),
    way("fill-by-appending", WRITES, GUARD, |p| {
        let block = vec![7; MIB];
        for _ in 0..48 {
            let mut options = fs::OpenOptions::new();
            let mut file = options.append(true).create(true).open(p.place("log"))?;
            file.write_all(&block)?;
        }
        Ok("48 MiB".to_owned())
    }),
    way("fill-with-directories", WRITES, GUARD, |p| {
        // Each takes a block of the file system.
        for number in 0..10_000 {
            fs::create_dir(p.place(&format!("dir-{number}")))?;
        }
        Ok("10000 directories".to_owned())
    }),
    way("work-for-ever", LIMITS, GUARD, |_| {
        work(|| {
            std::hint::black_box(0);
        })
    }),
    way("work-by-paths", LIMITS, GUARD, |_| {
        // In and out of a directory, more often than anybody has to.
        fs::create_dir("/tmp/a")?;
        let path = format!("/tmp/{}x", "a/../".repeat(5_000_000));
        match fs::metadata(path) {
            Ok(_) => held("there is no such file"),
            Err(error) => held(error.to_string()),
        }
    }),
    way("work-by-parts-of-a-path", LIMITS, GUARD, |_| {
        let path = format!("/tmp/{}x", "./a/../".repeat(3_000_000));
        fs::create_dir("/tmp/a")?;
        match root()?.symlink_at("x", below_root(&path)) {
            Ok(()) => held("a link was made"),
            Err(error) => held(error.to_string()),
        }
    }),
    way("work-by-links", LIMITS, GUARD, |_| {
        // Each link leads through the one before it many times.
        fs::create_dir("/tmp/l")?;
        symlink(".", "/tmp/l/0")?;
        for number in 1..12 {
            let target = format!("{}/", number - 1).repeat(900);
            symlink(target.trim_end_matches('/'), format!("/tmp/l/{number}"))?;
        }
        match fs::metadata("/tmp/l/11/x") {
            Ok(_) => held("there is no such file"),
            Err(error) => held(error.to_string()),
        }
    }),
    way("work-by-notices", LIMITS, GUARD, |_| {
        work(|| {
            for number in 0..1000 {
                let _ = store::add_notice(&notice(number, "on_start".to_owned()));
            }
        })
    }),
    way("work-by-definitions", LIMITS, GUARD, |_| {
        let mut number = 0;
        work(|| {
            for _ in 0..1000 {
                number += 1;
                let _ = framework::define(&event("Escape", &format!("thing_{number}")));
            }
        })
    }),
    way("work-by-listings", LIMITS, GUARD, |_| {
        for number in 0..2000 {
            let name = format!("Escape/StoredStateData[{number}]");
            store::save_snapshot(&name, b"x").map_err(failed)?;
        }
        work(|| {
            let _ = store::list_snapshots();
        })
    }),
];
