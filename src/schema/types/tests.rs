use proptest::prelude::*;

use super::*;

fn canonical(text: &str) -> String {
    DataType::parse(text)
        .map_or_else(|error| format!("{error} @{}..{}", error.span.start, error.span.end), |t| t.to_string())
}

#[test]
fn types_print_as_clickhouse_prints_them() {
    for (written, printed) in [
        ("VARCHAR(255)", "String"),
        ("INT(11)", "Int32"),
        ("INT UNSIGNED", "UInt32"),
        ("double  precision", "Float64"),
        ("FLOAT(12)", "Float32"),
        ("Enum('a'=1,'b'=5,'c\\'d\\\\'=7)", r"Enum8('a' = 1, 'b' = 5, 'c\'d\\' = 7)"),
        ("Enum('a','b'=300,'c')", "Enum16('a' = 1, 'b' = 300, 'c' = 301)"),
        ("NUMERIC(10)", "Decimal(10, 0)"),
        ("Decimal", "Decimal(10, 0)"),
        ("Decimal32(3)", "Decimal(9, 3)"),
        ("TIMESTAMP", "DateTime"),
        ("DateTime( 'Europe/Madrid' )", "DateTime('Europe/Madrid')"),
        ("datetime64(3, 'UTC')", "DateTime64(3, 'UTC')"),
        (
            "AggregateFunction(quantiles(0.5,  0.9),Float64)",
            "AggregateFunction(quantiles(0.5, 0.9), Float64)",
        ),
        ("AggregateFunction(count)", "AggregateFunction(count)"),
        ("AggregateFunction(1, sumMap, Array(UInt8))", "AggregateFunction(1, sumMap, Array(UInt8))"),
        ("SimpleAggregateFunction(sum, Nullable(Int64))", "SimpleAggregateFunction(sum, Nullable(Int64))"),
        ("Nullable(SimpleAggregateFunction(max, Int8))", "SimpleAggregateFunction(max, Nullable(Int8))"),
        ("JSON(max_dynamic_paths=10,  a.b UInt32,SKIP  c)", "JSON(max_dynamic_paths=10, a.b UInt32, SKIP c)"),
        ("Object('json')", "JSON"),
        ("Variant(String,Int8)", "Variant(Int8, String)"),
        (
            "Tuple(`a b` String, c Int8, d Nested(e INT UNSIGNED))",
            "Tuple(`a b` String, c Int8, d Nested(e UInt32))",
        ),
        ("Tuple(String, DOUBLE PRECISION)", "Tuple(String, Float64)"),
        ("Tuple()", "Tuple()"),
        ("BINARY(3)", "FixedString(3)"),
        ("Map(String, Array(Nullable(UInt256)))", "Map(String, Array(Nullable(UInt256)))"),
        ("Dynamic(max_types=3)", "Dynamic(max_types=3)"),
        ("  Point ", "Point"),
        ("inet4", "IPv4"),
    ] {
        assert_eq!(canonical(written), printed, "{written}");
    }
}

