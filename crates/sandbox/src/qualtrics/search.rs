//! The filters of a contact search.

use std::cmp::Ordering;

use serde_json::Value;

use super::state::{Contact, State};
use super::times::parse_seconds;

const MOST_FILTERS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Email,
    FirstName,
    LastName,
    Language,
    Phone,
    ExtRef,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Filter {
    Text {
        field: Field,
        equal: bool,
        value: String,
    },
    /// Seconds since the epoch, and which of less, equal and greater will do.
    Time {
        created: bool,
        allowed: &'static [Ordering],
        seconds: i64,
    },
    InList {
        list: String,
        member: bool,
    },
    State {
        field: Field,
        empty: bool,
    },
}

/// Conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filters(Vec<Filter>);

impl Filters {
    /// Reads the body of a search; what is wrong with it otherwise.
    pub(super) fn read(body: &Value) -> Result<Self, String> {
        let filter = body.get("filter").filter(|filter| filter.is_object());
        let filter = filter.ok_or_else(|| "filter is missing.".to_owned())?;
        let Some(conjunction) = filter.get("conjunction") else {
            return Ok(Self(vec![read_filter(filter)?]));
        };
        if conjunction != "and" {
            return Err(format!("Unknown conjunction {conjunction}."));
        }
        let filters = filter.get("filters").and_then(Value::as_array);
        let filters = filters.ok_or_else(|| "filters is missing.".to_owned())?;
        // Own choice: a conjunction of one is refused like one of six.
        if !(2..=MOST_FILTERS).contains(&filters.len()) {
            return Err(format!("A conjunction takes 2 to {MOST_FILTERS} filters."));
        }
        Ok(Self(filters.iter().map(read_filter).collect::<Result<_, _>>()?))
    }

    /// The email all results must have, where there is one: a short cut through the index.
    pub(super) fn email(&self) -> Option<&str> {
        self.0.iter().find_map(|filter| match filter {
            Filter::Text { field: Field::Email, equal: true, value } => Some(value.as_str()),
            _ => None,
        })
    }

    pub(super) fn admit(&self, state: &State, contact: &Contact) -> bool {
        self.0.iter().all(|filter| filter.admits(state, contact))
    }
}

impl Filter {
    fn admits(&self, state: &State, contact: &Contact) -> bool {
        match self {
            Self::Text { field, equal, value } => {
                let found = field.of(contact).map(fold);
                (found.as_deref() == Some(value.as_str())) == *equal
            }
            Self::Time { created, allowed, seconds } => {
                let ms = if *created { contact.created_ms } else { contact.modified_ms };
                let found = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
                allowed.contains(&found.cmp(seconds))
            }
            Self::InList { list, member } => {
                let directory = state.directory(&contact.directory);
                let list = directory.and_then(|home| home.lists.iter().find(|known| known.id == *list));
                list.is_some_and(|list| list.members.contains_key(&contact.number)) == *member
            }
            Self::State { field, empty } => field.of(contact).is_none_or(str::is_empty) == *empty,
        }
    }
}

impl Field {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "email" => Self::Email,
            "firstName" => Self::FirstName,
            "lastName" => Self::LastName,
            "language" => Self::Language,
            "phone" => Self::Phone,
            "extRef" => Self::ExtRef,
            _ => return None,
        })
    }

    fn of(self, contact: &Contact) -> Option<&str> {
        match self {
            Self::Email => contact.email.as_deref(),
            Self::FirstName => contact.first_name.as_deref(),
            Self::LastName => contact.last_name.as_deref(),
            Self::Language => contact.language.as_deref(),
            Self::Phone => contact.phone.as_deref(),
            Self::ExtRef => contact.ext_ref.as_deref(),
        }
    }
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

