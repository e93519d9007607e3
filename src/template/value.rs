//! The values that templates compute with, which behave as Python's do.
//!
//! Containers have no identity: changing one through a variable copies what others share. So there
//! are no cycles, and everything a rendering built is freed when it ends.  How a value becomes SQL
//! is in [`sql`] alone.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;
use num_bigint::BigInt;
use num_traits::{ToPrimitive, Zero};

use super::fault::{Class, Exception, Fault, Outcome};
use super::functions::Function;
use super::limits::{Limit, Meter};
use super::machine::Closure;
use super::python::tree::{Constant, Name};

pub(super) mod arithmetic;
pub(super) mod digit;
pub(super) mod format;
pub(super) mod index;
pub(super) mod iterate;
pub(super) mod json;
pub(super) mod key;
pub(super) mod method;
pub(super) mod number;
pub(super) mod order;
pub(super) mod sort;
pub(super) mod sql;
pub(super) mod text;

pub(super) use key::Key;

/// How deep containers may hold containers.
const MAX_DEPTH: usize = 64;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(BigInt),
    Float(f64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    /// A number which prints itself as a cast: `toInt32('5')`.
    Typed(Rc<Typed>),
    /// A piece of SQL, which is printed as it is.
    Fragment(Rc<Fragment>),
    List(Rc<Sequence>),
    Tuple(Rc<Sequence>),
    Set(Rc<Set>),
    Dict(Rc<Dict>),
    Range(Range),
    Iterator(Rc<Iterator>),
    Slice(Rc<[Self; 3]>),
    Function(&'static Function),
    /// A method that was looked up but not called yet.
    Method(Rc<(Self, Name)>),
    Lambda(Rc<Closure>),
    Class(Class),
    Exception(Rc<Exception>),
    Ellipsis,
    /// Stands for a parameter that a check does not know.
    Placeholder(Name),
}

/// A number with the ClickHouse type that a parameter was declared to have.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    /// The type: `Int32`, `Float64`.
    pub(super) kind: &'static str,
    /// [`Value::Int`] or [`Value::Float`].
    pub(super) number: Value,
}

/// A piece of SQL.
#[derive(Debug, Clone)]
pub(super) struct Fragment {
    pub(super) text: Arc<str>,
    pub(super) nature: Nature,
}

/// How a fragment behaves in expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// As a string would.
    Text,
    /// As an object of its own, without string methods.
    Symbol,
}

/// The items of a list or tuple.
#[derive(Debug, Clone, Default)]
pub(super) struct Sequence {
    items: Vec<Value>,
    depth: usize,
}

/// A set, in order of insertion.
#[derive(Debug, Clone, Default)]
pub(super) struct Set {
    pub(super) items: IndexMap<Key, Value>,
}

/// A dict, in order of insertion.
#[derive(Debug, Clone, Default)]
pub(super) struct Dict {
    entries: IndexMap<Key, (Value, Value)>,
    depth: usize,
}

/// The numbers from `start` up to, not including, `stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: i64,
    pub(super) stop: i64,
    pub(super) step: i64,
}

/// Items that are handed out once.
#[derive(Debug)]
pub(super) struct Iterator {
    items: Vec<Value>,
    depth: usize,
    next: Cell<usize>,
}

impl Value {
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn int(number: impl Into<BigInt>) -> Self {
        Self::Int(number.into())
    }

    /// SQL that expressions treat as a string.
    pub(super) fn sql_text(text: impl Into<Arc<str>>) -> Self {
        Self::Fragment(Rc::new(Fragment { text: text.into(), nature: Nature::Text }))
    }

    /// SQL that is no string to expressions.
    pub(super) fn symbol(text: impl Into<Arc<str>>) -> Self {
        Self::Fragment(Rc::new(Fragment { text: text.into(), nature: Nature::Symbol }))
    }

