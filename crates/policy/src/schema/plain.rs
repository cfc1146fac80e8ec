//! A tool's JSON Schema made finite and plain.
//!
//! A definition comes from a server that may be hostile. Instead of handing it to a validator as it is,
//! we write our own copy: local `$ref`s expanded, recursion cut, every draft's spelling turned into that
//! of 2020-12, nothing that we do not know, and no more than [`MAX_NODES`] schemas. What reads the copy
//! needs no resolver and its work is bounded by its size.
//!
//! What the copy leaves out, the tool alone enforces: limits inside recursion, `unevaluated…`, draft 7's
//! `dependencies`, members declared by pattern, formats that are no kind. Policy still sees every value.

use std::collections::BTreeSet;

use callgate_text::{Json, Object};

use super::pointer::unescape;

/// How many schemas and listed values a copy may hold.
pub(super) const MAX_NODES: usize = 8192;

/// How many properties one object may declare.
const MAX_PROPERTIES: usize = 512;

/// How deep schemas may nest, references followed. What lies deeper counts as unconstrained.
const MAX_DEPTH: usize = 40;

/// Why there is no copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// A keyword has a value that no draft allows.
    Malformed(&'static str),
    /// The schema, with its references expanded, is larger than any honest one.
    TooLarge,
}

/// The copy, and how much of it there is.
#[derive(Debug)]
pub(super) struct Plain {
    /// The schema; an object or a boolean.
    pub(super) schema: Json,
    /// How many schemas and listed values it holds.
    pub(super) nodes: usize,
}

/// Copies `schema`, whose `#` references point into itself.
pub(super) fn copy(schema: &Json) -> Result<Plain, Unfit> {
    let mut copyist = Copyist { document: schema, nodes: 0, open: Vec::new() };
    let schema = copyist.schema(schema, 0)?;
    Ok(Plain { schema, nodes: copyist.nodes })
}

