//! The data-skipping indexes of an `INDEXES` block, one per line.

use super::problems::Problems;
use super::text::MappedText;
use crate::schema::{Column, Expression, Index};
use crate::syntax::Span;

/// Reads the indexes and checks them against the columns; reports all problems.
pub(super) fn read(body: &MappedText, columns: &[Column], problems: &mut Problems) -> Vec<Index> {
    let lines = body.lines().filter(|line| !line.of(body.as_str()).trim().is_empty());
    lines.filter_map(|line| read_line(body, line, columns, problems)).collect()
}

fn read_line(body: &MappedText, line: Span, columns: &[Column], problems: &mut Problems) -> Option<Index> {
    let place = body.slice(line).trimmed().span();
    let Some(index) = parse(line.of(body.as_str())) else {
        problems.error("index", place, "Invalid INDEX syntax");
        problems.help("Usage: `[INDEX] name expr TYPE type_full GRANULARITY granularity`");
        return None;
    };
    if let Err(error) = index.check(columns) {
        problems.error("index", place, error.to_string());
        return None;
    }
    Some(index)
}

/// `[INDEX] name expr TYPE type[(args)] [GRANULARITY n][,]`.
fn parse(line: &str) -> Option<Index> {
    let line = line.trim().trim_end_matches(',').trim_end();
    let (covered, behind) = split_at_word(line, "TYPE")?;
    if split_at_word(behind, "TYPE").is_some() {
        return None;
    }
    let covered = covered.strip_prefix("INDEX ").unwrap_or(covered).trim();
    let (name, expression) = covered.split_once(char::is_whitespace)?;
    let expression = Some(expression.trim()).filter(|text| text.chars().all(in_expression))?;
    let (index_type, granularity) = match split_at_word(behind, "GRANULARITY") {
        Some((index_type, number)) => (index_type, Some(number.trim().parse().ok()?)),
        None => (behind, None),
    };
    Some(Index {
        name: name.trim_matches('`').into(),
        expression: Expression::parse(expression).ok()?,
        index_type: Expression::parse(index_type).ok().filter(|parsed| is_one_word(parsed.as_str()))?,
        granularity,
    })
}

/// What stands in front of the first `word` between blanks, and what behind it.
fn split_at_word<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    text.match_indices(word).find_map(|(start, _)| {
        let (before, behind) = (text.get(..start)?, text.get(start + word.len()..)?);
        let alone = before.ends_with(char::is_whitespace) && behind.starts_with(char::is_whitespace);
        alone.then_some((before, behind))
    })
}

/// True for `minmax` and `ngrambf_v1(3, 256, 2, 0)`, false for two words.
fn is_one_word(index_type: &str) -> bool {
    let name = index_type.split('(').next().unwrap_or_default();
    !name.trim().is_empty() && !name.trim().contains(char::is_whitespace)
}

fn in_expression(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "_*[](),'\"-><.`".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Option<String> {
        parse(line).map(|index| format!("{index:?}"))
    }

    #[test]
    fn an_index_has_a_name_an_expression_and_a_type() {
        let index = parse("INDEX by_a lower(a) TYPE ngrambf_v1(3, 256, 2, 0) GRANULARITY 4,").unwrap();
        assert_eq!((&*index.name, index.expression.as_str()), ("by_a", "lower(a)"));
        assert_eq!((index.index_type.as_str(), index.granularity), ("ngrambf_v1(3, 256, 2, 0)", Some(4)));
        assert_eq!(parse("by_a a TYPE minmax").unwrap().granularity, None);
    }

    #[test]
    fn the_prefix_is_a_word_and_not_a_set_of_letters() {
        assert_eq!(&*parse("DEX_a a TYPE minmax").unwrap().name, "DEX_a");
        assert_eq!(&*parse("INDEX INDEX_a a TYPE minmax").unwrap().name, "INDEX_a");
    }

    #[test]
    fn other_shapes_are_refused() {
        for line in [
            "a TYPE minmax",
            "by_a a minmax",
            "by_a a type minmax",
            "by_a TYPE TYPE minmax",
            "by_a a TYPE minmax GRANULARITY x",
            "by_a a TYPE minmax, by_b b TYPE minmax",
            "by_a a + 1 TYPE minmax",
            "by_a a TYPE minmax set",
            "-- by_a a TYPE",
        ] {
            assert_eq!(shown(line), None, "{line}");
        }
    }
}
