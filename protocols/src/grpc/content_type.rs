//! `application/grpc` and its kin: on which wire a body is, and in which format its messages are.
//! Does not know what a format is.

/// How calls are put into HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// gRPC over HTTP/2, with trailers.
    Native,
    /// gRPC-Web: trailers are a frame at the end of the body.
    Web,
    /// gRPC-Web whose body is base64.
    WebText,
}

impl Wire {
    const fn essence(self) -> &'static str {
        match self {
            Self::Native => "application/grpc",
            Self::Web => "application/grpc-web",
            Self::WebText => "application/grpc-web-text",
        }
    }
}

/// A media type of gRPC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType<'a> {
    /// The wire.
    pub wire: Wire,
    /// The format of messages, as in `+proto`. None said is protobuf.
    pub format: Option<&'a str>,
}

impl<'a> ContentType<'a> {
    /// Reads a media type, also one of those in `Accept`. Parameters are not looked at. `None` if it
    /// is not gRPC's.
    ///
    /// ```
    /// # use weir_protocols::grpc::content_type::{ContentType, Wire};
    /// let sent = ContentType::parse("application/grpc-web-text+json").expect("it is gRPC's");
    /// assert_eq!(sent.wire, Wire::WebText);
    /// assert_eq!(sent.on(Wire::Native), "application/grpc+json");
    /// ```
    pub fn parse(value: &'a str) -> Option<Self> {
        let (essence, _) = value.split_once(';').unwrap_or((value, ""));
        let essence = essence.trim_matches([' ', '\t']);
        let (name, format) = match essence.split_once('+') {
            Some((name, format)) => (name, Some(format)),
            None => (essence, None),
        };
        // It goes into the header of another request.
        let is_sound = |format: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
            !format.is_empty() && format.bytes().all(allowed)
        };
        if !format.is_none_or(is_sound) {
            return None;
        }
        let wires = [
            ("application/grpc", Wire::Native),
            ("application/grpc-web", Wire::Web),
            ("application/grpc-web-text", Wire::WebText),
            // As the specification also spells it.
            ("application/grpc-web-text-base64", Wire::WebText),
        ];
        let (_, wire) = wires
            .into_iter()
            .find(|(wire, _)| name.eq_ignore_ascii_case(wire))?;
        Some(Self { wire, format })
    }

    /// The media type of the same messages on another wire.
    pub fn on(self, wire: Wire) -> String {
        let essence = wire.essence();
        match self.format {
            Some(format) => format!("{essence}+{format}"),
            None => essence.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_and_format_are_read() {
        for (value, wire, format) in [
            ("application/grpc", Wire::Native, None),
            ("application/grpc+proto", Wire::Native, Some("proto")),
            ("Application/gRPC-Web; charset=utf-8", Wire::Web, None),
            ("application/grpc-web+json ;a=b", Wire::Web, Some("json")),
            ("application/grpc-web-text", Wire::WebText, None),
            ("application/grpc-web-text-base64", Wire::WebText, None),
            (
                "application/grpc-web-text+proto",
                Wire::WebText,
                Some("proto"),
            ),
        ] {
            let read = ContentType::parse(value);
            assert_eq!(read, Some(ContentType { wire, format }), "{value}");
        }
    }

    #[test]
    fn what_is_not_grpcs_is_not_read() {
        for value in [
            "",
            "application/json",
            "application/grpcx",
            "application/grpc-websocket",
            "application/grpc+",
            "application/grpc+a b",
            "application/grpc+a\r\nb",
            "text/application/grpc",
        ] {
            assert_eq!(ContentType::parse(value), None, "{value}");
        }
    }
}
