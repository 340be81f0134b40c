//! Stands in for the crate `regex`: a backtracking matcher for literals, classes, groups, alternation, anchors and
//! quantifiers, which is what solutions of the suite need. No captures.

#[derive(Clone, Debug)]
enum Node {
    Any,
    Set(bool, Vec<(char, char)>),
    Start,
    End,
    Boundary(bool),
    Group(Vec<Vec<Node>>),
    Repeat(Box<Node>, usize, usize, bool),
}

#[derive(Clone, Debug)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for Error {}

#[derive(Clone, Debug)]
pub struct Regex(Vec<Vec<Node>>);

#[derive(Clone, Copy, Debug)]
pub struct Match<'t> {
    text: &'t str,
    start: usize,
    end: usize,
}

impl<'t> Match<'t> {
    pub fn as_str(&self) -> &'t str {
        &self.text[self.start..self.end]
    }
    pub fn start(&self) -> usize {
        self.start
    }
    pub fn end(&self) -> usize {
        self.end
    }
}

struct Parser {
    pattern: Vec<char>,
    place: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.pattern.get(self.place).copied()
    }
    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.place += found as usize;
        found
    }
    fn alternatives(&mut self) -> Result<Vec<Vec<Node>>, Error> {
        let mut all = vec![vec![]];
        while let Some(c) = self.peek() {
            if c == ')' {
                break;
            }
            self.place += 1;
            if c == '|' {
                all.push(vec![]);
                continue;
            }
            let node = self.node(c)?;
            let node = self.repeated(node)?;
            all.last_mut().unwrap().push(node);
        }
        Ok(all)
    }
    fn node(&mut self, c: char) -> Result<Node, Error> {
        Ok(match c {
            '.' => Node::Any,
            '^' => Node::Start,
            '$' => Node::End,
            '[' => self.set()?,
            '(' => {
                if self.take('?') {
                    while self.peek().map_or(false, |c| c != ':' && c != '>') {
                        self.place += 1;
                    }
                    self.place += 1;
                }
                let inside = self.alternatives()?;
                if !self.take(')') {
                    return Err(Error("unclosed group".into()));
                }
                Node::Group(inside)
            }
            '\\' => {
                let escaped = self.peek().ok_or_else(|| Error("trailing backslash".into()))?;
                self.place += 1;
                match escaped {
                    'b' => Node::Boundary(true),
                    'B' => Node::Boundary(false),
                    other => {
                        let (negative, ranges) = escape(other);
                        Node::Set(negative, ranges)
                    }
                }
            }
            '*' | '+' | '?' => return Err(Error("nothing to repeat".into())),
            other => Node::Set(false, vec![(other, other)]),
        })
    }
    fn set(&mut self) -> Result<Node, Error> {
        let negative = self.take('^');
        let mut ranges = vec![];
        let mut first = true;
        loop {
            let c = self.peek().ok_or_else(|| Error("unclosed class".into()))?;
            self.place += 1;
            if c == ']' && !first {
                return Ok(Node::Set(negative, ranges));
            }
            first = false;
            if c == '\\' {
                let escaped = self.peek().ok_or_else(|| Error("trailing backslash".into()))?;
                self.place += 1;
                let (inverted, inside) = escape(escaped);
                ranges.extend(if inverted { complement(&inside) } else { inside });
            } else if self.peek() == Some('-') && self.pattern.get(self.place + 1).map_or(false, |&c| c != ']') {
                ranges.push((c, self.pattern[self.place + 1]));
                self.place += 2;
            } else {
                ranges.push((c, c));
            }
        }
    }
    fn repeated(&mut self, node: Node) -> Result<Node, Error> {
        let (low, high) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => {
                let rest: String = self.pattern[self.place + 1..].iter().take_while(|&&c| c != '}').collect();
                let mut parts = rest.splitn(2, ',');
                let number = |text: &str| text.trim().parse::<usize>().map_err(|_| Error("bad repetition".into()));
                let low = number(parts.next().unwrap_or(""))?;
                let high = match parts.next() {
                    None => low,
                    Some("") => usize::MAX,
                    Some(text) => number(text)?,
                };
                self.place += rest.chars().count() + 1;
                (low, high)
            }
            _ => return Ok(node),
        };
        self.place += 1;
        let greedy = !self.take('?');
        Ok(Node::Repeat(Box::new(node), low, high, greedy))
    }
}

