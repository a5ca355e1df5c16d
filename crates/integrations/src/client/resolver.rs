//! Names into addresses, of which only public ones are handed on. What is judged here is what is connected to: the
//! HTTP client asks nobody else, and asks again for every connection, so that a name which changes its mind between a
//! check and a call gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::public_addresses::is_public;

/// Who says what a name stands for.
#[async_trait]
pub(super) trait Lookup: Send + Sync {
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>>;
}

/// The machine's own resolver.
struct System;

#[async_trait]
impl Lookup for System {
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        // The port is the address' own and is put in its place by the HTTP client.
        Ok(tokio::net::lookup_host((name, 0)).await?.collect())
    }
}

/// A name that stands for addresses, none of which is public.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the name leads into a private network")]
pub(super) struct LeadsInside;

/// The resolver of the HTTP client.
pub(super) struct PublicNames {
    lookup: Arc<dyn Lookup>,
    is_public: fn(IpAddr) -> bool,
}

impl PublicNames {
    pub(super) fn of_the_system() -> Self {
        Self { lookup: Arc::new(System), is_public }
    }

    /// Asks `lookup`; where `is_public` is another one, a test can tell from each other two addresses of loopback.
    #[cfg(test)]
    pub(super) fn of(lookup: Arc<dyn Lookup>, is_public: fn(IpAddr) -> bool) -> Self {
        Self { lookup, is_public }
    }
}

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, is_public) = (Arc::clone(&self.lookup), self.is_public);
        Box::pin(async move {
            let mut found = lookup.addresses(name.as_str()).await?;
            let stands_for_something = !found.is_empty();
            found.retain(|address| is_public(address.ip()));
            if found.is_empty() && stands_for_something {
                return Err(LeadsInside.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
