//! Links in the form that charmcraft writes (`archive §7`).

/// Converts a link to charmcraft's form: scheme and host in lower case, without the
/// default port, and with a path, at least `/`.
pub fn normalise(link: &str) -> Result<String, String> {
    let rejected = |reason: &str| Err(format!("cannot use the link {link:?}: {reason}"));
    let link_text = link.trim();
    let Some((scheme, rest)) = link_text.split_once("://") else {
        return rejected("it must begin with https:// or http://");
    };
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return rejected("it must begin with https:// or http://"),
    };
    if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return rejected("it has a space in it; write %20");
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), authority),
    };
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    if host.is_empty() || host.starts_with(':') {
        return rejected("it has no host");
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(format!("{scheme}://{user}{host}{slash}{path}"))
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn links_get_the_form_charmcraft_writes() {
        for (given, wanted) in [
            ("https://a.b", "https://a.b/"),
            ("https://a.b/", "https://a.b/"),
            ("https://a.b/c", "https://a.b/c"),
            ("HTTPS://A.b/C", "https://a.b/C"),
            ("https://a.b:443/c", "https://a.b/c"),
            ("http://a.b:80", "http://a.b/"),
            ("http://a.b:443", "http://a.b:443/"),
            ("https://a.b?q=1", "https://a.b/?q=1"),
            ("https://a.b#top", "https://a.b/#top"),
            ("https://Me@a.b/x", "https://Me@a.b/x"),
        ] {
            assert_eq!(normalise(given).unwrap(), wanted, "{given}");
        }
    }

    #[test]
    fn what_is_no_link_is_rejected() {
        for given in [
            "",
            "a.b",
            "ftp://a.b",
            "https://",
            "https:///x",
            "https://a b",
            "https://:80/",
        ] {
            assert!(normalise(given).is_err(), "{given}");
        }
    }
}
