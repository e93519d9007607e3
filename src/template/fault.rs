//! Failures while rendering: Python exceptions, and limits that no template can catch.

use std::rc::Rc;

use crate::syntax::Span;

use super::error::{CustomError, ErrorKind, TemplateError};
use super::limits::Limit;

/// The result of anything that a template can make fail.
pub(super) type Outcome<T> = Result<T, Fault>;

/// Something went wrong.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// An exception that `{% except %}` can catch.
    Raised(Rc<Exception>),
    Limit(Limit),
}

/// A Python exception.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    pub(super) class: Class,
    pub(super) text: String,
    pub(super) custom: Option<CustomError>,
}

/// What is wrapped around messages of the template language itself.
pub(super) const TEMPLATE_PREFIX: &str = "Template Syntax Error: ";

macro_rules! classes {
    ($($class:ident : $parent:ident),* $(,)?) => {
        /// The exception classes that templates can name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Class { BaseException, $($class),* }

        impl Class {
            /// The class with this name, if templates can see one.
            pub(super) fn named(name: &str) -> Option<Self> {
                match name {
                    "BaseException" => Some(Self::BaseException),
                    $(stringify!($class) if !Self::$class.is_hidden() => Some(Self::$class),)*
                    _ => None,
                }
            }

            pub(super) fn name(self) -> &'static str {
                match self {
                    Self::BaseException => "BaseException",
                    $(Self::$class => stringify!($class)),*
                }
            }

            fn parent(self) -> Option<Self> {
                match self {
                    Self::BaseException => None,
                    $(Self::$class => Some(Self::$parent)),*
                }
            }
        }
    };
}

classes! {
    Exception: BaseException,
    ArithmeticError: Exception,
    ZeroDivisionError: ArithmeticError,
    OverflowError: ArithmeticError,
    AssertionError: Exception,
    AttributeError: Exception,
    LookupError: Exception,
    IndexError: LookupError,
    KeyError: LookupError,
    NameError: Exception,
    UnboundLocalError: NameError,
    RuntimeError: Exception,
    RecursionError: RuntimeError,
    NotImplementedError: RuntimeError,
    StopIteration: Exception,
    TypeError: Exception,
    ValueError: Exception,
    UnicodeError: ValueError,
    UnicodeEncodeError: UnicodeError,
    UnicodeDecodeError: UnicodeError,
    TemplateException: ValueError,
    CustomException: Exception,
}

impl Class {
    /// The engine's own exceptions have no name that a template could say.
    fn is_hidden(self) -> bool {
        matches!(self, Self::TemplateException | Self::CustomException)
    }

    /// True for the class itself and for everything below it.
    pub(super) fn is_a(self, other: Self) -> bool {
        self == other || self.parent().is_some_and(|parent| parent.is_a(other))
    }
}

impl Fault {
    pub(super) fn limit(limit: Limit) -> Self {
        Self::Limit(limit)
    }

    pub(super) fn raise(class: Class, text: impl Into<String>) -> Self {
        Self::Raised(Rc::new(Exception { class, text: text.into(), custom: None }))
    }

    /// An error of the template language, prefixed as Tinybird does.
    pub(super) fn template(text: impl AsRef<str>) -> Self {
        Self::raise(Class::TemplateException, format!("{TEMPLATE_PREFIX}{}", text.as_ref()))
    }

    pub(super) fn custom(custom: CustomError) -> Self {
        let text = match &custom.body {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let exception = Exception { class: Class::CustomException, text, custom: Some(custom) };
        Self::Raised(Rc::new(exception))
    }

    pub(super) fn type_error(text: impl Into<String>) -> Self {
        Self::raise(Class::TypeError, text)
    }

    pub(super) fn value_error(text: impl Into<String>) -> Self {
        Self::raise(Class::ValueError, text)
    }

    pub(super) fn attribute(owner: &str, name: &str) -> Self {
        Self::raise(Class::AttributeError, format!("'{owner}' object has no attribute '{name}'"))
    }

    pub(super) fn key(text: impl Into<String>) -> Self {
        Self::raise(Class::KeyError, text)
    }

    pub(super) fn index(text: impl Into<String>) -> Self {
        Self::raise(Class::IndexError, text)
    }
}

/// Whether the template mentions a name `length` that has no value.
///
/// In Tinybird such a name replaces most messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LengthName {
    Missing,
    Harmless,
}

impl Fault {
    /// The failure in the words that Tinybird's callers see.
    pub(super) fn into_error(self, length: LengthName, span: Option<Span>) -> TemplateError {
        let exception = match self {
            Self::Limit(limit) => return TemplateError::new(ErrorKind::Limit, limit.to_string(), span),
            Self::Raised(exception) => exception,
        };
        let (kind, message) = exception.in_words(length);
        let custom = exception.custom.clone().filter(|_| kind == ErrorKind::Custom).map(Box::new);
        TemplateError { kind, message, span, custom }
    }
}

impl Exception {
    fn in_words(&self, length: LengthName) -> (ErrorKind, String) {
        let text = &self.text;
        let template = |text: &str| (ErrorKind::Template, format!("{TEMPLATE_PREFIX}{text}"));
        match self.class {
            Class::TemplateException => (ErrorKind::Template, text.clone()),
            Class::AttributeError if text == "'str' object has no attribute 'get'" => template(&format!(
                "{text}. Make sure you're using an object/dictionary where trying to use .get()"
            )),
            Class::KeyError => template(&format!(
                "Missing key {text} while rendering the template. Ensure every object accessed in the template has this key."
            )),
            Class::IndexError if text == "string index out of range" => template(
                "String index out of range. Check that string parameters have values before accessing specific characters (e.g., param[0]). Provide default values or add length checks in your template.",
            ),
            Class::AttributeError | Class::NameError | Class::UnboundLocalError | Class::IndexError => {
                template(text)
            }
            _ if length == LengthName::Missing => {
                template("length cannot be used as a variable name or as a function inside of a template")
            }
            Class::CustomException => (ErrorKind::Custom, text.clone()),
            _ if text.contains("missing 1 required positional argument") => {
                template("one of the transform type functions is missing an argument")
            }
            _ if text.contains("not callable") || text.contains("unhashable type") => {
                template("wrong syntax, you might be using a not valid function inside a control block")
            }
            class if class.is_a(Class::ValueError) || class == Class::TypeError => {
                (ErrorKind::Value, text.clone())
            }
            _ => (ErrorKind::Runtime, text.clone()),
        }
    }
}
