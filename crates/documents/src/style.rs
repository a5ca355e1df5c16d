//! The one look of everything that people open in a browser.

/// The stylesheet: calm, legible, phone first, light and dark, printable. It loads nothing.
pub const STYLE: &str = include_str!("../templates/style.css");
