//! From text to directives: the two-state line machine that all datafiles share.
//!
//! There is no grammar beyond it. A directive stands at the start of a line; one that ends in `>`
//! opens a block, which lasts until a line begins, without indentation, with another directive.
//! Blank lines and `#` lines are dropped everywhere.

use super::directive::{self, Block, Directive, Fate, Rule};
use super::line::{self, Word};
use super::problems::Problems;
use super::text::MappedText;
use super::{Kind, Strictness};
use crate::schema::spelling;
use crate::syntax::Span;

/// A directive with its value, as written.
#[derive(Debug, Clone)]
pub(super) struct RawDirective {
    pub(super) rule: &'static Rule,
    /// Where its name stands.
    pub(super) keyword: Span,
    pub(super) value: RawValue,
}

/// What follows the name of a directive.
#[derive(Debug, Clone)]
pub(super) enum RawValue {
    /// Words on the same line, quotes included.
    Inline(Vec<MappedText>),
    /// The lines below a `>`.
    Block(MappedText),
}

impl RawDirective {
    pub(super) fn directive(&self) -> Directive {
        self.rule.directive
    }

    /// Where its value stands, or its name where it has no value.
    pub(super) fn span(&self) -> Span {
        let value = self.text();
        if value.is_blank() { self.keyword } else { value.trimmed().span() }
    }

    /// The words of an inline value; none for a block.
    pub(super) fn words(&self) -> &[MappedText] {
        match &self.value {
            RawValue::Inline(words) => words,
            RawValue::Block(_) => &[],
        }
    }

    /// The value as one text: words joined by single blanks, or the body of the block.
    pub(super) fn text(&self) -> MappedText {
        match &self.value {
            RawValue::Block(body) => body.clone(),
            RawValue::Inline(words) => {
                let mut joined = MappedText::default();
                for word in words {
                    if !joined.as_str().is_empty() {
                        joined.push(" ", joined.span().end);
                    }
                    joined.push_slice(word, Span::new(0, word.as_str().len()));
                }
                joined
            }
        }
    }

    /// The value, trimmed and without quotes; a problem where there is none. An empty value is
    /// written `""`.
    pub(super) fn required_value(&self, problems: &mut Problems) -> Option<MappedText> {
        let value = self.text().trimmed();
        if value.as_str().is_empty() {
            problems.error("missing-value", self.keyword, format!("{} requires a value", self.rule.name));
            return None;
        }
        Some(value.unquoted())
    }
}

/// All directives of a file, in order.
#[derive(Debug, Default)]
pub(super) struct RawDatafile {
    pub(super) directives: Vec<RawDirective>,
    /// Two directives stood on one line, so that what follows from the rest would only confuse.
    pub(super) is_pasted: bool,
}

impl RawDatafile {
    /// The last directive of a kind: of simple settings the last one wins.
    pub(super) fn last(&self, directive: Directive) -> Option<&RawDirective> {
        self.all(directive).last()
    }

    /// All directives of a kind, in order.
    pub(super) fn all(&self, directive: Directive) -> impl Iterator<Item = &RawDirective> {
        self.directives.iter().filter(move |raw| raw.directive() == directive)
    }
}

/// Cuts a file into directives.
pub(super) fn read(kind: Kind, file: &MappedText, problems: &mut Problems) -> RawDatafile {
    let mut machine =
        Machine { kind, file, problems, found: RawDatafile::default(), open: None, lost: false };
    for line in universal_lines(file.as_str()) {
        machine.line(line);
    }
    machine.close();
    machine.found
}

/// The spans of lines without their ends: `\n`, `\r\n` or `\r`.
fn universal_lines(text: &str) -> impl Iterator<Item = Span> {
    let mut start = 0;
    text.split_inclusive(['\n', '\r']).filter_map(move |piece| {
        let begin = start;
        start += piece.len();
        let content = piece.trim_end_matches(['\n', '\r']);
        let second_half = piece == "\n" && begin > 0 && text.as_bytes().get(begin - 1) == Some(&b'\r');
        (!second_half).then(|| Span::new(begin, begin + content.len()))
    })
}

