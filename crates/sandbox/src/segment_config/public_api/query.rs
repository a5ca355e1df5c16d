//! The query of a call. The vendor's own clients do not agree on how objects and lists are spelt in it, so every
//! spelling is taken; escapes are gone before the names are looked at.

use axum::http::request::Parts;
use serde_json::Value;
use url::form_urlencoded;

use super::envelope::Failure;

/// Names and values, in their order. Own choices: of a name that comes more than once the last one counts, unless
/// it is a list; an empty value is as good as none; names nobody knows are ignored.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(call: &Parts) -> Self {
        Self(form_urlencoded::parse(call.uri.query().unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(found, value)| found == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// A field of an object: `name.field`, `name[field]`, or `name` with the object as JSON text.
    pub(super) fn field(&self, name: &str, field: &str) -> Result<Option<String>, Failure> {
        let spelt = self
            .value(&format!("{name}.{field}"))
            .or_else(|| self.value(&format!("{name}[{field}]")))
            .map(str::to_owned);
        let Some(text) = self.value(name).filter(|_| spelt.is_none()) else { return Ok(spelt) };
        let object: Value = serde_json::from_str(text).unwrap_or_default();
        let object = object.as_object().ok_or_else(|| Failure::bad_input(name, "must be an object"))?;
        Ok(match object.get(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        })
    }

    /// The items of a list: `name[0]`, `name.0`, or `name` over and over.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let is_item = |found: &str| {
            let Some(rest) = found.strip_prefix(name) else { return false };
            let position =
                rest.strip_prefix('.').or_else(|| rest.strip_prefix('[').and_then(|it| it.strip_suffix(']')));
            rest.is_empty() || position.is_some_and(|position| position.parse::<u16>().is_ok())
        };
        let items = self.0.iter().filter(|(found, value)| is_item(found) && !value.is_empty());
        items.map(|(_, value)| value.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn query(query: &str) -> Query {
        Query::of(&Request::builder().uri(format!("/?{query}")).body(()).unwrap().into_parts().0)
    }

    #[test]
    fn objects_in_every_spelling() {
        let text = |text: &str| Ok(Some(text.to_owned()));
        for (spelt, count, cursor) in [
            ("pagination.count=3&pagination.cursor=Mw%3D%3D", text("3"), text("Mw==")),
            ("pagination[count]=3&pagination[cursor]=Mw==", text("3"), text("Mw==")),
            ("pagination%5Bcount%5D=3&pagination%5bcursor%5d=Mw%3D%3D", text("3"), text("Mw==")),
            ("pagination=%7B%22count%22%3A%203%2C%22cursor%22%3A%22Mw%3D%3D%22%7D", text("3"), text("Mw==")),
            ("pagination=%7B%22count%22:3%2C%22cursor%22:null%7D", text("3"), Ok(None)),
            ("pagination.count=3&pagination.cursor=", text("3"), Ok(None)),
            ("pagination.count=3&pagination.count=4", text("4"), Ok(None)),
            ("count=3", Ok(None), Ok(None)),
        ] {
            let query = query(spelt);
            assert_eq!(query.field("pagination", "count"), count, "{spelt}");
            assert_eq!(query.field("pagination", "cursor"), cursor, "{spelt}");
        }
        for nonsense in ["pagination=3", "pagination=%7B", "pagination=%5B%5D"] {
            assert!(query(nonsense).field("pagination", "count").is_err(), "{nonsense}");
        }
    }

    #[test]
    fn lists_in_every_spelling() {
        for spelt in ["types[0]=A&types[1]=B", "types%5B0%5D=A&types%5B1%5D=B", "types.0=A&types.1=B"] {
            assert_eq!(query(spelt).list("types"), ["A", "B"], "{spelt}");
        }
        assert_eq!(query("types=A&types=B&types=").list("types"), ["A", "B"]);
        assert_eq!(query("types[x]=A&typesetter=B&types.=C&types[0=D").list("types"), [""; 0]);
    }
}
