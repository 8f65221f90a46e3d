//! Lists of addresses: `"192.0.2.0/24"`, `"2001:db8::/32"`, `"192.0.2.7"`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::section::{Section, Wrong};
use super::tree::Value;

impl Section<'_, '_> {
    /// A list of networks; none if it is absent or one is wrong. What is wrong with one is said where it stands.
    pub(super) fn networks(&mut self, key: &'static str) -> Option<Vec<IpNet>> {
        let node = self.take(key)?;
        self.reading.show_value(&node);
        let path = self.path_of(key);
        let nodes = match node.value {
            Value::List(nodes) => nodes,
            // A variable that holds one needs no brackets.
            Value::Text(_) if node.raw.is_some() => vec![node],
            _ => {
                self.reading.wrong_type(&path, &node, "a list of addresses");
                return None;
            }
        };
        let count = nodes.len();
        let mut networks = Vec::new();
        for (index, node) in nodes.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            let place = node.place.clone();
            let Some(text) = self.reading.string(&path, node, "a string") else {
                continue;
            };
            match network(&text) {
                Ok(network) => networks.push(network),
                Err(wrong) => {
                    let (message, hint) = wrong.into_parts();
                    let message = format!("`{path}`: {message}");
                    self.reading.report(&path, place, message, hint);
                }
            }
        }
        (networks.len() == count).then_some(networks)
    }
}

/// An address is a network of one. IPv4 in the clothes of IPv6 is IPv4, as the addresses of senders are.
fn network(text: &str) -> Result<IpNet, Wrong> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network: IpNet = text.parse().map_err(|_| {
        Wrong::new(
            format!("`{text}` is neither an address nor a network"),
            "write something like \"192.0.2.7\", \"192.0.2.0/24\" or \"2001:db8::/32\"",
        )
    })?;
    if network.addr() != network.network() {
        return Err(Wrong::new(
            format!("`{text}` has an address behind its prefix"),
            format!(
                "write \"{}\" for the network, or \"{}\" for the one address",
                network.trunc(),
                network.addr()
            ),
        ));
    }
    Ok(plain(network))
}

fn plain(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let inner = mapped.addr().to_ipv4_mapped();
    let prefix = mapped.prefix_len().checked_sub(96);
    match inner.zip(prefix) {
        Some((address, prefix)) => Ipv4Net::new(address, prefix).map_or(network, IpNet::V4),
        None => network,
    }
}