struct Copyist<'a> {
    document: &'a Json,
    nodes: usize,
    /// The references that are being followed.
    open: Vec<&'a str>,
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
            return Ok(Json::Bool(true));
        }
        let mut copy = Object::default();
        // Members that are declared by pattern are undeclared to policy, and so are all others then.
        let by_pattern = keywords.contains("patternProperties");
        for (keyword, value) in
            keywords.iter().filter(|(keyword, _)| !(by_pattern && *keyword == "additionalProperties"))
        {
            self.keyword(&mut copy, keyword, value, depth + 1)?;
        }
        if let Some(reference) = keywords.get("$ref") {
            let target = self.follow(reference, depth + 1)?;
            if copy.is_empty() {
                return Ok(target);
            }
            let mut all = copy.get("allOf").and_then(Json::as_array).unwrap_or_default().to_vec();
            all.push(target);
            copy.set("allOf", Json::Array(all));
        }
        draft_4_limit(&mut copy, keywords, "minimum", "exclusiveMinimum");
        draft_4_limit(&mut copy, keywords, "maximum", "exclusiveMaximum");
        if keywords.get("nullable") == Some(&Json::Bool(true)) {
            allow_null(&mut copy);
        }
        Ok(Json::Object(copy))
    }

    fn keyword(&mut self, copy: &mut Object, keyword: &'a str, value: &'a Json, depth: usize) -> Result<(), Unfit> {
        let value = match keyword {
            "type" => types(value)?,
            "enum" => self.listed(value.as_array().ok_or(Unfit::Malformed("an `enum` that is not a list"))?, value)?,
            "const" => self.listed(std::slice::from_ref(value), value)?,
            "properties" | "dependentSchemas" => self.members(value, depth)?,
            "dependentRequired" => {
                let members =
                    value.as_object().ok_or(Unfit::Malformed("a `dependentRequired` that is not an object"))?;
                for (_, names) in members.iter() {
                    strings(names, "a `dependentRequired` that is not of lists of names")?;
                }
                value.clone()
            }
            "required" => match value {
                Json::Bool(_) => return Ok(()),
                names => strings(names, "a `required` that is not a list of names")?,
            },
            "items" => match value {
                Json::Array(items) => {
                    copy.set("prefixItems", self.list(items, depth)?);
                    return Ok(());
                }
                schema => self.schema(schema, depth)?,
            },
            "additionalItems" => {
                // Beside a list of items it speaks of the rest; otherwise it says nothing.
                copy.set("items", self.schema(value, depth)?);
                return Ok(());
            }
            "additionalProperties" | "contains" | "propertyNames" | "not" | "if" | "then" | "else" => {
                self.schema(value, depth)?
            }
            "prefixItems" | "allOf" | "anyOf" | "oneOf" => match value {
                Json::Array(schemas) if !schemas.is_empty() => self.list(schemas, depth)?,
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
            "pattern" | "format" => match value {
                Json::String(_) => value.clone(),
                _ => return Err(Unfit::Malformed("a `pattern` or `format` that is not a string")),
            },
            _ => return Ok(()),
        };
        copy.set(keyword, value);
        Ok(())
    }

    /// What a reference stands for. One that leads outside, nowhere or back says nothing.
    fn follow(&mut self, reference: &'a Json, depth: usize) -> Result<Json, Unfit> {
        let reference = reference.as_str().ok_or(Unfit::Malformed("a `$ref` that is not a string"))?;
        let target = reference.strip_prefix('#').and_then(|pointer| resolve(self.document, pointer));
        match target {
            Some(target) if !self.open.contains(&reference) => {
                self.open.push(reference);
                let copy = self.schema(target, depth);
                self.open.pop();
                copy
            }
            _ => Ok(Json::Bool(true)),
        }
    }

    fn members(&mut self, value: &'a Json, depth: usize) -> Result<Json, Unfit> {
        let members = value.as_object().ok_or(Unfit::Malformed("`properties` that are not an object"))?;
        if members.len() > MAX_PROPERTIES {
            return Err(Unfit::TooLarge);
        }
        let copies: Result<Object, Unfit> =
            members.iter().map(|(name, schema)| Ok((name.to_owned(), self.schema(schema, depth)?))).collect();
        copies.map(Json::Object)
    }

    fn list(&mut self, schemas: &'a [Json], depth: usize) -> Result<Json, Unfit> {
        schemas.iter().map(|schema| self.schema(schema, depth)).collect::<Result<_, _>>().map(Json::Array)
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

/// The value at an RFC 6901 pointer in a URI fragment.
fn resolve<'a>(document: &'a Json, pointer: &str) -> Option<&'a Json> {
    let pointer = percent_decode(pointer)?;
    if pointer.is_empty() {
        return Some(document);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(document, |value, token| {
        let token = unescape(token);
        match value {
            Json::Object(members) => members.get(&token),
            Json::Array(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        }
    })
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        bytes.push(if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).ok()? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

fn types(value: &Json) -> Result<Json, Unfit> {
    const TYPES: &[&str] = &["null", "boolean", "integer", "number", "string", "array", "object"];
    let known = |name: &Json| name.as_str().is_some_and(|name| TYPES.contains(&name));
    let valid = match value {
        Json::Array(names) => !names.is_empty() && names.iter().all(known),
        name => known(name),
    };
    if valid { Ok(once(value)) } else { Err(Unfit::Malformed("a `type` that JSON Schema does not have")) }
}

fn strings(value: &Json, fault: &'static str) -> Result<Json, Unfit> {
    let names = value.as_array().ok_or(Unfit::Malformed(fault))?;
    if names.len() > MAX_PROPERTIES {
        return Err(Unfit::TooLarge);
    }
    if names.iter().all(|name| name.as_str().is_some()) { Ok(once(value)) } else { Err(Unfit::Malformed(fault)) }
}

/// A list of names with each name once.
fn once(value: &Json) -> Json {
    let mut seen = BTreeSet::new();
    match value {
        Json::Array(names) => Json::Array(names.iter().filter(|name| seen.insert(name.as_str())).cloned().collect()),
        name => name.clone(),
    }
}

/// Draft 4 wrote an exclusive limit as `"minimum": 0, "exclusiveMinimum": true`.
fn draft_4_limit(copy: &mut Object, keywords: &Object, limit: &str, exclusive: &str) {
    if let (Some(Json::Bool(true)), Some(Json::Number(number))) = (keywords.get(exclusive), keywords.get(limit)) {
        copy.set(exclusive, Json::Number(number.clone()));
    }
}

/// OpenAPI's `nullable` beside a `type`.
fn allow_null(copy: &mut Object) {
    let mut types = match copy.get("type") {
        Some(Json::Array(types)) => types.clone(),
        Some(name) => vec![name.clone()],
        None => return,
    };
    if !types.iter().any(|name| name.as_str() == Some("null")) {
        types.push(Json::from("null"));
    }
    copy.set("type", Json::Array(types));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(schema: &str) -> Result<String, Unfit> {
        let schema = Json::parse(schema.as_bytes()).expect("JSON");
        copy(&schema).map(|plain| String::from_utf8(plain.schema.canonical()).expect("UTF-8"))
    }

    #[test]
    fn references_are_expanded_and_recursion_is_cut() {
        let text = r##"{"$defs":{"a/b":{"type":"string"},"t":{"properties":{"next":{"$ref":"#/$defs/t"}}}},
            "properties":{"x":{"$ref":"#/$defs/a~1b","title":"X"},"y":{"$ref":"#/%24defs/a~1b","minLength":1},"t":{"$ref":"#/$defs/t"},
            "out":{"$ref":"https://evil.example/"},"gone":{"$ref":"#/nowhere"},"self":{"$ref":"#"}}}"##;
        let plain = copied(text).expect("fits");
        assert!(plain.contains(r#""x":{"type":"string"}"#), "{plain}");
        assert!(plain.contains(r#""y":{"allOf":[{"type":"string"}],"minLength":1}"#), "{plain}");
        assert!(plain.contains(r#""t":{"properties":{"next":true}}"#), "{plain}");
        assert!(plain.contains(r#""out":true"#) && plain.contains(r#""gone":true"#), "{plain}");
        assert!(!plain.contains("$"), "{plain}");
    }

    #[test]
    fn older_drafts_are_rewritten() {
        for (old, new) in [
            (
                r#"{"items":[{"type":"string"}],"additionalItems":false}"#,
                r#"{"items":false,"prefixItems":[{"type":"string"}]}"#,
            ),
            (r#"{"minimum":0,"exclusiveMinimum":true}"#, r#"{"exclusiveMinimum":0,"minimum":0}"#),
            (r#"{"type":"string","nullable":true,"example":1}"#, r#"{"type":["string","null"]}"#),
        ] {
            assert_eq!(copied(old).as_deref(), Ok(new));
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut defs: Vec<_> = (0..40)
            .map(|n| format!(r##""a{n}":{{"anyOf":[{{"$ref":"#/$defs/a{0}"}},{{"$ref":"#/$defs/a{0}"}}]}}"##, n + 1))
            .collect();
        defs.push(r#""a40":{"type":"string"}"#.to_owned());
        let bomb = format!(r##"{{"$defs":{{{}}},"properties":{{"x":{{"$ref":"#/$defs/a0"}}}}}}"##, defs.join(","));
        assert_eq!(copied(&bomb), Err(Unfit::TooLarge));
        let wide: Vec<_> = (0..600).map(|n| format!(r#""p{n}":true"#)).collect();
        assert_eq!(copied(&format!(r#"{{"properties":{{{}}}}}"#, wide.join(","))), Err(Unfit::TooLarge));
    }
}
