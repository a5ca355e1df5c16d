//! Reading what is not documented in full: nulls and missing parts are accepted, unset times are none.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// How an unset time is written.
const UNSET: &str = "0001-01-01T00:00:00Z";
/// Longer places in a list are not believed.
pub(super) const LONGEST_PLACE: usize = 2048;

pub(super) fn time(text: &str) -> Option<Timestamp> {
    if text == UNSET { None } else { text.parse().ok() }
}

pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
