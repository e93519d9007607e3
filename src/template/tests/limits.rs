//! Templates that would run for ever, or fill the memory, end with an error instead.

use std::time::{Duration, Instant};

use super::render;
use crate::template::{ArgumentValue, Arguments, Environment, ErrorKind, Limits, Template};

/// Far more than any of these templates needs, even where tests are slow.
const PATIENCE: Duration = Duration::from_secs(20);

fn ends_by_limit(sql: &str) {
    let start = Instant::now();
    let kind = render(sql, &[]).map_err(|error| error.kind);
    assert_eq!(kind, Err(ErrorKind::Limit), "{sql}");
    assert!(start.elapsed() < PATIENCE, "{sql} took {:?}", start.elapsed());
}

#[test]
fn loops_without_an_end_are_stopped() {
    ends_by_limit("%{% while True %}{% end %}");
    ends_by_limit("%{% while True %}{% try %}{{Int32('z')}}{% except %}{% end %}{% end %}");
    ends_by_limit("%{% for i in range(10**12) %}{% end %}");
    ends_by_limit("%{% set x = sum(range(10**15)) %}");
    ends_by_limit("%{% set x = [i for i in range(10**9) for j in range(10**9)] %}");
    ends_by_limit("%{% set x = 5 in range(10, 10**15) %}");
    ends_by_limit("%{% set x = list(zip(range(10**15), range(10**15))) %}");
    ends_by_limit("%{% set f = lambda: f() %}{{String(x, default=f())}}");
}

#[test]
fn values_do_not_grow_without_bound() {
    ends_by_limit("%{{'a' * 1000000000000}}");
    ends_by_limit("%{% set x = [0] * 10**12 %}");
    ends_by_limit("%{% set x = 'a' * 10000000 %}{% while True %}{% set x = x + x %}{% end %}");
    ends_by_limit("%{% set x = 'a' * 1000000 %}{{','.join([x] * 100000)}}");
    ends_by_limit("%{% set x = 'a' * 1000000 %}{{String(x).replace('a', x)}}");
    ends_by_limit("%{% set x = 'a'.ljust(10**12) %}");
    ends_by_limit("%{% set l = [] %}{% while True %}{% set l.append('a') %}{% end %}");
    ends_by_limit("%{% set x = ['a' * 1000000] * 1000 %}{{x}}");
    ends_by_limit("%{% for i in range(1000) %}{{'a' * 100000}}{% end %}");
}

#[test]
fn integers_do_not_grow_without_bound() {
    ends_by_limit("%{% set x = 10 ** 10 ** 9 %}");
    ends_by_limit("%{% set x = 1 << 10 ** 9 %}");
    ends_by_limit("%{% set x = 7 %}{% while True %}{% set x = x * x %}{% end %}");
    assert_eq!(render("%{{1 if 1 else 0}}{% set x = (-1) ** (10 ** 30 + 1) %}{{x}}", &[]).unwrap(), "1-1");
}

#[test]
fn small_values_with_shared_parts_do_not_take_for_ever() {
    // Sixty lists which hold each other twice would print as 2^60 items.
    let doubled = "{% for i in range(60) %}{% set a = [a, a] %}{% set b = [b, b] %}{% end %}";
    ends_by_limit(&format!("%{{% set a = [1] %}}{{% set b = [1] %}}{doubled}{{{{a}}}}"));
    ends_by_limit(&format!("%{{% set a = [1] %}}{{% set b = [1] %}}{doubled}{{% if a == b %}}{{% end %}}"));
    ends_by_limit(&format!("%{{% set a = [1] %}}{{% set b = [1] %}}{doubled}{{{{custom_error(a)}}}}"));
}

