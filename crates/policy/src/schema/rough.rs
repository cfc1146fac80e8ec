//! What a plain schema says about the type of a value.
//!
//! Types form a lattice. `allOf`, and the keywords of one schema, *meet*; `anyOf`, `oneOf` and lists of
//! types *join*. A guess that is too narrow only refuses calls; one that is too wide cannot happen to
//! policy, because lifting checks every value against its type again.

use std::collections::BTreeMap;

use callgate_text::Json;

/// A type, and whether `null` may stand for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rough {
    pub(super) null: bool,
    pub(super) form: RoughForm,
}

/// A type apart from `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RoughForm {
    /// No value but `null`, if even that.
    Nothing,
    /// Anything: the schema does not say.
    Any,
    /// Something that Cedar has no type for.
    Mixed(&'static str),
    Bool,
    Integer,
    Number,
    /// A string; `listed` if the schema lists its values.
    Text {
        format: Option<String>,
        listed: bool,
    },
    /// A list, or also one element alone if `single`.
    List {
        item: Box<Rough>,
        single: bool,
    },
    /// An object; `open` if the schema allows other members than these.
    Record {
        members: BTreeMap<String, Member>,
        open: bool,
    },
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) rough: Rough,
    pub(super) required: bool,
}

use RoughForm::{Any, Bool, Integer, List, Mixed, Nothing, Number, Record, Text};

const UNION: RoughForm = Mixed("it may be of several types");
const MAP: RoughForm = Mixed("it is an object of undeclared members");
const TUPLE: RoughForm = Mixed("the places of its elements have a meaning");

impl Rough {
    const ANY: Self = Self { null: true, form: Any };
    const NOTHING: Self = Self { null: false, form: Nothing };

    /// Reads a plain schema.
    pub(super) fn of(schema: &Json) -> Self {
        let keyword = |name| schema.get(name);
        let schemas = |name| keyword(name).and_then(Json::as_array).unwrap_or_default().iter().map(Self::of);
        match schema {
            Json::Bool(false) => return Self::NOTHING,
            Json::Object(_) => {}
            _ => return Self::ANY,
        }
        let mut rough = match keyword("type") {
            Some(Json::Array(names)) => names.iter().map(|name| typed(schema, name)).fold(Self::NOTHING, Self::join),
            Some(name) => typed(schema, name),
            None => untyped(schema),
        };
        if let Some(values) = keyword("enum").and_then(Json::as_array) {
            rough = rough.meet(values.iter().map(listed).fold(Self::NOTHING, Self::join));
        }
        if let Some(value) = keyword("const") {
            rough = rough.meet(listed(value));
        }
        rough = schemas("allOf").fold(rough, Self::meet);
        for union in ["anyOf", "oneOf"] {
            if keyword(union).is_some() {
                rough = rough.meet(schemas(union).fold(Self::NOTHING, Self::join));
            }
        }
        rough
    }

    /// What is of both types.
    fn meet(self, other: Self) -> Self {
        Self { null: self.null && other.null, form: meet(self.form, other.form) }
    }

    /// What is of either type.
    fn join(self, other: Self) -> Self {
        Self { null: self.null || other.null, form: join(self.form, other.form) }
    }

    fn only(form: RoughForm) -> Self {
        Self { null: false, form }
    }
}

/// The type of the values that have the type `name` and fit the keywords of `schema`.
fn typed(schema: &Json, name: &Json) -> Rough {
    Rough::only(match name.as_str() {
        Some("null") => return Rough { null: true, form: Nothing },
        Some("boolean") => Bool,
        Some("integer") => Integer,
        Some("number") => Number,
        Some("string") => {
            Text { format: schema.get("format").and_then(Json::as_str).map(str::to_owned), listed: false }
        }
        Some("array") => list(schema),
        _ => record(schema),
    })
}

/// A schema without a type that has an object's or a list's keywords is taken for that.
fn untyped(schema: &Json) -> Rough {
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| schema.get(keyword).is_some());
    if has(&["properties", "required"]) {
        Rough::only(record(schema))
    } else if has(&["items", "prefixItems"]) {
        Rough::only(list(schema))
    } else {
        Rough::ANY
    }
}

fn list(schema: &Json) -> RoughForm {
    match (schema.get("prefixItems"), schema.get("items")) {
        (Some(_), _) => TUPLE,
        (None, Some(items)) => List { item: Box::new(Rough::of(items)), single: false },
        (None, None) => List { item: Box::new(Rough::ANY), single: false },
    }
}

