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
        let value = match &self.value {
            RawValue::Block(body) => body.dedented().trimmed(),
            RawValue::Inline(_) => self.text().trimmed(),
        };
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
    let mut machine = Machine { kind, file, problems, found: RawDatafile::default(), open: None, lost: 0 };
    for line in universal_lines(file.as_str()) {
        machine.line(line);
    }
    machine.close();
    machine.found
}

/// The spans of lines without their ends: `\n`, `\r\n` or `\r`. The empty line between the two
/// halves of `\r\n` does no harm, for empty lines are dropped.
fn universal_lines(text: &str) -> impl Iterator<Item = Span> {
    let mut start = 0;
    text.split(['\n', '\r']).map(move |line| {
        let span = Span::new(start, start + line.len());
        start = span.end + 1;
        span
    })
}

/// After this many lines without a directive, misspelled ones are looked for no more.
const MOST_GUESSES: usize = 50;

struct Machine<'a> {
    kind: Kind,
    file: &'a MappedText,
    problems: &'a mut Problems,
    found: RawDatafile,
    open: Option<OpenBlock>,
    /// How many lines in a row were no directive: they are likely the rest of the same mistake.
    lost: usize,
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
        if self.open.is_some() {
            if rule.is_none() || text.starts_with([' ', '\t']) {
                self.append(line);
                return;
            }
            self.warn_of_lower_case(line.start, *first);
            self.close();
        }
        self.directive(line, rule, &words);
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

    fn directive(&mut self, line: Span, rule: Option<&'static Rule>, words: &[Word<'_>]) {
        let [first, rest @ ..] = words else { return };
        let keyword = self.place(line.start, *first);
        let opens = rest.first().is_some_and(|word| word.text == ">");
        let Some(rule) = rule else {
            let meant = self.unknown(keyword, *first);
            if opens || meant.is_some() {
                self.open_block(meant, keyword);
            }
            return;
        };
        self.lost = 0;
        if self.is_pasted(line.start, rule, rest) {
            return;
        }
        self.warn_of_comment_inside_word(line, words);
        let used = self.accept(rule, keyword).then_some(rule);
        match (opens, rule.block) {
            (true, Block::Refused) => {
                let message = format!("`{}` does not support multiline arguments", rule.name);
                self.problems.error("no-block", keyword, message);
                self.open_block(None, keyword);
            }
            (true, Block::Allowed | Block::Required) => {
                self.open_block(used, keyword);
                self.warn_of_text_behind_opener(line.start, rest);
            }
            (false, Block::Required) => {
                self.report_missing_opener(rule, keyword, rest);
                self.open_block(used, keyword);
                self.append(Span::new(line.start + first.start + first.text.len(), line.end));
            }
            (false, Block::Refused | Block::Allowed) => {
                let value = RawValue::Inline(rest.iter().map(|word| self.cut(line.start, *word)).collect());
                self.found.directives.extend(used.map(|rule| RawDirective { rule, keyword, value }));
            }
        }
    }

    /// SQL on the line of its directive. No real project has it and Tinybird's parser refuses it; its
    /// meaning is plain, unless it begins with what was meant to open the block.
    fn report_missing_opener(&mut self, rule: &Rule, keyword: Span, rest: &[Word<'_>]) {
        let is_plain = rest.first().is_some_and(|word| !word.text.starts_with(['|', '>']));
        let message = format!("{} must be multiline", rule.name);
        if is_plain && self.problems.strictness == Strictness::Tolerant {
            self.problems.warn("block-required", keyword, message);
        } else {
            self.problems.error("block-required", keyword, message);
        }
        self.problems.help(format!("Use > to start a multiline {} block", rule.name));
    }

    /// A word of the line that begins at `line`.
    fn cut(&self, line: usize, word: Word<'_>) -> MappedText {
        self.file.slice(Span::new(line + word.start, line + word.start + word.text.len()))
    }

    /// Opens a block; without a rule its body is skipped.
    fn open_block(&mut self, rule: Option<&'static Rule>, keyword: Span) {
        let mut body = MappedText::default();
        body.push("", keyword.end);
        self.open = Some(OpenBlock { rule, keyword, body });
    }

    /// Adds a line to the open block.
    fn append(&mut self, line: Span) {
        if let Some(block) = &mut self.open {
            block.body.push_slice(self.file, line);
            block.body.push("\n", self.file.locate(Span::at(line.end)).start);
        }
    }

    /// A `#` inside a word begins a comment too, which few people mean.
    fn warn_of_comment_inside_word(&mut self, line: Span, words: &[Word<'_>]) {
        let Some(last) = words.last() else { return };
        let hash = line.start + last.start + last.text.len();
        if self.file.as_str().get(hash..line.end).is_some_and(|rest| rest.starts_with('#')) {
            let place = self.file.locate(Span::new(hash, hash + 1));
            self.problems.warn("comment-inside-word", place, "a comment begins here, inside a word");
            self.problems.help("put the value in quotes if the # belongs to it");
        }
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

    /// Reports a word that is no directive; answers with the one that `SQL>` was meant to open.
    fn unknown(&mut self, keyword: Span, first: Word<'_>) -> Option<&'static Rule> {
        let upper = first.text.to_uppercase();
        if upper == "SETTINGS" {
            let message = "SETTINGS option is not allowed, use ENGINE_SETTINGS instead";
            self.problems.error("unknown-directive", keyword, message);
            return None;
        }
        let similar = (self.lost < MOST_GUESSES).then(|| directive::similar(self.kind, &upper)).flatten();
        self.lost += 1;
        if self.lost > 1 && similar.is_none() && !directive::looks_like_one(first.text) {
            return None;
        }
        let message = format!("`{upper}` is not a valid option in {} files.", self.kind.word());
        self.problems.error("unknown-directive", keyword, message);
        if first.text.starts_with('\u{feff}') {
            self.problems.help("the file begins with a byte order mark: save it without");
        } else if first.text.contains(' ') {
            self.problems.help("a quote that opens on this line is never closed");
        } else if let Some(bare) = first.text.strip_suffix(['>', '|']) {
            self.problems.help(format!("a block begins with a blank and `>`: {bare} >"));
            return directive::find(self.kind, self.problems.strictness, bare);
        } else if let Some(similar) = similar {
            self.problems.help(format!("did you mean {similar}?"));
        }
        None
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
        self.lost = 1;
        true
    }
}

#[cfg(test)]
mod tests;
