//! `docs/openapi.json` is the document that the gate serves.

use callgate_doors::http::openapi;
use serde_json::Value;

#[test]
fn the_page_of_the_api_is_the_table_in_the_code() {
    let document: Value = serde_json::from_slice(&openapi().canonical()).unwrap();
    let page = serde_json::to_string_pretty(&document).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    if std::env::var_os("CALLGATE_BLESS").is_some() {
        std::fs::write(path, &page).expect("writes the page");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/openapi.json is not the table; run this test with CALLGATE_BLESS=1");
}

#[test]
fn every_schema_is_one() {
    let document: Value = serde_json::from_slice(&openapi().canonical()).unwrap();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
        let mentioned = document["paths"].to_string().contains(&format!("#/components/schemas/{name}\""));
        assert!(mentioned, "{name} is described, and nothing has it");
    }
}
