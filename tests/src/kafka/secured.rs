//! A Kafka that knows its clients: by SASL (PLAIN, SCRAM, OAUTHBEARER) at one listener and by certificates at
//! another, and lets each do what it was allowed. `gateway`, and who comes without credentials, at the listener
//! the harness uses, may do everything.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use super::{Further, Kafka};
use crate::ports;
use crate::scratch::Scratch;
use crate::tls::{Authority, Validity};

/// The password of every principal that has one.
pub const PASSWORD: &str = "correct-horse";

/// The running broker.
#[derive(Debug)]
pub struct Secured {
    kafka: Kafka,
    dir: Scratch,
    authority: PathBuf,
    sasl: u16,
    tls: u16,
}

/// What a principal may do.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    /// Read records.
    Read = 3,
    /// Write records.
    Write = 4,
}

impl Secured {
    /// The broker all tests of this binary share. It knows `plain` by PLAIN, `scram256` and `scram512` by
    /// SCRAM, and whoever has a [token](Self::token) or a [certificate](Self::certificate).
    pub async fn shared() -> &'static Secured {
        static SHARED: OnceCell<Secured> = OnceCell::const_new();
        SHARED.get_or_init(Secured::start).await
    }

    async fn start() -> Secured {
        let dir = Scratch::new("kafka-secured");
        let issuer = Authority::new();
        let authority = issuer.write(dir.path(), "authority.pem");
        let server = issuer.issue(&["localhost", "127.0.0.1"], Validity::Current);
        // What Kafka takes as one file.
        let store = dir.write("server.pem", [server.key, server.certificate].concat());
        let client = issuer.issue(&["certified"], Validity::Current);
        client.write(dir.path(), "certified");
        let (sasl, tls) = (ports::free(), ports::free());
        let scram = |number| {
            let of = format!("SCRAM-SHA-{number}=[name=scram{number},password={PASSWORD}]");
            ["--add-scram".to_owned(), of]
        };
        let further = Further {
            listeners: format!(",SASL://127.0.0.1:{sasl},TLS://127.0.0.1:{tls}"),
            protocols: ",SASL:SASL_PLAINTEXT,TLS:SSL".to_owned(),
            properties: format!(
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 super.users=User:ANONYMOUS;User:gateway\n\
                 listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER\n\
                 listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_plain=\"{PASSWORD}\" user_second=\"{PASSWORD}\";\n\
                 listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
                 listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
                 listener.name.sasl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";\n\
                 listener.name.tls.ssl.client.auth=required\n\
                 listener.name.tls.ssl.keystore.type=PEM\n\
                 listener.name.tls.ssl.keystore.location={}\n\
                 listener.name.tls.ssl.truststore.type=PEM\n\
                 listener.name.tls.ssl.truststore.location={}\n\
                 listener.name.tls.ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/\n",
                store.display(),
                authority.display()
            ),
            arguments: [scram(256), scram(512)].concat(),
        };
        Secured {
            kafka: Kafka::start_with(&further).await,
            dir,
            authority,
            sasl,
            tls,
        }
    }

    /// The broker, as who may do everything.
    pub const fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    /// Where clients say who they are by SASL.
    pub fn sasl(&self) -> String {
        format!("127.0.0.1:{}", self.sasl)
    }

    /// Where they do by certificates.
    pub fn tls(&self) -> String {
        format!("127.0.0.1:{}", self.tls)
    }

    /// By whom certificates are signed.
    pub const fn authority(&self) -> &PathBuf {
        &self.authority
    }

    /// The certificate of `certified`, and its key.
    pub fn certificate(&self) -> (PathBuf, PathBuf) {
        let file = |name| self.dir.path().join(name);
        (file("certified.pem"), file("certified.key"))
    }

    /// A file with a token of a principal, which nobody has signed: this broker believes it.
    ///
    /// # Panics
    /// If the clock is before 1970.
    pub fn token(&self, principal: &str) -> PathBuf {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("it is after 1970").as_secs();
        let claims = format!(
            r#"{{"sub":"{principal}","iat":{now},"exp":{}}}"#,
            now + 3600
        );
        let part = |text: &str| {
            let base64 = openssl::base64::encode_block(text.as_bytes());
            base64
                .trim_end_matches('=')
                .replace('+', "-")
                .replace('/', "_")
        };
        let token = format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims));
        self.dir.write(&format!("{principal}.jwt"), token)
    }

    /// Lets a principal do something with a topic.
    ///
    /// # Panics
    /// If the broker does not take it.
    pub async fn allow(&self, principal: &str, operations: &[Operation], topic: &str) {
        const CREATE_ACLS: i16 = 30;
        let mut message = Vec::new();
        message.extend(CREATE_ACLS.to_be_bytes());
        message.extend(1_i16.to_be_bytes());
        message.extend(1_i32.to_be_bytes());
        text(&mut message, "weir-tests");
        let count = i32::try_from(operations.len()).expect("they are few");
        message.extend(count.to_be_bytes());
        for operation in operations {
            message.push(2); // a topic
            text(&mut message, topic);
            message.push(3); // of that very name
            text(&mut message, &format!("User:{principal}"));
            text(&mut message, "*");
            message.push(*operation as u8);
            message.push(3); // is allowed
        }
        let answer = ask(&self.kafka.bootstrap(), &message).await;
        // Correlation, throttle time and the number of results come before the first one's error.
        let error = answer.get(12..14);
        assert_eq!(
            error,
            Some(&[0, 0][..]),
            "no ACL for {principal}: {answer:?}"
        );
    }
}

fn text(message: &mut Vec<u8>, text: &str) {
    let length = i16::try_from(text.len()).expect("it is short");
    message.extend(length.to_be_bytes());
    message.extend(text.as_bytes());
}

/// Sends a request of Kafka's protocol, and reads the answer.
async fn ask(broker: &str, message: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(broker).await.expect("a broker");
    let length = u32::try_from(message.len()).expect("it is short");
    let framed = [&length.to_be_bytes()[..], message].concat();
    stream.write_all(&framed).await.expect("the broker reads");
    let length = stream.read_u32().await.expect("the broker answers");
    let mut answer = vec![0; length as usize];
    stream
        .read_exact(&mut answer)
        .await
        .expect("a whole answer");
    answer
}
