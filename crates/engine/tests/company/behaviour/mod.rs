//! The behaviour suite: the same behaviours of every integration of the catalogue, as far as its manifest declares them.
//! An untrue claim turns it red.

use habeas_domain::Right;

use crate::support::System;

/// Makes a test of each `fn name(System, Right)` listed for every right that a system serves over its API. The list is
/// [`SERVED`].
macro_rules! of_everything_served {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            use habeas_domain::Right;

            use crate::support::System;

            #[test]
            fn readycloud_access() {
                super::$body(System::ReadyCloud, Right::Access);
            }

            #[test]
            fn readycloud_deletion() {
                super::$body(System::ReadyCloud, Right::Deletion);
            }

            #[test]
            fn qualtrics_access() {
                super::$body(System::Qualtrics, Right::Access);
            }

            #[test]
            fn qualtrics_deletion() {
                super::$body(System::Qualtrics, Right::Deletion);
            }

            #[test]
            fn segment_config_deletion() {
                super::$body(System::SegmentConfig, Right::Deletion);
            }

            #[test]
            fn segment_public_deletion() {
                super::$body(System::SegmentPublic, Right::Deletion);
            }

            #[test]
            fn webhook_access() {
                super::$body(System::Webhook, Right::Access);
            }

            #[test]
            fn webhook_deletion() {
                super::$body(System::Webhook, Right::Deletion);
            }
        }
    )+};
}

mod claims;
mod crashes;
mod hostile;
mod matrix;
mod stage;
mod table;
mod twice;

/// The systems of the suite: every integration, and each of the APIs that one speaks.
const ALL: [System; 6] = [
    System::ReadyCloud,
    System::Qualtrics,
    System::SegmentConfig,
    System::SegmentPublic,
    System::Webhook,
    System::DirectContact,
];

/// What they serve over an API. A test holds it against the manifests.
const SERVED: [(System, Right); 8] = [
    (System::ReadyCloud, Right::Access),
    (System::ReadyCloud, Right::Deletion),
    (System::Qualtrics, Right::Access),
    (System::Qualtrics, Right::Deletion),
    (System::SegmentConfig, Right::Deletion),
    (System::SegmentPublic, Right::Deletion),
    (System::Webhook, Right::Access),
    (System::Webhook, Right::Deletion),
];
