//! Requests and the messages they are.

use crate::fixture::{call, call_in, frames_of, messages, same, table, with_rule};

/// The one message of a request, or what is wrong with it.
fn one(method: &str, target: &str, body: &str) -> Result<String, String> {
    let called = call(&table(), method, target, body).map_err(|fault| fault.to_string())?;
    let [message] = called.try_into().expect("it is one message");
    Ok(message)
}

#[track_caller]
fn makes(method: &str, target: &str, body: &str, expected: &str) {
    same(&one(method, target, body).expect(target), expected);
}

#[test]
fn path_query_and_body_make_one_message() {
    let book = "/v1/shelves/1/books/2";
    makes("GET", book, "", r#"{"name":"shelves/1/books/2"}"#);
    makes(
        "GET",
        "/v1/books/a%2Fb?deep=true",
        "",
        r#"{"name":"a/b","deep":true}"#,
    );
    makes(
        "POST",
        "/v1/shelves/1/books?request_id=a+b%26",
        r#"{"title":"T","pageCount":3,"authors":[{"name":"A","born":"1900"}]}"#,
        r#"{"parent":"shelves/1","requestId":"a b&",
            "book":{"title":"T","pageCount":3,"authors":[{"name":"A","born":"1900"}]}}"#,
    );
    // The path has the last word.
    makes(
        "PATCH",
        book,
        r#"{"book":{"name":"other","title":"T"},"request_id":"r"}"#,
        r#"{"book":{"name":"shelves/1/books/2","title":"T"},"requestId":"r"}"#,
    );
    makes(
        "POST",
        "/v1/shelves/1/books/2:publish",
        "",
        r#"{"name":"shelves/1/books/2"}"#,
    );
    makes(
        "POST",
        "/v1/shelves/1/books",
        "null",
        r#"{"parent":"shelves/1"}"#,
    );
    makes(
        "POST",
        "/library.Library/GetBook",
        r#"{"name":"n"}"#,
        r#"{"name":"n"}"#,
    );
}

