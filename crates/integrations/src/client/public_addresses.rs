//! Which addresses lie in the public internet.
//!
//! A name in a connection's settings must not lead this server into its operator's own network, and what a name
//! stands for is decided by whoever owns it. So the address is judged, right before it is connected to. The source is
//! IANA's two registries of special-purpose addresses (RFC 6890): of IPv4 everything is public that is not listed
//! there, of IPv6 only the space that is given out as global unicast (`2000::/3`), less what is listed. Forms of IPv6
//! that carry an IPv4 address for somebody to unwrap are not public whatever they carry, with one exception: behind a
//! NAT64 with its well-known prefix (RFC 6052) every vendor that has only IPv4 looks like that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What is not public of IPv4.
const SPECIAL_V4: [Ipv4Net; 15] = [
    // This network (RFC 791).
    v4([0, 0, 0, 0], 8),
    // Private (RFC 1918).
    v4([10, 0, 0, 0], 8),
    // Shared between a provider and its customers (RFC 6598).
    v4([100, 64, 0, 0], 10),
    // Loopback (RFC 1122).
    v4([127, 0, 0, 0], 8),
    // Link-local (RFC 3927); where clouds keep what describes a machine, its credentials included.
    v4([169, 254, 0, 0], 16),
    // Private (RFC 1918).
    v4([172, 16, 0, 0], 12),
    // Protocol assignments (RFC 6890); no vendor is at the two anycast addresses in it.
    v4([192, 0, 0, 0], 24),
    // Documentation (RFC 5737).
    v4([192, 0, 2, 0], 24),
    // Relays of 6to4, given up (RFC 7526).
    v4([192, 88, 99, 0], 24),
    // Private (RFC 1918).
    v4([192, 168, 0, 0], 16),
    // Benchmarking (RFC 2544).
    v4([198, 18, 0, 0], 15),
    // Documentation (RFC 5737).
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    // Multicast (RFC 5771).
    v4([224, 0, 0, 0], 4),
    // Reserved (RFC 1112), and the broadcast address (RFC 919).
    v4([240, 0, 0, 0], 4),
];

/// What is given out as global unicast (RFC 4291). Outside it lie loopback, link-local, unique-local, site-local and
/// multicast addresses, those that carry an IPv4 address, and what nobody uses yet.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// What is not public of it.
const SPECIAL_V6: [Ipv6Net; 4] = [
    // Protocol assignments (RFC 2928): Teredo, benchmarking, identifiers that are no addresses.
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    // Documentation (RFC 3849).
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    // 6to4 (RFC 3056).
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    // Documentation (RFC 9637).
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// IPv4 behind a translator (RFC 6052). Its neighbour `64:ff9b:1::/48` is for networks of one's own (RFC 8215).
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length)
}

