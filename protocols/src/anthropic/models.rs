//! The answer to `GET /v1/models`. Knows no model: the names are given, and all fit on one page.

use std::fmt;

use serde::Serialize;
use serde::ser::Serializer;

#[derive(Serialize)]
struct List<'a> {
    data: Vec<Model<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Model<'a> {
    #[serde(rename = "type")]
    sort: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: Date,
    lifecycle: &'static str,
}

/// Appends the list of `names` to `out`. Each is its own display name, and was released at
/// `created`, in seconds since the Unix epoch.
pub fn write<'a>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'a str>, created: u64) {
    let models = names.into_iter().map(|name| Model {
        sort: "model",
        id: name,
        display_name: name,
        created_at: Date(created),
        lifecycle: "active",
    });
    let data: Vec<_> = models.collect();
    let list = List {
        first_id: data.first().map(|model| model.id),
        last_id: data.last().map(|model| model.id),
        has_more: false,
        data,
    };
    serde_json::to_writer(out, &list).expect("strings always serialise into a Vec");
}

/// Seconds since the Unix epoch, written as RFC 3339 in UTC.
struct Date(u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: u64 = 24 * 60 * 60;
        // Days are counted from 1 March of the year 0, so that a leap day is the last of its year;
        // 400 years have always as many days.
        const TO_EPOCH: u64 = 719_468;
        const CYCLE: u64 = 146_097;
        let days = self.0 / DAY + TO_EPOCH;
        let (cycle, day) = (days / CYCLE, days % CYCLE);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = year + cycle * 400 + next;
        let second = self.0 % DAY;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_becomes_a_model() {
        let mut out = Vec::new();
        write(&mut out, ["smart", "a\"b"], 1_750_000_000);
        assert_eq!(
            String::from_utf8_lossy(&out),
            concat!(
                r#"{"data":[{"type":"model","id":"smart","display_name":"smart","#,
                r#""created_at":"2025-06-15T15:06:40Z","lifecycle":"active"},"#,
                r#"{"type":"model","id":"a\"b","display_name":"a\"b","#,
                r#""created_at":"2025-06-15T15:06:40Z","lifecycle":"active"}],"#,
                r#""has_more":false,"first_id":"smart","last_id":"a\"b"}"#
            )
        );
        out.clear();
        write(&mut out, [], 0);
        assert_eq!(
            out,
            br#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Date(seconds).to_string(), date);
        }
    }
}
