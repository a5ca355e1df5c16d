//! Packages, taken apart.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

/// Every file of a ZIP by its path.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn unpack(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a ZIP");
    (0..archive.len())
        .map(|at| {
            let mut file = archive.by_index(at).expect("an entry");
            let mut content = Vec::new();
            file.read_to_end(&mut content).expect("its content");
            (file.name().expect("its name").into_owned(), content)
        })
        .collect()
}
