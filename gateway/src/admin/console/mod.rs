//! The console: one page for people, of three files that came with the binary. What it shows it asks of the
//! other paths of the admin address, under their token; the page itself holds nothing and needs none.

use http::StatusCode;

use super::Answer;

/// One of its files, if that is what stands under the path.
pub(super) fn show(path: &str) -> Option<Answer> {
    let (content_type, text) = match path {
        "/" => ("text/html; charset=utf-8", include_str!("console.html")),
        "/console.css" => ("text/css; charset=utf-8", include_str!("console.css")),
        "/console.js" => ("text/javascript; charset=utf-8", include_str!("console.js")),
        "/console-page.js" => (
            "text/javascript; charset=utf-8",
            include_str!("console-page.js"),
        ),
        _ => return None,
    };
    Some(Answer {
        status: StatusCode::OK,
        content_type,
        body: text.into(),
    })
}
