//! Notices: deferred events, each for one observer (ops §5.3).

/// A deferred event for one observer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notice {
    /// `<source>/on/<event>[<counter>]` (ops §4.1).
    pub event_path: String,
    /// The observer's path.
    pub observer_path: String,
    /// The observer's method.
    pub method: String,
}

impl Notice {
    /// The source and the name of the event; none if the path is malformed.
    pub fn event(&self) -> Option<(&str, &str)> {
        let (path, counter) = self.event_path.rsplit_once('[')?;
        counter.strip_suffix(']')?;
        path.rsplit_once("/on/")
            .or_else(|| Some(("", path.strip_prefix("on/")?)))
    }
}

#[cfg(test)]
impl Notice {
    /// A notice of the event `start` for a method of the charm.
    pub fn of_start(method: &str) -> Self {
        Notice {
            event_path: "Charm/on/start[1]".to_owned(),
            observer_path: "Charm".to_owned(),
            method: method.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_paths_name_source_and_event() {
        for (path, wanted) in [
            ("MyCharm/on/start[7]", Some(("MyCharm", "start"))),
            (
                "MyCharm/DbLib[db]/on/ready[2]",
                Some(("MyCharm/DbLib[db]", "ready")),
            ),
            ("on/commit[5]", Some(("", "commit"))),
            ("MyCharm/start", None),
        ] {
            assert_eq!(notice(path).event(), wanted, "{path}");
        }
    }

    fn notice(path: &str) -> Notice {
        Notice {
            event_path: path.to_owned(),
            observer_path: "Charm".to_owned(),
            method: "x".to_owned(),
        }
    }
}
