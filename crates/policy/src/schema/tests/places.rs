//! Paths, hosts, URLs and mailboxes as policies compare them.

use super::{NO, REFUSED, YES, properties};

#[test]
fn paths_lie_in_the_paths_above_them() {
    let bench = properties(
        r#"{"path":{"type":"string"},"paths":{"type":"array","items":{"type":"string"}},"local":{"type":"string"}}"#,
        r#"
        kinds = { local = "path" }
        roots = { local = "." }"#,
    );
    assert_eq!(bench.tool.common_type(), r#"{ "local"?: Path, "path"?: Path, "paths"?: Path }"#);
    bench.check(
        r#"context.input has path && context.input.path in Path::"/workspace""#,
        &[
            (r#"{"path":"/workspace/a"}"#, YES),
            (r#"{"path":"/workspace"}"#, YES),
            (r#"{"path":"//workspace/a"}"#, REFUSED),
            (r#"{"path":"/workspace/../etc/passwd"}"#, NO),
            (r#"{"path":"/workspace-evil/a"}"#, NO),
            (r#"{"path":"/"}"#, NO),
            (r#"{"path":"workspace/a"}"#, REFUSED),
            (r#"{"path":"/workspace/\u0000"}"#, REFUSED),
            (r#"{}"#, NO),
        ],
    );
    bench.check(
        r#"context.common has paths && context.common.paths in Path::"/workspace""#,
        &[
            (r#"{"paths":["/workspace/a","/workspace/b/c"]}"#, YES),
            (r#"{"paths":["/workspace"]}"#, YES),
            (r#"{"paths":[]}"#, YES),
            (r#"{}"#, NO),
            (r#"{"paths":["/workspace/a","/etc/passwd"]}"#, NO),
            (r#"{"paths":["/workspace/a","/workspace-evil"]}"#, NO),
        ],
    );
    bench.check(
        r#"context.input has local && context.input.local in Path::"./src""#,
        &[
            (r#"{"local":"src/a.rs"}"#, YES),
            (r#"{"local":"./src/../src/a"}"#, YES),
            (r#"{"local":"lib/a"}"#, NO),
            (r#"{"local":"/src/a"}"#, NO),
            (r#"{"local":"../src/a"}"#, REFUSED),
        ],
    );
    bench.check(
        "context.input has path && context.common has paths && context.common.paths in context.input.path",
        &[
            (r#"{"path":"/x","paths":["/x/a","/x/b"]}"#, YES),
            (r#"{"path":"/x","paths":["/x/a","/y"]}"#, NO),
            (r#"{"path":"/x/a","paths":["/x"]}"#, NO),
        ],
    );
}

#[test]
fn hosts_and_urls_lie_in_domains_and_zones() {
    let bench = properties(
        r#"{"url":{"type":"string"},"urls":{"type":"array","items":{"type":"string","format":"uri"}},"host":{"type":"string"}}"#,
        "",
    );
    bench.check(r#"context.input has url && context.input.url in Domain::"example.com" && context.input.url.scheme == "https" && context.input.url.port == 443"#, &[
        (r#"{"url":"https://example.com/a"}"#, YES), (r#"{"url":"https://API.example.com:443"}"#, YES), (r#"{"url":"http://example.com"}"#, NO), (r#"{"url":"https://example.com:8443/"}"#, NO),
        (r#"{"url":"https://example.com.evil.example/"}"#, NO), (r#"{"url":"https://notexample.com/"}"#, NO), (r#"{"url":"https://evil.example/?example.com"}"#, NO),
        (r#"{"url":"https://example.com@evil.example/"}"#, REFUSED), (r#"{"url":"javascript:alert(1)"}"#, REFUSED),
    ]);
    bench.check(
        r#"context.input has url && context.input.url in Zone::"internal""#,
        &[
            (r#"{"url":"http://2852039166/latest/meta-data"}"#, YES),
            (r#"{"url":"http://[::ffff:a9fe:a9fe]/"}"#, YES),
            (r#"{"url":"http://localhost:8080"}"#, YES),
            (r#"{"url":"https://example.com"}"#, NO),
        ],
    );
    bench.check(r#"context.input has url && context.input.url in Host::"example.com" && context.input.url.host in Domain::"com""#, &[
        (r#"{"url":"https://example.com"}"#, YES), (r#"{"url":"https://a.example.com"}"#, NO),
    ]);
    bench.check(r#"context.common has urls && context.common.urls in Zone::"public" && context.common.urls.host in Domain::"example.com""#, &[
        (r#"{"urls":["https://a.example.com","http://b.example.com:8"]}"#, YES), (r#"{"urls":["https://a.example.com","http://10.0.0.1"]}"#, NO), (r#"{"urls":[]}"#, YES), (r#"{"urls":["https://a.example.com","https://evil.example"]}"#, NO),
    ]);
    bench.check(
        r#"context.common has urls && context.common.urls.scheme == "https" && context.common.urls.port == 443"#,
        &[
            (r#"{"urls":["https://a.x","https://b.x/"]}"#, YES),
            (r#"{"urls":["https://a.x","http://a.x"]}"#, NO),
            (r#"{"urls":["https://a.x","https://a.x:1"]}"#, NO),
            (r#"{"urls":[]}"#, NO),
        ],
    );
    bench.check(
        r#"context.input has host && context.input.host in Zone::"loopback""#,
        &[(r#"{"host":"127.1"}"#, YES), (r#"{"host":"example.com"}"#, NO), (r#"{"host":"a:80"}"#, REFUSED)],
    );
}

#[test]
fn mailboxes_lie_in_domains() {
    let bench = properties(
        r#"{"to":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]},"mails":{"type":"array","items":{"type":"object","properties":{"email":{"type":"string"},"cc":{"type":"string","format":"email"}},"required":["email"]}}}"#,
        r#"kinds = { to = "mailbox" }"#,
    );
    assert_eq!(
        bench.tool.input_type(),
        r#"{ "mails"?: Set<{ "cc"?: Mailbox, "email": Mailbox }>, "to"?: Set<Mailbox> }"#
    );
    assert_eq!(bench.tool.common_type(), r#"{ "mails"?: { "cc"?: Mailbox, "email": Mailbox }, "to"?: Mailbox }"#);
    bench.check(
        r#"context.common has to && context.common.to in Domain::"company.com""#,
        &[
            (r#"{"to":"ann@company.com"}"#, YES),
            (r#"{"to":["ann@company.com","bob@mail.company.com"]}"#, YES),
            (r#"{"to":[]}"#, YES),
            (r#"{}"#, NO),
            (r#"{"to":"ann@company.com.evil.example"}"#, NO),
            (r#"{"to":["ann@company.com","eve@evil.example"]}"#, NO),
            (r#"{"to":"ann@company.com,eve@evil.example"}"#, REFUSED),
            (r#"{"to":["ann@company.com","\"x@company.com\"@evil.example"]}"#, REFUSED),
            (r#"{"to":"ann@company.com\n"}"#, REFUSED),
            (r#"{"to":[["ann@company.com"]]}"#, REFUSED),
        ],
    );
    bench.check(
        r#"context.common has mails && context.common.mails.email in Domain::"company.com""#,
        &[
            (r#"{"mails":[{"email":"a@company.com"},{"email":"b@company.com"}]}"#, YES),
            (r#"{"mails":[{"email":"a@company.com"},{"email":"b@evil.example"}]}"#, NO),
            (r#"{"mails":[]}"#, YES),
        ],
    );
    bench.check(r#"context.common has mails && context.common.mails has cc && context.common.mails.cc in Domain::"company.com""#, &[
        (r#"{"mails":[{"email":"a@x.y","cc":"b@company.com"}]}"#, YES), (r#"{"mails":[{"email":"a@x.y","cc":"b@company.com"},{"email":"a@x.y"}]}"#, NO),
    ]);
    bench.check(
        r#"context.common has to && context.common.to == Mailbox::"ann@company.com""#,
        &[
            (r#"{"to":["ann@company.com","ann@COMPANY.com"]}"#, YES),
            (r#"{"to":["ann@company.com","bob@company.com"]}"#, NO),
            (r#"{"to":[]}"#, NO),
        ],
    );
}
