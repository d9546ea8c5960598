//! Starting a gateway: its files, its environment, and the wait until it is ready.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use super::Gateway;
use crate::child::{self, Child};
use crate::scratch::Scratch;
use crate::{cli, wait};

/// The files of a gateway, shared with its successors.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) dir: Scratch,
}

impl Home {
    fn config(&self) -> PathBuf {
        self.dir.path().join("config").join("weir.yaml")
    }

    pub(super) fn access_log(&self) -> PathBuf {
        self.dir.path().join("access.log")
    }

    /// Writes the configuration so that no reader ever sees half of it.
    pub(super) fn write_config(&self, yaml: &str) {
        // Beside the watched directory, not in it, so that only the rename is an event there.
        let draft = self.dir.write("weir.yaml.draft", yaml);
        std::fs::rename(&draft, self.config())
            .unwrap_or_else(|error| panic!("{} cannot be moved: {error}", draft.display()));
    }
}

/// A gateway to be started.
#[derive(Debug)]
pub struct Builder {
    home: Arc<Home>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    executable: Option<PathBuf>,
    directory: bool,
}

/// A gateway that ended instead of becoming ready.
#[derive(Debug)]
pub struct Failed {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub log: Vec<String>,
}

impl Builder {
    pub(super) fn new(yaml: &str) -> Builder {
        let home = Home {
            dir: Scratch::new("gateway"),
        };
        std::fs::create_dir(home.dir.path().join("config")).expect("a new directory is writable");
        home.write_config(yaml);
        Builder::beside(&Arc::new(home))
    }

    pub(super) fn beside(home: &Arc<Home>) -> Builder {
        Builder {
            home: Arc::clone(home),
            environment: Vec::new(),
            arguments: Vec::new(),
            executable: None,
            directory: false,
        }
    }

    /// Sets an environment variable of the process.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Builder {
        self.environment.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds an argument after `run --config FILE`.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Builder {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Runs another executable than [`cli::executable`], such as an older release.
    #[must_use]
    pub fn executable(mut self, path: impl Into<PathBuf>) -> Builder {
        self.executable = Some(path.into());
        self
    }

    /// Serves the whole directory the configuration's file lies in, `config` in
    /// [`Builder::dir`].
    #[must_use]
    pub fn directory(mut self) -> Builder {
        self.directory = true;
        self
    }

    /// Writes a file into the working directory, such as a certificate the YAML names, relative
    /// to it.
    #[must_use]
    pub fn file(self, name: &str, contents: impl AsRef<[u8]>) -> Builder {
        self.home.dir.write(name, contents);
        self
    }

    /// The working directory of the process.
    pub fn dir(&self) -> &std::path::Path {
        self.home.dir.path()
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// If it ends instead; the message holds its log.
    pub async fn start(self) -> Gateway {
        self.try_start().await.unwrap_or_else(|failed| {
            panic!(
                "the gateway did not start ({}):\n{}",
                failed.status,
                failed.log.join("\n")
            )
        })
    }

    /// Starts it and waits until it is ready or has ended.
    ///
    /// # Errors
    /// If it ended.
    ///
    /// # Panics
    /// If neither happens.
    pub async fn try_start(self) -> Result<Gateway, Failed> {
        let child = Child::start("weir", self.command());
        let said_so = || child.lines().iter().any(|line| line == "ready");
        let ready = child.ready(wait::DEADLINE, || std::future::ready(said_so()));
        if !ready.await {
            return Err(Failed {
                status: child.wait_exit().await,
                log: child.lines(),
            });
        }
        let addresses = addresses(&child.lines());
        Ok(Gateway {
            child,
            home: self.home,
            addresses,
        })
    }

    fn command(&self) -> std::process::Command {
        let dir = self.home.dir.path();
        let executable = self.executable.as_deref();
        let mut command = child::command(executable.unwrap_or_else(|| cli::executable()));
        command
            .current_dir(dir)
            .args(["run", "--config"])
            .arg(match self.directory {
                true => dir.join("config"),
                false => self.home.config(),
            })
            .args(&self.arguments);
        // The developer's own settings must not reach the gateway under test.
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if name.starts_with("OTEL_") || name.starts_with("WEIR_") || name.ends_with("_PROXY") {
                command.env_remove(&key);
            }
        }
        command
            .env("ACCESS_LOG", self.home.access_log())
            .env("DATA_DIR", dir.join("data"))
            .envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }
}

fn addresses(log: &[String]) -> BTreeMap<String, SocketAddr> {
    let parse = |line: &String| {
        let rest = line.strip_prefix("listening name=")?;
        let (name, address) = rest.split_once(" address=")?;
        let address = address.trim().parse();
        let address = address.unwrap_or_else(|error| panic!("no address ({error}): {line}"));
        Some((name.to_owned(), address))
    };
    log.iter().filter_map(parse).collect()
}
