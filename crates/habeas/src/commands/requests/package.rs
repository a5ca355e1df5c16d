//! `habeas requests package`: fetches the package without ever leaving half of one behind.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use habeas_domain::RequestId;
use serde_json::json;

use crate::cli::Global;
use crate::client::{Call, Client};
use crate::ending::Ending;
use crate::output;

pub(super) async fn fetch(
    global: &Global,
    client: &Client,
    id: RequestId,
    out: &Path,
) -> anyhow::Result<Ending> {
    let call = Call::get(&["requests", &id.to_string(), "package"]);
    if out == Path::new("-") {
        client.download(call, &mut std::io::stdout()).await?;
        return Ok(Ending::Done);
    }
    // Made first: the first complete download may be the only one, so it must not fail for want of a place.
    let mut place = Unfinished::beside(out)?;
    let length = client.download(call, &mut place.file).await?;
    place.finish(out)?;
    if global.json {
        output::json(&json!({"file": out, "bytes": length}))?;
    } else {
        output::line(&format!("{} was written ({length} bytes)", out.display()))?;
    }
    Ok(Ending::Done)
}

/// A file that only its owner can read, gone when dropped unless it was finished.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    fn beside(out: &Path) -> anyhow::Result<Self> {
        let name = out.file_name().with_context(|| format!("{} is not the path of a file", out.display()))?;
        let mut unfinished = name.to_owned();
        unfinished.push(format!(".{}.part", std::process::id()));
        let path = out.with_file_name(unfinished);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot write {}", out.display()))?;
        Ok(Self { path, file })
    }

    fn finish(self, out: &Path) -> anyhow::Result<()> {
        self.file
            .sync_all()
            .and_then(|()| std::fs::rename(&self.path, out))
            .with_context(|| format!("cannot write {}", out.display()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename there is nothing of that name.
        drop(std::fs::remove_file(&self.path));
    }
}
