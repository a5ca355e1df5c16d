//! Reading input strictly: every misfit names its field and what is expected, and never repeats what was sent.
//!
//! serde_json's own messages quote the value ("invalid type: string \"ana@...\""), and values are personal data or
//! secrets here. So this is a deserializer over [`Value`] whose error type has no room for them.

use std::fmt;

use habeas_casework::FieldError;
use serde::de::{self, DeserializeSeed, IntoDeserializer as _, Visitor};
use serde_json::Value;
use serde_json::map::IntoIter as Members;

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// JSON has numbers and booleans.
    Json,
    /// A query string has text only.
    Text,
}

/// Why a value does not fit, and where.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// From the inside out.
    path: Vec<String>,
    message: String,
}

impl Misfit {
    fn new(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), message: message.into() }
    }

    /// A misfit of a member of the value at hand.
    pub(crate) fn of_member(name: &str, message: impl Into<String>) -> Self {
        Self { path: vec![shown(name)], message: message.into() }
    }

    fn below(mut self, segment: impl Into<String>) -> Self {
        self.path.push(segment.into());
        self
    }
}

impl From<Misfit> for FieldError {
    fn from(misfit: Misfit) -> Self {
        let path: Vec<_> = misfit.path.into_iter().rev().collect();
        Self::new(path.join("."), misfit.message)
    }
}

/// A name that was sent, if it looks like a name: anything else might be a value in the wrong place.
pub(crate) fn shown(name: &str) -> String {
    let is_name = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if is_name && !name.is_empty() { name.to_owned() } else { "(unreadable name)".to_owned() }
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("must be {expected}"))
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("must be {expected}"))
    }

    fn invalid_length(_: usize, expected: &dyn de::Expected) -> Self {
        Self::new(format!("must be {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("must be one of: {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let message = if expected.is_empty() {
            "is not known here; nothing is expected".to_owned()
        } else {
            format!("is not known here; known are: {}", expected.join(", "))
        };
        Self::of_member(field, message)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of_member(field, "is missing")
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::of_member(field, "is given twice")
    }
}

/// Reads a JSON value.
pub(crate) fn from_json<T: de::DeserializeOwned>(value: Value) -> Result<T, Misfit> {
    T::deserialize(Strict { value, spelling: Spelling::Json })
}

/// Reads the parameters of a query string.
pub(crate) fn from_query<T: de::DeserializeOwned>(query: &str) -> Result<T, Misfit> {
    let mut parameters = serde_json::Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if parameters.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
            return Err(Misfit::of_member(&name, "is given twice"));
        }
    }
    T::deserialize(Strict { value: Value::Object(parameters), spelling: Spelling::Text })
}

struct Strict {
    value: Value,
    spelling: Spelling,
}

macro_rules! whole_numbers {
    ($($method:ident),+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            let fault = || Misfit::new("must be a whole number that is not negative");
            let number = match &self.value {
                Value::Number(number) => number.as_u64(),
                Value::String(text) if self.spelling == Spelling::Text => text.parse().ok(),
                _ => None,
            };
            visitor.visit_u64(number.ok_or_else(fault)?).map_err(|_: Misfit| Misfit::new("is too large"))
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Strict {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => number.deserialize_any(visitor).map_err(|_| Misfit::new("is no number")),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items { items: items.into_iter().enumerate() }),
            Value::Object(members) => {
                visitor.visit_map(Object { members: members.into_iter(), at: None, spelling: self.spelling })
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match (&self.value, self.spelling) {
            (Value::Bool(value), _) => visitor.visit_bool(*value),
            (Value::String(text), Spelling::Text) if text == "true" => visitor.visit_bool(true),
            (Value::String(text), Spelling::Text) if text == "false" => visitor.visit_bool(false),
            _ => Err(Misfit::new("must be true or false")),
        }
    }

    whole_numbers!(
        deserialize_u8,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64,
        deserialize_i8,
        deserialize_i16,
        deserialize_i32,
        deserialize_i64
    );

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            Value::String(text) => visitor.visit_string(text),
            _ => Err(Misfit::new("must be a string")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.value.is_array() { self.deserialize_any(visitor) } else { Err(Misfit::new("must be a list")) }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.value.is_object() {
            self.deserialize_any(visitor)
        } else {
            Err(Misfit::new("must be an object"))
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

struct Items {
    items: std::iter::Enumerate<std::vec::IntoIter<Value>>,
}

impl<'de> de::SeqAccess<'de> for Items {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some((at, value)) = self.items.next() else { return Ok(None) };
        seed.deserialize(Strict { value, spelling: Spelling::Json })
            .map(Some)
            .map_err(|misfit| misfit.below(at.to_string()))
    }
}

struct Object {
    members: Members,
    at: Option<(String, Value)>,
    spelling: Spelling,
}

impl<'de> de::MapAccess<'de> for Object {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.at = self.members.next();
        match &self.at {
            Some((name, _)) => seed.deserialize(name.as_str().into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        // serde asks for a value only after its name.
        let (name, value) = self.at.take().unwrap_or_default();
        seed.deserialize(Strict { value, spelling: self.spelling })
            .map_err(|misfit| misfit.below(shown(&name)))
    }
}