/// Whether an address lies in the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|special| special.contains(&address))
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|special| special.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// The last address in front of a range, its first and last one, and the first behind it.
    #[rstest]
    #[case::this_network(None, "0.0.0.0", "0.255.255.255", Some("1.0.0.0"))]
    #[case::ten(Some("9.255.255.255"), "10.0.0.0", "10.255.255.255", Some("11.0.0.0"))]
    #[case::shared(Some("100.63.255.255"), "100.64.0.0", "100.127.255.255", Some("100.128.0.0"))]
    #[case::loopback(Some("126.255.255.255"), "127.0.0.0", "127.255.255.255", Some("128.0.0.0"))]
    #[case::link_local(Some("169.253.255.255"), "169.254.0.0", "169.254.255.255", Some("169.255.0.0"))]
    #[case::private_twelve(Some("172.15.255.255"), "172.16.0.0", "172.31.255.255", Some("172.32.0.0"))]
    #[case::assignments(Some("191.255.255.255"), "192.0.0.0", "192.0.0.255", Some("192.0.1.0"))]
    #[case::documentation_1(Some("192.0.1.255"), "192.0.2.0", "192.0.2.255", Some("192.0.3.0"))]
    #[case::relays(Some("192.88.98.255"), "192.88.99.0", "192.88.99.255", Some("192.88.100.0"))]
    #[case::private_sixteen(Some("192.167.255.255"), "192.168.0.0", "192.168.255.255", Some("192.169.0.0"))]
    #[case::benchmarking(Some("198.17.255.255"), "198.18.0.0", "198.19.255.255", Some("198.20.0.0"))]
    #[case::documentation_2(Some("198.51.99.255"), "198.51.100.0", "198.51.100.255", Some("198.51.101.0"))]
    #[case::documentation_3(Some("203.0.112.255"), "203.0.113.0", "203.0.113.255", Some("203.0.114.0"))]
    #[case::multicast_and_reserved(Some("223.255.255.255"), "224.0.0.0", "255.255.255.255", None)]
    #[case::multicast_meets_reserved(None, "239.255.255.255", "240.0.0.0", None)]
    #[case::everything_below(None, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000::"))]
    #[case::v6_loopback(None, "::1", "::1", None)]
    #[case::compatible(None, "::a00:1", "::ffff:ffff", None)]
    #[case::compatible_public(None, "::101:101", "::101:101", None)]
    #[case::mapped(None, "::ffff:0.0.0.0", "::ffff:255.255.255.255", None)]
    #[case::mapped_loopback(None, "::ffff:127.0.0.1", "::ffff:10.0.0.1", None)]
    #[case::mapped_public(None, "::ffff:1.1.1.1", "::ffff:1.1.1.1", None)]
    #[case::translated(None, "::ffff:0:7f00:1", "::ffff:0:101:101", None)]
    #[case::own_nat64(None, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", None)]
    #[case::behind_the_prefix_of_nat64(None, "64:ff9b::1:0:0", "64:ff9b::1:101:101", None)]
    #[case::discard(None, "100::", "100::ffff:ffff:ffff:ffff", None)]
    #[case::v6_assignments(
        Some("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        "2001::",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some("2001:200::")
    )]
    #[case::teredo(
        None,
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
        None
    )]
    #[case::v6_benchmarking(None, "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", None)]
    #[case::v6_documentation(
        Some("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        Some("2001:db9::")
    )]
    #[case::six_to_four(
        Some("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        "2002::",
        "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some("2003::")
    )]
    #[case::six_to_four_private(None, "2002:a00:1::", "2002:7f00:1::1", None)]
    #[case::v6_documentation_2(
        Some("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some("3fff:1000::")
    )]
    #[case::everything_above(
        Some("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        "4000::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        None
    )]
    #[case::segments(None, "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None)]
    #[case::unique_local(None, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None)]
    #[case::v6_link_local(None, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None)]
    #[case::site_local(None, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None)]
    #[case::v6_multicast(None, "ff00::", "ff02::1", None)]
    #[case::nat64_before(None, "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::", Some("64:ff9b::100:0"))]
    #[case::nat64_private(
        Some("64:ff9b::9.255.255.255"),
        "64:ff9b::10.0.0.0",
        "64:ff9b::10.255.255.255",
        Some("64:ff9b::11.0.0.0")
    )]
    #[case::nat64_loopback(
        Some("64:ff9b::126.255.255.255"),
        "64:ff9b::127.0.0.1",
        "64:ff9b::127.0.0.1",
        Some("64:ff9b::128.0.0.0")
    )]
    #[case::nat64_metadata(None, "64:ff9b::169.254.169.254", "64:ff9b::255.255.255.255", None)]
    fn edges(
        #[case] before: Option<&str>,
        #[case] first: &str,
        #[case] last: &str,
        #[case] behind: Option<&str>,
    ) {
        let judged = |text: &str| is_public(text.parse().unwrap());
        for special in [first, last] {
            assert!(!judged(special), "{special} is not public");
        }
        for public in before.into_iter().chain(behind) {
            assert!(judged(public), "{public} is public");
        }
    }

    #[rstest]
    #[case("1.1.1.1")]
    #[case("192.31.196.1")]
    #[case("2606:4700:4700::1111")]
    #[case("2a00:1450:4001::1")]
    #[case("2620:4f:8000::1")]
    #[case("64:ff9b::1.1.1.1")]
    fn vendors_are_reached(#[case] address: &str) {
        assert!(is_public(address.parse().unwrap()));
    }
}
