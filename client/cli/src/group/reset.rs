//! `cairn group reset-offsets`: where a group shall go on, from its position, the log's ends, or a time.

use crate::{
    exit::Exit,
    failure::Failure,
    rfc3339,
    session::Session,
    table::{Align, Table},
};
use cairn_client::{GroupError, OffsetAt};
use clap::Args;
use serde_json::json;
use std::{collections::BTreeMap, str::FromStr, time::SystemTime};

/// Where a group shall go on.
#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    /// The group's name; it must have no members
    name: String,
    /// The topic
    #[arg(long)]
    topic: String,
    /// Only this partition
    #[arg(long, value_name = "P")]
    partition: Option<u32>,
    /// Where in each partition; +N and -N count from where the group is, 2h is the first record of the last two hours (s, m,
    /// h, d). What lies beyond an end of the log is that end
    #[arg(long, value_name = "beginning|end|OFFSET|-N|+N|@RFC3339|DURATION", allow_hyphen_values = true)]
    to: Target,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// A place, meant for each partition by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Beginning,
    End,
    Offset(i64),
    /// From where the group is.
    Shift(i64),
    /// Milliseconds since 1970.
    Time(i64),
    /// Milliseconds before now.
    Ago(i64),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(timestamp) = text.strip_prefix('@') {
            return rfc3339::parse(timestamp).map(Self::Time).map_err(|error| error.to_string());
        }
        let number = |digits: &str| -> Option<i64> {
            let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            all.then(|| digits.parse().ok()).flatten()
        };
        let ago = || {
            let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let unit_ms = match unit {
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return None,
            };
            number(digits)?.checked_mul(unit_ms).map(Self::Ago)
        };
        let known = match text {
            "beginning" => Some(Self::Beginning),
            "end" => Some(Self::End),
            _ => match (text.strip_prefix('+'), text.strip_prefix('-')) {
                (Some(count), _) => number(count).map(Self::Shift),
                (_, Some(count)) => number(count).map(|count| Self::Shift(-count)),
                _ => number(text).map(Self::Offset).or_else(ago),
            },
        };
        known.ok_or_else(|| {
            "expected beginning, end, an offset like 42, +N or -N records from where the group is, @ and a timestamp like \
             @2026-01-31T09:30:00Z, or a duration like 2h"
                .into()
        })
    }
}

/// One partition with where it was and where it shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    partition: u32,
    from: Option<i64>,
    to: i64,
}

pub(super) async fn run(args: &ResetArgs, session: &Session) -> Result<(), Failure> {
    let admin = session.client.admin();
    let topic = session.describe(&args.topic, args.partition).await?;
    let partitions: Vec<u32> = match args.partition {
        Some(partition) => vec![partition],
        None => (0..topic.summary.partitions).collect(),
    };
    let committed = committed(args, session).await?;
    let moves = moves(args, session, &partitions, &committed).await?;
    if !args.dry_run {
        let offsets = moves.iter().map(|one| (args.topic.clone(), one.partition, one.to));
        admin.set_group_offsets(&args.name, offsets).await?;
    }
    if session.output.is_json() {
        for one in &moves {
            let value = json!({
                "group": args.name,
                "topic": args.topic,
                "partition": one.partition,
                "from": one.from,
                "to": one.to,
                "dry_run": args.dry_run,
            });
            session.output.print(&value, String::new)?;
        }
        return Ok(());
    }
    session.output.print(&(), || text(args, &moves))
}

/// Where the group is, by partition; it may be a new one. Refused here already while it has members, also for a dry run.
async fn committed(args: &ResetArgs, session: &Session) -> Result<BTreeMap<u32, i64>, Failure> {
    let group = match session.client.admin().describe_group(&args.name).await {
        Ok(group) => group,
        Err(GroupError::Unknown { .. }) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    };
    if group.summary.members > 0 {
        return Err(GroupError::NotEmpty { group: args.name.clone() }.into());
    }
    let ours = group.offsets.into_iter().filter(|one| one.topic == args.topic);
    Ok(ours.map(|one| (one.partition, one.offset)).collect())
}

