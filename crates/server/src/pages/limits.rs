//! How many calls one address may make. Addresses are kept in memory only, and only as long as they count.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use axum::extract::Request;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::state::ServerOptions;

/// Who is at the other end of a connection. Whoever accepts connections puts it into each call.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub IpAddr);

/// Addresses after which those are dropped that do not count any more.
const MANY: usize = 10_000;

/// The calls of each address.
pub(crate) struct Limits {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Limits({} addresses)", self.limiter.len())
    }
}

impl Limits {
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        Self { limiter: RateLimiter::keyed(Quota::per_minute(per_minute)), clock: DefaultClock::default() }
    }

    /// Counts a call; how long its sender has to wait if there were too many.
    pub(crate) fn admit(&self, options: &ServerOptions, request: &Request) -> Result<(), Duration> {
        let Some(address) = client(options, request) else { return Ok(()) };
        if self.limiter.len() > MANY {
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(&network(address))
            .map_err(|too_early| too_early.wait_time_from(self.clock.now()))
    }
}

/// Where a call comes from: the other end of the connection, or whom a trusted proxy there names.
fn client(options: &ServerOptions, request: &Request) -> Option<IpAddr> {
    // A listener of both families writes the older addresses in the form of the newer ones.
    let peer = request.extensions().get::<PeerAddress>()?.0.to_canonical();
    let is_trusted =
        |address: &IpAddr| options.trusted_proxies.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    // Every proxy adds whom it heard from; the last one that is none of ours is the client. What stands before something
    // unreadable may be made up.
    let named = request.headers().get_all("x-forwarded-for").iter().filter_map(|header| header.to_str().ok());
    let chain: Vec<Option<IpAddr>> =
        named.flat_map(|header| header.split(',')).map(|part| address(part.trim())).collect();
    let mut nearest = peer;
    for named in chain.into_iter().rev() {
        let Some(named) = named else { break };
        nearest = named;
        if !is_trusted(&named) {
            break;
        }
    }
    Some(nearest)
}

/// An address as proxies write it: some add the port.
fn address(part: &str) -> Option<IpAddr> {
    let plain = part.parse().ok();
    plain
        .or_else(|| part.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
        .map(|ip| ip.to_canonical())
}

/// A household has a whole network of the newer addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn call(peer: &str, forwarded: &str) -> Request {
        let mut call = Request::builder().uri("/download/x");
        if !forwarded.is_empty() {
            call = call.header("x-forwarded-for", forwarded);
        }
        let mut call = call.body(Body::empty()).unwrap();
        call.extensions_mut().insert(PeerAddress(peer.parse().unwrap()));
        call
    }

    fn options() -> ServerOptions {
        ServerOptions { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..ServerOptions::default() }
    }

    #[test]
    fn only_a_trusted_proxy_says_who_is_behind_it() {
        let of = |peer, forwarded| client(&options(), &call(peer, forwarded)).unwrap().to_string();
        assert_eq!(of("192.0.2.1", "203.0.113.9"), "192.0.2.1");
        assert_eq!(of("10.0.0.1", "203.0.113.9"), "203.0.113.9");
        assert_eq!(of("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(of("10.0.0.1", "nonsense"), "10.0.0.1");
        assert_eq!(of("::ffff:10.0.0.1", "203.0.113.9"), "203.0.113.9");
        assert_eq!(of("10.0.0.1", "203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(of("10.0.0.1", "[2001:db8::1]:4711"), "2001:db8::1");
        // Nothing that the client itself wrote counts.
        assert_eq!(of("10.0.0.1", "198.51.100.7, unknown"), "10.0.0.1");
        assert_eq!(of("10.0.0.1", "198.51.100.7, unknown, 10.0.0.2"), "10.0.0.2");
    }

    #[test]
    fn an_address_is_slowed_down_and_others_are_not() {
        let limits = Limits::new(NonZeroU32::new(3).unwrap());
        for _ in 0..3 {
            assert!(limits.admit(&options(), &call("192.0.2.1", "")).is_ok());
        }
        let wait = limits.admit(&options(), &call("192.0.2.1", "")).unwrap_err();
        assert!(wait <= Duration::from_secs(20), "{wait:?}");
        assert!(limits.admit(&options(), &call("192.0.2.2", "")).is_ok());
        // The neighbours in one network of the newer addresses are one.
        for address in ["2001:db8::1", "2001:db8::2", "2001:db8::3"] {
            assert!(limits.admit(&options(), &call(address, "")).is_ok());
        }
        assert!(limits.admit(&options(), &call("2001:db8::4", "")).is_err());
    }
}
