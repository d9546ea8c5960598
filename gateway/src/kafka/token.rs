//! The tokens by which OAUTHBEARER (RFC 7628) proves who a client is: JSON Web Tokens (RFC 7519), as a file
//! has them that somebody else keeps fresh. It believes what they say of themselves: brokers judge them.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use serde_json::Value;

/// The token that is in a file now.
pub(super) fn read(path: &Path) -> Result<OAuthToken, String> {
    let at = path.display();
    let token = std::fs::read_to_string(path).map_err(|error| format!("{at}: {error}"))?;
    parse(token.trim()).ok_or_else(|| {
        format!("{at}: this is no JSON Web Token that says whose it is (sub) and until when (exp)")
    })
}

fn parse(token: &str) -> Option<OAuthToken> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let expires = claims["exp"].as_f64().filter(|expires| *expires > 0.0)?;
    Some(OAuthToken {
        principal_name: claims["sub"].as_str()?.to_owned(),
        #[expect(clippy::cast_possible_truncation, reason = "of a moment far away")]
        lifetime_ms: (expires * 1000.0) as i64,
        token: token.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_says_whose_it_is_and_until_when() {
        let text = token(r#"{"sub": "alice", "exp": 1700000000.5}"#);
        let read = parse(&text).expect("a token");
        assert_eq!(
            (&*read.principal_name, read.lifetime_ms),
            ("alice", 1_700_000_000_500)
        );
        assert_eq!(read.token, text);
    }

    #[test]
    fn what_says_neither_is_none() {
        for bad in [
            "",
            "opaque",
            "a.b.c",
            &token("[]"),
            &token(r#"{"sub": "alice"}"#),
            &token(r#"{"exp": 1}"#),
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
