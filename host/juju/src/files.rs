//! Arguments of hook tools that name files.
//!
//! `--file`, `--output` and a secret's `KEY#file` are opened by the agent, in
//! its file system and with its rights: a charm that may not touch the machine
//! may not have it do so.

/// The flags that take the path of a file.
const FLAGS: [&str; 2] = ["--file", "--output"];

/// The first of the arguments that has the agent open a file, without what
/// follows it.
pub(crate) fn opens_file<'a>(tool: &str, args: &'a [String]) -> Option<&'a str> {
    let mut before = "";
    let mut has_flags = true;
    for (place, arg) in args.iter().enumerate() {
        if has_flags {
            // What follows a flag can be its value, also if it looks like the
            // end of all flags.
            if arg == "--" && (before.contains('=') || !before.starts_with('-')) {
                has_flags = false;
                continue;
            }
            if arg.starts_with("-o") {
                return arg.get(..2);
            }
            let (flag, value) = match arg.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (arg.as_str(), args.get(place + 1).map(String::as_str)),
            };
            let is_stdin = flag == "--file" && value == Some("-");
            if FLAGS.contains(&flag) && !is_stdin {
                return Some(flag);
            }
        }
        if tool.starts_with("secret-")
            && let Some((key, _)) = arg.split_once('=')
            && key.ends_with("#file")
        {
            return Some(key);
        }
        before = arg;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_file_is_found_and_nothing_else() {
        for (line, wanted) in [
            ("config-get --format=json", None),
            ("config-get -o /etc/x", Some("-o")),
            ("config-get -o/etc/x", Some("-o")),
            ("config-get -o=/etc/x", Some("-o")),
            ("config-get --output /etc/x", Some("--output")),
            ("config-get --output=/etc/x", Some("--output")),
            ("config-get key -o /etc/x", Some("-o")),
            ("relation-get -r -- -o /etc/x", Some("-o")),
            ("relation-get -r 1 - --output=/etc/x", Some("--output")),
            ("relation-set -r 1 --file -", None),
            ("relation-set -r 1 --file=-", None),
            ("relation-set -r 1 --file /etc/x", Some("--file")),
            ("state-set --file=/etc/x", Some("--file")),
            ("state-set --file", Some("--file")),
            ("status-set --application=False active -- -o", None),
            ("juju-log --log-level INFO -- --output is empty", None),
            ("action-log -- -o", None),
            ("secret-add data#file=/etc/x", Some("data#file")),
            ("secret-set secret:1 -- data#file=/etc/x", Some("data#file")),
            ("secret-add data#base64=eA==", None),
            ("secret-add data=a#file=b", None),
            ("action-set data#file=x", None),
        ] {
            let mut words = line.split(' ').map(str::to_owned);
            let tool = words.next().unwrap();
            let args: Vec<String> = words.collect();
            assert_eq!(opens_file(&tool, &args), wanted, "{line}");
        }
    }
}
