//! Writes what fuzzing begins with: `fuzz_seeds FOLDER` makes `FOLDER/TARGET/` with one file for each input, and the
//! dictionary `FOLDER/TARGET.dictionary`. `cargo xtask fuzz` calls it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use habeas_integrations::client::recording::Recording;
use habeas_integrations::fuzzing::{TARGETS, dictionary, seeds};

fn main() -> io::Result<()> {
    let missing = || io::Error::new(io::ErrorKind::InvalidInput, "usage: fuzz_seeds FOLDER");
    let folder = env::args_os().nth(1).map(PathBuf::from).ok_or_else(missing)?;
    let recordings = Recording::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"))?;
    for target in TARGETS {
        let place = folder.join(target);
        fs::create_dir_all(&place)?;
        for (number, seed) in seeds(target, &recordings).iter().enumerate() {
            fs::write(place.join(format!("recorded-{number}")), seed)?;
        }
        fs::write(folder.join(format!("{target}.dictionary")), dictionary(target, &recordings))?;
    }
    Ok(())
}
