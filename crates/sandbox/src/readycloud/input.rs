//! Reading what a client sends to create or change a contact, refused field by field as the vendor's
//! framework does. Unknown fields are ignored, as it does too.

use serde_json::{Map, Value, json};

use super::state::{Address, Contact};

/// The fields a call gave.
#[derive(Debug, Default)]
pub(super) struct Draft {
    first_name: Option<String>,
    last_name: Option<String>,
    is_company: Option<bool>,
    /// `Some(None)` is an explicit `null`.
    occupation: Option<Option<String>>,
    description: Option<Option<String>>,
    website: Option<Option<String>>,
    custom_fields: Option<Map<String, Value>>,
    addresses: Option<Vec<Address>>,
}

impl Draft {
    /// Reads a body, or answers the body of a 400.
    pub(super) fn read(body: &[u8], partial: bool) -> Result<Self, Value> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| json!({ "detail": format!("JSON parse error - {error}") }))?;
        let Value::Object(object) = &value else {
            return Err(json!({ "non_field_errors": ["Invalid data. Expected a dictionary."] }));
        };
        let mut fields = Fields { object, errors: Map::new() };
        let draft = Self {
            first_name: fields.text("first_name"),
            last_name: fields.text("last_name"),
            is_company: fields.flag("is_company"),
            occupation: fields.nullable_text("occupation"),
            description: fields.nullable_text("description"),
            website: fields.nullable_text("website"),
            custom_fields: fields.object("custom_fields"),
            addresses: fields.addresses(),
        };
        // Own choice: a contact needs a first name, everything else may be missing.
        if !partial && draft.first_name.is_none() {
            fields.errors.entry("first_name").or_insert_with(|| json!(["This field is required."]));
        }
        if fields.errors.is_empty() { Ok(draft) } else { Err(Value::Object(fields.errors)) }
    }

    /// Own choice: `addresses` replaces all addresses.
    pub(super) fn apply(self, contact: &mut Contact) {
        fn set<T, U: From<T>>(field: &mut U, value: Option<T>) {
            if let Some(value) = value {
                *field = U::from(value);
            }
        }
        set(&mut contact.first_name, self.first_name);
        set(&mut contact.last_name, self.last_name);
        set(&mut contact.is_company, self.is_company);
        if let Some(occupation) = self.occupation {
            contact.occupation = occupation.map(Into::into);
        }
        if let Some(description) = self.description {
            contact.description = description.map(Into::into);
        }
        if let Some(website) = self.website {
            contact.website = website.map(Into::into);
        }
        set(&mut contact.custom_fields, self.custom_fields);
        set(&mut contact.addresses, self.addresses);
    }
}

/// An object being read, with what is wrong about it.
struct Fields<'a> {
    object: &'a Map<String, Value>,
    errors: Map<String, Value>,
}

impl Fields<'_> {
    fn refuse(&mut self, name: &str, message: &str) {
        self.errors.insert(name.to_owned(), json!([message]));
    }

    fn nullable_text(&mut self, name: &str) -> Option<Option<String>> {
        match self.object.get(name)? {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text.trim().to_owned())),
            Value::Number(number) => Some(Some(number.to_string())),
            _ => {
                self.refuse(name, "Not a valid string.");
                None
            }
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let text = self.nullable_text(name)?;
        if text.is_none() {
            self.refuse(name, "This field may not be null.");
        }
        text
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        match self.object.get(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => {
                self.refuse(name, "Must be a valid boolean.");
                None
            }
        }
    }

    fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.object.get(name)? {
            Value::Object(object) => Some(object.clone()),
            _ => {
                self.refuse(name, "Expected a dictionary of items.");
                None
            }
        }
    }

    fn email(&mut self, name: &str) -> Option<String> {
        let email = self.nullable_text(name)??;
        let valid =
            email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if !valid {
            self.refuse(name, "Enter a valid email address.");
        }
        Some(email)
    }

    fn addresses(&mut self) -> Option<Vec<Address>> {
        let Value::Array(items) = self.object.get("addresses")? else {
            self.refuse("addresses", "Expected a list of items.");
            return None;
        };
        let (mut addresses, mut errors) = (Vec::new(), Vec::new());
        for item in items {
            match address(item) {
                Ok(address) => {
                    addresses.push(address);
                    errors.push(json!({}));
                }
                Err(error) => errors.push(error),
            }
        }
        if addresses.len() == items.len() {
            return Some(addresses);
        }
        self.errors.insert("addresses".to_owned(), Value::Array(errors));
        None
    }
}

fn address(item: &Value) -> Result<Address, Value> {
    let Value::Object(object) = item else {
        return Err(json!({ "non_field_errors": ["Invalid data. Expected a dictionary."] }));
    };
    let mut fields = Fields { object, errors: Map::new() };
    let mut text = |name| fields.text(name).unwrap_or_default().into();
    let address = Address {
        key: 0,
        first_name: text("first_name"),
        last_name: text("last_name"),
        company: text("company"),
        phone: text("phone"),
        address_1: text("address_1"),
        address_2: text("address_2"),
        city: text("city"),
        region: text("region"),
        post_code: text("post_code"),
        country: text("country"),
        address_type: fields.text("address_type").map_or("shipping".into(), Into::into),
        email: fields.email("email").map(Into::into),
        default: fields.flag("default").unwrap_or_default(),
        residential: fields.flag("residential").unwrap_or_default(),
        validated: false,
    };
    if fields.errors.is_empty() { Ok(address) } else { Err(Value::Object(fields.errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_field() {
        let table = [
            (r#"{"last_name": "x"}"#, json!({"first_name": ["This field is required."]})),
            (r#"{"first_name": null}"#, json!({"first_name": ["This field may not be null."]})),
            (r#"{"first_name": ["x"]}"#, json!({"first_name": ["Not a valid string."]})),
            (
                r#"{"first_name": "x", "is_company": "maybe"}"#,
                json!({"is_company": ["Must be a valid boolean."]}),
            ),
            (
                r#"{"first_name": "x", "addresses": [{}, {"email": "at"}]}"#,
                json!({"addresses": [{}, {"email": ["Enter a valid email address."]}]}),
            ),
            (r#"{"first_name": "x", "addresses": {}}"#, json!({"addresses": ["Expected a list of items."]})),
            ("[]", json!({"non_field_errors": ["Invalid data. Expected a dictionary."]})),
        ];
        for (body, expected) in table {
            assert_eq!(Draft::read(body.as_bytes(), false).unwrap_err(), expected, "{body}");
        }
        assert!(
            Draft::read(b"{", false).unwrap_err()["detail"].as_str().unwrap().starts_with("JSON parse error")
        );
    }

    #[test]
    fn what_is_left_out_stays() {
        let mut contact =
            Contact { first_name: "Ana".into(), occupation: Some("x".into()), ..Contact::default() };
        Draft::read(br#"{"occupation": null, "nonsense": 1}"#, true).unwrap().apply(&mut contact);
        assert_eq!((contact.first_name.as_ref(), contact.occupation), ("Ana", None));
    }
}
