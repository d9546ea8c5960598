//! The path of a call: `/package.Service/Method`. Does not know which services there are.

use std::fmt;

/// What is called. Both names are told apart by case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path<'a> {
    /// The service with its package, as in `helloworld.Greeter`.
    pub service: &'a str,
    /// Its method.
    pub method: &'a str,
}

/// Why a path calls no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin with a slash.
    NoSlash,
    /// It has one segment, or the second is empty.
    NoMethod,
    /// It has more than two segments.
    Segments,
    /// A name is empty, begins or ends with a dot, or has two in a row.
    Empty,
    /// A name has a character that names do not have.
    Character {
        /// Which byte.
        byte: u8,
        /// Where in the path, counted from 0.
        at: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path ")?;
        match self {
            Self::NoSlash => f.write_str("does not begin with a slash")?,
            Self::NoMethod => f.write_str("names no method")?,
            Self::Segments => f.write_str("has more than two segments")?,
            Self::Empty => {
                f.write_str("has an empty name, or one with dots in the wrong places")?
            }
            Self::Character { byte, at } => {
                write!(f, "has the byte {byte:#04x} at {at}, which is in no name")?;
            }
        }
        f.write_str(": a gRPC call is to /package.Service/Method")
    }
}

impl std::error::Error for Fault {}

/// Reads the path of a call, without a scheme or an authority before it.
///
/// Names are of letters, digits and `_`, as in protobuf, or of `-` and `~`, as other definition
/// languages may have them, with dots between. Nothing else, no query and nothing that is escaped:
/// who compares names must see the same ones as the server.
///
/// ```
/// # use weir_protocols::grpc::path;
/// let path = path::parse("/helloworld.Greeter/SayHello")?;
/// assert_eq!(path.service, "helloworld.Greeter");
/// assert_eq!(path.method, "SayHello");
/// # Ok::<(), path::Fault>(())
/// ```
///
/// # Errors
/// If `path` has any other form.
pub fn parse(path: &str) -> Result<Path<'_>, Fault> {
    let names = path.strip_prefix('/').ok_or(Fault::NoSlash)?;
    for (at, byte) in path.bytes().enumerate() {
        if !byte.is_ascii_alphanumeric() && !b"/._-~".contains(&byte) {
            return Err(Fault::Character { byte, at });
        }
    }
    let (service, method) = names.split_once('/').ok_or(Fault::NoMethod)?;
    if method.is_empty() {
        return Err(Fault::NoMethod);
    }
    if method.contains('/') {
        return Err(Fault::Segments);
    }
    // Dots alone would also be a way up or nowhere for who resolves paths.
    if service
        .split('.')
        .chain(method.split('.'))
        .any(str::is_empty)
    {
        return Err(Fault::Empty);
    }
    Ok(Path { service, method })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_and_method_are_read() {
        for (path, service, method) in [
            ("/a/b", "a", "b"),
            (
                "/grpc.health.v1.Health/Check",
                "grpc.health.v1.Health",
                "Check",
            ),
            ("/my-service.v1/do_it", "my-service.v1", "do_it"),
        ] {
            assert_eq!(parse(path), Ok(Path { service, method }));
        }
    }

    #[test]
    fn what_calls_nothing_is_told_why() {
        for (path, expected) in [
            ("", Fault::NoSlash),
            ("a/b", Fault::NoSlash),
            ("*", Fault::NoSlash),
            ("/", Fault::NoMethod),
            ("/a", Fault::NoMethod),
            ("/a/", Fault::NoMethod),
            ("/a/b/", Fault::Segments),
            ("/a/b/c", Fault::Segments),
            ("//b", Fault::Empty),
            ("/../b", Fault::Empty),
            ("/a/.", Fault::Empty),
            ("/a..b/c", Fault::Empty),
            ("/a/b?c", Fault::Character { byte: b'?', at: 4 }),
            ("/a/b%2Fc", Fault::Character { byte: b'%', at: 4 }),
            ("/\u{e4}/b", Fault::Character { byte: 0xc3, at: 1 }),
        ] {
            let fault = parse(path).expect_err(path);
            assert_eq!(fault, expected, "{path}");
            assert!(fault.to_string().ends_with("/package.Service/Method"));
        }
    }
}
