//! Guesses what a misspelled name was meant to be.

/// The candidate that is spelled most like `name`, in any case, if one comes near.
pub fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let measured = candidates.map(|known| (distance(&wanted, &known.to_lowercase()), known));
    let (distance, known) = measured.min_by_key(|&(distance, _)| distance)?;
    (distance <= (known.len() / 4).min(3)).then_some(known)
}

/// How many letters must be put in, taken out or changed (Levenshtein).
fn distance(wanted: &[char], known: &str) -> usize {
    let mut row: Vec<usize> = (0..=wanted.len()).collect();
    for (line, known) in known.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (above, wanted) in row.iter_mut().skip(1).zip(wanted) {
            let changed = diagonal + usize::from(*wanted != known);
            diagonal = *above;
            left = changed.min(left + 1).min(*above + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_letter_changes() {
        let count = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), b);
        assert_eq!(count("kitten", "sitting"), 3);
        assert_eq!(count("", "abc"), 3);
        assert_eq!(count("abc", ""), 3);
        assert_eq!(count("flaw", "lawn"), 2);
    }

    #[test]
    fn a_near_name_is_guessed_and_a_far_one_is_not() {
        let known = ["String", "DateTime", "UUID"];
        assert_eq!(closest("Strin", known.into_iter()), Some("String"));
        assert_eq!(closest("uuid", known.into_iter()), Some("UUID"));
        assert_eq!(closest("Elephant", known.into_iter()), None);
    }
}
