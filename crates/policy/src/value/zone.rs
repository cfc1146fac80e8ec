//! The part of the network that a host belongs to, from its text alone.
//!
//! A name is judged by its text: `Zone::"public"` says that a name is not one of those that are special
//! everywhere, not that its address is public. Whoever connects checks the address it got.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::host::Host;

macro_rules! zones {
    ($($(#[doc = $doc:literal])* $zone:ident = $text:literal,)*) => {
        /// A zone. Every host is in `Public` or in `Internal`, and in `Name` or in `Address`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Zone { $($(#[doc = $doc])* $zone,)* }

        impl Zone {
            /// All zones.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$zone,)*];

            /// The id of the entity.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$zone => $text,)* }
            }
        }
    };
}

zones! {
    /// A public address, or a name that is not special.
    Public = "public",
    /// Everything that is not public: what follows here.
    Internal = "internal",
    /// A private network: RFC 1918, shared and unique local addresses, `.internal`, names without a dot.
    Private = "private",
    /// This machine.
    Loopback = "loopback",
    /// This link.
    LinkLocal = "linklocal",
    /// A cloud's metadata service, which hands out credentials.
    Metadata = "metadata",
    /// Many machines.
    Multicast = "multicast",
    /// Addresses that should not be in use.
    Reserved = "reserved",
    /// The host is a name.
    Name = "name",
    /// The host is an address.
    Address = "address",
}

/// The zones of a host, sorted.
pub(super) fn of(host: &Host) -> Vec<Zone> {
    let (mut zones, form) = match host {
        Host::Name(name) => (of_name(name), Zone::Name),
        Host::Address(IpAddr::V4(address)) => (of_v4(*address), Zone::Address),
        Host::Address(IpAddr::V6(address)) => (of_v6(*address), Zone::Address),
    };
    if !zones.contains(&Zone::Public) {
        zones.push(Zone::Internal);
    }
    zones.push(form);
    zones.sort_unstable();
    zones
}

fn of_name(name: &str) -> Vec<Zone> {
    const METADATA: &[&str] = &[
        "metadata",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.azure.internal",
        "metadata.azure.com",
        "instance-data",
        "instance-data.ec2.internal",
    ];
    const LOOPBACK: &[&str] = &["localhost", "localdomain", "ip6-localhost", "ip6-loopback"];
    const PRIVATE: &[&str] = &["local", "internal", "intranet", "lan", "home", "corp", "private", "svc", "arpa"];
    let last = name.rsplit('.').next().unwrap_or(name);
    if METADATA.contains(&name) {
        vec![Zone::Metadata]
    } else if LOOPBACK.contains(&last) {
        vec![Zone::Loopback]
    } else if last == name || PRIVATE.contains(&last) {
        vec![Zone::Private]
    } else {
        vec![Zone::Public]
    }
}

fn of_v4(address: Ipv4Addr) -> Vec<Zone> {
    let zone = match address.octets() {
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [169, 254, 0, 23] => {
            return vec![Zone::Metadata, Zone::LinkLocal];
        }
        [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] => return vec![Zone::Metadata, Zone::Private],
        [0, 0, 0, 0] | [127, ..] => Zone::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Zone::Private,
        [169, 254, ..] => Zone::LinkLocal,
        [224..=239, ..] => Zone::Multicast,
        [0 | 240..=255, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Zone::Reserved,
        _ => Zone::Public,
    };
    vec![zone]
}

fn of_v6(address: Ipv6Addr) -> Vec<Zone> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let inner = |high: u16, low: u16| {
        let [[w, x], [y, z]] = [high.to_be_bytes(), low.to_be_bytes()];
        of_v4(Ipv4Addr::new(w, x, y, z))
    };
    let zone = match [a, b, c, d, e, f] {
        _ if address.is_unspecified() || address.is_loopback() => Zone::Loopback,
        // An address of IPv4, compatible, translated or behind NAT64, or a 6to4 router.
        [0, 0, 0, 0, 0, 0] | [0, 0, 0, 0, 0xffff, 0] | [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => {
            return inner(g, h);
        }
        [0x2002, ..] => return inner(b, c),
        [0xfd00, 0xec2, 0, 0, 0, 0] if [g, h] == [0, 0x254] => return vec![Zone::Metadata, Zone::Private],
        [0xfd20, 0xce, 0, 0, 0, 0] if [g, h] == [0, 0x254] => return vec![Zone::Metadata, Zone::Private],
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => Zone::Private,
        [0xfe80..=0xfebf, ..] => Zone::LinkLocal,
        [0xff00..=0xffff, ..] => Zone::Multicast,
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Zone::Reserved,
        [0x2000..=0x3fff, ..] => Zone::Public,
        _ => Zone::Reserved,
    };
    vec![zone]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(text: &str) -> Zone {
        *of(&Host::parse(text).expect("a host")).iter().find(|zone| **zone != Zone::Internal).expect("a zone")
    }

    #[test]
    fn every_spelling_falls_into_its_zone() {
        for (expected, hosts) in [
            (
                Zone::Public,
                &[
                    "example.com",
                    "8.8.8.8",
                    "1.1",
                    "[2606:4700::1111]",
                    "notlocalhost.com",
                    "local.com",
                    "64:ff9b::808:808",
                ][..],
            ),
            (
                Zone::Loopback,
                &[
                    "localhost",
                    "LOCALHOST.",
                    "a.localhost",
                    "127.8.9.1",
                    "0",
                    "0.0.0.0",
                    "[::]",
                    "[::1]",
                    "2130706433",
                    "0x7f.1",
                    "[::ffff:127.0.0.1]",
                    "[::127.0.0.1]",
                    "[64:ff9b::7f00:1]",
                    "[2002:7f00:1::]",
                    "[::ffff:0:127.0.0.1]",
                ],
            ),
            (
                Zone::Private,
                &[
                    "10.0.0.1",
                    "012.0.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "100.64.0.1",
                    "intranet",
                    "db.internal",
                    "printer.local",
                    "[fd12::1]",
                    "[::ffff:10.1.2.3]",
                    "1.0.168.192.in-addr.arpa",
                ],
            ),
            (Zone::LinkLocal, &["169.254.1.1", "[fe80::1]"]),
            (
                Zone::Metadata,
                &[
                    "168.63.129.16",
                    "metadata.google.internal",
                    "Metadata.Google.Internal.",
                    "[fd00:ec2::254]",
                    "100.100.100.200",
                ],
            ),
            (Zone::Multicast, &["224.0.0.1", "[ff02::1]"]),
            (Zone::Reserved, &["255.255.255.255", "192.0.2.1", "[2001:db8::1]", "[2001::1]", "[1::1]", "0.1.2.3"]),
        ] {
            for host in hosts {
                if expected == Zone::Metadata {
                    assert!(of(&Host::parse(host).expect("a host")).contains(&Zone::Metadata), "{host}");
                } else {
                    assert_eq!(zone(host), expected, "{host}");
                }
            }
        }
        let metadata = of(&Host::parse("0xa9fea9fe").expect("a host"));
        assert_eq!(metadata, [Zone::Internal, Zone::LinkLocal, Zone::Metadata, Zone::Address]);
        assert_eq!(zone("172.32.0.1"), Zone::Public);
    }

    proptest! {
        #[test]
        fn public_or_internal_and_name_or_address(bits: u128, low: u32, v6: bool) {
            let address = if v6 { IpAddr::from(bits.to_be_bytes()) } else { IpAddr::from(low.to_be_bytes()) };
            let host = Host::Address(address.to_canonical());
            let zones = of(&host);
            prop_assert!(zones.contains(&Zone::Public) != zones.contains(&Zone::Internal));
            prop_assert!(zones.contains(&Zone::Address) && !zones.contains(&Zone::Name));
            if let IpAddr::V4(address) = address {
                let inside = address.is_private() || address.is_loopback() || address.is_link_local();
                prop_assert!(!inside || zones.contains(&Zone::Internal));
            }
        }
    }
}
