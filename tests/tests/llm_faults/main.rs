//! Every way in which a provider fails, in front of every kind of call: `docs/faults.md` is what is
//! expected. Its tables are read here and held against a running gateway, so that they cannot drift.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod caller;
mod failing;
mod table;

use std::collections::HashMap;

use failing::{Failing, WORD};
use serde_json::Value;
use weir_tests::models::{Dialect, Said};
use weir_tests::wire::Response;
use weir_tests::{Gateway, Upstream};

use caller::Caller;

/// What the prompt of every call comes to, in tokens.
const PROMPT: u64 = 8;
/// What the second target says that it used.
const SECOND: u64 = 11 + 4;

/// One call, and the row of the table that tells how it ends.
struct Cell {
    /// The model it asks for, which is its own.
    model: String,
    row: Row,
    stream: bool,
    /// Whether there is a second target.
    more: bool,
}

/// A row of the first table.
#[derive(Clone)]
struct Row {
    failure: String,
    status: u16,
    code: String,
    retry_after: String,
    charged: String,
    second: String,
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for row in table::below("Calls of chat completions") {
        let [failure, answer, status, code, retry_after, charged, second] =
            <[String; 7]>::try_from(row).unwrap();
        let row = Row {
            failure,
            status: status.parse().unwrap(),
            code,
            retry_after,
            charged,
            second,
        };
        for answer in answer.split(", ") {
            let stream = match answer {
                "whole" => false,
                "streamed" => true,
                _ => panic!("{answer:?} is no kind of answer"),
            };
            for more in [false, true] {
                cells.push(Cell {
                    model: format!("model-{}", cells.len()),
                    row: row.clone(),
                    stream,
                    more,
                });
            }
        }
    }
    cells
}

/// A gateway with a provider and a model of its own for each cell, so that none learns from another.
async fn gateway(cells: &[(&str, &str, bool)], failing: &Failing, second: &Upstream) -> Gateway {
    let (mut providers, mut models, mut names) = (String::new(), String::new(), Vec::new());
    for (model, failure, more) in cells {
        let fails = failing.provider(failure);
        providers.push_str(&format!("  - {{ name: of-{model}, {fails} }}\n"));
        let other = match more {
            true => format!(", {{ provider: second, model: {model} }}"),
            false => String::new(),
        };
        models.push_str(&format!(
            "  - {{ name: {model}, targets: [{{ provider: of-{model}, model: {model} }}{other}] }}\n"
        ));
        names.push(*model);
    }
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
providers:
  - {{ name: second, dialect: anthropic, base_url: "{}" }}
{providers}models:
{models}quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 1000000 }}, window: {{ kind: fixed, every: day }}, by: [model] }}
routes:
  - name: models
    matches: [{{ path: {{ prefix: / }} }}]
    policies: [{{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [{}] }}
"#,
        second.url(""),
        names.join(", ")
    ))
    .await
}

async fn second() -> Upstream {
    let said = Said {
        pieces: vec!["The second ".to_owned(), "says it.".to_owned()],
        call: None,
        usage: (11, 4),
    };
    Upstream::start(Dialect::Anthropic.says(said)).await
}

#[tokio::test]
async fn what_the_page_says_of_calls_is_what_happens() {
    let cells = cells();
    let scripts = cells.iter().map(|cell| {
        let script = (cell.row.failure.clone(), cell.stream);
        (cell.model.clone(), script)
    });
    let failing = Failing::start(scripts.collect::<HashMap<_, _>>()).await;
    let second = second().await;
    let entries: Vec<_> = cells
        .iter()
        .map(|cell| (&*cell.model, &*cell.row.failure, cell.more))
        .collect();
    let gateway = gateway(&entries, &failing, &second).await;
    for cell in &cells {
        let kind = if cell.stream { "streamed" } else { "whole" };
        let who = format!("{}, {kind}, a second: {}", cell.row.failure, cell.more);
        let request = Caller::Chat.request(&cell.model, cell.stream);
        let body = request.1.len() as u64;
        let answer = Caller::Chat.ask(gateway.addr("public"), &request).await;
        let asked = second
            .requests()
            .iter()
            .filter(|r| r.json()["model"] == *cell.model)
            .count();
        let answered = cell.more && cell.row.second == "it answers";
        assert_eq!(asked, usize::from(answered), "{who}");
        if answered {
            is_the_seconds(&answer, cell, &who);
        } else {
            failed(&answer, cell, &who);
        }
        let charged = match &*cell.row.charged {
            _ if answered => SECOND,
            "nothing" => 0,
            "the reservation" => body + caller::LIMIT,
            "the prompt" => PROMPT,
            // The word is a token.
            "what was said" => PROMPT + 1,
            other => panic!("{who}: {other:?} is no charge"),
        };
        let code = if answered { "" } else { &*cell.row.code };
        recorded(&gateway, &answer, &cell.model, (code, charged), &who).await;
    }
}

