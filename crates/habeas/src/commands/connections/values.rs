//! Where the value of a setting comes from.

use std::path::Path;

use crate::cli::SettingValue;

/// The value, from wherever it is; relative paths start at `base`. Otherwise why it cannot be had.
pub(super) fn resolve(value: &SettingValue, base: &Path) -> Result<String, String> {
    match value {
        SettingValue::Given(value) => Ok(value.clone()),
        SettingValue::Environment(name) => {
            std::env::var(name).map_err(|_| format!("there is no environment variable {name}"))
        }
        SettingValue::File(path) => {
            let path = base.join(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?;
            // Editors end the last line of a file.
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}