    pub(super) fn list(items: Vec<Self>) -> Outcome<Self> {
        Sequence::new(items).map(|sequence| Self::List(Rc::new(sequence)))
    }

    pub(super) fn tuple(items: Vec<Self>) -> Outcome<Self> {
        Sequence::new(items).map(|sequence| Self::Tuple(Rc::new(sequence)))
    }

    pub(super) fn iterator(items: Vec<Self>) -> Outcome<Self> {
        let Sequence { items, depth } = Sequence::new(items)?;
        Ok(Self::Iterator(Rc::new(Iterator { items, depth, next: Cell::new(0) })))
    }

    pub(super) fn dict(dict: Dict) -> Self {
        Self::Dict(Rc::new(dict))
    }

    pub(super) fn set(items: impl IntoIterator<Item = Self>, meter: &Meter) -> Outcome<Self> {
        let keyed = items.into_iter().map(|item| Ok((Key::of(&item, meter)?, item)));
        Ok(Self::Set(Rc::new(Set { items: keyed.collect::<Outcome<_>>()? })))
    }

    pub(super) fn constant(constant: &Constant) -> Self {
        match constant {
            Constant::None => Self::None,
            Constant::Bool(truth) => Self::Bool(*truth),
            Constant::Int(number) => Self::Int(number.clone()),
            Constant::Float(number) => Self::Float(*number),
            Constant::Text(text) => Self::Text(text.clone()),
            Constant::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Constant::Ellipsis | Constant::Imaginary => Self::Ellipsis,
        }
    }

    /// The string that the value is to expressions; fragments of SQL may be strings too.
    pub(super) fn as_text(&self) -> Option<&Arc<str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Fragment(fragment) if fragment.nature == Nature::Text => Some(&fragment.text),
            _ => None,
        }
    }

    /// The value without the ClickHouse type that a number may carry.
    pub(super) fn untyped(&self) -> &Self {
        match self {
            Self::Typed(typed) => &typed.number,
            other => other,
        }
    }

    /// The whole number that the value is, booleans included.
    pub(super) fn as_int(&self) -> Option<BigInt> {
        match self.untyped() {
            Self::Int(number) => Some(number.clone()),
            Self::Bool(truth) => Some(BigInt::from(u8::from(*truth))),
            _ => None,
        }
    }

    /// The whole number, where only one will do: an index, a count.
    pub(super) fn to_index(&self) -> Outcome<i64> {
        let number = self.as_int().ok_or_else(|| {
            Fault::type_error(format!("'{}' object cannot be interpreted as an integer", self.type_name()))
        })?;
        number
            .to_i64()
            .ok_or_else(|| Fault::raise(Class::OverflowError, "Python int too large to convert to C ssize_t"))
    }

    /// The name of Python's type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::Typed(typed) if matches!(typed.number, Self::Int(_)) => "Integer",
            Self::Typed(_) => "Float",
            Self::Fragment(fragment) if fragment.nature == Nature::Symbol => "Symbol",
            Self::Fragment(_) => "Expression",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
            Self::Dict(_) => "dict",
            Self::Range(_) => "range",
            Self::Iterator(_) => "iterator",
            Self::Slice(_) => "slice",
            Self::Function(_) | Self::Lambda(_) => "function",
            Self::Method(_) => "method",
            Self::Class(_) => "type",
            Self::Exception(exception) => exception.class.name(),
            Self::Ellipsis => "ellipsis",
            Self::Placeholder(_) => "Placeholder",
        }
    }

    /// Whether a condition takes the value for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => !number.is_zero(),
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::Typed(typed) => typed.number.is_true(),
            Self::Fragment(fragment) => fragment.nature == Nature::Symbol || !fragment.text.is_empty(),
            Self::List(sequence) | Self::Tuple(sequence) => !sequence.items.is_empty(),
            Self::Set(set) => !set.items.is_empty(),
            Self::Dict(dict) => !dict.entries.is_empty(),
            Self::Range(range) => range.length() > 0,
            _ => true,
        }
    }

    /// How many containers are nested in the value.
    fn depth(&self) -> usize {
        match self {
            Self::List(sequence) | Self::Tuple(sequence) => sequence.depth,
            Self::Dict(dict) => dict.depth,
            Self::Set(_) => 1,
            Self::Iterator(iterator) => iterator.depth,
            Self::Method(method) => 1 + method.0.depth(),
            Self::Slice(parts) => 1 + parts.iter().map(Self::depth).max().unwrap_or(0),
            Self::Lambda(closure) => closure.depth,
            _ => 0,
        }
    }
}