fn is_the_seconds(answer: &Response, cell: &Cell, who: &str) {
    assert_eq!(answer.status, 200, "{who}: {}", answer.text());
    assert_eq!(answer.broken, None, "{who}: {}", answer.text());
    assert_eq!(answer.header("weir-provider"), Some("second"), "{who}");
    assert_eq!(answer.header("weir-error"), None, "{who}");
    let text = Caller::Chat.text(answer, cell.stream);
    assert_eq!(text, "The second says it.", "{who}");
}

fn failed(answer: &Response, cell: &Cell, who: &str) {
    let Row {
        status,
        code,
        retry_after,
        ..
    } = &cell.row;
    assert_eq!(answer.status, *status, "{who}: {}", answer.text());
    let error = if answer.status == 200 {
        // What was said before is not lost, and there is no clean end.
        assert!(answer.broken.is_some(), "{who}: {}", answer.text());
        assert_eq!(Caller::Chat.text(answer, true), WORD, "{who}");
        assert!(!answer.text().contains("[DONE]"), "{who}");
        Caller::Chat.last(answer)["error"].clone()
    } else {
        assert_eq!(answer.broken, None, "{who}");
        let given = answer.header("weir-error").unwrap_or_default();
        assert_eq!(given, code, "{who}");
        let given = answer.header("retry-after").unwrap_or_default();
        assert_eq!(given, retry_after, "{who}");
        answer.json()["error"].clone()
    };
    assert!(error["type"].is_string(), "{who}: {error}");
    if !code.is_empty() {
        assert_eq!(error["code"], **code, "{who}");
    }
}

/// The access log and the quota say what the page says.
async fn recorded(
    gateway: &Gateway,
    answer: &Response,
    model: &str,
    (code, charged): (&str, u64),
    who: &str,
) {
    let id = answer.header("x-request-id").unwrap().to_owned();
    let line = gateway.wait_for_log(|line| line["request_id"] == *id).await;
    let said = line["error.type"].as_str().unwrap_or_default();
    assert_eq!(said, code, "{who}: {line}");
    assert_eq!(line["weir.quotas"][0]["used"], charged, "{who}: {line}");
    let stands = gateway
        .admin(&format!("/quotas/tokens/{model}"))
        .await
        .json();
    let standing = (&stands["used"], &stands["reserved"], &stands["debt"]);
    let expected = [charged, 0, 0].map(Value::from);
    assert_eq!(
        standing,
        (&expected[0], &expected[1], &expected[2]),
        "{who}: {stands}"
    );
}

#[tokio::test]
async fn what_the_page_says_of_callers_words_is_what_they_read() {
    let rows = table::below("In the caller's words");
    let mut calls = Vec::new();
    for row in &rows {
        for (caller, word) in Caller::ALL.into_iter().zip(&row[1..]) {
            calls.push((format!("model-{}", calls.len()), &row[0], caller, word));
        }
    }
    let scripts = calls.iter().map(|(model, failure, ..)| {
        let script = ((*failure).clone(), true);
        (model.clone(), script)
    });
    let failing = Failing::start(scripts.collect()).await;
    let entries: Vec<_> = calls
        .iter()
        .map(|(model, failure, ..)| (&**model, &***failure, false))
        .collect();
    let gateway = gateway(&entries, &failing, &second().await).await;
    for (model, failure, caller, word) in &calls {
        let who = format!("{caller:?}, {failure}");
        let request = caller.request(model, true);
        let answer = caller.ask(gateway.addr("public"), &request).await;
        let told = match answer.status {
            200 => {
                assert!(answer.broken.is_some(), "{who}: {}", answer.text());
                assert!(answer.text().contains(WORD), "{who}: {}", answer.text());
                caller.last(&answer)
            }
            _ => answer.json(),
        };
        assert_eq!(caller.kind(&told), **word, "{who}: {told}");
    }
}
