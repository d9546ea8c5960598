//! A headless Chromium, driven by ChromeDriver over WebDriver (W3C), both from the system's packages: pages
//! as people have them.
//!
//! It knows no page; who uses it says what is to be opened and asks what is there.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::child::{self, Child};
use crate::scratch::Scratch;
use crate::{ports, wait, wire};

/// What keeps a browser from speaking to anybody but the page's own server.
const ARGUMENTS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A running browser with one page; it ends when dropped.
#[derive(Debug)]
pub struct Chromium {
    driver: SocketAddr,
    session: String,
    _child: Child,
    _dir: Scratch,
}

impl Chromium {
    /// Opens a page.
    ///
    /// # Panics
    /// If the browser does not start; the message holds the driver's log.
    pub async fn open(url: &str) -> Self {
        let dir = Scratch::new("chromium");
        let port = ports::free();
        let mut command = child::command("chromedriver");
        command
            .arg(format!("--port={port}"))
            .current_dir(dir.path());
        let child = Child::start("chromedriver", command);
        let driver: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
        let listens = || async { tokio::net::TcpStream::connect(driver).await.is_ok() };
        assert!(
            child.ready(wait::DEADLINE, listens).await,
            "ChromeDriver does not start:\n{}",
            child.transcript()
        );
        let profile = format!("--user-data-dir={}", dir.path().join("profile").display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([&*profile]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": arguments }
        } } });
        let answer = ask(driver, "/session", &wanted).await;
        let session = answer["sessionId"].as_str();
        let session = session.unwrap_or_else(|| panic!("{answer}\n{}", child.transcript()));
        let browser = Self {
            driver,
            session: session.to_owned(),
            _child: child,
            _dir: dir,
        };
        browser.command("url", &json!({ "url": url })).await;
        browser
    }

    /// What a script on the page returns, as in `return document.title`.
    ///
    /// # Panics
    /// If it fails.
    pub async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({ "script": script, "args": [] }))
            .await
    }

    /// Gives the page another size, in pixels.
    ///
    /// # Panics
    /// If the browser refuses.
    pub async fn shape(&self, width: u32, height: u32) {
        let size = json!({
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": { "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false },
        });
        self.command("goog/cdp/execute", &size).await;
    }

    async fn command(&self, command: &str, body: &Value) -> Value {
        let target = format!("/session/{}/{command}", self.session);
        ask(self.driver, &target, body).await
    }
}

async fn ask(driver: SocketAddr, target: &str, body: &Value) -> Value {
    let fields = ["content-type: application/json"];
    let answer = wire::request(driver, "POST", target, &fields, body.to_string()).await;
    let value = answer.json()["value"].clone();
    assert_eq!(answer.status, 200, "{target}: {value}");
    value
}