/// The depth of a container with `items`; an error where it is too much.
pub(super) fn depth_around<'a>(items: impl IntoIterator<Item = &'a Value>) -> Outcome<usize> {
    let depth = 1 + items.into_iter().map(Value::depth).max().unwrap_or(0);
    if depth > MAX_DEPTH { Err(Fault::limit(Limit::Depth)) } else { Ok(depth) }
}

impl Sequence {
    pub(super) fn new(items: Vec<Value>) -> Outcome<Self> {
        let depth = depth_around(&items)?;
        Ok(Self { items, depth })
    }

    pub(super) fn items(&self) -> &[Value] {
        &self.items
    }

    /// The items, to be changed; `added` are the values that will be among them.
    pub(super) fn items_mut<'a>(
        &mut self,
        added: impl IntoIterator<Item = &'a Value>,
    ) -> Outcome<&mut Vec<Value>> {
        // The depth never shrinks: finding that out would take a look at every item.
        self.depth = self.depth.max(depth_around(added)?);
        Ok(&mut self.items)
    }
}

impl Dict {
    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// Puts the value under the key; as in Python, the first spelling of a key stays.
    pub(super) fn insert(&mut self, key: Value, value: Value, meter: &Meter) -> Outcome<()> {
        self.depth = self.depth.max(depth_around([&value])?);
        match self.entries.entry(Key::of(&key, meter)?) {
            indexmap::map::Entry::Occupied(mut entry) => entry.get_mut().1 = value,
            indexmap::map::Entry::Vacant(entry) => {
                entry.insert((key, value));
            }
        }
        Ok(())
    }

    /// Takes the value out, the order of the others staying.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Value> {
        self.entries.shift_remove(key).map(|(_, value)| value)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn keys(&self) -> impl std::iter::Iterator<Item = &Value> {
        self.entries.values().map(|(key, _)| key)
    }

    pub(super) fn entries(&self) -> impl std::iter::Iterator<Item = &(Value, Value)> {
        self.entries.values()
    }

    pub(super) fn pop_last(&mut self) -> Option<(Value, Value)> {
        self.entries.pop().map(|(_, entry)| entry)
    }
}

impl Range {
    pub(super) fn length(self) -> usize {
        let distance = i128::from(self.stop) - i128::from(self.start);
        let distance = if self.step > 0 { distance } else { -distance };
        let stride = i128::from(self.step).abs().max(1);
        usize::try_from((distance.max(0) + stride - 1) / stride).unwrap_or(usize::MAX)
    }

    /// The number at a place, which must lie inside.
    pub(super) fn at(self, place: usize) -> i64 {
        let offset = self.step.saturating_mul(i64::try_from(place).unwrap_or(i64::MAX));
        self.start.saturating_add(offset)
    }
}

impl Iterator {
    /// The next item; none when all have been handed out.
    pub(super) fn advance(&self) -> Option<Value> {
        let place = self.next.get();
        let item = self.items.get(place).cloned();
        self.next.set(place + usize::from(item.is_some()));
        item
    }

    /// All items that have not been handed out yet.
    pub(super) fn drain(&self) -> Vec<Value> {
        let place = self.next.replace(self.items.len());
        self.items.get(place..).unwrap_or_default().to_vec()
    }
}
