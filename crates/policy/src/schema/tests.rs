//! Definitions, calls and policies together: what Cedar then says.

mod hostile;
mod places;
mod plain;
mod unchecked;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, Schema, ValidationMode, Validator,
};

use super::*;
use crate::value::value_entity_types;

/// A tool with one input schema and overlay, and policies about it.
struct Bench {
    tool: ToolType,
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn mapped(schema: &str, overlay: &str) -> Result<ToolType, SchemaError> {
    let definition = Json::object([("inputSchema", json(schema))]);
    let overlay = toml::from_str(overlay).expect("an overlay");
    ToolType::from_definition(&"t.x".parse().expect("a name"), &definition, &overlay)
}

fn bench(schema: &str, overlay: &str) -> Bench {
    Bench { tool: mapped(schema, overlay).unwrap_or_else(|error| panic!("{error}")) }
}

/// A tool whose arguments have these properties, none of them required.
fn properties(properties: &str, overlay: &str) -> Bench {
    bench(&format!(r#"{{"type":"object","properties":{properties}}}"#), overlay)
}

impl Bench {
    fn lift(&self, arguments: &str, ancestors: &Ancestors) -> Result<Lifted, Vec<Reason>> {
        self.tool.lift(json(arguments).as_object(), ancestors)
    }

    /// Why the arguments are refused; empty if they are not.
    fn refusal(&self, arguments: &str) -> String {
        let reasons = self.lift(arguments, &Ancestors::default()).err().unwrap_or_default();
        reasons.iter().map(|reason| reason.message.clone()).collect::<Vec<_>>().join("; ")
    }

    /// Whether `permit … when { condition }`, strictly validated, allows the call. No errors may occur.
    fn allows(&self, condition: &str, arguments: &str) -> Option<bool> {
        let schema = format!(
            "{}entity Agent; entity Server; action x appliesTo {{ principal: Agent, resource: Server, context: {{ input: {}, common: {} }} }};",
            value_entity_types(),
            self.tool.input_type(),
            self.tool.common_type()
        );
        let schema = Schema::from_cedarschema_str(&schema).unwrap_or_else(|error| panic!("{error:?}: {schema}")).0;
        let policies: PolicySet =
            format!("permit (principal, action, resource) when {{ {condition} }};").parse().expect("a policy");
        let valid = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        assert!(valid.validation_passed(), "{valid}: {condition}");
        let literals = policies.policies().flat_map(cedar_policy::Policy::entity_literals);
        let lifted = self.lift(arguments, &Ancestors::collect(literals)).ok()?;
        let context = Context::from_pairs([("input".to_owned(), lifted.input), ("common".to_owned(), lifted.common)])
            .expect("a context");
        let uid = |text: &str| text.parse::<EntityUid>().expect("a uid");
        let request =
            Request::new(uid(r#"Agent::"a""#), uid(r#"Action::"x""#), uid(r#"Server::"s""#), context, Some(&schema))
                .expect("a valid request");
        let entities = Entities::from_entities(lifted.entities, Some(&schema)).expect("valid entities");
        let response = Authorizer::new().is_authorized(&request, &policies, &entities);
        assert_eq!(response.diagnostics().errors().count(), 0, "{response:?}");
        Some(response.decision() == Decision::Allow)
    }

    #[track_caller]
    fn check(&self, condition: &str, calls: &[(&str, Option<bool>)]) {
        for (arguments, expected) in calls {
            assert_eq!(
                self.allows(condition, arguments),
                *expected,
                "{condition} of {arguments}: {}",
                self.refusal(arguments)
            );
        }
    }
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const REFUSED: Option<bool> = None;

#[test]
fn scalars_are_exact_or_refused() {
    let bench = bench(
        r#"{"type":"object","properties":{"s":{"type":"string"},"i":{"type":"integer"},"n":{"type":"number"},"b":{"type":"boolean"},
            "m":{"type":"number"},"c":{"type":"number"}},"required":["s"]}"#,
        r#"kinds = { m = "money" }
           scale = { c = 2 }"#,
    );
    assert_eq!(
        bench.tool.input_type(),
        r#"{ "b"?: Bool, "c"?: Long, "i"?: Long, "m"?: decimal, "n"?: decimal, "s": String }"#
    );
    bench.check(
        r#"context.input.s == "x""#,
        &[
            (r#"{"s":"x"}"#, YES),
            (r#"{"s":"X"}"#, NO),
            (r#"{"s":"x\u0000"}"#, NO),
            ("{}", REFUSED),
            (r#"{"s":1}"#, REFUSED),
            (r#"{"s":null}"#, REFUSED),
            (r#"{"s":"x","extra":1}"#, REFUSED),
            (r#"{"S":"x"}"#, REFUSED),
            (r#"{"s":["x"]}"#, REFUSED),
            (r#"{"s":{"__entity":{"type":"A","id":"x"}}}"#, REFUSED),
        ],
    );
    bench.check(
        "context.input has i && context.input.i == 3",
        &[
            (r#"{"s":"","i":3}"#, YES),
            (r#"{"s":"","i":3.0}"#, YES),
            (r#"{"s":"","i":30e-1}"#, YES),
            (r#"{"s":"","i":4}"#, NO),
            (r#"{"s":""}"#, NO),
            (r#"{"s":"","i":3.5}"#, REFUSED),
            (r#"{"s":"","i":"3"}"#, REFUSED),
            (r#"{"s":"","i":1e19}"#, REFUSED),
            (r#"{"s":"","i":true}"#, REFUSED),
        ],
    );
    bench.check(
        r#"context.input has n && context.input.n.lessThanOrEqual(decimal("2.0"))"#,
        &[
            (r#"{"s":"","n":2}"#, YES),
            (r#"{"s":"","n":2.0001}"#, NO),
            (r#"{"s":"","n":2.00004}"#, REFUSED),
            (r#"{"s":"","n":-9e13}"#, YES),
            (r#"{"s":"","n":1e15}"#, REFUSED),
            (r#"{"s":"","n":"1"}"#, REFUSED),
        ],
    );
    bench.check(
        r#"context.input has m && context.input.m.lessThanOrEqual(decimal("100.00"))"#,
        &[
            (r#"{"s":"","m":99.99}"#, YES),
            (r#"{"s":"","m":0}"#, YES),
            (r#"{"s":"","m":100.01}"#, NO),
            (r#"{"s":"","m":99.999}"#, REFUSED),
            (r#"{"s":"","m":-5}"#, REFUSED),
        ],
    );
    bench.check(
        "context.input has c && context.input.c <= 10000",
        &[(r#"{"s":"","c":100}"#, YES), (r#"{"s":"","c":100.01}"#, NO), (r#"{"s":"","c":0.001}"#, REFUSED)],
    );
}

#[test]
fn null_is_absence_only_where_the_schema_allows_it() {
    for nullable in [
        r#"{"type":["string","null"]}"#,
        r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"type":"string","nullable":true}"#,
        r#"{"enum":["a",null]}"#,
    ] {
        let bench = bench(&format!(r#"{{"type":"object","properties":{{"a":{nullable}}},"required":["a"]}}"#), "");
        assert_eq!(bench.tool.input_type(), r#"{ "a"?: String }"#);
        bench.check(
            r#"context.input has a && context.input.a == "a""#,
            &[(r#"{"a":"a"}"#, YES), (r#"{"a":null}"#, NO), ("{}", REFUSED)],
        );
    }
    properties(r#"{"a":{"type":"string"}}"#, "").check("true", &[("{}", YES), (r#"{"a":null}"#, REFUSED)]);
    properties(r#"{"a":{"type":"array","items":{"type":["string","null"]}}}"#, "")
        .check("true", &[(r#"{"a":["x"]}"#, YES), (r#"{"a":["x",null]}"#, REFUSED)]);
    properties(r#"{"a":{"type":"null"}}"#, "").check("true", &[(r#"{"a":null}"#, YES), (r#"{"a":0}"#, REFUSED)]);
}

#[test]
fn composed_schemas_are_typed_where_they_can_be() {
    for (schema, expected) in [
        (r#"{"anyOf":[{"type":"string"},{"enum":["x"]}]}"#, "String"),
        (r#"{"oneOf":[{"const":"a"},{"const":"b"}]}"#, "String"),
        (r#"{"anyOf":[{"type":"integer"},{"type":"number"}]}"#, "decimal"),
        (r#"{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}"#, "Set<String>"),
        (
            r#"{"allOf":[{"type":"object","properties":{"x":{"type":"string"}}},{"properties":{"y":{"type":"integer"}},"required":["x"]}]}"#,
            r#"{ "x": String, "y"?: Long }"#,
        ),
        (
            r#"{"oneOf":[{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]},{"type":"object","properties":{"y":{"type":"string"}}}]}"#,
            r#"{ "x"?: String, "y"?: String }"#,
        ),
        (
            r#"{"type":"object","properties":{"x":{"type":"string"},"y":{"type":"string"}},"anyOf":[{"required":["x"]},{"required":["y"]}]}"#,
            r#"{ "x"?: String, "y"?: String }"#,
        ),
        (r#"{"type":"array","items":{"type":"array","items":{"type":"boolean"}}}"#, "Set<Set<Bool>>"),
        (r##"{"$ref":"#/$defs/d"}"##, r#"{ "n": Long }"#),
        (r#"{"enum":[1,2]}"#, "Long"),
    ] {
        let whole = format!(
            r#"{{"type":"object","properties":{{"a":{schema}}},"$defs":{{"d":{{"type":"object","properties":{{"n":{{"type":"integer"}}}},"required":["n"]}}}}}}"#
        );
        assert_eq!(bench(&whole, "").tool.input_type(), format!(r#"{{ "a"?: {expected} }}"#), "{schema}");
    }
}

#[test]
fn what_cannot_be_expressed_is_opaque_and_said_so() {
    for schema in [
        "{}",
        "true",
        r#"{"type":"object"}"#,
        r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
        r#"{"type":["string","integer"]}"#,
        r#"{"anyOf":[{"type":"string"},{"type":"object","properties":{"x":{"type":"string"}}}]}"#,
        r#"{"type":"array"}"#,
        r#"{"type":"array","items":{}}"#,
        r#"{"type":"array","prefixItems":[{"type":"string"}]}"#,
        r#"{"items":[{"type":"string"},{"type":"string"}],"type":"array"}"#,
        r##"{"$ref":"#"}"##,
        r#"{"$ref":"https://evil.example/schema"}"#,
        r#"{"type":"object","patternProperties":{"^x":{"type":"string"}},"additionalProperties":false}"#,
        r#"{"enum":[["a"]]}"#,
        r#"{"enum":["a",1]}"#,
        r#"{"type":"array","items":{"type":"null"}}"#,
    ] {
        let bench = properties(&format!(r#"{{"a":{schema},"b":{{"type":"string"}}}}"#), "");
        let hidden = schema != r##"{"$ref":"#"}"##;
        if hidden {
            assert_eq!(bench.tool.input_type(), r#"{ "b"?: String }"#, "{schema}");
        }
        assert_eq!(bench.tool.opaque().iter().collect::<Vec<_>>(), ["a"], "{schema}");
    }
    let nested = properties(
        r#"{"a":{"type":"object","properties":{"x":{"type":"string"},"y":{}}},"l":{"type":"array","items":{"type":"object","properties":{"z":{},"p":{"type":"string"}}}}}"#,
        "",
    );
    assert_eq!(nested.tool.input_type(), r#"{ "a"?: { "x"?: String }, "l"?: Set<{ "p"?: String }> }"#);
    assert_eq!(nested.tool.opaque().iter().collect::<Vec<_>>(), ["a", "l"]);
    let marked = properties(r#"{"a":{"type":"string"},"b":{"type":"string"}}"#, r#"opaque = ["a"]"#);
    assert_eq!((marked.tool.input_type().as_str(), marked.tool.opaque().len()), (r#"{ "b"?: String }"#, 1));
    marked.check("true", &[(r#"{"a":"anything"}"#, YES), (r#"{"a":1}"#, REFUSED)]);
}

#[test]
fn undeclared_arguments_are_refused_at_any_depth() {
    let schema = r#"{"o":{"type":"object","properties":{"x":{"type":"string"}},"additionalProperties":true},"l":{"type":"array","items":{"type":"object","properties":{"x":{"type":"string"}}}}}"#;
    properties(schema, "").check(
        "true",
        &[
            (r#"{"o":{"x":"a"}}"#, YES),
            (r#"{"o":{"y":"a"}}"#, REFUSED),
            (r#"{"l":[{"x":"a"},{"x":"b","y":1}]}"#, REFUSED),
            (r#"{"z":1}"#, REFUSED),
            (r#"{"o":{"__extn":{"fn":"decimal","arg":"1.0"}}}"#, REFUSED),
        ],
    );
    let open = properties(schema, r#"additional = "opaque""#);
    open.check(
        "true",
        &[
            (r#"{"o":{"y":"a"},"z":1}"#, YES),
            (r#"{"O":{"x":"a"}}"#, REFUSED),
            (r#"{"o":{"X":"a"}}"#, REFUSED),
            (r#"{"ｏ":1}"#, REFUSED),
        ],
    );
    assert_eq!(open.tool.opaque().iter().collect::<Vec<_>>(), ["*", "l", "o"]);
    let closed = bench(
        r#"{"type":"object","properties":{"x":{"type":"string"}},"additionalProperties":false}"#,
        r#"additional = "opaque""#,
    );
    closed.check("true", &[(r#"{"y":1}"#, REFUSED)]);
    assert!(closed.tool.opaque().is_empty());
}

#[test]
fn the_schema_itself_is_enforced() {
    let bench = properties(
        r#"{"n":{"type":"integer","minimum":1,"maximum":9},"p":{"type":"string","pattern":"^[a-z]+$"},"e":{"enum":["a","b"]},"l":{"type":"array","items":{"type":"string"},"maxItems":2,"uniqueItems":true},
           "s":{"type":"string","maxLength":3},"x":{"type":"integer","minimum":0,"exclusiveMinimum":true},"o":{"type":"object","additionalProperties":{"type":"integer"}},"c":{"const":"k"},"d":{"type":"number","multipleOf":0.01}}"#,
        "",
    );
    for (arguments, refusal) in [
        (r#"{"n":1}"#, ""),
        (r#"{"n":0}"#, "`n` is below the minimum 1"),
        (r#"{"n":10}"#, "`n` is above the maximum 9"),
        (r#"{"p":"abc"}"#, ""),
        (r#"{"p":"SECRET1"}"#, "`p` does not match the tool's schema (`pattern`)"),
        (r#"{"e":"a"}"#, ""),
        (r#"{"e":"SECRET"}"#, "`e` is none of [\"a\",\"b\"]"),
        (r#"{"l":["a","b","c"]}"#, "`l` has more than 2 elements"),
        (r#"{"l":["a","a"]}"#, "`l` does not match the tool's schema (`uniqueItems`)"),
        (r#"{"s":"ünï"}"#, ""),
        (r#"{"s":"SECRET"}"#, "`s` is longer than 3 characters"),
        (r#"{"x":0}"#, "`x` is not above 0"),
        (r#"{"o":{"a":1}}"#, ""),
        (r#"{"o":{"SECRET":"x"}}"#, "`o` does not match the tool's schema (`type`)"),
        (r#"{"c":"x"}"#, "`c` does not match the tool's schema (`const`)"),
        (r#"{"SECRET":1}"#, "the call has a member that the tool does not declare; declared are 9 others"),
        (r#"{"d":19.99}"#, ""),
        (r#"{"d":0.07}"#, ""),
        (r#"{"d":19.999}"#, "`d` does not match the tool's schema (`multipleOf`)"),
    ] {
        assert_eq!(bench.refusal(arguments), refusal, "{arguments}");
    }
    let reasons = bench.lift(r#"{"n":0,"o":{"SECRET":"x"}}"#, &Ancestors::default()).expect_err("refused");
    assert_eq!(
        reasons.iter().map(|reason| (reason.code, reason.path.as_deref())).collect::<Vec<_>>(),
        [(Code::InvalidArguments, Some("/n")), (Code::InvalidArguments, Some("/o"))]
    );
}

#[test]
fn patterns_take_linear_time_or_are_named() {
    let bench = properties(
        r#"{"a":{"type":"string","pattern":"^(a+)+$"},"b":{"type":"string","pattern":"^(?!x)"},"c":{"type":"string","pattern":"("}}"#,
        "",
    );
    assert_eq!(
        bench.tool.unchecked().iter().map(|part| part.pointer.as_str()).collect::<Vec<_>>(),
        ["/inputSchema/properties/b/pattern", "/inputSchema/properties/c/pattern"]
    );
    let evil = format!(r#"{{"a":"{}b"}}"#, "a".repeat(100_000));
    assert_eq!(bench.refusal(&evil), "`a` does not match the tool's schema (`pattern`)");
    let heavy = properties(r#"{"a":{"type":"string","pattern":"^(?:[^x]|yz+){1,500}$"},"b":{"type":"string"}}"#, "");
    assert!(heavy.tool.unchecked().is_empty());
    assert!(heavy.refusal(&evil.replace("\"a\":", "\"b\":")).contains("more text"));
    let many: Vec<_> = (0..70).map(|n| format!(r#""p{n}":{{"type":"string","pattern":"^{n}"}}"#)).collect();
    assert!(mapped(&format!(r#"{{"type":"object","properties":{{{}}}}}"#, many.join(",")), "").is_err());
}
