//! A runbook taken apart: title, table, sections, fenced blocks and links. It
//! does not know which pages there should be.

use crate::{files, text};

/// The sections every page has, in this order.
pub const SECTIONS: [&str; 8] = [
    "What it means",
    "Impact",
    "In sixty seconds",
    "Find out",
    "Causes, likeliest first",
    "Mend",
    "Verify",
    "Escalate with",
];

/// One page.
pub struct Page {
    /// Its file's name without `.md`.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A fenced block: its language, and what is in it.
pub struct Block {
    pub language: String,
    pub body: String,
}

impl Page {
    /// Every page of the runbooks, the index included.
    pub fn all() -> Vec<Self> {
        let read = |path: std::path::PathBuf| Self {
            name: path.file_stem().expect("a name").to_string_lossy().into(),
            text: text(&path),
        };
        files("runbooks", "md").into_iter().map(read).collect()
    }

    /// Whether it is about one code or alert; the others lead to those.
    pub fn is_about_one(&self) -> bool {
        !["README", "502-503", "latency"].contains(&&*self.name)
    }

    pub fn title(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// Headings of the second level.
    pub fn headings(&self) -> Vec<&str> {
        outside_fences(&self.text)
            .filter_map(|line| line.strip_prefix("## "))
            .collect()
    }

    /// What stands below a heading, up to the next.
    pub fn section(&self, heading: &str) -> &str {
        let begin = format!("## {heading}\n");
        let after = self.text.split_once(&begin).map_or("", |(_, after)| after);
        after.split("\n## ").next().unwrap_or_default().trim()
    }

    /// The cells of its table, if it has the table of a code.
    pub fn table(&self) -> Option<Vec<&str>> {
        let mut lines = self.text.lines().skip(1).filter(|line| !line.is_empty());
        let head = lines.next()?;
        let row = lines.nth(1)?;
        head.starts_with("| Status | Fault |")
            .then(|| row.trim_matches('|').split('|').map(str::trim).collect())
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        for line in self.text.lines() {
            match line.trim().strip_prefix("```") {
                Some(language) if !open => {
                    let (language, body) = (language.to_owned(), String::new());
                    blocks.push(Block { language, body });
                    open = true;
                }
                Some(_) => open = false,
                None if open => {
                    let block = blocks.last_mut().expect("one is open");
                    block.body.push_str(line.trim());
                    block.body.push('\n');
                }
                None => {}
            }
        }
        assert!(!open, "{}: a fence is not closed", self.name);
        blocks
    }

    /// Queries after which nobody says what they answer when all is well.
    pub fn queries_without_a_healthy_value(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut lines = self.text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line != "```promql" {
                continue;
            }
            let query = lines
                .by_ref()
                .take_while(|line| *line != "```")
                .last()
                .unwrap_or_default();
            let next = lines
                .by_ref()
                .find(|line| !line.is_empty())
                .unwrap_or_default();
            if !next.starts_with("Healthy: ") {
                wrong.push(format!("{}: what is healthy of {query}", self.name));
            }
        }
        wrong
    }

    /// Targets of links.
    pub fn links(&self) -> Vec<&str> {
        self.text
            .split("](")
            .skip(1)
            .filter_map(|after| after.split_once(')').map(|(target, _)| target))
            .collect()
    }

    /// Words in backticks, outside of fences.
    pub fn quoted(&self) -> Vec<&str> {
        outside_fences(&self.text)
            .flat_map(|line| line.split('`').skip(1).step_by(2))
            .collect()
    }
}

fn outside_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}
