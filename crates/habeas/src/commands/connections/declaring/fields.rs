//! The fields of a declaration: what can be used of each, and what is wrong with the rest.

use std::collections::BTreeMap;
use std::path::Path;

use habeas_casework::contacts::OnExpiry;
use habeas_domain::capability::{Capability, DeletionCompletion, Handling};
use serde_json::{Map, Value, json};

use super::tree::{Data, Node};
use super::{CONNECTIONS, Declared, Fault};
use crate::cli::SettingValue;
use crate::commands::connections::values::resolve;

impl Declared {
    /// Takes the whole file.
    pub(super) fn take_all(&mut self, root: &Node) {
        // An empty file is more likely an accident than the wish to have no connection.
        let none = "an empty one, `[]`, declares that there are no connections";
        if matches!(root.value, Data::Nothing) {
            self.fault(
                "",
                format!("it declares nothing; begin it with `{CONNECTIONS}:` and a list ({none})"),
            );
            return;
        }
        self.lines.insert(String::new(), root.referenced.line());
        let Some(members) = self.members("", root, &[CONNECTIONS]) else { return };
        let Some(list) = members.get(CONNECTIONS) else {
            if !self.is_faulty() {
                self.fault(CONNECTIONS, format!("has no list ({none})"));
            }
            return;
        };
        let Data::List(items) = &list.value else {
            self.fault(CONNECTIONS, "must be a list");
            return;
        };
        for (at, item) in items.iter().enumerate() {
            let path = format!("{CONNECTIONS}.{at}");
            self.lines.insert(path.clone(), item.referenced.line());
            let connection = self.take(&path, item);
            self.connections.push(connection);
        }
        self.find_names_given_twice();
    }

    fn find_names_given_twice(&mut self) {
        let mut first_of_name = BTreeMap::new();
        for at in 0..self.connections.len() {
            let name = self.connections[at]["name"].as_str().unwrap_or_default().trim().to_owned();
            let first = *first_of_name.entry(name).or_insert(at);
            if first != at {
                let line = self.line_of(&format!("{CONNECTIONS}.{first}.name")).unwrap_or_default();
                let message =
                    format!("is given to another connection in line {line}; each needs one of its own");
                self.fault(&format!("{CONNECTIONS}.{at}.name"), message);
            }
        }
    }

    /// One connection, as far as it can be used.
    fn take(&mut self, path: &str, node: &Node) -> Value {
        const KNOWN: [&str; 6] =
            ["name", "integration", "settings", "deletion_completion", CAPABILITIES, "contact"];
        const CAPABILITIES: &str = "capabilities";
        let members = self.members(path, node, &KNOWN).unwrap_or_default();
        let mut taken = Map::new();
        for required in ["name", "integration"] {
            let field = format!("{path}.{required}");
            let text = match members.get(required) {
                Some(node) => self.text(&field, node),
                None => {
                    self.fault(&field, "is missing");
                    None
                }
            };
            // No two that are made up are the same.
            taken.insert(
                required.to_owned(),
                json!(text.unwrap_or_else(|| format!("({required} of {path})"))),
            );
        }
        if let Some(node) = members.get("settings") {
            taken.insert("settings".to_owned(), self.settings(path, node));
        }
        if let Some(node) = members.get("deletion_completion") {
            let known = DeletionCompletion::ALL.iter().map(|word| word.as_str());
            let word = self.word(&format!("{path}.deletion_completion"), node, known);
            taken.extend(word.map(|word| ("deletion_completion".to_owned(), word)));
        }
        if let Some(node) = members.get(CAPABILITIES) {
            let path = format!("{path}.{CAPABILITIES}");
            let known: Vec<_> = Capability::ALL.iter().map(|capability| capability.as_str()).collect();
            let mut chosen = Map::new();
            for (capability, node) in self.members(&path, node, &known).unwrap_or_default() {
                let known = Handling::ALL.iter().map(|word| word.as_str());
                let word = self.word(&format!("{path}.{capability}"), node, known);
                chosen.extend(word.map(|word| (capability, word)));
            }
            taken.insert(CAPABILITIES.to_owned(), Value::Object(chosen));
        }
        if let Some(node) = members.get("contact") {
            taken.insert("contact".to_owned(), self.contact(&format!("{path}.contact"), node));
        }
        Value::Object(taken)
    }