struct Machine<'a> {
    kind: Kind,
    file: &'a MappedText,
    problems: &'a mut Problems,
    found: RawDatafile,
    open: Option<OpenBlock>,
    /// The last line was no directive: its neighbours are likely the rest of the same mistake.
    lost: bool,
}

struct OpenBlock {
    /// `None` where the block belongs to something refused: its body is skipped.
    rule: Option<&'static Rule>,
    keyword: Span,
    body: MappedText,
}

impl Machine<'_> {
    fn line(&mut self, line: Span) {
        let text = line.of(self.file.as_str());
        let words = line::words(text);
        let Some(first) = words.first() else { return };
        let rule = directive::find(self.kind, self.problems.strictness, first.text);
        if let Some(block) = &mut self.open {
            if rule.is_none() || text.starts_with([' ', '\t']) {
                block.body.push_slice(self.file, line);
                block.body.push("\n", self.file.locate(Span::at(line.end)).start);
                return;
            }
            self.warn_of_lower_case(line.start, *first);
            self.close();
        }
        self.directive(line.start, rule, &words);
    }

    /// A column called `type` at the start of a line of SQL ends the SQL.
    fn warn_of_lower_case(&mut self, line: usize, first: Word<'_>) {
        let inside = self.open.as_ref().and_then(|block| block.rule).map(|rule| rule.directive);
        let free_text =
            matches!(inside, Some(Directive::Sql | Directive::Description | Directive::ForwardQuery));
        if free_text && first.text.chars().any(char::is_lowercase) {
            let message =
                format!("`{}` at the start of a line is a directive and ends the block above", first.text);
            self.problems.warn("directive-ends-block", self.place(line, first), message);
            self.problems.help("indent the line if it belongs to the block");
        }
    }

    fn close(&mut self) {
        let Some(block) = self.open.take() else { return };
        if let Some(rule) = block.rule {
            let value = RawValue::Block(block.body);
            self.found.directives.push(RawDirective { rule, keyword: block.keyword, value });
        }
    }

    /// Where a word of the line that begins at `line` stands in the file.
    fn place(&self, line: usize, word: Word<'_>) -> Span {
        self.file.locate(Span::new(line + word.start, line + word.start + word.text.len()))
    }

    fn directive(&mut self, line: usize, rule: Option<&'static Rule>, words: &[Word<'_>]) {
        let [first, rest @ ..] = words else { return };
        let keyword = self.place(line, *first);
        let opens = rest.first().is_some_and(|word| word.text == ">");
        let Some(rule) = rule else {
            self.unknown(keyword, *first);
            if opens {
                self.open = Some(OpenBlock { rule: None, keyword, body: MappedText::default() });
            }
            return;
        };
        self.lost = false;
        if self.is_pasted(line, rule, rest) {
            return;
        }
        let used = self.accept(rule, keyword);
        if opens {
            self.open_block(line, used.then_some(rule), rule, keyword);
            self.warn_of_text_behind_opener(line, rest);
        } else if rule.block == Block::Required {
            self.problems.error("block-required", keyword, format!("{} must be multiline", rule.name));
            self.problems.help(format!("Use > to start a multiline {} block", rule.name));
            self.open = Some(OpenBlock { rule: None, keyword, body: MappedText::default() });
        } else if used {
            let word = |word: &Word<'_>| {
                let start = line + word.start;
                self.file.slice(Span::new(start, start + word.text.len()))
            };
            let value = RawValue::Inline(rest.iter().map(word).collect());
            self.found.directives.push(RawDirective { rule, keyword, value });
        }
    }

    fn open_block(&mut self, line: usize, used: Option<&'static Rule>, rule: &'static Rule, keyword: Span) {
        let mut used = used;
        if rule.block == Block::Refused {
            let name = rule.name;
            self.problems.error(
                "no-block",
                keyword,
                format!("`{name}` does not support multiline arguments"),
            );
            used = None;
        }
        let mut body = MappedText::default();
        body.push("", self.file.locate(Span::at(line)).start);
        self.open = Some(OpenBlock { rule: used, keyword, body });
    }

    fn warn_of_text_behind_opener(&mut self, line: usize, rest: &[Word<'_>]) {
        if let [_, lost, .., last] | [_, lost @ last] = rest {
            let span = self.place(line, *lost).to(self.place(line, *last));
            self.problems.warn("text-behind-opener", span, "text behind `>` is ignored");
            self.problems.help("start it on the next line");
        }
    }

    /// Reports a directive that is refused or has no effect; true where it is to be used.
    fn accept(&mut self, rule: &'static Rule, keyword: Span) -> bool {
        let name = rule.name;
        match rule.fate {
            Fate::Used => return true,
            Fate::Tolerated => return self.tolerate(rule, keyword),
            Fate::Ignored => {
                let message = format!("{name} has been deprecated and will be ignored.");
                self.problems.warn("deprecated", keyword, message);
            }
            Fate::Unused => {
                self.problems.warn("no-effect", keyword, format!("{name} has no effect"));
                self.problems.help(format!("use ENGINE_{name}"));
            }
            Fate::Refused if rule.directive == Directive::Include => {
                self.problems.error("include", keyword, "INCLUDE is not supported yet");
            }
            Fate::Refused => {
                self.problems.error("deprecated", keyword, format!("{name} has been deprecated"));
                if rule.directive == Directive::KafkaKeyAvroDeserialization {
                    self.problems
                        .help("Use \"KAFKA_KEY_FORMAT avro\" in the corresponding .datasource file instead");
                }
            }
        }
        false
    }

    fn tolerate(&mut self, rule: &'static Rule, keyword: Span) -> bool {
        let name = rule.name;
        match rule.directive {
            Directive::KafkaKeyAvroDeserialization | Directive::Cache => {
                self.problems.warn("no-effect", keyword, format!("{name} has no effect"));
                if rule.directive == Directive::Cache {
                    self.problems.help("write {{ cache_ttl('5s') }} in the SQL of the node");
                }
                false
            }
            Directive::EngineColumns if self.kind == Kind::Datasource => {
                self.problems.warn("alias", keyword, format!("{name} is read as ENGINE_COLUMNS"));
                true
            }
            _ => true,
        }
    }

    fn unknown(&mut self, keyword: Span, first: Word<'_>) {
        let upper = first.text.to_uppercase();
        if upper == "SETTINGS" {
            let message = "SETTINGS option is not allowed, use ENGINE_SETTINGS instead";
            self.problems.error("unknown-directive", keyword, message);
            return;
        }
        let names = directive::of_kind(self.kind).map(|rule| rule.name);
        let similar = spelling::closest(&upper, names);
        if self.lost && similar.is_none() {
            return;
        }
        self.lost = true;
        let message = format!("`{upper}` is not a valid option in {} files.", self.kind.word());
        self.problems.error("unknown-directive", keyword, message);
        if first.text.starts_with('\u{feff}') {
            self.problems.help("the file begins with a byte order mark: save it without");
        } else if first.text.contains(' ') {
            self.problems.help("a quote that opens on this line is never closed");
        } else if let Some(bare) = first.text.strip_suffix(['>', '|']) {
            self.problems.help(format!("a block begins with a blank and `>`: {bare} >"));
        } else if let Some(similar) = similar {
            self.problems.help(format!("did you mean {similar}?"));
        }
    }

    /// Reports a second directive on the line, as in a file whose line ends were lost.
    fn is_pasted(&mut self, line: usize, rule: &'static Rule, rest: &[Word<'_>]) -> bool {
        let opens = rest.first().is_some_and(|word| word.text == ">");
        let second = rest.iter().enumerate().find(|&(position, word)| {
            let Some(second) = directive::find(self.kind, Strictness::Tolerant, word.text) else {
                return false;
            };
            let opener = rest.get(position + 1).is_some_and(|next| next.text == ">");
            let surplus = rule.most_words.is_some_and(|most| position >= most);
            let unmistakable = rule.directive != Directive::Description && second.name.contains('_');
            second.name == word.text && (opens || opener || surplus || unmistakable)
        });
        let Some((_, second)) = second else { return false };
        let place = self.place(line, *second);
        let message =
            format!("each directive starts a line, and {} stands behind {}", second.text, rule.name);
        self.problems.error("directive-inside-line", place, message);
        self.problems.help(format!("put {} on a line of its own", second.text));
        self.found.is_pasted = true;
        self.lost = true;
        true
    }
}

#[cfg(test)]
mod tests;
