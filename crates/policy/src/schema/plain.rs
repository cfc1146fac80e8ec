//! A tool's JSON Schema made finite and plain.
//!
//! A definition comes from a server that may be hostile. Instead of handing it to a validator as it is,
//! we write our own copy: local `$ref`s expanded, recursion cut, every draft's spelling turned into that
//! of 2020-12, nothing that we do not know, and no more than [`MAX_NODES`] schemas. What reads the copy
//! needs no resolver and its work is bounded by its size.
//!
//! What the copy leaves out, the tool alone enforces, and each of it is named in [`Plain::unchecked`]: what
//! recursion repeats, patterns that need backtracking, references that lead nowhere. Formats that are no kind
//! are left to the tool, too, as JSON Schema takes them for remarks. Policy still sees every value.

use std::collections::BTreeSet;

use callgate_text::{Json, Object};

use super::legacy;
use super::names::{MAX_PROPERTIES, strings, types};
use super::pattern::Patterns;
use super::pointer::{escape, resolve};
use super::unchecked::Unchecked;

/// How many schemas and listed values a copy may hold.
pub(super) const MAX_NODES: usize = 8192;

/// How deep schemas may nest, references followed. What lies deeper counts as unconstrained.
const MAX_DEPTH: usize = 40;

/// Why a pattern is left out.
const BACKTRACKS: &str = "no engine matches the pattern in linear time and little memory";

/// Why there is no copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// A keyword has a value that no draft allows.
    Malformed(&'static str),
    /// The schema, with its references expanded, is larger than any honest one.
    TooLarge,
    /// It has more patterns than the gate compiles.
    Patterns,
}

/// The copy, and how much of it there is.
#[derive(Debug)]
pub(super) struct Plain {
    /// The schema; an object or a boolean.
    pub(super) schema: Json,
    /// How many schemas and listed values it holds; those that are validated again count again.
    pub(super) nodes: usize,
    /// Whether a pattern takes much memory.
    pub(super) heavy: bool,
    /// What narrows the arguments, and is left out of the copy.
    pub(super) unchecked: BTreeSet<Unchecked>,
}

/// Copies `schema`, whose `#` references point into itself.
pub(super) fn copy(schema: &Json) -> Result<Plain, Unfit> {
    let mut copyist = Copyist {
        document: schema,
        nodes: 0,
        open: Vec::new(),
        path: Vec::new(),
        patterns: Patterns::default(),
        unchecked: BTreeSet::new(),
        gaps: 0,
    };
    let schema = copyist.schema(schema, 0)?;
    let Copyist { nodes, patterns, unchecked, .. } = copyist;
    Ok(Plain { schema, nodes, heavy: patterns.heavy(), unchecked })
}

struct Copyist<'a> {
    document: &'a Json,
    nodes: usize,
    /// The references that are being followed.
    open: Vec<&'a str>,
    /// Where the schema that is being copied stands in the document.
    path: Vec<String>,
    patterns: Patterns,
    unchecked: BTreeSet<Unchecked>,
    /// How much was left out that says which members and elements of the value itself are declared.
    gaps: usize,
}

impl<'a> Copyist<'a> {
    fn schema(&mut self, schema: &'a Json, depth: usize) -> Result<Json, Unfit> {
        self.count(1)?;
        let keywords = match schema {
            Json::Bool(_) => return Ok(schema.clone()),
            Json::Object(keywords) => keywords,
            _ => return Err(Unfit::Malformed("a schema that is neither an object nor a boolean")),
        };
        if depth > MAX_DEPTH {
            self.leave_out("it lies too deep");
            return Ok(Json::Bool(true));
        }
        let (nodes, gaps) = (self.nodes, self.gaps);
        let mut copy = Object::default();
        for (keyword, value) in keywords.iter() {
            self.within(keyword, |copyist| copyist.keyword(&mut copy, keywords, keyword, value, depth + 1))?;
        }
        let mut parts = Vec::new();
        if let Some(value) = keywords.get("dependencies") {
            parts.push(self.within("dependencies", |copyist| copyist.dependencies(value, depth + 1))?);
        }
        if let Some(reference) = keywords.get("$ref") {
            let target = self.within("$ref", |copyist| copyist.follow(reference, depth + 1))?;
            if copy.is_empty() && parts.is_empty() && !keywords.iter().any(|(keyword, _)| is_unevaluated(keyword)) {
                return Ok(target);
            }
            parts.push(target);
        }
        if !parts.is_empty() {
            let all = copy.get("allOf").and_then(Json::as_array).unwrap_or_default();
            copy.set("allOf", Json::Array(all.iter().cloned().chain(parts).collect()));
        }
        for (keyword, value) in keywords.iter().filter(|(keyword, _)| is_unevaluated(keyword)) {
            if self.gaps > gaps {
                // The validator would take for undeclared what is declared there.
                self.within(keyword, |copyist| copyist.leave_out("it depends on a part that is not enforced"));
                continue;
            }
            let rest = self.within(keyword, |copyist| copyist.element(value, depth + 1))?;
            copy.set(keyword, rest);
            // To know what was evaluated, the validator looks at all of this again.
            self.count(self.nodes.saturating_sub(nodes).saturating_mul(2))?;
        }
        legacy::exclusive_limit(&mut copy, keywords, "minimum", "exclusiveMinimum");
        legacy::exclusive_limit(&mut copy, keywords, "maximum", "exclusiveMaximum");
        if keywords.get("nullable") == Some(&Json::Bool(true)) {
            legacy::allow_null(&mut copy);
        }
        Ok(Json::Object(copy))
    }