#[test]
fn values_do_not_nest_without_bound() {
    ends_by_limit("%{% set a = [] %}{% while True %}{% set a = [a] %}{% end %}");
    ends_by_limit("%{% set a = {} %}{% while True %}{% set a = {'a': a} %}{% end %}");
    ends_by_limit(
        "%{% set a = [] %}{% while True %}{% set b = [] %}{% set b.append(a) %}{% set a = b %}{% end %}",
    );
    ends_by_limit("%{% set f = lambda: 1 %}{% while True %}{% set f = (lambda g: lambda: g)(f) %}{% end %}");
}

#[test]
fn deep_texts_are_refused_before_they_are_deep() {
    let deep =
        |open: &str, close: &str| format!("%{{% set x = {}1{} %}}", open.repeat(5_000), close.repeat(5_000));
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{1:", "}"),
        ("-", ""),
        ("not ", ""),
        ("lambda: ", ""),
        ("f(", ")"),
        ("1 if 1 else ", ""),
        ("1 ** ", ""),
    ] {
        assert_eq!(render(&deep(open, close), &[]).unwrap_err().kind, ErrorKind::Syntax, "{open}");
    }
    let chains = ["+1", ".a", "[0]", "()", "<1", " or 1", " and 1", " == 1"];
    for link in chains {
        let chain = format!("%{{% set x = x{} %}}", link.repeat(5_000));
        assert!(render(&chain, &[]).is_err(), "{link}");
    }
    let blocks = format!("%{}{}", "{% if 1 %}".repeat(5_000), "{% end %}".repeat(5_000));
    assert_eq!(render(&blocks, &[]).unwrap_err().kind, ErrorKind::Syntax);
    let json = "[".repeat(100_000);
    assert_eq!(render("%{{JSON(x)}}", &[("x", &json)]).unwrap_err().kind, ErrorKind::Limit);
    let mut nested = serde_json::json!([]);
    for _ in 0..100 {
        nested = serde_json::json!([nested]);
    }
    let mut arguments = Arguments::new();
    arguments.insert("x", ArgumentValue::Json(nested));
    let outcome = Template::compile("%{{x}}").unwrap().render(&arguments, &Environment::default());
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Limit);
}

#[test]
fn trees_as_high_as_allowed_are_evaluated() {
    let nested = format!("%{{{{{}1{}}}}}", "(".repeat(35), ")".repeat(35));
    assert_eq!(render(&nested, &[]).unwrap(), "1");
    let sum = format!("%{{{{1{}}}}}", "+1".repeat(100));
    assert_eq!(render(&sum, &[]).unwrap(), "101");
    let calls = "%{% set f = lambda n: n and f(n - 1) %}{% set x = f(40) %}{{x}}";
    assert_eq!(render(calls, &[]).unwrap(), "0");
}

#[test]
fn callers_choose_the_limits() {
    let environment = |limits| Environment { limits, ..Environment::default() };
    let template = Template::compile("%{% for i in range(100) %}{{'abc'}}{% end %}").unwrap();
    let kind =
        |limits| template.render(&Arguments::new(), &environment(limits)).map_err(|error| error.kind).err();
    assert_eq!(kind(Limits::default()), None);
    assert_eq!(kind(Limits { steps: 50, ..Limits::default() }), Some(ErrorKind::Limit));
    assert_eq!(kind(Limits { output_bytes: 50, ..Limits::default() }), Some(ErrorKind::Limit));
}

#[test]
fn limits_cannot_be_caught() {
    ends_by_limit("%{% try %}{% while True %}{% end %}{% except %}caught{% finally %}done{% end %}");
}

#[test]
fn extreme_numbers_are_no_accident() {
    let smallest = "-9223372036854775808";
    for call in [
        "round(5, N)",
        "round(0.5, N)",
        "[1][N:]",
        "[1, 2][::N]",
        "'a'.ljust(N)",
        "list(range(N, 0, N))",
        "'a'[N]",
    ] {
        let sql = format!("%{{% set x = {} %}}", call.replace('N', smallest));
        let _ = render(&sql, &[]);
        let _ = render(&sql.replace(smallest, "9223372036854775807"), &[]);
    }
}
