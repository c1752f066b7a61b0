//! Open ports of a unit, and their notation (juju §3.3).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A protocol, in the order in which ports are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    Icmp,
    Tcp,
    Udp,
}

/// A port, a range of them, or ICMP, which has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRange {
    protocol: Protocol,
    from: i64,
    to: i64,
}

impl PortRange {
    /// Reads `80`, `80/udp`, `80-90/tcp` or `icmp`; the error is in Juju's
    /// words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        // What follows icmp is not looked at.
        if ports.eq_ignore_ascii_case("icmp") {
            return Ok(PortRange {
                protocol: Protocol::Icmp,
                from: -1,
                to: -1,
            });
        }
        let bounds: Vec<&str> = ports.split('-').collect();
        let (from, to) = match bounds.as_slice() {
            [port] => (number(port)?, number(port)?),
            [from, to] => (number(from)?, number(to)?),
            _ => return Err(format!("invalid port range {ports:?}")),
        };
        let protocol = match protocol.to_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "icmp" => {
                return Err(format!(
                    "protocol \"icmp\" doesn't support any ports; got {ports:?}"
                ));
            }
            _ => {
                return Err(format!(
                    "invalid protocol {protocol:?}, expected \"tcp\", \"udp\", or \"icmp\""
                ));
            }
        };
        let range = PortRange { protocol, from, to };
        if from > to {
            return Err(format!("invalid port range {range}"));
        }
        if from < 0 || to > 65535 {
            return Err(format!(
                "port range bounds must be between 0 and 65535, got {from}-{to}"
            ));
        }
        Ok(range)
    }

    /// Whether it is more than one port.
    pub fn is_range(&self) -> bool {
        self.from != self.to
    }

    /// Whether it is ICMP.
    pub fn is_icmp(&self) -> bool {
        self.protocol == Protocol::Icmp
    }

    fn overlaps(&self, other: &PortRange) -> bool {
        self.protocol == other.protocol && self.from <= other.to && other.from <= self.to
    }
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let numeric = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let reason = if numeric {
            "value out of range"
        } else {
            "invalid syntax"
        };
        format!("invalid port {text:?}: strconv.Atoi: parsing {text:?}: {reason}")
    })
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Icmp => return f.write_str("icmp"),
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        match self.is_range() {
            true => write!(f, "{}-{}/{protocol}", self.from, self.to),
            false => write!(f, "{}/{protocol}", self.from),
        }
    }
}

/// The open ports, each for all endpoints or for some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports {
    /// No endpoint in the set stands for all of them.
    open: BTreeMap<PortRange, BTreeSet<String>>,
    /// Of ranges that are open for all endpoints, those that [`Ports::settle`]
    /// will close them for.
    closing: BTreeMap<PortRange, BTreeSet<String>>,
}

impl Ports {
    /// Opens a range, for all endpoints if none is named. The error is the
    /// open range that it would overlap.
    pub fn open(&mut self, range: PortRange, endpoints: BTreeSet<String>) -> Result<(), PortRange> {
        self.conflict(range)?;
        if endpoints.is_empty() {
            self.closing.remove(&range);
        } else if let Some(closing) = self.closing.get_mut(&range) {
            closing.retain(|endpoint| !endpoints.contains(endpoint));
        }
        match self.open.get_mut(&range) {
            Some(open) if open.is_empty() => {}
            Some(open) if endpoints.is_empty() => open.clear(),
            Some(open) => open.extend(endpoints),
            None => {
                self.open.insert(range, endpoints);
            }
        }
        Ok(())
    }

    /// Refuses a range that is neither open nor apart from those that are.
    fn conflict(&self, range: PortRange) -> Result<(), PortRange> {
        let mut others = self.open.keys().filter(|other| **other != range);
        match others.find(|other| other.overlaps(&range)) {
            Some(other) => Err(*other),
            None => Ok(()),
        }
    }

    /// Closes a range, for all endpoints if none is named. A range that is open
    /// for all is listed as such until [`Ports::settle`]. The error is an open
    /// range of which it would be a part.
    pub fn close(
        &mut self,
        range: PortRange,
        endpoints: &BTreeSet<String>,
    ) -> Result<(), PortRange> {
        self.conflict(range)?;
        let Some(open) = self.open.get_mut(&range) else {
            return Ok(());
        };
        if open.is_empty() && !endpoints.is_empty() {
            let closing = self.closing.entry(range).or_default();
            closing.extend(endpoints.iter().cloned());
            return Ok(());
        }
        open.retain(|endpoint| !endpoints.contains(endpoint));
        if endpoints.is_empty() || open.is_empty() {
            self.open.remove(&range);
            self.closing.remove(&range);
        }
        Ok(())
    }

