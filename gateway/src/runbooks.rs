//! The runbooks, as they were when this binary was built: at 3 a.m. the page that fits is the one of the
//! version that runs.
//!
//! Pages are Markdown; what is in them is not known here.

/// Their names without `.md`, and their texts, in the order of the names.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/runbooks.rs"));

/// One page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    /// A code, the page of an alert, or that of a decision tree.
    pub(crate) name: &'static str,
    /// All of it, in Markdown.
    pub(crate) text: &'static str,
}

/// All pages.
pub(crate) fn all() -> impl Iterator<Item = Page> {
    PAGES.iter().map(|(name, text)| Page { name, text })
}

/// The page of this name.
pub(crate) fn find(name: &str) -> Option<Page> {
    let at = PAGES.binary_search_by_key(&name, |(name, _)| name).ok()?;
    Some(Page {
        name: PAGES[at].0,
        text: PAGES[at].1,
    })
}

impl Page {
    /// What stands below a heading of the second level.
    pub(crate) fn section(self, heading: &str) -> Option<&'static str> {
        let (_, after) = self.text.split_once(&format!("\n## {heading}\n"))?;
        Some(after.split("\n## ").next().unwrap_or(after).trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_telemetry::Code;

    #[test]
    fn every_code_has_its_page_and_that_says_what_to_do_first() {
        for code in Code::ALL {
            let page = find(code.slug()).expect("a page");
            assert!(page.text.starts_with(&format!("# {code}\n")), "{code}");
            let first = page.section("In sixty seconds").expect("a section");
            assert!(!first.is_empty() && !first.contains("\n## "), "{code}");
        }
        assert!(find("no_such_page").is_none());
        assert!(all().count() > Code::ALL.len());
    }
}