#[test]
fn refused_types_say_why_and_where() {
    for (written, refusal) in [
        ("boolean", "Boolean type is not supported @0..7"),
        ("Array(DateTime64)", "DateTime64 type without precision is not supported @6..16"),
        ("Int", "Precision is mandatory for Int types @0..3"),
        ("Nullable(UInt)", "Precision is mandatory for Int types @9..13"),
        ("string", "Unknown data type family: string. Maybe you meant: ['String']. @0..6"),
        ("nullable(String)", "Unknown data type family: nullable. Maybe you meant: ['Nullable']. @0..8"),
        ("Elephant", "Unknown data type family: Elephant. @0..8"),
        ("Int32 b", "Error parsing type: Syntax error: found `b`. Expected the end of the type @6..7"),
        ("Array(String", "Error parsing type: Syntax error: found `(`. Expected a matching ) @5..6"),
        (
            "Array(String) b Int8",
            "Error parsing type: Syntax error: found `b`. Expected the end of the type @14..15",
        ),
        ("", "Error parsing type: Syntax error: found the end. Expected a type @0..0"),
        (
            "Nullable(LowCardinality(String))",
            "Nested type LowCardinality(String) cannot be inside Nullable type @0..32",
        ),
        ("Nullable(Array(String))", "Nested type Array(String) cannot be inside Nullable type @0..23"),
        (
            "LowCardinality(DateTime64(3))",
            "DataTypeLowCardinality is supported only for numbers, strings, Date or DateTime, but got DateTime64(3) @0..29",
        ),
        ("Map(Nullable(String), Int8)", "Map cannot have a key of type Nullable(String) @4..20"),
        (
            "SimpleAggregateFunction(sum, Int32)",
            "Incompatible data types between aggregate function 'sum' which returns Int64 and column storage type Int32 @0..35",
        ),
        ("Enum8('a' = 300)", "Value 300 for element 'a' exceeds range of Enum8 @6..15"),
        ("Enum8('a' = 1, 'b' = 1)", "Duplicate element in enum: 'b' = 1 @15..22"),
        (
            "Array(String, Int8)",
            "Array data type family must have one argument, the type of its elements @0..19",
        ),
        (
            "FixedString",
            "FixedString data type family must have one argument, its size in bytes (a positive integer) @0..11",
        ),
        (
            "Decimal(7, 8)",
            "Decimal data type family must have a precision from 1 to 76 and a scale not above it @0..13",
        ),
        (
            "DateTime64(10)",
            "Error parsing type: Syntax error: found `10`. Expected a precision from 0 to 9 @11..13",
        ),
    ] {
        assert_eq!(canonical(written), refusal, "{written}");
    }
    assert!(
        canonical("SimpleAggregateFunction(avg, Float64)")
            .starts_with("Unsupported aggregate function avg, supported")
    );
    assert!(canonical(&"Array(".repeat(9999)).contains("matching"));
    let deep = format!("{}Int8{}", "Array(".repeat(99), ")".repeat(99));
    assert!(canonical(&deep).starts_with("types are nested more than 50 deep"), "{}", canonical(&deep));
}

#[test]
fn nullable_and_aggregates_are_found_at_any_depth() {
    let parse = |text| DataType::parse(text).unwrap();
    assert!(parse("Array(Tuple(a Nullable(Int8)))").holds_nullable());
    assert!(!parse("Array(Int8)").holds_nullable());
    assert!(parse("LowCardinality(Nullable(String))").is_nullable());
    assert!(parse("SimpleAggregateFunction(any, String)").holds_aggregate());
    assert_eq!(parse("LowCardinality(Nullable(String))").plain(), &DataType::String);
}

fn any_type() -> impl Strategy<Value = DataType> {
    let width = prop::sample::select(vec![IntWidth::W8, IntWidth::W64, IntWidth::W256]);
    let leaf = prop_oneof![
        Just(DataType::String),
        Just(DataType::Uuid),
        Just(DataType::Json("".into())),
        width.clone().prop_map(DataType::Int),
        width.prop_map(DataType::UInt),
        (1u32..99).prop_map(DataType::FixedString),
        (1u8..76).prop_map(|precision| DataType::Decimal { precision, scale: precision / 2 }),
        (0u8..=9, prop::option::of("[A-Z][a-z]{1,9}/[A-Z_']{1,3}"))
            .prop_map(|(precision, zone)| DataType::DateTime64 { precision, zone: zone.map(Into::into) }),
        ("\\PC{0,6}", any::<i16>()).prop_map(|(name, value)| DataType::Enum {
            width: EnumWidth::W16,
            values: vec![(name.into(), value)]
        }),
    ];
    leaf.prop_recursive(5, 30, 4, |inner| {
        let element = (prop::option::of("\\PC{1,5}"), inner.clone())
            .prop_map(|(name, data_type)| TupleElement { name: name.map(Into::into), data_type });
        prop_oneof![
            inner.clone().prop_map(|inner| DataType::Array(Box::new(inner))),
            inner.clone().prop_map(|inner| DataType::Map(Box::new(DataType::String), Box::new(inner))),
            prop::collection::vec(element, 0..4).prop_map(DataType::Tuple),
            inner.prop_map(|inner| DataType::AggregateFunction(format!("uniq, {inner}").into())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(data_type in any_type()) {
        prop_assert_eq!(DataType::parse(&data_type.to_string()), Ok(data_type));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[A-Za-z0-9(),'`\\\\ =\\PC]{0,60}") {
        if let Ok(data_type) = DataType::parse(&text) {
            let printed = data_type.to_string();
            prop_assert_eq!(DataType::parse(&printed).map(|again| again.to_string()), Ok(printed));
        }
    }
}
