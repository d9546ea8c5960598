//! Files and directories: merging, ownership, what is watched.

use std::fs;
use std::path::PathBuf;

use crate::config::{Loaded, diff, load};

/// A directory that is gone when the test ends.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("weir-config-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        let directory = Self(path);
        for (name, text) in files {
            directory.write(name, text);
        }
        directory
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), text).expect("a file");
    }

    pub(super) fn load(&self) -> Loaded {
        load(&self.0).unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// The faults, without the directory's path.
    pub(super) fn faults(&self) -> Vec<String> {
        let faults = load(&self.0).expect_err("faults");
        let prefix = format!("{}/", self.0.display());
        faults
            .to_string()
            .lines()
            .map(|line| line.replace(&prefix, ""))
            .collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const PLATFORM: &str = "
version: 1
listeners: [{ name: public, address: 127.0.0.1:0 }]
secrets: [{ name: mine, value: '${file:secret.txt}' }, { name: other, value: xyzxyz }]
teams: [{ name: shop, owns: { hosts: ['*.shop.example.com'], paths: [/orders], topics: ['orders.*'], secrets: [mine] } }, { name: art }]
upstreams: [{ name: shared, endpoints: [{ address: a:1 }] }]
";

#[test]
fn a_directory_is_one_configuration() {
    let directory = Directory::new(
        "merge",
        &[
            ("10-platform.yaml", PLATFORM),
            (
                "20-shop.yml",
                "version: 1\nteam: shop\nroutes: [{ name: a, hosts: [a.shop.example.com], matches: [{ path: { prefix: /orders } }], forward: { backends: [{ upstream: shared }] } }]\nproviders: [{ name: p, dialect: openai, base_url: 'http://a', api_key: { secret: mine } }]",
            ),
            (
                "30-art.yaml",
                "version: 1\nroutes: [{ name: b, team: art, respond: {} }]",
            ),
            ("secret.txt", "first\n"),
            ("notes.txt", "not: [read"),
            (".hidden.yaml", "not: [read"),
        ],
    );
    let first = directory.load();
    let routes: Vec<_> = first
        .config
        .routes
        .iter()
        .map(|route| (&*route.name, route.team.as_deref()))
        .collect();
    assert_eq!(routes, [("a", Some("shop")), ("b", Some("art"))]);
    let key = first.config.providers[0].api_keys.first().expect("a key");
    assert_eq!(key.value.expose(), "first");
    for name in [
        "10-platform.yaml",
        "20-shop.yml",
        "30-art.yaml",
        "secret.txt",
        ".",
    ] {
        assert!(
            first
                .watched
                .paths()
                .any(|path| path == directory.0.join(name)),
            "{name} in {:?}",
            first.watched
        );
    }
    assert_eq!(first.watched, first.watched.again());
    directory.write("secret.txt", "second\n");
    assert_ne!(first.watched, first.watched.again());
    let second = directory.load();
    let changes: Vec<_> = diff(&first, &second)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(changes, ["secrets \"mine\" changed: value"]);
    assert_ne!(first.revision, second.revision);
}

#[test]
fn a_fault_names_its_file_and_its_place_there() {
    let directory = Directory::new(
        "faults",
        &[
            ("a.yaml", PLATFORM),
            (
                "b.yaml",
                "version: 1\nroutes: [{ name: x, respond: {} }]\nserver: { worker_threads: 1 }",
            ),
            (
                "c.yaml",
                "version: 1\nserver: { worker_threads: 1 }\nroutes: [{ name: x, hosts: [x.y], respond: {} }, { name: z, matches: [{ methods: [PUT] }], forward: { backends: [{ upstream: shard }] } }]",
            ),
            ("d.yaml", "version: 2"),
            ("e.yaml", "version: [1"),
            ("secret.txt", "abcdefg"),
        ],
    );
    let faults = directory.faults();
    assert!(faults[0].starts_with("e.yaml: line "), "{faults:?}");
    assert_eq!(
        faults[1..],
        [
            "d.yaml: version: 2 is too large; the most is 1",
            "c.yaml: server: this section is in another file already; it can be given only once",
            "c.yaml: routes[0].name: the name \"x\" is taken by routes[0] of b.yaml; names are unique within a section",
            "c.yaml: routes[1].forward.backends[0].upstream: no upstream named \"shard\"; did you mean \"shared\"?",
        ]
    );
}

#[test]
fn a_team_uses_only_what_it_owns() {
    let directory = Directory::new("teams", &[
        ("a.yaml", PLATFORM),
        ("secret.txt", "abcdefg"),
        ("shop.yaml", "
version: 1
team: shop
stores: [{ name: s, kind: memory }]
providers: [{ name: p, dialect: openai, base_url: 'http://a', api_key: { secret: other } }]
kafka_clusters: [{ name: k, bootstrap_servers: ['a:1'] }]
routes:
- { name: a, hosts: [art.example.com], matches: [{ path: { prefix: /orders/x } }], respond: {} }
- { name: b, matches: [{ path: { prefix: /order } }], respond: {} }
- { name: c, hosts: [a.shop.example.com], matches: [{ path: { exact: /orders/y } }], publish: { cluster: k, topic: payments } }
- { name: d, hosts: [a.shop.example.com], matches: [{ path: { exact: /orders/z } }], publish: { cluster: k, topic: orders.z } }
- { name: e, team: art, respond: {} }
"),
        ("art.yaml", "version: 1\nteam: art\nroutes: [{ name: f, forward: { backends: [{ upstream: shared }] } }, { name: g, matches: [{ methods: [PUT] }], publish: { cluster: k, topic: x } }]"),
        ("typo.yaml", "version: 1\nteam: shp"),
    ]);
    let found = directory.faults();
    let expected = [
        "shop.yaml: stores: this file belongs to team \"shop\", and stores to the platform; move it to a file without `team`",
        "typo.yaml: team: no team named \"shp\"; did you mean \"shop\"?",
        "shop.yaml: providers[0].api_key.secret: team \"shop\" does not own the secret \"other\"; list it under `owns.secrets` of team \"shop\"",
        "art.yaml: routes[1].publish.cluster: the Kafka cluster \"k\" belongs to team \"shop\", not to \"art\"; use your own, or ask the platform to share one",
        "art.yaml: routes[1].publish.topic: team \"art\" does not own the topic \"x\"; list it under `owns.topics` of team \"art\"",
        "shop.yaml: routes[0].hosts[0]: team \"shop\" does not own the host \"art.example.com\"; list it under `owns.hosts` of team \"shop\"",
        "shop.yaml: routes[1].hosts: team \"shop\" does not own every host; say which of its hosts this route serves",
        "shop.yaml: routes[1].matches[0].path: team \"shop\" does not own every path this matches; match below /orders",
        "shop.yaml: routes[2].publish.topic: team \"shop\" does not own the topic \"payments\"; list it under `owns.topics` of team \"shop\"",
        "shop.yaml: routes[4].team: this file belongs to team \"shop\"; leave `team` out here",
    ];
    for line in expected {
        assert!(
            found.iter().any(|found| found == line),
            "{line}\nin {found:#?}"
        );
    }
}

#[test]
fn an_empty_directory_and_a_missing_file_say_so() {
    let directory = Directory::new("empty", &[("notes.txt", "")]);
    let said = load(&directory.0).expect_err("nothing to read").to_string();
    assert!(
        said.ends_with("holds no *.yaml or *.yml file; put one there, or name a file"),
        "{said}"
    );
    let said = load(&directory.0.join("nowhere.yaml"))
        .expect_err("no file")
        .to_string();
    assert!(said.contains("nowhere.yaml: cannot be read: "), "{said}");
}

#[test]
fn certificates_are_read_and_have_to_fit_their_keys() {
    let (cert, key) = certificate("api.example.com");
    let (_, stranger) = certificate("other.example.com");
    let yaml = |key: &str| {
        format!(
            "version: 1\nlisteners: [{{ name: secure, address: 127.0.0.1:0, tls: {{ certificates: [{{ cert: c.pem, key: {key} }}], client_ca: c.pem }} }}]"
        )
    };
    let directory = Directory::new("tls", &[("a.yaml", &yaml("k.pem"))]);
    directory.write("c.pem", &cert);
    directory.write("k.pem", &key);
    directory.write("s.pem", stranger);
    let first = directory.load();
    let tls = first.config.listeners[0].tls.as_ref().expect("TLS");
    assert_eq!(tls.certificates[0].hosts[0].to_string(), "api.example.com");
    let key_file = directory.0.join("k.pem");
    assert!(first.watched.paths().any(|path| path == key_file));
    let (cert, key) = certificate("api.example.com");
    directory.write("c.pem", cert);
    directory.write("k.pem", key);
    let changes: Vec<_> = diff(&first, &directory.load())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        changes,
        [
            "listeners \"secure\" changed: tls.certificates[0].cert.sha256, tls.certificates[0].key.sha256, tls.client_ca.sha256"
        ]
    );
    directory.write("a.yaml", yaml("s.pem"));
    assert_eq!(
        directory.faults(),
        [
            "a.yaml: listeners[0].tls.certificates[0].key: the key in \"s.pem\" is not that of the certificate in \"c.pem\"; the leaf certificate comes first in its file"
        ]
    );
    directory.write("a.yaml", yaml("c.pem"));
    assert_eq!(
        directory.faults(),
        [
            "a.yaml: listeners[0].tls.certificates[0].key: \"c.pem\" holds no private key in PEM; it begins with -----BEGIN PRIVATE KEY-----, and has no passphrase"
        ]
    );
}

/// A self-signed certificate for `host` and its key, in PEM.
pub(super) fn certificate(host: &str) -> (Vec<u8>, Vec<u8>) {
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::x509::X509;
    use openssl::x509::extension::SubjectAlternativeName;

    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
    let mut builder = X509::builder().expect("a builder");
    builder.set_pubkey(&key).expect("a key");
    builder
        .set_not_before(&Asn1Time::days_from_now(0).expect("now"))
        .expect("a time");
    builder
        .set_not_after(&Asn1Time::days_from_now(1).expect("tomorrow"))
        .expect("a time");
    let names = SubjectAlternativeName::new()
        .dns(host)
        .build(&builder.x509v3_context(None, None))
        .expect("names");
    builder.append_extension(names).expect("names");
    builder
        .sign(&key, MessageDigest::sha256())
        .expect("a signature");
    let pem = builder.build().to_pem().expect("PEM");
    (pem, key.private_key_to_pem_pkcs8().expect("PEM"))
}
