//! Takes typed values out of the layers and collects everything that is wrong with them.

use std::collections::BTreeSet;

use super::layers::{Layers, Raw, Source};
use super::values::Kind;

/// Hands out values. Which keys exist is what was asked for: there is no second list to keep.
#[derive(Debug)]
pub(super) struct Reader {
    layers: Layers,
    asked: BTreeSet<String>,
    faults: Vec<String>,
    without_effect: Vec<String>,
}

impl Reader {
    pub(super) const fn new(layers: Layers) -> Self {
        Self { layers, asked: BTreeSet::new(), faults: Vec::new(), without_effect: Vec::new() }
    }

    /// A value that the default file gives.
    pub(super) fn required<T>(&mut self, path: &str, kind: Kind<T>) -> Option<T> {
        let before = self.faults.len();
        let value = self.optional(path, kind);
        if value.is_none() && self.faults.len() == before {
            self.faults.push(format!("`{path}` is missing"));
        }
        value
    }

    /// A value that may be absent.
    pub(super) fn optional<T>(&mut self, path: &str, kind: Kind<T>) -> Option<T> {
        self.asked.insert(path.to_owned());
        let (raw, source) = self.layers.entries.get(path)?.clone();
        self.convert(path, kind, &raw, &source)
    }

    /// A list of values.
    pub(super) fn list<T>(&mut self, path: &str, kind: Kind<T>) -> Vec<T> {
        self.asked.insert(path.to_owned());
        let Some((raw, source)) = self.layers.entries.get(path).cloned() else { return Vec::new() };
        let items = match raw {
            Raw::Toml(toml::Value::Array(items)) => items.into_iter().map(Raw::Toml).collect(),
            Raw::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Raw::Text(item.to_owned()))
                .collect(),
            Raw::Toml(other) => {
                let message = format!(
                    "`{path}` in {source} is {}; expected a list of {}",
                    named(&other),
                    kind.expected
                );
                self.faults.push(message);
                Vec::new()
            }
        };
        items.iter().filter_map(|item| self.convert(path, kind, item, &source)).collect()
    }

    /// A secret that must not stand in a file which is also read for other reasons.
    pub(super) fn secret<T>(&mut self, path: &str, kind: Kind<T>) -> Option<T> {
        if let Some((_, source @ Source::File(_))) = self.layers.entries.get(path) {
            let message = format!(
                "`{path}` in {source} is a secret and may come from the environment only; keep it in a file of its \
                 own and name that in `{path}_file`"
            );
            self.asked.insert(path.to_owned());
            self.faults.push(message);
            return None;
        }
        self.optional(path, kind)
    }

    /// A value that does nothing in this version.
    pub(super) fn later<T>(&mut self, path: &str, kind: Kind<T>, feature: &str) -> Option<T> {
        let value = self.optional(path, kind);
        self.mark_later(path, feature);
        value
    }

    /// Notes what the operator set at `path` as doing nothing in this version.
    pub(super) fn mark_later(&mut self, path: &str, feature: &str) {
        let set = self
            .layers
            .entries
            .iter()
            .filter(|(found, (_, source))| *found == path && *source != Source::Default);
        let notes: Vec<String> = set
            .map(|(found, (_, source))| {
                format!("`{found}` in {source} has no effect: this version does not have {feature} yet")
            })
            .collect();
        for note in notes {
            let about = note.split(" has no effect").next().unwrap_or_default().to_owned();
            if !self.without_effect.iter().any(|known| known.starts_with(&about)) {
                self.without_effect.push(note);
            }
        }
    }

    /// What was set although it does nothing.
    pub(super) fn without_effect(&self) -> Vec<String> {
        self.without_effect.clone()
    }

    /// Refuses the value at `path` for a reason that involves other keys.
    pub(super) fn refuse(&mut self, path: &str, message: &str) {
        let source = self.layers.entries.get(path).map_or(&Source::Default, |(_, source)| source);
        self.faults.push(format!("`{path}` in {source} {message}"));
    }

    /// Refuses something that stands at no path of ours.
    pub(super) fn fault(&mut self, message: String) {
        self.faults.push(message);
    }

    /// A variable of Amazon's own tools.
    pub(super) fn of_amazon(&self, name: &str) -> Option<String> {
        self.layers.of_amazon.get(name).cloned()
    }

    /// Whether a value stands at `path`, usable or not.
    pub(super) fn is_set(&self, path: &str) -> bool {
        self.layers.entries.contains_key(path)
    }

    /// Every key that was asked for.
    #[cfg(test)]
    pub(super) const fn asked(&self) -> &BTreeSet<String> {
        &self.asked
    }

    fn convert<T>(&mut self, path: &str, kind: Kind<T>, raw: &Raw, source: &Source) -> Option<T> {
        let (found, value) = match raw {
            Raw::Toml(value) => (named(value), (kind.read)(value)),
            Raw::Text(text) => ("a text", (kind.parse)(text)),
        };
        if value.is_none() {
            self.faults.push(format!(
                "`{path}` in {source} is {found} that cannot be used; expected {}",
                kind.expected
            ));
        }
        value
    }

    /// Refuses what was never asked for.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(super) fn finish(mut self, integrations: &[&str]) -> Result<(), Vec<String>> {
        let unknown: Vec<String> = self
            .layers
            .entries
            .iter()
            .filter(|(path, (raw, _))| !self.asked.contains(*path) && !self.is_empty_section(path, raw))
            .map(|(path, (_, source))| {
                format!("`{path}` in {source} is not a known setting; {}", self.hint(path, integrations))
            })
            .collect();
        self.faults.extend(unknown);
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }

    fn is_empty_section(&self, path: &str, raw: &Raw) -> bool {
        let section = format!("{path}.");
        matches!(raw, Raw::Toml(toml::Value::Table(_)))
            && self.asked.iter().any(|known| known.starts_with(&section))
    }

    fn hint(&self, path: &str, integrations: &[&str]) -> String {
        let mut parts = path.split('.');
        if parts.next() == Some("integrations")
            && parts.next().is_some_and(|name| !integrations.contains(&name))
        {
            return format!("known integrations are: {}", integrations.join(", "));
        }
        let section = path.rsplit_once('.').map_or("", |(section, _)| section);
        let siblings: Vec<&str> = self
            .asked
            .iter()
            .filter_map(|known| known.rsplit_once('.').filter(|(inside, _)| *inside == section))
            .map(|(_, key)| key)
            .collect();
        if siblings.is_empty() {
            let sections: BTreeSet<&str> =
                self.asked.iter().filter_map(|known| known.split('.').next()).collect();
            let sections: Vec<&str> = sections.into_iter().collect();
            return format!("known sections are: {}", sections.join(", "));
        }
        format!("known in [{section}] are: {}", siblings.join(", "))
    }
}

const fn named(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a text",
        toml::Value::Integer(_) => "a whole number",
        toml::Value::Float(_) => "a number with a fraction",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date or time",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a section",
    }
}
