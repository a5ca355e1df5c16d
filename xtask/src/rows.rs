//! A file of invented people to import, for measuring: `cargo xtask rows N > people.csv`.

use std::io::{BufWriter, Write as _, stdout};

use anyhow::{Context as _, ensure};

const GIVEN: [&str; 8] = ["ana", "bo", "chidi", "dara", "emil", "farah", "gus", "hana"];
const FAMILY: [&str; 8] = ["silva", "lund", "okafor", "kim", "novak", "aziz", "weber", "sato"];

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    ensure!(arguments.len() == 1, "give the number of rows");
    let rows: u64 = arguments[0].parse().context("the number of rows is no number")?;
    let mut out = BufWriter::new(stdout().lock());
    writeln!(out, "right,email,user_id,received_at")?;
    for number in 0..rows {
        // Received in the order of the file, over thirty days.
        let (day, second) = (number * 30 / rows.max(1) + 1, number % 86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let name =
            |names: &[&'static str; 8], by: u64| names[usize::try_from(number / by % 8).unwrap_or_default()];
        writeln!(
            out,
            "deletion,{}.{}.{number}@import.example.test,U-{number},2025-06-{day:02}T{hour:02}:{minute:02}:{second:02}Z",
            name(&GIVEN, 1),
            name(&FAMILY, 8)
        )?;
    }
    out.flush()?;
    Ok(())
}