fn record(schema: &Json) -> RoughForm {
    let required: Vec<&str> =
        schema.get("required").and_then(Json::as_array).unwrap_or_default().iter().filter_map(Json::as_str).collect();
    // Members that are declared by pattern are undeclared to policy.
    let open =
        schema.get("additionalProperties") != Some(&Json::Bool(false)) || schema.get("patternProperties").is_some();
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    if let Some(properties) = schema.get("properties").and_then(Json::as_object) {
        for (name, property) in properties.iter() {
            members.insert(name.to_owned(), Member { rough: Rough::of(property), required: false });
        }
    }
    for name in required {
        let member = members.entry(name.to_owned());
        member.or_insert(Member { rough: Rough::ANY, required: true }).required = true;
    }
    if members.is_empty() && open { MAP } else { Record { members, open } }
}

fn listed(value: &Json) -> Rough {
    Rough::only(match value {
        Json::Null => return Rough { null: true, form: Nothing },
        Json::Bool(_) => Bool,
        Json::Number(number) if number.scaled(0).is_some() => Integer,
        Json::Number(_) => Number,
        Json::String(_) => Text { format: None, listed: true },
        Json::Array(_) | Json::Object(_) => Mixed("its listed values are no plain ones"),
    })
}

fn meet(a: RoughForm, b: RoughForm) -> RoughForm {
    match (a, b) {
        (Nothing, _) | (_, Nothing) => Nothing,
        (Any, other) | (other, Any) | (Mixed(_), other) | (other, Mixed(_)) => other,
        (Bool, Bool) => Bool,
        (Integer, Integer | Number) | (Number, Integer) => Integer,
        (Number, Number) => Number,
        (Text { format: a, listed: l }, Text { format: b, listed: m }) => Text { format: a.or(b), listed: l || m },
        (List { item: a, single: l }, List { item: b, single: m }) => {
            List { item: Box::new(a.meet(*b)), single: l && m }
        }
        (List { item, single: true }, other) | (other, List { item, single: true }) => meet(item.form, other),
        (Record { members: a, open: l }, Record { members: b, open: m }) => {
            Record { members: merge(a, b, Rough::meet, |l, m| l || m, |_| {}), open: l && m }
        }
        _ => Nothing,
    }
}

fn join(a: RoughForm, b: RoughForm) -> RoughForm {
    match (a, b) {
        (Nothing, other) | (other, Nothing) => other,
        (Any, _) | (_, Any) => Any,
        (Mixed(why), _) | (_, Mixed(why)) => Mixed(why),
        (Bool, Bool) => Bool,
        (Integer, Integer) => Integer,
        (Number, Integer | Number) | (Integer, Number) => Number,
        (Text { format: a, listed: l }, Text { format: b, listed: m }) => {
            Text { format: if a == b { a } else { None }, listed: l && m }
        }
        (List { item: a, single: l }, List { item: b, single: m }) => {
            List { item: Box::new(a.join(*b)), single: l || m }
        }
        // One, or several of the same: policy sees a set either way.
        (List { item, .. }, one @ (Bool | Integer | Number | Text { .. }))
        | (one @ (Bool | Integer | Number | Text { .. }), List { item, .. }) => {
            List { item: Box::new(item.join(Rough::only(one))), single: true }
        }
        (Record { members: a, open: l }, Record { members: b, open: m }) => {
            let optional = |member: &mut Member| member.required = false;
            Record { members: merge(a, b, Rough::join, |l, m| l && m, optional), open: l || m }
        }
        _ => UNION,
    }
}

/// All members of both: `both` for those that both have, `lone` for those that one lacks.
fn merge(
    a: BTreeMap<String, Member>,
    mut b: BTreeMap<String, Member>,
    both: impl Fn(Rough, Rough) -> Rough,
    required: impl Fn(bool, bool) -> bool,
    lone: impl Fn(&mut Member),
) -> BTreeMap<String, Member> {
    let mut merged: BTreeMap<_, _> = a
        .into_iter()
        .map(|(name, mut member)| match b.remove(&name) {
            Some(other) => {
                let required = required(member.required, other.required);
                (name, Member { rough: both(member.rough, other.rough), required })
            }
            None => {
                lone(&mut member);
                (name, member)
            }
        })
        .collect();
    merged.extend(b.into_iter().map(|(name, mut member)| {
        lone(&mut member);
        (name, member)
    }));
    merged
}