/// Of a query and of JSON the same message.
#[test]
fn parameters_are_values_of_every_kind() {
    for (query, json) in [
        ("f64=-1.5e3", r#"{"f64":-1500.0}"#),
        ("f64=NaN", r#"{"f64":"NaN"}"#),
        ("f64=-Infinity", r#"{"f64":"-Infinity"}"#),
        (
            "f64=8.222222222222223e85",
            r#"{"f64":8.222222222222223e85}"#,
        ),
        ("f32=0.5", r#"{"f32":0.5}"#),
        (
            "i32=-2147483648&u32=4294967295",
            r#"{"i32":-2147483648,"u32":4294967295}"#,
        ),
        (
            "i64=-9223372036854775808",
            r#"{"i64":"-9223372036854775808"}"#,
        ),
        (
            "u64=18446744073709551615",
            r#"{"u64":"18446744073709551615"}"#,
        ),
        (
            "s32=-1&s64=-2&x32=3&x64=4&y32=-5&y64=-6",
            r#"{"s32":-1,"s64":"-2","x32":3,"x64":"4","y32":-5,"y64":"-6"}"#,
        ),
        ("truth=true", r#"{"truth":true}"#),
        ("truth=false", "{}"),
        ("text=", "{}"),
        ("text", "{}"),
        ("text=a%3Db=c", r#"{"text":"a=b=c"}"#),
        ("blob=aGk=", r#"{"blob":"aGk="}"#),
        ("blob=_-8", r#"{"blob":"/+8="}"#),
        ("genre=POETRY", r#"{"genre":"POETRY"}"#),
        ("genre=2", r#"{"genre":"PROSE"}"#),
        ("genre=77", r#"{"genre":77}"#),
        ("genres=PROSE&genres=1", r#"{"genres":["PROSE","POETRY"]}"#),
        ("texts=a&texts=b&&texts=a", r#"{"texts":["a","b","a"]}"#),
        (
            "numbers=2&text=x&numbers=1",
            r#"{"numbers":[2,1],"text":"x"}"#,
        ),
        (
            "inner.inner.text=x&inner.i32=1",
            r#"{"inner":{"inner":{"text":"x"},"i32":1}}"#,
        ),
        (
            "book.page_count=3&book.title=T",
            r#"{"book":{"pageCount":3,"title":"T"}}"#,
        ),
        ("book.pageCount=3", r#"{"book":{"pageCount":3}}"#),
        ("number=0", r#"{"number":0}"#),
        ("chosen.title=T", r#"{"chosen":{"title":"T"}}"#),
        ("some=0", r#"{"some":0}"#),
        (
            "at=2024-05-01T12:00:00.5%2B02:00",
            r#"{"at":"2024-05-01T10:00:00.500Z"}"#,
        ),
        ("during=-1.5s", r#"{"during":"-1.500s"}"#),
        (
            "mask=title,author.bornAt",
            r#"{"mask":"title,author.bornAt"}"#,
        ),
        ("mask=page_count", r#"{"mask":"pageCount"}"#),
        (
            "maybe=5&perhaps=false&said=",
            r#"{"maybe":"5","perhaps":false,"said":""}"#,
        ),
        ("ratio=0.25&raw=aGk", r#"{"ratio":0.25,"raw":"aGk="}"#),
        (
            "times=2024-05-01T12:00:00Z",
            r#"{"times":["2024-05-01T12:00:00Z"]}"#,
        ),
    ] {
        makes("SEARCH", &format!("/v1/everything?{query}"), "", json);
        makes("POST", "/library.Echo/Everything", json, json);
    }
}

#[test]
fn a_wrong_parameter_is_named_with_what_it_should_be() {
    for (query, expected) in [
        (
            "nothing=1",
            "in the query, `nothing` is no field that can be set here",
        ),
        ("book.nothing=1", "`book.nothing` is no field"),
        ("text.more=1", "`text.more` is no field"),
        ("book=1", "`book` is no field"),
        ("counts=1", "`counts` is no field"),
        ("counts.a=1", "`counts.a` is no field"),
        ("by_id.value.name=1", "`by_id.value.name` is no field"),
        ("loose=1", "`loose` is no field"),
        ("packed=1", "`packed` is no field"),
        ("=1", "`` is no field"),
        (".=1", "`.` is no field"),
        ("i32=x", "`i32` is to be a whole number of 32 bits"),
        ("i32=", "`i32` is to be a whole number of 32 bits"),
        ("i32=2147483648", "`i32` is to be a whole number of 32 bits"),
        (
            "u32=-1",
            "`u32` is to be a whole number of 32 bits, not negative",
        ),
        (
            "u64=18446744073709551616",
            "`u64` is to be a whole number of 64 bits, not negative",
        ),
        ("f64=1e999", "`f64` is to be a number"),
        ("f64=inf", "`f64` is to be a number"),
        ("f64=nan", "`f64` is to be a number"),
        ("f32=1e39", "`f32` is to be a number that 32 bits can hold"),
        ("ratio=1e999", "`ratio` is to be a number"),
        ("truth=yes", "`truth` is to be true or false"),
        ("blob=*", "`blob` is to be a text in base64"),
        (
            "genre=DRAMA",
            "`genre` is to be one of GENRE_UNSPECIFIED, POETRY, PROSE, or its number",
        ),
        ("numbers=1&numbers=x", "`numbers` is to be a whole number"),
        (
            "at=yesterday",
            "`at` is to be a time like 2024-05-01T12:00:00Z",
        ),
        ("at=99999-05-01T12:00:00Z", "`at` is to be a time"),
        (
            "during=1",
            "`during` is to be a time span in seconds like 1.5s",
        ),
        (
            "during=99999999999999999999s",
            "`during` is to be a time span",
        ),
        ("mask=a%20b", "`mask` is to be names of fields"),
        ("perhaps=1", "`perhaps` is to be true or false"),
        ("maybe=x", "`maybe` is to be a whole number of 64 bits"),
        ("text=a&text=b", "`text` is there more than once"),
        (
            "book.pageCount=1&book.page_count=1",
            "`book.page_count` is there more than once",
        ),
        (
            "word=a&number=1",
            "`number` cannot be there together with another field",
        ),
        (
            "word=a&chosen.title=1",
            "`chosen.title` cannot be there together",
        ),
        ("text=%", "`text` has an escape that is none"),
        ("text=%ff", "`text` has an escape that is none"),
        ("%zz=1", "`%zz` has an escape that is none"),
    ] {
        let fault = one("SEARCH", &format!("/v1/everything?{query}"), "").expect_err(query);
        assert!(fault.starts_with("in the query, "), "{query}: {fault}");
        assert!(fault.contains(expected), "{query}: {fault}");
    }
    let many = format!("/v1/everything?{}", "texts=a&".repeat(1001));
    let fault = one("SEARCH", &many, "").expect_err("too many");
    assert!(
        fault.ends_with("one more than the 1000 parameters allowed"),
        "{fault}"
    );
    let deep = format!("/v1/everything?{}text=a", "inner.".repeat(1000));
    let fault = one("SEARCH", &deep, "").expect_err("too deep");
    assert!(
        fault.len() < 150 && fault.contains("is no field"),
        "{fault}"
    );
}

#[test]
fn what_the_path_or_the_body_says_the_query_does_not() {
    for (method, target, expected) in [
        (
            "GET",
            "/v1/books/a?name=b",
            "`name` is said by the path or the body already",
        ),
        (
            "POST",
            "/v1/shelves/1/books?parent=b",
            "`parent` is said by",
        ),
        (
            "POST",
            "/v1/shelves/1/books?book.title=b",
            "`book.title` is said by",
        ),
        (
            "POST",
            "/v1/shelves/1/books/2:publish?deep=true",
            "`deep` is said by",
        ),
    ] {
        let fault = one(method, target, "").expect_err(target);
        assert!(fault.contains(expected), "{target}: {fault}");
    }
}

#[test]
fn a_wrong_path_is_named_with_what_it_should_be() {
    let table = with_rule(r#"get: "/{i32}/{inner.genre}/{text}""#).expect("it fits");
    for (path, expected) in [
        (
            "/x/POETRY/a",
            "in the path, `i32` is to be a whole number of 32 bits",
        ),
        ("/1/DRAMA/a", "in the path, `inner.genre` is to be one of"),
        (
            "/1/POETRY/%ff",
            "in the path, `text` has an escape that is none",
        ),
    ] {
        let fault = call(&table, "GET", path, "").expect_err(path);
        assert!(fault.to_string().starts_with(expected), "{fault}");
    }
}

#[test]
fn a_wrong_body_is_named_with_what_it_should_be() {
    for (body, expected) in [
        (
            "{",
            "in the body, column 1, something is no JSON: EOF while parsing an object",
        ),
        ("{}}", "something is no JSON: trailing characters"),
        ("{\"i32\":1,}", "something is no JSON: trailing comma"),
        ("\u{0}", "something is no JSON"),
        (
            "[]",
            "something is to be an object with fields of library.Everything",
        ),
        (
            "1",
            "something is to be an object with fields of library.Everything",
        ),
        (
            r#"{"nothing":1}"#,
            "`nothing` is no field that can be set here",
        ),
        (r#"{"book":{"nothing":1}}"#, "`book.nothing` is no field"),
        (
            r#"{"byId":{"7":{"nothing":1}}}"#,
            "`byId.7.nothing` is no field",
        ),
        (
            "{\n\"i32\":\n\"x\"}",
            "in the body, line 3, column 3, `i32` is to be a whole number of 32 bits",
        ),
        (
            r#"{"i32":2147483648}"#,
            "`i32` is to be a whole number of 32 bits",
        ),
        (r#"{"i32":1.5}"#, "`i32` is to be a whole number of 32 bits"),
        (
            r#"{"u64":-1}"#,
            "`u64` is to be a whole number of 64 bits, not negative",
        ),
        (
            r#"{"f64":1e999}"#,
            "something is no JSON: number out of range",
        ),
        (
            r#"{"f32":1e39}"#,
            "`f32` is to be a number that 32 bits can hold",
        ),
        (r#"{"truth":"true"}"#, "`truth` is to be true or false"),
        (r#"{"text":1}"#, "`text` is to be a text"),
        (r#"{"blob":"*"}"#, "`blob` is to be a text in base64"),
        (
            r#"{"genre":"DRAMA"}"#,
            "`genre` is to be one of GENRE_UNSPECIFIED, POETRY, PROSE",
        ),
        (
            r#"{"texts":"a"}"#,
            "`texts` is to be an array, each of it a text",
        ),
        (r#"{"texts":["a",1]}"#, "`texts[1]` is to be a text"),
        (
            r#"{"book":{"authors":[{"born":true}]}}"#,
            "`book.authors[0].born` is to be a whole number of 64",
        ),
        (
            r#"{"counts":[]}"#,
            "`counts` is to be an object with a value for each key",
        ),
        (
            r#"{"counts":{"a":"b"}}"#,
            "`counts.a` is to be a whole number of 32 bits",
        ),
        (r#"{"byId":{"x":{}}}"#, "`byId` is to be an object"),
        (
            r#"{"book":[]}"#,
            "`book` is to be an object with fields of library.Book",
        ),
        (r#"{"word":"a","number":1}"#, "cannot be there together"),
        (r#"{"at":"yesterday"}"#, "`at` is to be a time like"),
        (r#"{"at":5}"#, "`at` is to be a time like"),
        (
            r#"{"packed":{"@type":"type.googleapis.com/no.Such"}}"#,
            "`packed` is to be an object with its type",
        ),
        (
            r#"{"packed":{}}"#,
            "`packed` is to be an object with its type",
        ),
    ] {
        let fault = one("POST", "/library.Echo/Everything", body).expect_err(body);
        assert!(fault.starts_with("in the body, "), "{body}: {fault}");
        assert!(fault.contains(expected), "{body}: {fault}");
    }
    // Where the body is a field, that is named too; and it cannot be more than that field.
    for (body, expected) in [
        (
            r#"{"pageCount":"x"}"#,
            "in the body, line 1, column 16, `book.pageCount` is to be",
        ),
        (r#"{"nothing":1}"#, "`book.nothing` is no field"),
        ("7", "`book` is to be an object with fields of library.Book"),
        (
            r#"{},"requestId":"x""#,
            "something is no JSON: trailing characters",
        ),
    ] {
        let fault = one("POST", "/v1/shelves/1/books", body).expect_err(body);
        let expected = expected.replace("line 1, ", "");
        assert!(fault.contains(&expected), "{body}: {fault}");
    }
    let fault = one("GET", "/v1/books/a", "{}").expect_err("it has no body");
    assert_eq!(
        fault,
        "in the body, something is sent where the method takes no body"
    );
}

#[test]
fn no_fault_repeats_a_value() {
    for body in [
        r#"{"i32":"hunter2"}"#,
        r#"{"genre":"hunter2"}"#,
        r#"{"truth":"hunter2"}"#,
        r#"{"at":"hunter2"}"#,
        r#"{"texts":"hunter2"}"#,
        r#"{"text":"hunter2"#,
        r#"{"packed":{"@type":"type.googleapis.com/hunter2"}}"#,
    ] {
        let fault = call(&table(), "POST", "/library.Echo/Everything", body).expect_err(body);
        assert!(
            !format!("{fault} {fault:?}").contains("hunter2"),
            "{fault:?}"
        );
    }
    let target = "/v1/everything?i32=hunter2";
    let fault = call(&table(), "SEARCH", target, "").expect_err(target);
    assert!(
        !format!("{fault} {fault:?}").contains("hunter2"),
        "{fault:?}"
    );
}

#[test]
fn a_stream_of_lines_is_one_message_each_wherever_it_is_cut() {
    let table = table();
    let target = "/v1/shelves/1/books:import?request_id=r";
    let body = "{\"title\":\"one\"}\n\r\n \n{\"title\":\r\"two\"}\r\n{\"pageCount\":3}".as_bytes();
    let whole = frames_of(&table, "POST", target, &[body], 100).expect("it is sound");
    let shown = call_in(&table, "POST", target, &[body], 100).expect("it is sound");
    let shown = shown.iter().map(String::as_str);
    let expected = [
        r#"{"title":"one"}"#,
        r#"{"title":"two"}"#,
        r#"{"pageCount":3}"#,
    ];
    assert_eq!(shown.len(), expected.len());
    for (shown, book) in shown.zip(expected) {
        same(
            shown,
            &format!(r#"{{"parent":"shelves/1","requestId":"r","book":{book}}}"#),
        );
    }
    for at in 0..=body.len() {
        let (before, after) = body.split_at(at);
        let cut = frames_of(&table, "POST", target, &[before, after], 100);
        assert_eq!(cut.as_ref(), Ok(&whole), "cut at {at}");
    }
    let dripped: Vec<_> = body.chunks(1).collect();
    assert_eq!(frames_of(&table, "POST", target, &dripped, 100), Ok(whole));
    assert_eq!(call(&table, "POST", target, "\n\n"), Ok(Vec::new()));
    let fault = call(&table, "POST", target, "{}\n\n{\"title\":1}\n{}").expect_err("it is wrong");
    let expected = "in the body, message 2, column 10, `book.title` is to be a text";
    assert_eq!(fault.to_string(), expected);
}

#[test]
fn more_than_allowed_is_refused_however_it_is_cut() {
    let table = table();
    let body = r#"{"name":"1234567890"}"#.as_bytes();
    let unary = "/library.Library/GetBook";
    assert!(frames_of(&table, "POST", unary, &[body], 21).is_ok());
    let stream = "/v1/shelves/1/books:import";
    for (target, body) in [(unary, body), (stream, &[b"{}\n", body].concat())] {
        for chunks in [
            vec![body],
            body.chunks(1).collect(),
            body.chunks(7).collect(),
        ] {
            let fault = frames_of(&table, "POST", target, &chunks, 20).expect_err("too long");
            assert!(
                fault
                    .to_string()
                    .ends_with("is longer than the 20 bytes allowed"),
                "{fault}"
            );
        }
    }
}

#[test]
fn a_raw_body_goes_into_a_message_as_it_is() {
    let table = table();
    let target = "/v1/books/7/page?number=3";
    let shown = call_in(&table, "POST", target, &[b"h", b"i"], 10).expect("it is sound");
    same(
        &shown[0],
        r#"{"name":"books/7","number":3,"body":{"contentType":"text/plain","data":"aGk="}}"#,
    );
    let frames = |chunks: &[&[u8]]| frames_of(&table, "POST", "/v1/pages", chunks, 3);
    let frames = frames(&[b"ab", b"", b"cdefg"]).expect("it is sound");
    let expected = [
        &b"\x0a\x0atext/plain\x12\x02ab"[..],
        b"\x12\x03cde",
        b"\x12\x02fg",
    ];
    assert_eq!(messages(&frames), expected);
    // What is empty is one that says what it would have been.
    let frames = frames_of(&table, "POST", "/v1/pages", &[], 3).expect("it is sound");
    assert_eq!(messages(&frames), [b"\x0a\x0atext/plain"]);
}