fn read_filter(filter: &Value) -> Result<Filter, String> {
    let text = |name: &str| {
        let value = filter.get(name).and_then(Value::as_str);
        value.ok_or_else(|| format!("{name} must be a string."))
    };
    let kind = text("filterType")?;
    match kind {
        "created" | "lastModified" => {
            let seconds = parse_seconds(text("value")?)
                .ok_or_else(|| "value must be yyyy-MM-dd or yyyy-MM-dd hh:mm:ss.".to_owned())?;
            Ok(Filter::Time {
                created: kind == "created",
                allowed: comparison(text("comparison")?)?,
                seconds,
            })
        }
        "inList" => {
            // Own choice: the boolean may also come as a string.
            let member = match filter.get("comparison") {
                Some(Value::Bool(member)) => *member,
                Some(Value::String(word)) if word == "true" => true,
                Some(Value::String(word)) if word == "false" => false,
                _ => return Err("comparison must be a boolean.".to_owned()),
            };
            Ok(Filter::InList { list: text("mailingListId")?.to_owned(), member })
        }
        "infoFieldState" => {
            let name = text("field")?;
            let field = match name {
                "email" | "extRef" | "firstName" | "lastName" => Field::read(name),
                _ => None,
            };
            let field = field.ok_or_else(|| format!("Unknown field {name}."))?;
            match text("comparison")? {
                "empty" => Ok(Filter::State { field, empty: true }),
                "notEmpty" => Ok(Filter::State { field, empty: false }),
                other => Err(format!("Unknown comparison {other}.")),
            }
        }
        _ => {
            let field = Field::read(kind).ok_or_else(|| format!("Unknown filterType {kind}."))?;
            let equal = match text("comparison")? {
                "eq" => true,
                "neq" => false,
                other => return Err(format!("Unknown comparison {other}.")),
            };
            Ok(Filter::Text { field, equal, value: fold(text("value")?) })
        }
    }
}

/// Own choice: a date alone means its first second.
fn comparison(word: &str) -> Result<&'static [Ordering], String> {
    use Ordering::{Equal, Greater, Less};
    Ok(match word {
        "eq" => &[Equal],
        "neq" => &[Less, Greater],
        "gt" => &[Greater],
        "lt" => &[Less],
        "gte" => &[Greater, Equal],
        "lte" => &[Less, Equal],
        other => return Err(format!("Unknown comparison {other}.")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::random::Random;

    fn contact() -> Contact {
        Contact {
            first_name: Some("Ana".to_owned()),
            email: Some("Ana.Silva@example.test ".to_owned()),
            created_ms: 1_772_360_100_999,
            ..Contact::default()
        }
    }

    fn finds(filter: &Value) -> bool {
        let state = State::new(Random::for_purpose(1, "search"));
        Filters::read(&json!({ "filter": filter })).unwrap().admit(&state, &contact())
    }

    #[test]
    fn conditions() {
        let text =
            |kind, comparison, value| json!({"filterType": kind, "comparison": comparison, "value": value});
        let state = |field, comparison| json!({"filterType": "infoFieldState", "field": field, "comparison": comparison});
        for (expected, filter) in [
            (true, text("email", "eq", "  ANA.silva@Example.test ")),
            (false, text("email", "neq", "ana.silva@example.test")),
            (false, text("email", "eq", "ana")),
            (true, text("phone", "neq", "1")),
            (true, text("created", "eq", "2026-03-01 10:15:00")),
            (true, text("created", "gt", "2026-03-01")),
            (false, text("created", "lte", "2026-03-01")),
            (true, text("created", "lt", "2026-03-02")),
            (false, text("lastModified", "gte", "2026-03-02")),
            (true, state("extRef", "empty")),
            (false, state("email", "empty")),
            (true, json!({"filterType": "inList", "comparison": false, "mailingListId": "CG_x"})),
            (
                true,
                json!({"conjunction": "and", "filters":
                [text("firstName", "eq", "ana"), text("email", "neq", "x")]}),
            ),
            (
                false,
                json!({"conjunction": "and", "filters":
                [text("firstName", "eq", "ana"), text("email", "eq", "x")]}),
            ),
        ] {
            assert_eq!(finds(&filter), expected, "{filter}");
        }
    }

    #[test]
    fn what_is_refused() {
        let one = json!({"filterType": "email", "comparison": "eq", "value": "a"});
        let and = |count: usize| json!({"conjunction": "and", "filters": vec![one.clone(); count]});
        for body in [
            json!({}),
            json!({"filter": "email"}),
            json!({"filter": {"filterType": "mail", "comparison": "eq", "value": "a"}}),
            json!({"filter": {"filterType": "email", "comparison": "like", "value": "a"}}),
            json!({"filter": {"filterType": "email", "comparison": "eq"}}),
            json!({"filter": {"filterType": "email", "comparison": "eq", "value": 1}}),
            json!({"filter": {"filterType": "created", "comparison": "eq", "value": "yesterday"}}),
            json!({"filter": {"filterType": "inList", "comparison": "eq", "mailingListId": "CG_x"}}),
            json!({"filter": {"filterType": "infoFieldState", "comparison": "empty", "field": "phone"}}),
            json!({"filter": {"conjunction": "or", "filters": [one.clone(), one.clone()]}}),
            json!({ "filter": and(1) }),
            json!({ "filter": and(6) }),
        ] {
            assert!(Filters::read(&body).is_err(), "{body}");
        }
        assert!(Filters::read(&json!({ "filter": and(5) })).is_ok());
    }
}