async fn moves(
    args: &ResetArgs,
    session: &Session,
    partitions: &[u32],
    committed: &BTreeMap<u32, i64>,
) -> Result<Vec<Move>, Failure> {
    let ask = async |at| {
        let answers = session.client.admin().list_offsets(&args.topic, partitions, at).await?;
        Ok::<Vec<Option<i64>>, Failure>(answers.into_iter().map(|answer| answer.offset).collect())
    };
    let (starts, ends) = (ask(OffsetAt::Earliest).await?, ask(OffsetAt::Latest).await?);
    let found = match args.to {
        Target::Time(timestamp_ms) => ask(OffsetAt::Timestamp(timestamp_ms)).await?,
        Target::Ago(before_ms) => ask(OffsetAt::Timestamp(now_ms().saturating_sub(before_ms))).await?,
        _ => vec![None; partitions.len()],
    };
    let mut moves = Vec::with_capacity(partitions.len());
    for (((partition, start), end), found) in partitions.iter().zip(starts).zip(ends).zip(found) {
        let (start, end) = (start.unwrap_or(0), end.unwrap_or(0));
        let from = committed.get(partition).copied();
        let to = match (args.to, from) {
            (Target::Beginning, _) => start,
            (Target::End, _) => end,
            (Target::Offset(offset), _) => offset,
            (Target::Shift(count), Some(from)) => from.saturating_add(count),
            (Target::Shift(_), None) => return Err(nothing_committed(args, *partition)),
            (Target::Time(_) | Target::Ago(_), _) => found.unwrap_or(end),
        };
        moves.push(Move { partition: *partition, from, to: to.clamp(start, end.max(start)) });
    }
    Ok(moves)
}

fn nothing_committed(args: &ResetArgs, partition: u32) -> Failure {
    let message =
        format!("group '{}' has committed nothing for partition {partition} of '{}'", args.name, args.topic);
    Failure::new(Exit::NotFound, message)
        .advise("count from somewhere else: beginning, end, an offset, or a time")
        .detail("partition", partition)
}

#[expect(clippy::disallowed_methods, reason = "a duration is counted from now")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn text(args: &ResetArgs, moves: &[Move]) -> String {
    let mut table = Table::new(&[("PARTITION", Align::Right), ("FROM", Align::Right), ("TO", Align::Right)]);
    for one in moves {
        let from = one.from.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
        table.row([one.partition.to_string(), from, one.to.to_string()]);
    }
    let done = if args.dry_run { "would go on" } else { "goes on" };
    format!("group '{}' {done} in topic '{}' at:\n{}", args.name, args.topic, table.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        assert_eq!("beginning".parse(), Ok(Target::Beginning));
        assert_eq!("end".parse(), Ok(Target::End));
        assert_eq!("42".parse(), Ok(Target::Offset(42)));
        assert_eq!("+3".parse(), Ok(Target::Shift(3)));
        assert_eq!("-3".parse(), Ok(Target::Shift(-3)));
        assert_eq!("@1970-01-01T00:00:01Z".parse(), Ok(Target::Time(1000)));
        assert_eq!("90s".parse(), Ok(Target::Ago(90_000)));
        assert_eq!("2h".parse(), Ok(Target::Ago(7_200_000)));
        assert_eq!("1d".parse(), Ok(Target::Ago(86_400_000)));
    }

    #[test]
    fn refusals_say_what_would_do() {
        for text in ["", "-", "+", "--1", "1.5", "h", "2w", "-2h", "9999999999999999999", "é"] {
            assert!(text.parse::<Target>().unwrap_err().contains("beginning"), "{text}");
        }
        assert!("@yesterday".parse::<Target>().unwrap_err().contains("2026-01-31"));
    }
}
