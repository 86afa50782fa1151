//! `cairn verify`: reads a whole data directory offline and lists what is damaged, with file and position. Changes nothing.

use crate::{
    failure::Failure,
    output::Output,
    progress::Progress,
    table::{self, Align, Table},
};
use cairn_broker::{
    disk::{Disk, DiskErrorKind, OsDisk, dir::META_FILE},
    storage::{self, OpenError, VerifyReport},
};
use clap::Args;
use serde_json::{Value, json};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

/// What to read.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The data directory of a stopped broker, or a copy of one
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

/// Verifies, prints the findings, and fails if there is damage.
pub(crate) fn run(args: &VerifyArgs, output: Output) -> Result<(), Failure> {
    let disk = OsDisk::shared();
    let directory = args.data_dir.as_path();
    require_data_directory(&*disk, directory)?;
    let lock = match disk.lock_dir(directory) {
        Ok(lock) => Some(lock),
        Err(error) if error.kind == DiskErrorKind::Locked => {
            return Err(Failure::failed(format!("a broker is using '{}'", directory.display()))
                .advise("stop the broker first, or verify a copy of the directory"));
        }
        // A directory that cannot be written cannot be in use by a broker that could.
        Err(_) => None,
    };
    let report = read_everything(&*disk, directory)?;
    drop(lock);
    output.print(&report_json(&report), || report_text(&report))?;
    match report.damage.len() {
        0 => Ok(()),
        damaged => Err(Failure::failed(format!("{damaged} damaged places in '{}'", directory.display()))
            .advise("the broker serves everything else and answers an error for damaged offsets; nothing was changed")
            .detail("damaged", damaged)),
    }
}

fn require_data_directory(disk: &dyn Disk, directory: &Path) -> Result<(), Failure> {
    match disk.exists(&directory.join(META_FILE)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::failed(format!(
            "'{}' is no data directory of Cairn: it has no {META_FILE}",
            directory.display()
        ))
        .advise("name the directory that the broker was started with (--data-dir, by default ./cairn-data)")),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn read_everything(disk: &dyn Disk, directory: &Path) -> Result<VerifyReport, Failure> {
    let progress = Progress::bytes(Some(0));
    let verified = storage::verify(disk, directory, &mut |at| {
        progress.set(at.bytes_done, at.bytes_total);
        let file = at.file.strip_prefix(directory).unwrap_or(&at.file);
        progress.message(file.display().to_string());
    });
    verified.map_err(|error| {
        let failure = Failure::failed(error.to_string());
        match &error {
            OpenError::Damaged { file, position, .. } => {
                failure.detail("file", file.display().to_string()).detail("position", *position)
            }
            _ => failure,
        }
    })
}

fn report_json(report: &VerifyReport) -> Value {
    let damage = report.damage.iter().map(|damage| {
        json!({
            "file": damage.file.display().to_string(),
            "position": damage.position,
            "offsets": damage.offsets.map(|(from, to)| [from.0, to.0]),
            "detail": damage.detail,
        })
    });
    json!({
        "logs": report.logs,
        "files": report.files,
        "batches": report.batches,
        "journal_frames": report.journal_frames,
        "bytes": report.bytes,
        "damage": damage.collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

fn report_text(report: &VerifyReport) -> String {
    let mut text = format!(
        "read {} files, {}: {} logs, {} batches, {} journal frames\n",
        report.files,
        table::bytes(report.bytes),
        report.logs,
        report.batches,
        report.journal_frames
    );
    for note in &report.notes {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "note: {}", table::printable(note));
    }
    if report.damage.is_empty() {
        text.push_str("no damage\n");
        return text;
    }
    let columns = [
        ("FILE", Align::Left),
        ("POSITION", Align::Right),
        ("OFFSETS", Align::Left),
        ("DAMAGE", Align::Left),
    ];
    let mut damaged = Table::new(&columns);
    for damage in &report.damage {
        let offsets = damage.offsets.map_or_else(|| "-".into(), |(from, to)| format!("{}..{}", from.0, to.0));
        let file = damage.file.display().to_string();
        damaged.row([file, damage.position.to_string(), offsets, damage.detail.clone()]);
    }
    text.push('\n');
    text + &damaged.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputFormat;
    use cairn_broker::{ids::Offset, storage::VerifyDamage};

    fn damaged() -> VerifyReport {
        let damage = VerifyDamage {
            file: "data/logs/1/00000000000000000000.log".into(),
            position: 4096,
            offsets: Some((Offset(10), Offset(20))),
            detail: "checksum".into(),
        };
        VerifyReport { logs: 1, files: 2, bytes: 2048, damage: vec![damage], ..VerifyReport::default() }
    }

    #[test]
    fn damage_is_listed_with_file_position_and_offsets() {
        let text = report_text(&damaged());
        assert!(text.contains("00000000000000000000.log      4096  10..20   checksum\n"), "{text}");
        let value = report_json(&damaged());
        assert_eq!(value["damage"][0]["position"], 4096);
        assert_eq!(value["damage"][0]["offsets"][1], 20);
        assert!(report_text(&VerifyReport::default()).ends_with("no damage\n"));
    }

    #[test]
    fn a_directory_that_is_not_ours_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let args = VerifyArgs { data_dir: directory.path().to_owned() };
        let failure = run(&args, Output::new(OutputFormat::Json)).unwrap_err();
        assert!(failure.message.contains(META_FILE), "{}", failure.message);
        assert_eq!(OsDisk::shared().read_dir(directory.path()).unwrap(), []);
    }
}
