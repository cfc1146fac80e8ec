//! The type of an argument as policy sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::pointer::below;
use crate::value::{Root, ValueType};

/// A type, and whether `null` may stand for its absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) null: bool,
    pub(super) form: Form,
}

/// A type apart from `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Only `null`, so there is nothing to see.
    Nothing,
    /// Anything that the tool's schema allows, unseen by policy.
    Opaque,
    Bool,
    /// An integer; a number times ten to `scale`.
    Long {
        scale: u32,
    },
    /// A number of at most four fractional digits.
    Decimal,
    /// An amount that is not negative and has at most two fractional digits, as a decimal.
    Money,
    Text,
    /// A string that is lifted into an entity. Relative paths start at `root`.
    Value {
        value_type: ValueType,
        root: Option<Root>,
    },
    /// A set; of one, if `single` and no list was written.
    List {
        item: Box<Form>,
        single: bool,
    },
    Record(Record),
}

/// The members of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) members: BTreeMap<String, Member>,
    /// Undeclared members pass unseen.
    pub(super) open: bool,
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) shape: Shape,
    pub(super) required: bool,
    /// Whether values with a place in a hierarchy may be in it.
    pub(super) placed: bool,
}

impl Member {
    pub(super) fn new(shape: Shape, required: bool) -> Self {
        Self { placed: shape.form.is_placed(), shape, required }
    }

    /// Whether the attribute may be missing from the Cedar record.
    pub(super) fn is_optional(&self) -> bool {
        !self.required || self.shape.null
    }
}

impl Form {
    /// Whether policy sees anything of it.
    pub(super) fn is_visible(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Opaque)
    }

    /// Whether there is something in it that policy does not see.
    pub(super) fn hides(&self) -> bool {
        match self {
            Self::Opaque => true,
            Self::List { item, .. } => item.hides(),
            Self::Record(record) => record.open || record.members.values().any(|member| member.shape.form.hides()),
            _ => false,
        }
    }

    /// Whether values with a place in a hierarchy may be in it.
    fn is_placed(&self) -> bool {
        match self {
            Self::Value { .. } => true,
            Self::List { item, .. } => item.is_placed(),
            Self::Record(record) => record.members.values().any(|member| member.placed),
            _ => false,
        }
    }

    fn write_input(&self, out: &mut String) {
        match self {
            Self::Bool => out.push_str("Bool"),
            Self::Long { .. } => out.push_str("Long"),
            Self::Decimal | Self::Money => out.push_str("decimal"),
            // What is not visible is not written; see `Record::write`.
            Self::Text | Self::Nothing | Self::Opaque => out.push_str("String"),
            Self::Value { value_type, .. } => out.push_str(value_type.as_str()),
            Self::List { item, .. } => {
                out.push_str("Set<");
                item.write_input(out);
                out.push('>');
            }
            Self::Record(record) => record.write(out, Self::is_visible, Self::write_input),
        }
    }

    fn write_common(&self, out: &mut String) {
        match self {
            Self::List { item, .. } => item.write_common(out),
            Self::Record(record) => record.write(out, Self::is_placed, Self::write_common),
            other => other.write_input(out),
        }
    }
}

impl Record {
    /// The Cedar type of the record itself.
    pub(super) fn input_type(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Form::is_visible, Form::write_input);
        out
    }

    /// The Cedar type of the same record with lists replaced by what their elements have in common.
    pub(super) fn common_type(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Form::is_placed, Form::write_common);
        out
    }

    /// The members that hide something from policy; `*` if undeclared ones do.
    pub(super) fn opaque(&self) -> BTreeSet<String> {
        let hiding = self.members.iter().filter(|(_, member)| member.shape.form.hides());
        hiding.map(|(name, _)| name.clone()).chain(self.open.then(|| "*".to_owned())).collect()
    }

    /// The pointers of all attributes that may be missing.
    pub(super) fn optional(&self) -> BTreeSet<String> {
        let mut pointers = BTreeSet::new();
        self.collect_optional("", &mut pointers);
        pointers
    }

    fn collect_optional(&self, above: &str, pointers: &mut BTreeSet<String>) {
        for (name, member) in &self.members {
            let pointer = below(above, name);
            let mut form = &member.shape.form;
            while let Form::List { item, .. } = form {
                form = item;
            }
            if let Form::Record(record) = form {
                record.collect_optional(&pointer, pointers);
            }
            if member.is_optional() {
                pointers.insert(pointer);
            }
        }
    }

    fn write(&self, out: &mut String, shown: fn(&Form) -> bool, write: fn(&Form, &mut String)) {
        let mut separator = "{ ";
        for (name, member) in self.members.iter().filter(|(_, member)| shown(&member.shape.form)) {
            out.push_str(separator);
            separator = ", ";
            // Names hold neither control nor invisible characters, so Rust and Cedar escape them alike.
            let optional = if member.is_optional() { "?" } else { "" };
            let _ = write!(out, "{name:?}{optional}: ");
            write(&member.shape.form, out);
        }
        out.push_str(if separator == "{ " { "{}" } else { " }" });
    }
}
