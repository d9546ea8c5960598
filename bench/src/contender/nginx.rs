//! nginx as someone who knows it would set it up for this job.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::Site;
use crate::cpu;
use crate::failure::Failure;

/// Writes the configuration and says how nginx is started with it.
pub fn command(site: &Site, address: SocketAddr) -> Result<Vec<OsString>, Failure> {
    if !site.programs.nginx.exists() {
        return Err(Failure::new(format!(
            "no nginx at {}: install it, or name it with --nginx",
            site.programs.nginx.display()
        )));
    }
    let path = site.directory.join("nginx.conf");
    fs::write(&path, configuration(site, address))
        .map_err(Failure::during("cannot write nginx's configuration"))?;
    Ok(vec![
        site.programs.nginx.clone().into(),
        "-e".into(),
        "stderr".into(),
        "-p".into(),
        site.directory.clone().into(),
        "-c".into(),
        path.into(),
    ])
}

/// The one worker of the nginx whose master is `master`.
pub fn worker(master: Pid) -> Result<Pid, Failure> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match cpu::children(master)[..] {
            [worker] => return Ok(worker),
            _ if Instant::now() > deadline => {
                return Err(Failure::new(format!(
                    "nginx (process {master}) does not have exactly one worker"
                )));
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Connections are kept for the whole run on both sides. Chats are passed on as they arrive, as
/// anyone has to configure who streams through nginx.
fn configuration(site: &Site, address: SocketAddr) -> String {
    let upstream = site.upstream;
    format!(
        "worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    upstream upstream {{
        server {upstream};
        keepalive 128;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
    server {{
        listen {address};
        proxy_http_version 1.1;
        proxy_set_header Connection \"\";
        location / {{ proxy_pass http://upstream; }}
        location /v1/ {{ proxy_pass http://upstream; proxy_buffering off; }}
    }}
}}
"
    )
}
