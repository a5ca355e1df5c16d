//! What a simulator must provide, and the list of those that exist.
//!
//! Adding a vendor: one folder (with its `mod` line in the crate's root) whose main type implements
//! [`Vendor`] and has `fn new(&Environment) -> Self`, and one line of registration in the list below.
//! Address, port, in-process handle, call log, faults and control routes follow from that line. A vendor that
//! shows the state of another one through an API of its own is registered below it as `face of` it, and has
//! `fn new(&Environment, &Other) -> Self`.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use crate::clock::Clock;

/// What a simulator is given to build its state from.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) clock: Clock,
    pub(crate) people: usize,
    pub(crate) seed: u64,
}

/// A simulated vendor: its routes, and how faults and the call log speak its language.
pub(crate) trait Vendor: Send + Sync + 'static {
    /// Its name in rules, logs and control paths.
    fn name(&self) -> &'static str;

    /// The vendor's API. Handlers get the request with its body already read, and the
    /// [`CallHandle`](crate::calls::CallHandle) as an extension to report effects to.
    fn api(&self) -> Router;

    /// Routes of the control plane below `/<name>`.
    fn control(&self) -> Router;

    /// The route template the call log counts a call under, for a vendor that does not leave routing to the
    /// router. `None` takes the template the router found.
    fn route(&self, _call: &Parts) -> Option<&'static str> {
        None
    }

    /// The rate limit class a call belongs to; `None` when no limit of the vendor applies to it.
    fn class(&self, call: &Parts) -> Option<&'static str>;

    /// Whose limit the call counts against, when its credential is known.
    fn account(&self, call: &Parts) -> Option<String>;

    /// The key of the object this call asks to delete.
    fn deletion_target(&self, call: &Parts) -> Option<String>;

    /// The body of an error with this status, as this vendor writes its errors.
    fn error_body(&self, status: StatusCode) -> Value {
        json!({"detail": status.canonical_reason().unwrap_or("Error")})
    }

    /// "Too many requests", as this vendor says it.
    fn rate_limited(&self, retry_after: Option<u64>) -> Response;

    /// "This credential has expired", as this vendor says it.
    fn token_expired(&self) -> Response;

    /// "This credential may not do that", as this vendor says it.
    fn scope_missing(&self, scope: &str) -> Response;

    /// JSON pointer to the link (or token) of the next page in a list answer.
    fn next_pointer(&self) -> &'static str;

    /// A link (or token) behind the page this call asks for, whether or not there is anything.
    fn next_link(&self, call: &Parts) -> String;
}

/// One line per vendor: `name: Type, port base + offset;`, or `... offset, face of other;`.
macro_rules! vendors {
    ($($name:ident: $kind:ty, port base + $offset:literal $(, face of $other:ident)?;)+) => {
        /// Base URLs of the running servers. As JSON: one field per vendor, and `control`.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct Addresses {
            $(
                #[doc = concat!("The `", stringify!($name), "` simulator.")]
                pub $name: String,
            )+
            /// The control plane.
            pub control: String,
        }

        /// The simulators themselves.
        #[derive(Clone, Debug)]
        pub(crate) struct Vendors {
            $(pub(crate) $name: Arc<$kind>,)+
        }

        impl Vendors {
            pub(crate) fn new(environment: &Environment) -> Self {
                $(let $name = Arc::new(<$kind>::new(environment $(, &$other)?));)+
                Self { $($name,)+ }
            }

            /// Every vendor with the offset of its port from the base.
            pub(crate) fn all(&self) -> Vec<(Arc<dyn Vendor>, u16)> {
                vec![$((Arc::clone(&self.$name) as Arc<dyn Vendor>, $offset),)+]
            }

            /// `urls` are in the order of [`Vendors::all`], the control plane's last.
            pub(crate) fn addresses(urls: Vec<String>) -> Addresses {
                let mut urls = urls.into_iter();
                Addresses {
                    $($name: urls.next().unwrap_or_default(),)+
                    control: urls.next().unwrap_or_default(),
                }
            }
        }

        /// The highest offset of a port from the base.
        pub(crate) const HIGHEST_PORT_OFFSET: u16 = highest(&[$($offset,)+ CONTROL_PORT_OFFSET]);

        impl crate::Sandbox {
            $(
                #[doc = concat!("The `", stringify!($name), "` simulator, to look into it and to change it.")]
                #[must_use]
                pub fn $name(&self) -> &$kind {
                    &self.vendors.$name
                }
            )+
        }
    };
}

vendors! {
    qualtrics: crate::qualtrics::Qualtrics, port base + 0;
    readycloud: crate::readycloud::ReadyCloud, port base + 1;
    segment_config: crate::segment_config::SegmentConfig, port base + 2;
    segment_public: crate::segment_config::SegmentPublic, port base + 4, face of segment_config;
    webhook: crate::webhook::Webhook, port base + 5;
}

/// Offset of the control plane's port from the base: behind the first three vendors'. It stays there, because
/// programs that use the sandbox count on it.
pub(crate) const CONTROL_PORT_OFFSET: u16 = 3;

const fn highest(offsets: &[u16]) -> u16 {
    match offsets {
        [] => 0,
        [first, rest @ ..] => {
            let highest = highest(rest);
            if *first > highest { *first } else { highest }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ports_are_where_programs_expect_them() {
        let environment = Environment { clock: Clock::start(), people: 0, seed: 1 };
        let all = Vendors::new(&environment).all();
        let ports: Vec<_> = all.iter().map(|(vendor, offset)| (vendor.name(), *offset)).collect();
        let expected = [
            ("qualtrics", 0),
            ("readycloud", 1),
            ("segment_config", 2),
            ("segment_public", 4),
            ("webhook", 5),
        ];
        assert_eq!(ports, expected);
        assert_eq!((CONTROL_PORT_OFFSET, HIGHEST_PORT_OFFSET), (3, 5));
    }
}
