//! Any text is compiled; what compiles is rendered, with and without parameters, and in check mode.
//! A text is taken for parameters and a template where a line `---` cuts it, as the fixtures are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roost::template::{Arguments, Environment, Limits, Mode, Template};
use serde_json::Value;

fuzz_target!(|text: &str| {
    let (arguments, text) = match text.split_once("\n---\n") {
        Some((arguments, template)) => (parameters(arguments), template),
        None => (Arguments::new(), text),
    };
    let Ok(template) = Template::compile(text) else { return };
    let limits = Limits { steps: 20_000, value_bytes: 1 << 20, output_bytes: 1 << 20 };
    for mode in [Mode::Render, Mode::Check] {
        let environment = Environment { mode, limits, ..Environment::default() };
        for arguments in [&arguments, &Arguments::new()] {
            if let Ok(rendered) = template.render(arguments, &environment) {
                assert!(!template.is_dynamic() || rendered.sql.len() <= limits.output_bytes);
                assert_eq!(template.render(arguments, &environment), Ok(rendered), "rendering is pure");
            }
        }
    }
});

fn parameters(text: &str) -> Arguments {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Arguments::from_json(&object),
        _ => Arguments::from_pairs([("x", text)]),
    }
}