    /// Closes what was closed for some endpoints only. `known` are the
    /// endpoints of the charm: a range stays open for the others.
    pub fn settle(&mut self, known: &BTreeSet<String>) {
        for (range, closing) in std::mem::take(&mut self.closing) {
            let left: BTreeSet<String> = known.difference(&closing).cloned().collect();
            match (closing.is_empty(), left.is_empty()) {
                (true, _) => {}
                (false, true) => drop(self.open.remove(&range)),
                (false, false) => drop(self.open.insert(range, left)),
            }
        }
    }

    /// The ranges: ICMP, then TCP and UDP by number.
    pub fn ranges(&self) -> impl Iterator<Item = &PortRange> {
        self.open.keys()
    }

    /// The ranges as they are listed: `80/tcp`; with endpoints `80/tcp (*)`.
    pub fn listed(&self, with_endpoints: bool) -> Vec<String> {
        let line = |(range, endpoints): (&PortRange, &BTreeSet<String>)| {
            if !with_endpoints {
                return range.to_string();
            }
            let names: Vec<&str> = endpoints.iter().map(String::as_str).collect();
            match names.is_empty() {
                true => format!("{range} (*)"),
                false => format!("{range} ({})", names.join(", ")),
            }
        };
        self.open.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_range_open_for_all_can_be_closed_for_one_endpoint() {
        let known = set(&["db", "web"]);
        let http = PortRange::parse("80").unwrap();
        let mut ports = Ports::default();
        ports.open(http, set(&[])).unwrap();
        ports.close(http, &set(&["db"])).unwrap();
        assert_eq!(ports.listed(true), ["80/tcp (*)"]);
        ports.settle(&known);
        assert_eq!(ports.listed(true), ["80/tcp (web)"]);
        ports.open(http, set(&["db"])).unwrap();
        assert_eq!(ports.listed(true), ["80/tcp (db, web)"]);
        ports.open(http, set(&[])).unwrap();
        assert_eq!(ports.listed(true), ["80/tcp (*)"]);
        ports.close(http, &set(&["db", "web"])).unwrap();
        ports.open(http, set(&["db"])).unwrap();
        ports.settle(&known);
        assert_eq!(ports.listed(true), ["80/tcp (db)"]);
        ports.close(http, &set(&[])).unwrap();
        assert!(ports.listed(true).is_empty());
    }

    #[test]
    fn a_part_of_an_open_range_cannot_be_closed() {
        let mut ports = Ports::default();
        let range = PortRange::parse("80-90").unwrap();
        ports.open(range, set(&[])).unwrap();
        let part = PortRange::parse("85").unwrap();
        assert_eq!(ports.close(part, &set(&[])), Err(range));
        let other = PortRange::parse("85/udp").unwrap();
        assert_eq!(ports.close(other, &set(&[])), Ok(()));
        assert_eq!(ports.listed(false), ["80-90/tcp"]);
    }

    #[test]
    fn ranges_may_not_overlap() {
        let mut ports = Ports::default();
        let range = PortRange::parse("80-90").unwrap();
        ports.open(range, set(&[])).unwrap();
        assert_eq!(
            ports.open(PortRange::parse("85").unwrap(), set(&[])),
            Err(range)
        );
        assert_eq!(
            ports.open(PortRange::parse("85/udp").unwrap(), set(&[])),
            Ok(())
        );
    }

    #[test]
    fn bad_ranges_are_refused_in_the_words_of_juju() {
        for (text, wanted) in [
            ("1-2-3", "invalid port range \"1-2-3\""),
            ("99999999999999999999", "value out of range"),
            (
                "80/icmp",
                "protocol \"icmp\" doesn't support any ports; got \"80\"",
            ),
            ("", "strconv.Atoi: parsing \"\": invalid syntax"),
        ] {
            let error = PortRange::parse(text).unwrap_err();
            assert!(error.ends_with(wanted), "{text:?} gave {error:?}");
        }
    }
}