fn escape(c: char) -> (bool, Vec<(char, char)>) {
    match c {
        'd' | 'D' => (c == 'D', vec![('0', '9')]),
        'w' | 'W' => (c == 'W', vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')]),
        's' | 'S' => (c == 'S', vec![('\t', '\r'), (' ', ' '), ('\u{a0}', '\u{a0}')]),
        'n' => (false, vec![('\n', '\n')]),
        't' => (false, vec![('\t', '\t')]),
        'r' => (false, vec![('\r', '\r')]),
        other => (false, vec![(other, other)]),
    }
}

fn complement(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut next = 0u32;
    let mut out = vec![];
    for (low, high) in sorted {
        if let (Some(a), Some(b)) = (std::char::from_u32(next), std::char::from_u32((low as u32).wrapping_sub(1))) {
            if next < low as u32 {
                out.push((a, b));
            }
        }
        next = high as u32 + 1;
    }
    out.push((std::char::from_u32(next).unwrap_or('\u{10ffff}'), '\u{10ffff}'));
    out
}

type Then<'a> = &'a mut dyn FnMut(usize) -> Option<usize>;

fn word(c: Option<&char>) -> bool {
    c.map_or(false, |c| c.is_alphanumeric() || *c == '_')
}

fn step(node: &Node, text: &[char], at: usize, then: Then<'_>) -> Option<usize> {
    match node {
        Node::Any => if at < text.len() && text[at] != '\n' { then(at + 1) } else { None },
        Node::Set(negative, ranges) => {
            let c = *text.get(at)?;
            if ranges.iter().any(|&(low, high)| low <= c && c <= high) != *negative { then(at + 1) } else { None }
        }
        Node::Start => if at == 0 { then(at) } else { None },
        Node::End => if at == text.len() { then(at) } else { None },
        Node::Boundary(wanted) => {
            let before = at > 0 && word(text.get(at - 1));
            if (before != word(text.get(at))) == *wanted { then(at) } else { None }
        }
        Node::Group(all) => all.iter().find_map(|sequence| walk(sequence, text, at, then)),
        Node::Repeat(inner, low, high, greedy) => repeat(inner, *low, *high, *greedy, text, at, then),
    }
}

fn repeat(node: &Node, low: usize, high: usize, greedy: bool, text: &[char], at: usize, then: Then<'_>) -> Option<usize> {
    if low == 0 && !greedy {
        if let Some(end) = then(at) {
            return Some(end);
        }
    }
    if high > 0 {
        let more = step(node, text, at, &mut |next| {
            if next == at && low == 0 {
                return None;
            }
            repeat(node, low.saturating_sub(1), high - (high != usize::MAX) as usize, greedy, text, next, then)
        });
        if more.is_some() {
            return more;
        }
    }
    if low == 0 && greedy { then(at) } else { None }
}

fn walk(sequence: &[Node], text: &[char], at: usize, then: Then<'_>) -> Option<usize> {
    match sequence.split_first() {
        None => then(at),
        Some((first, rest)) => step(first, text, at, &mut |next| walk(rest, text, next, then)),
    }
}

impl Regex {
    pub fn new(pattern: &str) -> Result<Regex, Error> {
        let mut parser = Parser { pattern: pattern.chars().collect(), place: 0 };
        let all = parser.alternatives()?;
        if parser.place < parser.pattern.len() {
            return Err(Error("unopened group".into()));
        }
        Ok(Regex(all))
    }
    pub fn find_iter<'t>(&self, text: &'t str) -> std::vec::IntoIter<Match<'t>> {
        let characters: Vec<char> = text.chars().collect();
        let mut offsets: Vec<usize> = text.char_indices().map(|(offset, _)| offset).collect();
        offsets.push(text.len());
        let mut found = vec![];
        let mut at = 0;
        while at <= characters.len() {
            match self.0.iter().find_map(|sequence| walk(sequence, &characters, at, &mut Some)) {
                Some(end) => {
                    found.push(Match { text, start: offsets[at], end: offsets[end] });
                    at = if end > at { end } else { at + 1 };
                }
                None => at += 1,
            }
        }
        found.into_iter()
    }
    pub fn find<'t>(&self, text: &'t str) -> Option<Match<'t>> {
        self.find_iter(text).next()
    }
    pub fn is_match(&self, text: &str) -> bool {
        self.find(text).is_some()
    }
    pub fn split<'t>(&self, text: &'t str) -> std::vec::IntoIter<&'t str> {
        let mut parts = vec![];
        let mut last = 0;
        for found in self.find_iter(text) {
            parts.push(&text[last..found.start]);
            last = found.end;
        }
        parts.push(&text[last..]);
        parts.into_iter()
    }
    pub fn replace_all<'t>(&self, text: &'t str, with: &str) -> std::borrow::Cow<'t, str> {
        let parts: Vec<&str> = self.split(text).collect();
        std::borrow::Cow::Owned(parts.join(with))
    }
}
