//! Which address a request comes from, and whether it may.
//!
//! The other end of the connection is known for certain. What a header says about whoever stands behind it is believed
//! only from a proxy that the operator named, and only up to the first address that is no such proxy: everything left of
//! that may be made up by the sender.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection that a request came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer(pub(super) IpAddr);

/// Why an address may not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    /// A trusted proxy does not say for whom it forwards in a way that can be read.
    #[error("the address of the sender is not known: {0}")]
    Unknown(String),
    /// It is known, and not among those that may send.
    #[error("{0} is not in `allow_ips`")]
    NotAllowed(IpAddr),
}

impl AddressError {
    /// The kind, as a label of counters.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "address_unknown",
            Self::NotAllowed(_) => "address_not_allowed",
        }
    }
}

/// What the headers say about the way that a request came, the sender first; an address that cannot be read is kept as
/// its text.
#[derive(Debug, Default)]
pub(super) struct Forwarded {
    ways: Vec<Vec<Result<IpAddr, String>>>,
}

impl Forwarded {
    /// Reads `X-Forwarded-For` and `Forwarded` (RFC 7239), each of which is a way of its own.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let lines = |name: &HeaderName| {
            let lines = headers.get_all(name).iter();
            lines
                .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
                .collect::<Vec<_>>()
        };
        let plain = lines(&X_FORWARDED_FOR);
        let plain = plain.iter().flat_map(|line| line.split(',')).map(address);
        let standard = lines(&FORWARDED);
        let standard = standard.iter().flat_map(|line| outside_quotes(line, ','));
        let standard = standard.map(|hop| node(hop).and_then(|node| address(&node)));
        let ways = [plain.collect::<Vec<_>>(), standard.collect::<Vec<_>>()];
        let ways = ways.into_iter().filter(|way| !way.is_empty());
        Self {
            ways: ways.collect(),
        }
    }
}

/// Whether a request may be sent from where it comes.
///
/// A proxy writes one of the two headers and passes the other on as the sender wrote it. Nobody can say which is which,
/// so where both are there, both must lead to an address that may send.
pub(super) fn allow(
    peer: Option<Peer>,
    forwarded: &Forwarded,
    trusted: &[IpNet],
    allowed: &[IpNet],
) -> Result<(), AddressError> {
    let Some(Peer(peer)) = peer else {
        let what = "the connection has none".to_owned();
        return Err(AddressError::Unknown(what));
    };
    let peer = peer.to_canonical();
    let is_in = |list: &[IpNet], address: IpAddr| list.iter().any(|net| net.contains(&address));
    let may = |address: IpAddr| {
        if is_in(allowed, address) {
            Ok(())
        } else {
            Err(AddressError::NotAllowed(address))
        }
    };
    if !is_in(trusted, peer) || forwarded.ways.is_empty() {
        return may(peer);
    }
    for way in &forwarded.ways {
        let mut sender = peer;
        for hop in way.iter().rev() {
            sender = hop.clone().map_err(|text| {
                let text = text.escape_debug();
                AddressError::Unknown(format!("a trusted proxy calls it `{text}`"))
            })?;
            if !is_in(trusted, sender) {
                break;
            }
        }
        may(sender)?;
    }
    Ok(())
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Result<IpAddr, String> {
    let text = text.trim();
    let bare = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, port)) if port.is_empty() || is_port(port) => inside,
        Some(_) => return Err(text.to_owned()),
        None => match text.split_once(':') {
            Some((before, port)) if !port.contains(':') && is_port(&text[before.len()..]) => before,
            _ => text,
        },
    };
    let address = bare.parse::<IpAddr>().map_err(|_| text.to_owned())?;
    Ok(address.to_canonical())
}

fn is_port(text: &str) -> bool {
    let digits = text.strip_prefix(':').unwrap_or_default();
    digits.parse::<u16>().is_ok()
}

/// The `for` of one hop: `for="[2001:db8::7]:4711";proto=https`.
fn node(hop: &str) -> Result<String, String> {
    let found = outside_quotes(hop, ';').into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("for")
            .then(|| value.trim())
    });
    let Some(value) = found else {
        return Err(hop.trim().to_owned());
    };
    let quoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    Ok(quoted.unwrap_or(value).replace('\\', ""))
}

