//! A JSON value that was parsed strictly, or built by us.

use crate::{JsonError, Number, canonical, scan};

/// A JSON value (RFC 8259) within the limits of I-JSON (RFC 7493) and of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number that every parser reads alike.
    Number(Number),
    /// A string without lone surrogates.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object without duplicate or case-colliding keys.
    Object(Object),
}

/// The members of an object, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(Vec<(String, Json)>);

impl Json {
    /// Parses one document of at most [`crate::MAX_BYTES`] and [`crate::MAX_DEPTH`], nothing behind it.
    ///
    /// # Errors
    /// [`JsonError`] names the fault and the byte offset; it never repeats the input.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        scan::document(bytes, scan::MAX_BYTES)
    }

    /// As [`Json::parse`] with another limit on the size: tool results may be larger than calls.
    ///
    /// # Errors
    /// As [`Json::parse`].
    pub fn parse_within(bytes: &[u8], max_bytes: usize) -> Result<Self, JsonError> {
        scan::document(bytes, max_bytes)
    }

    /// The canonical form of RFC 8785, UTF-8.
    pub fn canonical(&self) -> Vec<u8> {
        canonical::bytes(self)
    }

    /// An object of `members`, in this order. Later duplicates of a key are dropped.
    pub fn object<K: Into<String>, V: Into<Json>>(members: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Object(members.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The integer as a number, or as a string where a double would change it (RFC 7493 § 2.2).
    pub fn integer(integer: i64) -> Self {
        Number::from_integer(integer).map_or_else(|| Self::String(integer.to_string()), Self::Number)
    }

    /// The object, if this is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(string) => Some(string),
            _ => None,
        }
    }

    /// The items, if this is an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The number, if it is an integer of 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.scaled(0),
            _ => None,
        }
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The member `key`, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.as_object()?.get(key)
    }

    /// What a person calls this value's type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }
}

impl Object {
    /// The member `key`.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Whether there is a member `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The members in written order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Sets `key`, in its place if it was there, at the end otherwise.
    pub fn set(&mut self, key: &str, value: impl Into<Json>) {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Json> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For the scanner, which has checked that `key` is new.
    pub(crate) fn push_new(&mut self, key: String, value: Json) {
        self.0.push((key, value));
    }
}

impl FromIterator<(String, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(members: I) -> Self {
        let mut seen = std::collections::BTreeSet::new();
        Self(members.into_iter().filter(|(key, _)| seen.insert(key.clone())).collect())
    }
}

impl From<&str> for Json {
    fn from(string: &str) -> Self {
        Self::String(string.to_owned())
    }
}

impl From<String> for Json {
    fn from(string: String) -> Self {
        Self::String(string)
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(items: Vec<T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}
