//! Bodies that create or change a contact.

use std::collections::BTreeMap;

use serde_json::Value;

use super::email::is_plausible;
use super::state::Contact;

/// A body that was found good. `None`: the field is left out and stays as it is.
#[derive(Debug, Default)]
pub(super) struct Draft {
    first_name: Option<Option<String>>,
    last_name: Option<Option<String>>,
    email: Option<Option<String>>,
    phone: Option<Option<String>>,
    ext_ref: Option<Option<String>>,
    language: Option<Option<String>>,
    embedded_data: Option<BTreeMap<String, String>>,
    unsubscribed: Option<bool>,
}

impl Draft {
    /// Own choice: fields nobody knows are ignored, `null` empties a field.
    pub(super) fn read(body: &Value) -> Result<Self, String> {
        let text = |name: &str| match body.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text.trim().to_owned()))),
            Some(_) => Err(format!("{name} must be a string.")),
        };
        let email = text("email")?;
        if email.as_ref().and_then(Option::as_deref).is_some_and(|email| !is_plausible(email)) {
            return Err("email must be an email address.".to_owned());
        }
        let embedded_data = match body.get("embeddedData") {
            None | Some(Value::Null) => None,
            Some(fields) => Some(
                serde_json::from_value(fields.clone())
                    .map_err(|_| "embeddedData must be an object of strings.".to_owned())?,
            ),
        };
        let unsubscribed = match body.get("unsubscribed") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(unsubscribed)) => Some(*unsubscribed),
            Some(_) => return Err("unsubscribed must be a boolean.".to_owned()),
        };
        Ok(Self {
            first_name: text("firstName")?,
            last_name: text("lastName")?,
            email,
            phone: text("phone")?,
            ext_ref: text("extRef")?,
            language: text("language")?,
            embedded_data,
            unsubscribed,
        })
    }

    pub(super) fn apply(self, contact: &mut Contact, now_ms: u64) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut contact.first_name, self.first_name);
        set(&mut contact.last_name, self.last_name);
        set(&mut contact.email, self.email);
        set(&mut contact.phone, self.phone);
        set(&mut contact.ext_ref, self.ext_ref);
        set(&mut contact.language, self.language);
        if let Some(fields) = self.embedded_data {
            contact.embedded_data.extend(fields);
        }
        match self.unsubscribed {
            Some(true) => contact.unsubscribed_ms = contact.unsubscribed_ms.or(Some(now_ms)),
            Some(false) => contact.unsubscribed_ms = None,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_refused_and_what_stays() {
        for body in [
            json!({"email": "x"}),
            json!({"firstName": 1}),
            json!({"embeddedData": {"a": 1}}),
            json!({"embeddedData": []}),
            json!({"unsubscribed": "no"}),
        ] {
            assert!(Draft::read(&body).is_err(), "{body}");
        }
        let mut contact = Contact { last_name: Some("Ng".to_owned()), ..Contact::default() };
        let body = json!({"firstName": " Jo ", "phone": null, "unsubscribed": true, "unknown": 1});
        Draft::read(&body).unwrap().apply(&mut contact, 5);
        assert_eq!((contact.first_name.as_deref(), contact.last_name.as_deref()), (Some("Jo"), Some("Ng")));
        assert_eq!(contact.unsubscribed_ms, Some(5));
    }
}
