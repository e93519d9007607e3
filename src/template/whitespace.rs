//! `{% whitespace %}`: what happens to the white space of text.

/// The mode that is in force for the text that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whitespace {
    /// Everything stays.
    All,
    /// Runs of blanks become one space, runs with a line end become one line end.
    Single,
    /// Every run becomes one space.
    OneLine,
}

impl Whitespace {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "single" => Some(Self::Single),
            "oneline" => Some(Self::OneLine),
            _ => None,
        }
    }

    /// The text as the mode wants it; preformatted text is left alone.
    pub(super) fn apply(self, text: &str) -> String {
        if self == Self::All || text.contains("<pre>") {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(char::is_whitespace) {
            let (before, after) = rest.split_at(start);
            let end = after.find(|c: char| !c.is_whitespace()).unwrap_or(after.len());
            let (run, after) = after.split_at(end);
            out.push_str(before);
            self.collapse(run, &mut out);
            rest = after;
        }
        out + rest
    }

    fn collapse(self, run: &str, out: &mut String) {
        if self == Self::OneLine {
            out.push(' ');
        } else if run.contains('\n') {
            out.push('\n');
        } else if run.chars().all(|c| matches!(c, ' ' | '\t')) {
            out.push(' ');
        } else {
            out.push_str(run);
        }
    }
}
