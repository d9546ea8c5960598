//! The runbooks: one for every code and alert and no others, each complete,
//! true to the code, and naming only what exists.

use std::collections::{BTreeMap, BTreeSet};

use crate::page::{Page, SECTIONS};
use crate::{fields, none, promql, root, rules};
use weir_telemetry::{Code, catalogue};

/// Paths of the admin and metrics addresses.
const ADDRESSES: [&str; 19] = [
    "/config",
    "/evidence",
    "/healthz",
    "/llm_workers",
    "/llm_workers/summaries/pause",
    "/llm_workers/summaries/resume",
    "/metrics",
    "/readyz",
    "/requests",
    "/requests/$ID",
    "/routes",
    "/runbooks",
    "/runbooks/dns_error",
    "/tail",
    "/targets",
    "/upstreams",
    "/webhooks",
    "/webhooks/partner/pause",
    "/webhooks/partner/resume",
];

/// Pages that alerts lead to.
fn of_alerts() -> BTreeSet<String> {
    rules::all()
        .iter()
        .filter_map(|rule| rule.annotations["runbook"].as_str())
        .filter_map(|path| path.strip_prefix("runbooks/")?.strip_suffix(".md"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_code_and_alert_has_a_page_and_nothing_else_has() {
    let mut expected = of_alerts();
    expected.extend(Code::ALL.iter().map(|code| code.slug().to_owned()));
    expected.extend(["README".to_owned(), "502-503".to_owned()]);
    let found: BTreeSet<String> = Page::all().into_iter().map(|page| page.name).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let idle: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && idle.is_empty(),
        "missing {missing:?}, about nothing {idle:?}"
    );
}

#[test]
fn every_page_is_complete_and_its_own() {
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for page in Page::all().iter().filter(|page| page.is_about_one()) {
        let name = &page.name;
        if page.title() != format!("# {name}") {
            wrong.push(format!("{name}: the title is {:?}", page.title()));
        }
        if page.headings() != SECTIONS {
            wrong.push(format!("{name}: the sections are {:?}", page.headings()));
        }
        let lines = page.text.lines().count();
        if !(40..=150).contains(&lines) {
            wrong.push(format!("{name}: {lines} lines"));
        }
        wrong.extend(lacking(page));
        if page
            .section("Causes, likeliest first")
            .matches("\n2. **")
            .count()
            != 1
        {
            wrong.push(format!("{name}: no ranked causes"));
        }
        for section in page.headings() {
            let text = page.section(section);
            if text.split_whitespace().count() < 6 {
                wrong.push(format!("{name}: nothing under {section}"));
            }
            if let Some(other) = seen.insert(text.to_owned(), name.clone()) {
                wrong.push(format!(
                    "{name}: {section} is word for word that of {other}"
                ));
            }
        }
        let queries = page.blocks();
        if !queries.iter().any(|block| block.language == "promql")
            || !queries.iter().any(|block| block.language == "sh")
        {
            wrong.push(format!("{name}: neither a query nor a command"));
        }
    }
    none(&wrong);
}

/// What whoever is woken needs on a page, and does not find.
fn lacking(page: &Page) -> Vec<String> {
    let says = |section: &str, words: &[&str]| {
        let text = page.section(section);
        words.iter().any(|word| text.contains(word))
    };
    let needed = [
        ("Find out", &["weir explain", "weir tail"][..]),
        ("Mend", &["Risk:"]),
        ("Mend", &["Undo:"]),
        ("Escalate with", &["weir evidence"]),
    ];
    let absent = needed
        .iter()
        .filter(|(section, words)| !says(section, words));
    let mut wrong: Vec<_> = absent
        .map(|(section, words)| format!("{}: no {words:?} under {section}", page.name))
        .collect();
    wrong.extend(page.queries_without_a_healthy_value());
    wrong
}

#[test]
fn trees_say_what_is_healthy() {
    let trees = Page::all().into_iter();
    let trees = trees.filter(|page| ["502-503", "latency"].contains(&&*page.name));
    let wrong: Vec<_> = trees
        .flat_map(|page| page.queries_without_a_healthy_value())
        .collect();
    none(&wrong);
}

#[test]
fn tables_agree_with_the_code() {
    let mut wrong = Vec::new();
    for page in Page::all().iter().filter(|page| page.is_about_one()) {
        let expected = page.name.parse::<Code>().ok().map(|code| {
            let retry = if code.retryable() {
                "can help"
            } else {
                "does not help"
            };
            let status = code.status().to_string();
            vec![
                status,
                code.fault().to_string(),
                retry.into(),
                format!("`{}`", code.proxy_error()),
            ]
        });
        let found = page
            .table()
            .map(|cells| cells.into_iter().map(str::to_owned).collect());
        if found != expected {
            wrong.push(format!(
                "{}: {found:?}, and the code says {expected:?}",
                page.name
            ));
        }
    }
    none(&wrong);
}

#[test]
fn links_resolve_and_the_indexes_are_whole() {
    let mut wrong = Vec::new();
    let pages = Page::all();
    for page in &pages {
        for link in page.links() {
            if !root("runbooks").join(link).is_file() {
                wrong.push(format!("{}: {link} is not there", page.name));
            }
        }
    }
    let links_of = |name: &str| {
        let page = pages.iter().find(|page| page.name == name);
        page.map(Page::links).unwrap_or_default()
    };
    let (index, tree) = (links_of("README"), links_of("502-503"));
    for page in pages.iter().filter(|page| page.is_about_one()) {
        let file = format!("{}.md", page.name);
        if !index.contains(&&*file) {
            wrong.push(format!("README.md leaves out {file}"));
        }
        let code = page.name.parse::<Code>().ok();
        let in_tree = code.is_some_and(|c| c.status() >= 500 || c == Code::ClientDisconnected);
        if in_tree && !tree.contains(&&*file) {
            wrong.push(format!("502-503.md leaves out {file}"));
        }
    }
    none(&wrong);
}

#[test]
fn queries_name_only_metrics_and_labels_that_exist() {
    let known = rules::known();
    let mut wrong = Vec::new();
    for page in Page::all() {
        for block in page
            .blocks()
            .iter()
            .filter(|block| block.language == "promql")
        {
            let complaints = promql::complaints(block.body.trim(), &known);
            wrong.extend(complaints.iter().map(|c| format!("{}: {c}", page.name)));
        }
    }
    none(&wrong);
}

#[test]
fn metrics_named_in_the_text_exist() {
    let known = rules::known();
    let families: BTreeSet<&str> = catalogue::ALL.iter().map(|metric| metric.name).collect();
    let labels: BTreeSet<&str> = catalogue::ALL
        .iter()
        .flat_map(|metric| metric.labels.iter().copied())
        .collect();
    let mut wrong = Vec::new();
    for page in Page::all() {
        for word in page.quoted() {
            let ours = ["weir_", "http_", "gen_ai_", "messaging_", "process_"];
            let name = word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            let exists = known.contains_key(word)
                || families.contains(word)
                || labels.contains(word)
                || word.parse::<Code>().is_ok()
                || Code::ALL.iter().any(|code| code.proxy_error() == word);
            if name && ours.iter().any(|prefix| word.starts_with(prefix)) && !exists {
                wrong.push(format!("{}: {word}", page.name));
            }
        }
    }
    none(&wrong);
}

#[test]
fn commands_ask_only_for_fields_and_paths_that_exist() {
    let (line, recorder) = (fields::of_the_access_log(), fields::of_the_recorder());
    let mut wrong = Vec::new();
    let mut asked = 0;
    for page in Page::all() {
        let blocks = page.blocks();
        for command in blocks
            .iter()
            .filter(|b| b.language == "sh")
            .flat_map(|b| b.body.lines())
        {
            let paths = ["$ADMIN", "$METRICS"]
                .iter()
                .flat_map(|base| command.split(base).skip(1));
            for path in paths.filter(|path| path.starts_with('/')) {
                let path = path.split(['"', ' ']).next().unwrap_or_default();
                if !ADDRESSES.contains(&path) {
                    wrong.push(format!("{}: nothing answers {path}", page.name));
                }
            }
            let known = match command {
                _ if command.contains("access.log") => &line,
                _ if command.contains("$ADMIN/requests") => &recorder,
                _ => continue,
            };
            for program in fields::programs(command) {
                let missing = fields::asked(program).into_iter().inspect(|_| asked += 1);
                let missing = missing.filter(|field| !known.contains(field));
                wrong.extend(missing.map(|f| format!("{}: no field {f} in {command}", page.name)));
                let codes = fields::codes(program).into_iter();
                let unknown = codes.filter(|code| code.parse::<Code>().is_err());
                wrong.extend(unknown.map(|code| format!("{}: no code {code}", page.name)));
            }
        }
    }
    assert!(asked > 200, "only {asked} fields were found");
    none(&wrong);
}