/// The parts between separators that are not inside a quoted string.
fn outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if letter == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        let net = |text: &&str| {
            text.parse()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        };
        texts
            .iter()
            .map(|text| net(text).expect("a network"))
            .collect()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a header value"));
        }
        headers
    }

    /// The senders may be `192.0.2.0/24` and `2001:db8::7`; `10.0.0.0/8` and `fd00::/8` are proxies.
    fn ask(peer: &str, lines: &[(&'static str, &str)]) -> Result<(), AddressError> {
        let peer = Peer(peer.parse().expect("an address"));
        let forwarded = Forwarded::of(&headers(lines));
        let trusted = nets(&["10.0.0.0/8", "fd00::/8"]);
        let allowed = nets(&["192.0.2.0/24", "2001:db8::7"]);
        allow(Some(peer), &forwarded, &trusted, &allowed)
    }

    #[test]
    fn an_address_may_send_by_itself_or_through_trusted_proxies() {
        for (peer, lines) in [
            ("192.0.2.9", &[][..]),
            ("::ffff:192.0.2.9", &[]),
            ("2001:db8::7", &[]),
            ("10.0.0.1", &[("x-forwarded-for", "192.0.2.9")]),
            ("::ffff:10.0.0.1", &[("x-forwarded-for", "192.0.2.9")]),
            ("fd00::1", &[("x-forwarded-for", "2001:db8::7")]),
            ("10.0.0.1", &[("x-forwarded-for", "192.0.2.9:4711")]),
            ("10.0.0.1", &[("x-forwarded-for", "[2001:db8::7]:4711")]),
            ("10.0.0.1", &[("x-forwarded-for", "::ffff:192.0.2.9")]),
            (
                "10.0.0.1",
                &[("x-forwarded-for", "198.51.100.1, 192.0.2.9,10.0.0.2")],
            ),
            (
                "10.0.0.1",
                &[
                    ("x-forwarded-for", "192.0.2.9"),
                    ("x-forwarded-for", "10.0.0.2"),
                ],
            ),
            ("10.0.0.1", &[("forwarded", "for=192.0.2.9;proto=https")]),
            (
                "10.0.0.1",
                &[("forwarded", "proto=https;For=\"[2001:db8::7]:47\"")],
            ),
            (
                "10.0.0.1",
                &[("forwarded", "for=\"a,b;c\", for=192.0.2.9, for=10.1.1.1")],
            ),
            (
                "10.0.0.1",
                &[
                    ("forwarded", "for=192.0.2.8"),
                    ("x-forwarded-for", "192.0.2.9"),
                ],
            ),
        ] {
            assert_eq!(ask(peer, lines), Ok(()), "{peer} {lines:?}");
        }
    }

    #[test]
    fn what_a_stranger_claims_is_not_believed() {
        for (peer, lines, shown) in [
            ("198.51.100.1", &[][..], "198.51.100.1"),
            ("2001:db8::8", &[], "2001:db8::8"),
            (
                "198.51.100.1",
                &[("x-forwarded-for", "192.0.2.9")],
                "198.51.100.1",
            ),
            (
                "198.51.100.1",
                &[("forwarded", "for=192.0.2.9")],
                "198.51.100.1",
            ),
            ("10.0.0.1", &[], "10.0.0.1"),
            // What the sender wrote stands left of what the proxy added.
            (
                "10.0.0.1",
                &[("x-forwarded-for", "192.0.2.9, 198.51.100.1")],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[("forwarded", "for=192.0.2.9, for=198.51.100.1")],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[
                    ("x-forwarded-for", "192.0.2.9"),
                    ("x-forwarded-for", "198.51.100.1"),
                ],
                "198.51.100.1",
            ),
            // The proxy writes one of the headers, the sender the other.
            (
                "10.0.0.1",
                &[
                    ("forwarded", "for=192.0.2.9"),
                    ("x-forwarded-for", "198.51.100.1"),
                ],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[
                    ("forwarded", "for=198.51.100.1"),
                    ("x-forwarded-for", "192.0.2.9"),
                ],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")],
                "10.0.0.3",
            ),
        ] {
            let refused = AddressError::NotAllowed(shown.parse().expect("an address"));
            assert_eq!(ask(peer, lines), Err(refused), "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_proxy_that_names_no_address_lets_nobody_in() {
        for lines in [
            &[("x-forwarded-for", "")][..],
            &[("x-forwarded-for", "unknown")],
            &[("x-forwarded-for", "192.0.2.9, unknown")],
            &[("x-forwarded-for", "192.0.2.9,")],
            &[("x-forwarded-for", "192.0.2.9:http")],
            &[("x-forwarded-for", "192.0.2.9 192.0.2.9")],
            &[("forwarded", "proto=https")],
            &[("forwarded", "for=_hidden")],
            &[("forwarded", "for=\"192.0.2.9")],
            &[("forwarded", "for=[2001:db8::7]x")],
        ] {
            let refused = ask("10.0.0.1", lines);
            assert!(
                matches!(refused, Err(AddressError::Unknown(_))),
                "{lines:?}: {refused:?}"
            );
        }
        let nowhere = allow(None, &Forwarded::default(), &[], &nets(&["0.0.0.0/0"]));
        assert!(
            matches!(nowhere, Err(AddressError::Unknown(_))),
            "{nowhere:?}"
        );
    }

    proptest! {
        #[test]
        fn whoever_is_no_proxy_cannot_change_its_address(text in "[a-z0-9=;:,\\[\\]\" \\\\.]{0,60}") {
            let lines = [("x-forwarded-for", text.as_str()), ("forwarded", text.as_str())];
            prop_assert!(ask("198.51.100.1", &lines).is_err());
            prop_assert!(ask("192.0.2.9", &lines).is_ok());
        }

        #[test]
        fn what_stands_left_of_a_stranger_does_not_matter(text in "[a-z0-9:.]{0,20}") {
            let line = format!("{text}, 198.51.100.1");
            prop_assert!(ask("10.0.0.1", &[("x-forwarded-for", &line)]).is_err());
        }
    }
}
