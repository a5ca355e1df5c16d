//! A real browser that looks at the pages: Debian's Chromium, driven by Playwright.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::process::{install, root, run, run_quietly, target};

const CHROMIUM: &str = "/usr/bin/chromium";

/// Chromium and what drives it.
pub(crate) struct Browser {
    /// Where its packages are.
    home: PathBuf,
    /// Where pictures go.
    pictures: PathBuf,
}

impl Browser {
    /// Installs what is missing, into the target directory.
    pub(crate) fn prepare(pictures: &Path) -> anyhow::Result<Self> {
        if !Path::new(CHROMIUM).exists() {
            install("chromium")?;
        }
        let home = target().join("browser");
        std::fs::create_dir_all(&home)?;
        for file in ["package.json", "package-lock.json", "pages.mjs"] {
            std::fs::copy(root().join("browser").join(file), home.join(file))?;
        }
        if !home.join("node_modules").exists() {
            let mut command = Command::new("npm");
            command.args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(&home);
            run_quietly(&mut command)
                .context("the browser's packages cannot be installed (is npm there?)")?;
        }
        Ok(Self { home, pictures: pictures.to_owned() })
    }

    /// Opens a page on a telephone and on a desk, light and dark; fails if somebody could not use it.
    pub(crate) fn look(&self, name: &str, url: &str) -> anyhow::Result<()> {
        let mut command = Command::new("node");
        command.arg("pages.mjs").arg(&self.pictures).arg(format!("{name}={url}")).current_dir(&self.home);
        run(&mut command).with_context(|| format!("the page `{name}` has faults"))
    }
}
