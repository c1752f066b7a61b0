//! Relation data and state are passed to Juju unchanged: independent YAML readers
//! read what a dispatch sends.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use charmhost_jujuc::REQUIRES_STDIN;
use serde_json::{Value, json};

use crate::support::{Agent, Dispatch, built, copy, dist, prints, root, shown, usual};

type Data = BTreeMap<String, String>;

/// A random number generator with a reproducible seed.
struct Random(u64);

impl Random {
    /// Uses `SEED` from the environment, otherwise the time.
    fn new() -> Self {
        let given = std::env::var("SEED").ok();
        let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed = given.map_or_else(now, |seed| seed.parse().unwrap());
        Random(seed | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    /// Every character once, in random order.
    fn shuffled(&mut self) -> Vec<char> {
        let mut all: Vec<char> = ('\0'..=char::MAX).collect();
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
        all
    }

    /// Splits the characters into texts of up to `longest` characters, some of them
    /// short.
    fn texts(&mut self, mut characters: &[char], longest: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while !characters.is_empty() {
            let length = match self.below(3) {
                0 => 1 + self.below(3),
                _ => 1 + self.below(longest),
            };
            let (own, rest) = characters.split_at(length.min(characters.len()));
            characters = rest;
            let mut text = String::new();
            for character in own {
                text.push(*character);
                if self.below(4) == 0 {
                    text.push(' ');
                }
            }
            texts.push(text);
        }
        texts
    }
}

/// Keys and values that have another meaning in unquoted YAML, that readers fold,
/// and with lengths around the limit of keys.
fn odd_data() -> Data {
    let words = [
        "<<",
        "=",
        "~",
        "null",
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
        "true",
        "False",
        "0",
        "-1",
        "0x10",
        "0o17",
        "017",
        "1_000",
        "1.50",
        "1e3",
        ".inf",
        ".NaN",
        "190:20:30",
        "2001-12-14",
        " ",
        "  a",
        "a  ",
        "\t",
        "\n",
        "\n\n",
        "a\nb",
        "\r\n",
        "-",
        "- a",
        "?",
        "? a",
        ":",
        "a: b",
        "#",
        "a #b",
        "&a",
        "*a",
        "!",
        "!!str",
        "!!binary",
        "|",
        ">",
        "%",
        "%YAML 1.1",
        "@",
        "`",
        "'",
        "''",
        "\"",
        "\\",
        "\\u0041",
        "{",
        "}",
        "{}",
        "[",
        "]",
        "[]",
        ",",
        "---",
        "...",
        "/",
        "a \u{85} b",
        "a \u{2028} b",
        " \u{2029} ",
        "\u{feff}",
        "\u{feff}a",
        "e\u{301}",
        "\u{202e}",
    ];
    let mut data: Data = words
        .iter()
        .map(|word| ((*word).to_owned(), (*word).to_owned()))
        .collect();
    for length in (990..1040).chain([4096, 70_000]) {
        data.insert("k".repeat(length), format!("{length} bytes"));
    }
    data.insert(
        "\u{1f600}".repeat(100),
        "an emoji a hundred times".to_owned(),
    );
    data.insert("long".to_owned(), "a b ".repeat(50_000));
    data
}

/// Everything that is written, in several dispatches.
fn chunks(random: &mut Random) -> Vec<Data> {
    let (keys, values) = (random.shuffled(), random.shuffled());
    let values = random.texts(&values, 6000);
    let mut chunks = vec![odd_data()];
    // Each has a character that no other has; values are longer, so there are
    // fewer of them.
    let keys = random.texts(&keys, 2500);
    assert!(keys.len() > values.len());
    for (index, key) in keys.into_iter().enumerate() {
        if index % 100 == 0 {
            chunks.push(Data::new());
        }
        let value = values
            .get(index)
            .cloned()
            .unwrap_or_else(|| index.to_string());
        chunks.last_mut().unwrap().insert(key, value);
    }
    chunks
}

/// Makes a guest write the data, and returns the standard input of `relation-set`.
fn sent(transport: &str, data: &Data) -> Vec<u8> {
    let charm = built("tests/guests/databags");
    let pairs: Vec<(&String, &String)> = data.iter().collect();
    let params = json!({ "data": pairs }).to_string();
    let inputs = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&inputs);
    let agent = Agent::answering(move |request| match request.tool.as_str() {
        "action-get" => prints(&params),
        "relation-ids" => prints("[\"db:7\"]"),
        "relation-list" => prints("[\"pg/0\"]"),
        "relation-get" => prints("{}"),
        // Like Juju's own client.
        "relation-set" if request.stdin.is_none() => Err(REQUIRES_STDIN.to_owned()),
        "relation-set" => {
            seen.lock().unwrap().push(request.clone());
            prints("")
        }
        _ => usual(request),
    });
    let tools = tempfile::tempdir().unwrap();
    for name in [
        "juju-log",
        "action-get",
        "is-leader",
        "relation-get",
        "relation-ids",
        "relation-list",
        "relation-set",
    ] {
        std::os::unix::fs::symlink(dist("hook-tool"), tools.path().join(name)).unwrap();
    }
    let ended = Dispatch::new(&charm, "actions/write", &agent)
        .var("CHARMHOST_HOOK_TOOLS", transport)
        .var("PATH", &format!("{}:/usr/bin:/bin", tools.path().display()))
        .run();
    let logs = agent.logs();
    assert_eq!(
        ended.code,
        Some(0),
        "{transport}: {}\n{logs:?}",
        ended.stderr
    );
    let mut inputs = inputs.lock().unwrap();
    assert_eq!(inputs.len(), 1, "{transport}: {logs:?}");
    let request = inputs.pop().unwrap();
    assert_eq!(request.args.join(" "), "-r db:7 --file -");
    request.stdin.unwrap()
}

/// Returns what a program reads from its input and prints as JSON.
fn read_by(mut reader: Command, input: &[u8]) -> Result<Value, String> {
    reader
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = reader
        .spawn()
        .expect("readers are made by `make test-suites`");
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || pipe.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(shown(&output)),
    }
}