    fn keyword(
        &mut self,
        copy: &mut Object,
        beside: &Object,
        keyword: &'a str,
        value: &'a Json,
        depth: usize,
    ) -> Result<(), Unfit> {
        let value = match keyword {
            "type" => types(value)?,
            "enum" => self.listed(value.as_array().ok_or(Unfit::Malformed("an `enum` that is not a list"))?, value)?,
            "const" => self.listed(std::slice::from_ref(value), value)?,
            "properties" => self.members(value, |copyist, schema| copyist.element(schema, depth))?,
            "dependentSchemas" => self.members(value, |copyist, schema| copyist.schema(schema, depth))?,
            "patternProperties" => self.by_pattern(value, depth)?,
            "dependentRequired" => {
                let members =
                    value.as_object().ok_or(Unfit::Malformed("a `dependentRequired` that is not an object"))?;
                for (_, names) in members.iter() {
                    strings(names, "a `dependentRequired` that is not of lists of names")?;
                }
                value.clone()
            }
            "required" => match value {
                Json::Bool(required) => {
                    if *required {
                        self.leave_out("only draft 3 has a `required` that is not a list of names");
                    }
                    return Ok(());
                }
                names => strings(names, "a `required` that is not a list of names")?,
            },
            "items" => match value {
                Json::Array(items) => {
                    copy.set("prefixItems", self.list(items, |copyist, item| copyist.element(item, depth))?);
                    return Ok(());
                }
                schema => self.element(schema, depth)?,
            },
            "additionalItems" => {
                // Beside a list of items it speaks of the rest; otherwise it says nothing.
                if beside.get("items").is_some_and(|items| items.as_array().is_some()) {
                    copy.set("items", self.element(value, depth)?);
                }
                return Ok(());
            }
            "additionalProperties" => {
                // Members by a pattern that is left out would count as additional.
                if self.all_patterns(beside)? {
                    self.element(value, depth)?
                } else {
                    self.leave_out("it depends on a part that is not enforced");
                    return Ok(());
                }
            }
            "propertyNames" => self.element(value, depth)?,
            "contains" | "not" | "if" | "then" | "else" => self.schema(value, depth)?,
            "prefixItems" => match value {
                Json::Array(items) if !items.is_empty() => {
                    self.list(items, |copyist, item| copyist.element(item, depth))?
                }
                _ => return Err(Unfit::Malformed("a `prefixItems` that is not a list of schemas")),
            },
            "allOf" | "anyOf" | "oneOf" => match value {
                Json::Array(schemas) if !schemas.is_empty() => {
                    self.list(schemas, |copyist, schema| copyist.schema(schema, depth))?
                }
                _ => return Err(Unfit::Malformed("an `allOf`, `anyOf` or `oneOf` that is not a list of schemas")),
            },
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" | "minContains"
            | "maxContains" => match value.as_i64() {
                Some(0..) => value.clone(),
                _ => return Err(Unfit::Malformed("a limit that is not a count")),
            },
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => match value {
                Json::Bool(_) if keyword.starts_with("exclusive") => return Ok(()),
                Json::Number(number) if keyword != "multipleOf" || number.as_f64() > 0.0 => value.clone(),
                _ => return Err(Unfit::Malformed("a limit that is not a number")),
            },
            "uniqueItems" => match value {
                Json::Bool(_) => value.clone(),
                _ => return Err(Unfit::Malformed("a `uniqueItems` that is not a boolean")),
            },
            "pattern" => match value {
                Json::String(pattern) if self.patterns.enforces(pattern)? => value.clone(),
                Json::String(_) => {
                    self.leave_out(BACKTRACKS);
                    return Ok(());
                }
                _ => return Err(Unfit::Malformed("a `pattern` that is not a string")),
            },
            "format" => match value {
                Json::String(_) => value.clone(),
                _ => return Err(Unfit::Malformed("a `format` that is not a string")),
            },
            "$dynamicRef" | "$recursiveRef" => {
                self.leave_out("what it refers to depends on the way there");
                self.gaps += 1;
                return Ok(());
            }
            "disallow" | "extends" | "divisibleBy" => {
                self.leave_out("only draft 3 has this keyword");
                return Ok(());
            }
            _ => return Ok(()),
        };
        copy.set(keyword, value);
        Ok(())
    }