    fn settings(&mut self, connection: &str, node: &Node) -> Value {
        let path = format!("{connection}.settings");
        let mut settings = Map::new();
        for (key, node) in self.members(&path, node, &[]).unwrap_or_default() {
            let field = format!("{path}.{key}");
            let Some(text) = self.text(&field, node) else { continue };
            let value = SettingValue::read(&text);
            let base = self.file.parent().unwrap_or(Path::new("")).to_owned();
            match resolve(&value, &base) {
                Ok(text) => {
                    if matches!(value, SettingValue::Given(_)) {
                        self.in_clear.push((self.connections.len(), key.clone()));
                    }
                    settings.insert(key, json!(text));
                }
                Err(reason) => self.fault(&field, reason),
            }
        }
        Value::Object(settings)
    }

    fn contact(&mut self, path: &str, node: &Node) -> Value {
        let mut contact = Map::new();
        let known = ["email", "deadline_days", "on_expiry"];
        for (member, node) in self.members(path, node, &known).unwrap_or_default() {
            let field = format!("{path}.{member}");
            let value = match member.as_str() {
                "email" => self.text(&field, node).map(Value::from),
                "deadline_days" => match node.value {
                    Data::Whole(days) if days >= 0 => Some(json!(days)),
                    _ => {
                        self.fault(&field, "must be a whole number of days");
                        None
                    }
                },
                _ => {
                    self.word(&field, node, [OnExpiry::Skip, OnExpiry::Hold].iter().map(|word| word.as_str()))
                }
            };
            contact.extend(value.map(|value| (member, value)));
        }
        Value::Object(contact)
    }

    /// The members of a mapping that have a value, and where each stands. `known` is empty where any name is one.
    fn members<'n>(
        &mut self,
        path: &str,
        node: &'n Node,
        known: &[&str],
    ) -> Option<BTreeMap<String, &'n Node>> {
        let members = match &node.value {
            Data::Mapping(members) => members,
            Data::Nothing => return Some(BTreeMap::new()),
            _ => {
                self.fault(path, "must be a mapping (`name: value` lines)");
                return None;
            }
        };
        let mut taken = BTreeMap::new();
        for (name, value) in members {
            let line = name.referenced.line();
            let Some(name) = name_of(name) else {
                let field = join(path, "(unreadable name)");
                let message = "is no name of a field; they have letters, digits, `_`, `-` and `.`".to_owned();
                self.faults.push(Fault { field, line: Some(line), message });
                continue;
            };
            let field = join(path, name);
            if !known.is_empty() && !known.contains(&name) {
                self.lines.entry(field.clone()).or_insert(line);
                self.fault(&field, format!("is not known here; known are: {}", known.join(", ")));
            } else if let Some(first) = self.lines.insert(field.clone(), line) {
                self.fault(&field, format!("is given twice, first in line {first}"));
            } else if !matches!(value.value, Data::Nothing) {
                taken.insert(name.to_owned(), value);
            }
        }
        Some(taken)
    }

    fn text(&mut self, field: &str, node: &Node) -> Option<String> {
        let message = match &node.value {
            Data::Text(text) => return Some(text.clone()),
            Data::Whole(_) | Data::Other => "must be text; put it in quotes",
            Data::Nothing | Data::List(_) | Data::Mapping(_) => "must be text",
        };
        self.fault(field, message);
        None
    }

    fn word(&mut self, field: &str, node: &Node, known: impl Iterator<Item = &'static str>) -> Option<Value> {
        let known: Vec<_> = known.collect();
        let given = if let Data::Text(text) = &node.value { text.as_str() } else { "" };
        if known.contains(&given) {
            return Some(json!(given));
        }
        self.fault(field, format!("must be one of: {}", known.join(", ")));
        None
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A member's name, if it looks like one: anything else might be a secret in the wrong place.
fn name_of(node: &Node) -> Option<&str> {
    let Data::Text(name) = &node.value else { return None };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    ((1..=64).contains(&name.len()) && name.bytes().all(fits)).then_some(name.as_str())
}