fn go_yaml(version: &str) -> Command {
    let mut command = Command::new("yamlreader");
    command.arg(version);
    command
}

fn py_yaml() -> Command {
    let mut command = Command::new(root().join("target/ops-venv/bin/python"));
    let script = "import json, sys, yaml\n\
        data = yaml.load(sys.stdin.buffer.read(), Loader=yaml.SafeLoader)\n\
        json.dump(data, sys.stdout)\n";
    command.args(["-c", script]);
    command
}

/// Converts JSON to a map of texts.
fn data(value: Value) -> Data {
    serde_json::from_value(value).unwrap()
}

#[test]
fn independent_yaml_readers_read_all_relation_data() {
    let mut random = Random::new();
    let seed = random.0;
    let chunks = chunks(&mut random);
    let mut written: Vec<bool> = vec![false; char::MAX as usize + 1];
    for data in &chunks {
        let over_rpc = sent("rpc", data);
        assert!(
            over_rpc == sent("exec", data),
            "the transports differ: SEED={seed}"
        );
        for (name, reader) in [
            ("go-yaml 2", go_yaml("v2")),
            ("go-yaml 3", go_yaml("v3")),
            ("PyYAML", py_yaml()),
        ] {
            let read = read_by(reader, &over_rpc);
            let read = read.unwrap_or_else(|error| panic!("{name}, SEED={seed}: {error}"));
            let read = self::data(read);
            let differing = data
                .iter()
                .find(|(key, value)| read.get(*key) != Some(*value));
            let found = differing.map(|(key, value)| (key, value, read.get(key)));
            assert_eq!(found, None, "{name}, SEED={seed}");
            assert_eq!(read.len(), data.len(), "{name}, SEED={seed}");
        }
        for character in data.values().flat_map(|value| value.chars()) {
            written[character as usize] = true;
        }
    }
    let all = ('\0'..=char::MAX).filter(|character| !written[*character as usize]);
    assert_eq!(all.collect::<String>(), "", "never written: SEED={seed}");
}

/// Juju reads the handles, and the reader of the state its documents.
#[test]
fn independent_yaml_readers_read_all_state_saved_in_juju() {
    let mut random = Random::new();
    let seed = random.0;
    let mut characters = random.shuffled();
    characters.truncate(10_000);
    // Characters that a reader may reject or fold, and their neighbours.
    characters.extend('\0'..'\u{3000}');
    characters.extend('\u{fe00}'..='\u{ffff}');
    for characters in characters.chunks(3000) {
        let texts = random.texts(characters, 200);
        let mut saved: Vec<[String; 2]> =
            texts.into_iter().map(|text| [text.clone(), text]).collect();
        // A handle has at most 256 bytes.
        saved[0][0] = characters[..20].iter().collect();
        let sent = sent_state(&saved);
        let read = read_by(go_yaml("v2"), &sent);
        let read = data(read.unwrap_or_else(|error| panic!("SEED={seed}: {error}")));
        let again = read_by(go_yaml("v3"), &sent).map(data);
        assert!(again.as_ref() == Ok(&read), "SEED={seed}: {again:?}");
        let handle = format!("Databags/StoredStateData[{}]", saved[0][0]);
        let Some(document) = read.get(&handle) else {
            panic!("SEED={seed}: no {handle:?}: {:?}", read.keys());
        };
        let read = read_by(py_yaml(), document.as_bytes());
        assert!(read == Ok(json!(saved)), "SEED={seed}: {read:?}\n{saved:?}");
    }
}

/// Makes a guest save the data in Juju, and returns the standard input of
/// `state-set`.
fn sent_state(data: &[[String; 2]]) -> Vec<u8> {
    let charm = copy("tests/guests/databags");
    let settings = "[state]\nstorage = \"juju\"\n";
    std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
    let params = json!({ "data": data }).to_string();
    let inputs = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&inputs);
    let agent = Agent::answering(move |request| match request.tool.as_str() {
        "action-get" => prints(&params),
        "state-get" if request.args.concat().contains("json") => prints("{}"),
        "state-set" => {
            seen.lock().unwrap().extend(request.stdin.clone());
            prints("")
        }
        _ => usual(request),
    });
    let ended = Dispatch::new(charm.path(), "actions/save", &agent).run();
    let logs = agent.logs();
    assert_eq!(ended.code, Some(0), "{}\n{logs:?}", ended.stderr);
    let mut inputs = inputs.lock().unwrap();
    assert_eq!(inputs.len(), 1, "{logs:?}");
    inputs.pop().unwrap()
}

/// The test would fail with plain JSON.
#[test]
fn go_yaml_does_not_read_plain_json() {
    for version in ["v2", "v3"] {
        let read = |text: &str| {
            let json = json!({ "k": text }).to_string();
            read_by(go_yaml(version), json.as_bytes())
        };
        assert!(
            read("\u{7f}")
                .unwrap_err()
                .contains("control characters are not allowed")
        );
        assert_ne!(read("a \u{2028} b").unwrap()["k"], "a \u{2028} b");
        assert_eq!(read("a").unwrap()["k"], "a");
    }
}