    /// What a reference stands for. One that leads outside, nowhere or back says nothing.
    fn follow(&mut self, reference: &'a Json, depth: usize) -> Result<Json, Unfit> {
        let reference = reference.as_str().ok_or(Unfit::Malformed("a `$ref` that is not a string"))?;
        let found = reference.strip_prefix('#').and_then(|pointer| resolve(self.document, pointer));
        let fault = match found {
            Some((target, path)) if !self.open.contains(&reference) => {
                self.open.push(reference);
                let here = std::mem::replace(&mut self.path, path);
                let copy = self.schema(target, depth);
                self.path = here;
                self.open.pop();
                return copy;
            }
            Some(_) => "it leads back to where it came from",
            None => "it leads out of the definition",
        };
        self.leave_out(fault);
        self.gaps += 1;
        Ok(Json::Bool(true))
    }

    /// Draft 7's `dependencies`, as a schema of the two keywords that took its place.
    fn dependencies(&mut self, value: &'a Json, depth: usize) -> Result<Json, Unfit> {
        let members = value.as_object().ok_or(Unfit::Malformed("`dependencies` that are not an object"))?;
        let (mut required, mut schemas) = (Object::default(), Object::default());
        for (name, dependency) in members.iter() {
            match dependency {
                Json::Array(_) => {
                    required.set(name, strings(dependency, "`dependencies` that are not lists of names")?);
                }
                schema => schemas.set(name, self.within(name, |copyist| copyist.schema(schema, depth))?),
            }
        }
        Ok(Json::object([("dependentRequired", required), ("dependentSchemas", schemas)]))
    }

    /// Members that are declared by pattern, those apart whose pattern is not enforced.
    fn by_pattern(&mut self, value: &'a Json, depth: usize) -> Result<Json, Unfit> {
        let members = value.as_object().ok_or(Unfit::Malformed("`patternProperties` that are not an object"))?;
        let mut copy = Object::default();
        for (pattern, schema) in members.iter() {
            if self.patterns.enforces(pattern)? {
                copy.set(pattern, self.within(pattern, |copyist| copyist.element(schema, depth))?);
            } else {
                self.within(pattern, |copyist| copyist.leave_out(BACKTRACKS));
                self.gaps += 1;
            }
        }
        Ok(Json::Object(copy))
    }

    /// Whether all members that are declared by pattern are in the copy.
    fn all_patterns(&mut self, keywords: &Object) -> Result<bool, Unfit> {
        let patterns = keywords.get("patternProperties").and_then(Json::as_object);
        for (pattern, _) in patterns.into_iter().flat_map(Object::iter) {
            if !self.patterns.enforces(pattern)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn members(
        &mut self,
        value: &'a Json,
        mut copy: impl FnMut(&mut Self, &'a Json) -> Result<Json, Unfit>,
    ) -> Result<Json, Unfit> {
        let members = value.as_object().ok_or(Unfit::Malformed("`properties` that are not an object"))?;
        if members.len() > MAX_PROPERTIES {
            return Err(Unfit::TooLarge);
        }
        let copies = members.iter().map(|(name, schema)| {
            let schema = self.within(name, |copyist| copy(copyist, schema))?;
            Ok((name.to_owned(), schema))
        });
        copies.collect::<Result<Object, Unfit>>().map(Json::Object)
    }

    fn list(
        &mut self,
        schemas: &'a [Json],
        mut copy: impl FnMut(&mut Self, &'a Json) -> Result<Json, Unfit>,
    ) -> Result<Json, Unfit> {
        let copies = schemas.iter().enumerate();
        let copies = copies.map(|(index, schema)| self.within(&index.to_string(), |copyist| copy(copyist, schema)));
        copies.collect::<Result<_, _>>().map(Json::Array)
    }

    /// The schema of members or elements: what it leaves out hides none beside them.
    fn element(&mut self, schema: &'a Json, depth: usize) -> Result<Json, Unfit> {
        let gaps = self.gaps;
        let copy = self.schema(schema, depth);
        self.gaps = gaps;
        copy
    }

    /// Runs `copy` one step further down.
    fn within<T>(&mut self, token: &str, copy: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(escape(token));
        let result = copy(self);
        self.path.pop();
        result
    }

    /// Notes that what stands here is not in the copy.
    fn leave_out(&mut self, why: &'static str) {
        self.unchecked.insert(Unchecked::new(&self.path, why));
    }

    fn listed(&mut self, values: &[Json], whole: &Json) -> Result<Json, Unfit> {
        self.count(values.iter().map(size).sum())?;
        Ok(whole.clone())
    }

    fn count(&mut self, nodes: usize) -> Result<(), Unfit> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES { Err(Unfit::TooLarge) } else { Ok(()) }
    }
}

/// How many values a value holds, itself included.
pub(super) fn size(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Json::Object(members) => 1 + members.iter().map(|(_, member)| size(member)).sum::<usize>(),
        _ => 1,
    }
}

/// Whether a keyword speaks of what no other declares.
fn is_unevaluated(keyword: &str) -> bool {
    matches!(keyword, "unevaluatedProperties" | "unevaluatedItems")
}
